"""What is wrong with a schedule: times when nobody is on call, layers without anybody, people whom chat can't reach. Pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain

from tocsin.api import Schedule, Shift, Transaction, listed, spelled, written

AHEAD = timedelta(days=30)
"""How far people are told of what is to come."""

_EVER = timedelta(days=731)
_MOST_NAMES = 4


@dataclass(frozen=True)
class Plan:
    """A schedule from now until then. coming: its shifts, overrides included, worked out as they are read."""

    name: str
    schedule: Schedule
    now: datetime
    until: datetime
    coming: Iterator[Shift]

    @classmethod
    def of(cls, name: str, length: timedelta, tx: Transaction) -> "Plan":
        until = tx.now + length
        return cls(name, tx.config.schedules[name], tx.now, until, tx.shifts(name, tx.now, until))

    @cached_property
    def shifts(self) -> Sequence[Shift]:
        return tuple(self.coming)

    def gaps(self) -> Sequence[str]:
        """When nobody is on call, each in words: `nobody from Fri 27 Nov 18:00 to Mon 30 Nov 09:00 Europe/Berlin`."""
        return [self._worded(start, end) for start, end in self.schedule.rota.gaps(self.shifts)]

    def _worded(self, start: datetime, end: datetime) -> str:
        zone = self.schedule.timezone.key
        if start <= self.now:
            return f"nobody now, until {self._clock(end)} {zone}" if end < self.until else "nobody at all"
        till = f"to {self._clock(end)} {zone}" if end < self.until else f"{zone} on"
        return f"nobody from {self._clock(start)} {till}"

    def _clock(self, at: datetime) -> str:
        here = at.astimezone(self.schedule.timezone)
        year = f" {here.year}" if here.year != self.now.astimezone(self.schedule.timezone).year else ""
        return f"{here:%a} {here.day} {here:%b}{year} {here:%H:%M}"

    def in_short(self, prefix: str, *, override: bool) -> Iterator[str]:
        """The same in one line, with what to type. prefix: before a command. override: whether that is one."""
        found = self.gaps()
        if len(found) > 1:
            more = f"{len(found) - 1} more {'time' if len(found) == 2 else 'times'}"
            within = spelled(self.until - self.now)
            yield f"{self.name}: {found[0]}, and {more} within {within} \u00b7 {prefix}schedule gaps {self.name}"
        elif found:
            command = f" \u00b7 {prefix}override {self.name} NAME FROM UNTIL" if override else ""
            yield f"{self.name}: {found[0]}{command}"

    def empty_layers(self, *, planned: bool) -> Iterator[str]:
        """The layers that have nobody until then. planned: also those that will have somebody later."""
        zone = self.schedule.timezone
        for number, layer in enumerate(self.schedule.rota.layers, 1):
            if any(layer.shifts(self.now, self.until, zone)):
                continue
            turns = layer.rotation.turns if layer.rotation else ()
            people = list(dict.fromkeys(chain(*turns, *(one.people for one in layer.listed))))
            more = " …" if len(people) > _MOST_NAMES else ""
            who = f"{self.name}: layer {number} ({listed(people[:_MOST_NAMES])}{more})"
            later = next(iter(layer.shifts(self.until, self.until + _EVER, zone)), None)
            if later is None:
                yield f"{who} is over: take it out of the configuration"
            elif planned:
                yield f"{who} has nobody before {written(later.start, zone, self.now)}"


def reached(tx: Transaction) -> Collection[str]:
    """The people who have an account on some network."""
    return {name for name in tx.config.people if tx.private_places(name)}


def unreachable(plans: Iterable[Plan], known: Collection[str]) -> Iterator[str]:
    """The people on these schedules who are not among those that are known to some network."""
    where = dict[str, list[str]]()
    for plan in plans:
        coming = (person for shift in plan.shifts for person in shift.people)
        for person in dict.fromkeys((*plan.schedule.people, *coming)):
            if person not in known:
                where.setdefault(person, []).append(plan.name)
    for person, schedules in where.items():
        yield f"{person} is on {listed(schedules)} and has no account on any network: chat can't page them"
