"""Where in a picture a time and a value stand, and which of them are written beside it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor, log10
from zoneinfo import ZoneInfo

import numpy as np

from tocsin_verification.judge.verdict import Band, Floats

# Of the height, two points; where all values leave less to what is normal, the furthest stand beyond.
_NARROWEST = 1 / 64
_CUT = 1 / 36  # of the height, for what is normal then
_BEYOND = 24.0  # points for all that is further off than that
TEAR = 8.0  # of these for the tear itself, which hides no value
_TOO_LITTLE = 0.25  # of the width; where the time since it is back had less
_WIDE = 0.4  # it has so much
_SEAM = 6.0  # points between the time until it was back and the time since
_PADDING = 0.06
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS = (
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 7, 14, 28)),
)


@dataclass(frozen=True)
class Frame:
    """The part of a picture that the series has; lengths in points, from the lower left.

    begin, until: of the time, in seconds since 1970. low, high: of the values; what is beyond stands at the edge. wide: from
    that time on there is more room for time, beyond a seam. lowest, highest: of values beyond low and high, which stand
    close together in a strip at the edge.
    """

    left: float
    right: float
    bottom: float
    top: float
    begin: float
    until: float
    low: float
    high: float
    wide: float | None = None
    lowest: float | None = None
    highest: float | None = None

    def x(self, at: float | Floats) -> Floats:
        times, places = [self.begin, self.until], [self.left, self.right]
        if self.wide is not None:
            times[1:1] = [float(np.nextafter(self.wide, 0)), self.wide]
            places[1:1] = self.seam
        return np.asarray(np.interp(at, times, places))

    def y(self, value: float | Floats) -> Floats:
        values, places = [self.low, self.high], [self.floor, self.ceiling]
        if self.lowest is not None:
            least = float(np.nextafter(self.low, -np.inf))
            values, places = [self.lowest, least, *values], [self.bottom, self.floor - TEAR, *places]
        if self.highest is not None:
            most = float(np.nextafter(self.high, np.inf))
            values, places = [*values, most, self.highest], [*places, self.ceiling + TEAR, self.top]
        return np.asarray(np.interp(value, values, places))

    @property
    def seam(self) -> tuple[float, float]:
        """Where the time that has more room is set off, from left to right."""
        right = self.right - _WIDE * (self.right - self.left)
        return right - _SEAM, right

    @property
    def floor(self) -> float:
        """Where `low` stands."""
        return self.bottom + _BEYOND * (self.lowest is not None)

    @property
    def ceiling(self) -> float:
        """Where `high` stands."""
        return self.top - _BEYOND * (self.highest is not None)


def wide_from(begin: float, back: float, until: float) -> float | None:
    """From when on time needs more room than it has by itself: since it is back, if that is a small part of all."""
    return back if begin < back < until and until - back < _TOO_LITTLE * (until - begin) else None


def beyond(values: Floats, low: float, high: float) -> tuple[float | None, float | None]:
    """Lowest and highest of a frame from low to high that has these values, with a little room; None if all are within."""
    lowest, highest = (float(values.min()), float(values.max())) if len(values) else (low, high)
    return (
        lowest - (low - lowest) / 4 if lowest < low else None,
        highest + (highest - high) / 4 if highest > high else None,
    )


def limits(values: Floats, band: Band | None) -> tuple[float, float]:
    """From which value to which a picture goes: all of them, but no further than where what is normal can be seen."""
    if band is None or not len(band.at):
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    else:
        least, most = float(band.low.min()), float(band.high.max())
        width = max(float(np.median(band.high - band.low)), 0.005 * max(abs(least), abs(most)))
        low, high = least, most
        if len(values):
            if values.min() >= 0:
                low = max(low, 0.0)
            low, high = min(low, float(values.min())), max(high, float(values.max()))
            low = low if (least - low) * _NARROWEST <= width else least - width / _CUT
            high = high if (high - most) * _NARROWEST <= width else most + width / _CUT
    if 0 <= low < high / 2 and high > 1e-290:
        return 0.0, high * (1 + _PADDING)
    largest = max(abs(low), abs(high))
    room = (high - low) * _PADDING if high - low > 1e-9 * largest + 1e-290 else largest * 0.1 + 1e-9
    return low - room, high + room


def round_values(low: float, high: float, size: float, most: int = 4) -> list[float]:
    """Values to be written beside an axis: round ones of a unit of this size, at equal distances."""
    raw = (high - low) / size / most
    power = 10.0 ** floor(log10(raw))
    step = next(one * power for one in (1, 2, 2.5, 5, 10) if one * power >= raw * 0.999)
    first, last = ceil(low / size / step - 1e-9), floor(high / size / step + 1e-9)
    return [number * step * size for number in range(first, min(last, first + 2 * most) + 1)]


def round_times(begin: float, end: float, zone: ZoneInfo, most: int = 6) -> list[float]:
    """Times to be written below an axis: round ones on the clocks of a zone, at equal distances."""
    step = next((step for step in _STEPS if (end - begin) / step <= most), None)
    if step is None:
        step = ceil((end - begin) / most / _STEPS[-1]) * _STEPS[-1]
    offset = datetime.fromtimestamp(end, UTC).astimezone(zone).utcoffset()
    ahead = offset.total_seconds() if offset is not None else 0.0
    first = ceil((begin + ahead) / step)
    return [number * step - ahead for number in range(first, floor((end + ahead) / step) + 1)]


def rows(spans: Iterable[tuple[float, float]], gap: float = 6.0) -> list[int]:
    """For labels that go from one place to another, a row each, the first where none is in the way."""
    taken, chosen = list[list[tuple[float, float]]](), list[int]()
    for left, right in spans:
        free = (
            row
            for row, others in enumerate(taken)
            if all(right + gap <= begin or left - gap >= end for begin, end in others)
        )
        row = next(free, len(taken))
        if row == len(taken):
            taken.append([])
        taken[row].append((left, right))
        chosen.append(row)
    return chosen
