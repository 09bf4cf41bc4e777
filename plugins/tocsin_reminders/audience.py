"""What the file says about those who are told beside the people who work on an incident."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tocsin.api import (
    Config,
    Duration,
    FilePath,
    Incident,
    Name,
    Place,
    Problem,
    Transaction,
    is_mail_address,
    safe_link,
    unknown_name,
)
from tocsin_reminders.events import Moment
from tocsin_reminders.settings import SHORTEST
from tocsin_reminders.wording import PUBLIC, USUAL, Wording, problems

Severity = Literal["sev1", "sev2", "sev3", "sev4"]


@dataclass(frozen=True)
class Audience:
    """People who are told how incidents stand.

    teams: those in whose rooms it is told. mail: addresses. page: a folder in which a status page is kept, for all the world
    to read. severities: of which incidents they are told; of what they were told once they hear to the end. every: how far
    off the next update is that they are promised; never sooner than that of the incident. wording: how they are told.
    link: where more stands; `{number}` in it is the incident's. drills: whether drills are told by mail and on the page too.
    bystanders: whoever asks where people work is pointed to its rooms.
    """

    teams: tuple[Name, ...] = ()
    mail: tuple[str, ...] = ()
    page: FilePath | None = None
    severities: tuple[Severity, ...] = ("sev1", "sev2")
    every: Duration | None = None
    wording: Wording = field(default_factory=Wording)
    link: str = ""
    drills: bool = False
    bystanders: bool = False

    def __post_init__(self) -> None:
        if not (self.teams or self.mail or self.page):
            raise ValueError("is told nothing: give it teams, mail or a page")
        for address in self.mail:
            if not is_mail_address(address):
                raise ValueError(f"mail must be addresses such as 'execs@example.org', not {address!r}")
        if len(set(self.mail)) < len(self.mail):
            raise ValueError("mail names an address twice")
        if self.every is not None and self.every < SHORTEST:
            raise ValueError("every must be at least 1m")
        if self.link and not safe_link(self.link_of("42")):
            raise ValueError("link must be a link such as 'https://status.example.org/{number}'")

    def link_of(self, number: str) -> str:
        return self.link.replace("{number}", number)

    def template(self, moment: Moment) -> str:
        usual = PUBLIC if self.page is not None else USUAL
        return self.wording.of(moment) or usual.of(moment)

    def rooms(self, incident: Incident, tx: Transaction) -> Sequence[Place]:
        """Where it is told in chat; not where the incident is talked about anyway."""
        rooms = [room for team in self.teams for room in tx.rooms(team)]
        return [
            room
            for room in dict.fromkeys(rooms)
            if room not in (*incident.own_rooms, *incident.team_rooms) and room.network in tx.config.networks
        ]

    def wants(self, incident: Incident) -> bool:
        """Whether it is told of an incident of which it was not told before."""
        beside_chat = not incident.drill or self.drills
        return incident.severity in self.severities and bool(self.teams or beside_chat)

    def check(self, config: Config, *, by_mail: bool) -> Iterator[Problem]:
        """What is wrong with it. by_mail: whether there is a server for mail."""
        for index, team in enumerate(self.teams):
            if team not in config.teams:
                yield unknown_name(("teams", index), team, "no team", config.teams)
            elif not config.teams[team].rooms:
                yield Problem(("teams", index), f"{team} has no room: add [teams.{team}] rooms")
        if self.mail and not by_mail:
            yield Problem(("mail",), "needs a server for mail: add [plugins.reminders.smtp]")
        if self.page is not None and not (self.page.is_dir() and os.access(self.page, os.W_OK)):
            yield Problem(("page",), f"{self.page}: must be a folder in which Tocsin may write")
        for moment in Moment:
            for problem in problems(self.wording.of(moment)):
                yield Problem(("wording", moment), problem)
