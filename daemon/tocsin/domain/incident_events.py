"""What happens to an incident."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from tocsin.domain.event import Event
from tocsin.domain.message import Place

INCIDENT = "incident"
"""The kind of subject that an incident is; its id is a number."""

SEVERITIES = ("sev1", "sev2", "sev3", "sev4")
"""The most severe first."""


class Role(StrEnum):
    """What somebody does in an incident. COMMANDER decides and keeps the overview; DEPUTY steps in for them; SCRIBE
    writes down; COMMS tells the others; RESPONDER works on it.
    """

    COMMANDER = "commander"
    DEPUTY = "deputy"
    SCRIBE = "scribe"
    COMMS = "comms"
    RESPONDER = "responder"


class Clock(StrEnum):
    """The times of an incident that are measured, in their order."""

    ACKED = "acked"
    MITIGATED = "mitigated"
    ALL_CLEAR = "all-clear"
    RESOLVED = "resolved"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True)
class IncidentDeclared(Event):
    """There is an incident; its subject is of the kind `INCIDENT`.

    groups: the alert groups that it is about. drill: it is an exercise, and counts nowhere. because: the rule by which
    nobody but Tocsin declared it, or the criterion by which its severity was chosen. rooms: where it is talked about, as
    `str(Place)`, as long as it has no room of its own.
    """

    kind: ClassVar[str] = "incident.declared"
    title: str
    severity: str
    groups: tuple[str, ...] = ()
    drill: bool = False
    because: str = ""
    rooms: tuple[str, ...] = ()

    def headline(self) -> str:
        who = f" by {self.by}" if self.by else ""
        why = f" ({self.because})" if self.because else ""
        return f"{'drill ' * self.drill}{self.severity} declared{who}{why}: {self.title}"


@dataclass(frozen=True, kw_only=True)
class AlertsAttached(Event):
    """Further alert groups belong to it."""

    kind: ClassVar[str] = "incident.alerts_attached"
    groups: tuple[str, ...]

    def headline(self) -> str:
        return f"alerts attached: {', '.join(self.groups)}"


@dataclass(frozen=True, kw_only=True)
class SeverityChanged(Event):
    """It is better or worse than was thought. because: the criterion or the reason, if that was said."""

    kind: ClassVar[str] = "incident.severity_changed"
    severity: str
    before: str
    because: str = ""

    def headline(self) -> str:
        why = f" ({self.because})" if self.because else ""
        return f"severity {self.before} \u2192 {self.severity}{why}"


@dataclass(frozen=True, kw_only=True)
class TitleChanged(Event):
    """It is called something else."""

    kind: ClassVar[str] = "incident.title_changed"
    title: str

    def headline(self) -> str:
        return f"called: {self.title}"


@dataclass(frozen=True, kw_only=True)
class ScopeAnswered(Event):
    """Somebody said how far it reaches. question: one of the plugin's own, by its short name."""

    kind: ClassVar[str] = "incident.scope_answered"
    question: str
    answer: str

    def headline(self) -> str:
        return f"{self.question}: {self.answer}"


@dataclass(frozen=True, kw_only=True)
class ResponderJoined(Event):
    """Somebody takes part in it from now on."""

    kind: ClassVar[str] = "incident.responder_joined"
    person: str

    def headline(self) -> str:
        return f"{self.person} joined"


@dataclass(frozen=True, kw_only=True)
class RoleAssigned(Event):
    """Somebody has a role; as RESPONDER besides those who have it. person: empty if nobody has it any more.

    before: who had it.
    """

    kind: ClassVar[str] = "incident.role_assigned"
    role: Role
    person: str
    before: str = ""

    def headline(self) -> str:
        instead = f", before: {self.before}" if self.before else ""
        return f"{self.role}: {self.person or 'nobody'}{instead}"


@dataclass(frozen=True, kw_only=True)
class RoomOpened(Event):
    """It has a room of its own. place: as `str(Place)`."""

    kind: ClassVar[str] = "incident.room_opened"
    place: str

    def headline(self) -> str:
        return f"talked about in {Place.parse(self.place).called}"


@dataclass(frozen=True, kw_only=True)
class StatusUpdated(Event):
    """Somebody told everybody where it stands. next_at: when they said that they will again; None: not any more."""

    kind: ClassVar[str] = "incident.status_updated"
    text: str
    next_at: datetime | None = None

    def headline(self) -> str:
        return f"status: {self.text}"


@dataclass(frozen=True, kw_only=True)
class IncidentAcknowledged(Event):
    """The first answers: from here on somebody works on it."""

    kind: ClassVar[str] = "incident.acknowledged"

    def headline(self) -> str:
        return f"{self.by or 'somebody'} has it"


@dataclass(frozen=True, kw_only=True)
class IncidentMitigated(Event):
    """Users are hurt no more, whatever the cause. how: by what, if that was said."""

    kind: ClassVar[str] = "incident.mitigated"
    how: str = ""

    def headline(self) -> str:
        return f"mitigated: {self.how}" if self.how else "mitigated"


@dataclass(frozen=True, kw_only=True)
class AllClearGiven(Event):
    """It is back to what it was before. because: what proves it, or why somebody says so.

    recovered_at: from when on it was so, which is known only a while later; None if nobody measured it.
    """

    kind: ClassVar[str] = "incident.all_clear"
    because: str
    recovered_at: datetime | None = None

    def headline(self) -> str:
        since = f" (back since {self.recovered_at:%H:%M} UTC)" if self.recovered_at else ""
        return f"all clear: {self.because}{since}"


@dataclass(frozen=True, kw_only=True)
class AllClearWithdrawn(Event):
    """It is not back after all. because: what shows it."""

    kind: ClassVar[str] = "incident.all_clear_withdrawn"
    because: str

    def headline(self) -> str:
        return f"not clear after all: {self.because}"


@dataclass(frozen=True, kw_only=True)
class IncidentResolved(Event):
    """It is over. despite: what spoke against that, if anything did. because: why it is over all the same, if that was said."""

    kind: ClassVar[str] = "incident.resolved"
    despite: str = ""
    because: str = ""

    def headline(self) -> str:
        why = f": {self.because}" if self.because else ""
        return f"resolved all the same{why} ({self.despite})" if self.despite else "resolved"


@dataclass(frozen=True, kw_only=True)
class CauseFound(Event):
    """Why it happened, as far as is known."""

    kind: ClassVar[str] = "incident.cause_found"
    cause: str

    def headline(self) -> str:
        return f"cause: {self.cause}"


@dataclass(frozen=True, kw_only=True)
class IncidentClosed(Event):
    """Nothing is left to do. text: the long message with which it ends, if there is one."""

    kind: ClassVar[str] = "incident.closed"
    text: str = ""

    def headline(self) -> str:
        return f"closed: {self.text}" if self.text else "closed"


@dataclass(frozen=True, kw_only=True)
class IncidentReopened(Event):
    """It goes on after all. because: why, if that was said."""

    kind: ClassVar[str] = "incident.reopened"
    because: str = ""

    def headline(self) -> str:
        return f"reopened: {self.because}" if self.because else "reopened"


@dataclass(frozen=True, kw_only=True)
class ClockCorrected(Event):
    """One of its times was another one. reads: what that clock shows from now on."""

    kind: ClassVar[str] = "incident.clock_corrected"
    clock: Clock
    reads: datetime

    def headline(self) -> str:
        return f"{self.clock} at {self.reads:%H:%M} UTC, corrected"


EVENTS: tuple[type[Event], ...] = (
    IncidentDeclared,
    AlertsAttached,
    SeverityChanged,
    TitleChanged,
    ScopeAnswered,
    ResponderJoined,
    RoleAssigned,
    RoomOpened,
    StatusUpdated,
    IncidentAcknowledged,
    IncidentMitigated,
    AllClearGiven,
    AllClearWithdrawn,
    IncidentResolved,
    CauseFound,
    IncidentClosed,
    IncidentReopened,
    ClockCorrected,
)
