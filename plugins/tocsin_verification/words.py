"""What people read of a judgement: one line with the fact first, and one that explains it. Pure.

No line says that a metric is well unless the judge said so from data: what is missing stands in its place.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from tocsin.api import written
from tocsin_verification.figures import Scale, is_number, part_of
from tocsin_verification.judge.verdict import Direction, Judgement, Verdict

_LONGEST_NAME = 48  # characters; what stands behind the name must not be what a network cuts
_LONGEST_MISSING = 160
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class Lines:
    """How a check stands.

    fact: `error rate 2.1 % → 0.3 %, normally 0.2–0.4 % at this hour: back for 12 of 20 min`.
    why: the comparisons that people trust: just before, this time yesterday, this time last week.
    state: the end of the fact by itself, as for the title of a picture: `back for 12 of 20 min`.
    known: whether that rests on data; without them it says what is missing.
    """

    fact: str
    why: str
    state: str
    known: bool


def lines(
    name: str,
    judgement: Judgement,
    *,
    unit: str = "",
    direction: Direction = Direction.BOTH,
    zone: ZoneInfo = _UTC,
    accepted: float | None = None,
) -> Lines:
    """How a check stands, for people who wait until it is over.

    name: of the check. unit: of its values, as `Scale.of` takes it. direction: which side does harm. zone: of those
    who read it. accepted: since when the level of then is normal by somebody's word, whatever was normal before.
    """
    told = _Told(name, judgement, unit, direction, zone, accepted=accepted)
    return Lines(told.standing(), told.comparisons(), told.state(), told.known)


def reported(
    name: str,
    judgement: Judgement,
    *,
    unit: str = "",
    direction: Direction = Direction.BOTH,
    zone: ZoneInfo = _UTC,
) -> str:
    """What a check says of a report that has just come in: whether it is real, how bad, since when."""
    return _Told(name, judgement, unit, direction, zone).report()


def scale(judgement: Judgement, unit: str) -> Scale:
    """How the numbers of a judgement are written, in a line and in a picture."""
    it = _of_nothing(judgement)
    known = [one for one in (it.value, it.worst, it.low, it.high, it.expected) if is_number(one)]
    bounds = [one for one in (it.low, it.high) if is_number(one)]
    apart = [(bounds[0], bounds[-1])] if bounds else []
    if is_number(it.value) and bounds and not bounds[0] <= it.value <= bounds[-1]:
        # In the digits, too, it is to be beyond what is normal.
        apart += [(it.value, bound) for bound in bounds]
    return Scale.of(unit, known, apart=apart)


_NOTHING = 1e-9


def _of_nothing(judgement: Judgement) -> Judgement:
    """Where nothing is normal, such as no errors, a judge leaves room for a trillionth: nobody need read that."""
    it = judgement
    if it.expected is None or not max(abs(it.expected), abs(it.low or 0.0), abs(it.high or 0.0)) < _NOTHING:
        return it
    if it.value is None or 0 < abs(it.value) < 1000 * _NOTHING:
        return it  # of what is as small as that each digit counts
    return replace(it, expected=0.0, low=0.0, high=0.0)


class _Told:
    def __init__(
        self,
        name: str,
        judgement: Judgement,
        unit: str,
        direction: Direction,
        zone: ZoneInfo,
        *,
        accepted: float | None = None,
    ) -> None:
        self._name = _shortened(name.strip() or "the metric", _LONGEST_NAME)
        self._scale = scale(judgement, unit)
        if accepted is not None:  # it is normal by somebody's word, and not by its history
            judgement = replace(judgement, low=None, high=None, expected=None)
        self._accepted = accepted
        self._it = judgement = _of_nothing(judgement)
        self._direction = direction
        self._zone = zone
        self._value, self._worst = _number(judgement.value), _number(judgement.worst)
        self._low, self._high = _number(judgement.low), _number(judgement.high)
        self._expected = _number(judgement.expected)

    def standing(self) -> str:
        if self._lacking:
            worst = f" (at worst {self._said(self._worst)})" if self._worst is not None else ""
            return f"{self._name}{worst}: {self.state()}"
        return f"{self._change}{self._normally}{self._harmless}: {self.state()}"

    def comparisons(self) -> str:
        then = {
            "just before": self._it.before,
            "this time yesterday": self._it.yesterday,
            "this time last week": self._it.last_week,
        }
        if all(_number(value) is None for value in then.values()):
            return "just before, this time yesterday and this time last week are not known"
        return " · ".join(
            f"{when} {'not known' if _number(value) is None else self._said(value)}"
            for when, value in then.items()
        )

    def report(self) -> str:
        it = self._it
        if self._lacking:
            return f"{self._name}: {self.state()}"
        fact = f"{self._name} {self._said(self._value)}{self._normally}"
        worst = ""
        if self._worst is not None and self._said(self._worst) != self._said(self._value):
            worst = f"at worst {self._said(self._worst)}"
        if it.verdict is Verdict.NOT_YET or self._harmful or not self._has_range:
            return _joined(fact, worst, self._at("since", it.onset))
        if it.onset is None:
            return f"{fact}: as usual, no trouble seen so far"
        now = self._at("back since", it.back_since) or "better"
        return f"{fact}: {_joined(now, self._at('was bad since', it.onset), worst)}"

    @property
    def known(self) -> bool:
        return not self._lacking

    @property
    def _lacking(self) -> str:
        """What is missing, in words; nothing if all is there that a verdict needs."""
        it = self._it
        if it.verdict is not Verdict.CANT_TELL and self._value is not None and not it.missing:
            return ""
        return _shortened(it.missing.strip(), _LONGEST_MISSING) or "data are missing"

    @cached_property
    def _below(self) -> bool:
        return self._value is not None and self._low is not None and self._value < self._low

    @cached_property
    def _above(self) -> bool:
        return self._value is not None and self._high is not None and self._value > self._high

    @property
    def _has_range(self) -> bool:
        return self._low is not None or self._high is not None

    @property
    def _harmful(self) -> bool:
        """Whether the value is outside of what is normal, on a side that does harm."""
        return (self._below and self._direction is not Direction.HIGH) or (
            self._above and self._direction is not Direction.LOW
        )

    @property
    def _harmless(self) -> str:
        if self._harmful or not (self._below or self._above):
            return ""
        return f" ({'below' if self._below else 'above'} does no harm)"

    @property
    def _change(self) -> str:
        """The value, and before it the worst that there was."""
        now = self._said(self._value)
        if self._worst is None or self._said(self._worst) == now:
            return f"{self._name} {now}"
        return f"{self._name} {self._said(self._worst)} → {now}"

    @property
    def _normally(self) -> str:
        if self._accepted is not None:
            return f", {self._at('accepted as normal since', self._accepted)}"
        low, high = self._low, self._high
        known = [value for value in (self._value, self._worst, self._expected, high) if value is not None]
        if low is not None and low <= 0 and known and min(known) >= 0:
            low = None if high else 0.0  # what was never below zero isn't normally so
        if low is not None and high is not None:
            return f", normally {self._scale.between(low, high)} at this hour"
        if high is not None:
            return f", normally up to {self._said(high)} at this hour"
        if low is not None:
            return f", normally at least {self._said(low)} at this hour"
        if self._expected is not None:
            return f", normally about {self._said(self._expected)} at this hour"
        return ", what is normal is not known"

    def state(self) -> str:
        it = self._it
        if self._lacking:
            return f"cannot verify: {self._lacking}"
        if it.verdict is Verdict.NOT_YET:
            return self._bad
        if it.verdict is Verdict.ALL_CLEAR:
            well, more = "clear", self._at("back since", it.back_since)
        elif self._accepted is not None and it.back_since is None:
            return "not there for long enough yet"
        elif it.back_since is None or it.hold <= 0:
            return _joined("better, not back yet", self._at("bad since", it.onset))
        else:
            well = f"back for {part_of(it.held, it.hold)}"
            more = f"relapsed {_times(it.relapses)} before" if it.relapses else ""
        # Of what is bad this moment the judge wants a little more to take back what it said.
        return f"out of its range now, was {well}" if self._harmful else _joined(well, more)

    @property
    def _bad(self) -> str:
        if self._it.relapses:
            return f"bad again, relapsed {_times(self._it.relapses)}"
        steady = "not back yet" if self._harmful or not self._has_range else "not steady yet"
        return _joined(steady, self._at("bad since", self._it.onset))

    def _said(self, value: float | None) -> str:
        return self._scale.said(value)

    def _at(self, words: str, at: float | None) -> str:
        """Since when, behind these words; nothing if that isn't known."""
        if at is None:
            return ""
        then, now = (datetime.fromtimestamp(one, UTC) for one in (at, self._it.at))
        return f"{words} {written(then, self._zone, now)}"


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def _number(value: float | None) -> float | None:
    return float(value) if is_number(value) else None


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
