"""How much of everything is there, read beside the writer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, literal_column, select

from tocsin.domain.message import Place
from tocsin.store import timers
from tocsin.store.intake import TRY_AGAIN
from tocsin.store.outbox import Lane
from tocsin.store.schema import intake, outbox, subjects
from tocsin.store.schema import timers as timers_table
from tocsin.store.statement import Statement, given
from tocsin.store.timers import Now

_LIVE = outbox.c.settled_at.is_(None)
# Of the oldest in each place and lane alone the time is looked up: it does not stand in the index.
_LANES = (
    select(outbox.c.place, outbox.c.lane, func.count().label("count"), func.min(outbox.c.id).label("first"))
    .where(_LIVE)
    .group_by(outbox.c.place, outbox.c.lane)
    .subquery()
)
_MESSAGES = Statement(
    select(_LANES.c.place, _LANES.c.lane, _LANES.c.count, outbox.c.said_at).join(
        outbox, outbox.c.id == _LANES.c.first
    )
)
_TIMERS = Statement(select(timers_table.c.kind, func.count()).group_by(timers_table.c.kind))
_BODIES = Statement(
    select(func.count()).select_from(intake).where(intake.c.outcome == literal_column("'waiting'"))
)
_OPEN = Statement(
    select(func.count())
    .select_from(subjects)
    .where(subjects.c.closed_at.is_(None), subjects.c.kind == given("one_kind"))
)


@dataclass(frozen=True)
class Waiting:
    """Messages that wait. since: when the oldest of them was to be said."""

    count: int
    since: datetime


@dataclass(frozen=True)
class Counts:
    """All of one moment.

    open: how many subjects of each kind that was asked about are open. bodies: how many wait to be taken in, those among them
    that could not be and are tried again. timers: by kind. next_due: when the next of the timers rings that were asked about; in the past if it is overdue.
    messages: by network and lane.
    """

    open: Mapping[str, int]
    bodies: int
    timers: Mapping[str, int]
    next_due: datetime | None
    messages: Mapping[tuple[str, Lane], Waiting]


def count(connection: Connection, now: Now, *, subjects: Iterable[str], rung: Iterable[str]) -> Counts:
    """Count all that there is. subjects: the kinds of subjects. rung: the kinds of timers that are never late."""
    messages: dict[tuple[str, Lane], Waiting] = {}
    for place, lane, number, since in _MESSAGES.run(connection):
        at = (Place.parse(place).network, Lane(lane))
        before = messages.get(at, Waiting(0, since))
        messages[at] = Waiting(before.count + number, min(before.since, since))
    set_now = dict(_TIMERS.run(connection))
    return Counts(
        open={kind: int(_OPEN.run(connection, one_kind=kind).value()) for kind in subjects},
        bodies=int(_BODIES.run(connection).value()) + set_now.get(TRY_AGAIN, 0),
        timers=set_now,
        next_due=timers.next_due(connection, now, rung),
        messages=messages,
    )
