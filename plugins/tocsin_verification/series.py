"""Samples on their way into a picture: which of them, where they have gaps, and no more of them than can be seen. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tocsin_verification.judge.bins import medians
from tocsin_verification.judge.verdict import Floats, Judgement

_BEFORE = 2 * 3600.0
"""How much of the time before the trouble is shown, in seconds: enough to see what was usual."""
_GAP = 2.5  # steps; one sample that is lacking is none, as late ones are common
_NEAR = 5  # steps on each side that say how far samples lie apart there
_LARGEST = 1e300  # beyond it there are no numbers to compute with


@dataclass(frozen=True)
class Samples:
    """at: seconds since 1970, ascending. values: finite. gaps: after which of them samples are lacking, by index."""

    at: Floats
    values: Floats
    gaps: tuple[int, ...]

    @property
    def runs(self) -> list[tuple[Floats, Floats]]:
        """Times and values of each stretch without a gap."""
        ends = [index + 1 for index in self.gaps]
        return list(zip(np.split(self.at, ends), np.split(self.values, ends), strict=True))


def window(judgement: Judgement, alert_at: float | None = None) -> tuple[float, float]:
    """From when to when a picture goes: from two hours before the trouble, or more if it is long, until now."""
    known = [one for one in (judgement.onset, alert_at) if one is not None and one <= judgement.at]
    begin = min(known, default=judgement.at)
    return begin - max(_BEFORE, (judgement.at - begin) / 3), judgement.at


def samples(
    at: Sequence[float] | Floats, values: Sequence[float] | Floats, begin: float, end: float
) -> Samples:
    """What there is of a series in that time; what is no number is a gap."""
    times = np.asarray(at, dtype=np.float64)
    numbers = np.asarray(values, dtype=np.float64)
    inside = (times >= begin) & (times <= end) & (np.abs(numbers) < _LARGEST)
    times, numbers = times[inside], numbers[inside]
    order = np.argsort(times, kind="stable")
    times, numbers = times[order], numbers[order]
    return Samples(times, numbers, _gaps(times))


def thinned(at: Floats, values: Floats, begin: float, end: float, columns: int) -> tuple[Floats, Floats]:
    """No more than four samples for each of so many columns: the first, the lowest, the highest and the last, so
    that it looks as with all of them.
    """
    if len(at) <= 4 * columns or end <= begin:
        return at, values
    column = np.minimum(((at - begin) * (columns / (end - begin))).astype(np.int64), columns - 1)
    by_value = np.lexsort((values, column))
    firsts = np.flatnonzero(np.diff(column, prepend=-1))
    lasts = np.append(firsts[1:] - 1, len(at) - 1)
    kept = np.unique(np.concatenate([firsts, lasts, by_value[firsts], by_value[lasts]]))
    return at[kept], values[kept]


def _gaps(at: Floats) -> tuple[int, ...]:
    """After which samples some are lacking: where the next comes far later than those around come after one another."""
    steps = np.diff(at)
    if len(steps) < 2:
        return ()
    edge = np.full(_NEAR, np.nan)
    around = np.lib.stride_tricks.sliding_window_view(np.concatenate([edge, steps, edge]), _NEAR)
    lately = medians(around)
    before, after = lately[: len(steps)].copy(), lately[_NEAR + 1 :].copy()
    before[0], after[-1] = after[0], before[-1]  # at an end there is one side alone
    usual = np.fmax(before, after)
    return tuple(int(index) for index in np.flatnonzero(steps > _GAP * np.maximum(usual, 1e-9)))


def lacking(drawn: Samples, begin: float, now: float) -> list[tuple[float, float]]:
    """The stretches of that time without samples."""
    if not len(drawn.at):
        return [(begin, now)]
    found = [(float(drawn.at[index]), float(drawn.at[index + 1])) for index in drawn.gaps]
    first, last, steps = float(drawn.at[0]), late(drawn, now), np.diff(drawn.at)[: _NEAR * 4]
    if len(steps) and first - begin > _GAP * float(np.median(steps)):
        found.insert(0, (begin, first))
    return found if last is None else [*found, (last, now)]


def late(drawn: Samples, now: float) -> float | None:
    """Since when there are no samples up to now, in seconds since 1970; None if they come as they did."""
    if not len(drawn.at):
        return None
    steps = np.diff(drawn.at)[-_NEAR * 4 :]
    usual = float(np.median(steps)) if len(steps) else np.inf
    last = float(drawn.at[-1])
    return last if now - last > _GAP * usual else None
