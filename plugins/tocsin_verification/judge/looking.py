"""One look at a series after the other: what the looks so far have come to, and one look further."""

from dataclasses import dataclass, replace

import numpy as np

from tocsin_verification.judge.ground import Ground
from tocsin_verification.judge.leftover import Leftover
from tocsin_verification.judge.verdict import Floats, Verdict

HOLD = 5.0
"""Bins for which it must be back, 25 minutes of five: flapping metrics are well for up to that long in between. With 4.5
there are 0.3 % more false all-clears, with 4 0.7 %."""

HOLD_LONGER = 2.0
"""Bins more for each relapse: it has shown that it can be well for a while. 3: 1 % more delay, nothing gained."""

MOST_RELAPSES = 2
"""Relapses that make the hold longer: 45 minutes are longer than any it was well for. With 5 one case in ten waits 10 min longer."""

THRESHOLD = 0.05
"""The probability that something is left, below which it counts as gone. 0.03: misses 7, false 1.1 %; 0.08: 2 and 2.9 %."""

THRESHOLD_RISES = 0.1
"""By this part of itself the threshold rises with each bin beyond the hold: what stops half-way moves on at some time."""

BAD = 0.7
"""The probability that something is left in the last minutes, above which it is bad now. 0.5: no difference."""

WELL = 0.3
"""The same of the very last minutes, below which an all-clear may begin: it never begins with a sample that is bad. 0.5: no
difference."""

RELAPSE = 0.9
"""The same, above which what was well for a while has relapsed, so that the hold is longer."""

WITHDRAW = 0.98
"""The same, above which an all-clear is withdrawn. 0.9: flips 4.2 %, against 3.3 %."""

LONGEST_WINDOW = 20.0
"""Bins whose mean is looked at, at most."""

SEEN = 2.0
"""Bins that a gap counts as time in which it was well, at most: what nobody saw does not count."""

STALE = 3.2
"""Bins without a sample after which nothing can be said."""

FORGOTTEN = 6.2
"""Bins without a sample after which the hold begins anew."""

COVERED = 0.25
"""The part of the time that must be covered by samples: fewer are lone readings of something that is mostly gone."""

CUT_OFF = 3.0
"""Deviations of a sample's noise, beside what could be left, at which a single sample is cut off."""


@dataclass(frozen=True)
class State:
    """What the looks so far have come to.

    at: of the last one. sizes: of the incident on each side that does harm, the furthest that a bin was off. since: from
    when on it is back; None while it isn't. relapses: how often it was well and then not. clear: whether an all-clear
    stands. accepted: the time since when another level is the baseline. held, hold: for how many seconds it was seen to be
    back, and for how many it must be. missing: what data are, if that is why there is no verdict.
    """

    at: float
    sizes: tuple[float, ...] = ()
    since: float | None = None
    relapses: int = 0
    clear: bool = False
    accepted: float | None = None
    held: float = 0.0
    hold: float = 0.0
    verdict: Verdict = Verdict.NOT_YET
    missing: str = ""


def look(state: State, ground: Ground, times: Floats, read: Floats, accepted: float | None) -> State:
    """One look further, at `state.at`, from the tidy samples from the onset up to it."""
    now = state.at
    width = ground.bins.width
    if not len(times) or now - times[-1] > max(STALE * width, 1.5 * ground.longest_step):
        silent = now - times[-1] if len(times) else np.inf
        since = None if silent > FORGOTTEN * width else state.since
        return replace(state, clear=False, since=since, verdict=Verdict.CANT_TELL, missing="no fresh data")
    expectation = ground.expectation(now)
    mean = expectation.mean_at(times)
    off = read - mean
    level = float(np.interp(now, expectation.at, expectation.mean))
    noise = expectation.noise
    bias = np.sqrt(max(expectation.error_at(now) ** 2 - noise**2 / HOLD, 1e-30))
    recent = int(np.searchsorted(times, now - 0.99 * width))
    latest = float(np.mean(off[recent:])) if recent < len(off) else None
    if latest is not None:
        sizes = (
            max(*pair) for pair in zip(state.sizes, (side * latest for side in ground.sides), strict=True)
        )
        state = replace(state, sizes=tuple(sizes))
    if accepted is not None:
        after = int(np.searchsorted(times, accepted))
        early = slice(after, int(np.searchsorted(times, accepted + HOLD * width, side="right")))
        if now - accepted < HOLD * width - 1 or early.stop - early.start < 3:
            return replace(state, since=None, clear=False, verdict=Verdict.RECOVERING)
        ratio = float(np.mean(read[early])) / (float(np.mean(mean[early])) or 1e-30)
        proportional = 0.05 < ratio < 20
        off = read - mean * ratio if proportional else off - np.mean(off[early])
        level = level * ratio if proportional else level
        noise, bias = max(noise, float(np.std(off[early]))), 0.5 * bias
        if state.accepted != accepted:
            state = replace(state, accepted=accepted, since=accepted, clear=False)
    left = Leftover(ground.sides, state.sizes, level, float(bias), noise, ground.question.tolerance)
    per_bin = min(ground.question.step, width) / width
    limit = CUT_OFF * noise / np.sqrt(per_bin) + 2 * (float(bias) + left.smallest)
    off = np.clip(off, -limit, limit)
    return _weigh(state, ground, left, times, off)


def _weigh(state: State, ground: Ground, left: Leftover, times: Floats, off: Floats) -> State:
    now = state.at
    question, width = ground.question, ground.bins.width
    per_bin = min(question.step, width) / width
    two = int(np.searchsorted(times, now - 2.05 * width))
    one = int(np.searchsorted(times, now - 0.99 * width))
    if two >= len(off):
        return replace(state, verdict=Verdict.CANT_TELL, clear=False, missing="no fresh data")
    lately = left.probability(float(np.mean(off[two:])), max((len(off) - two) * per_bin, 0.2))
    just_now = lately
    if one < len(off):
        latest = float(np.mean(off[one:]))
        just_now = left.probability(latest, max((len(off) - one) * per_bin, 0.2))
    surely = min(lately, just_now)
    bad = surely > WITHDRAW and len(off) - two >= 2 if state.clear else surely > BAD
    if bad or now <= question.alert_at:
        was_well = state.since is not None and now - state.since >= width and max(lately, just_now) > RELAPSE
        more = 1 if state.clear or was_well else 0
        return replace(
            state,
            since=None,
            clear=False,
            held=0.0,
            relapses=state.relapses + more,
            verdict=Verdict.NOT_YET,
        )
    if state.since is None:
        worst = np.max([side * off for side in ground.sides], axis=0)
        still = np.flatnonzero(worst > left.smallest + left.noise)
        begin = min(int(still[-1]) + 1 if len(still) else 0, len(times) - 1)
        since = max(float(times[begin]), question.alert_at, now - 1.2 * width)
        state = replace(state, since=since)
    else:
        since = state.since
    hold = (HOLD + HOLD_LONGER * min(state.relapses, MOST_RELAPSES)) * width
    begin_at = max(since, now - LONGEST_WINDOW * width)
    begin = int(np.searchsorted(times, begin_at - 1e-6))
    seen = times[begin:]
    gaps = np.diff(np.append(seen, now))
    held = float(np.minimum(gaps, max(SEEN * width, 1.2 * ground.longest_step)).sum())
    state = replace(state, held=held, hold=hold, missing="")
    if state.clear:
        return replace(state, verdict=Verdict.ALL_CLEAR)
    many = len(seen) * per_bin
    if held < hold - 0.2 * width or many < COVERED * (now - begin_at) / width or len(seen) < 3:
        return replace(state, verdict=Verdict.RECOVERING)
    half = begin + len(seen) // 2
    whole = left.probability(float(np.mean(off[begin:])), many)
    later = left.probability(float(np.mean(off[half:])), max(many / 2, 0.2))
    limit = THRESHOLD * (1 + (now - since - hold) / width * THRESHOLD_RISES)
    clear = just_now < WELL and whole < limit and later < 2 * limit and lately < 3 * limit
    return replace(state, clear=clear, verdict=Verdict.ALL_CLEAR if clear else Verdict.RECOVERING)
