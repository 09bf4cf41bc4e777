"""Subjects: what events happen to. One row each, so that what is open is found without reading the journal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, union_all, update

from tocsin.domain.event import short_id
from tocsin.store.schema import pruned, subjects
from tocsin.store.statement import Statement, given


@dataclass(frozen=True)
class Subject:
    """Something with a life: an alert group, an incident.

    id: what people type. key: what the outside knows it by; one subject of a kind is open for a key at a time.
    """

    id: str
    kind: str
    key: str
    opened_at: datetime


_ADD = Statement(insert(subjects))
# What was pruned counts too: no number and no id is given twice.
_GIVEN = union_all(
    *(select(func.max(table.c.number).label("last")) for table in (subjects, pruned))
).subquery()
_NEXT = Statement(select(func.coalesce(func.max(_GIVEN.c.last), -1) + 1))
_COUNTS = [
    Statement(select(func.count()).select_from(table).where(table.c.kind == given("one_kind")))
    for table in (subjects, pruned)
]
_PRUNED = Statement(select(pruned.c.prune).where(pruned.c.id == given("one_id")))
_FIND = Statement(select(subjects).where(subjects.c.id == given("one_id")))
_OPEN = subjects.c.closed_at.is_(None)
_OPEN_FOR = Statement(
    select(subjects).where(subjects.c.kind == given("one_kind"), subjects.c.key == given("one_key"), _OPEN)
)
_ALL_OPEN = Statement(
    select(subjects).where(subjects.c.kind == given("one_kind"), _OPEN).order_by(subjects.c.number)
)
_LAST_CLOSED = Statement(
    select(subjects)
    .where(
        subjects.c.kind == given("one_kind"),
        subjects.c.key == given("one_key"),
        subjects.c.closed_at > given("since", type_=subjects.c.closed_at.type),
    )
    .order_by(subjects.c.closed_at.desc())
    .limit(1)
)
_CLOSED_SINCE = Statement(
    select(subjects)
    .where(
        subjects.c.kind == given("one_kind"),
        subjects.c.closed_at > given("since", type_=subjects.c.closed_at.type),
    )
    .order_by(subjects.c.number)
)
_REOPEN = Statement(update(subjects).where(subjects.c.id == given("one_id")).values(closed_at=None))
_CLOSE = Statement(update(subjects).where(subjects.c.id == given("one_id")).values(closed_at=given("at")))


def add(connection: Connection, kind: str, key: str, at: datetime) -> str:
    """A new subject, open; its id."""
    number = int(_NEXT.run(connection).value())
    subject = short_id(number)
    _ADD.run(connection, number=number, id=subject, kind=kind, key=key, opened_at=at)
    return subject


def add_counted(connection: Connection, kind: str, at: datetime) -> str:
    """A new subject, open, whose id is the number of those of its kind, from 1 on: no other id is a number."""
    number = int(_NEXT.run(connection).value())
    subject = str(sum(int(count.run(connection, one_kind=kind).value()) for count in _COUNTS) + 1)
    _ADD.run(connection, number=number, id=subject, kind=kind, key=subject, opened_at=at)
    return subject


def find(connection: Connection, subject: str) -> Subject | None:
    """The subject with this id."""
    return _first(connection, _FIND, one_id=subject)


def pruned_by(connection: Connection, subject: str) -> int | None:
    """Where in the journal it stands that what bore this id is gone; None if nothing that is gone bore it."""
    row = _PRUNED.run(connection, one_id=subject).first()
    return None if row is None else int(row.prune)


def open_for(connection: Connection, kind: str, key: str) -> Subject | None:
    """The subject that is open for this key."""
    return _first(connection, _OPEN_FOR, one_kind=kind, one_key=key)


def last_closed(connection: Connection, kind: str, key: str, since: datetime) -> Subject | None:
    """The subject that was closed last for this key, if that was after that time."""
    row = _LAST_CLOSED.run(connection, one_kind=kind, one_key=key, since=since).first()
    return None if row is None else _subject(row)


def closed_since(connection: Connection, kind: str, since: datetime) -> Sequence[Subject]:
    """The subjects of a kind that were closed after that time, the oldest first."""
    return [_subject(row) for row in _CLOSED_SINCE.run(connection, one_kind=kind, since=since)]


def reopen(connection: Connection, subject: str) -> None:
    """It goes on; no other may be open for the same key."""
    _REOPEN.run(connection, one_id=subject)


def all_open(connection: Connection, kind: str) -> Sequence[Subject]:
    """Every open subject of a kind, the oldest first."""
    return [_subject(row) for row in _ALL_OPEN.run(connection, one_kind=kind)]


def close(connection: Connection, subject: str, at: datetime) -> None:
    """Let another subject be opened for the same key."""
    _CLOSE.run(connection, one_id=subject, at=at)


def _first(connection: Connection, query: Statement, **values: str) -> Subject | None:
    row = query.run(connection, **values).first()
    return None if row is None else _subject(row)


def _subject(row: Any) -> Subject:
    return Subject(row.id, row.kind, row.key, row.opened_at)
