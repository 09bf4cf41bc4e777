"""What becomes of schedules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tocsin.api import Event, counted

SUBJECT = "schedules"
"""What all of these happen to, which no alert can be called."""


@dataclass(frozen=True, kw_only=True)
class FaultsTold(Event):
    """People were told what is wrong with schedules. faults: each as it was worded."""

    kind: ClassVar[str] = "schedules.faults_told"
    passing: ClassVar[bool] = True
    faults: tuple[str, ...]

    def headline(self) -> str:
        return f"told of {counted(len(self.faults), 'fault')} in schedules"


CALENDARS = "calendars"
"""What is told of calendars happens to, which no alert can be called either."""


@dataclass(frozen=True, kw_only=True)
class CalendarMade(Event):
    """Somebody was given an address at which programs read a calendar; it replaces any that they had of the same.

    digest: of what is secret in it. of: a schedule or a team; empty for all shifts of whoever asked. names: whether it
    says who is on call.
    """

    kind: ClassVar[str] = "schedules.calendar_made"
    digest: str
    of: str = ""
    names: bool = False

    def headline(self) -> str:
        return f"calendar of {self.of or self.by} for {self.by}{', with names' if self.names else ''}"


@dataclass(frozen=True, kw_only=True)
class CalendarRevoked(Event):
    """The address is good no more. of: as in `CalendarMade`."""

    kind: ClassVar[str] = "schedules.calendar_revoked"
    of: str = ""

    def headline(self) -> str:
        return f"calendar of {self.of or self.by} for {self.by} revoked"


EVENTS: Sequence[type[Event]] = (FaultsTold, CalendarMade, CalendarRevoked)
