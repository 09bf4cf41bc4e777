"""How an incident stands, by all that happened to it."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from tocsin.domain.event import Event
from tocsin.domain.incident_events import (
    SEVERITIES,
    AlertsAttached,
    AllClearGiven,
    AllClearWithdrawn,
    CauseFound,
    Clock,
    ClockCorrected,
    IncidentAcknowledged,
    IncidentClosed,
    IncidentDeclared,
    IncidentMitigated,
    IncidentReopened,
    IncidentResolved,
    ResponderJoined,
    Role,
    RoleAssigned,
    RoomOpened,
    ScopeAnswered,
    SeverityChanged,
    StatusUpdated,
    TitleChanged,
)
from tocsin.domain.message import Place
from tocsin.domain.moments import written
from tocsin.domain.page import PageBegun
from tocsin.domain.room import PersonCame
from tocsin.errors import Refused

_UTC = ZoneInfo("UTC")

_CLOCK_OF: dict[type[Event], Clock] = {
    IncidentAcknowledged: Clock.ACKED,
    IncidentMitigated: Clock.MITIGATED,
    AllClearGiven: Clock.ALL_CLEAR,
    IncidentResolved: Clock.RESOLVED,
    IncidentClosed: Clock.CLOSED,
}


class Incident:
    """How an incident stands, by all that happened to it.

    began_at: when it was declared, or reopened last. groups: the alert groups that it is about. roles: who has which. people: all who took part, in the order in which they
    came. clocks: those that were stopped. cause: empty while it is unexplained. update: the last status update.
    recovered_at: from when on what is measured was as before, of one that is clear.
    scope: question -> answer. pages: alert group that rings since somebody is needed -> what for, as the key of `PageAsked`. own_rooms: those made for it; team_rooms: those of whoever answers for it.
    """

    def __init__(self, number: str) -> None:
        """Before anything happened to it."""
        self.number = number
        self.title = ""
        self.severity = SEVERITIES[-1]
        self.drill = False
        self.declared_at: datetime | None = None
        self.began_at: datetime | None = None
        self.declared_by = ""
        self.because = ""
        self.groups: list[str] = []
        self.roles: dict[Role, str] = {}
        self.people: dict[str, datetime] = {}
        self.clocks: dict[Clock, datetime] = {}
        self.cause = ""
        self.how = ""
        self.scope: dict[str, str] = {}
        self.update: StatusUpdated | None = None
        self.own_rooms: list[Place] = []
        self.pages: dict[str, str] = {}
        self.reopened = 0
        self.recovered_at: datetime | None = None
        self.team_rooms: list[Place] = []

    # How it stands.

    @property
    def open(self) -> bool:
        """Whether something is left to do."""
        return self.declared_at is not None and Clock.CLOSED not in self.clocks

    @property
    def active(self) -> bool:
        """Whether it is not over yet."""
        return self.open and Clock.RESOLVED not in self.clocks

    @property
    def stands(self) -> str:
        """How it stands, in a word."""
        for clock in reversed(Clock):
            if clock in self.clocks and clock is not Clock.ACKED:
                return clock.value
        return "declared"

    @property
    def commander(self) -> str:
        return self.roles.get(Role.COMMANDER, "")

    @property
    def rooms(self) -> Sequence[Place]:
        """Where it is talked about: its own rooms if there are any, else those of the team."""
        return self.own_rooms or self.team_rooms

    @property
    def solo(self) -> bool:
        """Whether one person does all of it, whom no ceremony may keep from that."""
        return len(self.people) < 2 and self.severity != SEVERITIES[0]

    @property
    def called(self) -> str:
        """`sev1 the database is down`; of a drill that it is one."""
        return f"{'drill ' * self.drill}{self.severity} {self.title}"

    def role_of(self, person: str) -> Role | None:
        """What they do in it; None for somebody who has no part in it."""
        for role, who in self.roles.items():
            if who == person:
                return role
        return Role.RESPONDER if person in self.people else None

    # What may happen to it. Each raises Refused if it can't.

    def refuse_if_over(self) -> None:
        """Raises Refused once it is resolved."""
        if not self.active:
            raise Refused(f"{self.number} is {self.stands}: reopen it first")

    def refuse_if_closed(self) -> None:
        """Raises Refused once it is closed."""
        if not self.open:
            raise Refused(f"{self.number} is closed: reopen it first")

    def change_severity(self, severity: str, because: str, by: str, at: datetime) -> SeverityChanged:
        self.refuse_if_closed()
        if severity == self.severity:
            raise Refused(f"{self.number} is {severity} already")
        return SeverityChanged(
            subject=self.number, at=at, by=by, severity=severity, before=self.severity, because=because
        )

    def assign(self, role: Role, person: str, by: str, at: datetime) -> RoleAssigned:
        """person: empty if nobody is to have it."""
        self.refuse_if_closed()
        before = self.roles.get(role, "") if role is not Role.RESPONDER else ""
        if before == person:
            raise Refused(f"{person or 'nobody'} is {role} of {self.number} already")
        return RoleAssigned(subject=self.number, at=at, by=by, role=role, person=person, before=before)

    def tell(self, text: str, next_at: datetime | None, by: str, at: datetime) -> StatusUpdated:
        """A status update."""
        self.refuse_if_closed()
        return StatusUpdated(subject=self.number, at=at, by=by, text=text, next_at=next_at)

    def mitigate(self, how: str, by: str, at: datetime) -> IncidentMitigated:
        """at: may lie in the past. Said once more it corrects the time."""
        self.refuse_if_closed()
        return IncidentMitigated(subject=self.number, at=self._since_declared(at), by=by, how=how or self.how)

    def clear(
        self, because: str, by: str, at: datetime, *, recovered_at: datetime | None = None
    ) -> AllClearGiven:
        """recovered_at: from when on it is as before, if that was measured."""
        self.refuse_if_closed()
        at = self._since_declared(at)
        return AllClearGiven(subject=self.number, at=at, by=by, because=because, recovered_at=recovered_at)

    def withdraw_clear(self, because: str, by: str, at: datetime) -> AllClearWithdrawn:
        self.refuse_if_closed()
        if Clock.ALL_CLEAR not in self.clocks:
            raise Refused(f"{self.number} has no all-clear")
        return AllClearWithdrawn(subject=self.number, at=at, by=by, because=because)

    def resolve(self, by: str, at: datetime) -> IncidentResolved:
        if not self.active:
            raise Refused(f"{self.number} is {self.stands} already")
        return IncidentResolved(subject=self.number, at=self._since_declared(at), by=by)

    def close(self, text: str, by: str, at: datetime) -> IncidentClosed:
        self.refuse_if_closed()
        if self.active:
            raise Refused(f"{self.number} is not over: resolve it first")
        return IncidentClosed(subject=self.number, at=self._since_declared(at), by=by, text=text)

    def reopen(self, because: str, by: str, at: datetime) -> IncidentReopened:
        if self.active:
            raise Refused(f"{self.number} is open")
        return IncidentReopened(subject=self.number, at=at, by=by, because=because)

    def correct(self, clock: Clock, reads: datetime, by: str, at: datetime) -> ClockCorrected:
        if clock not in self.clocks:
            raise Refused(f"{self.number} is not {clock} yet")
        return ClockCorrected(
            subject=self.number, at=at, by=by, clock=clock, reads=self._since_declared(reads)
        )

    def _since_declared(self, at: datetime) -> datetime:
        """A time that somebody says: people say minutes, and that of the declaration is meant as that.

        Raises Refused for what was before.
        """
        declared = self.declared_at or at
        if at < declared.replace(second=0, microsecond=0):
            said, began = (written(one, _UTC, other) for one, other in ((at, declared), (declared, at)))
            raise Refused(f"that is {said}, and {self.number} was declared at {began}")
        return max(at, declared)

    # What did.

    def apply(self, event: Event) -> None:
        """Go on by one event; of those of others that somebody did it, who so takes part."""
        self._take_part(event)
        if isinstance(event, PageBegun):
            self.pages[event.group] = event.key
        self._become(event)
        self._go_on(event)

    def _become(self, event: Event) -> None:
        """What it is."""
        match event:
            case IncidentDeclared():
                self.title, self.severity, self.drill = event.title, event.severity, event.drill
                self.declared_at, self.declared_by, self.because = event.at, event.by, event.because
                self.began_at = event.at
                self.groups = list(event.groups)
                self.team_rooms = [Place.parse(room) for room in event.rooms]
            case AlertsAttached():
                self.groups += [group for group in event.groups if group not in self.groups]
            case SeverityChanged():
                self.severity = event.severity
            case TitleChanged():
                self.title = event.title
            case ScopeAnswered():
                self.scope[event.question] = event.answer
            case RoomOpened():
                self.own_rooms.append(Place.parse(event.place))

    def _go_on(self, event: Event) -> None:
        """How far it has come."""
        if (clock := _CLOCK_OF.get(type(event))) is not None:
            self.clocks[clock] = event.at
        match event:
            case StatusUpdated():
                self.update = event
            case IncidentMitigated():
                self.how = event.how
            case CauseFound():
                self.cause = event.cause
            case AllClearGiven():
                self.recovered_at = event.recovered_at or self.recovered_at
            case AllClearWithdrawn():
                self.clocks.pop(Clock.ALL_CLEAR, None)
                self.recovered_at = None
            case IncidentReopened():
                self.reopened += 1
                self.recovered_at = None
                self.began_at, self.how = event.at, ""
                self.clocks = {clock: at for clock, at in self.clocks.items() if clock is Clock.ACKED}
            case ClockCorrected():
                self.clocks[event.clock] = event.reads

    def _take_part(self, event: Event) -> None:
        if isinstance(event, PersonCame):  # who merely looks in may be greeted first
            return
        comes = event.person if isinstance(event, ResponderJoined | RoleAssigned) else ""
        for person in (event.by, comes):
            if person:
                self.people.setdefault(person, event.at)
        if isinstance(event, RoleAssigned) and event.role is not Role.RESPONDER:
            self.roles.pop(event.role, None)
            if event.person:
                self.roles[event.role] = event.person
