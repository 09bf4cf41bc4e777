"""Reminders: every status update says when the next one comes, and that is kept, or said to be late."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tocsin.api import (
    AlertsAttached,
    Command,
    Config,
    Event,
    IncidentAcknowledged,
    IncidentClosed,
    IncidentDeclared,
    IncidentMitigated,
    IncidentReopened,
    IncidentResolved,
    Name,
    Problem,
    Reaction,
    ResponderJoined,
    RoleAssigned,
    ScopeAnswered,
    SeverityChanged,
    StatusUpdated,
    TimerKind,
    TitleChanged,
    hookimpl,
    on,
    unknown_name,
)
from tocsin_reminders.events import EVENTS
from tocsin_reminders.overdue import DUE, STAGE, Overdue
from tocsin_reminders.settings import StagesBySeverity, UpdateEvery
from tocsin_reminders.updating import Updating

CHANGES = (
    SeverityChanged,
    ResponderJoined,
    RoleAssigned,
    IncidentAcknowledged,
    IncidentMitigated,
    AlertsAttached,
    ScopeAnswered,
    TitleChanged,
)
"""By these an incident is worse than before, or somebody takes part in it."""


@dataclass(frozen=True)
class Reminders:
    """Keeps the promise of the next status update.

    update_every: how often an update comes, by severity. stages: who is told, and when, if one does not. page: the person,
    schedule or team that the last stage calls; without it whoever promised.
    """

    update_every: UpdateEvery = field(default_factory=UpdateEvery)
    stages: StagesBySeverity = field(default_factory=StagesBySeverity)
    page: Name = ""

    @property
    def _overdue(self) -> Overdue:
        return Overdue(self.update_every, self.stages, self.page)

    @hookimpl
    def check_settings(self, config: Config) -> Iterable[Problem]:
        known = [*config.people, *config.schedules, *config.teams]
        if self.page and self.page not in known:
            yield unknown_name(("page",), self.page, "no person, schedule or team", known)

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return EVENTS

    @hookimpl
    def register_reactions(self) -> Iterable[Reaction[Any]]:
        overdue = self._overdue
        return [
            on(IncidentDeclared, overdue.begin),
            on(IncidentReopened, overdue.begin),
            on(StatusUpdated, overdue.updated),
            on(IncidentResolved, overdue.over),
            on(IncidentClosed, overdue.over),
            *(on(kind, overdue.changed) for kind in CHANGES),
        ]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        return [TimerKind(DUE, self._overdue.due), TimerKind(STAGE, self._overdue.stage)]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        return [
            Command(
                "status [INCIDENT] [TEXT\u2026] [next TIME]",
                Updating(self._overdue).status,
                "tell how it stands, and when you tell again; alone: ask",
                anyone=True,
                also=("update",),
                often=True,
                grammar="status [WORDS\u2026]",
            )
        ]
