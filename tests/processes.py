"""Real daemons, each a process of its own."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin import control
from tocsin.errors import StateError

PATIENCE = 20.0
"""How long anything may take before the test fails, in seconds: a busy machine is slow."""


def command(name: str, config: Path, script: Path | None = None) -> list[str]:
    return [sys.executable, *([str(script)] if script else ["-m", "tocsin"]), name, "--config", str(config)]


def tocsin(
    name: str, config: Path, *, script: Path | None = None, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. script: runs it instead of `tocsin`."""
    return subprocess.run(
        command(name, config, script),
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        env={},
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
        return status is not None and not any(status["networks"].values())

    def ends(self, signal: int) -> int:
        """Send it a signal; its exit code."""
        self.popen.send_signal(signal)
        return self.popen.wait(PATIENCE)


@contextmanager
def started(config: Path) -> Iterator[Process]:
    """A daemon that is ready, with its state beside its configuration; killed at the end if need be."""
    log = config.parent / "log"
    with log.open("wb") as file:
        popen = subprocess.Popen(
            command("run", config), stdin=subprocess.DEVNULL, stdout=file, stderr=file, env={}
        )
    process = Process(popen, config.parent / "state", log)
    try:
        until(process.ready)
        yield process
    finally:
        popen.kill()
        popen.wait(PATIENCE)


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds, looking again and again."""
    deadline = time.perf_counter() + PATIENCE
    while not holds():
        assert time.perf_counter() < deadline, "waited in vain"
        time.sleep(0.02)
