"""A network on a real homeserver, what it tells, and the people there."""

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from tocsin.domain.message import Message, Place
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.networks.matrix.network import Matrix
from tocsin.networks.matrix.replies import MatrixError

from tests.networks.contract import PAGE, Peer, RoomsPeer
from tests.networks.matrix_account import Bot, account_of, connected, logs_in
from tests.processes import PATIENCE
from tests.servers.matrix_user import User
from tests.servers.synapse import Account as Person
from tests.servers.synapse import Synapse


def now() -> datetime:
    """The time, which the homeserver has too."""
    return datetime.now(UTC)  # noqa: TID251 (a real homeserver stamps what is said)


class World:
    """A homeserver with Tocsin on it, alice and bob, who are its people, and mallory; all are in one room.

    bot: Tocsin's account. room: where all of them are. private: account -> its private room with Tocsin.
    """

    def __init__(self, synapse: Synapse, folder: Path) -> None:
        self.synapse = synapse
        self.folder = folder
        self.bot = synapse.register("tocsin")
        self.us = self.bot.name
        self.users = {name: User(synapse.url, synapse.register(name)) for name in ("alice", "bob", "mallory")}
        self.alice, self.bob, self.mallory = self.users.values()
        self.private: dict[str, str] = {}
        self.room = ""
        self.names = [self.alice.id, self.bob.id]

    async def __aenter__(self) -> Self:
        for user in self.users.values():
            await user.__aenter__()
            if self.synapse.limits:
                self.synapse.lift_limit(user.account)
        self.room = await self.alice.create("ops", invite=[self.bot.user_id, self.bob.id, self.mallory.id])
        for user in (self.bob, self.mallory):
            await user.join(self.room)
        return self

    async def __aexit__(self, *_: object) -> None:
        for user in self.users.values():
            await user.__aexit__()

    def joins(self, room: str) -> None:
        """Tocsin goes into a room, while it may not be running."""
        self.call("POST", f"/join/{room}", {})

    async def private_rooms(self) -> None:
        """Both people make a room with Tocsin alone, and it is there."""
        for user in (self.alice, self.bob):
            room = self.private[user.id] = await user.create(invite=[self.bot.user_id], direct=True)
            self.joins(room)

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask for something as Tocsin."""
        return self.synapse.call(method, f"/_matrix/client/v3{path}", body, self.bot.token)

    def network(self, *, rooms: Sequence[str] = (), device: str = "TOCSIN", **settings: Any) -> Matrix:
        """The network, as fast as can be; logged in if it is not yet. device: with a state folder of its own."""
        values = {
            "room": self.room,
            "burst": 1000,
            "pace": timedelta(0),
            "user": self.bot.user_id,
            **settings,
        }
        account = account_of(self.synapse, self.bot, self.folder / device, device, **values)
        if account.kept() is None:
            account.keep(logs_in(self.synapse, self.bot, device))
        return Matrix("matrix", account, accounts=self.names, rooms=rooms, now=now, jitter=min)

    @property
    def ops(self) -> Place:
        return Place("matrix", self.room)

    async def got(self, user: User, room: str) -> list[str]:
        """What somebody has seen from Tocsin in a room, line by line."""
        await user.sync()
        return [line for body in user.said_by(self.bot.user_id, room) for line in body.split("\n")]


def private(account: str) -> Place:
    return Place("matrix", account, private=True)


async def say(
    network: Matrix,
    place: Place,
    message: Message = PAGE,
    txn_id: str = "an id",
    *,
    tried: datetime | None = None,
    rank: Rank = Rank.PAGE,
    amends: str = "",
) -> str:
    """Say something; the receipt."""
    return await network.send(place, message, txn_id, tried=tried, rank=rank, amends=amends)


async def refuses(network: Matrix, place: Place, message: Message = PAGE) -> NetworkError:
    """Say something that can't be said: why."""
    with pytest.raises(NetworkError) as caught:
        await say(network, place, message)
    return caught.value


class MatrixPeer(Peer):
    """A homeserver, and on it alice, bob and mallory, who are in the room."""

    def __init__(self, synapse: Synapse, folder: Path) -> None:
        super().__init__()
        self.world = World(synapse, folder)

    async def connect(self) -> None:
        world = await self.world.__aenter__()
        world.joins(world.room)
        await world.private_rooms()
        self.us, self.room = world.us, world.room
        self.alice, self.bob, self.stranger = (user.id for user in world.users.values())
        self.network = world.network(reactions=False)

    async def disconnect(self) -> None:
        await self.world.__aexit__()

    def user(self, account: str) -> User:
        return next(user for user in self.world.users.values() if user.id == account)

    async def says(self, account: str, place: Place, text: str) -> None:
        room = self.world.private[account] if place.private else place.name
        await self.user(account).says(room, text)

    async def lines(self, room: str) -> list[str]:
        return await self.world.got(self.world.bob, room)

    async def private_lines(self, account: str) -> list[str]:
        return await self.world.got(self.user(account), self.world.private[account])


class EncryptedPeer(RoomsPeer):
    """The same, where all rooms are encrypted."""

    def __init__(self, synapse: Synapse, folder: Path) -> None:
        super().__init__()
        self.synapse = synapse
        self.folder = folder
        self._bots: dict[str, Bot] = {}
        self._private: dict[str, str] = {}
        self._numbers = itertools.count()
        self._there = contextlib.AsyncExitStack()

    async def connect(self) -> None:
        person = self.synapse.register("tocsin")
        people = [self.synapse.register(name) for name in ("alice", "bob", "mallory")]
        bots = await asyncio.gather(*(self._enter(each) for each in people))
        alice, bob, mallory = bots
        self.us, self.alice, self.bob, self.stranger = person.name, alice.user, bob.user, mallory.user
        self.room = await alice.creates(bob.user, mallory.user, person.user_id)
        for bot in (bob, mallory):
            await bot.joins(self.room)
        for bot in (alice, bob):
            self._private[bot.user] = await bot.creates(person.user_id)
        for room in (self.room, *self._private.values()):
            self.synapse.call("POST", f"/_matrix/client/v3/join/{room}", {}, person.token)
        settings: dict[str, Any] = {
            "room": self.room,
            "reactions": False,
            "burst": 1000,
            "pace": timedelta(0),
        }
        self._account = account_of(self.synapse, person, self.folder / "state", **settings)
        self._account.keep(logs_in(self.synapse, person))
        self.network = self.again()
        await asyncio.gather(*(bot.syncs() for bot in bots))

    def again(self) -> Matrix:
        accounts = [self.alice, self.bob]
        return Matrix("matrix", self._account, accounts=accounts, rooms=(), now=now, jitter=min)

    async def squats(self, name: str) -> str:
        body = {
            "preset": "private_chat",
            "invite": [f"@{self.us}:tocsin.test"],
            "creation_content": {"org.tocsin.room": name},
        }
        answer = await self._bots[self.stranger].client.call("POST", "/createRoom", body)
        return str(answer["room_id"])

    async def invited(self, account: str, room: str) -> None:
        bot = self._bots[account]
        async with asyncio.timeout(PATIENCE):
            while room not in (await bot.syncs(wait=1)).rooms.invite:
                pass

    async def enters(self, account: str, room: str) -> bool:
        try:
            await self._bots[account].joins(room)
        except MatrixError:
            return False
        return True

    async def title(self, room: str, title: str = "") -> str:
        path, found = f"/rooms/{room}/state/m.room.topic", ""
        async with asyncio.timeout(PATIENCE):
            while not found or title not in ("", found):
                found = (await self._bots[self.alice].client.call("GET", path))["topic"]
        return found

    async def is_there(self, account: str, room: str) -> bool:
        answer = await self._bots[account].client.call("GET", f"/rooms/{room}/joined_members")
        return f"@{self.us}:tocsin.test" in answer["joined"]

    async def _enter(self, person: Person) -> Bot:
        folder = self.folder / person.name
        bot = self._bots[person.user_id] = await self._there.enter_async_context(
            connected(self.synapse, person, folder, "PHONE")
        )
        return bot

    async def disconnect(self) -> None:
        await self._there.aclose()

    async def says(self, account: str, place: Place, text: str) -> None:
        room = self._private[account] if place.private else place.name
        await self._bots[account].syncs()
        await self._bots[account].says(room, text, f"{next(self._numbers)}")

    async def lines(self, room: str) -> list[str]:
        return await self._seen(self._bots[self.bob], room)

    async def private_lines(self, account: str) -> list[str]:
        return await self._seen(self._bots[account], self._private[account])

    async def _seen(self, bot: Bot, room: str) -> list[str]:
        await bot.syncs()
        return [
            line
            for event in bot.events
            if getattr(event, "decrypted", False)
            and (event.sender, event.source["room_id"]) == (f"@{self.us}:tocsin.test", room)
            for line in event.source["content"]["body"].split("\n")
        ]
