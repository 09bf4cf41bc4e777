"""What becomes of schedules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tocsin.api import Event, counted

SUBJECT = "schedules"
"""What all of these happen to, which no alert can be called."""


@dataclass(frozen=True, kw_only=True)
class FaultsTold(Event):
    """People were told what is wrong with schedules. faults: each as it was worded."""

    kind: ClassVar[str] = "schedules.faults_told"
    faults: tuple[str, ...]

    def headline(self) -> str:
        return f"told of {counted(len(self.faults), 'fault')} in schedules"


EVENTS: Sequence[type[Event]] = (FaultsTold,)
