"""What happens to the promise of a next update."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from tocsin.api import Event, spelled


class Stage(StrEnum):
    """Who is told that a promised update did not come, in the usual order."""

    OWNER = "owner"
    DEPUTY = "deputy"
    ROOM = "room"
    AUDIENCES = "audiences"
    PAGE = "page"


class Moment(StrEnum):
    """When audiences are told something."""

    DECLARED = "declared"
    UPDATED = "updated"
    MITIGATED = "mitigated"
    ALL_CLEAR = "all_clear"
    WITHDRAWN = "withdrawn"
    RESOLVED = "resolved"
    CLOSED = "closed"
    LATE = "late"
    REOPENED = "reopened"


@dataclass(frozen=True, kw_only=True)
class UpdatePromised(Event):
    """The next update is due then, though nobody has said so: an incident begins, begins anew, or is worse than before."""

    kind: ClassVar[str] = "reminders.update_promised"
    next_at: datetime

    def headline(self) -> str:
        return f"next update by {self.next_at:%H:%M} UTC"


@dataclass(frozen=True, kw_only=True)
class OverdueTold(Event):
    """The promised time has passed without an update, and somebody was told. who: a person, for a stage that means one."""

    kind: ClassVar[str] = "reminders.overdue_told"
    stage: Stage
    promised_at: datetime
    who: str = ""

    def headline(self) -> str:
        late = self.at - self.promised_at
        much = f" by {spelled(late)}" if late.total_seconds() >= 60 else ""
        match self.stage:
            case Stage.ROOM:
                told = "the room is told"
            case Stage.AUDIENCES:
                told = "the audiences are told"
            case Stage.PAGE:
                told = f"{self.who or 'nobody'} is to be paged"
            case _:
                told = f"{self.who or 'the room'} is told"
        return f"update overdue{much}: {told}"


@dataclass(frozen=True, kw_only=True)
class AudienceTold(Event):
    """An audience was told how it stands. text: in words of its own. next_at: when it was promised more, if it was."""

    kind: ClassVar[str] = "reminders.audience_told"
    audience: str
    moment: Moment
    text: str
    next_at: datetime | None = None

    def headline(self) -> str:
        return f"{self.audience} told: {self.text}"


@dataclass(frozen=True, kw_only=True)
class BystanderPointed(Event):
    """Somebody who has no part in it asked how it stands, and was told where all updates are."""

    kind: ClassVar[str] = "reminders.bystander_pointed"
    person: str

    def headline(self) -> str:
        return f"{self.person} was pointed to the updates"


EVENTS: tuple[type[Event], ...] = (UpdatePromised, OverdueTold, AudienceTold, BystanderPointed)
