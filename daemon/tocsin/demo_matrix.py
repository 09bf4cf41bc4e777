"""`tocsin demo --matrix`: the same outage on a real Synapse, with a room for everybody and one for each in private."""

import asyncio
import hashlib
import hmac
import json
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from aiohttp import ClientError, ClientSession

from tocsin.clock import Clock
from tocsin.demo import PATIENCE, PEOPLE, GoneWrong
from tocsin.demo_server import HOST, Server, ServerStage

DOMAIN = "demo.test"

_CONFIG = """\
homeserver = "{url}"
user = "{user}"
device = "{device}"
token.file = "matrix.token"
room = "{room}"
"""

_NO_LIMIT = {"per_second": 1000, "burst_count": 1000}


@dataclass(frozen=True)
class Account:
    """Somebody who is signed in."""

    user: str
    device: str
    token: str


class Synapse(Server):
    """One that talks to no other. password: of the account `you`."""

    def __init__(self, folder: Path) -> None:
        """Start it, and make accounts and rooms. Raises GoneWrong if it is not installed, or does not start."""
        program = shutil.which("synapse_homeserver")
        if program is None:
            raise GoneWrong(
                "it needs Synapse, a Matrix homeserver. Put it where it disturbs nothing, and try again:\n"
                "  python3 -m venv synapse && synapse/bin/pip install matrix-synapse\n"
                '  PATH="$PWD/synapse/bin:$PATH" tocsin demo --matrix'
            )
        super().__init__()
        self.url = f"http://{HOST}:{self.port}"
        self.password = secrets.token_urlsafe(9)
        self._secret = secrets.token_hex(16)
        settings = folder / "homeserver.yaml"
        settings.touch(mode=0o600)
        settings.write_text(json.dumps(self._settings(folder)))  # JSON is YAML
        command = [program, "-c", str(settings)]
        subprocess.run([*command, "--generate-keys"], check=True, capture_output=True)  # noqa: S603 (nothing of it comes from outside)
        self.start(command, folder / "Synapse.log")
        self.accounts = {name: self._register(name) for name in ("tocsin", *PEOPLE, "you")}
        self.room = self._room("alice", "tocsin", "bob", "you", alias="ops", name="ops")
        # These two are played without encryption, which a program needs, and they have none.
        for name in PEOPLE:
            self._room(name, "tocsin", name=f"{name} and tocsin")

    def _settings(self, folder: Path) -> Mapping[str, Any]:
        resources = [{"names": ["client", "media"]}]
        return {
            "server_name": DOMAIN,
            "public_baseurl": f"{self.url}/",
            "listeners": [
                {"port": self.port, "type": "http", "bind_addresses": [HOST], "resources": resources}
            ],
            "database": {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}},
            "media_store_path": str(folder / "media"),
            "signing_key_path": str(folder / "signing.key"),
            "pid_file": str(folder / "synapse.pid"),
            "registration_shared_secret": self._secret,
            "federation_domain_whitelist": [],
            "trusted_key_servers": [],
            "report_stats": False,
            "rc_message": _NO_LIMIT,
        }

    def answers(self) -> bool:
        try:
            self._ask("GET", "/_matrix/client/versions")
        except URLError:
            return False
        return True

    def _register(self, name: str) -> Account:
        path = "/_synapse/admin/v1/register"
        password = self.password if name == "you" else secrets.token_urlsafe()
        words = [self._ask("GET", path)["nonce"], name, password, "notadmin"]
        mac = hmac.new(self._secret.encode(), "\0".join(words).encode(), hashlib.sha1).hexdigest()
        body = {"nonce": words[0], "username": name, "password": password, "admin": False, "mac": mac}
        found = self._ask("POST", path, body)
        return Account(found["user_id"], found["device_id"], found["access_token"])

    def _room(self, owner: str, *guests: str, name: str, alias: str = "") -> str:
        body = {
            "preset": "private_chat",
            "name": name,
            "invite": [self.accounts[guest].user for guest in guests],
            "is_direct": not alias,
        } | ({"room_alias_name": alias} if alias else {})
        path = "/_matrix/client/v3/createRoom"
        room: str = self._ask("POST", path, body, self.accounts[owner].token)["room_id"]
        return room

    def _ask(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        with urlopen(Request(self.url + path, data, headers, method=method)) as answer:  # noqa: S310 (our own)
            return json.load(answer)


class Actor:
    """Somebody on Matrix who plays a part."""

    def __init__(self, name: str, server: Synapse, stage: "MatrixStage") -> None:
        self.name = name
        self._url = f"{server.url}/_matrix/client/v3"
        self._server = server
        self._stage = stage
        self._there: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def enter(self) -> None:
        """Come in, and listen until the loop ends."""
        self._being_there = asyncio.create_task(self._be_there())
        async with asyncio.timeout(PATIENCE):
            await self._there

    async def say(self, text: str) -> None:
        """Say something in the room."""
        path = f"rooms/{quote(self._server.room)}/send/m.room.message/{secrets.token_hex(8)}"
        await self._ask("PUT", path, {"msgtype": "m.text", "body": text})

    async def _be_there(self) -> None:
        token = self._server.accounts[self.name].token
        async with ClientSession(headers={"Authorization": f"Bearer {token}"}) as self._http:
            if self.name != "alice":  # who made the room
                await self._ask("POST", f"join/{quote(self._server.room)}", {})
            since = {"since": (await self._ask("GET", "sync"))["next_batch"]}
            self._there.set_result(None)
            with suppress(ClientError):  # the server has ended
                while True:
                    news = await self._ask("GET", "sync", **since, timeout="30000")
                    since = {"since": news["next_batch"]}
                    for room, told in news.get("rooms", {}).get("join", {}).items():
                        self._hear(room, told["timeline"]["events"])

    def _hear(self, room: str, events: Sequence[Mapping[str, Any]]) -> None:
        for event in events:
            content = event["content"]
            sender = event["sender"].removeprefix("@").partition(":")[0]
            if event["type"] != "m.room.message" or "m.new_content" in content or sender == self.name:
                continue
            for line in content["body"].splitlines():
                self._stage.heard(self.name, sender, line, private=room != self._server.room)

    async def _ask(self, method: str, path: str, body: object = None, **query: str) -> Any:
        async with self._http.request(method, f"{self._url}/{path}", json=body, params=query) as answer:
            answer.raise_for_status()
            return await answer.json()


class MatrixStage(ServerStage):
    """A room of a homeserver is the room."""

    network = "matrix"
    your_turn = (
        "It pages you there: accept its invitation. !help says what you can type; Ctrl-C here ends it."
    )

    def __init__(self, clock: Clock, folder: Path) -> None:
        """Starts the server."""
        self._synapse = server = Synapse(folder)
        tocsin = server.accounts["tocsin"]
        settings = _CONFIG.format(url=server.url, user=tocsin.user, device=tocsin.device, room=server.room)
        super().__init__(server, clock, settings, you=server.accounts["you"].user)
        self.accounts = {name: server.accounts[name].user for name in PEOPLE}
        token = folder / "matrix.token"
        token.touch(mode=0o600)
        token.write_text(tocsin.token)
        self._actors = {name: Actor(name, server, self) for name in PEOPLE}

    async def begin(self) -> None:
        await asyncio.gather(*(actor.enter() for actor in self._actors.values()))
        server = self._synapse
        self.note(f"A Matrix homeserver runs at {server.url}. To be there, sign in with any Matrix client:")
        self.note(f"homeserver {server.url}, user you, password {server.password}")

    async def say(self, account: str, text: str) -> None:
        await self._actors[account].say(text)
