"""A step that comes: whom it pages, or until when it waits; and the end, when no step is left."""

from dataclasses import dataclass, replace
from datetime import timedelta

from tocsin.api import AlertGroup, Message, Place, Transaction, written
from tocsin_escalation.calls import Called, progress_of, rooms_so_far, rooms_told, there
from tocsin_escalation.events import EscalationExhausted, StepHeld, StepPutOff, StepTaken
from tocsin_escalation.holding import Comes, comes_on_call
from tocsin_escalation.plan import FrozenStep, Plan, Position
from tocsin_escalation.progress import Walk
from tocsin_escalation.turns import Turns

STEP = "escalation.step"
ASLEEP = "escalation.still_asleep"

LOOK_AGAIN = timedelta(minutes=15)
"""So often it is seen whether what a step waits for has come: people say when they sleep, and the clock may be set."""

SHORTEST_REST = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=1)
"""After the end the fallback rings again and again, in pauses that double from the one to the other."""


@dataclass(frozen=True)
class Coming:
    """A step of a group's plan, of which the time has come.

    by: who asked for it, if anybody did, who means those too who sleep. because: what led to it, for the rooms.
    """

    group: AlertGroup
    plan: Plan
    position: Position
    tx: Transaction
    by: str = ""
    because: str = ""

    @property
    def step(self) -> FrozenStep:
        return self.plan.steps[self.position.step]

    def called(self) -> Called:
        """Whom it calls as things stand now."""
        called = Called.of_step(self.step, self.plan, self.tx, wake=bool(self.by))
        return self._turns.one_of(called) if self.step.round_robin else called

    @property
    def _turns(self) -> Turns:
        walk = progress_of(self.group.id, self.tx).walk
        return Turns(self.step, self.position.step, walk, self.tx)

    def take(self, called: Called) -> StepTaken:
        """Page them all, and say so."""
        tx, group = self.tx, self.group
        pages = called.page(group, self.plan, tx, by=self.by)
        taken = StepTaken(
            subject=group.id,
            at=tx.now,
            by=self.by,
            at_step=self.position,
            people=tuple(called.awake),
            rooms=tuple(dict.fromkeys(room.name for room in called.rooms)),
            missing=tuple(called.missing),
            asleep=tuple(called.asleep),
            night=tuple(called.night),
        )
        if self.step.round_robin:
            self._turns.take(called, group.id, tx)
        told = self._told(taken.said())
        pages += [tx.page(room, told, about=group.id) for room in called.rooms]
        for room in self._other_rooms(called):
            tx.news(room, told, about=group.id, anew=bool(self.because))
        return tx.record(replace(taken, pages=tuple(pages)))

    def put_off(self, called: Called, walk: Walk) -> StepPutOff:
        """All whom it calls sleep: it waits until the first of them wakes, which is said once for each cause."""
        tx, group = self.tx, self.group
        until, people = called.first
        event = StepPutOff(
            subject=group.id,
            at=tx.now,
            at_step=self.position,
            people=people,
            until=until,
            there=there(until, people[0], tx),
        )
        self._wait(event, walk)
        return event

    def comes(self, called: Called) -> Comes | None:
        """For whom it waits since nobody is on call, if it should and somebody will be."""
        if not self.step.hold or self.by or not called.nobody:
            return None
        return comes_on_call(self.step.page, self.tx)

    def hold(self, comes: Comes, walk: Walk) -> StepHeld:
        """Nobody whom it names is on call: it waits until somebody is, which is said once for each cause."""
        zone = self.tx.config.schedules[comes.schedule].timezone
        event = StepHeld(
            subject=self.group.id,
            at=self.tx.now,
            at_step=self.position,
            schedule=comes.schedule,
            people=tuple(comes.people),
            until=comes.at,
            there=written(comes.at, zone, self.tx.now),
        )
        self._wait(event, walk)
        return event

    def _wait(self, event: StepPutOff | StepHeld, walk: Walk) -> None:
        tx, group = self.tx, self.group
        tx.set_timer(STEP, group.id, at=event.until)
        tx.set_timer(ASLEEP, group.id, after=LOOK_AGAIN)
        last = walk.put_off
        known = last is not None and (last.at_step, last.until) == (event.at_step, event.until)
        if not known or self.because:
            tx.record(event)
            for room in rooms_told(self.plan, self.step.page, tx):
                tx.news(room, self._told(event.headline()), about=group.id)

    def _told(self, what: str) -> Message:
        before = "".join(f"{part}: " for part in (self.because, what) if part)
        return self.tx.about(self.group, before, command="ack")

    def _other_rooms(self, called: Called) -> list[Place]:
        rooms = rooms_told(self.plan, self.step.page, self.tx)
        return [room for room in rooms if room not in called.rooms]


def nobody_there(plan: Plan, group: AlertGroup, tx: Transaction) -> None:
    """Not one of a whole round could be paged: that is no reason to wait for the last before something rings."""
    rang = tx.fall_back(tx.about(group, "nobody can be paged: ", command="ack"), about=group.id)
    end = "The fallback rings." if rang else "No fallback is configured, so nothing rings."
    for room in rooms_told(plan, (), tx):
        tx.page(room, tx.about(group, "nobody can be paged: ", command="ack", lines=[end]), about=group.id)


def exhaust(plan: Plan, count: int, group: AlertGroup, tx: Transaction) -> EscalationExhausted:
    """Every step has come as often as it should: ring what is not chat, and all rooms, until somebody answers."""
    rang = tx.fall_back(tx.about(group, "nobody answers: ", command="ack"), about=group.id)
    end = "The fallback rings." if rang else "No fallback is configured, so nothing else rings."
    for room in dict.fromkeys([*rooms_told(plan, (), tx), *rooms_so_far(group, tx)]):
        tx.page(room, tx.about(group, "nobody answers: ", command="ack", lines=[end]), about=group.id)
    rest = max(plan.rest, SHORTEST_REST)
    pause = max(rest, min(rest * 2 ** min(count - 1, 10), LONGEST_REST))
    tx.set_timer(STEP, group.id, after=pause)
    return tx.record(EscalationExhausted(subject=group.id, at=tx.now, count=count, rang=rang))
