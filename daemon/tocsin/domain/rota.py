"""Rotas: who is on call when, on the wall clock of a time zone.

Turns, hours and limits are wall clock times, as people write them, and become instants only here. What begins at a time
begins at the first instant at which clocks there show that time or a later one, and what ends at a time ends after the last
instant at which they show an earlier one. So a handoff in an hour that is skipped happens at its end; in one that comes
twice it happens once, the first time; and hours that end in such an hour end the second time.
"""

import math
import re
from bisect import bisect_right, insort
from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import chain, islice
from operator import itemgetter
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from tocsin.domain.words import offset_of, on_the_wall

_DAY = timedelta(days=1)
_MOMENT = timedelta(microseconds=1)
_MIDNIGHT = datetime.fromisoformat("2000-01-01")

Span = tuple[datetime, datetime]
"""From an instant until another one, in UTC."""


class Unit(StrEnum):
    """In what the length of a turn is counted, on the wall clock; a month is one of the calendar."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


EVERY_FORM = "a length such as 'week', '2 weeks', 'day', '12 hours' or 'month'"
"""What `parse_every` reads, as an error says it."""


def parse_every(text: str) -> tuple[int, Unit]:
    """How long a turn is: how many of what. Raises ValueError."""
    found = re.fullmatch(r"(?:([1-9][0-9]{0,3})\s*)?(hour|day|week|month)s?", text.strip().lower())
    if found is None:
        raise ValueError(f"must be {EVERY_FORM}, not {text!r}")
    return int(found[1] or 1), Unit(found[2])


_LENGTHS = {Unit.HOUR: timedelta(hours=1), Unit.DAY: _DAY, Unit.WEEK: 7 * _DAY}


class Shift(NamedTuple):
    """From an instant until another one, in UTC, these people are on call; nobody in a gap."""

    start: datetime
    end: datetime
    people: tuple[str, ...]


@dataclass(frozen=True)
class Rotation:
    """People who take turns for ever.

    turns: who has each of them, in order. begins: when the first one begins, on the wall clock; before that it is
    nobody's turn. every, unit: how long each is. A month from the 31st ends on the last day of a shorter month, and
    the next one begins on the 31st again.
    """

    turns: tuple[tuple[str, ...], ...]
    begins: datetime
    every: int = 1
    unit: Unit = Unit.WEEK

    def wall(self, number: int) -> datetime:
        """When that turn begins, on the wall clock; the first has the number 0."""
        if self.unit is not Unit.MONTH:
            return self.begins + number * self.every * _LENGTHS[self.unit]
        year, month = divmod(self.begins.year * 12 + self.begins.month - 1 + number * self.every, 12)
        day = min(self.begins.day, monthrange(year, month + 1)[1])
        return self.begins.replace(year=year, month=month + 1, day=day)

    def number(self, wall: datetime) -> int:
        """The turn that begins last until that time, on the wall clock."""
        if self.unit is not Unit.MONTH:
            return (wall - self.begins) // (self.every * _LENGTHS[self.unit])
        months = (wall.year - self.begins.year) * 12 + wall.month - self.begins.month
        number = months // self.every
        return number if self.wall(number) <= wall else number - 1

    def shifts(self, since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[Shift]:
        """The turns in that time, cut at its ends."""
        begun = _shown(since, zone) >= self.begins
        start = since if begun else max(since, begin_at(self.begins, zone))
        if len(self.turns) == 1:
            if start < until:
                yield Shift(start, until, self.turns[0])
            return
        number = max(0, self.number(_shown(start, zone)))
        while start < until:
            end = begin_at(self.wall(number + 1), zone)
            if end > start:  # else it was over before: in an hour that comes twice clocks go back behind it
                yield Shift(start, min(end, until), self.turns[number % len(self.turns)])
                start = end
            number += 1


@dataclass(frozen=True)
class Listed:
    """A shift that stands by itself, on the wall clock."""

    start: datetime
    end: datetime
    people: tuple[str, ...]


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ONE_DAY = rf"(?:{'|'.join(_DAYS)})"
_TIME = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]|24:00"
_HOURS = re.compile(
    rf"(?P<days>{_ONE_DAY}(?:\s*[-,]\s*{_ONE_DAY})*)?\s*(?:(?P<start>{_TIME})\s*-\s*(?P<last>{_ONE_DAY})?\s*(?P<end>{_TIME}))?"
)

HOURS_FORM = "days and hours such as 'Mon-Fri 08:00-20:00', 'Sat,Sun', '22:00-06:00' or 'Fri 17:00-Mon 09:00'"
"""What `Hours.parse` reads, as an error says it."""


@dataclass(frozen=True)
class Hours:
    """Some hours on some days of the week.

    days: those on which they begin; 0 is Monday. start, end: on the wall clock. over: so many days later they end.
    """

    days: frozenset[int]
    start: time
    end: time
    over: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read hours as people write them. Raises ValueError."""
        found = _HOURS.fullmatch(text.strip().lower())
        if found is None or not any(found.groups()):
            raise ValueError(f"must be {HOURS_FORM}, not {text!r}")
        days = _days(found["days"]) if found["days"] else frozenset(range(7))
        start, end = _time(found["start"] or "00:00"), _time(found["end"] or "24:00")
        if found["last"] and len(days) > 1:
            raise ValueError(
                f"{text!r} ends on one day and begins on several: write one of them after the other"
            )
        if start == timedelta(days=1):
            raise ValueError(f"{text!r} begins at 24:00: that is 00:00 of the next day")
        over, end = divmod(end, _DAY)
        if found["last"]:
            [first] = days
            over += (_DAYS.index(found["last"]) - first) % 7
            over += 7 if over == 0 and end <= start else 0
        elif end <= start and not over:
            over = 1
        return cls(days, _clock(start), _clock(end), over)

    def spans(self, since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[Span]:
        """When they are, from before that time until after it."""
        over = self.over * _DAY
        day = _shown(since, zone).date() - over - _DAY
        last = _shown(until, zone).date()
        while day <= last:
            if day.weekday() in self.days:
                start = on_the_wall(day, self.start, zone)
                end = end_at(datetime.combine(day + over, self.end), zone)
                if start < end:
                    yield start, end
            day += _DAY


def _days(text: str) -> frozenset[int]:
    found = set[int]()
    for part in re.split(r"\s*,\s*", text):
        first, *last = (_DAYS.index(name) for name in re.split(r"\s*-\s*", part))
        end = last[-1] if last else first
        found |= {(first + number) % 7 for number in range((end - first) % 7 + 1)}
    return frozenset(found)


def _time(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _clock(length: timedelta) -> time:
    return (_MIDNIGHT + length).time()


@dataclass(frozen=True)
class Layer:
    """One rotation of a rota, or shifts that are listed one by one.

    hours: when it counts at all; always if there are none. priority: while somebody of a higher layer is on call, none of
    the lower ones is; of equal ones all are. until: on the wall clock; from then on it does not count.
    """

    rotation: Rotation | None = None
    listed: tuple[Listed, ...] = ()
    hours: tuple[Hours, ...] = ()
    priority: int = 0
    until: datetime | None = None

    def shifts(self, since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[Shift]:
        """Who has it in that time; those that are listed may overlap."""
        if self.until is not None:
            until = min(until, end_at(self.until, zone))
        if since >= until:
            return
        turns = self._turns(since, until, zone)
        if not self.hours:
            yield from turns
            return
        spans = union(span for hours in self.hours for span in hours.spans(since, until, zone))
        for turn in turns:
            over = bisect_right(spans, turn.start, key=itemgetter(1))
            for start, end in islice(spans, over, None):
                if start >= turn.end:
                    break
                yield Shift(max(start, turn.start), min(end, turn.end), turn.people)

    def _turns(self, since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[Shift]:
        if self.rotation is not None:
            yield from self.rotation.shifts(since, until, zone)
        for one in self.listed:
            start, end = max(since, begin_at(one.start, zone)), min(until, end_at(one.end, zone))
            if start < end:
                yield Shift(start, end, one.people)


EVERYBODY = "*"
"""Who leaves, if that is all who would be on call."""


@dataclass(frozen=True)
class Override:
    """In that time somebody is on call instead of somebody who would be; one of both may be nobody.

    Without `leaves`, `comes` is on call beside all others. Where who leaves is not on call, it changes nothing.
    schedule: in which; without one, wherever who leaves is meant, be it by a schedule, by a team or by their own name.
    """

    start: datetime
    end: datetime
    leaves: str = ""
    comes: str = ""
    schedule: str = ""

    def applied(self, people: Sequence[str]) -> tuple[str, ...]:
        """Who is on call with it."""
        if self.leaves == EVERYBODY:
            return (self.comes,) if self.comes else ()
        if self.leaves and self.leaves not in people:
            return tuple(people)
        changed = [self.comes if person == self.leaves else person for person in people]
        changed += [] if self.leaves else [self.comes]
        return tuple(dict.fromkeys(filter(None, changed)))


@dataclass(frozen=True)
class Rota:
    """Who is on call: layers, the first ones first, and those who always are where no layer has anybody.

    nobody_needed: hours in which it is no gap if nobody is.
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    layers: tuple[Layer, ...] = ()
    always: tuple[str, ...] = ()
    nobody_needed: tuple[Hours, ...] = ()

    @cached_property
    def people(self) -> tuple[str, ...]:
        """All who may be on call, ever, overrides aside."""
        turns = [turn for layer in self.layers if layer.rotation for turn in layer.rotation.turns]
        single = [one.people for layer in self.layers for one in layer.listed]
        return tuple(dict.fromkeys(chain(self.always, *turns, *single)))

    def shifts(self, since: datetime, until: datetime, overrides: Iterable[Override] = ()) -> Iterator[Shift]:
        """Who is on call in that time, one shift after another; gaps have nobody. Later overrides act upon earlier ones."""
        since, until = since.astimezone(UTC), until.astimezone(UTC)
        marks: list[tuple[datetime, bool, _Part]] = []
        for place, layer in enumerate(self.layers):
            for start, end, people in layer.shifts(since, until, self.zone):
                part = _Part(-layer.priority, place, people)
                marks += (start, True, part), (end, False, part)
        for place, one in enumerate(overrides):
            if one.start < until and since < one.end and one.start < one.end:
                part = _Part(_LAST, place, override=one)
                marks += (max(since, one.start), True, part), (min(until, one.end), False, part)
        marks.sort(key=itemgetter(0))
        marks.append((until, True, _END))
        running = list[_Part]()  # in order
        start, end, people = since, since, ()
        for at, begins, part in marks:
            if at > end:
                found = self._people(running)
                if found != people and start < end:
                    yield Shift(start, end, people)
                    start = end
                end, people = at, found
            if begins:
                insort(running, part)
            else:
                running.remove(part)
        if start < end:
            yield Shift(start, end, people)

    def on_call(self, at: datetime, overrides: Iterable[Override] = ()) -> tuple[str, ...]:
        """Who is on call at an instant."""
        return next(self.shifts(at, at + _MOMENT, overrides)).people

    def gaps(self, shifts: Iterable[Shift]) -> Iterator[Span]:
        """When nobody is on call though somebody need be, by these shifts of it, which stand one after another."""
        for shift in shifts:
            if not shift.people:
                yield from _without((shift.start, shift.end), self._unneeded(shift.start, shift.end))

    def _unneeded(self, since: datetime, until: datetime) -> list[Span]:
        return union(span for hours in self.nobody_needed for span in hours.spans(since, until, self.zone))

    def _people(self, running: Sequence["_Part"]) -> tuple[str, ...]:
        top = running[0].rank if running else _LAST
        names = [name for one in running if one.rank == top for name in one.people]
        found = tuple(dict.fromkeys(self.always if top == _LAST else names))
        for one in running:
            if one.override is not None:
                found = one.override.applied(found)
        return found


class _Part(NamedTuple):
    """A layer has these people on call, or an override acts upon whoever is; in the order in which they count.

    rank: of a layer, the lowest hides all others; of an override, `_LAST`. place: among those of that rank.
    """

    rank: float
    place: int
    people: tuple[str, ...] = ()
    override: Override | None = None


_LAST = math.inf
_END = _Part(_LAST, -1)


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that don't touch one another, in order."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


@lru_cache(maxsize=256)  # each layer of each schedule asks it of the same instants
def _shown(at: datetime, zone: ZoneInfo) -> datetime:
    """What clocks there show then."""
    return at.astimezone(zone).replace(tzinfo=None)


def _without(span: Span, others: Iterable[Span]) -> Iterator[Span]:
    """What is left of a span without these, which are in order and don't touch one another."""
    left, over = span
    for start, end in others:
        if left < start and left < over:
            yield left, min(start, over)
        left = max(left, end)
    if left < over:
        yield left, over


def begin_at(wall: datetime, zone: ZoneInfo) -> datetime:
    """When what begins at that time on the wall clock begins."""
    return on_the_wall(wall.date(), wall.time(), zone)


def end_at(wall: datetime, zone: ZoneInfo) -> datetime:
    """When what ends at that time on the wall clock ends: the second time if it comes twice."""
    begin = begin_at(wall, zone)
    if offset_of(wall.date(), zone) is not None:
        return begin
    return max(begin, wall.replace(tzinfo=zone, fold=1).astimezone(UTC))
