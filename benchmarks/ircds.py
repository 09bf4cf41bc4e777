"""Tocsin and the floors on a real IRC server, and alice, who is there and notes what she hears."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from benchmarks.client import PATIENCE
from benchmarks.heard import Heard
from benchmarks.raw_irc import HOST, ROOM, RawIrc
from benchmarks.servers import FLOORS, Chat, Lost, Server, serving

from tests.servers.ircd import Inspircd, Ngircd
from tests.servers.programs import running

IRCDS = {"ngIRCd": Ngircd, "InspIRCd": Inspircd}

_SETTINGS = f"""\
server = "{HOST}:{{port}}"
tls = false
room = "{ROOM}"
identity = "trust-nicks"
"""


class NotThere(Exception):
    """A server is not installed. Says what to do."""


class Alice:
    """Whom Tocsin pages, and who reads in the room. lost: nick -> how often it was gone."""

    def __init__(self) -> None:
        self.lost: Counter[str] = Counter()
        self._heard = defaultdict[tuple[str, bool], Heard](Heard)
        self._here: set[str] = set()
        self._news = asyncio.Event()

    def heard(self, nick: str, *, private: bool) -> Heard:
        """What somebody told her, or all in the room."""
        return self._heard[nick, private]

    def page(self, name: str) -> Heard:
        """Where somebody says what it must say: a floor knows the room alone."""
        return self.heard(name, private=name not in FLOORS)

    def forget(self) -> None:
        self._heard.clear()

    async def counts(self, heard: Heard, count: int, patience: float = PATIENCE) -> bool:
        """Wait until she was told of so many; whether she was, before none came for that long."""
        while heard.count < count:
            before = heard.count
            try:
                async with asyncio.timeout(patience):
                    while heard.count == before:
                        await self._wait()
            except TimeoutError:
                return False
        return True

    async def meets(self, nick: str) -> None:
        """Wait until somebody is in the room. Raises Lost."""
        try:
            async with asyncio.timeout(PATIENCE):
                while nick not in self._here:
                    await self._wait()
        except TimeoutError:
            raise Lost(f"{nick} does not come into the room") from None

    def hear(self, nick: str, command: str, first: str, rest: str) -> None:
        match command:
            case "PRIVMSG":
                self._heard[nick, first != ROOM].hear(rest, time.perf_counter())
            case "JOIN":
                self._here.add(nick)
            case "QUIT":
                self._here.discard(nick)
                self.lost[nick] += 1
        self._news.set()

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()


@contextmanager
def ircd(name: str, *, limits: bool) -> Iterator[int]:
    """A server; its port. limits: whether it slows down who is too fast, as it comes. Raises NotThere."""
    with TemporaryDirectory() as folder:
        try:
            found = IRCDS[name](Path(folder) / "ircd", flood_limit=limits)
        except pytest.skip.Exception as missing:  # a test that needs it would be skipped
            raise NotThere(str(missing)) from None
        with running(found):
            yield found.port


@asynccontextmanager
async def alice_at(port: int) -> AsyncIterator[Alice]:
    """She is in the room."""
    alice = Alice()
    link = await RawIrc.enter(port, "alice", alice.hear)
    try:
        yield alice
    finally:
        link.close()


@asynccontextmanager
async def speaking(
    names: Sequence[str], port: int, alice: Alice, *, alone: bool
) -> AsyncIterator[Sequence[Server]]:
    """Tocsin and floors, all in the room. alone: they tell each alert alone, as fast as they can."""
    settings = _SETTINGS.format(port=port) + ('pace = "0s"\n' if alone else "")
    chat = Chat("irc", settings, alone=alone, irc=port)
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(serving(name, ready=False, chat=chat)) for name in names
        ]  # they come in at once, which InspIRCd lets people do once a second
        for server in servers:
            await server.ready()
            await alice.meets(server.name)
        yield servers
