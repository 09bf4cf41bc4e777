"""How much each person carries: what they had, on call and in pages, and what they will have of a schedule. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from operator import itemgetter
from zoneinfo import ZoneInfo

from tocsin.domain.oncall import QuietHours, Responder
from tocsin.domain.rota import Hours, Shift, Span, union

NIGHT = QuietHours(time(22), time(7))
"""On the wall clock where a person lives; whoever has quiet hours is disturbed in those too."""


@dataclass(frozen=True)
class Page:
    """An alert called somebody, at that time."""

    person: str
    alert: str
    at: datetime


@dataclass(frozen=True)
class Load:
    """What one person had.

    shifts: times on call without a break, by whatever schedules. on_call: how long those were. pages: alerts that called
    them, each once, however often it did. at_night: those of them that did so at night.
    """

    person: str
    shifts: int = 0
    on_call: timedelta = timedelta(0)
    pages: int = 0
    at_night: int = 0


def loads(people: Mapping[str, Responder], shifts: Iterable[Shift], pages: Iterable[Page]) -> Sequence[Load]:
    """What each of these people had, and whoever else had anything; who had most pages first."""
    held: dict[str, list[Span]] = {name: [] for name in people}
    alerts = dict[str, set[str]]()
    at_night = dict[str, set[str]]()
    for shift in shifts:
        for person in shift.people:
            held.setdefault(person, []).append((shift.start, shift.end))
    for page in pages:
        held.setdefault(page.person, [])
        alerts.setdefault(page.person, set()).add(page.alert)
        if is_night(page.at, people.get(page.person, _UNKNOWN)):
            at_night.setdefault(page.person, set()).add(page.alert)
    found = []
    for person, spans in held.items():
        whole = union(spans)
        length = sum((end - start for start, end in whole), timedelta(0))
        counts = len(alerts.get(person, ())), len(at_night.get(person, ()))
        found.append(Load(person, len(whole), length, *counts))
    return sorted(found, key=lambda load: (-load.pages, -load.at_night, -load.on_call))


_UNKNOWN = Responder()


@dataclass(frozen=True)
class Share:
    """What one person has of a schedule. weekends, nights: those that they have any part of, where the schedule is."""

    person: str
    on_call: timedelta
    shifts: int
    weekends: int
    nights: int


_WEEKENDS, _NIGHTS = Hours.parse("Sat 00:00-Mon 00:00"), Hours.parse(str(NIGHT))


def shares(people: Iterable[str], shifts: Sequence[Shift], zone: ZoneInfo) -> Sequence[Share]:
    """What each of these people has, and whoever else is in these shifts, which stand one after another."""
    held: dict[str, list[Span]] = {name: [] for name in people}
    for shift in shifts:
        for person in shift.people:
            held.setdefault(person, []).append((shift.start, shift.end))
    since, until = shifts[0].start, shifts[-1].end
    weekends, nights = (list(hours.spans(since, until, zone)) for hours in (_WEEKENDS, _NIGHTS))
    found = []
    for person, spans in held.items():
        whole = union(spans)
        length = sum((end - start for start, end in whole), timedelta(0))
        found.append(Share(person, length, len(whole), _touched(weekends, whole), _touched(nights, whole)))
    return found


def _touched(those: Iterable[Span], by: Sequence[Span]) -> int:
    """How many of them overlap any of others, which are in order."""
    number = 0
    for start, end in those:
        at = bisect_right(by, start, key=itemgetter(1))
        number += at < len(by) and by[at][0] < end
    return number


def is_night(at: datetime, person: Responder) -> bool:
    """Whether it is night where they are, or they have their quiet hours."""
    here = at.astimezone(person.timezone).time()
    return NIGHT.cover(here) or (person.quiet is not None and person.quiet.cover(here))
