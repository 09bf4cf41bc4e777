"""What Alertmanager was told of a silence."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from tocsin.api import Event


@dataclass(frozen=True, kw_only=True)
class SilencePushed(Event):
    """Alertmanager keeps a silence of its own for it. silence_id: its name for that."""

    kind: ClassVar[str] = "silence.pushed"
    silence_id: str
    until: datetime

    def headline(self) -> str:
        return f"silenced in Alertmanager as well, until {self.until:%H:%M} UTC"


@dataclass(frozen=True, kw_only=True)
class SilenceWithdrawn(Event):
    """Alertmanager keeps it no longer."""

    kind: ClassVar[str] = "silence.withdrawn"
    silence_id: str

    def headline(self) -> str:
        return "no longer silenced in Alertmanager"
