"""A series in bins of one width: what the judge learns a metric's habits from."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tocsin_verification.judge.verdict import Floats, Kind, Question

SHORTEST_BIN = 300.0
"""Seconds. What is asked for is a matter of minutes, and a day of five-minute bins is still a small array."""

LARGEST = 1e100
"""What is larger is no measurement: of its squares no sum can be made."""

DAY = 86400.0

LONGEST_MEMORY = 28
"""Days of history that are looked at: four of each weekday. Of series with bins of an hour or so, twice as many."""

FAR_OUT = 5.0
"""Robust deviations from the habit of the hour and the level of the day that make a past incident of three bins' mean.
4 and 7 give the same results within 0.1 % of false all-clears; below 3 the habit itself is cut away."""

SPIKE = 3.0
"""Robust deviations from its hour's median at which a bin is cut off: one spike must not pass for a level. 4 and none at
all: flips 2.9 and 3.2 %, against 2.7 %."""


def trailing(values: Floats, width: int) -> Floats:
    """The mean over the last `width` bins up to each; NaN where half of them are missing."""
    known = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    end = np.arange(1, len(values) + 1)
    begin = np.maximum(end - width, 0)
    many = count[end] - count[begin]
    enough = many >= max(1.0, min(width, 3) / 2)
    return np.where(enough, (total[end] - total[begin]) / np.maximum(many, 1), np.nan)


def leading(values: Floats, width: int) -> Floats:
    """The mean over `width` bins from each on."""
    return trailing(values[::-1], width)[::-1]


def centred(values: Floats, half: int) -> Floats:
    """The mean over each bin and `half` bins on either side."""
    known = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    at = np.arange(len(values))
    end, begin = np.minimum(at + half + 1, len(values)), np.maximum(at - half, 0)
    many = count[end] - count[begin]
    return np.where(many > 0, (total[end] - total[begin]) / np.maximum(many, 1), np.nan)


def running_median(values: Floats, half: int) -> Floats:
    """The median over each bin and `half` bins on either side."""
    edge = np.full(half, np.nan)
    return medians(sliding_window_view(np.concatenate([edge, values, edge]), 2 * half + 1))


def medians(rows: Floats) -> Floats:
    """The median of each row, of what is known of it."""
    known = np.isfinite(rows)
    many = known.sum(axis=1)
    ordered = np.sort(np.where(known, rows, np.inf), axis=1)
    row, middle = np.arange(len(rows)), np.maximum(many, 1)
    found = 0.5 * (ordered[row, (middle - 1) // 2] + ordered[row, middle // 2])
    return np.where(many > 0, found, np.nan)


def spread(values: Floats) -> float:
    """The robust standard deviation (the median absolute deviation, scaled); NaN of nothing."""
    known = values[np.isfinite(values)]
    if not known.size:
        return float("nan")
    return float(1.4826 * np.median(np.abs(known - np.median(known))))


def tidy(at: Floats, values: Floats, question: Question) -> tuple[Floats, Floats]:
    """The samples that can be used, of those in order of time: the finite ones; of a counter its growth in a second.

    The step in which a counter falls is dropped, for nobody knows what it counted before it began anew; so is one across
    a long gap.
    """
    known = np.isfinite(at) & (np.abs(values) < LARGEST)
    if not known.all():
        at, values = at[known], values[known]
    if question.kind is not Kind.COUNTER:
        return at, values
    if len(at) < 2:
        return at[:0], values[:0]
    passed, grown = np.diff(at), np.diff(values)
    sound = (grown >= 0) & (passed <= 6 * max(question.step, 60.0))
    return at[1:][sound], (grown / passed)[sound]


@dataclass(frozen=True)
class Bins:
    """Means of a series, bin by bin, up to the one that begins with the alert.

    values: NaN where nothing was measured. first: the number of the first bin; the one with the alert is 0. width: of
    a bin, in seconds. alert_at: where bin 0 begins.
    """

    values: Floats
    first: int
    width: float
    alert_at: float

    @cached_property
    def day(self) -> int:
        """Bins in a day."""
        return max(round(DAY / self.width), 1)

    @property
    def coarse(self) -> bool:
        """Whether a bin is half an hour or more: no detail of an hour shows in it."""
        return self.width >= 1800

    def starts(self, begin: int, end: int) -> Floats:
        """When the bins at these places begin."""
        return np.arange(begin, end, dtype=np.float64) * self.width + (
            self.alert_at + self.first * self.width
        )


def binned(at: Floats, values: Floats, question: Question) -> Bins:
    """The history of a series: tidy samples up to its alert, and somewhat after it."""
    width = max(question.step, SHORTEST_BIN)
    place = np.floor((at - question.alert_at) / width).astype(int)
    memory = LONGEST_MEMORY * (1 if width < 3600 else 2)
    first = max(-round(memory * DAY / width), int(place[0]) if len(place) else -1)
    first = min(first, -1)
    inside = (place >= first) & (place <= 0)
    place, values = place[inside] - first, values[inside]
    size = 1 - first
    count = np.bincount(place, minlength=size)
    total = np.bincount(place, weights=values, minlength=size)
    means = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return Bins(means, first, width, question.alert_at)


def without_past_incidents(bins: Bins) -> Floats:
    """The values, those left out that lie far off both the habit of their hour and the level of their day.

    A level that lasts is kept, as it moves the median over a day and more; so is everything where a fifth would go.
    """
    values, day = bins.values, bins.day
    size = len(values)
    if size < day * 1.5:
        return values.copy()
    pad = (-size) % day
    days = np.concatenate([np.full(pad, np.nan), values]).reshape(-1, day)
    habit = medians(days.T)
    half = max(day // 48, 1)
    habit = running_median(np.concatenate([habit[-half:], habit, habit[:half]]), half)[half:-half]
    rest = values - np.tile(habit, days.shape[0])[pad:]
    quarter = max(day // 4, 1)
    many = size // quarter
    level = medians(rest[size - many * quarter :].reshape(many, quarter))
    level = running_median(level, 2)
    middle = size - many * quarter + (np.arange(many) + 0.5) * quarter
    rest = rest - np.interp(np.arange(size), middle, np.nan_to_num(level))
    usual = max(spread(rest), 0.05 * abs(float(np.nanmedian(values))), 1e-12)
    off = np.abs(centred(rest, 1)) > FAR_OUT * usual
    off[1:] |= off[:-1].copy()
    off[:-1] |= off[1:].copy()
    if off.mean() > 0.2:
        return values.copy()
    return np.where(off, np.nan, values)


def without_spikes(values: Floats, bins: Bins) -> Floats:
    """The values, single bins that stand out of their hour cut off. Of coarse bins, as they are."""
    if bins.coarse or len(values) <= 30:
        return values
    local = running_median(values, 6)
    size = np.sqrt(np.maximum(np.abs(local), 0.1 * abs(float(np.nanmedian(values))) + 1e-30))
    rest = (values - local) / size
    limit = SPIKE * max(spread(rest), 0.3 * float(np.nanstd(rest))) * size
    return np.where(np.isfinite(local) & (limit > 0), np.clip(values, local - limit, local + limit), values)
