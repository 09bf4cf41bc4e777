"""What the judge tells beside its verdict: the figures that people look at, and what is normal, for the picture."""

from dataclasses import replace

import numpy as np

from tocsin_verification.judge.bins import DAY, centred
from tocsin_verification.judge.ground import TOO_SHORT, Ground
from tocsin_verification.judge.looking import State
from tocsin_verification.judge.verdict import Band, Floats, Judgement, Verdict

WITHIN = 1.5
"""So many tolerances, or standard deviations of a bin where these are more, what is normal is shown to reach: what the judge
takes for back lies in it, as good as always."""

SMOOTHED = 3
"""Bins on either side over which what was before the onset is drawn smooth."""


def explained(ground: Ground, state: State, times: Floats, read: Floats, now: float) -> Judgement:
    """The judgement of a state, from tidy samples."""
    width = ground.bins.width

    def mean(middle: float, half: float) -> float | None:
        begin, end = np.searchsorted(times, [middle - half, middle + half])
        return float(np.mean(read[begin:end])) if end > begin else None

    def latest() -> float | None:
        """The mean of the last bin; once it is back, of what was since."""
        begin = now - width if state.since is None else max(now - width, min(state.since, now))
        return mean((begin + now) / 2, (now - begin) / 2 + 1.0)

    told = Judgement(
        state.verdict,
        now,
        missing=_missing(ground, state, times, now),
        value=latest(),
        yesterday=mean(now - DAY, 3 * width),
        last_week=mean(now - 7 * DAY, 3 * width),
        relapses=state.relapses,
    )
    if not ground.enough:
        return told
    expectation = ground.expectation(now)
    band = _band(ground, state, now)
    off = read - expectation.mean_at(times)
    off[times < ground.onset_at] = 0.0
    worst = None
    if len(off):
        furthest = int(np.argmax(np.max([side * off for side in ground.sides], axis=0)))
        worst = float(read[furthest]) if times[furthest] >= ground.onset_at else None
    return replace(
        told,
        onset=_shown_since(ground, band, times, off),
        before=mean(ground.onset_at - 6 * width, 6 * width),
        expected=float(np.interp(now, band.at, band.expected)),
        low=float(np.interp(now, band.at, band.low)),
        high=float(np.interp(now, band.at, band.high)),
        worst=worst,
        back_since=state.since if state.verdict in (Verdict.RECOVERING, Verdict.ALL_CLEAR) else None,
        held=min(state.held, state.hold),
        hold=state.hold,
        band=band,
    )


def _shown_since(ground: Ground, band: Band, times: Floats, off: Floats) -> float:
    """When the trouble showed first: two samples of three, from one on, are beyond what is normal.

    What is kept out of the baseline begins somewhat earlier, where nothing can be seen yet.
    """
    beyond = np.interp(times, band.at, band.high - band.expected)
    shows = np.max([side * off for side in ground.sides], axis=0) > beyond
    shows &= (times >= ground.onset_at) & (times <= ground.question.alert_at)
    first = np.flatnonzero(shows[:-2] & (shows[1:-1] | shows[2:]))
    return float(times[first[0]]) if len(first) else ground.onset_at


def _missing(ground: Ground, state: State, times: Floats, now: float) -> str:
    """What data are lacking, in words."""
    if state.verdict is not Verdict.CANT_TELL:
        return ""
    if not ground.enough:
        known, apart = int(np.isfinite(ground.values).sum()), round(ground.bins.width / 60)
        return f"history: {known} of {TOO_SHORT} readings {apart} min apart from before it"
    if not len(times):
        return "all data"
    return f"data of the last {max(round((now - times[-1]) / 60), 1)} min"


def _band(ground: Ground, state: State, now: float) -> Band:
    """What is normal, from two hours before the onset until now; from when on another level is accepted, that."""
    bins, expectation = ground.bins, ground.expectation(now)
    before = max(ground.begins - max(round(7200 / bins.width), 6), 0)
    beside = min(before, SMOOTHED)
    past = centred(ground.values[before - beside : ground.begins], SMOOTHED)[beside:]
    until = int(np.searchsorted(expectation.at, now)) + 1
    middles = bins.starts(before, ground.begins) + bins.width / 2
    at = np.concatenate([middles, expectation.at[:until]])
    mean = np.concatenate([past, expectation.mean[:until]])
    error = np.concatenate([np.zeros(len(past)), expectation.error[:until]])
    if state.accepted is not None:
        mean = np.where(at >= state.accepted, mean * state.scaled + state.moved, mean)
    known = np.isfinite(mean)
    at, mean, error = at[known], mean[known], error[known]
    deviation = np.sqrt(error**2 + expectation.noise**2)
    half = WITHIN * np.maximum(ground.question.tolerance * np.abs(mean), deviation)
    low = mean - half
    if np.nanmin(ground.values) >= 0:  # what was never negative will not be
        low = np.maximum(low, 0.0)
    return Band(at, mean, low, mean + half)
