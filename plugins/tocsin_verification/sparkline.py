"""A series in one line of text, for networks without pictures. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from tocsin_verification.judge.verdict import Floats, Judgement
from tocsin_verification.series import late, samples, window

_BLOCKS = "▁▂▃▄▅▆▇█"
GAP = "·"
"""Where samples are lacking; no blank, which networks take away at an end."""
_UTC = ZoneInfo("UTC")


def sparkline(
    values: Sequence[float] | Floats, low: float | None, high: float | None, width: int = 24
) -> str:
    """Values at equal distances as blocks, the higher the larger: `▁▁▂▁▆██▇▄▂▁·▁`; NaN is a gap.

    low, high: what is normal. What is far beyond that is as high as can be, so that it is seen whether what is there now
    is normal. Of several values that share a place the one is shown that is furthest from what is normal; but the last
    block is the last value.
    """
    numbers = np.asarray(values, dtype=np.float64)
    numbers = np.where(np.abs(numbers) < 1e300, numbers, np.nan)
    known = numbers[~np.isnan(numbers)]
    if not len(known) or width < 1:
        return ""
    middle = float(np.median(known)) if low is None or high is None else (low + high) / 2
    shown = [_furthest(part, middle) for part in np.array_split(numbers, min(width, len(numbers)))]
    shown[-1] = float(numbers[-1])
    bottom, top = _range(known, low, high)
    return "".join(_block(value, bottom, top) for value in shown)


def strip(
    judgement: Judgement,
    at: Sequence[float] | Floats,
    values: Sequence[float] | Floats,
    *,
    zone: ZoneInfo = _UTC,
    width: int = 24,
) -> str:
    """The same time as in a picture, and from when to when: `▁▁▂▁▆██▇▄▂▁▁ 12:52–14:40 UTC`; nothing without samples."""
    begin, end = window(judgement)
    drawn = samples(at, values, begin, end)
    if not len(drawn.at):
        return ""
    edges = np.linspace(begin, end, width + 1)
    places = np.clip(np.searchsorted(edges, drawn.at, side="right") - 1, 0, width - 1)
    low, high = judgement.low, judgement.high
    middle = float(np.median(drawn.values)) if low is None or high is None else (low + high) / 2
    columns = [_furthest(drawn.values[places == place], middle) for place in range(width)]
    # What is there now stands at the end, and nothing does if that isn't known.
    columns[-1] = float(drawn.values[-1]) if late(drawn, end) is None else float("nan")
    line = sparkline(columns, low, high, width)
    first, last = (datetime.fromtimestamp(one, UTC).astimezone(zone) for one in (begin, end))
    day = "" if first.date() == last.date() else f"{first.day} {first:%b} "
    return f"{line} {day}{first:%H:%M}–{last:%H:%M} {zone.key}"


def _furthest(values: Floats, middle: float) -> float:
    """The one that is furthest from the middle; NaN if there is none."""
    known = values[~np.isnan(values)]
    return float(known[np.argmax(np.abs(known - middle))]) if len(known) else float("nan")


def _range(known: Floats, low: float | None, high: float | None) -> tuple[float, float]:
    """From which value to which blocks go."""
    bottom, top = float(known.min()), float(known.max())
    bounds = [bound for bound in (low, high) if bound is not None]
    if not bounds:
        return bottom, top
    least, most = min(bounds), max(bounds)
    # What is normal takes an eighth at least, so that all else is seen to be larger or smaller; and a quarter at most, so
    # that what is normal looks quiet.
    width = max(most - least, 0.005 * abs(most), 1e-300)
    begin = max(min(bottom, least), least - (len(_BLOCKS) - 1) * width)
    end = min(max(top, most), most + (len(_BLOCKS) - 1) * width)
    lacking = max(0.0, 4 * width - (end - begin))
    if top > most:
        return begin, end + lacking
    if bottom < least:
        return begin - lacking, end
    begin -= lacking / 2
    if begin < 0 <= bottom:
        begin = 0.0  # what is never below zero has no room there
    return begin, max(end, begin + 4 * width)


def _block(value: float, bottom: float, top: float) -> str:
    if np.isnan(value):
        return GAP
    if top <= bottom:
        return _BLOCKS[0]
    part = (value - bottom) / (top - bottom)
    return _BLOCKS[int(np.clip(part * len(_BLOCKS), 0, len(_BLOCKS) - 1))]
