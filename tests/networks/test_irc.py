"""IRC, on the poorest server and on the richest."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tocsin.config import Address
from tocsin.domain.message import Place
from tocsin.domain.oncall import Identity
from tocsin.networks.irc.network import Irc
from tocsin.networks.irc.settings import IrcSettings

from tests.networks.contract import NetworkContract, Peer
from tests.servers.irc_user import User
from tests.servers.ircd import HOST, Inspircd, Ircd, Ngircd, running

ROOM = "#ops"
PASSWORD = "correct-horse"


@pytest.fixture(scope="module")
def ngircd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ngircd]:
    with running(Ngircd(tmp_path_factory.mktemp("irc") / "ngircd")) as server:
        yield server


@pytest.fixture(scope="module")
def inspircd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspircd]:
    with running(Inspircd(tmp_path_factory.mktemp("irc") / "inspircd", services=True)) as server:
        for account in ("alice", "bob", "mallory", "tocsin"):
            server.register(account, PASSWORD)
        yield server


class IrcPeer(Peer):
    """A server, and on it alice, bob and mallory, who are in the room; where there are accounts, by theirs."""

    room = ROOM
    alice = "alice"
    bob = "bob"
    stranger = "mallory"

    def __init__(self, server: Ircd, **settings: Any) -> None:
        super().__init__()
        self.server = server
        self.accounts = isinstance(server, Inspircd)
        self.settings = settings
        self.users = {name: User(name) for name in (self.alice, self.bob, self.stranger)}

    async def connect(self) -> None:
        self.network = irc(
            self.server, identity=Identity.ACCOUNTS if self.accounts else Identity.NICKS, **self.settings
        )

    async def arrive(self) -> None:
        await asyncio.gather(*(self._comes(user) for user in self.users.values()))

    async def _comes(self, user: User) -> None:
        await user.connect(self.server.port, sasl=(user.nick, PASSWORD) if self.accounts else "")
        await user.join(ROOM)

    async def disconnect(self) -> None:
        await asyncio.gather(*(user.close() for user in self.users.values()))

    async def says(self, account: str, place: Place, text: str) -> None:
        await self.users[account].says("tocsin" if place.private else place.name, text)

    async def lines(self, room: str) -> list[str]:
        await self.users[self.bob].sync()
        return self.users[self.bob].said_by("tocsin", room)

    async def private_lines(self, account: str) -> list[str]:
        await self.users[account].sync()
        return self.users[account].said_by("tocsin", account)


def irc(server: Ircd, **settings: Any) -> Irc:
    """The network, as fast as can be."""
    values: dict[str, Any] = {"tls": False, "room": ROOM, "pace": timedelta(0), **settings}
    port = server.tls_port if values["tls"] else server.port
    found = IrcSettings(server=Address("localhost" if values["tls"] else HOST, port), **values)
    return Irc("irc", found, accounts=["alice", "bob"], rooms=["#db"])


class TestNgircd(NetworkContract):
    @pytest.fixture
    async def peer(self, ngircd: Ngircd) -> AsyncIterator[IrcPeer]:
        async with IrcPeer(ngircd) as running:
            yield running


class TestInspircd(NetworkContract):
    @pytest.fixture
    async def peer(self, inspircd: Inspircd) -> AsyncIterator[IrcPeer]:
        async with IrcPeer(inspircd) as running:
            yield running
