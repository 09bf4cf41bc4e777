"""What waits of one subject in one place beside something newer about it, that waits, too."""

from collections.abc import Iterator

from sqlalchemy import Connection, select, tuple_

from tocsin.store.outbox import Lane, Row, Sending, find, row_of
from tocsin.store.schema import outbox
from tocsin.store.statement import Statement, given
from tocsin.store.timers import Now

_older = outbox.alias("older")
_NEWER = Statement(
    select(outbox.c.id)
    .join(_older, _older.c.id == given("one_id"))
    .where(
        outbox.c.subject == _older.c.subject,
        outbox.c.place == _older.c.place,
        outbox.c.person == _older.c.person,
        outbox.c.lane == _older.c.lane,
        outbox.c.state == Sending.PENDING,
        ~outbox.c.carries,
        tuple_(outbox.c.said_at, outbox.c.id) > tuple_(_older.c.said_at, _older.c.id),
    )
    .order_by(outbox.c.said_at.desc(), outbox.c.id.desc())
)


_BEFORE = Statement(
    select(outbox)
    .where(
        outbox.c.place == given("one_place"),
        outbox.c.subject == given("one_subject"),
        outbox.c.lane == Lane.STATUS,
        outbox.c.state.in_([Sending.PENDING, Sending.UNKNOWN]),
        outbox.c.echo_of.is_(None),
        outbox.c.next_try <= given("boot"),
        outbox.c.id < given("one_id"),
    )
    .order_by(outbox.c.id)
    .limit(1)
)


def before(connection: Connection, row: Row, now: Now) -> Row | None:
    """What has become of the same subject and is still to be said in that place, from before a message, if there is any."""
    values = {"one_place": str(row.place), "boot": now.boot, "one_subject": row.subject, "one_id": row.id}
    found = _BEFORE.run(connection, **values).first() if row.subject else None
    return None if found is None else row_of(found)


def newer(connection: Connection, row: int) -> Iterator[Row]:
    """What waits of the same sort as a message, about the same subject, in the same place and to the same person, and was
    to be said after it: the newest first.

    Nothing is read before it is asked for: when a network was away for days hundreds may wait, and the first will do.
    """
    for one in _NEWER.run(connection, one_id=row):
        found = find(connection, one.id)
        if found is not None:
            yield found
