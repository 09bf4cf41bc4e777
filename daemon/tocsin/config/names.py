"""Whether what the core's tables name is there, and can be used."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tocsin.config.schedules import Schedule
from tocsin.config.tables import Config, Person
from tocsin.config.values import CREDENTIALS, SecretSource, is_loopback
from tocsin.domain.oncall import Identity
from tocsin.domain.words import did_you_mean, key_path, listed
from tocsin.errors import KeyPath, Problem

SHORTEST_TOKEN = 16


def check_names(config: Config) -> Iterator[Problem]:
    """Everything that only shows when the tables are held against one another, and against the machine."""
    if not config.networks:
        yield Problem(("networks",), "there is no network to page on: add one, such as [networks.console]")
    if not config.people:
        yield Problem(("people",), "there is nobody to page: add [people.NAME]")
    if "fallback" in config.networks:
        yield Problem(
            ("networks", "fallback"), "can't be told from [fallback]: give the network another name"
        )
    yield from _claimed_twice(people=config.people, teams=config.teams, schedules=config.schedules)
    yield from _claimed_twice(teams=config.teams, networks=config.networks)
    yield from _identities(config)
    yield from _about_rooms(config)
    yield from _people(config)
    for name, team in config.teams.items():
        if not team.members and not team.rooms:  # with rooms alone it is those who read there
            yield Problem(("teams", name, "members"), "names nobody", fatal=False)
        yield from _known(("teams", name, "members"), team.members, config)
        yield from _networks(("teams", name, "rooms"), team.rooms, config, "room")
    for name, schedule in config.schedules.items():
        yield from _schedule(("schedules", name), schedule, config)
    yield from _fallback(config)
    yield from _secrets(config)


def unknown_name(at: KeyPath, name: str, what: str, known: Iterable[str]) -> Problem:
    """The problem of a name that nothing bears; `what` says what was looked for, as in "no person"."""
    names = sorted(known)
    hint = did_you_mean(name, names) or (f"; there is {listed(names[:8])}" if names else "")
    return Problem(at, f"{what} is called {name!r}{hint}")


def _claimed_twice(**tables: Mapping[str, Any]) -> Iterator[Problem]:
    """Steps name these without saying which table, so a name may stand in one of them only."""
    owners: dict[str, str] = {}
    for table, entries in tables.items():
        for name in entries:
            if first := owners.get(name):
                yield Problem(
                    (table, name), f"{key_path((first, name))} has that name too: rename one of them"
                )
            owners[name] = table


def _identities(config: Config) -> Iterator[Problem]:
    for name, network in config.networks.items():
        if network.identity is Identity.NICKS:
            text = "whoever takes the nick of one of the people may act as them there"
            yield Problem(("networks", name, "identity"), text, fatal=False)


def _about_rooms(config: Config) -> Iterator[Problem]:
    for name, network in config.networks.items():
        rooms = {network.room, *(team.rooms[name] for team in config.teams.values() if name in team.rooms)}
        known = {room.lower() for room in rooms}
        for at in network.about_rooms():
            if str(at[-1]).lower() not in known:
                yield unknown_name(("networks", name, *at), str(at[-1]), "no room of Tocsin's", rooms)


def _people(config: Config) -> Iterator[Problem]:
    holders: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, person in config.people.items():
        at = ("people", name, "accounts")
        yield from _networks(at, person.accounts, config, "account")
        if not person.accounts:
            yield Problem(
                at, f"{name} has no account on any network, so can neither be paged nor answer", fatal=False
            )
        yield from _ways(name, person, config)
        for network, account in person.accounts.items():
            holders[network, account.lower()].append(name)
    for (network, account), names in holders.items():
        for name in names[1:]:
            yield Problem(
                ("people", name, "accounts", network), f"{account!r} is already the account of {names[0]}"
            )


def _ways(name: str, person: Person, config: Config) -> Iterator[Problem]:
    for index, network in enumerate(person.ways):
        at = ("people", name, "ways", index)
        if network not in config.networks:
            yield unknown_name(at, network, "no network", config.networks)
        elif network in person.ways[:index]:
            yield Problem(at, f"{network!r} is named already")
        elif network not in person.accounts:
            text = f"{name} has no account on {network}: it is left out until one is linked"
            yield Problem(at, text, fatal=False)


def _networks(at: KeyPath, named: Mapping[str, str], config: Config, what: str) -> Iterator[Problem]:
    """what: "account" or "room", which is what the networks are given."""
    for network, value in named.items():
        if network not in config.networks:
            yield unknown_name((*at, network), network, "no network", config.networks)
        elif not value:
            yield Problem((*at, network), "must not be empty")
        elif complaint := config.networks[network].complaint(**{what: value}):
            yield Problem((*at, network), complaint)


def _known(at: KeyPath, names: tuple[str, ...], config: Config) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name not in config.people:
            yield unknown_name((*at, index), name, "no person", config.people)


def _schedule(at: KeyPath, schedule: Schedule, config: Config) -> Iterator[Problem]:
    if not schedule.people:
        yield Problem((*at, "on_call"), "names nobody", fatal=False)
    yield from _known((*at, "on_call"), schedule.on_call, config)
    for index, layer in enumerate(schedule.layers):
        place = (*at, "layers", index)
        for number, turn in enumerate(layer.people):
            if not turn:
                yield Problem((*place, "people", number), "names nobody")
            yield from _known((*place, "people", number), turn, config)
        for number, shift in enumerate(layer.shifts):
            yield from _known((*place, "shifts", number, "people"), shift.people, config)


def _fallback(config: Config) -> Iterator[Problem]:
    at = ("fallback", "command")
    if not config.fallback.command:
        yield Problem(
            at, "is not set: when chat is down or nobody answers, nothing else will ring", fatal=False
        )
        return
    program = Path(config.fallback.command[0])
    if not program.is_file():
        yield Problem((*at, 0), f"{program}: no such file")
    elif not os.access(program, os.X_OK):
        yield Problem((*at, 0), f"{program}: is not executable: chmod +x {program}")


OF_SERVICE = Path("/etc/tocsin")
"""Where the service has its configuration."""


def _roots_alone(path: Path) -> bool:
    """Whether root can read it, who asks, and the service can't."""
    return os.geteuid() == 0 and path.is_relative_to(OF_SERVICE) and path.stat().st_uid == 0


def _secrets(config: Config) -> Iterator[Problem]:
    for at, source in _sources(config):
        try:
            secret = source.reveal()
        except ValueError as error:
            yield Problem(at, str(error))
            continue
        if source.file is not None and _roots_alone(source.file):
            text = f"{source.file}: the service may not read what is root's: put it into {OF_SERVICE / CREDENTIALS}, "
            yield Problem(at, f"{text}and say credential = {source.file.name!r}", fatal=False)
        if at[0] in ("receivers", "metrics") and len(secret) < SHORTEST_TOKEN:
            yield Problem(
                at,
                f"is too short to be safe: {SHORTEST_TOKEN} characters at least; "
                "make one with: openssl rand -hex 32",
            )
        if at == ("heartbeat", "url"):
            yield from address_problems(at, secret)


def address_problems(at: KeyPath, url: str) -> Iterator[Problem]:
    """What is wrong with an address that is a secret: none of it is repeated."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or " " in url:
        yield Problem(at, "must hold an address such as https://hc-ping.com/UUID, and nothing else")
    elif parts.scheme == "http" and not is_loopback(host):
        text = "goes out in the clear, and whoever reads it on its way can say that all is well: use https"
        yield Problem(at, text, fatal=False)


def _sources(value: Any, at: KeyPath = ()) -> Iterator[tuple[KeyPath, SecretSource]]:
    """Every secret that the configuration names, plugins' own included."""
    if isinstance(value, SecretSource):
        yield at, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _sources(getattr(value, field.name), (*at, field.name))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _sources(inner, (*at, key))
    elif isinstance(value, tuple | list):
        for index, inner in enumerate(value):
            yield from _sources(inner, (*at, index))
