"""The journal: every event, in the order in which it was recorded, never changed."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, insert, select, text

from tocsin.domain.event import Event
from tocsin.store.schema import events
from tocsin.store.statement import Statement, given

Kinds = Mapping[str, type[Event]]
"""The events that are known, by kind."""

_ADD = Statement(insert(events))
_ROWS = select(events)
_OF = _ROWS.where(events.c.subject == given("subject"), events.c.seq > given("after")).order_by(events.c.seq)
_ALL_OF = Statement(_OF)
_LAST = Statement(
    _ROWS.where(events.c.subject == given("subject"), events.c.kind == given("kind"))
    .order_by(events.c.seq.desc())
    .limit(1)
)
_COLUMNS = {"subject", "at", "by"}
_LAST_BEFORE = Statement(
    select(events.c.seq)
    .where(events.c.subject == given("subject"), events.c.at < given("at", type_=events.c.at.type))
    .order_by(events.c.seq.desc())
    .limit(1)
)
# A partial index is used only where a query repeats its condition word for word.
_PAGES = Statement(
    select(events.c.subject, events.c.at, events.c.body).where(
        text("kind = 'page.begun'"), events.c.at >= given("since", type_=events.c.at.type)
    )
)
_ONE = Statement(_ROWS.where(events.c.seq == given("seq")))


@dataclass(frozen=True)
class Entry:
    """A row of the journal.

    event: None if nothing that runs knows its kind; the headline is readable all the same.
    """

    seq: int
    at: datetime
    recorded_at: datetime
    kind: str
    subject: str
    by: str
    headline: str
    event: Event | None


def add(connection: Connection, event: Event, recorded_at: datetime) -> int:
    """Write an event down, and return its place in the journal."""
    return _ADD.run(
        connection,
        at=event.at,
        recorded_at=recorded_at,
        kind=event.kind,
        subject=event.subject,
        by=event.by,
        headline=event.headline(),
        body=_adapter(type(event)).dump_json(event, exclude=_COLUMNS).decode(),
    ).key


def fields(event: Event) -> Any:
    """What an event holds beside its columns, as JSON holds it."""
    return _adapter(type(event)).dump_python(event, mode="json", exclude=_COLUMNS)


def last_before(connection: Connection, subject: str, at: datetime) -> int:
    """The place in the journal of what happened last to a subject before that time; 0 if nothing did."""
    return int(_LAST_BEFORE.run(connection, subject=subject, at=at).value() or 0)


def pages(connection: Connection, since: datetime) -> Iterator[tuple[str, str, datetime]]:
    """Each `PersonPaged` from then on: the person, the subject, and when; thousands, so no event is made of each."""
    for row in _PAGES.run(connection, since=since):
        yield json.loads(row.body)["person"], row.subject, row.at


@cache
def _some_of(only: tuple[str, ...]) -> Statement:
    return Statement(_OF.where(events.c.kind.in_(only)))


def read(
    connection: Connection, kinds: Kinds, subject: str, only: tuple[str, ...] = (), *, after: int = 0
) -> Iterator[Entry]:
    """The events of a subject, in order. only: those of these kinds. after: those behind that place."""
    query = _some_of(only) if only else _ALL_OF
    return _entries(kinds, query.run(connection, subject=subject, after=after))


def read_last(connection: Connection, kinds: Kinds, subject: str, kind: str) -> Entry | None:
    """The last event of a kind that happened to a subject."""
    return next(_entries(kinds, _LAST.run(connection, subject=subject, kind=kind)), None)


def read_one(connection: Connection, kinds: Kinds, seq: int) -> Entry | None:
    """The event at a place in the journal."""
    return next(_entries(kinds, _ONE.run(connection, seq=seq)), None)


def _entries(kinds: Kinds, rows: Iterable[Any]) -> Iterator[Entry]:
    for row in rows:
        known = kinds.get(row.kind)
        event = None
        if known is not None:
            body = {**json.loads(row.body), "subject": row.subject, "at": row.at, "by": row.by}
            event = _adapter(known).validate_python(body)
        yield Entry(row.seq, row.at, row.recorded_at, row.kind, row.subject, row.by, row.headline, event)


def _adapter(kind: type[Event]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


_ADAPTERS: dict[type[Event], TypeAdapter[Any]] = {}
