"""Edits: what of the outbox stands as the line about a subject, and what puts that right."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, exists, select, update

from tocsin.domain.message import Message, Place
from tocsin.store import outbox as rows
from tocsin.store.outbox import Lane, Row, Sending
from tocsin.store.schema import outbox
from tocsin.store.statement import Statement, given
from tocsin.store.timers import Now, microseconds

_LIVE = outbox.c.settled_at.is_(None)
_STANDS = Statement(
    select(outbox.c.id)
    .where(
        outbox.c.subject == given("one_subject"),
        outbox.c.place == given("one_place"),
        outbox.c.lane.in_([Lane.PAGE, Lane.NEWS]),
        outbox.c.state.in_([Sending.CONFIRMED, Sending.SENDING, Sending.UNKNOWN]),
        outbox.c.carried_by.is_(None),
        outbox.c.echo_of.is_(None),
        ~outbox.c.carries,
        outbox.c.said_at >= given("since", type_=outbox.c.said_at.type),
    )
    .order_by(outbox.c.id.desc())
    .limit(1)
)
_OF = outbox.c.amends == given("line")
_EDITS = Statement(
    select(outbox.c.id, outbox.c.state, outbox.c.settled_at)
    .where(_OF, outbox.c.state.not_in([Sending.DEAD, Sending.CANCELLED]))
    .order_by(outbox.c.id.desc())
    .limit(2)
)
_TRY_AT = Statement(
    update(outbox)
    .where(outbox.c.id == given("one_id"))
    .values(next_try=given("try_at"), said_boot=given("boot"))
)
_SUPERSEDE = Statement(
    update(outbox)
    .where(_OF, _LIVE, outbox.c.id < given("newer"))
    .values(state=Sending.CANCELLED, settled_at=given("at"))
)
_PAGES_WAIT = Statement(
    select(
        exists().where(
            _LIVE,
            outbox.c.place >= given("from_place"),
            outbox.c.place < given("to_place"),
            outbox.c.lane <= Lane.PAGE,
            (outbox.c.state == Sending.SENDING)
            | (outbox.c.state.in_([Sending.PENDING, Sending.UNKNOWN]) & (outbox.c.next_try <= given("boot"))),
        )
    )
)


@dataclass(frozen=True)
class Edit:
    """An edit of a line that was not given up. settled_at: when the network took it, if it did."""

    id: int
    state: Sending
    settled_at: datetime | None


def stands(connection: Connection, place: Place, subject: str, since: datetime) -> Row | None:
    """The newest page or news of a subject in a place that stands there by itself, or may by now.

    since: what was said earlier is not looked at.
    """
    values = {"one_subject": subject, "one_place": str(place), "since": since}
    found = _STANDS.run(connection, **values).value()
    return None if found is None else rows.find(connection, found)


def edits(connection: Connection, line: int) -> list[Edit]:
    """The last two edits of a line, the newest first."""
    return [Edit(row.id, Sending(row.state), row.settled_at) for row in _EDITS.run(connection, line=line)]


def put(connection: Connection, line: Row, message: Message, now: Now, wait: timedelta) -> None:
    """Say this in place of a line, after a while; what waits to be said in its place is said no more."""
    newest = next(iter(edits(connection, line.id)), None)
    if newest is not None and newest.state is Sending.PENDING:
        number = newest.id
        rows.reword(connection, number, message)
    else:
        # About the line, and not its subject: neither waits for the other, nor is one cancelled with the other.
        number = rows.add(connection, line.place, message, now, lane=Lane.EDIT, amends=line.id)
    _TRY_AT.run(connection, one_id=number, try_at=now.boot + microseconds(wait), boot=now.boot)


def supersede(connection: Connection, edit: Row, now: Now) -> None:
    """Nothing older is said any more in place of what this one puts right."""
    _SUPERSEDE.run(connection, line=edit.amends, newer=edit.id, at=now.at)


def pages_wait(connection: Connection, network: str, now: Now) -> bool:
    """Whether a page is being said on a network, or could be now."""
    places = {"from_place": f"{network}/", "to_place": f"{network}0"}  # 0 comes after the stroke
    return bool(_PAGES_WAIT.run(connection, **places, boot=now.boot).value())
