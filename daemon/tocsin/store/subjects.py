"""Subjects: what events happen to. One row each, so that what is open is found without reading the journal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update

from tocsin.domain.event import short_id
from tocsin.store.schema import subjects


@dataclass(frozen=True)
class Subject:
    """Something with a life: an alert group, an incident.

    id: what people type. key: what the outside knows it by; one subject of a kind is open for a key at a time.
    """

    id: str
    kind: str
    key: str
    opened_at: datetime


_ADD = insert(subjects)
_NEXT = select(func.coalesce(func.max(subjects.c.number), -1) + 1)
_FIND = select(subjects).where(subjects.c.id == bindparam("one_id"))
_OPEN = subjects.c.closed_at.is_(None)
_OPEN_FOR = select(subjects).where(
    subjects.c.kind == bindparam("one_kind"), subjects.c.key == bindparam("one_key"), _OPEN
)
_ALL_OPEN = (
    select(subjects).where(subjects.c.kind == bindparam("one_kind"), _OPEN).order_by(subjects.c.number)
)
_CLOSE = update(subjects).where(subjects.c.id == bindparam("one_id")).values(closed_at=bindparam("at"))


def add(connection: Connection, kind: str, key: str, at: datetime) -> str:
    """A new subject, open; its id."""
    number = int(connection.execute(_NEXT).scalar_one())
    subject = short_id(number)
    connection.execute(_ADD, {"number": number, "id": subject, "kind": kind, "key": key, "opened_at": at})
    return subject


def find(connection: Connection, subject: str) -> Subject | None:
    """The subject with this id."""
    return _first(connection, _FIND, one_id=subject)


def open_for(connection: Connection, kind: str, key: str) -> Subject | None:
    """The subject that is open for this key."""
    return _first(connection, _OPEN_FOR, one_kind=kind, one_key=key)


def all_open(connection: Connection, kind: str) -> Sequence[Subject]:
    """Every open subject of a kind, the oldest first."""
    return [_subject(row) for row in connection.execute(_ALL_OPEN, {"one_kind": kind})]


def close(connection: Connection, subject: str, at: datetime) -> None:
    """Let another subject be opened for the same key."""
    connection.execute(_CLOSE, {"one_id": subject, "at": at})


def _first(connection: Connection, query: Select[Any], **values: str) -> Subject | None:
    row = connection.execute(query, values).one_or_none()
    return None if row is None else _subject(row)


def _subject(row: Row[Any]) -> Subject:
    return Subject(row.id, row.kind, row.key, row.opened_at)
