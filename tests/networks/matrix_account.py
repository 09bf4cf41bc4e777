"""Clients of ours on a real homeserver, without the network around them."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from signal import SIGKILL
from typing import Any

from tocsin.networks.matrix.account import Account, Credentials
from tocsin.networks.matrix.client import Client
from tocsin.networks.matrix.settings import MatrixSettings

from tests.processes import PATIENCE
from tests.servers.synapse import Account as Person
from tests.servers.synapse import Synapse

_LOGIN = "/_matrix/client/v3/login"
_ALL = {"room": {"timeline": {"limit": 1000}}}


def logs_in(synapse: Synapse, person: Person, device: str = "TOCSIN") -> Credentials:
    """A token for somebody, on a device of that name."""
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": person.user_id},
        "password": person.password,
        "device_id": device,
    }
    answer = synapse.call("POST", _LOGIN, body)
    return Credentials(answer["user_id"], answer["device_id"], answer["access_token"])


def account_of(
    synapse: Synapse, person: Person, state: Path, device: str = "TOCSIN", **settings: Any
) -> Account:
    """What is kept of somebody's account, without anybody having logged in; the state folder is made if need be."""
    state.mkdir(mode=0o700, exist_ok=True)
    values = {"homeserver": synapse.url, "user": person.user_id, "room": "#ops:tocsin.test", "device": device}
    return Account("matrix", MatrixSettings(**values | settings), state)


@contextlib.asynccontextmanager
async def connected(
    synapse: Synapse, person: Person, state: Path, device: str = "TOCSIN", **settings: Any
) -> AsyncIterator["Bot"]:
    """Somebody's client, ready; logged in if nobody has yet."""
    account = account_of(synapse, person, state, device, **settings)
    if account.kept() is None:
        account.keep(logs_in(synapse, person, device))
    client = Client(account)
    try:
        await client.open()
        await client.ready()
        yield Bot(client)
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def met(synapse: Synapse, folder: Path, *names: str) -> AsyncIterator[list["Bot"]]:
    """Tocsin's client, and one on a phone for each of these people."""
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(connected(synapse, synapse.register(name), folder / name, device))
            for name, device in (("bot", "TOCSIN"), *((name, "PHONE") for name in names))
        ]


class Bot:
    """A client that is asked to do one thing after the other."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.events: list[Any] = []
        self.since = ""

    @property
    def user(self) -> str:
        return str(self.client.nio.user_id)

    async def syncs(self, wait: float = 0, *, whole: bool = False) -> Any:
        """Take what is new. whole: and how all rooms stand, as after a restart."""
        response = await self.client.sync(
            self.since,
            wait=timedelta(seconds=wait),
            sync_filter=_ALL,
            full_state=whole or not self.since,
        )
        self.since = response.next_batch
        for info in response.rooms.join.values():
            self.events += info.timeline.events
        await self.client.settle()
        return response

    async def sees(self, found: str | Callable[[Any], object]) -> Any:
        """Wait for a message with that text in it, or an event of which something is true."""
        for _ in range(20):
            for event in self.events:
                if found in getattr(event, "body", "") if isinstance(found, str) else found(event):
                    return event
            await self.syncs(wait=1)
        raise AssertionError(f"waited in vain; the last events: {self.events[-5:]}")

    async def creates(self, *invited: str, encrypted: bool = True) -> str:
        """Make a room; its id."""
        state = {
            "type": "m.room.encryption",
            "state_key": "",
            "content": {"algorithm": "m.megolm.v1.aes-sha2"},
        }
        answer = await self.client.call(
            "POST",
            "/createRoom",
            {"preset": "private_chat", "invite": invited, "initial_state": [state] if encrypted else []},
        )
        await self.syncs()
        return str(answer["room_id"])

    async def joins(self, room: str) -> None:
        await self.client.call("POST", f"/join/{room}", {})
        await self.syncs()

    async def says(self, room: str, text: str, txn_id: str = "") -> str:
        content = {"msgtype": "m.text", "body": text}
        return await self.client.send(room, "m.room.message", content, txn_id or f"txn-{text}")


def killed(account: Account, failpoint: str) -> bool:
    """Let a process of its own connect, sync and settle; whether the failpoint has killed it on the way."""
    settings = account.settings
    told = {"homeserver": settings.homeserver, "user": settings.user, "room": settings.room}
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(told), str(account.folder.parent)],
        cwd=Path(__file__).parents[2],
        env={"TOCSIN_FAILPOINT": failpoint},
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode in {0, -SIGKILL}
    return done.returncode == -SIGKILL


async def _connect(told: str, state: str) -> None:
    client = Client(Account("matrix", MatrixSettings(**json.loads(told)), Path(state)))
    await client.open()
    await client.ready()
    await Bot(client).syncs()
    await client.close()


def keys_of(synapse: Synapse, user: str, token: str) -> dict[str, Any]:
    """What the homeserver tells others of somebody's keys."""
    return synapse.call("POST", "/_matrix/client/v3/keys/query", {"device_keys": {user: []}}, token)


if __name__ == "__main__":
    asyncio.run(_connect(*sys.argv[1:]))
