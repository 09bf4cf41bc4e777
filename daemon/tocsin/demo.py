"""`tocsin demo`: a short outage, played live by a real daemon that gets real posts; in the terminal, or on IRC."""

import asyncio
import json
import secrets
import shlex
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from aiohttp import ClientSession

from tocsin import control, daemon
from tocsin.clock import Clock, SystemClock
from tocsin.config import Config, Document
from tocsin.domain.message import Message, Place
from tocsin.errors import StateError, TocsinError
from tocsin.networks.base import Listener, Network, Rank
from tocsin.networks.console import Console, ConsoleSettings
from tocsin.status import first_address

WAIT = 20.0
"""How many seconds alice has before it is bob's turn."""

PATIENCE = 30.0
"""What has not come after so many seconds more than it should take will not come."""

CONFIG = """\
store.directory = "state"
web.listen = "127.0.0.1:0"
[receivers.demo]
token.file = "token"
[people.alice]
accounts.{network} = "{accounts[alice]}"
[people.bob]
accounts.{network} = "{accounts[bob]}"
[plugins.alertmanager]
[plugins.escalation]
default = "ops"
[plugins.escalation.policies.ops]
steps = [{{ page = "alice" }}, {{ page = "bob", after = "{wait:.0f}s" }}]
[networks.{network}]
"""

PEOPLE = {"alice": "alice", "bob": "bob"}


class GoneWrong(TocsinError):
    """The demo did not go as it should."""


class Stage(ABC):
    """Where the play is seen, with somebody in the wings who waits for what is said."""

    network: str
    accounts: Mapping[str, str] = PEOPLE
    more_config = ""
    """What the configuration needs beside what every play has; ends with the settings of the network."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._said: list[tuple[str, str]] = []
        self._more = asyncio.Event()

    @abstractmethod
    def note(self, text: str) -> None:
        """Say something that is no part of the play."""

    async def begin(self) -> None:  # noqa: B027 (they may be there already)
        """The daemon is there: everybody comes in."""

    def end(self) -> None:  # noqa: B027 (likewise)
        """The daemon is gone: everybody leaves."""

    @abstractmethod
    async def act(self, account: str, text: str) -> None:
        """Somebody says something in the room."""

    @abstractmethod
    async def over_to(self, stdin: IO[Any]) -> None:
        """The person at the terminal goes on."""

    @abstractmethod
    def networks(self, config: Config, clock: Clock) -> Mapping[str, Network]:
        """The networks of the daemon."""

    def seen(self, place: str, line: str) -> None:
        """The daemon said something in a place, or to somebody."""
        self._said.append((place, line))
        self._more.set()

    async def shows(self, text: str, place: str, within: float) -> str:
        """Wait until something with that text is said in a place; its first word. Raises GoneWrong."""
        try:
            async with asyncio.timeout(within + PATIENCE):
                while True:
                    for where, line in self._said:
                        if where == place and text in line:
                            return line.split()[0]
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise GoneWrong(f"{text!r} was not said to {place} in time") from None


class ConsoleStage(Console, Stage):
    """The console is the stage."""

    network = "console"

    def __init__(self, clock: Clock) -> None:
        """Nobody types as long as the play goes on."""
        Stage.__init__(self)
        Console.__init__(
            self,
            "console",
            ConsoleSettings(),
            PEOPLE,
            stdin=None,
            stdout=sys.stdout,
            now=clock.now,
            on_quit=_stop,
        )
        self._ready: asyncio.Future[Listener] = asyncio.get_running_loop().create_future()

    def networks(self, config: Config, clock: Clock) -> Mapping[str, Network]:  # noqa: ARG002 (it is the only one)
        return {self.network: self}

    async def run(self, listener: Listener) -> None:
        await super().run(listener)
        self._ready.set_result(listener)

    async def send(
        self,
        place: Place,
        message: Message,
        txn_id: str,
        *,
        tried: datetime | None,
        rank: Rank,
        amends: str = "",
    ) -> str:
        receipt = await super().send(place, message, txn_id, tried=tried, rank=rank, amends=amends)
        for line in message.all_lines():
            self.seen(place.name, line)
        return receipt

    async def act(self, account: str, text: str) -> None:
        self.become(account)
        await self.say(text, await self._ready)

    async def over_to(self, stdin: IO[Any]) -> None:
        self.note("Your turn. Type !help, or /quit.")
        self.become("alice")
        await self.listen_to(stdin, await self._ready)


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
        await self.stage.act("bob", f"!ack {alert}")
        await self.stage.shows("acknowledged by bob", "#ops", 0)
        await self._pause(2)
        self.stage.note("Bob has it: nobody is paged any more. He makes room on the disk …")
        await self._pause(8)
        self.stage.note("Alertmanager posts that the alert no longer fires:")
        await self._post(_alert("DiskFull", "db1", "97 % of / used", status="resolved"))
        for place in ("#ops", "bob"):
            await self.stage.shows("resolved", place, 0)
        await self._pause(3)
        self.stage.note("What happened, in order:")
        await self.stage.act("bob", f"!why {alert}")
        await self.stage.shows("UTC resolved by", "bob", 0)
        await self._pause(1)

    async def over_to(self, stdin: IO[Any]) -> None:
        """The person at the terminal goes on, and can fire an alert."""
        token, alert = self.folder / "token", self.folder / "alert.json"
        alert.write_text(json.dumps(_alert("HighLoad", "web1", "load is 42")))
        url = f"http://{self.address}/hooks/alertmanager/demo"
        self.stage.note("To fire an alert, type in another terminal:")
        self.stage.note(
            f'curl -H "Authorization: Bearer $(cat {shlex.quote(str(token))})" -d @{shlex.quote(str(alert))} {url}'
        )
        await self.stage.over_to(stdin)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.pace)

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


async def play(
    pace: float, make_stage: Callable[[Clock, Path], Stage] = lambda clock, _: ConsoleStage(clock)
) -> int:
    """Play the demo, and leave the terminal to the person who sits at it; the exit code.

    make_stage: called with the clock, and with a folder of the play's own.
    """
    with TemporaryDirectory(prefix="tocsin-demo-") as name:
        folder = Path(name)
        try:
            stage = make_stage(SystemClock(), folder)
        except GoneWrong as error:
            return _failed(error)
        try:
            return await _play(stage, folder, pace)
        finally:
            stage.end()


async def _play(stage: Stage, folder: Path, pace: float) -> int:
    running = asyncio.create_task(daemon.run(_prepared(folder, stage, pace), stage.networks))
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
        pass  # somebody pressed Ctrl-C
    except GoneWrong as error:
        return _failed(error)
    return code


def _failed(error: GoneWrong) -> int:
    print(f"the demo did not go as it should: {error}", file=sys.stderr)  # noqa: T201 (the command line's own)
    return 1


async def _act(stage: Stage, folder: Path, pace: float) -> None:
    play = Play(stage, folder, pace, await _listening(folder / "state"))
    await stage.begin()
    await play.outage()
    if sys.stdin.isatty() and sys.stdout.isatty():
        await play.over_to(sys.stdin)


async def _listening(state: Path) -> str:
    """Where the daemon listens, once it does and its network is up."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while asyncio.get_running_loop().time() < deadline:
        try:
            status = await asyncio.to_thread(control.ask, state, "status")
        except StateError:
            status = None
        if status and (address := first_address(status)) and not any(status["networks"].values()):
            return address
        await asyncio.sleep(0.05)
    raise GoneWrong("the daemon does not listen, or is not in its room")


def _prepared(folder: Path, stage: Stage, pace: float) -> daemon.Prepared:
    config, token = folder / "config.toml", folder / "token"
    text = CONFIG.format(wait=WAIT / pace, network=stage.network, accounts=stage.accounts) + stage.more_config
    for path, content in ((config, text), (token, secrets.token_hex(16))):
        path.touch(mode=0o600)
        path.write_text(content)
    return daemon.prepare(Document.open(config))


def _alert(name: str, instance: str, summary: str, status: str = "firing") -> Mapping[str, Any]:
    """What Alertmanager would post."""
    labels = {"alertname": name, "instance": instance, "severity": "critical"}
    alert = {"status": status, "labels": labels, "annotations": {"summary": summary}}
    return {"version": "4", "status": status, "groupKey": f'{{}}:{{alertname="{name}"}}', "alerts": [alert]}


def _stop() -> None:
    signal.raise_signal(signal.SIGINT)  # what Ctrl-C does: the daemon stops in order
