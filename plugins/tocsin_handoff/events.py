"""What happens while the pager goes from hand to hand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from tocsin.api import Event, Override, Shift, listed


@dataclass(frozen=True, kw_only=True)
class PagerTaken(Event):
    """Somebody took the pager from who had it, without asking them.

    what: whose pager, in words: `ops`, or `alice's`. of: who had it; nobody in a gap. until: when it goes back.
    moved: the alerts that rang for them and went with it. shields: it was done for their sake, and they work on.
    """

    kind: ClassVar[str] = "handoff.pager_taken"
    what: str
    of: tuple[str, ...]
    to: str
    until: datetime
    moved: tuple[str, ...] = ()
    shields: bool = False

    def headline(self) -> str:
        return f"{self.to} took the pager of {listed(self.of) or 'nobody'} ({self.what})"


@dataclass(frozen=True, kw_only=True)
class HandoffOffered(Event):
    """Somebody asks somebody to take a pager; it goes nowhere before they accept.

    asked: what they are asked, in words that follow `alice asks you to`. overrides: what accepting means. length: how long
    from then on, where that is what was said: then the overrides begin with the answer.
    """

    kind: ClassVar[str] = "handoff.offered"
    to: str
    asked: str
    overrides: tuple[Override, ...]
    length: timedelta | None = None
    because: str = ""

    def headline(self) -> str:
        return f"{self.by} asks {self.to} to {self.asked}"


@dataclass(frozen=True, kw_only=True)
class HandoffAnswered(Event):
    """Whoever was asked answered; nobody did in time if `by` is empty."""

    kind: ClassVar[str] = "handoff.answered"
    accepted: bool

    def headline(self) -> str:
        if not self.by:
            return "no answer in time"
        return f"{'accepted' if self.accepted else 'declined'} by {self.by}"


@dataclass(frozen=True, kw_only=True)
class ShiftHandedOver(Event):
    """By the schedule it is somebody else's turn. of: who had the pager. stays: who of them has it beside `to` until
    these accept.
    """

    kind: ClassVar[str] = "handoff.shift_handed_over"
    schedule: str
    of: tuple[str, ...]
    to: tuple[str, ...]
    stays: tuple[str, ...] = ()

    def headline(self) -> str:
        return f"{self.schedule}: {listed(self.of) or 'nobody'} \u2192 {listed(self.to)}"


@dataclass(frozen=True, kw_only=True)
class ShiftAccepted(Event):
    """Whoever came on call is there. Without `by` nobody said so, and the next shift begins."""

    kind: ClassVar[str] = "handoff.shift_accepted"

    def headline(self) -> str:
        return f"accepted by {self.by}" if self.by else "nobody accepted it"


@dataclass(frozen=True, kw_only=True)
class NoteLeft(Event):
    """Something for whoever comes next; its subject is `handoff/SCHEDULE`, which no alert can be called."""

    kind: ClassVar[str] = "handoff.note_left"
    outdated_by: ClassVar[str] = "handoff.shift_briefed"
    text: str

    def headline(self) -> str:
        return f"{self.by} noted: {self.text}"


@dataclass(frozen=True, kw_only=True)
class ShiftBriefed(Event):
    """Whoever came was told of the shift before theirs; its subject is `handoff/SCHEDULE`. handoff: the id of theirs."""

    kind: ClassVar[str] = "handoff.shift_briefed"
    outdated_by: ClassVar[str] = "handoff.shift_briefed"
    handoff: str

    def headline(self) -> str:
        return f"shift handed over: {self.handoff}"


@dataclass(frozen=True, kw_only=True)
class ShiftsKnown(Event):
    """Who is to be on call by a schedule, as people know it; its subject is `handoff/SCHEDULE`.

    digest: of the schedule. shifts: those of the next weeks, without overrides.
    """

    kind: ClassVar[str] = "handoff.shifts_known"
    outdated_by: ClassVar[str] = "handoff.shifts_known"
    digest: str
    shifts: tuple[Shift, ...]

    def headline(self) -> str:
        return f"shifts known until {self.shifts[-1].end:%Y-%m-%d}"


def shifts_of(schedule: str) -> str:
    """The subject that the shifts of a schedule are, one after another."""
    return f"handoff/{schedule}"


EVENTS: Iterable[type[Event]] = (
    PagerTaken,
    HandoffOffered,
    HandoffAnswered,
    ShiftHandedOver,
    ShiftAccepted,
    NoteLeft,
    ShiftBriefed,
    ShiftsKnown,
)
