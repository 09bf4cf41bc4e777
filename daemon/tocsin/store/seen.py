"""Which pages were seen by whom they call."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, exists, func, literal_column, select, update

from tocsin.domain.message import Place
from tocsin.store import outbox as rows
from tocsin.store.outbox import Lane, Row, Sending
from tocsin.store.schema import outbox
from tocsin.store.statement import Statement, given

LOOK_BACK = timedelta(hours=12)
"""Whoever sees a page so late changes nothing by that."""

_CONFIRMED = outbox.c.state == Sending.CONFIRMED
_SAID = Statement(
    select(func.max(outbox.c.settled_at).label("at")).where(
        outbox.c.receipt == given("one_receipt"), outbox.c.place == given("one_place"), _CONFIRMED
    )
)
_SENDING = Statement(
    select(
        exists().where(
            outbox.c.place == given("one_place"),
            outbox.c.settled_at.is_(None),
            outbox.c.state.in_([Sending.SENDING, Sending.UNKNOWN]),
        )
    )
)
_UNSEEN = Statement(
    select(outbox.c.id)
    .where(
        outbox.c.place == given("one_place"),
        outbox.c.lane == literal_column(str(int(Lane.PAGE))),  # word for word as in the index
        _CONFIRMED,
        outbox.c.seen_at.is_(None),
        outbox.c.settled_at > given("since", type_=outbox.c.settled_at.type),
        outbox.c.settled_at <= given("until", type_=outbox.c.settled_at.type),
    )
    .order_by(outbox.c.id)
    .limit(given("most"))
)
_SEE = Statement(update(outbox).where(outbox.c.id == given("one_id")).values(seen_at=given("at")))
_SEEN_BY = Statement(
    select(outbox.c.person, func.max(outbox.c.seen_at).label("at"))
    .where(
        outbox.c.subject == given("one_subject"),
        outbox.c.lane == Lane.PAGE,
        outbox.c.person != "",
        outbox.c.seen_at.is_not(None),
        outbox.c.said_at >= given("since", type_=outbox.c.said_at.type),
    )
    .group_by(outbox.c.person)
    .order_by(func.max(outbox.c.seen_at))
)


def said_at(connection: Connection, place: Place, receipt: str) -> datetime | None:
    """When a network took the message with that receipt; None if there is none in that place."""
    at: datetime | None = _SAID.run(connection, one_receipt=receipt, one_place=str(place)).value()
    return at


def is_sending(connection: Connection, place: Place) -> bool:
    """Whether something may be heard in a place of which no receipt is known."""
    return bool(_SENDING.run(connection, one_place=str(place)).value())


def unseen(connection: Connection, place: Place, until: datetime, most: int) -> list[Row]:
    """The pages that a place took up to then and that nobody has seen: so many of them at most."""
    values = {"one_place": str(place), "since": until - LOOK_BACK, "until": until, "most": most}
    found = (rows.find(connection, row.id) for row in _UNSEEN.run(connection, **values))
    return [row for row in found if row is not None]


def see(connection: Connection, page: int, at: datetime) -> None:
    """A page was seen."""
    _SEE.run(connection, one_id=page, at=at)


def seen_by(connection: Connection, subject: str, since: datetime) -> dict[str, datetime]:
    """Who has seen a page of a subject that was said since then, and when last."""
    found = _SEEN_BY.run(connection, one_subject=subject, since=since)
    return {row.person: row.at for row in found}
