"""How far an alert's escalation has come, as its events tell. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tocsin.api import (
    PAGE_DEADLINE,
    Event,
    GroupReopened,
    GroupResolved,
    GroupUnacknowledged,
    PageDelivered,
    PageFailed,
    PersonReleased,
    SilenceEnded,
)
from tocsin_escalation.events import (
    AnsweredFor,
    EscalationExhausted,
    EscalationStarted,
    PeopleJoined,
    StepHeld,
    StepPutOff,
    StepTaken,
)
from tocsin_escalation.plan import NO_TIME, FrozenStep, Plan, Position

Outcome = PageDelivered | PageFailed

TELLING = (
    EscalationStarted,
    AnsweredFor,
    GroupReopened,
    GroupResolved,
    GroupUnacknowledged,
    SilenceEnded,
    StepTaken,
    StepPutOff,
    StepHeld,
    PeopleJoined,
    PersonReleased,
    EscalationExhausted,
    PageDelivered,
    PageFailed,
)
"""The events that tell how far it has come."""

CALLING = StepTaken | StepPutOff | StepHeld | PeopleJoined | EscalationExhausted
"""Those by which somebody was called, or would have been."""


@dataclass
class Walk:
    """How far the steps have come since they last began with the first.

    position: the last step that came; None before the first. at: when. round: the steps of its round that came.
    pages: those of that step, or those that stand for them. first: the first outcome of one of them; with it the wait for the next step begins.
    lost: those to people who are not there. put_off: what the next step waits for. turns: step -> whom it called last, the
    first of several. called: who was paged. asleep: who is paged when their quiet hours are over. paused: for how long it
    was over since then, for a while. exhausted: how often the end was reached.
    """

    position: Position | None = None
    at: datetime | None = None
    round: tuple[int, ...] = ()
    pages: frozenset[int] = frozenset()
    first: Outcome | None = None
    lost: frozenset[int] = frozenset()
    put_off: StepPutOff | StepHeld | None = None
    turns: Mapping[int, str] = field(default_factory=dict)
    called: frozenset[str] = frozenset()
    asleep: frozenset[str] = frozenset()
    paused: timedelta = NO_TIME
    exhausted: int = 0

    def apply(self, event: Event) -> None:
        """Go on by one event; those of others are passed over."""
        match event:
            case StepTaken():
                self._takes(event)
            case StepPutOff() | StepHeld():
                self.put_off, self.pages = event, frozenset()
            case PeopleJoined():
                if event.pages:
                    self.pages, self.lost = frozenset(event.pages), frozenset()
                if event.anew:
                    self.at, self.first, self.paused = event.at, None, NO_TIME
                self._calls(event.people, event.asleep)
            case EscalationExhausted():
                self.exhausted, self.pages = event.count, frozenset()
            case PersonReleased(person=person):
                self.called, self.asleep = self.called - {person}, self.asleep - {person}
            case PageDelivered() | PageFailed() if event.page in self.pages:
                if self.first is None:
                    self.first, self.paused = event, NO_TIME
                absent = isinstance(event, PageFailed) and event.absent
                self.lost = self.lost | {event.page} if absent else self.lost - {event.page}
            case _:
                pass

    def _takes(self, event: StepTaken) -> None:
        same = self.position is not None and self.position.round == event.at_step.round
        self.round = (*(self.round if same else ()), event.at_step.step)
        self.position, self.at, self.pages = event.at_step, event.at, frozenset(event.pages)
        self.first, self.lost, self.put_off, self.paused = None, frozenset(), None, NO_TIME
        for person in (*event.people, *event.asleep)[:1]:
            self.turns = {**self.turns, event.at_step.step: person}
        self.exhausted = 0  # it had come to its end before any step: none was open then
        self._calls(event.people, event.asleep)

    def _calls(self, people: Iterable[str], asleep: Iterable[str]) -> None:
        self.called |= frozenset(people)
        self.asleep = (self.asleep | frozenset(asleep)) - frozenset(people)

    @property
    def begun(self) -> bool:
        """Whether the first step came, or waits, or there was none."""
        return self.position is not None or self.put_off is not None or self.exhausted > 0

    @property
    def reached_nobody(self) -> bool:
        """Whether all whom the last step called are out of reach."""
        return bool(self.pages) and self.pages == self.lost

    def next_position(self, plan: Plan, severity: str, now: datetime, *, at_once: bool = False) -> Position:
        """The step that comes next for alerts of that severity, at its time or at once.

        After the end none does; but if none came before it, the hours of one may have begun since. While one waits, those
        before it that were passed over for their hours stay so.
        """
        if self.exhausted and self.position is not None:
            return Position(plan.rounds, 0)

        def when(following: Position) -> datetime:
            return now if at_once else now + self.left(plan, following, now)

        found = plan.after(self.position, severity, when)
        if self.put_off is not None and not self.exhausted:
            while found.before(self.put_off.at_step) and plan.steps[found.step].windows:
                found = plan.after(found, severity, when)
        return found

    def left(self, plan: Plan, following: Position, now: datetime) -> timedelta:
        """How much is left of the wait for the following step, by the wall clock."""
        if self.at is None:
            return NO_TIME
        wait = plan.wait(self.position, following)
        known = self.first is not None or not self.pages
        since = self.first.at if self.first is not None else self.at
        whole = wait if known else PAGE_DEADLINE + wait
        return min(max(since + whole + self.paused - now, NO_TIME), whole)


@dataclass
class Progress:
    """plan: None if no policy was chosen yet. severity: for which it was; empty for the worst.

    over: how it ended last. reopened: it fires again, and nobody was called since. walk: along the plan; it goes on where
    it stood if nobody had answered when it was over.
    """

    plan: Plan | None = None
    severity: str = ""
    reopened: bool = False
    over: GroupResolved | None = None
    walk: Walk = field(default_factory=Walk)

    def as_it_is(self) -> "Progress":
        """A copy, which no event changes."""
        return replace(self, walk=replace(self.walk))

    def apply(self, event: Event) -> None:
        """Go on by one event; those of others are passed over."""
        match event:
            case EscalationStarted():
                self.plan, self.severity, self.walk = event.plan, event.severity, Walk()
            case AnsweredFor():
                self.severity = event.severity
            case GroupResolved():
                self.over = event
            case GroupReopened():
                self.reopened = True
                if self.over is None or self.over.acknowledged or self.walk.exhausted:
                    self.plan, self.severity, self.walk = None, "", Walk()
                else:
                    self.walk.paused += max(event.at - self.over.at, NO_TIME)
            case GroupUnacknowledged() | SilenceEnded():
                self.walk = Walk()
            case _:
                self.reopened = self.reopened and not isinstance(event, CALLING)
                self.walk.apply(event)

    @property
    def names(self) -> set[str]:
        """Whom the steps of this round name that came already."""
        return self.names_in(lambda _: True)

    def names_in(self, which: Callable[[FrozenStep], bool]) -> set[str]:
        """Whom those of the steps of this round name that came already."""
        steps = self.plan.steps if self.plan is not None else ()
        return {name for place in self.walk.round if which(steps[place]) for name in steps[place].page}
