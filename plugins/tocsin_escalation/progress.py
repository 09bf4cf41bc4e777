"""How far an alert's escalation has come, as its events tell. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.api import Event, GroupReopened, GroupUnacknowledged, PageDelivered, PageFailed, SilenceEnded
from tocsin_escalation.events import EscalationExhausted, EscalationStarted, StepTaken
from tocsin_escalation.policy import Plan, Position

Outcome = PageDelivered | PageFailed


@dataclass
class Progress:
    """plan: None if no policy was chosen yet.

    position: the last step that came; None before the first. pages: those of that step. first: the first outcome
    of one of them; with it the wait for the next step begins. lost: those to people who are not there.
    exhausted: how often the end was reached.
    """

    plan: Plan | None = None
    position: Position | None = None
    pages: frozenset[int] = frozenset()
    first: Outcome | None = None
    lost: frozenset[int] = frozenset()
    exhausted: int = 0

    @classmethod
    def of(cls, events: Iterable[Event | None]) -> "Progress":
        """Replay what happened."""
        progress = cls()
        for event in events:
            progress._apply(event)
        return progress

    def _apply(self, event: Event | None) -> None:
        match event:
            case EscalationStarted():
                self.plan = event.plan
            case StepTaken():
                self.position, self.pages = event.at_step, frozenset(event.pages)
                self.first, self.lost = None, frozenset()
            case EscalationExhausted():
                self.exhausted, self.pages = event.count, frozenset()
            case GroupUnacknowledged() | GroupReopened() | SilenceEnded():
                self.position, self.pages, self.exhausted = None, frozenset(), 0
            case PageDelivered() | PageFailed() if event.page in self.pages:
                self.first = self.first or event
                absent = isinstance(event, PageFailed) and event.absent
                self.lost = self.lost | {event.page} if absent else self.lost - {event.page}
            case _:
                pass

    @property
    def reached_nobody(self) -> bool:
        """Whether all whom this step called are out of reach."""
        return bool(self.pages) and self.pages == self.lost

    def next_position(self, plan: Plan) -> Position:
        """The step that comes next."""
        return Position(0, 0) if self.position is None else plan.after(self.position)
