"""Timers: what must happen later. A timer that is set is rung at least once, however long the daemon was away."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, or_, select, update

from tocsin.store.schema import timers, upsert

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
    and the daemon went down before it ended.
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
_SET = _INSERT.on_conflict_do_update(
    index_elements=["kind", "key"], set_={name: _INSERT.excluded[name] for name in _COLUMNS}
)
_IS = (timers.c.kind == bindparam("one_kind"), timers.c.key == bindparam("one_key"))
_CANCEL = delete(timers).where(*_IS)
_KNOWN = timers.c.kind.in_(bindparam("kinds", expanding=True))
_BY_BOOT = select(timers).where(timers.c.due_boot.is_not(None)).order_by(timers.c.due_boot)
_BY_WALL = select(timers).where(timers.c.due_boot.is_(None)).order_by(timers.c.due_at)
_FIRST = [query.where(_KNOWN).limit(1) for query in (_BY_BOOT, _BY_WALL)]
_DUE_BOOT = timers.c.due_boot <= bindparam("boot")
_DUE_WALL = timers.c.due_at <= bindparam("at")
_DUE = [
    query.where(_KNOWN, due).limit(bindparam("most"))
    for query, due in ((_BY_BOOT, _DUE_BOOT), (_BY_WALL, _DUE_WALL))
]
_STILL_DUE = select(timers).where(*_IS, or_(_DUE_BOOT, timers.c.due_boot.is_(None) & _DUE_WALL))
_BEGIN = update(timers).where(*_IS).values(begun=timers.c.begun + 1)
_LIVE = select(
    exists().where(
        timers.c.key == bindparam("one_key"), timers.c.kind.in_(bindparam("kinds", expanding=True))
    )
)


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
    connection.execute(_SET, {"kind": kind, "key": key, "attempts": attempts, "begun": 0, **values})


def set_at(connection: Connection, kind: str, key: str, at: datetime) -> None:
    """Ring when the wall clock shows that time; replaces what was set."""
    values = {"due_at": at, "delay": None, "due_boot": None, "boot_id": None}
    connection.execute(_SET, {"kind": kind, "key": key, "attempts": 0, "begun": 0, **values})


def cancel(connection: Connection, kind: str, key: str) -> None:
    """Don't ring; nothing happens if it was not set."""
    connection.execute(_CANCEL, {"one_kind": kind, "one_key": key})


def due(connection: Connection, now: Now, kinds: Iterable[str], most: int) -> Sequence[Timer]:
    """The timers of these kinds that should have rung by now, the most overdue first."""
    values = {"boot": now.boot, "at": now.at, "kinds": list(kinds), "most": most}
    rows = (row for query in _DUE for row in connection.execute(query, values))
    found = [_timer(row) for row in rows]
    return sorted(found, key=lambda timer: timer.due_at)[:most]


def still_due(connection: Connection, kind: str, key: str, now: Now) -> Timer | None:
    """The timer, unless it was cancelled or set anew since it was found due."""
    values = {"one_kind": kind, "one_key": key, "boot": now.boot, "at": now.at}
    row = connection.execute(_STILL_DUE, values).one_or_none()
    return None if row is None else _timer(row)


def begin(connection: Connection, timer: Timer) -> None:
    """Remember that a timer is about to ring."""
    connection.execute(_BEGIN, {"one_kind": timer.kind, "one_key": timer.key})


def next_due(connection: Connection, now: Now, kinds: Iterable[str]) -> datetime | None:
    """When the next timer of these kinds rings, on the wall clock as it goes now."""
    rows = [row for query in _FIRST for row in connection.execute(query, {"kinds": list(kinds)})]
    return min(
        (
            row.due_at if row.due_boot is None else now.at + (row.due_boot - now.boot) * _MICROSECOND
            for row in rows
        ),
        default=None,
    )


def any_for(connection: Connection, key: str, kinds: Iterable[str]) -> bool:
    """Whether a timer of one of these kinds is set for this key."""
    return bool(connection.execute(_LIVE, {"one_key": key, "kinds": list(kinds)}).scalar())


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


def all_kinds(connection: Connection) -> set[str]:
    """The kinds of all timers that are set."""
    return set(connection.execute(select(timers.c.kind).distinct()).scalars())


def _timer(row: Row[Any]) -> Timer:
    return Timer(row.kind, row.key, row.due_at, row.attempts, row.begun)
