"""Schedules: what is wrong with them is told before it matters."""

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.api import Command, Event, TimerKind, hookimpl
from tocsin_schedules.asking import ask
from tocsin_schedules.events import EVENTS
from tocsin_schedules.looking import LOOK, look


@dataclass(frozen=True)
class Schedules:
    """Tells of gaps in schedules before they come."""

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return EVENTS

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        return [TimerKind(LOOK, look, at_start=True)]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        usage = "schedule gaps [SCHEDULE] [90d]"
        return [Command(usage, ask, "when nobody is on call", grammar="schedule [WORDS…]")]
