"""Who answers: responders, when they sleep, and their teams."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

from tocsin.domain.words import on_the_wall

QUIET_FORM = "the hours from and to, such as '22:00-07:00'"
"""What `QuietHours.parse` reads, as an error says it."""

_QUIET = re.compile(
    r"([01]?[0-9]|2[0-4]):?([0-5][0-9])?\s*(?:-|\u2013|\u2014|to|until)\s*([01]?[0-9]|2[0-4]):?([0-5][0-9])?"
)


class Identity(StrEnum):
    """How a chat network proves who speaks.

    ACCOUNTS: by the account that its servers, or their services, know them by. NICKS: not at all, and whoever bears
    the name is taken for the person. CODES: not at all, so each private page brings a code that proves who got it.
    NOBODY: not at all, so that people are paged there and answer elsewhere.
    """

    ACCOUNTS = "accounts"
    NICKS = "trust-nicks"
    CODES = "codes"
    NOBODY = "read-only"


@dataclass(frozen=True)
class QuietHours:
    """The hours of a day, on the wall clock where a person lives, in which what can wait should wait."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `22:00-07:00`. Raises ValueError."""
        found = _QUIET.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"must be {QUIET_FORM}, not {text!r}")
        ends = [(int(found[at]), int(found[at + 1] or 0)) for at in (1, 3)]
        if any(hour == 24 and minute for hour, minute in ends):
            raise ValueError(f"must be {QUIET_FORM}, not {text!r}")
        start, end = (time(hour % 24, minute) for hour, minute in ends)
        if start == end:
            raise ValueError("must not begin and end at the same time")
        return cls(start, end)

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    def cover(self, at: time) -> bool:
        """Whether that time is in them."""
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end

    def over_at(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """When they end, if they have begun; None if they have not."""
        here = now.astimezone(zone)
        at = here.time()
        if not self.cover(at):
            return None
        tomorrow = self.start > self.end and at >= self.start
        end = on_the_wall(here.date() + timedelta(days=tomorrow), self.end, zone)
        return end if end > now else None


@dataclass(frozen=True)
class Responder:
    """A person who may be paged and may answer.

    accounts: network -> the account by which that network knows them; on IRC the services account, on
    Matrix the MXID, never a display name; a nick only where nicks are all there is.
    ways: networks, in the order in which pages try them; accounts elsewhere come behind, in their own order.
    quiet: when what can wait should wait.
    """

    accounts: Mapping[str, str] = field(default_factory=dict)
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    quiet: QuietHours | None = None
    ways: tuple[str, ...] = ()


@dataclass(frozen=True)
class Team:
    """People who answer for the same things; without members, whoever reads in its rooms.

    rooms: network -> the team's room there.
    """

    members: tuple[str, ...] = ()
    rooms: Mapping[str, str] = field(default_factory=dict)
