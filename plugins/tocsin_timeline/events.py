"""What people add to the timeline of an incident."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from tocsin.api import Event


@dataclass(frozen=True, kw_only=True)
class Noted(Event):
    """Somebody wrote down what they saw or did; at the time at which that was."""

    kind: ClassVar[str] = "timeline.noted"
    text: str

    def headline(self) -> str:
        return f"note: {self.text}"


EVENTS: Iterable[type[Event]] = (Noted,)
