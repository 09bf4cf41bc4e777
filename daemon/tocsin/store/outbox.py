"""The outbox: what must be said, and how far that has come.

    PENDING ──claim──▶ SENDING ──receipt──▶ CONFIRMED
      ▲ │                │
      │ └─ack─▶ CANCELLED ├─ surely not sent ─▶ PENDING, later
      └───────────────────┤
                          ├─ answer lost, crash ─▶ UNKNOWN, settled by sending it again with the same txn_id
                          └─ can't be sent ─▶ DEAD, and people are told

Where a digest says many at once they are CARRIED, and it goes this way for all of them: `store/carried.py`.

A body never changes once it may have been seen, and its txn_id goes with it: a network that knows the id makes
two tries one message.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from itertools import islice
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, exists, func, insert, select, update

from tocsin.domain.message import Message, Place
from tocsin.store.schema import outbox
from tocsin.store.statement import Statement, given
from tocsin.store.timers import Now, microseconds


class Lane(IntEnum):
    """What goes first where several things wait for one place.

    FIRST is what must be known before anything else makes sense; it is worth saying only while it is new.
    PAGE and NEWS of an alert are not said any more once somebody has answered. EDIT puts right what was said.
    """

    FIRST = -1
    PAGE = 0
    ANSWER = 1
    STATUS = 2
    NEWS = 3
    EDIT = 4


class Sending(StrEnum):
    """How far a message has come; see the drawing above."""

    PENDING = "PENDING"
    SENDING = "SENDING"
    CARRIED = "CARRIED"
    UNKNOWN = "UNKNOWN"
    CONFIRMED = "CONFIRMED"
    DEAD = "DEAD"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True)
class Row:
    """A message on its way.

    subject: the id of what it is about, or empty. person: who is paged by it, or empty.
    settle: it is said only once the pages of its subject that are under way are settled.
    folds: a digest may say it with others. carries: it is a digest. carried_by: the number of the one that says it.
    amends: the number of the message in whose place it stands. way_of: the number of the page that it is one of several
    ways of; for the first of them that is its own.
    attempts: how often it was sent. failed_at: when it failed first. said_at: when it was to be said.
    error: why it failed last. receipt: what the network said when it took it. seen_at: when whoever it calls saw it.
    settled_at: when it came to its last state.
    replaces: the receipt of the message that it amends; known only once it is claimed.
    """

    id: int
    lane: Lane
    place: Place
    subject: str
    person: str
    message: Message
    txn_id: str
    state: Sending
    settle: bool
    folds: bool
    carries: bool
    carried_by: int | None
    amends: int | None
    way_of: int | None
    said_boot: int
    attempts: int
    failed_at: datetime | None
    said_at: datetime
    error: str
    receipt: str
    seen_at: datetime | None
    settled_at: datetime | None
    replaces: str = ""


_MESSAGE = TypeAdapter(Message)
_ADD = Statement(insert(outbox))
_REWORD = Statement(
    update(outbox).where(outbox.c.id == given("one_id")).values(body=given("text"), txn_id=given("txn"))
)
_LIVE = outbox.c.settled_at.is_(None)
_READY = _LIVE & outbox.c.state.in_([Sending.PENDING, Sending.UNKNOWN])
UNDER_WAY_NOW = outbox.c.state.in_([Sending.SENDING, Sending.CARRIED, Sending.UNKNOWN])
_earlier = outbox.alias("earlier")
_HELD_BACK = exists().where(
    _earlier.c.place == outbox.c.place,
    _earlier.c.subject == outbox.c.subject,
    outbox.c.subject != "",
    _earlier.c.id < outbox.c.id,
    _earlier.c.state.in_([Sending.PENDING, Sending.UNKNOWN]),
    _earlier.c.echo_of.is_(None),
    _earlier.c.next_try > given("boot"),
)
_DUE = (outbox.c.place == given("one_place"), _READY, outbox.c.next_try <= given("boot"), ~_HELD_BACK)
_FOLDS = outbox.c.folds & (outbox.c.state == Sending.PENDING)
_NEXT = Statement(select(outbox).where(*_DUE).order_by(outbox.c.lane, outbox.c.id).limit(1))
_NEXT_ALONE = Statement(select(outbox).where(*_DUE, ~_FOLDS).order_by(outbox.c.lane, outbox.c.id).limit(1))
_FOLDED = Statement(
    select(outbox).where(*_DUE, _FOLDS, outbox.c.lane == given("one_lane")).order_by(outbox.c.id)
)
_FOLDING = Statement(
    select(outbox.c.id, outbox.c.lane, outbox.c.subject, outbox.c.said_boot)
    .where(*_DUE, _FOLDS)
    .order_by(outbox.c.lane, outbox.c.id)
)
_WHEN = Statement(
    select(func.min(outbox.c.next_try)).where(
        outbox.c.place == given("one_place"), _READY, outbox.c.next_try > given("boot"), ~_HELD_BACK
    )
)
_CLAIM = Statement(
    update(outbox)
    .where(outbox.c.id == given("one_id"))
    .values(state=Sending.SENDING, attempts=outbox.c.attempts + 1)
)
_SETTLE = Statement(
    update(outbox)
    .where(outbox.c.id == given("one_id"))
    .values(state=given("to"), settled_at=given("at"), receipt=given("answer"), error=given("why"))
)
_PUT_OFF = Statement(
    update(outbox)
    .where(outbox.c.id == given("one_id"))
    .values(
        state=given("to"),
        next_try=given("try_at"),
        attempts=outbox.c.attempts - given("uncounted"),
        error=given("why"),
        failed_at=func.coalesce(outbox.c.failed_at, given("at", type_=outbox.c.failed_at.type)),
    )
)
_FIND = Statement(select(outbox).where(outbox.c.id == given("one_id")))
_WAYS = Statement(select(outbox).where(outbox.c.way_of == given("page")).order_by(outbox.c.id))
_BEGIN_WAYS = Statement(update(outbox).where(outbox.c.id == given("one_id")).values(way_of=outbox.c.id))
_TROUBLED = Statement(
    select(
        exists().where(
            outbox.c.place == given("one_place"),
            _LIVE,
            outbox.c.state.in_([Sending.SENDING, Sending.UNKNOWN]) | outbox.c.failed_at.is_not(None),
        )
    )
)
_UNDER_WAY = Statement(
    select(outbox.c.person, outbox.c.place)
    .where(
        outbox.c.subject == given("one_subject"),
        outbox.c.lane == Lane.PAGE,
        UNDER_WAY_NOW,
    )
    .order_by(outbox.c.id)
)
_CANCEL = Statement(
    update(outbox)
    .where(
        outbox.c.subject == given("one_subject"),
        outbox.c.lane.in_([Lane.PAGE, Lane.NEWS]),
        outbox.c.state == Sending.PENDING,
    )
    .values(state=Sending.CANCELLED, settled_at=given("at"))
)
_CANCEL_THEIRS = Statement(
    update(outbox)
    .where(
        outbox.c.subject == given("one_subject"),
        outbox.c.lane == Lane.PAGE,
        outbox.c.person == given("one_person"),
        outbox.c.state == Sending.PENDING,
    )
    .values(state=Sending.CANCELLED, settled_at=given("at"))
)
_ACCEPTED_SINCE = Statement(
    select(
        exists().where(
            outbox.c.place == given("one_place"),
            outbox.c.state == Sending.CONFIRMED,
            outbox.c.echo_of.is_(None),
            outbox.c.settled_at > given("since", type_=outbox.c.settled_at.type),
        )
    )
)


def add(
    connection: Connection,
    place: Place,
    message: Message,
    now: Now,
    *,
    lane: Lane,
    subject: str = "",
    person: str = "",
    settle: bool = False,
    carries: bool = False,
    amends: int | None = None,
    way_of: int | None = None,
    attempts: int = 0,
) -> int:
    """Something to be said; its id. carries, amends, way_of, attempts: as in `Row`."""
    values = {
        "lane": lane,
        "place": str(place),
        "subject": subject,
        "person": person,
        "body": _MESSAGE.dump_json(message).decode(),
        "txn_id": _txn_id(),
        "state": Sending.PENDING,
        "settle": settle,
        "folds": message.told is not None and bool(subject),
        "carries": carries,
        "amends": amends,
        "way_of": way_of,
        "said_at": now.at,
        "said_boot": now.boot,
        "attempts": attempts,
        "next_try": now.boot,
        "receipt": "",
        "error": "",
    }
    return _ADD.run(connection, **values).key


def _txn_id() -> str:
    """Not the row's id: after a database was begun anew, a network would take new messages for old ones."""
    return secrets.token_hex(16)


def find(connection: Connection, row: int) -> Row | None:
    """The message with this id, and its state."""
    found = _FIND.run(connection, one_id=row).first()
    return None if found is None else row_of(found)


def begin_ways(connection: Connection, row: int) -> None:
    """It is the first of several ways of a page."""
    _BEGIN_WAYS.run(connection, one_id=row)


def ways(connection: Connection, page: int) -> list[Row]:
    """The messages that are ways of a page, in the order in which they were taken; none if it has one way only."""
    return [row_of(row) for row in _WAYS.run(connection, page=page)]


def next_for(connection: Connection, place: Place, now: Now, *, alone: bool = False) -> Row | None:
    """What is to be said next in a place: what is in doubt or waits, by lane, then in the order it was said.

    A message that waits for another try holds back what was said after it on the same subject, and nothing else.
    alone: nothing that a digest may say with others.
    """
    query = _NEXT_ALONE if alone else _NEXT
    found = query.run(connection, one_place=str(place), boot=now.boot).first()
    return None if found is None else row_of(found)


@dataclass(frozen=True)
class Folding:
    """What waits for a place and may be said in a digest; as in `Row`."""

    id: int
    lane: Lane
    subject: str
    said_boot: int


def folding(connection: Connection, place: Place, now: Now) -> list[Folding]:
    """All that is to be said in a place now and may be said in a digest, by lane, then in order."""
    rows = _FOLDING.run(connection, one_place=str(place), boot=now.boot)
    return [Folding(row.id, Lane(row.lane), row.subject, row.said_boot) for row in rows]


def folded(
    connection: Connection, place: Place, lane: Lane, now: Now, *, most: int | None = None
) -> list[Row]:
    """What may be said in a digest of one lane now, in order: all of it, or so many."""
    rows = _FOLDED.run(connection, one_place=str(place), one_lane=lane, boot=now.boot)
    return [row_of(row) for row in islice(rows, most)]


def next_try(connection: Connection, place: Place, now: Now) -> int | None:
    """When the next message for a place that waits for another try is to be tried, in microseconds on the boot clock."""
    values = {"one_place": str(place), "boot": now.boot}
    found: int | None = _WHEN.run(connection, **values).value()
    return found


def claim(connection: Connection, row: int) -> None:
    """From now on it may be seen."""
    _CLAIM.run(connection, one_id=row)


def settle(
    connection: Connection, row: int, state: Sending, now: Now, *, receipt: str = "", error: str = ""
) -> None:
    """Its last state: CONFIRMED, DEAD or CANCELLED."""
    _SETTLE.run(connection, one_id=row, to=state, at=now.at, answer=receipt, why=error)


def put_off(
    connection: Connection,
    row: int,
    state: Sending,
    now: Now,
    wait: timedelta,
    *,
    error: str = "",
    link_down: bool = False,
) -> None:
    """Try it later: PENDING if surely nobody has seen it, else UNKNOWN.

    error: why it failed, if it did. link_down: it was never sent this time, and so that is no attempt.
    """
    values = {"try_at": now.boot + microseconds(wait), "at": now.at if error else None, "why": error}
    _PUT_OFF.run(connection, one_id=row, to=state, uncounted=int(link_down), **values)


def reword(connection: Connection, row: int, message: Message) -> str:
    """Say something else instead; only for what was never sent. Its new txn_id."""
    txn_id = _txn_id()
    body = _MESSAGE.dump_json(message).decode()
    _REWORD.run(connection, one_id=row, text=body, txn=txn_id)
    return txn_id


def release(connection: Connection, subject: str, now: Now) -> set[Place]:
    """Look anew at the answers that wait for the pages of a subject; their places."""
    waiting = (outbox.c.subject == subject, outbox.c.settle, outbox.c.state == Sending.PENDING)
    places = connection.execute(select(outbox.c.place).where(*waiting).distinct()).scalars().all()
    if places:
        connection.execute(update(outbox).where(*waiting).values(next_try=now.boot))
    return {Place.parse(place) for place in places}


def hasten(connection: Connection, network: str) -> set[Place]:
    """Try all that waits for a network at once; the places."""
    there = (_READY, outbox.c.place.startswith(f"{network}/", autoescape=True))
    places = connection.execute(select(outbox.c.place).where(*there).distinct()).scalars().all()
    if places:
        connection.execute(update(outbox).where(*there).values(next_try=0))
    return {Place.parse(place) for place in places}


def under_way(connection: Connection, subject: str) -> list[str]:
    """Whom a page of this subject may reach any moment: people, and rooms by their names."""
    rows = _UNDER_WAY.run(connection, one_subject=subject)
    return list(dict.fromkeys(row.person or Place.parse(row.place).name for row in rows))


def cancel_pages(connection: Connection, subject: str, now: Now, person: str = "") -> int:
    """Begin no page of this subject that is not under way; how many those were. person: to whom, if not to all."""
    if person:
        return _CANCEL_THEIRS.run(connection, one_subject=subject, one_person=person, at=now.at).rowcount
    return _CANCEL.run(connection, one_subject=subject, at=now.at).rowcount


def cancel_first(connection: Connection, network: str, now: Now) -> None:
    """Something newer is to be said first on this network."""
    waiting = (outbox.c.lane == Lane.FIRST, outbox.c.state == Sending.PENDING, _LIVE)
    there = outbox.c.place.startswith(f"{network}/", autoescape=True)
    settled = {"state": Sending.CANCELLED, "settled_at": now.at}
    connection.execute(update(outbox).where(*waiting, there).values(**settled))


def accepted_since(connection: Connection, place: Place, since: datetime) -> bool:
    """Whether a place took anything after that time."""
    return bool(_ACCEPTED_SINCE.run(connection, one_place=str(place), since=since).value())


def troubled(connection: Connection, place: Place) -> bool:
    """Whether a place has not taken something yet that was sent there, or was to be."""
    return bool(_TROUBLED.run(connection, one_place=str(place)).value())


def after_start(connection: Connection, now: Now) -> set[Place]:
    """After a stop, what was being sent may have been seen, and all is tried at once. The places that wait."""
    sending = _LIVE & (outbox.c.state == Sending.SENDING)
    connection.execute(update(outbox).where(sending).values(state=Sending.UNKNOWN))
    # Times on the boot clock of another boot say nothing.
    # What a digest carries may wait by itself again.
    connection.execute(update(outbox).where(_LIVE).values(next_try=0, said_boot=now.boot))
    places = connection.execute(select(outbox.c.place).where(_READY).distinct()).scalars()
    return {Place.parse(place) for place in places}


def forget(connection: Connection, before: datetime) -> None:
    """Forget messages that were settled long ago."""
    connection.execute(delete(outbox).where(outbox.c.settled_at < before))


def row_of(found: Any) -> Row:
    """A row of the table, read."""
    return Row(
        id=found.id,
        lane=Lane(found.lane),
        place=Place.parse(found.place),
        subject=found.subject,
        person=found.person,
        message=_MESSAGE.validate_json(found.body),
        txn_id=found.txn_id,
        state=Sending(found.state),
        settle=found.settle,
        folds=found.folds,
        carries=found.carries,
        carried_by=found.carried_by,
        amends=found.amends,
        way_of=found.way_of,
        said_boot=found.said_boot,
        attempts=found.attempts,
        failed_at=found.failed_at,
        said_at=found.said_at,
        error=found.error,
        receipt=found.receipt,
        seen_at=found.seen_at,
        settled_at=found.settled_at,
    )
