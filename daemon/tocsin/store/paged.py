"""Whom the messages of the outbox paged and where, or told what is done about it."""

from datetime import UTC, datetime

from sqlalchemy import Connection, exists, select

from tocsin.domain.message import Place
from tocsin.store.outbox import UNDER_WAY_NOW, Lane, Row, Sending, row_of
from tocsin.store.schema import outbox
from tocsin.store.statement import Statement, given

_EVER = datetime.min.replace(tzinfo=UTC)
_PAGED = Statement(
    select(outbox.c.person, outbox.c.place)
    .where(
        outbox.c.subject == given("one_subject"),
        outbox.c.lane == Lane.PAGE,
        outbox.c.state != Sending.CANCELLED,
    )
    .distinct()
)
_WAS_PAGED = Statement(
    select(
        exists().where(
            outbox.c.subject == given("one_subject"),
            outbox.c.lane == Lane.PAGE,
            (outbox.c.person == given("whom"))
            | ((outbox.c.person == "") & (outbox.c.place == given("one_place"))),
            outbox.c.said_at >= given("since", type_=outbox.c.said_at.type),
            outbox.c.said_at <= given("before", type_=outbox.c.said_at.type),
            UNDER_WAY_NOW
            | (
                (outbox.c.state == Sending.CONFIRMED)
                & (outbox.c.settled_at <= given("before", type_=outbox.c.settled_at.type))
            ),
        )
    )
)
_PAGED_LATELY = Statement(
    select(outbox)
    .where(
        outbox.c.lane == Lane.PAGE,
        outbox.c.state == Sending.CONFIRMED,
        outbox.c.carried_by.is_(None),
        outbox.c.settled_at >= given("since", type_=outbox.c.settled_at.type),
    )
    .order_by(outbox.c.settled_at)
)
_LAST_CONFIRMED = Statement(
    select(outbox.c.settled_at)
    .where(
        outbox.c.lane == Lane.PAGE,
        outbox.c.state == Sending.CONFIRMED,
        outbox.c.settled_at.is_not(None),
        # The places of a network: '0' comes right after '/'.
        outbox.c.place > given("first"),
        outbox.c.place < given("beyond"),
    )
    .order_by(outbox.c.settled_at.desc())
    .limit(1)
)
_TOLD = Statement(
    select(outbox.c.place)
    .where(
        outbox.c.subject == given("one_subject"),
        outbox.c.lane.in_([Lane.PAGE, Lane.NEWS]),
        outbox.c.state != Sending.CANCELLED,
    )
    .distinct()
)


def whom(connection: Connection, subject: str) -> list[tuple[str, Place]]:
    """Whom a subject paged and where, or may have; the person is empty for a room."""
    rows = _PAGED.run(connection, one_subject=subject)
    return [(row.person, Place.parse(row.place)) for row in rows]


def was(
    connection: Connection,
    subject: str,
    person: str,
    place: Place,
    *,
    before: datetime,
    since: datetime | None = None,
) -> bool:
    """Whether a page of this subject to a person, or to all in a place, may have been seen before that time.

    since: what was said earlier doesn't count.
    """
    values = {
        "one_subject": subject,
        "whom": person,
        "one_place": str(place),
        "before": before,
        "since": since or _EVER,
    }
    return bool(_WAS_PAGED.run(connection, **values).value())


def lately(connection: Connection, since: datetime) -> list[Row]:
    """The pages that a network took since then."""
    return [row_of(row) for row in _PAGED_LATELY.run(connection, since=since)]


def told(connection: Connection, subject: str) -> set[Place]:
    """Where a subject was paged, or it was said what is done about it, or may have been."""
    return {Place.parse(row.place) for row in _TOLD.run(connection, one_subject=subject)}


def last_confirmed(connection: Connection, network: str) -> datetime | None:
    """When a network took a page last, as far back as messages are kept."""
    found: datetime | None = _LAST_CONFIRMED.run(
        connection, first=f"{network}/", beyond=f"{network}0"
    ).value()
    return found
