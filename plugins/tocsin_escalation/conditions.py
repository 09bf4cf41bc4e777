"""When a step may come, and for whom of those it calls it is day. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo

from tocsin.api import Hours, Responder

DAY_BEGINS, DAY_ENDS = 8, 22
"""The hours, where somebody lives who has no quiet hours, between which it is day for them."""

_WEEKS = tuple(datetime(2026, month, 5, tzinfo=UTC) for month in (1, 4, 7, 10))
"""A week in each season: clocks show something else in them."""


class Who(StrEnum):
    """Which of the people that a step names it pages.

    AWAKE: those for whom it is day; all, if it is for none.
    """

    ALL = "all"
    AWAKE = "awake"


@dataclass(frozen=True)
class Window:
    """Some hours of the week, as they were written, on the clocks of a time zone."""

    hours: tuple[str, ...]
    timezone: str = "UTC"

    def __str__(self) -> str:
        return f"{' or '.join(self.hours)} {self.timezone}"

    def holds(self, at: datetime) -> bool:
        """Whether that instant is in one of them."""
        return any(start <= at < end for start, end in self.spans(at, at))

    def spans(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """When they are, from before that time until after it."""
        for text in self.hours:
            yield from _hours(text).spans(since, until, ZoneInfo(self.timezone))


_hours = cache(Hours.parse)


def is_day(person: Responder, at: datetime) -> bool:
    """Whether that is outside of their quiet hours; of one who has none, between 08:00 and 22:00 where they live."""
    if person.quiet is not None:
        return person.quiet.over_at(at, person.timezone) is None
    return DAY_BEGINS <= at.astimezone(person.timezone).hour < DAY_ENDS


def uncovered(steps: Iterable[Sequence[Window]]) -> datetime | None:
    """The first instant of a week at which none of these steps may come, if there is one.

    steps: the windows of each, which must all hold.
    """
    every = [tuple(windows) for windows in steps]
    for begin in _WEEKS:
        end = begin + timedelta(days=7)
        marks = {begin} | {
            mark
            for windows in every
            for window in windows
            for span in window.spans(begin, end)
            for mark in span
            if begin <= mark < end
        }
        for at in sorted(marks):
            if not any(all(window.holds(at) for window in windows) for windows in every):
                return at
    return None
