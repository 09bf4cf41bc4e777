"""Calendars that programs read: whose they are, which addresses are good, and what stands in them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.api import Shift, Transaction, listed
from tocsin_schedules.events import CALENDARS, CalendarMade, CalendarRevoked

PATH, ENDING = "calendar", ".ics"

BACK, AHEAD = timedelta(days=14), timedelta(days=180)
"""What a calendar holds: programs forget what is in it no more."""


@dataclass(frozen=True)
class Entry:
    """Something in a calendar.

    key: the same for as long as it is the same thing, and nothing in it tells who.
    """

    start: datetime
    end: datetime
    summary: str
    key: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A schedule's part of a calendar; what is on call when is worked out as it is read.

    gaps: when nobody is, though somebody need be; empty if that is nothing to this calendar.
    """

    schedule: str
    shifts: Iterator[Shift]
    gaps: Iterator[tuple[datetime, datetime]]


@dataclass(frozen=True)
class Calendar:
    """What an address stands for. made: who made it when, and for what. since: its first instant."""

    made: CalendarMade
    sources: Sequence[Source]
    since: datetime

    @property
    def name(self) -> str:
        return f"{self.made.of or self.made.by} on call"

    def entries(self) -> Iterator[Entry]:
        """All that stands in it. What began before it keeps its key while its own beginning is cut off day by day."""
        for source in self.sources:
            for entry in self._mine(source) if not self.made.of else self._shared(source):
                began = entry.start.isoformat() if entry.start > self.since else ""
                yield Entry(entry.start, entry.end, entry.summary, (*entry.key, began))

    def _mine(self, source: Source) -> Iterator[Entry]:
        """The shifts of who made it; whoever else has them comes and goes."""
        key, summary = (source.schedule, self.made.by), f"{source.schedule} on call"
        pending: Entry | None = None
        for shift in source.shifts:
            if self.made.by not in shift.people:
                continue
            if pending is not None and pending.end == shift.start:
                pending = Entry(pending.start, shift.end, summary, key)
                continue
            if pending is not None:
                yield pending
            pending = Entry(shift.start, shift.end, summary, key)
        if pending is not None:
            yield pending

    def _shared(self, source: Source) -> Iterator[Entry]:
        """Everybody's shifts, so that handoffs are seen, by name or not, and the gaps."""
        for shift in source.shifts:
            if shift.people:
                who = listed(shift.people) if self.made.names else "covered"
                yield Entry(shift.start, shift.end, f"{source.schedule}: {who}", (source.schedule, "shift"))
        for start, end in source.gaps:
            yield Entry(start, end, f"{source.schedule}: nobody", (source.schedule, "gap"))


def digest(secret: str) -> str:
    """What is kept of an address, by which it is known again and not found out."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def standing(tx: Transaction) -> Mapping[tuple[str, str], CalendarMade]:
    """The calendars whose addresses are good, by who made them and of what."""
    found: dict[tuple[str, str], CalendarMade] = {}
    for entry in tx.story(CALENDARS, (CalendarMade, CalendarRevoked)):
        match entry.event:
            case CalendarMade() as made:
                found[made.by, made.of] = made
            case CalendarRevoked(by=by, of=of):
                found.pop((by, of), None)
    return found


def schedules_of(name: str, tx: Transaction) -> Sequence[str]:
    """The schedules that a name means: one, or those that members of a team are on; all of them without one."""
    schedules = tx.config.schedules
    if name in schedules or not name:
        return [name] if name else list(schedules)
    members = set(tx.config.teams[name].members) if name in tx.config.teams else set[str]()
    return [each for each, schedule in schedules.items() if members & set(schedule.people)]


def find(text: str, tx: Transaction) -> Calendar | None:
    """The calendar of an address; None once it was revoked, or whoever made it has left."""
    made = next((one for one in standing(tx).values() if one.digest == digest(text)), None)
    if made is None or made.by not in tx.config.people:
        return None
    if made.of and made.of not in tx.config.schedules and made.of not in tx.config.teams:
        return None
    today = tx.now.replace(hour=0, minute=0, second=0, microsecond=0)
    since, until = today - BACK, today + AHEAD
    sources = [
        Source(name, tx.shifts(name, since, until), tx.gaps(name, since, until))
        for name in schedules_of(made.of, tx)
    ]
    return Calendar(made, sources, since)
