"""What happens while an alert is escalated."""

from dataclasses import dataclass
from typing import ClassVar

from tocsin.api import Event, listed
from tocsin_escalation.policy import Plan, Position


@dataclass(frozen=True, kw_only=True)
class EscalationStarted(Event):
    """A policy was chosen, and holds for this alert whatever becomes of the configuration.

    because: what led to it.
    """

    kind: ClassVar[str] = "escalation.started"
    plan: Plan
    because: str

    def headline(self) -> str:
        return f"policy {self.plan.policy} ({self.because}): {self.plan}"


@dataclass(frozen=True, kw_only=True)
class StepTaken(Event):
    """A step came.

    at_step: which. people: who is paged. rooms: where it is said to all. pages: their numbers; the wait for the
    next step begins with the first of them that is delivered, or fails. missing: who is named, and can't be paged
    now.
    """

    kind: ClassVar[str] = "escalation.step_taken"
    at_step: Position
    people: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    pages: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()

    def headline(self) -> str:
        again = f", for the {_ordinal(self.at_step.round + 1)} time" if self.at_step.round else ""
        asked = f", asked for by {self.by}" if self.by else ""
        return f"step {self.at_step.step + 1}{again}{asked}: {self._what()}"

    def said(self) -> str:
        """What is said of it while it happens."""
        if self.at_step == Position(0, 0) and not self.missing:
            return self._what()
        return f"step {self.at_step.step + 1}{', again' if self.at_step.round else ''}: {self._what()}"

    def _what(self) -> str:
        called = [*self.people, *self.rooms]
        if not called:
            return f"nobody to page ({listed(self.missing)})"
        return f"paging {listed(called)}" + (f", but not {listed(self.missing)}" if self.missing else "")


@dataclass(frozen=True, kw_only=True)
class EscalationExhausted(Event):
    """Every step came as often as it should, and nobody answered.

    count: how often that was said. rang: whether the fallback rings.
    """

    kind: ClassVar[str] = "escalation.exhausted"
    count: int
    rang: bool

    def headline(self) -> str:
        end = "the fallback rings" if self.rang else "no fallback is configured"
        return f"nobody answered, and {end}"


def _ordinal(number: int) -> str:
    tail = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 * (number % 100 not in (11, 12, 13)), "th")
    return f"{number}{tail}"
