"""Looking at checks: what they read, and what the judge makes of it, off the event loop."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Protocol

import numpy as np

from tocsin.api import Unreadable
from tocsin_verification.apart import apart
from tocsin_verification.expressions import Unfit
from tocsin_verification.figures import length
from tocsin_verification.finding import Meant, find
from tocsin_verification.judge.judging import Judge
from tocsin_verification.judge.verdict import Direction, Floats, Judgement, Kind, Question, Verdict
from tocsin_verification.reading import History, Reader
from tocsin_verification.sparkline import strip
from tocsin_verification.verified import Checked

log = logging.getLogger(__name__)

USUAL_STEP = 60.0
_LATEST = 30
"""From so many of the last samples it is told how far apart they come."""

MOST_JUDGES = 2000
PROBE_HOLD = 10 * 60.0
"""A probe says little and that at once: it must answer for so long, and twice as long after each relapse."""
PROBE_GAP = 5 * 60.0
"""If nobody looked for so long, nobody knows whether it answered."""

_BACK = (Verdict.RECOVERING, Verdict.ALL_CLEAR)

FAR = 2.0
"""So many times as far from what is expected as what is normal goes, a single sample shows that something was wrong."""
SILENT = 5 * 60.0


class Probed(Protocol):
    """What became of a try. why: what it answered, in words."""

    @property
    def ok(self) -> bool: ...
    @property
    def took(self) -> float: ...
    @property
    def why(self) -> str: ...


class Probe(Protocol):
    """Something that can be tried."""

    async def probe(self) -> Probed: ...


@dataclass(frozen=True)
class Asked:
    """What is to be looked at. alert_at: when the trouble was noticed. mitigated_at: when it was said to be mitigated.

    waits: whether people wait for the all-clear: it is an incident that goes on, and has none.
    """

    subject: str
    alert_at: datetime
    checks: tuple[Checked, ...]
    mitigated_at: datetime | None = None
    waits: bool = False


@dataclass(frozen=True)
class Found:
    """What was found of a check. at, values: what was read."""

    judgement: Judgement
    at: Floats = field(default_factory=lambda: np.empty(0), repr=False)
    values: Floats = field(default_factory=lambda: np.empty(0), repr=False)

    @cached_property
    def spark(self) -> str:
        """The last hours of it, in one line; few looks are told, so it is made when it is."""
        return strip(self.judgement, self.at, self.values)


class Judging:
    """Judges the checks, and keeps what is worth keeping from one minute to the next; a new one finds the same."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._judges: dict[tuple[str, str], tuple[Question, Judge]] = {}
        self._answered: dict[tuple[str, str], tuple[float, float]] = {}
        self._meant: dict[tuple[str, str], Meant] = {}

    async def look(
        self, asked: Asked, reader: Reader, only: str, probes: Mapping[str, Probe], now: float
    ) -> Mapping[str, Found]:
        """What all its checks say now, by name; what befalls one harms no other. only: the source, if there is but one."""

        async def one(check: Checked) -> Found:
            try:
                if check.added.probe:
                    return await self._probed(asked, check, probes, now)
                meant = await self._read(asked, check, reader, only, now)
                return await apart(self._judged, asked, check, meant, now)
            except Unreadable as error:
                return lacking(str(error), now)
            except Unfit as error:
                return lacking(f"the alert's expression {error}", now)
            except Exception:
                log.exception("%s: check %s can't be judged", asked.subject, check.name)
                return lacking("Tocsin failed at it: see its log", now)

        found = await asyncio.gather(*map(one, asked.checks))
        return {check.name: each for check, each in zip(asked.checks, found, strict=True)}

    def forget(self, subject: str, but: Sequence[str] = ()) -> None:
        """Its checks are looked at no more, but for these."""
        for of in (self._judges, self._answered, self._meant):
            for key in [key for key in of if key[0] == subject and key[1] not in but]:
                del of[key]

    async def _read(self, asked: Asked, check: Checked, reader: Reader, only: str, now: float) -> History:
        """The series that is meant. Raises Unreadable, or Unfit of an alert's own expression."""
        added, key = check.added, (asked.subject, check.name)
        source, expression, labels = added.source or only, added.expression, added.labels
        if added.because:
            if key not in self._meant:
                self._meant[key] = await find(reader, source, expression, labels, now)
            expression, labels = self._meant[key].expression, self._meant[key].labels
        found = await reader.read(source, expression, now)
        same = [one for one in found if one.labels == labels]  # in the past there may have been others
        return chosen(same or found, labels)

    def _judged(self, asked: Asked, check: Checked, series: History, now: float) -> Found:
        """In a thread of its own."""
        at, values, added = series.at, series.values, check.added
        judge = self._judge(asked, check, at)
        accepted = check.accepted.timestamp() if check.accepted is not None else None
        judgement = judge.look(at, values, now, accepted_since=accepted)
        judgement = held_long_enough(judgement, added.hold.total_seconds())
        if judgement.verdict is Verdict.CANT_TELL:
            judgement = replace(judgement, missing=_missing(judgement.missing, at, now))
        elif not check.seen and not shows(judgement, added.direction):
            judgement = as_usual(judgement)
        if added.counter:
            at, values = growth(at, values)
        return Found(judgement, at, values)

    def _judge(self, asked: Asked, check: Checked, at: Floats) -> Judge:
        """The one that knows this series, or a new one."""
        key, added = (asked.subject, check.name), check.added
        step = float(np.median(np.diff(at[-_LATEST:]))) if len(at) > 1 else USUAL_STEP
        known = self._judges.get(key)
        if known is not None:  # the step is as it was when the question was put
            step = known[0].step
        question = Question(
            alert_at=asked.alert_at.timestamp(),
            step=step,
            direction=added.direction,
            kind=Kind.COUNTER if added.counter else Kind.GAUGE,
            tolerance=added.tolerance,
        )
        if known is None or known[0] != question:
            if len(self._judges) >= MOST_JUDGES:
                self._judges.pop(next(iter(self._judges)))
            known = self._judges[key] = question, Judge(question)
        return known[1]

    async def _probed(self, asked: Asked, check: Checked, probes: Mapping[str, Probe], now: float) -> Found:
        """A probe has no history: what it said last is known, and whether anybody has looked since."""
        if check.added.probe not in probes:
            raise Unreadable(f"there is no probe {check.added.probe!r} any more")
        probed = await probes[check.added.probe].probe()
        key, last = (asked.subject, check.name), check.judged
        relapses = last.relapses if last is not None else 0
        if not probed.ok:
            self._answered.pop(key, None)
            was_back = last is not None and last.verdict in _BACK and check.seen
            return Found(
                Judgement(
                    Verdict.NOT_YET, now, missing=probed.why, relapses=relapses + (1 if was_back else 0)
                )
            )
        looked, since = self._answered.get(key, (now, now))
        since = since if now - looked <= PROBE_GAP else now
        self._answered[key] = now, since
        hold = (
            max(PROBE_HOLD * 2 ** min(relapses, 4), check.added.hold.total_seconds()) if check.seen else 0.0
        )
        verdict = Verdict.ALL_CLEAR if now - since >= hold else Verdict.RECOVERING
        return Found(
            Judgement(
                verdict,
                now,
                missing=probed.why,
                back_since=since,
                held=now - since,
                hold=hold,
                relapses=relapses,
            )
        )


def lacking(why: str, now: float) -> Found:
    """Nothing can be said, for want of that."""
    return Found(Judgement(Verdict.CANT_TELL, now, missing=why))


def chosen(series: Sequence[History], labels: Mapping[str, str]) -> History:
    """The one that is meant: the only one, or the only one that has these labels, as far as it has any of them.

    Raises Unreadable.
    """
    fitting = [
        one for one in series if all(one.labels.get(name, value) == value for name, value in labels.items())
    ]
    if not series:
        raise Unreadable("the expression gives no data")
    if not fitting:
        raise Unreadable("the expression gives no series with the alert's labels")
    if len(fitting) > 1:
        raise Unreadable(f"the expression gives {len(fitting)} series: make one of them, such as with sum(…)")
    return fitting[0]


def held_long_enough(judgement: Judgement, hold: float) -> Judgement:
    """The same, but that it must be back for so long at least. hold: in seconds."""
    if judgement.verdict is not Verdict.ALL_CLEAR or judgement.onset is None or judgement.held >= hold:
        return judgement
    return replace(judgement, verdict=Verdict.RECOVERING, hold=hold)


def shows(judgement: Judgement, direction: Direction) -> bool:
    """Whether something is, or was, wrong with a metric: now it is beyond what is normal, or it was by far.

    A judge is asked how far something is over; that there was something it takes for given.
    """
    low, high, expected = judgement.low, judgement.high, judgement.expected
    if low is None or high is None or expected is None:
        return False

    def beyond(value: float | None, times: float) -> bool:
        if value is None:
            return False
        above, below = (
            value - expected > times * (high - expected),
            expected - value > times * (expected - low),
        )
        return (above and direction is not Direction.LOW) or (below and direction is not Direction.HIGH)

    return beyond(judgement.value, 1.0) or beyond(judgement.worst, FAR)


def as_usual(judgement: Judgement) -> Judgement:
    """Of a metric in which nothing is seen, and so nothing is over either."""
    return replace(
        judgement, verdict=Verdict.ALL_CLEAR, onset=None, back_since=None, held=0.0, hold=0.0, relapses=0
    )


def _missing(missing: str, at: Floats, now: float) -> str:
    silent = now - float(at[-1]) if len(at) else 0.0
    return f"no data for {length(silent)}" if silent > SILENT else missing


def growth(at: Floats, values: Floats) -> tuple[Floats, Floats]:
    """What a counter grew by in a second, from each sample to the next; where it began anew that isn't known."""
    steps, grown = np.diff(at), np.diff(values)
    known = (grown >= 0) & (steps > 0)
    return at[1:][known], grown[known] / steps[known]
