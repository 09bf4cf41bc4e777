"""In what two configurations differ, and what of it a daemon that runs can't take."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from tocsin.config.tables import Config
from tocsin.config.values import Address
from tocsin.domain.words import key_path
from tocsin.errors import KeyPath, Problem

MOST_NAMED = 3
"""Of a table with more entries that changed the table alone is named."""

_FIXED = ("networks", "store", "web")


def differences(old: Any, new: Any, at: KeyPath = ()) -> Iterator[KeyPath]:
    """Where the settings stand that are others, as deep as can be. at: where these two stand.

    The order of a table counts: that of somebody's accounts means something.
    """
    if is_dataclass(old) and type(old) is type(new) and not isinstance(old, Address):  # which is one text
        for field in fields(old):
            yield from differences(getattr(old, field.name), getattr(new, field.name), (*at, field.name))
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            if key in old and key in new:
                yield from differences(old[key], new[key], (*at, key))
            else:
                yield (*at, key)
        if old.keys() == new.keys() and list(old) != list(new):
            yield at
    elif old != new:
        yield at


def need_restart(old: Config, new: Config) -> Iterator[Problem]:
    """What can't be changed while a daemon runs: what it is connected to, where it listens, and which plugins it has."""
    for at in differences(old, new):
        if at[0] in _FIXED and len(at) > 1:
            yield Problem(at, f"{_became(at, old, new)}: restart Tocsin for that")
    for name in sorted(old.plugins.keys() ^ new.plugins.keys()):
        at = ("plugins", name)
        yield Problem(at, f"{_became(at, old, new)}: restart Tocsin for that")
    for network, settings in old.networks.items():
        if network in new.networks and settings.room == new.networks[network].room:
            before, after = _rooms(old, network), _rooms(new, network)
            for room in sorted(before.keys() ^ after.keys()):
                goes = "Tocsin is not there yet" if room in after else f"Tocsin is still in {room}"
                yield Problem({**before, **after}[room], f"{goes}: restart Tocsin for that")


def named(paths: Iterable[KeyPath]) -> Sequence[str]:
    """What has changed, as people are told it: `people.dave`, `plugins.escalation`, `prefix`."""
    tables = defaultdict[str | int, dict[str, None]](dict)
    for at in paths:
        tables[at[0]][key_path(at[:2])] = None
    return [
        name
        for table, entries in tables.items()
        for name in (entries if len(entries) <= MOST_NAMED else [str(table)])
    ]


def _became(at: KeyPath, old: Config, new: Config) -> str:
    """What happened to that setting: networks and plugins come and go."""
    before, after = (
        {("networks", one) for one in config.networks} | {("plugins", one) for one in config.plugins}
        for config in (old, new)
    )
    if at in before - after:
        return "removed"
    return "added" if at in after - before else "changed"


def _rooms(config: Config, network: str) -> Mapping[str, KeyPath]:
    """The rooms there where we are to be, and which setting says so."""
    teams = {
        team.rooms[network]: ("teams", name, "rooms", network)
        for name, team in config.teams.items()
        if network in team.rooms
    }
    return {**teams, config.networks[network].room: ("networks", network, "room")}
