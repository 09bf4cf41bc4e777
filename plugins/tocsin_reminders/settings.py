"""What the file says about updates: how often they come, and who is told when one does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tocsin.api import Duration
from tocsin_reminders.events import Stage

SHORTEST = timedelta(minutes=1)

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)

_USUAL: Mapping[str, Mapping[Stage, timedelta]] = {
    "sev1": {
        Stage.DEPUTY: 5 * _MINUTE,
        Stage.ROOM: 10 * _MINUTE,
        Stage.AUDIENCES: 15 * _MINUTE,
        Stage.PAGE: 30 * _MINUTE,
    },
    "sev3": {
        Stage.DEPUTY: 15 * _MINUTE,
        Stage.ROOM: 30 * _MINUTE,
        Stage.AUDIENCES: _HOUR,
        Stage.PAGE: 4 * _HOUR,
    },
    "sev4": {
        Stage.DEPUTY: _HOUR,
        Stage.ROOM: 4 * _HOUR,
        Stage.AUDIENCES: 8 * _HOUR,
        Stage.PAGE: 24 * _HOUR,
    },
}


@dataclass(frozen=True)
class UpdateEvery:
    """How often an update comes, by severity."""

    sev1: Duration = timedelta(minutes=30)
    sev2: Duration = timedelta(hours=1)
    sev3: Duration = timedelta(hours=4)
    sev4: Duration = timedelta(days=1)

    def __post_init__(self) -> None:
        for severity, every in vars(self).items():
            if every < SHORTEST:
                raise ValueError(f"{severity} must be at least 1m")

    def of(self, severity: str) -> timedelta:
        found: timedelta = getattr(self, severity)
        return found


@dataclass(frozen=True)
class Stages:
    """How long after the promised time each is told, beside its owner, who is told at once. None: what is usual for that
    severity; nothing: never.
    """

    deputy: Duration | None = None
    room: Duration | None = None
    audiences: Duration | None = None
    page: Duration | None = None


@dataclass(frozen=True)
class StagesBySeverity:
    sev1: Stages = Stages()
    sev2: Stages = Stages()
    sev3: Stages = Stages()
    sev4: Stages = Stages()

    def of(self, severity: str) -> Sequence[tuple[timedelta, Stage]]:
        """The stages behind the first, in the order in which they come."""
        said: Stages = getattr(self, severity)
        found = []
        for stage, usual in _USUAL.get(severity, _USUAL["sev1"]).items():
            set_to: timedelta | None = getattr(said, stage)
            after = usual if set_to is None else set_to
            if after:
                found.append((after, stage))
        return sorted(found, key=lambda one: one[0])
