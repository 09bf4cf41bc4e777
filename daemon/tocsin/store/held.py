"""Messages that wait for a bridge to bring what is said elsewhere in their place: `echo_of` says which one that is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, select, update

from tocsin.domain.message import Place
from tocsin.store.outbox import Row, Sending, find
from tocsin.store.schema import outbox
from tocsin.store.statement import Statement, given
from tocsin.store.timers import Now, microseconds

_HELD = outbox.c.echo_of.is_not(None) & (outbox.c.state == Sending.PENDING)
_THERE = (outbox.c.place == given("one_place"), outbox.c.settled_at.is_(None), _HELD)
_HOLD = Statement(
    update(outbox)
    .where(outbox.c.id == given("one_id"))
    .values(echo_of=given("leader"), next_try=given("try_at"))
)
_DUE = Statement(
    select(outbox.c.id, outbox.c.echo_of, outbox.c.said_boot)
    .where(*_THERE, outbox.c.next_try <= given("boot"))
    .order_by(outbox.c.id)
)
_FREE = Statement(update(outbox).where(outbox.c.id == given("one_id")).values(echo_of=None))
_FREE_ALL = Statement(update(outbox).where(*_THERE).values(echo_of=None, next_try=given("boot")))
_carried = outbox.alias("carried")
_BY = or_(
    outbox.c.echo_of == given("leader"),
    outbox.c.echo_of.in_(select(_carried.c.id).where(_carried.c.carried_by == given("leader"))),
)
_DROP = Statement(update(outbox).where(*_THERE, _BY).values(state=Sending.CONFIRMED, settled_at=given("at")))
_FREE_OF = Statement(update(outbox).where(*_THERE, _BY).values(echo_of=None, next_try=given("boot")))
_SAID_SINCE = Statement(
    select(outbox.c.id).where(
        outbox.c.settled_at >= given("since", type_=outbox.c.settled_at.type),
        outbox.c.state == Sending.CONFIRMED,
        outbox.c.echo_of.is_(None),
    )
)


@dataclass(frozen=True)
class Held:
    """A message that waits. leader: the number of the one that is to be heard in its place. said_boot: as in `Row`."""

    id: int
    leader: int
    said_boot: int


def hold(connection: Connection, row: int, leader: int, now: Now, wait: timedelta) -> None:
    """Let a message wait for another one to be heard in its place, for so long before it is looked at."""
    _HOLD.run(connection, one_id=row, leader=leader, try_at=now.boot + microseconds(wait))


def due(connection: Connection, place: Place, now: Now) -> Iterable[Held]:
    """What waits in a place and is to be looked at now."""
    rows = list(_DUE.run(connection, one_place=str(place), boot=now.boot))
    return [Held(row.id, row.echo_of, row.said_boot) for row in rows]


def free(connection: Connection, row: int) -> None:
    """It is to be said after all."""
    _FREE.run(connection, one_id=row)


def free_all(connection: Connection, place: Place, now: Now) -> None:
    """All that waits in a place is to be said after all, now."""
    _FREE_ALL.run(connection, one_place=str(place), boot=now.boot)


def free_of(connection: Connection, leader: int, place: Place, now: Now) -> int:
    """What waits in a place for that one is to be said after all, now; how many messages that are."""
    return _FREE_OF.run(connection, leader=leader, one_place=str(place), boot=now.boot).rowcount


def drop(connection: Connection, leader: int, place: Place, now: Now) -> None:
    """What was to be heard in a place was: nothing more is to be said there."""
    _DROP.run(connection, leader=leader, one_place=str(place), at=now.at)


def said_since(connection: Connection, since: datetime) -> list[Row]:
    """All that was taken since then."""
    # By number only now: by the database, that would be to read all that was ever said.
    numbers = sorted(row.id for row in _SAID_SINCE.run(connection, since=since))
    found = [find(connection, number) for number in numbers]
    return [row for row in found if row is not None]
