"""A Synapse of the benchmarks' own, alice, who reads there, and somebody who does nothing but put events."""

import asyncio
import itertools
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from benchmarks.client import PATIENCE
from benchmarks.heard import Heard
from benchmarks.ircds import NotThere
from benchmarks.servers import Chat, Server, serving

from tests.servers.programs import running
from tests.servers.synapse import Account, Synapse

_SETTINGS = """\
homeserver = "{url}"
user = "{user}"
device = "{device}"
token.file = "matrix.token"
room = "{room}"
"""

_ENCRYPTION = {
    "type": "m.room.encryption",
    "state_key": "",
    "content": {"algorithm": "m.megolm.v1.aes-sha2"},
}
_SAID = ("m.room.message", "m.room.encrypted")


SETTLES = 3.0
"""So many seconds after it has come in, Tocsin has said what it says at first: such as that she has no device for what is
encrypted.
"""


@dataclass
class Bot:
    """Somebody who puts events into a room, and does nothing else; or listens besides, as who is to hear answers must.

    wakes: whom each event mentions, and is formatted for, as pages are; nobody if empty.
    """

    http: aiohttp.ClientSession
    url: str
    room: str
    wakes: str = ""
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def listen(self) -> None:
        """Follow what comes, until cancelled."""
        since = ""
        while True:
            query = {"timeout": "30000"} | ({"since": since} if since else {})
            async with self.http.get(f"{self.url}/sync", params=query) as answer:
                since = (await answer.json())["next_batch"]

    async def says(self, text: str) -> None:
        content: dict[str, Any] = {"msgtype": "m.text", "body": text}
        if self.wakes:
            content["format"] = "org.matrix.custom.html"
            content["formatted_body"] = f"<strong>{text}</strong>"
            content["m.mentions"] = {"user_ids": [self.wakes]}
        path = f"{self.url}/rooms/{quote(self.room)}/send/m.room.message/{next(self.numbers)}"
        async with self.http.put(path, json=content) as answer:
            answer.raise_for_status()


class Alice:
    """Whom Tocsin pages, and who reads in the room. Of what is encrypted she sees that it came."""

    def __init__(self, synapse: Synapse, http: aiohttp.ClientSession, account: Account) -> None:
        self._synapse = synapse
        self._http = http
        self._account = account
        self._url = f"{synapse.url}/_matrix/client/v3"
        self._heard = defaultdict[str, Heard](Heard)
        self._members = defaultdict[str, set[str]](set)
        self._news = asyncio.Event()
        self._tocsin = synapse.register("tocsin")
        self._bob = synapse.register("bob")
        if synapse.limits:
            synapse.lift_limit(account)

    async def prepare(self, *, encrypted: bool) -> None:
        """Make the room, and one for her and Tocsin alone, and invite it."""
        self._room = await self.room(self._tocsin.user_id, encrypted=encrypted)
        self._private = await self.room(self._tocsin.user_id, encrypted=encrypted, direct=True)

    async def room(self, guest: str, *, encrypted: bool = False, direct: bool = False) -> str:
        body = {
            "preset": "trusted_private_chat" if direct else "private_chat",
            "invite": [guest],
            "is_direct": direct,
            "initial_state": [_ENCRYPTION] if encrypted else [],
        }
        async with self._http.post(f"{self._url}/createRoom", json=body) as answer:
            answer.raise_for_status()
            room: str = (await answer.json())["room_id"]
            return room

    @property
    def page(self) -> Heard:
        return self._heard[self._private]

    @property
    def told(self) -> Heard:
        return self._heard[self._room]

    def heard(self, room: str) -> Heard:
        """What anybody said in a room."""
        return self._heard[room]

    def forget(self) -> None:
        self._heard.clear()

    @asynccontextmanager
    async def tocsin(self) -> AsyncIterator[Server]:
        """Tocsin, invited to her rooms."""
        with TemporaryDirectory() as folder:
            account = self._tocsin
            token = Path(folder) / "matrix.token"
            token.write_text(account.token)
            token.chmod(0o600)
            settings = _SETTINGS.format(
                url=self._synapse.url, user=account.user_id, device=account.device_id, room=self._room
            )
            if not self._synapse.limits:
                settings += 'pace = "0s"\n'
            people = {"alice": self._account.user_id, "bob": self._bob.user_id}
            chat = Chat("matrix", settings, alone=not self._synapse.limits, people=people)
            async with serving("tocsin", Path(folder), chat=chat) as server:
                yield server

    async def is_met(self) -> None:
        """Wait until Tocsin is in both rooms, and has settled down."""
        while not all(self._tocsin.user_id in self._members[room] for room in (self._room, self._private)):
            await self._wait()
        await asyncio.sleep(SETTLES)
        self.forget()

    async def counts(self, heard: Heard, count: int, patience: float = PATIENCE) -> bool:
        """Wait until she was told so much; whether she was, before nothing came for that long."""
        while max(heard.count, len(heard.lines) if not heard.seen else 0) < count:
            before = len(heard.lines)
            try:
                async with asyncio.timeout(patience):
                    while len(heard.lines) == before:
                        await self._wait()
            except TimeoutError:
                return False
        return True

    async def listen(self) -> None:
        """Note what comes, until cancelled."""
        since, timeline = "", json.dumps({"room": {"timeline": {"limit": 1000}}})
        while True:
            query = {"timeout": "30000", "filter": timeline} | ({"since": since} if since else {})
            async with self._http.get(f"{self._url}/sync", params=query) as answer:
                news = await answer.json()
            at = time.perf_counter()
            since = news["next_batch"]
            for room, told in news.get("rooms", {}).get("join", {}).items():
                for event in (*told["state"]["events"], *told["timeline"]["events"]):
                    self._take(room, event, at)
            self._news.set()

    def _take(self, room: str, event: dict[str, Any], at: float) -> None:
        if event["type"] == "m.room.member" and event["content"]["membership"] == "join":
            self._members[room].add(event["state_key"])
        relation = event["content"].get("m.relates_to", {}).get("rel_type")
        if event["type"] in _SAID and relation != "m.replace":
            self._heard[room].hear(str(event["content"].get("body", "")), at)

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()


@contextmanager
def homeserver(*, limits: bool) -> Iterator[Synapse]:
    """One of its own. limits: whether it slows down who is too fast, as it comes. Raises NotThere."""
    with TemporaryDirectory() as folder:
        try:
            synapse = Synapse(Path(folder) / "synapse", limits=limits, synced=True)
        except pytest.skip.Exception as missing:  # a test that needs it would be skipped
            raise NotThere(str(missing)) from None
        with running(synapse):
            yield synapse


@asynccontextmanager
async def speaking(synapse: Synapse, *, encrypted: bool) -> AsyncIterator[tuple[Alice, Bot, Bot]]:
    """She is there, somebody who only puts events, and somebody who wakes her and listens; all in rooms of theirs."""
    account = synapse.register("alice")
    async with AsyncExitStack() as stack:
        alice = Alice(synapse, await stack.enter_async_context(_signed_in(account)), account)
        await alice.prepare(encrypted=encrypted)
        bots = []
        for name, wakes in (("bare", ""), ("listening", account.user_id)):
            other = synapse.register(name)
            http = await stack.enter_async_context(_signed_in(other))
            bot = Bot(http, f"{synapse.url}/_matrix/client/v3", await alice.room(other.user_id), wakes)
            async with http.post(f"{bot.url}/join/{quote(bot.room)}", json={}) as answer:
                answer.raise_for_status()
            bots.append(bot)
        bare, listening = bots
        for listens in (alice.listen(), listening.listen()):
            stack.push_async_callback(_ended, asyncio.create_task(listens))
        yield alice, bare, listening


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _signed_in(account: Account) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {account.token}"}, timeout=aiohttp.ClientTimeout(PATIENCE)
    )
