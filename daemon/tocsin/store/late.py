"""What waits although something newer about the same waits, too."""

from collections.abc import Iterator

from sqlalchemy import Connection, select, tuple_

from tocsin.store.outbox import Row, Sending, find
from tocsin.store.schema import outbox
from tocsin.store.statement import Statement, given

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


def newer(connection: Connection, row: int) -> Iterator[Row]:
    """What waits of the same sort as a message, about the same subject, in the same place and to the same person, and was
    to be said after it: the newest first.

    Nothing is read before it is asked for: when a network was away for days hundreds may wait, and the first will do.
    """
    for one in _NEWER.run(connection, one_id=row):
        found = find(connection, one.id)
        if found is not None:
            yield found
