"""How an alert's silences stand, as its events tell. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.api import Event, GroupAcknowledged, GroupResolved, GroupSilenced, SilenceEnded
from tocsin_silence.events import SilencePushed, SilenceWithdrawn

TELLING = (GroupSilenced, SilenceEnded, GroupAcknowledged, GroupResolved, SilencePushed, SilenceWithdrawn)
"""The events that tell how they stand."""

OVER = "the silence is over"
"""Why a silence ended that nobody ended."""


@dataclass
class Standing:
    """last: the last silence, whatever became of it. over_at: when it came to its end by itself; None if it has
    not, or if somebody has answered since. pushed: what Alertmanager keeps.
    """

    last: GroupSilenced | None = None
    over_at: datetime | None = None
    pushed: SilencePushed | None = None

    @classmethod
    def of(cls, events: Iterable[Event | None]) -> "Standing":
        """As these events made it; those of others are passed over."""
        standing = cls()
        for event in events:
            standing._apply(event)
        return standing

    def _apply(self, event: Event | None) -> None:
        match event:
            case GroupSilenced():
                self.last, self.over_at = event, None
            case SilenceEnded():
                self.over_at = event.at if event.because == OVER else None
            case GroupAcknowledged() | GroupResolved():
                self.over_at = None
            case SilencePushed():
                self.pushed = event
            case SilenceWithdrawn():
                self.pushed = None
            case _:
                pass

    @property
    def length(self) -> timedelta:
        """For how long it was silenced last."""
        return self.last.until - self.last.at if self.last else timedelta(0)
