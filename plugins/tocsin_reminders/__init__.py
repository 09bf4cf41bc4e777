"""Reminders: every status update says when the next one comes, and that is kept, or said to be late."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tocsin.api import (
    AlertsAttached,
    Command,
    Config,
    Event,
    FilePath,
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
    Smtp,
    StatusUpdated,
    TimerKind,
    TitleChanged,
    hookimpl,
    on,
    unknown_name,
)
from tocsin_reminders.audience import Audience
from tocsin_reminders.audiences import LATE, MAIL, MOMENTS, PAGE, Audiences
from tocsin_reminders.events import EVENTS
from tocsin_reminders.mailing import Mailing
from tocsin_reminders.overdue import DUE, LOOK, STAGE, Overdue
from tocsin_reminders.publishing import AGAIN, Publishing
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
    schedule or team that the last stage calls; without it whoever promised. audiences: who is told beside those who work on
    it. smtp: who takes mail to them. tls_ca: who signs that server's certificate, if the system doesn't know them.
    """

    update_every: UpdateEvery = field(default_factory=UpdateEvery)
    stages: StagesBySeverity = field(default_factory=StagesBySeverity)
    page: Name = ""
    audiences: Mapping[Name, Audience] = field(default_factory=dict)
    smtp: Smtp | None = None
    tls_ca: FilePath | None = None

    def __post_init__(self) -> None:
        pages = [audience.page for audience in self.audiences.values() if audience.page is not None]
        if len(set(pages)) < len(pages):
            raise ValueError(
                "audiences: two of them have the same page, and each would write over the other's"
            )

    @property
    def _audiences(self) -> Audiences:
        return Audiences(self.audiences)

    @property
    def _overdue(self) -> Overdue:
        return Overdue(self.update_every, self.stages, self.page, self._audiences)

    @hookimpl
    def check_settings(self, config: Config) -> Iterable[Problem]:
        known = [*config.people, *config.schedules, *config.teams]
        if self.page and self.page not in known:
            yield unknown_name(("page",), self.page, "no person, schedule or team", known)
        for name, audience in self.audiences.items():
            for problem in audience.check(config, by_mail=self.smtp is not None):
                yield problem.below("audiences", name)

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
            # Behind these: what is promised to an audience follows from what is promised.
            *(on(kind, self._audiences.tell) for kind in MOMENTS),
        ]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        publishing = Publishing(self._audiences)
        mailing = Mailing(self._audiences, self.smtp, self.tls_ca)
        return [
            TimerKind(DUE, self._overdue.due),
            TimerKind(STAGE, self._overdue.stage),
            TimerKind(LOOK, self._overdue.look, at_start=True),
            TimerKind(LATE, self._audiences.late_later),
            TimerKind(MAIL, mailing.send),
            TimerKind(PAGE, publishing.write, at_start=True),
            TimerKind(AGAIN, publishing.again),
        ]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        return [
            Command(
                "status [INCIDENT] [TEXT\u2026] [next TIME]",
                Updating(self._overdue).status,
                "tell how it stands, and when you tell again; alone: ask",
                anyone=True,
                also=("update", "st"),
                often=True,
                expires=True,
                grammar="status [WORDS\u2026]",
            )
        ]
