"""Notify: rings people by other ways than chat, until somebody answers."""

import importlib.util
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tocsin.api import (
    Button,
    Command,
    Config,
    Duration,
    Event,
    Examination,
    FilePath,
    GroupAcknowledged,
    GroupFiredAgain,
    GroupResolved,
    GroupSilenced,
    Name,
    OnCallChanged,
    PageFailed,
    PageUnseen,
    PersonPaged,
    PersonReleased,
    Problem,
    Reaction,
    Smtp,
    TimerKind,
    hookimpl,
    on,
    safe_link,
    unknown_name,
)
from tocsin_notify import pressing
from tocsin_notify.claims import PATH
from tocsin_notify.duty import LOOK, Ringers
from tocsin_notify.events import EVENTS, Rang
from tocsin_notify.lanes import CALM, RING, Lanes
from tocsin_notify.ring import Wording
from tocsin_notify.settings import Person, Reach, Way
from tocsin_notify.trials import TEST, Trials

SHORTEST_REPEAT, LONGEST_REPEAT = timedelta(seconds=30), timedelta(seconds=60)


@dataclass(frozen=True)
class Notify:
    """Rings people by ntfy, webhooks, mail, programs and Apprise until they answer.

    public_url: how phones reach this daemon's listener; without it there are no buttons. repeat: how often what is
    urgent rings until somebody answers. smtp: who takes mail. tls_ca: who signs the certificates of the servers that
    are asked, if the system doesn't know them.
    """

    people: Mapping[Name, Person] = field(default_factory=dict)
    public_url: str = ""
    repeat: Duration = timedelta(seconds=45)
    smtp: Smtp | None = None
    tls_ca: FilePath | None = None

    def __post_init__(self) -> None:
        if not SHORTEST_REPEAT <= self.repeat <= LONGEST_REPEAT:
            raise ValueError("repeat must be from 30s to 60s")
        if self.public_url and (not safe_link(self.public_url) or set("?#") & set(self.public_url)):
            raise ValueError("public_url must be this daemon's own, such as 'https://tocsin.example.org'")

    @property
    def _reach(self) -> Reach:
        return Reach(self.smtp, self.tls_ca)

    @property
    def _lanes(self) -> Lanes:
        return Lanes(self.people, self.repeat, self._reach, Wording(self.public_url))

    @property
    def _trials(self) -> Trials:
        return Trials(self.people, self._reach, Wording(self.public_url))

    @hookimpl
    def check_settings(self, config: Config) -> Iterator[Problem]:
        for name, person in self.people.items():
            if name not in config.people:
                yield unknown_name(("people", name), name, "no person", config.people)
            for way, settings in person.ways.items():
                yield from self._check_way(("people", name, "ways", way), settings)
        if self.people and not self.public_url:
            text = "is not set: what rings has no buttons, and is answered in chat alone"
            yield Problem(("public_url",), text, fatal=False)
        elif self.public_url.startswith("http://"):
            text = "is not https: whoever listens on the way can press the buttons"
            yield Problem(("public_url",), text, fatal=False)
        yield from Ringers(self.people).check(config)

    def _check_way(self, at: tuple[str, ...], way: Way) -> Iterator[Problem]:
        if way.smtp and self.smtp is None:
            yield Problem((*at, "smtp"), "needs a server for mail: add [plugins.notify.smtp]")
        if way.apprise is not None and importlib.util.find_spec("apprise") is None:
            yield Problem((*at, "apprise"), "Apprise is not installed: pip install 'tocsin[apprise]'")
        if way.command:
            program = Path(way.command[0])
            if not program.is_file():
                yield Problem((*at, "command", 0), f"{program}: no such file")
            elif not os.access(program, os.X_OK):
                yield Problem((*at, "command", 0), f"{program}: is not executable: chmod +x {program}")

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return EVENTS

    @hookimpl
    def register_reactions(self) -> Iterable[Reaction[Any]]:
        lanes = self._lanes
        return [
            on(PersonPaged, lanes.page),
            on(PageUnseen, lanes.hasten),
            on(PageFailed, lanes.hasten),
            on(Rang, lanes.hasten),
            on(GroupFiredAgain, lanes.go_on),
            *(on(kind, lanes.answered) for kind in (GroupAcknowledged, GroupSilenced, GroupResolved)),
            on(PersonReleased, lanes.released),
            on(OnCallChanged, Ringers(self.people).took_over),
        ]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        lanes = self._lanes
        return [
            TimerKind(RING, lanes.ring),
            TimerKind(CALM, lanes.calm),
            TimerKind(TEST, self._trials.send),
            TimerKind(LOOK, Ringers(self.people).look, at_start=True),
        ]

    @hookimpl
    def register_examinations(self) -> Iterable[Examination]:
        return [Examination(Ringers(self.people).examine)]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        return [Command("test [me|CODE]", self._trials.test, "try every way to ring you")]

    @hookimpl
    def register_buttons(self) -> Iterable[Button]:
        return [Button(PATH, pressing.ask, pressing.press)]
