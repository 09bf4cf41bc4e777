"""One look at a series after the other: what the looks so far have come to, and one look further."""

import math
from dataclasses import dataclass, replace

import numpy as np

from tocsin_verification.judge.expectation import MEAN_OF
from tocsin_verification.judge.ground import Ground
from tocsin_verification.judge.leftover import Leftover
from tocsin_verification.judge.verdict import Floats, Verdict

HOLD = 4.0
"""Bins for which it must be back: 20 minutes of five. 3.5: 0.2 % more false all-clears and as many more misses; 5: 5 min more
delay."""

HOLD_BRIEF = 5.2
"""The same after a trouble that was brief: what comes for minutes goes and comes again, and flapping metrics are well for up to
25 minutes in between. 5: 0.1 % more false all-clears; 4: 0.7 %."""

BRIEF = 10.0
"""Bins up to which a trouble was brief. 8: 0.2 % more false all-clears; 12 and 16: half of the cases wait 5 min longer."""

HOLD_LONGER = 1.25
"""Bins more for each relapse: it has shown that it can be well for a while. 1: 0.2 % more false all-clears; 3: more delay,
nothing gained."""

MOST_RELAPSES = 2
"""Relapses that make the hold longer: 39 minutes are longer than most are well in between. With 5 one case in ten waits 10 min
longer."""

THRESHOLD = 0.05
"""The probability that something is left, below which it counts as gone. 0.045: misses rise and false all-clears fall by 0.3 %;
0.03: by three times as much."""

THRESHOLD_COARSE = 0.09
"""The same of coarse bins: to wait for one more costs an hour. 0.05: of the incidents that people labelled 4 % more are missed;
0.15: 0.2 % more false all-clears."""

THRESHOLD_RISES = 0.06
"""By this part the threshold rises with each bin beyond the hold: what stops half-way moves on at some time. 0.05: one case in
ten waits 5 min longer, and 0.3 % fewer are false; 0.1: twice as many are false as with 0.05."""

THRESHOLD_MOST = 6.0
"""So many times itself the threshold rises to at most, in two hours and a half: waiting alone proves nothing. 20: no difference within
three hours."""

BAD = 0.7
"""The probability that something is left in the last minutes, above which it is bad now. 0.5: no difference."""

WELL = 0.2
"""The same of the very last minutes, below which an all-clear may begin: it never begins with a sample that is bad. 0.3: 0.1 %
more false all-clears; 0.1: twice as many misses."""

RELAPSE = 0.9
"""The same, above which what was well for a while has relapsed, so that the hold is longer."""

WITHDRAW = 0.98
"""The same, above which an all-clear is withdrawn. 0.9: flips 4.2 %, against 3.3 %."""

LONGEST_WINDOW = 20.0
"""Bins whose mean is looked at, at most."""

SEEN = 1.5
"""Bins that a gap counts as time in which it was well, at most: what nobody saw does not count for longer. 1: no difference;
2: 0.001 more of the score, for ten minutes that nobody saw."""

STALE = 3.2
"""Bins without a sample after which nothing can be said."""

FORGOTTEN = 6.2
"""Bins without a sample after which the hold begins anew."""

COVERED = 0.25
"""The part of the time that must be covered by samples: fewer are lone readings of something that is mostly gone."""

CUT_OFF = 5.0
"""Deviations of a sample's noise, beside what could be left, at which a single sample is cut off. 3: lone bad samples of a
flapping metric go unseen, 0.15 % more false all-clears; 20: a few more all-clears are withdrawn without need."""

NOISE_POWER = 0.4
"""Noise grows with the level to this power, as that of counts does. 0 and 0.8: 0.1 and 0.2 % more false all-clears. Not that of
coarse bins, which hide their samples' noise."""

STEEP = 2.5
"""Bins in which what came down at once goes from half of the incident to the baseline. What came down slowly may still be coming
down, so that the metric's wobble excuses nothing. 1.5 and 3.5: no difference; without: 5 % of the slow ones false."""


@dataclass(frozen=True)
class State:
    """What the looks so far have come to.

    at: of the last one. sizes: of the incident on each side that does harm, the furthest that a bin was off. since:
    from when on it is back; None while it isn't. relapses: how often it was well and then not. clear: whether an
    all-clear stands. accepted: the time since when another level is the baseline; scaled, moved: the expectation times
    and plus this is that level. trouble: when the last trouble began. lasted: for how many seconds it went on before
    it was back. held, hold: for how many seconds it was seen to be back, and for how many it must be. missing: what
    data are, if that is why there is no verdict.
    """

    at: float
    sizes: tuple[float, ...] = ()
    since: float | None = None
    relapses: int = 0
    clear: bool = False
    accepted: float | None = None
    scaled: float = 1.0
    moved: float = 0.0
    trouble: float = 0.0
    lasted: float = 0.0
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
    here = 1.0
    if expectation.usual > 0 and not ground.bins.coarse:
        here = min(max(abs(level) / expectation.usual, 0.25), 4.0) ** NOISE_POWER
    noise = expectation.noise * here
    bias = math.sqrt(max(expectation.error_at(now) ** 2 - noise**2 / MEAN_OF, 1e-30))
    recent = int(np.searchsorted(times, now - 0.99 * width))
    latest = float(np.mean(off[recent:])) if recent < len(off) else None
    if latest is not None:
        sizes = (
            max(*pair) for pair in zip(state.sizes, (side * latest for side in ground.sides), strict=True)
        )
        state = replace(state, sizes=tuple(sizes))
    if accepted is not None:
        after = int(np.searchsorted(times, accepted))
        early = slice(after, int(np.searchsorted(times, accepted + HOLD_BRIEF * width, side="right")))
        if now - accepted < HOLD * width - 1 or early.stop - early.start < 3:
            return replace(state, since=None, clear=False, verdict=Verdict.RECOVERING)
        ratio = float(np.mean(read[early])) / (float(np.mean(mean[early])) or 1e-30)
        proportional = 0.05 < ratio < 20
        scaled, moved = (ratio, 0.0) if proportional else (1.0, float(np.mean(off[early])))
        off = read - mean * scaled - moved
        level = level * scaled
        noise, bias = max(noise, float(np.std(off[early]))), 0.5 * bias
        if state.accepted != accepted:
            state = replace(state, accepted=accepted, since=accepted, clear=False)
        state = replace(state, scaled=scaled, moved=moved)
    wobble = expectation.wobble if _came_down_at_once(state, ground, times, off) else 0.0
    left = Leftover(
        ground.sides,
        state.sizes,
        level,
        bias,
        noise,
        ground.question.tolerance,
        wobble,
        expectation.bursts * here,
    )
    per_bin = min(ground.question.step, width) / width
    limit = CUT_OFF * left.of_minutes.noise / np.sqrt(per_bin) + 2 * (bias + left.smallest)
    return _weigh(state, ground, left, times, np.clip(off, -limit, limit))


def _came_down_at_once(state: State, ground: Ground, times: Floats, off: Floats) -> bool:
    far = np.zeros(len(off), dtype=bool)
    for side, size in zip(ground.sides, state.sizes, strict=True):
        far |= side * off > 0.5 * size
    last = np.flatnonzero(far)
    half_at = float(times[last[-1]]) if len(last) else ground.onset_at
    back_at = state.at if state.since is None else state.since
    return back_at - half_at <= STEEP * ground.bins.width


def _weigh(state: State, ground: Ground, left: Leftover, times: Floats, off: Floats) -> State:
    now = state.at
    question, width = ground.question, ground.bins.width
    per_bin = min(question.step, width) / width
    two = int(np.searchsorted(times, now - 2.05 * width))
    one = int(np.searchsorted(times, now - 0.99 * width))
    if two >= len(off):
        return replace(state, verdict=Verdict.CANT_TELL, clear=False, missing="no fresh data")
    of_minutes = left.of_minutes
    lately = of_minutes.probability(float(np.mean(off[two:])), max((len(off) - two) * per_bin, 0.2))
    just_now = lately
    if one < len(off):
        latest = float(np.mean(off[one:]))
        just_now = of_minutes.probability(latest, max((len(off) - one) * per_bin, 0.2))
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
            trouble=now if more else state.trouble or ground.onset_at,
            verdict=Verdict.NOT_YET,
        )
    if state.since is None:
        worst = np.max([side * off for side in ground.sides], axis=0)
        still = np.flatnonzero(worst > left.smallest + left.noise)
        begin = min(int(still[-1]) + 1 if len(still) else 0, len(times) - 1)
        since = max(float(times[begin]), question.alert_at, now - 1.2 * width)
        state = replace(state, since=since, lasted=since - (state.trouble or ground.onset_at))
    else:
        since = state.since
    least = HOLD if state.lasted > BRIEF * width else HOLD_BRIEF
    hold = (least + HOLD_LONGER * min(state.relapses, MOST_RELAPSES)) * width
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
    rises = math.exp(max(now - since - hold, 0.0) / width * THRESHOLD_RISES)
    limit = (THRESHOLD_COARSE if ground.bins.coarse else THRESHOLD) * min(rises, THRESHOLD_MOST)
    clear = just_now < WELL and whole < limit and later < 2 * limit and lately < 3 * limit
    return replace(state, clear=clear, verdict=Verdict.ALL_CLEAR if clear else Verdict.RECOVERING)
