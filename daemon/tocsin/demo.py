"""`tocsin demo`: a short outage, played live on the terminal by a real daemon that gets real posts."""

import asyncio
import json
import secrets
import shlex
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from aiohttp import ClientSession

from tocsin import control, daemon
from tocsin.clock import Clock
from tocsin.config import Config, Document
from tocsin.domain.message import Message, Place
from tocsin.networks.base import Listener, Network
from tocsin.networks.console import Console, ConsoleSettings

WAIT = 20.0
"""How many seconds alice has before it is bob's turn."""

PATIENCE = 30.0
"""What has not come after so many seconds more than it should take will not come."""

CONFIG = """\
store.directory = "state"
web.listen = "127.0.0.1:0"
[networks.console]
[receivers.demo]
token.file = "token"
[people.alice]
accounts.console = "alice"
[people.bob]
accounts.console = "bob"
[plugins.alertmanager]
[plugins.escalation]
default = "ops"
[plugins.escalation.policies.ops]
steps = [{{ page = "alice" }}, {{ page = "bob", after = "{wait:.0f}s" }}]
"""


class GoneWrong(Exception):
    """The demo did not go as it should."""


class Stage(Console):
    """The console, with somebody in the wings who waits for what is said on it."""

    def __init__(self, clock: Clock) -> None:
        """Nobody types as long as the play goes on."""
        super().__init__(
            "console",
            ConsoleSettings(),
            {"alice": "alice", "bob": "bob"},
            stdin=None,
            stdout=sys.stdout,
            now=clock.now,
            on_quit=_stop,
        )
        self.listener: asyncio.Future[Listener] = asyncio.get_running_loop().create_future()
        self._said: list[tuple[Place, str, str]] = []
        self._more = asyncio.Event()

    async def run(self, listener: Listener) -> None:
        await super().run(listener)
        self.listener.set_result(listener)

    async def send(self, place: Place, message: Message, txn_id: str, *, again: bool) -> str:
        receipt = await super().send(place, message, txn_id, again=again)
        self._said.append((place, message.subject, message.first_line()))
        self._more.set()
        return receipt

    async def shows(self, text: str, place: str, within: float) -> str:
        """Wait until something with that text is said in a place; what it is about. Raises GoneWrong."""
        try:
            async with asyncio.timeout(within + PATIENCE):
                while True:
                    for where, subject, line in self._said:
                        if where.name == place and text in line:
                            return subject
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise GoneWrong(f"{text!r} was not said to {place} in time") from None


@dataclass(frozen=True)
class Play:
    """pace: how many times faster than life. address: where the daemon listens."""

    stage: Stage
    folder: Path
    pace: float
    address: str

    async def outage(self) -> None:
        """An alert, nobody answers, the next one does, and it is over."""
        self.stage.note(
            "An outage in about a minute. Alice is on call; if she doesn't answer, it is bob's turn."
        )
        await self._pause(4)
        self.stage.note("The disk of db1 runs full. Alertmanager posts that:")
        await self._post(_alert("DiskFull", "db1", "97 % of / used"))
        alert = await self.stage.shows("DiskFull", "alice", 0)
        await self._pause(3)
        self.stage.note(f"Alice was paged. She sleeps … in {WAIT / self.pace:.0f} s it is bob's turn.")
        await self.stage.shows("DiskFull", "bob", WAIT / self.pace)
        await self._pause(5)
        await self._says("bob", f"!ack {alert}")
        await self.stage.shows("acknowledged by bob", "#ops", 0)
        await self._pause(2)
        self.stage.note("Bob has it: nobody is paged any more. He makes room on the disk …")
        await self._pause(8)
        self.stage.note("Alertmanager posts that the alert no longer fires:")
        await self._post(_alert("DiskFull", "db1", "97 % of / used", status="resolved"))
        await self.stage.shows("resolved", "#ops", 0)
        await self._pause(3)
        self.stage.note("What happened, in order:")
        await self._says("bob", f"!why {alert}")
        await self._pause(1)

    async def over_to(self, stdin: IO[Any]) -> None:
        """The person at the terminal goes on, until /quit."""
        token, alert = self.folder / "token", self.folder / "alert.json"
        alert.write_text(json.dumps(_alert("HighLoad", "web1", "load is 42")))
        url = f"http://{self.address}/hooks/alertmanager/demo"
        self.stage.note("Your turn. Type !help, or /quit. To fire an alert, type in another terminal:")
        self.stage.note(
            f'curl -H "Authorization: Bearer $(cat {shlex.quote(str(token))})" -d @{shlex.quote(str(alert))} {url}'
        )
        self.stage.become("alice")
        await self.stage.listen_to(stdin, await self.stage.listener)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.pace)

    async def _says(self, account: str, text: str) -> None:
        self.stage.become(account)
        await self.stage.say(text, await self.stage.listener)

    async def _post(self, body: Mapping[str, Any]) -> None:
        url = f"http://{self.address}/hooks/alertmanager/demo"
        token = (self.folder / "token").read_text().strip()
        async with (
            ClientSession() as session,
            session.post(url, json=body, headers={"Authorization": f"Bearer {token}"}) as answer,
        ):
            if answer.status != 202:
                raise GoneWrong(f"the post was answered with {answer.status}: {await answer.text()}")
            self.stage.note(f"POST {url}: 202 {(await answer.text()).strip()}")


async def play(pace: float) -> int:
    """Play the demo, and leave the terminal to the person who sits at it; the exit code."""
    with TemporaryDirectory(prefix="tocsin-demo-") as name:
        folder = Path(name)
        prepared = _prepared(folder, pace)
        stage: asyncio.Future[Stage] = asyncio.get_running_loop().create_future()

        def networks(_: Config, clock: Clock) -> Mapping[str, Network]:
            stage.set_result(Stage(clock))
            return {"console": stage.result()}

        running = asyncio.create_task(daemon.run(prepared, networks))
        acting = asyncio.create_task(_act(stage, folder, pace))
        await asyncio.wait([running, acting], return_when=asyncio.FIRST_COMPLETED)
        if acting.done():
            if not running.done():
                _stop()
        else:
            acting.cancel()
        code = await running
        try:
            await acting
        except asyncio.CancelledError:
            return code  # somebody pressed Ctrl-C
        except GoneWrong as error:
            print(f"the demo did not go as it should: {error}", file=sys.stderr)  # noqa: T201 (the command line's own)
            return 1
        return code


async def _act(stage: "asyncio.Future[Stage]", folder: Path, pace: float) -> None:
    play = Play(await stage, folder, pace, await _listening(folder / "state", await stage))
    await play.outage()
    if sys.stdin.isatty() and sys.stdout.isatty():
        await play.over_to(sys.stdin)


async def _listening(state: Path, stage: Stage) -> str:
    """Where the daemon listens, once it does."""
    await stage.listener
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while asyncio.get_running_loop().time() < deadline:
        status = await asyncio.to_thread(control.ask, state, "status")
        if ":" in status["listening on"]:
            return str(status["listening on"])
        await asyncio.sleep(0.05)
    raise GoneWrong("the daemon does not listen")


def _prepared(folder: Path, pace: float) -> daemon.Prepared:
    config, token = folder / "config.toml", folder / "token"
    for path, text in ((config, CONFIG.format(wait=WAIT / pace)), (token, secrets.token_hex(16))):
        path.touch(mode=0o600)
        path.write_text(text)
    return daemon.prepare(Document.open(config))


def _alert(name: str, instance: str, summary: str, status: str = "firing") -> Mapping[str, Any]:
    """What Alertmanager would post."""
    labels = {"alertname": name, "instance": instance, "severity": "critical"}
    alert = {"status": status, "labels": labels, "annotations": {"summary": summary}}
    return {"version": "4", "status": status, "groupKey": f'{{}}:{{alertname="{name}"}}', "alerts": [alert]}


def _stop() -> None:
    signal.raise_signal(signal.SIGINT)  # what Ctrl-C does: the daemon stops in order
