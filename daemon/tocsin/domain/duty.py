"""That somebody else is on call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tocsin.domain.event import Event
from tocsin.domain.words import listed


@dataclass(frozen=True, kw_only=True)
class OnCallChanged(Event):
    """A schedule means other people than before; its subject is the schedule's name.

    people: who is on call now. before: who was. The first time that anybody looks, both are the same.
    """

    kind: ClassVar[str] = "oncall.changed"
    people: tuple[str, ...]
    before: tuple[str, ...]

    def headline(self) -> str:
        return f"{listed(self.people) or 'nobody'} on call"

    def came(self) -> Sequence[str]:
        """Who is on call now and was not before."""
        return [person for person in self.people if person not in self.before]


EVENTS: Sequence[type[Event]] = (OnCallChanged,)
