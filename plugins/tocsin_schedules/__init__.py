"""Schedules: what is wrong with them is told before it matters, and people's calendars show them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tocsin.api import Command, Config, Event, Feed, Problem, TimerKind, hookimpl, safe_link
from tocsin_schedules.asking import ask
from tocsin_schedules.calendars import ENDING, PATH, find
from tocsin_schedules.events import EVENTS
from tocsin_schedules.icalendars import TYPE, write
from tocsin_schedules.looking import LOOK, look
from tocsin_schedules.subscribing import Subscribing


@dataclass(frozen=True)
class Schedules:
    """Tells of gaps in schedules before they come, and brings them to calendars.

    public_url: how calendar programs reach this daemon's listener; without it there are no calendars.
    """

    public_url: str = ""

    def __post_init__(self) -> None:
        if self.public_url and (not safe_link(self.public_url) or set("?#") & set(self.public_url)):
            raise ValueError("public_url must be this daemon's own, such as 'https://tocsin.example.org'")

    @hookimpl
    def check_settings(self, config: Config) -> Iterator[Problem]:  # noqa: ARG002 (it is asked so)
        if self.public_url.startswith("http://"):
            text = "is not https: whoever listens on the way can read the calendars"
            yield Problem(("public_url",), text, fatal=False)

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return EVENTS

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        return [TimerKind(LOOK, look, at_start=True)]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        gaps = "schedule gaps [SCHEDULE] [90d]"
        calendar = "calendar [revoke] [SCHEDULE|TEAM] [names]"
        subscribing = Subscribing(self.public_url)
        return [
            Command(gaps, ask, "when nobody is on call", grammar="schedule [WORDS…]"),
            Command(calendar, subscribing.calendar, "shifts in a calendar", grammar="calendar [WORDS…]"),
        ]

    @hookimpl
    def register_feeds(self) -> Iterable[Feed]:
        return [Feed(PATH, find, write, TYPE, ENDING)] if self.public_url else []
