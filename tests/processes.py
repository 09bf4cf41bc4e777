"""Real daemons, each a process of its own."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin import control
from tocsin.errors import StateError

from tests.posted import post

TOKEN = "0123456789abcdef0123456789abcdef"

PATIENCE = 60.0
"""How long anything may take before the test fails, in seconds: a machine that runs other tests is slow."""


def command(name: str, config: Path, script: Path | None = None) -> list[str]:
    return [sys.executable, *([str(script)] if script else ["-m", "tocsin"]), name, "--config", str(config)]


def tocsin(
    name: str,
    config: Path,
    *words: str | Path,
    script: Path | None = None,
    typed: str = "",
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command with these words to its end. script: runs it instead of `tocsin`."""
    return subprocess.run(
        [*command(name, config, script), *words],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        env=environment or {},
        timeout=PATIENCE,
    )


@dataclass
class Process:
    """A `tocsin run`. log: what it writes to stderr."""

    popen: subprocess.Popen[bytes]
    folder: Path
    log: Path

    def status(self) -> dict[str, Any] | None:
        """How it stands; None if it does not answer."""
        try:
            found: dict[str, Any] = control.ask(self.folder, "status")
        except StateError:
            return None
        return found

    def ready(self) -> bool:
        """Whether it answers, and its networks are up."""
        assert self.popen.poll() is None, self.log.read_text()
        status = self.status()
        return status is not None and not any(status["networks"].values()) and ":" in status["listening on"]

    def says(self, text: str) -> None:
        """Type a line, as whoever comes first in the configuration."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(f"{text}\n".encode())
        self.popen.stdin.flush()

    def shown(self) -> str:
        """What it has said and logged so far."""
        return self.log.read_text()

    def post(self, path: str, body: Any, token: str = TOKEN) -> int:
        """Post to one of its hooks; the answer's status."""
        status = self.status()
        assert status is not None
        return post(f"http://{status['listening on']}/hooks/{path}", body, token, within=PATIENCE)

    def ends(self, signal: int) -> int:
        """Send it a signal; its exit code."""
        self.popen.send_signal(signal)
        return self.popen.wait(PATIENCE)


@contextmanager
def started(
    config: Path,
    run: Sequence[str | Path] = (),
    environment: Mapping[str, str] | None = None,
    *,
    keep: Sequence[int] = (),
    ready: Callable[[Process], bool] = Process.ready,
) -> Iterator[Process]:
    """A daemon that is ready, with its state beside its configuration; killed at the end if need be.

    run: the command that starts it, if it is not the usual one. keep: open files that it is given. ready: whether it is.
    """
    log = config.parent / "log"
    with log.open("wb") as file:
        popen = subprocess.Popen(
            run or command("run", config),
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
            env=environment or {},
            pass_fds=keep,
        )
    process = Process(popen, config.parent / "state", log)
    try:
        until(lambda: ready(process))
        yield process
    finally:
        popen.kill()
        popen.communicate(timeout=PATIENCE)


@asynccontextmanager
async def daemon(config: Path, run: Sequence[str | Path] = ()) -> AsyncIterator[Process]:
    """The same, while people go on living: it is waited for in a thread."""
    with ExitStack() as stack:
        yield await asyncio.to_thread(stack.enter_context, started(config, run))


def until(
    holds: Callable[[], object], patience: float = PATIENCE, what: Callable[[], object] = lambda: "it"
) -> None:
    """Wait until something holds, looking again and again. what: what is missing, if it never does."""
    deadline = time.perf_counter() + patience
    while not holds():
        assert time.perf_counter() < deadline, f"waited {patience:g} s in vain for {what()}"
        time.sleep(0.02)
