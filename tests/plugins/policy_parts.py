"""What tests of policies share."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from tocsin.domain.event import Event
from tocsin_escalation.events import (
    PeopleJoined,
    StepPutOff,
    StepTaken,
)
from tocsin_escalation.plan import FrozenStep, Plan, Position
from tocsin_escalation.progress import Progress

AT = datetime(2026, 11, 21, 3, tzinfo=UTC)
NO_TIME = timedelta(0)
FIRST = Position(0, 0)
FIVE, TEN = timedelta(minutes=5), timedelta(minutes=10)


def replayed(events: Iterable[Event]) -> Progress:
    progress = Progress()
    for event in events:
        progress.apply(event)
    return progress


def step(*page: str, room: tuple[str, ...] = (), wait: timedelta = FIVE) -> FrozenStep:
    return FrozenStep(page, room, wait)


def plan(*steps: FrozenStep, rounds: int = 1, rest: timedelta = TEN) -> Plan:
    return Plan("ops", steps or (step("alice"), step("bob", wait=FIVE)), rounds, rest)


def taken(
    position: Position = FIRST,
    *,
    people: tuple[str, ...] = (),
    rooms: tuple[str, ...] = (),
    missing: tuple[str, ...] = (),
    by: str = "",
    pages: tuple[int, ...] = (),
    asleep: tuple[str, ...] = (),
) -> StepTaken:
    return StepTaken(
        subject="k7f3",
        at=AT,
        by=by,
        at_step=position,
        people=people,
        rooms=rooms,
        pages=pages,
        missing=missing,
        asleep=asleep,
    )


WAITS = StepPutOff(
    subject="k7f3",
    at=AT,
    at_step=Position(0, 1),
    people=("alice",),
    until=AT + timedelta(hours=3),
    there="07:00 UTC+1",
)
JOINED = PeopleJoined(subject="k7f3", at=AT, people=("bob",), because="bob came on call", asleep=("alice",))
