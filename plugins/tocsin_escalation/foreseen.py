"""Whom a plan would page, step by step, without paging anybody."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

from tocsin.api import counted, listed, spelled, written
from tocsin_escalation.calls import Called, there
from tocsin_escalation.events import StepTaken
from tocsin_escalation.holding import Comes, comes_on_call
from tocsin_escalation.plan import FrozenStep, Plan, Position
from tocsin_escalation.progress import Walk
from tocsin_escalation.sight import Configured, Imagined
from tocsin_escalation.turns import Turns


@dataclass(frozen=True)
class Foreseen:
    """What becomes of a step in the first round.

    at: when it comes, or would. called: whom it calls; None if it is passed over. why: why it is, or what it waited for.
    """

    step: FrozenStep
    position: Position
    at: datetime
    called: Called | None = None
    why: str = ""

    @property
    def pages(self) -> bool:
        return self.called is not None and bool(self.called.awake or self.called.rooms)


@dataclass(frozen=True)
class Foresight:
    """A plan, and who is who. sight: as of the instant at which the alert fires. zone: for what people read."""

    plan: Plan
    severity: str
    sight: Imagined | Configured
    zone: ZoneInfo

    def steps(self) -> Iterator[Foreseen]:
        """The steps of the first round in their order, those included that are passed over."""
        at, wait, walk = self.sight.now, False, Walk()
        for place, step in enumerate(self.plan.steps):
            due = at + step.wait if wait else at
            if not step.applies(self.severity):
                why = f"only for {' or '.join(step.severity or ()) or 'no severity at all'}"
                yield Foreseen(step, Position(0, place), due, why=why)
            elif not step.is_open(due):
                why = " and ".join(str(window) for window in step.windows if not window.holds(due))
                yield Foreseen(step, Position(0, place), due, why=f"outside of {why}")
            else:
                seen = self._comes(step, Position(0, place), due, walk)
                yield seen
                at, wait = seen.at, seen.pages
                walk.apply(_taken(seen))

    def lines(self) -> Iterator[str]:
        """The same as people read it, and what comes then."""
        steps = list(self.steps())
        for seen in steps:
            yield f"step {seen.position.step + 1}{self._said(seen)}"
        yield self._end(steps)

    def _comes(self, step: FrozenStep, position: Position, due: datetime, walk: Walk) -> Foreseen:
        """When it comes, and whom it calls then."""
        sight, why = self.sight.at(due), ""
        called = self._called(step, position, walk, sight)
        comes = comes_on_call(step.page, sight) if step.hold and called.nobody else None
        if comes is not None:
            sight, why = sight.at(comes.at), self._held(comes)
            called = self._called(step, position, walk, sight)
        while called.wait:
            until, people = called.first
            why = f"when {listed(people)} may be woken ({there(until, people[0], sight)})"
            sight = sight.at(min([until, *_changes(step, sight, until)]))  # who comes on call may be awake
            called = self._called(step, position, walk, sight)
        return Foreseen(step, position, sight.now, called, why)

    def _called(
        self, step: FrozenStep, position: Position, walk: Walk, sight: Imagined | Configured
    ) -> Called:
        called = Called.of_step(step, self.plan, sight, wake=False)
        return Turns(step, position.step, walk, sight).one_of(called) if step.round_robin else called

    def _held(self, comes: Comes) -> str:
        return f"when {listed(comes.people)} is on call by {comes.schedule} ({written(comes.at, self.zone, self.sight.now)})"

    def _said(self, seen: Foreseen) -> str:
        if seen.called is None:
            return f" is passed over: {seen.why}"
        later = seen.at - self.sight.now
        when = f" after {spelled(later)}" if later else " at once"
        return f"{when}{f', {seen.why}' if seen.why else ''}: {self._whom(seen, seen.called)}"

    def _whom(self, seen: Foreseen, called: Called) -> str:
        sight = self.sight.at(seen.at)
        meant = {
            person: [name for name in seen.step.page if person != name and person in sight.callees(name)]
            for person in called.awake
        }
        turn = ", in turn" if seen.step.round_robin else ""
        people = [
            f"{person}{f' ({listed(names)}{turn})' if names else ''}{'' if self._reached(person, sight) else ' (not reached now)'}"
            for person, names in meant.items()
        ]
        missing = list(map(self._missing, called.missing))
        if called.nobody:
            return f"nobody ({listed(missing)})"
        parts = [listed([*people, *(room.name for room in called.rooms)])]
        parts += [
            f"{one} when it may wake them ({there(at, one, sight)})" for one, at in called.asleep.items()
        ]
        parts += [f"not {listed(called.night)}, for whom it is night"] if called.night else []
        return "; ".join([*parts, *missing])

    def _reached(self, person: str, sight: Imagined | Configured) -> bool:
        return any(map(sight.reaches, sight.private_places(person)))

    def _missing(self, name: str) -> str:
        if name in self.sight.config.schedules:
            return f"nobody is on call by {name}"
        return f"{name} is empty" if name in self.sight.config.teams else f"{name} has no account"

    def _end(self, steps: Sequence[Foreseen]) -> str:
        rings, none = self.sight.config.fallback.command, "no fallback is configured"
        if not any(seen.pages for seen in steps):
            comes = any(seen.called is not None for seen in steps)
            why = "nobody can be paged" if comes else "no step comes"
            return f"{why}: {'the fallback rings at once' if rings else none}"
        more, rest = self.plan.rounds - 1, spelled(self.plan.rest)
        again = f"{rest} later all of it again, {counted(more, 'time')}; " if more else ""
        end = "the fallback rings" if rings else f"nothing more: {none}"
        return f"without an answer: {again}{rest} after the last step {end}"


def _changes(step: FrozenStep, sight: Imagined | Configured, until: datetime) -> Iterator[datetime]:
    """When others come on call by the schedules that a step names, until then."""
    for name in step.page:
        if name in sight.config.schedules:
            yield from (shift.start for shift in islice(sight.shifts(name, sight.now, until), 1, None))


def _taken(seen: Foreseen) -> StepTaken:
    called = seen.called or Called((), {})
    return StepTaken(
        subject="", at=seen.at, at_step=seen.position, people=tuple(called.awake), asleep=tuple(called.asleep)
    )
