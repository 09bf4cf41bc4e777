"""That somebody else is on call, and the overrides by which people change that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tocsin.domain.event import Event
from tocsin.domain.rota import EVERYBODY, Override
from tocsin.domain.words import listed

HANDOFF = "handoff"
"""The kind of subject that overrides belong to: what people agree on by one id."""

_SCHEDULE = "schedule/"


def duty_of(schedule: str) -> str:
    """The subject that a schedule is, of the given name."""
    return f"{_SCHEDULE}{schedule}"


@dataclass(frozen=True, kw_only=True)
class OverrideSet(Event):
    """People agreed that others are on call for a while; its subject is of the kind `HANDOFF`.

    overrides: in force together, and each in its time; later events act upon earlier ones. because: why, if that was said.
    """

    kind: ClassVar[str] = "oncall.override_set"
    overrides: tuple[Override, ...]
    because: str = ""

    def headline(self) -> str:
        why = f" ({self.because})" if self.because else ""
        return f"{'; '.join(_said(one) for one in self.overrides)}{why}"

    @property
    def end(self) -> datetime:
        """When the last of them is over."""
        return max(one.end for one in self.overrides)


@dataclass(frozen=True, kw_only=True)
class OverrideEnded(Event):
    """It holds no longer. because: why, if nobody cancelled it."""

    kind: ClassVar[str] = "oncall.override_ended"
    because: str = ""

    def headline(self) -> str:
        return f"override cancelled by {self.by}" if self.by else f"override ended: {self.because}"


def _said(override: Override) -> str:
    until = f"from {override.start:%Y-%m-%d %H:%M} until {override.end:%Y-%m-%d %H:%M} UTC"
    where = f" in {override.schedule}" if override.schedule else ""
    instead = "" if override.leaves in ("", EVERYBODY) else f" for {override.leaves}"
    return f"{override.comes or 'nobody'} on call{instead}{where} {until}"


@dataclass(frozen=True, kw_only=True)
class OnCallChanged(Event):
    """A name means other people than before; its subject is `schedule/NAME`, which no alert can be called.

    people: who is on call now. before: who was. The first time that anybody looks, both are the same.
    released: those who left because somebody has taken the pager from them, or has it back: what still rings is no
    longer theirs. Whose turn is over by the schedule alone is not among them.
    scheduled, scheduled_before: who it would be, and would have been, without overrides.
    """

    kind: ClassVar[str] = "oncall.changed"
    outdated_by: ClassVar[str] = "oncall.changed"
    people: tuple[str, ...]
    before: tuple[str, ...]
    released: tuple[str, ...] = ()
    scheduled: tuple[str, ...] = ()
    scheduled_before: tuple[str, ...] = ()

    def headline(self) -> str:
        return f"{listed(self.people) or 'nobody'} on call"

    @property
    def schedule(self) -> str:
        """The name: of a schedule, or of a person whom somebody stands in for."""
        return self.subject.removeprefix(_SCHEDULE)

    def came(self) -> Sequence[str]:
        """Who is on call now and was not before."""
        return [person for person in self.people if person not in self.before]


EVENTS: Sequence[type[Event]] = (OverrideSet, OverrideEnded, OnCallChanged)
