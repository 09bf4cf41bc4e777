"""Incidents: declared in a line, led by somebody, talked about in one place, and closed in two steps."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tocsin.api import (
    INCIDENT,
    AlertsAttached,
    Answers,
    Call,
    Command,
    Config,
    Duration,
    Event,
    GroupAcknowledged,
    GroupOpened,
    GroupReopened,
    GroupResolved,
    IncidentClosed,
    IncidentDeclared,
    IncidentMitigated,
    IncidentReopened,
    IncidentResolved,
    Message,
    Name,
    Names,
    PersonCame,
    Problem,
    Reaction,
    ResponderJoined,
    RoleAssigned,
    RoomMade,
    ScopeAnswered,
    SeverityChanged,
    StatusUpdated,
    TimerKind,
    Transaction,
    hookimpl,
    on,
    unknown_name,
)
from tocsin_incidents import clocks, events, roles, rooms, scope, showing
from tocsin_incidents.clocks import Clocks
from tocsin_incidents.declaring import ATTACH, DECLARE, RENAME, Declaring
from tocsin_incidents.events import HAT, ScopeAsked
from tocsin_incidents.roles import Roles
from tocsin_incidents.rooms import Rooms
from tocsin_incidents.settings import CRITERIA, Budgets, Criterion, Rule, Severity, checked_link
from tocsin_incidents.severity import SEVERITY, Severities

Handler = Callable[[Call, Transaction], Message | str | None]
Begins = IncidentDeclared | SeverityChanged | IncidentReopened

BUDGETS = Budgets()
ROOMS_FOR: tuple[Severity, ...] = ("sev1", "sev2")


@dataclass(frozen=True)
class Incidents:
    """Lets people declare and conduct incidents.

    default: how severe one is as long as nobody says. criteria: the questions that say so. rules: which alerts are one from
    the moment at which they fire. coordinators, deputies: the schedules of who leads the severe ones. rooms: the networks
    on which they get a room of their own. rooms_for: how severe such are. links: what is at hand in these rooms, by what it
    is called. budget: how long it may take until one is mitigated. closing_after: how long after the end whoever led is
    reminded of the long message.
    """

    default: Severity = "sev3"
    criteria: tuple[Criterion, ...] = CRITERIA
    rules: tuple[Rule, ...] = ()
    coordinators: Name = ""
    deputies: Name = ""
    rooms: Names = ()
    rooms_for: tuple[Severity, ...] = ROOMS_FOR
    links: Mapping[Name, str] = field(default_factory=dict)
    budget: Budgets = BUDGETS
    closing_after: Duration = timedelta(days=1)

    def __post_init__(self) -> None:
        if not self.criteria:
            raise ValueError("criteria holds no question: leave it out for those that Tocsin has")
        for name, link in self.links.items():
            checked_link(f"links.{name}", link)

    @hookimpl
    def check_settings(self, config: Config) -> Iterable[Problem]:
        for setting in ("coordinators", "deputies"):
            name = getattr(self, setting)
            if name and name not in config.schedules:
                yield unknown_name((setting,), name, "no schedule", config.schedules)
        if self.coordinators and "escalation" not in config.plugins:
            yield Problem(("coordinators",), "are paged by the plugin escalation: add [plugins.escalation]")
        for name in self.rooms:
            if name not in config.networks:
                yield unknown_name(("rooms",), name, "no network", config.networks)
        for place, rule in enumerate(self.rules):
            if rule.team and rule.team not in config.teams:
                yield unknown_name(("rules", place, "team"), rule.team, "no team", config.teams)

    @property
    def _severities(self) -> Severities:
        return Severities(self.criteria)

    @property
    def _declaring(self) -> Declaring:
        return Declaring(self.default, self.rules, self._severities)

    @property
    def _roles(self) -> Roles:
        return Roles(self.coordinators, self.deputies)

    @property
    def _clocks(self) -> Clocks:
        return Clocks(self.budget, self.closing_after)

    @property
    def _rooms(self) -> Rooms:
        return Rooms(self.rooms, self.rooms_for, tuple(self.links.items()))

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return events.EVENTS

    @hookimpl
    def register_reactions(self) -> Iterable[Reaction[Any]]:
        declaring, people, times, places = self._declaring, self._roles, self._clocks, self._rooms
        begins: tuple[type[Begins], ...] = (IncidentDeclared, SeverityChanged, IncidentReopened)
        takes_part = (ResponderJoined, RoleAssigned, StatusUpdated, ScopeAnswered, AlertsAttached)
        return [
            on(GroupOpened, declaring.fired),
            on(GroupReopened, declaring.fired),
            *(on(kind, does) for kind in begins for does in (people.declared, times.began, places.want)),
            *(on(kind, scope.took_part) for kind in (*begins, *takes_part)),
            on(GroupAcknowledged, people.answered),
            on(RoleAssigned, people.assigned),
            on(ScopeAsked, people.joined),
            on(IncidentResolved, people.over),
            on(IncidentMitigated, times.stopped),
            on(IncidentResolved, times.stopped),
            on(IncidentClosed, times.closed),
            on(RoomMade, places.made),
            on(GroupResolved, places.alert_changed),
            on(GroupReopened, places.alert_changed),
            on(PersonCame, places.came),
            on(ResponderJoined, places.invite_them),
            on(RoleAssigned, places.invite_them),
        ]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        people, times, places = self._roles, self._clocks, self._rooms
        return [
            TimerKind(scope.ASK, scope.ask),
            TimerKind(roles.NAG, people.nag),
            TimerKind(roles.OFFER, people.lapse),
            TimerKind(roles.SECOND, people.ask_second),
            TimerKind(clocks.BUDGET, times.spent),
            TimerKind(clocks.CLOSING, times.remind),
            TimerKind(clocks.LEAVE, times.leave),
            TimerKind(rooms.MAKE, places.make),
            TimerKind(rooms.INVITE, places.invite),
            TimerKind(rooms.ENTITLE, places.entitle),
        ]

    @hookimpl
    def register_answers(self) -> Iterable[Answers]:
        people, times = self._roles, self._clocks
        return [
            Answers(HAT, {"accept": people.accept, "decline": people.decline}, people.waiting, people.here),
            Answers(INCIDENT, {"done": times.done}, times.waiting, times.here),
        ]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        declaring, severities, people = self._declaring, self._severities, self._roles
        times, places = self._clocks, self._rooms
        return [
            _command(DECLARE, declaring.declare, "this is an incident", often=True, expires=True),
            _command("incidents", showing.incidents, "which are open", anyone=True, often=True),
            _command("incident [INCIDENT]", showing.show, "how one stands", anyone=True, also=("inc",)),
            _command("catchup [INCIDENT]", showing.catch_up, "what you missed", also=("catch-up",)),
            _command(SEVERITY, severities.say, "how severe it is", also=("severity",)),
            _command("yes [INCIDENT]", severities.yes, "it is so", also=("y",)),
            _command("no [INCIDENT]", severities.no, "it is not so", also=("n",)),
            _command(scope.SCOPE, scope.answer, "how far it reaches"),
            _command(roles.ROLE, people.role, "who does what", also=("roles",)),
            _command("lead [INCIDENT]", people.lead, "I lead"),
            _command(roles.PASS, people.hat, "ask somebody to lead"),
            _command(clocks.MITIGATED, times.mitigated, "users are hurt no more", also=("mit",)),
            _command(clocks.ALL_CLEAR, times.all_clear, "it is as before", also=("all-clear",)),
            _command(clocks.CAUSE, times.cause, "why it happened"),
            _command(clocks.CLOSE, times.close, "the long message, and nothing is left to do"),
            _command(clocks.REOPEN, times.reopen, "it goes on after all"),
            _command(clocks.CLOCK, times.correct, "that was at another time"),
            _command(ATTACH, declaring.attach, "these alerts belong to it"),
            _command(RENAME, declaring.rename, "call it something else"),
            _command("room [INCIDENT]", places.ask, "a room of its own, or an invitation there"),
        ]


def _command(
    usage: str,
    handler: Handler,
    meaning: str,
    *,
    also: tuple[str, ...] = (),
    often: bool = False,
    anyone: bool = False,
    expires: bool = False,
) -> Command:
    """A command whose words are read by its handler."""
    grammar = f"{usage.split(maxsplit=1)[0]} [WORDS\u2026]"
    return Command(
        usage, handler, meaning, also=also, often=often, anyone=anyone, expires=expires, grammar=grammar
    )
