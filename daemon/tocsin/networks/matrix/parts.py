"""What stands in what a homeserver tells: whoever wrote it, it may hold anything."""

from collections.abc import Mapping
from typing import Any

Event = Mapping[str, Any]

MESSAGE = "m.room.message"


def part(of: object, *keys: str) -> Mapping[str, Any]:
    """What stands there, if it is an object; whoever wrote it."""
    for key in keys:
        of = of.get(key) if isinstance(of, Mapping) else None
    return of if isinstance(of, Mapping) else {}


def text_of(of: object, key: str) -> str:
    """What stands there, if it is a text."""
    found = of.get(key) if isinstance(of, Mapping) else None
    return found if isinstance(found, str) else ""


def events_of(of: object, *keys: str) -> list[Event]:
    """The events that stand there, as far as they are any."""
    found = part(of, *keys).get("events")
    return [event for event in found if isinstance(event, Mapping)] if isinstance(found, list) else []
