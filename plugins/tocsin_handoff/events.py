"""What happens while the pager goes from hand to hand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from tocsin.api import Event, Override, listed


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
class PageAbsorbed(Event):
    """Somebody who stands in was paged for an alert, which somebody else would have been."""

    kind: ClassVar[str] = "handoff.page_absorbed"
    alert: str

    def headline(self) -> str:
        return f"{self.by} was paged for {self.alert}"


EVENTS: Iterable[type[Event]] = (PagerTaken, HandoffOffered, HandoffAnswered, PageAbsorbed)
