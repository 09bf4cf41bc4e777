"""Messages that a digest says: they are CARRIED by it, and become what it becomes."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, update

from tocsin.domain.message import Place
from tocsin.store.outbox import UNDER_WAY_NOW, Lane, Sending
from tocsin.store.schema import outbox
from tocsin.store.statement import Statement, given
from tocsin.store.timers import Now, microseconds

_BY = outbox.c.carried_by == given("digest")
_TAKE = Statement(
    update(outbox)
    .where(outbox.c.id == given("one_id"))
    .values(state=Sending.CARRIED, carried_by=given("digest"), attempts=outbox.c.attempts + 1)
)
_HAND_OVER = Statement(update(outbox).where(_BY).values(carried_by=given("other")))
_SETTLE = Statement(
    update(outbox)
    .where(_BY)
    .values(state=given("to"), settled_at=given("at"), receipt=given("answer"), error=given("why"))
)
_FAILED = Statement(
    update(outbox)
    .where(_BY)
    .values(
        error=given("why"),
        failed_at=func.coalesce(outbox.c.failed_at, given("at", type_=outbox.c.failed_at.type)),
    )
)
_PUT_BACK = Statement(
    update(outbox)
    .where(_BY)
    .values(
        state=Sending.PENDING,
        carried_by=None,
        next_try=given("try_at"),
        attempts=outbox.c.attempts - given("uncounted"),
    )
)
_NUMBERS = Statement(select(outbox.c.id).where(_BY).order_by(outbox.c.id))
_OLDEST = Statement(select(outbox.c.said_at).where(_BY).order_by(outbox.c.said_at).limit(1))
_NEW_FAULTS = Statement(select(outbox.c.id).where(_BY, outbox.c.failed_at.is_(None)).order_by(outbox.c.id))
_theirs = outbox.alias("theirs")
_RELEASE = Statement(
    update(outbox)
    .where(
        outbox.c.settle,
        outbox.c.state == Sending.PENDING,
        outbox.c.settled_at.is_(None),
        outbox.c.subject.in_(select(_theirs.c.subject).where(_theirs.c.carried_by == given("digest"))),
    )
    .values(next_try=given("boot"))
    .returning(outbox.c.place)
)
_SUBJECTS_UNDER_WAY = Statement(
    select(outbox.c.subject, outbox.c.person, outbox.c.place).where(
        outbox.c.settled_at.is_(None),
        outbox.c.lane == Lane.PAGE,
        UNDER_WAY_NOW,
    )
)


def take(connection: Connection, rows: Iterable[int], digest: int) -> None:
    """These are said by that digest from now on."""
    for row in rows:
        _TAKE.run(connection, one_id=row, digest=digest)


def numbers(connection: Connection, digest: int, *, new_faults: bool = False) -> list[int]:
    """The messages that a digest says. new_faults: those that never failed before."""
    query = _NEW_FAULTS if new_faults else _NUMBERS
    return [row.id for row in query.run(connection, digest=digest)]


def oldest(connection: Connection, digest: int) -> datetime | None:
    """When the first of what a digest says was to be said."""
    found: datetime | None = _OLDEST.run(connection, digest=digest).value()
    return found


def hand_over(connection: Connection, digest: int, other: int) -> None:
    """Another digest says them."""
    _HAND_OVER.run(connection, digest=digest, other=other)


def settle(
    connection: Connection, digest: int, state: Sending, now: Now, *, receipt: str = "", error: str = ""
) -> None:
    """Their last state: CONFIRMED, DEAD or CANCELLED."""
    _SETTLE.run(connection, digest=digest, to=state, at=now.at, answer=receipt, why=error)


def failed(connection: Connection, digest: int, now: Now, *, error: str) -> None:
    """The digest failed, for this reason."""
    _FAILED.run(connection, digest=digest, why=error, at=now.at)


def put_back(
    connection: Connection, digest: int, now: Now, wait: timedelta, *, link_down: bool = False
) -> None:
    """Nobody has seen the digest: each waits by itself again, and for so long. link_down: as in `outbox.put_off`."""
    try_at = now.boot + microseconds(wait)
    _PUT_BACK.run(connection, digest=digest, try_at=try_at, uncounted=int(link_down))


def release(connection: Connection, digest: int, now: Now) -> set[Place]:
    """Look anew at the answers that wait for the pages that a digest said; their places."""
    return {Place.parse(row[0]) for row in _RELEASE.run(connection, digest=digest, boot=now.boot)}


def under_way(connection: Connection) -> dict[str, list[tuple[str, str]]]:
    """The pages that may be seen any moment: subject -> the person, if it calls one, and the place of each."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in _SUBJECTS_UNDER_WAY.run(connection):
        found.setdefault(row.subject, []).append((row.person, row.place))
    return found
