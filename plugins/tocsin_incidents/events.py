"""What happens to incidents beside what the core knows of."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from tocsin.api import Event

HAT = "incidents.hat"
"""The kind of subject that an offered lead is."""


@dataclass(frozen=True, kw_only=True)
class SeverityAsked(Event):
    """People were asked one of the questions that say how severe it is. question: which of the criteria, from 0 on."""

    kind: ClassVar[str] = "incidents.severity_asked"
    question: int
    ask: str

    def headline(self) -> str:
        return f"asked: {self.ask}"


@dataclass(frozen=True, kw_only=True)
class ScopeAsked(Event):
    """More than one person is on it, or it is severe: it was asked who leads, and how far it reaches."""

    kind: ClassVar[str] = "incidents.scope_asked"

    def headline(self) -> str:
        return "asked how far it reaches"


@dataclass(frozen=True, kw_only=True)
class LeadMissed(Event):
    """Nobody leads, and people were told. times: how often since somebody did."""

    kind: ClassVar[str] = "incidents.lead_missed"
    times: int

    def headline(self) -> str:
        return "nobody leads"


@dataclass(frozen=True, kw_only=True)
class LeadOffered(Event):
    """Somebody was asked to lead an incident; its subject is of the kind `HAT`."""

    kind: ClassVar[str] = "incidents.lead_offered"
    incident: str
    to: str

    def headline(self) -> str:
        return f"{self.to} was asked to lead {self.incident}"


@dataclass(frozen=True, kw_only=True)
class OfferAnswered(Event):
    """They took it or not, or gave no answer in time."""

    kind: ClassVar[str] = "incidents.offer_answered"
    accepted: bool

    def headline(self) -> str:
        return f"{'accepted' if self.accepted else 'declined'} by {self.by}" if self.by else "no answer"


@dataclass(frozen=True, kw_only=True)
class BudgetSpent(Event):
    """So much of the time until mitigation is over. part: `half` or `all`."""

    kind: ClassVar[str] = "incidents.budget_spent"
    part: str

    def headline(self) -> str:
        return f"{self.part} of the time until mitigation is over"


@dataclass(frozen=True, kw_only=True)
class EndDoubted(Event):
    """Somebody said that it is over, and was asked why, since something speaks against that. why: what does."""

    kind: ClassVar[str] = "incidents.end_doubted"
    why: str

    def headline(self) -> str:
        return f"{self.by} was asked why it is over: {self.why}"


EVENTS: Iterable[type[Event]] = (
    SeverityAsked,
    ScopeAsked,
    LeadMissed,
    LeadOffered,
    OfferAnswered,
    BudgetSpent,
    EndDoubted,
)
