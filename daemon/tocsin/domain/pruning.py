"""What is old is taken out for good: that it was, and what is said of it from then on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar

from tocsin.domain.event import Event
from tocsin.domain.words import parse_duration

PRUNING = "pruning"
"""The subject of all prunes, which nothing else can be called."""

LEAST = timedelta(days=90)
"""What is younger stays: nothing that Tocsin does looks back as far, but for what people ask of it."""

FORM = "a length of time such as '2y' or '180d', or a day such as '2024-12-31'"


@dataclass(frozen=True, kw_only=True)
class PruneBegun(Event):
    """What ended before that time is taken out from now on. who: the account on the machine that wants it."""

    kind: ClassVar[str] = "prune.begun"
    before: datetime
    who: str

    def headline(self) -> str:
        return f"{self.who} prunes what ended before {_shown(self.before)}"

    def told(self, subject: str) -> str:
        """What is said to whoever asks for something that is gone since."""
        return f"{subject} was pruned on {self.at:%F}: what ended before {self.before:%F} is not kept"


@dataclass(frozen=True, kw_only=True)
class PruneEnded(Event):
    """So much was taken out. others: digests, handoffs and whatever else has an id of its own. audit: lines of it."""

    kind: ClassVar[str] = "prune.ended"
    alerts: int
    incidents: int
    others: int
    events: int
    audit: int

    def headline(self) -> str:
        return f"pruned {self.alerts} alerts, {self.incidents} incidents, {self.events} events"


EVENTS: Sequence[type[Event]] = (PruneBegun, PruneEnded)


def parse_before(text: str, now: datetime) -> datetime:
    """The time before which things are old: so long ago, or the begin of a day, in UTC.

    Raises ValueError for what can't be read, and for what is less than `LEAST` ago.
    """
    before = _parse(text.strip(), now)
    if before > now - LEAST:
        raise ValueError(f"must lie {LEAST.days} days back at least: {text!r} is {_shown(before)}")
    return before


def _parse(text: str, now: datetime) -> datetime:
    number, unit = text[:-1], text[-1:]
    if unit == "y" and number.isdecimal() and 0 < int(number) < 100:
        day, year = (now.month, now.day), now.year - int(number)
        return now.replace(year=year, day=28 if day == (2, 29) and year % 4 else now.day)
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        pass
    try:
        return now - parse_duration(text)
    except ValueError:
        raise ValueError(f"must be {FORM}, not {text!r}") from None


def _shown(at: datetime) -> str:
    return f"{at.astimezone(UTC):%F %H:%M} UTC"
