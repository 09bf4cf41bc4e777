"""That somebody else is on call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tocsin.domain.event import Event
from tocsin.domain.words import listed

_SCHEDULE = "schedule/"


def duty_of(schedule: str) -> str:
    """The subject that a schedule is, of the given name."""
    return f"{_SCHEDULE}{schedule}"


@dataclass(frozen=True, kw_only=True)
class OnCallChanged(Event):
    """A schedule means other people than before; its subject is `schedule/NAME`, which no alert can be called.

    people: who is on call now. before: who was. The first time that anybody looks, both are the same.
    """

    kind: ClassVar[str] = "oncall.changed"
    people: tuple[str, ...]
    before: tuple[str, ...]

    def headline(self) -> str:
        return f"{listed(self.people) or 'nobody'} on call"

    @property
    def schedule(self) -> str:
        """The schedule's name."""
        return self.subject.removeprefix(_SCHEDULE)

    def came(self) -> Sequence[str]:
        """Who is on call now and was not before."""
        return [person for person in self.people if person not in self.before]


EVENTS: Sequence[type[Event]] = (OnCallChanged,)
