"""What a metric would read if nothing had happened: forecasts from its own habits, and how far off they usually are.

Every forecast is tried on the past: from each hour or so of the last week, as far ahead as is asked for now. The more
precise one was, the more it weighs; and the error of all together, in that trial, is the error that we allow for. The
forecasts are what people look at (the last hours, the same time yesterday, last week) and their averages, each as it is,
scaled to the level of the last hour, and moved to it; and the days whose last hours looked most like today's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin_verification.judge.bins import Bins, centred, leading, medians, running_median, spread, trailing
from tocsin_verification.judge.verdict import Floats

MEAN_OF = 5
"""Bins whose mean is forecast: about as long as the hold, so that the error is that of what is compared."""

TRIED_DAYS = 7
"""Days of trials. With 14 forecasts are worse by 4 %: metrics change their habits."""

AHEAD = (3, 8, 16, 36, 72, 144, 288)
"""Bins ahead at which forecasts are tried; between them the weights and errors are interpolated."""

SHARPNESS = 3.0
"""A forecast weighs as its mean square error to this power, inverted. From 2 to 4: no difference."""

SAME_HOUR = 3.0
"""By how much more a trial counts that was at this hour of a day. 0 and 10: within 1 % of the error."""

OF_HOURS = 3.0
"""Hours that count as this hour of a day (the deviation of a bell)."""

CLOCK_MOVED = 0.6
"""A habit that fits the last twelve hours so much better (of the square error) an hour earlier or later is used so: clocks
change, and UTC does not. Without: 3 % more error, 3 of 90 cases after a change are missed more. 0.4 and 0.8: no difference."""

LIKE_TODAY = 6.0
"""Hours that decide which of the past days were like today. 3 and 12: no difference; without: 2 % more error."""

ERROR_MARGIN = 1.1
"""The error is that of the very trials that gave the weights: so much more is allowed for."""

UNKNOWN_DRIFT = 0.04
"""Of its level a metric may move in an hour (and with the square root of the hours), where no day of it is known."""

LEVEL_POWER = 0.75
"""The error grows with the level to this power: between counts (0.5) and what is proportional (1)."""

BURSTS = 0.99
"""The part of single bins that lie within the noise of bursts: what is rarer is no habit. 0.999: no difference."""

_BURSTS_AT = 2.58
"""Standard deviations within which so many lie where noise is as a bell."""

WOBBLE_OF = 6
"""Bins whose mean's wobble is looked at: half an hour of five minutes, about as long as the hold."""

WOBBLE_DAYS = 2
"""Days of which the wobble is taken: it is another at other levels. 7: the same within 0.002 of the score."""

_TRIALS = 250


@dataclass(frozen=True)
class Expectation:
    """What is expected, bin by bin, from a bin on.

    at: the middle of each bin, in seconds since 1970. mean: what is expected. error: the standard deviation of
    the error of a mean over MEAN_OF bins. noise: that of single bins about their hour. bursts: the same, as wide as
    the rarest of a hundred tell. wobble: that of means over WOBBLE_OF bins about those beside them. usual: the mean level.
    """

    at: Floats
    mean: Floats
    error: Floats
    noise: float
    bursts: float
    wobble: float
    usual: float

    def mean_at(self, at: Floats) -> Floats:
        return np.interp(at, self.at, self.mean)

    def error_at(self, at: float) -> float:
        return float(np.interp(at, self.at, self.error))


def _ratio(upper: Floats, lower: Floats) -> Floats:
    """The quotient, within a factor of two; 1 where that says nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.clip(upper / lower, 0.5, 2.0)
    return np.where(np.isfinite(found), found, 1.0)


def _mean_of(rows: Sequence[Floats]) -> Floats:
    known = np.isfinite(rows)
    many = known.sum(axis=0)
    return np.where(many > 0, np.where(known, rows, 0.0).sum(axis=0) / np.maximum(many, 1), np.nan)


class _Habits:
    """The forecasts of one series from one origin, and from every bin of the week before it.

    Arrays run over the bins from `begin` to the origin (these are `known`), and `ahead` bins more.
    """

    def __init__(self, bins: Bins, values: Floats, origin: int, ahead: int) -> None:
        self.day, self.width, self.coarse = bins.day, bins.width, bins.coarse
        self.past = values[: origin + 1]
        size = origin + 1
        self.begin = max(0, size - TRIED_DAYS * self.day)
        self.known = size - self.begin
        self.ahead = ahead
        nothing = np.full(ahead, np.nan)
        self.at = np.arange(self.begin, size + ahead)
        self.values = np.concatenate([self.past, nothing])[self.begin :]
        smooth = centred(self.past, 0 if self.coarse else 2)
        self._smooth = np.concatenate([smooth, nothing])
        self._size = size
        self.profiles = self._clock_moved(self._profiles())
        wide: tuple[int, ...] = (6, 24, 6 if self.coarse else 72, self.day)
        if size < self.day * 0.3:
            wide = wide[:3]
        self.levels = [trailing(self.past, width)[self.begin :] for width in wide]
        near = 3 if self.coarse else 12
        level = trailing(self.past, near)[self.begin :]
        self.scales: list[Floats] = []
        self.moves: list[Floats] = []
        for profile in self.profiles:
            there = np.where(np.isfinite(self.values), profile, np.nan)[: self.known]
            there = trailing(there, near)
            self.scales.append(_ratio(level, there))
            self.moves.append(np.nan_to_num(level - there))
        self._means = [leading(profile, MEAN_OF) for profile in self.profiles]
        self._alike()

    def _lag(self, bins: int) -> Floats:
        """What was so many bins before."""
        return self._before(self._smooth, bins)

    def _before(self, values: Floats, bins: int) -> Floats:
        place = self.at - bins
        return np.where(place >= 0, values[np.maximum(place, 0)], np.nan)

    def _profiles(self) -> list[Floats]:
        """The same time of day: yesterday, of the last three days, of the last week; a week ago, and in the last weeks."""
        day, size = self.day, self._size
        found = []
        if size > day * 1.2:
            days = [self._lag(day * back) for back in range(1, 8) if size > day * (back + 0.2)]
            latest = days[0].copy()
            for older in days[1:]:  # of more than a day ahead yesterday isn't known yet
                latest = np.where(np.isfinite(latest), latest, older)
            found.append(latest)
            found += [_mean_of(days[:many]) for many in (3, 7) if len(days) >= min(many, 5)]
        if size > 7 * day * 1.1:
            weeks = [self._lag(7 * day * back) for back in range(1, 5) if size > day * (7 * back + 0.2)]
            found.append(weeks[0])
            if len(weeks) > 1:
                found.append(_mean_of(weeks))
        return found

    def _clock_moved(self, profiles: list[Floats]) -> list[Floats]:
        """Each profile an hour earlier or later from where that fits the last half day much better."""
        if self.day < 24 or self._size <= self.day * 2:
            return profiles
        hour = max(round(3600 / self.width), 1)
        gone = np.full(hour, np.nan)
        found = []
        for profile in profiles:
            tried = (
                profile,
                np.concatenate([profile[hour:], gone]),
                np.concatenate([gone, profile[:-hour]]),
            )
            errors = []
            for one in tried:
                off = self.values - one
                errors.append(trailing(off * off, 12 * hour) - trailing(off, 12 * hour) ** 2)
            error = np.array(errors)
            error[1:] = np.where(np.isfinite(error[1:]), error[1:] / CLOCK_MOVED, np.inf)
            error[0] = np.where(np.isfinite(error[0]), error[0], np.finfo(float).max)
            best = np.argmin(error, axis=0)
            best[self.known :] = best[self.known - 1]
            found.append(np.choose(best, tried))
        return found

    def _alike(self) -> None:
        """How much each past day looked like the last hours, from every origin: weights and scales, day by day."""
        self.lags: NDArray[np.float64] | None = None
        if self._size <= self.day * 2.2:
            return
        hours = max(int(LIKE_TODAY * 3600 / self.width), 3)
        backs = [back for back in range(1, 29) if self._size > self.day * (back + 0.3)]
        means = leading(self._smooth, MEAN_OF)
        self.lags = np.array([self._lag(self.day * back) for back in backs])
        self._lag_means = np.array([self._before(means, self.day * back) for back in backs])
        now = self.values[: self.known]
        then = self.lags[:, : self.known]
        both = np.isfinite(then) & np.isfinite(now)
        then, now = np.where(both, then, 0.0), np.where(both, now, 0.0)

        def lately(values: Floats) -> Floats:
            total = np.cumsum(values, axis=1)
            summed = total.copy()
            summed[:, hours:] -= total[:, :-hours]
            return summed

        many, of_now, of_then = lately(both.astype(float)), lately(now), lately(then)
        enough = many >= hours * 0.5
        scale = np.where(enough, _ratio(of_now, np.where(enough, of_then, 1.0)), 1.0)
        apart = (
            lately(now * now) - 2 * scale * lately(now * then) + scale * scale * lately(then * then)
        ) / np.maximum(many, 1)
        apart = np.where(enough, np.maximum(apart, 0.0), np.nan)
        least = 0.02 * float(np.median(apart[enough])) if enough.any() else 0.0
        self.alike = np.where(enough, 1.0 / (np.nan_to_num(apart) + least + 1e-30) ** 2, 0.0)
        self.alike_scale = scale

    def forecasts(self) -> Floats:
        """From the origin on: one row a forecast, one column a bin."""
        last = self.known - 1
        rows = [np.full(self.ahead, level[last]) for level in self.levels]
        for profile, scale, move in zip(self.profiles, self.scales, self.moves, strict=True):
            coming = profile[self.known :]
            rows += [coming, coming * scale[last], coming + move[last]]
        if self.lags is not None:
            rows += self._by_likeness(self.lags[:, self.known :], np.array([last]))
        return np.array(rows)

    def tried(self, origins: NDArray[np.int64], ahead: int) -> Floats:
        """What each would have said at these origins of the mean that begins so many bins ahead."""
        there = origins + ahead
        rows = [level[origins] for level in self.levels]
        for profile, scale, move in zip(self._means, self.scales, self.moves, strict=True):
            said = profile[there]
            rows += [said, said * scale[origins], said + move[origins]]
        if self.lags is not None:
            rows += self._by_likeness(self._lag_means[:, there], origins)
        return np.array(rows)

    def _by_likeness(self, lags: Floats, origins: NDArray[np.int64]) -> list[Floats]:
        known = np.isfinite(lags)
        weight = np.where(known, self.alike[:, origins], 0.0)
        total = weight.sum(axis=0)
        lags = np.where(known, lags, 0.0)
        found = []
        for scale in (self.alike_scale[:, origins], 1.0):
            mean = (lags * scale * weight).sum(axis=0) / np.where(total > 0, total, 1.0)
            found.append(np.where(total > 0, mean, np.nan))
        return found


def expected(bins: Bins, values: Floats, origin: int, ahead: int) -> Expectation:
    """What is expected of the bins after `origin`, `ahead` of them, from the values up to it. Values: some are known."""
    habits = _Habits(bins, values, origin, ahead)
    known = habits.known
    usual = float(np.nanmean(habits.values[:known])) if np.isfinite(habits.values[:known]).any() else 0.0
    floor = 0.1 * abs(usual) + 1e-30
    truth = leading(habits.values, MEAN_OF)[:known]
    tried = [one for one in AHEAD if one <= max(ahead, 4) and one + MEAN_OF < known * 0.7]
    tried = tried or [min(3, max(known // 3, 1))]
    weights, errors = [], []
    for one in tried:
        weight, error = _trial(habits, truth, max(one - MEAN_OF // 2, 1), floor)
        weights.append(weight)
        errors.append(error)
    distance = np.arange(1, ahead + 1)
    place, marks = np.log(distance), np.log(tried)
    by_weight = np.array([np.interp(place, marks, row) for row in np.array(weights).T])
    forecasts = habits.forecasts()
    there = np.isfinite(forecasts)
    by_weight = np.where(there, by_weight, 0.0)
    total = by_weight.sum(axis=0)
    mean = (np.where(there, forecasts, 0.0) * by_weight).sum(axis=0) / np.where(total > 0.2, total, 1.0)
    level = habits.levels[1][known - 1]
    mean = np.where(total > 0.2, mean, level if np.isfinite(level) else usual)
    # It never gets surer with the distance; beyond what could be tried it drifts as a random walk does.
    surely = np.interp(place, marks, np.maximum.accumulate(errors))
    surely = surely * np.sqrt(np.maximum(distance / tried[-1], 1.0))
    surely = ERROR_MARGIN * surely * np.maximum(np.abs(mean), floor) ** LEVEL_POWER
    if not habits.profiles:
        hours = distance * bins.width / 3600
        surely = np.sqrt(surely**2 + (UNKNOWN_DRIFT * np.abs(mean)) ** 2 * hours)
    lately = habits.values[:known]
    about = lately - centred(lately, 3)
    noise = max(spread(about), 0.5 * float(np.nanstd(about))) if np.isfinite(about).sum() > 3 else floor
    noise = max(noise, 1e-3 * abs(usual), 1e-12)
    of_bursts = noise
    rest = np.abs(about[np.isfinite(about)])
    if len(rest) > 1 / (1 - BURSTS):
        of_bursts = max(noise, float(np.quantile(rest, BURSTS)) / _BURSTS_AT)
    wobble = _wobble(lately[-WOBBLE_DAYS * habits.day :])
    at = bins.starts(origin + 1, origin + 1 + ahead) + 0.5 * bins.width
    return Expectation(at, mean, surely, noise, of_bursts, wobble, abs(usual))


def _wobble(values: Floats) -> float:
    """How far means over WOBBLE_OF bins lie from the median of those beside them; 0 where too few are known."""
    many = len(values) // WOBBLE_OF
    means = _mean_of(list(values[len(values) - many * WOBBLE_OF :].reshape(many, WOBBLE_OF).T))
    rest = means - running_median(means, 3) if many > 6 else means[:0]
    rest = rest[np.isfinite(rest)]
    return max(spread(rest), 0.5 * float(np.std(rest))) if len(rest) > 6 else 0.0


def _trial(habits: _Habits, truth: Floats, ahead: int, floor: float) -> tuple[Floats, float]:
    """How much each forecast weighs so far ahead, and the error of all together (of a level's LEVEL_POWER)."""
    known = habits.known
    stride = max(known // _TRIALS, 1)
    origins = np.arange(known - 1 - ahead - MEAN_OF, 0, -stride)
    if len(origins) < 4:
        origins = np.arange(max(known - ahead - MEAN_OF, 1))
        origins = origins[origins + ahead < known]
    said, was = habits.tried(origins, ahead), truth[origins + ahead]
    known_truth = np.isfinite(was)
    off = said - was
    usable = np.isfinite(off) & known_truth
    back = origins - (known - 1)
    phase = (back + habits.day // 2) % habits.day - habits.day // 2
    counts = 1 + SAME_HOUR * np.exp(-0.5 * (phase * habits.width / 3600 / OF_HOURS) ** 2)
    weight = _weights(off, usable, known_truth, counts)
    there = np.isfinite(said)
    of_each = np.where(there, weight[:, None], 0.0)
    total = of_each.sum(axis=0)
    blend = (np.where(there, said, 0.0) * of_each).sum(axis=0) / np.where(total > 0.2, total, 1.0)
    chosen = known_truth & (total > 0.6)
    if not chosen.any():
        chosen = known_truth & (total > 0.2)
    if not chosen.any():  # too little is known for a trial: it may be anywhere where it was
        known_values = habits.values[:known]
        wide = max(float(np.nanstd(known_values)), floor)
        return weight, wide / max(abs(float(np.nanmean(known_values))), floor) ** LEVEL_POWER
    error = (blend - was)[chosen] / np.maximum(np.abs(blend[chosen]), floor) ** LEVEL_POWER
    # A few trials met an incident: what is six times the usual error counts no more than that.
    square = np.minimum(error * error, (6 * np.median(np.abs(error))) ** 2)
    found = float(np.sqrt(np.average(square, weights=counts[chosen])))
    if len(error) > 3:
        found = max(found, 0.7 * spread(error))
    return weight, found


def _weights(
    off: Floats, usable: NDArray[np.bool_], known_truth: NDArray[np.bool_], counts: Floats
) -> Floats:
    many = max(int(known_truth.sum()), 1)
    middle = medians(np.where(usable, np.abs(off), np.nan))
    cap = (6 * middle) ** 2
    square = np.where(usable, np.minimum(np.where(usable, off, 0.0) ** 2, cap[:, None] + 1e-30), 0.0)
    by = np.where(usable, counts, 0.0)
    error = (square * by).sum(axis=1) / np.maximum(by.sum(axis=1), 1e-30)
    tried_enough = (usable.sum(axis=1) > 0.5 * many) & np.isfinite(middle)
    if not tried_enough.any():
        weight = np.zeros(len(off))
        weight[0] = 1.0
        return weight
    best, worst = float(error[tried_enough].min()), float(error[tried_enough].max())
    error = error / max(best, 1e-12 * worst, 1e-300)
    weight = np.where(tried_enough, 1.0 / np.maximum(error, 1e-6) ** SHARPNESS, 0.0)
    return np.asarray(weight / weight.sum())
