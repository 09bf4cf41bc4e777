"""What people add to the timeline of an incident."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from tocsin.api import Event


@dataclass(frozen=True, kw_only=True)
class Noted(Event):
    """Somebody wrote down what they saw or did, or what somebody else said; at the time at which that was.

    author: who said it, if not who wrote it down: a person's name, or what others see as theirs.
    """

    kind: ClassVar[str] = "timeline.noted"
    text: str
    author: str = ""

    def headline(self) -> str:
        return f"{self.author} said: {self.text}" if self.author else f"note: {self.text}"


EVENTS: Iterable[type[Event]] = (Noted,)
