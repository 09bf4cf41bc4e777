"""What must always hold of what is kept, asked of the database alone: not of the parts that see to it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    ScalarSelect,
    String,
    cast,
    exists,
    func,
    or_,
    select,
    type_coerce,
)

from tocsin.domain.flapping import FlappingEnded, GroupFiredAgain, GroupQuieted
from tocsin.domain.group import (
    GroupAcknowledged,
    GroupOpened,
    GroupReopened,
    GroupResolved,
    GroupSilenced,
    GroupUnacknowledged,
    SilenceEnded,
)
from tocsin.domain.message import Place
from tocsin.domain.page import PageDelivered, PageFailed
from tocsin.store.outbox import Lane, Sending
from tocsin.store.schema import events, outbox, subjects, timers
from tocsin.store.statement import Statement, given
from tocsin.store.timers import Now, microseconds

_TRIGGERED = [GroupOpened.kind, GroupReopened.kind, GroupUnacknowledged.kind, SilenceEnded.kind]
_STATES = [*_TRIGGERED, GroupAcknowledged.kind, GroupSilenced.kind, GroupResolved.kind]
_FLAPS = [GroupQuieted.kind, GroupFiredAgain.kind, FlappingEnded.kind, GroupSilenced.kind, GroupResolved.kind]


@dataclass(frozen=True)
class NextSteps:
    """The timers that are an alert group's next step: of one that rings, of one in silence, of one that flaps and is quiet."""

    rings: tuple[str, ...]
    silenced: str
    quiet: str


@dataclass(frozen=True)
class Stranded:
    """Open groups that nothing will ever go on with: that ring, are in silence, or flap and are quiet."""

    rings: Sequence[str]
    silenced: Sequence[str]
    quiet: Sequence[str]


@dataclass(frozen=True)
class Late:
    """A timer that should have rung. due: what says that it is the same one still."""

    kind: str
    key: str
    due: str


@dataclass(frozen=True)
class Unsettled:
    """A page of which nothing tells what became, and nothing will. id: of the message; page: the page's number."""

    id: int
    page: int
    subject: str
    state: Sending


def _last(kinds: Collection[str]) -> ScalarSelect[str]:
    """What of these happened last to a subject."""
    of_it = (events.c.subject == subjects.c.id, events.c.kind.in_(list(kinds)))
    return select(events.c.kind).where(*of_it).order_by(events.c.seq.desc()).limit(1).scalar_subquery()


def _timer(*kinds: str) -> ColumnElement[bool]:
    return exists().where(timers.c.key == subjects.c.id, timers.c.kind.in_(kinds))


@cache
def _without(steps: NextSteps) -> Statement:
    return Statement(
        select(
            subjects.c.id,
            _last(_STATES).label("state"),
            _last(_FLAPS).label("flaps"),
            _timer(steps.silenced).label("silence_ends"),
            _timer(steps.quiet).label("flapping_ends"),
        )
        .where(subjects.c.kind == given("one_kind"), subjects.c.closed_at.is_(None), ~_timer(*steps.rings))
        .order_by(subjects.c.number)
    )


@cache
def _overdue(kinds: tuple[str, ...]) -> Statement:
    by_boot = timers.c.due_boot <= given("boot")
    by_wall = timers.c.due_boot.is_(None) & (timers.c.due_at <= given("at", type_=timers.c.due_at.type))
    known = timers.c.kind.in_(kinds)
    return Statement(select(timers).where(known, or_(by_boot, by_wall)).order_by(timers.c.due_at))


_LIVE = outbox.c.settled_at.is_(None)
_FAILED_THERE = select(outbox.c.place).where(_LIVE, outbox.c.failed_at.is_not(None))
_READY_PAGES = Statement(
    select(outbox.c.place, func.min(outbox.c.id).label("first"))
    .where(
        _LIVE,
        outbox.c.state.in_([Sending.PENDING, Sending.UNKNOWN]),
        outbox.c.lane == Lane.PAGE,
        outbox.c.echo_of.is_(None),
        outbox.c.next_try <= given("boot"),
        outbox.c.place.not_in(_FAILED_THERE),
    )
    .group_by(outbox.c.place)
)
_SETTLED_SINCE = Statement(
    select(outbox.c.place)
    .where(outbox.c.settled_at > given("since", type_=outbox.c.settled_at.type))
    .distinct()
)
_SENDING = Statement(
    select(outbox.c.id, outbox.c.place, outbox.c.attempts).where(_LIVE, outbox.c.state == Sending.SENDING)
)
_PAGE = func.coalesce(outbox.c.way_of, outbox.c.id)
_TOLD = exists().where(
    events.c.subject == outbox.c.subject,
    events.c.kind.in_([PageDelivered.kind, PageFailed.kind]),
    type_coerce(events.c.body, JSON)["page"].as_integer() == _PAGE,
)


@cache
def _unsettled(deadline: str, outcomes: tuple[str, ...], *, live: bool) -> Statement:
    waits = timers.c.kind == deadline
    comes = timers.c.kind.in_(outcomes)
    lately = outbox.c.settled_at > given("since", type_=outbox.c.settled_at.type)
    return Statement(
        select(outbox.c.id, _PAGE.label("page"), outbox.c.subject, outbox.c.state).where(
            _LIVE if live else lately,  # each by its own index: both in one would read all that was ever said
            outbox.c.lane == Lane.PAGE,
            outbox.c.subject != "",
            ~outbox.c.carries,
            outbox.c.place != given("but_not"),
            outbox.c.state != Sending.CANCELLED,
            ~exists().where(waits, timers.c.key == cast(_PAGE, String)),
            ~exists().where(comes, timers.c.key == cast(outbox.c.id, String)),
            ~_TOLD,
        )
    )


def stranded(connection: Connection, kind: str, steps: NextSteps) -> Stranded:
    """The open groups without a next step. kind: of subjects that are groups."""
    rings, silenced, quiet = list[str](), list[str](), list[str]()
    for row in _without(steps).run(connection, one_kind=kind):
        if row.state == GroupSilenced.kind and not row.silence_ends:
            silenced.append(row.id)
        elif row.state in _TRIGGERED and row.flaps != GroupQuieted.kind:
            rings.append(row.id)
        elif row.state in _TRIGGERED and not row.flapping_ends:
            quiet.append(row.id)
    return Stranded(rings, silenced, quiet)


def overdue(connection: Connection, now: Now, kinds: Collection[str], by: timedelta) -> Sequence[Late]:
    """The timers of these kinds that should have rung so long ago, or longer."""
    values = {"boot": now.boot - microseconds(by), "at": now.at - by}
    rows = _overdue(tuple(kinds)).run(connection, **values)
    return [Late(row.kind, row.key, f"{row.due_at} {row.due_boot} {row.begun}") for row in rows]


def waiting_pages(connection: Connection, now: Now, since: datetime) -> dict[Place, int]:
    """Where pages wait that could be sent, and the first of each place; but not where something is tried again or was
    settled since that time: there somebody is at work.
    """
    goes_on = {row.place for row in _SETTLED_SINCE.run(connection, since=since)}
    waiting = _READY_PAGES.run(connection, boot=now.boot)
    return {Place.parse(row.place): row.first for row in waiting if row.place not in goes_on}


def sending(connection: Connection) -> dict[tuple[int, int], Place]:
    """What is being sent: the message's number and which try it is, and where to."""
    return {(row.id, row.attempts): Place.parse(row.place) for row in _SENDING.run(connection)}


def unsettled(
    connection: Connection, deadline: str, outcomes: tuple[str, ...], but_not: Place, since: datetime
) -> Sequence[Unsettled]:
    """Pages past their deadline with neither `PageDelivered` nor `PageFailed`, of those that wait or were settled since then.

    deadline: the timer of each page's number until that is known. outcomes: those that will tell it of each message.
    but_not: a place where pages have none.
    """
    waits = _unsettled(deadline, outcomes, live=True).run(connection, but_not=str(but_not))
    lately = _unsettled(deadline, outcomes, live=False).run(connection, but_not=str(but_not), since=since)
    found = [Unsettled(row.id, row.page, row.subject, Sending(row.state)) for row in (*waits, *lately)]
    return sorted(found, key=lambda one: one.id)
