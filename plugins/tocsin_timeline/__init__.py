"""The timeline of an incident: everything that happens to it records itself, and people add what else they know."""

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.api import Command, Event, hookimpl
from tocsin_timeline.events import EVENTS
from tocsin_timeline.noting import NOTE, note
from tocsin_timeline.pinning import PIN, pin
from tocsin_timeline.showing import TIMELINE, show


@dataclass(frozen=True)
class Timeline:
    """Shows what happened in an incident, and takes notes for it."""

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return EVENTS

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        return [
            Command(NOTE, note, "keep it for the timeline", often=True, grammar="note [WORDS\u2026]"),
            Command(PIN, pin, "keep what somebody said", quotes=True, grammar="pin [WORDS\u2026]"),
            Command(TIMELINE, show, "what happened in it", also=("tl",), grammar="timeline [WORDS\u2026]"),
        ]
