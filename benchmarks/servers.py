"""Tocsin and the floors, each a process of its own that takes alerts over HTTP and says them, here on its output."""

import asyncio
import os
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from benchmarks.client import PATIENCE, TOKEN, Link, get

ROOT = Path(__file__).parents[1]
FLOORS = ("direct", "durable")

CONFIG = """\
web.listen = "127.0.0.1:{port}"
{everywhere}\
[networks.{network}]
{settings}\
[receivers.prod]
token.file = "prod.token"
[people.alice]
accounts.{network} = "{people[alice]}"
[people.bob]
accounts.{network} = "{people[bob]}"
[plugins.alertmanager]
[plugins.escalation]
default = "ops"
[plugins.escalation.policies.ops]
steps = [{{ page = "alice" }}, {{ page = "bob", after = "5m" }}]
"""

_PAGE = re.compile(rb"@alice .* Load(\d+) ")


@dataclass(frozen=True)
class Chat:
    """Where they say it: a network of Tocsin's, and its settings.

    alone: whether each alert is told alone, however many come. irc: the port of the IRC server where a floor says it;
    without one, on its output. people: their accounts there.
    """

    network: str = "console"
    settings: str = ""
    alone: bool = True
    irc: int = 0
    people: Mapping[str, str] = field(default_factory=lambda: {"alice": "alice", "bob": "bob"})


class Lost(Exception):
    """Something that was accepted was never seen, or what should have been accepted was refused."""


@dataclass
class Server:
    """A process that takes alerts.

    began: when it was started. seen: alert -> when alice was first paged for it. pages: alert -> how often.
    """

    name: str
    folder: Path
    port: int
    process: asyncio.subprocess.Process
    began: float
    seen: dict[int, float] = field(default_factory=dict)
    pages: Counter[int] = field(default_factory=Counter)

    async def ready(self) -> float:
        """Wait until it says that it is well; how long after its start that was."""
        while True:
            try:
                link = await Link.open(self.port)
                if await link.ask(get("/healthz")) == 200:
                    return time.perf_counter() - self.began
            except OSError:
                await asyncio.sleep(0.002)
            if self.process.returncode is not None or time.perf_counter() - self.began > PATIENCE:
                raise Lost(f"{self.name} does not start: {self.log()}")

    async def all_seen(self, alerts: Collection[int]) -> float:
        """Wait until all of these were paged; when the last one was. Raises Lost once no more come."""
        wanted = set(alerts)
        came, before = time.perf_counter(), 0
        while left := wanted - self.seen.keys():
            if len(self.seen) > before:
                came, before = time.perf_counter(), len(self.seen)
            if time.perf_counter() - came > PATIENCE:
                raise Lost(f"{self.name} accepted {len(wanted)} alerts and never paged for {len(left)}")
            await asyncio.sleep(0.001 if len(wanted) == 1 else 0.02)
        return max(self.seen[alert] for alert in wanted)

    async def listen(self) -> None:
        """Note what it says."""
        assert self.process.stdout is not None  # noqa: S101 (it is a pipe)
        async for line in self.process.stdout:
            if found := _PAGE.search(line):
                alert = int(found[1])
                self.seen.setdefault(alert, time.perf_counter())
                self.pages[alert] += 1

    def log(self) -> str:
        """What it wrote for its operator."""
        return (self.folder / "log").read_text()

    def cpu(self) -> float:
        """The processor time that it took so far, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """How much memory it holds, in MB."""
        return self._status("VmRSS")

    def peak(self) -> float:
        """How much memory it held at most, in MB."""
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) * 1024 / 1e6


@asynccontextmanager
async def serving(
    name: str, folder: Path | None = None, *, ready: bool = True, chat: Chat | None = None, tables: str = ""
) -> AsyncIterator[Server]:
    """Tocsin, or the floor of that name; killed at the end.

    folder: of its state, if it is to be found again. tables: further ones of its configuration.
    """
    chat = chat or Chat()
    with TemporaryDirectory() as own:
        folder = folder or Path(own)
        port = _free_port()
        with _log(folder) as log:
            process = await asyncio.create_subprocess_exec(
                *_command(name, folder, port, chat, tables),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=-1,
                stderr=log,
                cwd=ROOT,
            )
        server = Server(name, folder, port, process, time.perf_counter())
        listening = asyncio.create_task(server.listen())
        try:
            if ready:
                await server.ready()
            yield server
        finally:
            with suppress(ProcessLookupError):  # it may have ended by itself
                process.kill()
            await process.wait()
            await listening


def _command(name: str, folder: Path, port: int, chat: Chat, tables: str) -> list[str]:
    if name in FLOORS:
        command = [sys.executable, "-m", "benchmarks.floors", name, str(port), str(folder)]
        return command + ([f"--irc={chat.irc}"] if chat.irc else [])
    return [sys.executable, "-m", "tocsin", "run", "--config", str(write_config(folder, port, chat, tables))]


def write_config(folder: Path, port: int = 0, chat: Chat | None = None, tables: str = "") -> Path:
    """A configuration for two people, at a console if nothing else is said; its path. tables: further ones."""
    chat = chat or Chat()
    token = folder / "prod.token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    path = folder / "config.toml"
    everywhere = "digests = false\n" if chat.alone else ""
    path.write_text(
        CONFIG.format(
            port=port,
            network=chat.network,
            settings=chat.settings,
            everywhere=everywhere,
            people=chat.people,
        )
        + tables
    )
    path.chmod(0o644)
    return path


def _log(folder: Path) -> IO[bytes]:
    return (folder / "log").open("wb")


def _free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        port: int = any_port.getsockname()[1]
        return port
