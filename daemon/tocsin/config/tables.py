"""The tables of the configuration that belong to the core; what plugins add is theirs to say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, Field

from tocsin.config.schedules import Schedule
from tocsin.config.values import (
    Address,
    AddressSetting,
    Command,
    Count,
    Duration,
    FilePath,
    Name,
    Names,
    NonEmpty,
    Prefix,
    Quiet,
    Secret,
)
from tocsin.domain.flapping import FlapRule
from tocsin.domain.oncall import Identity, Responder, Team
from tocsin.errors import KeyPath


class NetworkSettings(Protocol):
    """What every kind of network has.

    room: where all alerts are told. identity: how it proves who speaks.
    """

    @property
    def room(self) -> str: ...

    @property
    def identity(self) -> Identity: ...

    def about_rooms(self) -> Iterable[KeyPath]:
        """The settings that are about one room each, as they stand there: each ends in the room's name."""

    def complaint(self, *, account: str = "", room: str = "") -> str:
        """Why nobody can have such an account there, or no room can be called so; empty if they can."""


@dataclass(frozen=True)
class Store:
    """directory: the folder of the database; without it $STATE_DIRECTORY, else `state` beside the file."""

    directory: FilePath | None = None


@dataclass(frozen=True)
class Backup:
    """directory: the folder of the backups; without it `backups` in the state folder. every: how long after one the next is
    made. keep_last: so many of the newest are kept. keep_days: and of so many days the last one.
    """

    enabled: bool = True
    directory: FilePath | None = None
    every: Duration = timedelta(hours=1)
    keep_last: Annotated[int, Field(ge=1)] = 24
    keep_days: Count = 14

    def __post_init__(self) -> None:
        if self.every < timedelta(minutes=1):
            raise ValueError("'every' must be a minute at least; for none at all say enabled = false")


@dataclass(frozen=True)
class Web:
    """listen: where webhooks are taken."""

    listen: AddressSetting = Address("127.0.0.1", 8627)


@dataclass(frozen=True)
class Metrics:
    """token: who sends it may read what is measured, from anywhere; without one, whoever asks from the same machine."""

    token: Secret | None = None


@dataclass(frozen=True)
class Receiver:
    """Who may post alerts: by bearer token, or by user and password (basic auth).

    limit: how many posts a second are taken of it in the long run.
    """

    token: Secret | None = None
    user: str = ""
    password: Secret | None = None
    limit: Annotated[int, Field(ge=1)] = 50

    def __post_init__(self) -> None:
        if (self.token is None) is (self.password is None):
            raise ValueError("takes either a token, or a user and a password")
        if bool(self.user) is not (self.password is not None):
            raise ValueError("user and password go together")


@dataclass(frozen=True)
class Fallback:
    """What rings when chat can't, or nobody answers.

    command: the program and its arguments; the page is given on its standard input.
    """

    command: Command = ()
    timeout: Duration = timedelta(seconds=30)


class HeartbeatForm(StrEnum):
    """What is understood outside: that all is well alone, or also what is wrong, and in which form."""

    HEALTHCHECKS = "healthchecks"
    UPTIME_KUMA = "uptime-kuma"
    PLAIN = "plain"


def _minute_or_so(every: timedelta) -> timedelta:
    if every < timedelta(seconds=10):
        raise ValueError("must be 10s at least")
    return every


@dataclass(frozen=True)
class Heartbeat:
    """Who outside is called while all is well, and wakes people when nothing is heard.

    url: a secret, since whoever knows it can say that all is well. tls_ca: who signs its certificate, if the system does not
    know them.
    """

    url: Secret | None = None
    every: Annotated[Duration, AfterValidator(_minute_or_so)] = timedelta(minutes=1)
    form: HeartbeatForm = HeartbeatForm.HEALTHCHECKS
    tls_ca: FilePath | None = None


@dataclass(frozen=True)
class Person(Responder):
    """A responder, as the file writes one."""

    quiet: Quiet | None = None
    ways: Names = ()


@dataclass(frozen=True)
class Flapping(FlapRule):
    """When an alert flaps, as the file says it."""

    after: Count = 3
    within: Duration = timedelta(minutes=30)
    hold: Duration = timedelta(minutes=15)


def _severities(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("names a severity twice")
    return names


def _table(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("must be a table")
    return value


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What the core reads.

    severities: the names that alerts carry, the most severe first.
    prefix: what stands before a command in a room.
    reopen_within: how long after it was resolved a group that fires again is the same one.
    digests: whether many alerts at once are told in one message, or each alone however many come.
    """

    store: Store = Store()
    backup: Backup = Backup()
    web: Web = Web()
    metrics: Metrics = Metrics()
    receivers: Mapping[Name, Receiver] = field(default_factory=dict)
    people: Mapping[Name, Person] = field(default_factory=dict)
    teams: Mapping[Name, Team] = field(default_factory=dict)
    schedules: Mapping[Name, Schedule] = field(default_factory=dict)
    severities: Annotated[tuple[Name, ...], NonEmpty, AfterValidator(_severities)] = (
        "critical",
        "error",
        "warning",
        "info",
    )
    prefix: Prefix = "!"
    reopen_within: Duration = timedelta(minutes=10)
    digests: bool = True
    flapping: Flapping = Flapping()
    fallback: Fallback = Fallback()
    heartbeat: Heartbeat = Heartbeat()


@dataclass(frozen=True, kw_only=True)
class FileTables(Tables):
    """The whole file's shape; networks and plugins are read again, each by its own kind."""

    networks: Mapping[Name, Annotated[Any, AfterValidator(_table)]] = field(default_factory=dict)
    plugins: Mapping[Name, Annotated[Any, AfterValidator(_table)]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Config(Tables):
    """The configuration, read and in itself consistent.

    networks: name -> its settings. plugins: name -> the plugin, built from its table.
    folder: that of the configuration file.
    """

    networks: Mapping[str, NetworkSettings]
    plugins: Mapping[str, object]
    folder: Path
