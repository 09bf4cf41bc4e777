"""Looks whether an IRC network is as it must be: may we speak in each channel, who proves who speaks, who is there."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from tocsin.config import is_loopback
from tocsin.domain.finding import Finding, green, red, yellow
from tocsin.domain.oncall import Identity
from tocsin.networks.irc.lines import fold, line
from tocsin.networks.irc.link import Link
from tocsin.networks.irc.rooms import Room, Rooms
from tocsin.networks.irc.settings import IrcSettings
from tocsin.networks.irc.wire import Heard

ANSWERED_WITHIN = 7.0
"""How many seconds it may take until the server has told of all channels: it is asked at the pace of messages."""

UNTOLD = "the server tells nobody's account"

_RANKS = "~&@%+"


def tells_accounts(link: Link) -> bool:
    """Whether the server says by itself which account somebody is logged in to."""
    return bool({"account-tag", "account-notify", "extended-join"} & link.caps) or "WHOX" in link.features


class Examining:
    """Asks for the modes of each channel and for our rank there, which people see nothing of."""

    def __init__(self, name: str, settings: IrcSettings, rooms: Rooms) -> None:
        self._name = name
        self._settings = settings
        self._rooms = rooms
        self._moderated: dict[str, bool] = {}
        self._ranked: dict[str, bool] = {}
        self._open: dict[str, asyncio.Event] = {}

    def follow(self, heard: Heard, link: Link) -> None:
        """An answer of the server."""
        match heard.command:
            case "324":
                self._moderated[fold(heard.word(1))] = "m" in heard.word(2)
            case "353":
                for name in heard.last.split():
                    if fold(name.lstrip(_RANKS)) == fold(link.nick):
                        self._ranked[fold(heard.word(2))] = name.startswith(tuple(_RANKS))
            case "366" if (answered := self._open.get(fold(heard.word(1)))) is not None:
                answered.set()

    async def examine(self, link: Link) -> list[Finding]:
        """A line for each channel, and one for how people are known."""
        joined = [room for room in self._rooms if room.joined]
        self._open = {fold(room.name): asyncio.Event() for room in joined}
        for room in joined:
            link.command_some_time(line("MODE", room.name))
            link.command_some_time(line("NAMES", room.name))
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWERED_WITHIN):
                for answered in self._open.values():
                    await answered.wait()
        return [*map(self._room, self._rooms), self._identity(link), *self._way()]

    def _room(self, room: Room) -> Finding:
        about, key = f"{self._name} {room.name}", fold(room.name)
        if not room.joined:
            return red(about, f"Tocsin is not in it: {room.why}", "let it in; it tries again by itself")
        if (answered := self._open.get(key)) is None or not answered.is_set():
            return yellow(
                about, "Tocsin is in it; whether it may speak the server has not told in time", "try again"
            )
        if self._moderated.get(key) and not self._ranked.get(key):
            todo = f"/mode {room.name} +v {self._settings.nick}"
            return red(about, "is moderated, and Tocsin has no voice: nothing can be said there", todo)
        return green(
            about, f"Tocsin is in it and may speak; alerts are told {'in full' if room.full else 'in short'}"
        )

    def _identity(self, link: Link) -> Finding:
        about = f"{self._name} identity"
        match self._settings.identity:
            case Identity.ACCOUNTS if tells_accounts(link):
                return green(about, "people are known by the services account that the server tells")
            case Identity.ACCOUNTS:
                text = f"{UNTOLD} by itself: it is asked by WHOIS each time"
                todo = (
                    f"see that !whoami knows you; without services: networks.{self._name}.identity = 'codes'"
                )
                return yellow(about, text, todo)
            case Identity.CODES:
                return green(about, "people are known by the code that each page brings")
            case Identity.NOBODY:
                return yellow(
                    about, "nobody can answer here: identity is 'read-only'", "answer on another network"
                )
            case Identity.NICKS:
                text = "whoever takes somebody's nick is taken for them"
                return yellow(about, text, f"networks.{self._name}.identity = 'accounts', or 'codes'")

    def _way(self) -> Iterator[Finding]:
        server = self._settings.server
        if not self._settings.tls and not is_loopback(server.host):
            text = f"without TLS whoever is between here and {server.host} reads and changes what is said"
            yield yellow(f"{self._name} TLS", text, f"networks.{self._name}.tls = true")
