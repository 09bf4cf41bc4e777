"""What is old is taken out, in small parts: in turns of their own, each kept whole or not at all.

An incident and its alerts go together, or stay. Killed anywhere, each of them is there whole, or is one that was pruned; what
was left of those is found the next time.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, or_, select

from tocsin.domain.digest import DIGEST
from tocsin.domain.incident_events import INCIDENT
from tocsin.store.schema import audit, events, outbox, pruned, pruning, subjects, timers
from tocsin.store.statement import Statement, given

MOST_AT_ONCE = 50
"""So many rows one statement takes out: a few milliseconds at most."""


@dataclass(frozen=True)
class Part:
    """A small part of what is to go, each of one kind.

    ids: subjects that go together, with their events. after: only if this one is gone; or empty. events: those at these places
    of the journal. audit: the lines of it up to this one.
    """

    ids: Sequence[str] = ()
    after: str = ""
    events: Sequence[int] = ()
    audit: int = 0


def ended(before: Any) -> tuple[ColumnElement[bool], ...]:
    """Whether a subject was over by then, nothing happened to it since, and nothing about it is still to be said."""
    return (
        or_(subjects.c.closed_at < before, and_(subjects.c.kind == DIGEST, subjects.c.opened_at < before)),
        ~exists().where(events.c.subject == subjects.c.id, events.c.recorded_at >= before),
        ~exists().where(outbox.c.subject == subjects.c.id, outbox.c.settled_at.is_(None)),
    )


_BEGIN = Statement(insert(pruning))
_END = Statement(delete(pruning))
_FIND = Statement(select(subjects.c.number, subjects.c.kind).where(subjects.c.id == given("one_id")))
_ONE = given("one_id")
_BEFORE = given("before", type_=subjects.c.closed_at.type)
_FIT = Statement(
    select(subjects.c.id).where(
        subjects.c.id == _ONE,
        *ended(_BEFORE),
        # Of the core's own a number is a message's, not an incident's.
        ~exists().where(
            timers.c.key == _ONE, or_(~timers.c.kind.startswith("core."), subjects.c.kind != INCIDENT)
        ),
        # '0' comes right after '/'.
        ~exists().where(timers.c.key > _ONE.concat("/"), timers.c.key < _ONE.concat("0")),
    )
)
_IS_PRUNED = Statement(select(pruned.c.id).where(pruned.c.id == _ONE))
_REMEMBER = Statement(insert(pruned))
_FORGET = Statement(delete(subjects).where(subjects.c.id == _ONE))
_UNSAY = Statement(delete(outbox).where(outbox.c.subject == _ONE, outbox.c.settled_at.is_not(None)))
_SOME = select(events.c.seq).where(events.c.subject == _ONE, events.c.recorded_at < _BEFORE)
_SOME_EVENTS = Statement(delete(events).where(events.c.seq.in_(_SOME.limit(MOST_AT_ONCE))))
_EVENT = Statement(delete(events).where(events.c.seq == given("one_seq"), events.c.recorded_at < _BEFORE))
_OLD_LINES = select(audit.c.seq).where(audit.c.seq <= given("last"), audit.c.at < _BEFORE)
_SOME_LINES = Statement(delete(audit).where(audit.c.seq.in_(_OLD_LINES.limit(MOST_AT_ONCE))))


@dataclass(frozen=True)
class Taken:
    """parts: how many of those that were given are done, the first ones. counts: as in `Plan`, what went by that."""

    parts: int
    counts: Mapping[str, int]


def take(
    connection: Connection,
    prune: int,
    before: datetime,
    parts: Iterable[Part],
    enough: Callable[[], bool],
) -> Taken:
    """Take some parts out, in the connection's transaction; all of it is looked at again, for it may have gone on.

    prune: where in the journal it stands that this is done. enough: asked again and again; with True the rest is left.
    """
    taking, done = _Taking(connection, prune, before, enough), 0
    _BEGIN.run(connection, before=before)  # if anything raises, the turn is undone, and this row with it
    for part in parts:
        if not taking.whole(part):
            break
        done += 1
        if enough():
            break
    _END.run(connection)
    return Taken(done, taking.counts)


@dataclass
class _Taking:
    """In one transaction. counts: what was taken out so far."""

    connection: Connection
    prune: int
    before: datetime
    enough: Callable[[], bool]
    counts: Counter[str] = field(default_factory=Counter)

    def whole(self, part: Part) -> bool:
        """Take a part out; False if some of it is left."""
        for seq in part.events:
            self.counts["events"] += _EVENT.run(self.connection, one_seq=seq, before=self.before).rowcount
        if part.audit and not self._all("audit", _SOME_LINES, last=part.audit):
            return False
        if part.after and not self._is_pruned(part.after):
            return True
        there = [one for one in part.ids if not self._is_pruned(one)]
        if all(self._fits(one) for one in there):
            for one in there:
                self._let_go(one)
            return all(self._all("events", _SOME_EVENTS, one_id=one) for one in part.ids)
        return True

    def _all(self, name: str, some: Statement, **of: object) -> bool:
        while taken := some.run(self.connection, before=self.before, **of).rowcount:
            self.counts[name] += taken
            if self.enough():
                return False
        return True

    def _is_pruned(self, subject: str) -> bool:
        return _IS_PRUNED.run(self.connection, one_id=subject).first() is not None

    def _fits(self, subject: str) -> bool:
        return _FIT.run(self.connection, one_id=subject, before=self.before).first() is not None

    def _let_go(self, subject: str) -> None:
        """From now on nothing bears that id."""
        row = _FIND.run(self.connection, one_id=subject).first()
        _REMEMBER.run(self.connection, number=row.number, id=subject, kind=row.kind, prune=self.prune)
        _FORGET.run(self.connection, one_id=subject)
        _UNSAY.run(self.connection, one_id=subject)
        self.counts[row.kind] += 1
