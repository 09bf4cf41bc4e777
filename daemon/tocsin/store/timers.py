"""Timers: what must happen later. A timer that is set is rung at least once, however long the daemon was away."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, delete, exists, or_, select, update

from tocsin.domain.message import Place
from tocsin.store.schema import outbox, timers, upsert
from tocsin.store.statement import Statement, given

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Now:
    """The time of a turn, on both clocks. at: the wall clock. boot: microseconds since the start of `boot_id`."""

    at: datetime
    boot: int
    boot_id: str


@dataclass(frozen=True)
class Timer:
    """A timer that rings.

    due_at: when it was meant to. attempts: how often its handler has failed. begun: how often it was begun since,
    and has not ended; the daemon may have gone down with it.
    """

    kind: str
    key: str
    due_at: datetime
    attempts: int
    begun: int


def microseconds(length: timedelta) -> int:
    """A length of time in whole microseconds."""
    return length // _MICROSECOND


_COLUMNS = ("due_at", "delay", "due_boot", "boot_id", "attempts", "begun")
_INSERT = upsert(timers)
_SET = Statement(
    _INSERT.on_conflict_do_update(
        index_elements=["kind", "key"], set_={name: _INSERT.excluded[name] for name in _COLUMNS}
    )
)
_IS = (timers.c.kind == given("one_kind"), timers.c.key == given("one_key"))
_CANCEL = Statement(delete(timers).where(*_IS))
_BY_BOOT = select(timers).where(timers.c.due_boot.is_not(None)).order_by(timers.c.due_boot)
_BY_WALL = select(timers).where(timers.c.due_boot.is_(None)).order_by(timers.c.due_at)
_DUE_BOOT = timers.c.due_boot <= given("boot")
_DUE_WALL = timers.c.due_at <= given("at")
_STILL_DUE = Statement(select(timers).where(*_IS, or_(_DUE_BOOT, timers.c.due_boot.is_(None) & _DUE_WALL)))
_FIND = Statement(select(timers).where(*_IS))
_WAITS_THERE = select(cast(outbox.c.way_of, Text)).where(
    outbox.c.place == given("one_place"), outbox.c.settled_at.is_(None), outbox.c.way_of.is_not(None)
)
_HASTEN_WAYS = Statement(
    update(timers)
    .where(
        timers.c.kind == given("one_kind"), timers.c.due_boot > given("boot"), timers.c.key.in_(_WAITS_THERE)
    )
    .values(due_boot=given("boot"), due_at=given("at", type_=timers.c.due_at.type))
)
_BEGIN = Statement(update(timers).where(*_IS).values(begun=timers.c.begun + 1))


class _Asked:
    """What is asked again and again of the timers of some kinds, which are the same as long as a daemon runs."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        known = timers.c.kind.in_(kinds)
        self.due_by_boot = Statement(_BY_BOOT.where(known, _DUE_BOOT).limit(given("most")))
        self.due_by_wall = Statement(_BY_WALL.where(known, _DUE_WALL).limit(given("most")))
        self.first = [Statement(query.where(known).limit(1)) for query in (_BY_BOOT, _BY_WALL)]
        later = (
            _BY_BOOT.where(timers.c.due_boot > given("boot")),
            _BY_WALL.where(timers.c.due_at > given("at")),
        )
        self.later = [Statement(query.where(known).limit(1)) for query in later]
        self.any_for = Statement(select(exists().where(timers.c.key == given("one_key"), known)))


@cache
def _asked(kinds: tuple[str, ...]) -> _Asked:
    return _Asked(kinds)


def set_after(
    connection: Connection, kind: str, key: str, delay: timedelta, now: Now, *, attempts: int = 0
) -> None:
    """Ring once so much time has passed, whatever happens to the wall clock; replaces what was set."""
    length = microseconds(delay)
    values = {
        "due_at": now.at + delay,
        "delay": length,
        "due_boot": now.boot + length,
        "boot_id": now.boot_id,
    }
    _SET.run(connection, kind=kind, key=key, attempts=attempts, begun=0, **values)


def set_at(connection: Connection, kind: str, key: str, at: datetime) -> None:
    """Ring when the wall clock shows that time; replaces what was set."""
    values = {"due_at": at, "delay": None, "due_boot": None, "boot_id": None}
    _SET.run(connection, kind=kind, key=key, attempts=0, begun=0, **values)


def cancel(connection: Connection, kind: str, key: str) -> None:
    """Don't ring; nothing happens if it was not set."""
    _CANCEL.run(connection, one_kind=kind, one_key=key)


def due(connection: Connection, now: Now, kinds: Iterable[str], most: int) -> Sequence[Timer]:
    """The timers of these kinds that should have rung by now, the most overdue first."""
    asked = _asked(tuple(kinds))
    rows = [
        *asked.due_by_boot.run(connection, boot=now.boot, most=most),
        *asked.due_by_wall.run(connection, at=now.at, most=most),
    ]
    return sorted(map(_timer, rows), key=lambda timer: timer.due_at)[:most]


def still_due(connection: Connection, kind: str, key: str, now: Now) -> Timer | None:
    """The timer, unless it was cancelled or set anew since it was found due."""
    values = {"one_kind": kind, "one_key": key, "boot": now.boot, "at": now.at}
    row = _STILL_DUE.run(connection, **values).first()
    return None if row is None else _timer(row)


def begin(connection: Connection, timer: Timer) -> None:
    """Remember that a timer is about to ring."""
    _BEGIN.run(connection, one_kind=timer.kind, one_key=timer.key)


def is_begun(connection: Connection, timer: Timer) -> bool:
    """Whether the timer is still the one that was begun: neither cancelled since, nor set anew, nor begun again."""
    row = _FIND.run(connection, one_kind=timer.kind, one_key=timer.key).first()
    return row is not None and row.begun == timer.begun + 1


def forgive(connection: Connection) -> None:
    """The daemon did not go down with any that was begun."""
    connection.execute(update(timers).where(timers.c.begun > 0).values(begun=0))


def next_due(
    connection: Connection, now: Now, kinds: Iterable[str], *, but_not_due: bool = False
) -> datetime | None:
    """When the next timer of these kinds rings, on the wall clock as it goes now.

    but_not_due: the next of those that are not due yet.
    """
    asked = _asked(tuple(kinds))
    queries = asked.later if but_not_due else asked.first
    rows = [row for query in queries for row in query.run(connection, boot=now.boot, at=now.at)]
    return min(
        (
            row.due_at if row.due_boot is None else now.at + (row.due_boot - now.boot) * _MICROSECOND
            for row in rows
        ),
        default=None,
    )


def any_for(connection: Connection, key: str, kinds: Iterable[str]) -> bool:
    """Whether a timer of one of these kinds is set for this key."""
    return bool(_asked(tuple(kinds)).any_for.run(connection, one_key=key).value())


def left(connection: Connection, kind: str, key: str, now: Now) -> timedelta | None:
    """How long until a timer rings, if it is set; nothing or less if it is due."""
    row = _FIND.run(connection, one_kind=kind, one_key=key).first()
    if row is None:
        return None
    length: timedelta = (
        row.due_at - now.at if row.due_boot is None else (row.due_boot - now.boot) * _MICROSECOND
    )
    return length


def keys(connection: Connection, kinds: Iterable[str]) -> set[str]:
    """The keys for which a timer of one of these kinds is set."""
    return set(connection.execute(select(timers.c.key).where(timers.c.kind.in_(list(kinds)))).scalars())


def after_start(connection: Connection, now: Now) -> None:
    """Take over the delays of an earlier boot, whose clock is gone: what is left of them by the wall clock.

    Never more than the whole delay: a machine may come up with its clock in 1970.
    """
    old = select(timers).where(timers.c.boot_id != now.boot_id)
    for row in connection.execute(old).all():
        left = min(max(0, microseconds(row.due_at - now.at)), row.delay)
        connection.execute(
            update(timers)
            .where(timers.c.kind == row.kind, timers.c.key == row.key)
            .values(due_boot=now.boot + left, boot_id=now.boot_id)
        )


def begin_anew(connection: Connection, kind: str, now: Now) -> None:
    """The delays of this kind begin anew, each with its whole length."""
    rows = connection.execute(select(timers.c.key, timers.c.delay).where(timers.c.kind == kind)).all()
    for key, delay in rows:
        set_after(connection, kind, key, delay * _MICROSECOND, now)


def hasten_ways(connection: Connection, kind: str, place: Place, now: Now) -> bool:
    """Ring those of this kind at once that are set for pages which wait for a place; whether there were any."""
    values = {"one_kind": kind, "one_place": str(place), "boot": now.boot, "at": now.at}
    return _HASTEN_WAYS.run(connection, **values).rowcount > 0


def all_kinds(connection: Connection) -> set[str]:
    """The kinds of all timers that are set."""
    return set(connection.execute(select(timers.c.kind).distinct()).scalars())


def _timer(row: Row[Any]) -> Timer:
    return Timer(row.kind, row.key, row.due_at, row.attempts, row.begun)
