"""What happens while an alert is escalated."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tocsin.api import Event, counted, listed
from tocsin_escalation.plan import Plan, Position
from tocsin_escalation.policy import Urgency


@dataclass(frozen=True, kw_only=True)
class EscalationStarted(Event):
    """A policy was chosen, and holds for this alert whatever becomes of the configuration, until it becomes worse.

    because: what led to it. severity: that of the group for which it was chosen; empty for the worst.
    """

    kind: ClassVar[str] = "escalation.started"
    plan: Plan
    because: str
    severity: str = ""

    def headline(self) -> str:
        usual = self.plan.urgency is Urgency.NORMAL
        urgency = "" if usual else f", {self.plan.urgency} urgency"
        return f"policy {self.plan.policy}{urgency} ({self.because}): {self.plan}"


@dataclass(frozen=True, kw_only=True)
class StepTaken(Event):
    """A step came.

    at_step: which. people: who is paged. rooms: where it is said to all. pages: their numbers; the wait for the
    next step begins with the first of them that is delivered, or fails. missing: who is named, and can't be paged
    now. asleep: who is paged only when their quiet hours are over. night: who is left out since it is night for them.
    """

    kind: ClassVar[str] = "escalation.step_taken"
    matters: ClassVar[bool] = True
    at_step: Position
    people: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    pages: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()
    asleep: tuple[str, ...] = ()
    night: tuple[str, ...] = ()

    def headline(self) -> str:
        again = f", for the {_ordinal(self.at_step.round + 1)} time" if self.at_step.round else ""
        asked = f", asked for by {self.by}" if self.by else ""
        return f"step {self.at_step.step + 1}{again}{asked}: {self._what()}"

    def said(self) -> str:
        """What is said of it while it happens."""
        if self.at_step == Position(0, 0) and not self.missing:
            return self._what()
        return f"step {self.at_step.step + 1}{', again' if self.at_step.round else ''}: {self._what()}"

    def _what(self) -> str:
        called = [*self.people, *self.rooms]
        if not called:
            return f"nobody to page ({listed(self.missing)})"
        later = f", and {listed(self.asleep)} in the morning" if self.asleep else ""
        missing = f", but not {listed(self.missing)}" if self.missing else ""
        night = f" (it is night for {listed(self.night)})" if self.night else ""
        return f"paging {listed(called)}{later}{missing}{night}"


@dataclass(frozen=True, kw_only=True)
class StepPutOff(Event):
    """All whom a step calls are in their quiet hours: it waits for the first of them.

    people: who wakes first. until: when. there: that instant, as it is written where they are.
    """

    kind: ClassVar[str] = "escalation.step_put_off"
    at_step: Position
    people: tuple[str, ...]
    until: datetime
    there: str

    def headline(self) -> str:
        whose = (
            f"{self.people[0]}'s morning"
            if len(self.people) == 1
            else f"the morning of {listed(self.people)}"
        )
        return f"waits for {whose} ({self.there})"


@dataclass(frozen=True, kw_only=True)
class StepHeld(Event):
    """Nobody is on call by the schedules that a step names: it waits until somebody is.

    schedule: by which that is the case first. people: who it is then. until: when. there: that instant, as it is written
    where the schedule is.
    """

    kind: ClassVar[str] = "escalation.step_held"
    at_step: Position
    schedule: str
    people: tuple[str, ...]
    until: datetime
    there: str

    def headline(self) -> str:
        return f"nobody is on call by {self.schedule}: waits for {listed(self.people)} ({self.there})"


@dataclass(frozen=True, kw_only=True)
class PeopleJoined(Event):
    """People were paged outside of the steps.

    because: why, in words. asleep: as for `StepTaken`. pages: their numbers, if they stand for those of the last step.
    anew: the time that this step gives begins with them.
    """

    kind: ClassVar[str] = "escalation.people_joined"
    matters: ClassVar[bool] = True
    people: tuple[str, ...]
    because: str
    asleep: tuple[str, ...] = ()
    pages: tuple[int, ...] = ()
    anew: bool = False

    def headline(self) -> str:
        doing = [f"paging {listed(self.people)}"] if self.people else []
        doing += [f"{listed(self.asleep)} in the morning"] if self.asleep else []
        return f"{self.because}: {', and '.join(doing)}"


@dataclass(frozen=True, kw_only=True)
class TurnTaken(Event):
    """Of those who take turns, one was called for an alert; its subject is `turns/NAMES`, which no alert can be called.

    person: who. alert: its id.
    """

    kind: ClassVar[str] = "escalation.turn_taken"
    outdated_by: ClassVar[str] = "escalation.turn_taken"
    person: str
    alert: str

    def headline(self) -> str:
        return f"{self.person} was called for {self.alert}"


@dataclass(frozen=True, kw_only=True)
class AnsweredFor(Event):
    """Somebody answered when it was less severe than at first; what is worse than this they have not answered for."""

    kind: ClassVar[str] = "escalation.answered_for"
    severity: str

    def headline(self) -> str:
        return f"answered for when it was {self.severity}"


@dataclass(frozen=True, kw_only=True)
class HolderAsked(Event):
    """Whoever has it was asked whether they still do. person: who."""

    kind: ClassVar[str] = "escalation.holder_asked"
    person: str

    def headline(self) -> str:
        return f"{self.person} was asked: still on it?"


@dataclass(frozen=True, kw_only=True)
class MembersTold(Event):
    """What came to a group that somebody has was told, once for each alert. alerts: their fingerprints."""

    kind: ClassVar[str] = "escalation.members_told"
    person: str
    alerts: tuple[str, ...]

    def headline(self) -> str:
        return f"told of {counted(len(self.alerts), 'more alert')} since {self.person} has it"


@dataclass(frozen=True, kw_only=True)
class EscalationExhausted(Event):
    """Every step came as often as it should, and nobody answered.

    count: how often that was said. rang: whether the fallback rings.
    """

    kind: ClassVar[str] = "escalation.exhausted"
    matters: ClassVar[bool] = True
    count: int
    rang: bool

    def headline(self) -> str:
        end = "the fallback rings" if self.rang else "no fallback is configured"
        return f"nobody answered, and {end}"


EVENTS: Iterable[type[Event]] = (
    EscalationStarted,
    StepTaken,
    StepPutOff,
    StepHeld,
    PeopleJoined,
    TurnTaken,
    AnsweredFor,
    HolderAsked,
    MembersTold,
    EscalationExhausted,
)


def _ordinal(number: int) -> str:
    tail = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 * (number % 100 not in (11, 12, 13)), "th")
    return f"{number}{tail}"
