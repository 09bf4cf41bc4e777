"""The programs of real servers, found and run as children."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from threading import Thread
from typing import Protocol, TypeVar

import pytest

from tests.processes import PATIENCE, until

HOST = "127.0.0.1"


def program(name: str, package: str) -> str:
    """Where a program is; without it the test is skipped. package: Debian's, which has it."""
    path = shutil.which(
        name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    )
    if path is None:
        pytest.skip(f"{name} is missing: install Debian's {package}, as .ci/servers does")
    return path


def reserve() -> socket.socket:
    """Take a port that nobody else is given until this is closed, even while the server is down."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # so that the server may listen on it
    reserved.bind((HOST, 0))
    return reserved


class Child:
    """A program that is run in the foreground, again and again. log: what it writes since it was started last."""

    def __init__(self, command: Sequence[str | Path], log: Path) -> None:
        self.log = log
        self._command = command
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert self._popen is None, "it runs already"
        with self.log.open("wb") as log:
            self._popen = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.log.parent, env={}
            )

    def ends(self, signal: int) -> None:
        """Send it a signal that ends it, if it runs."""
        if self._popen is not None:
            self._popen.send_signal(signal)
            self._popen.wait(PATIENCE)
            self._popen = None

    def send(self, signal: int) -> None:
        """Send it a signal that does not end it. After SIGSTOP all of it stands still: on a busy machine that takes a while."""
        self.check()
        assert self._popen is not None
        self._popen.send_signal(signal)
        if signal == SIGSTOP:
            os.waitid(os.P_PID, self._popen.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def check(self) -> bool:
        """Whether it runs: true. Fails with its log if it ended by itself."""
        assert self._popen is not None, "it does not run"
        assert self._popen.poll() is None, f"it ended by itself:\n{self.log.read_text(errors='replace')}"
        return True


class Server:
    """A real server that listens on loopback, on the same port each time. folder: of its state and its logs."""

    starts_within = PATIENCE
    _child: Child

    def __init__(self, folder: Path) -> None:
        """Make the folder, and take the port."""
        folder.mkdir()
        self.folder = folder.resolve()
        self._reserved: list[socket.socket] = []
        self.port = self._reserve()

    def start(self) -> None:
        """Start it; it is ready then."""
        self._child.start()
        until(lambda: self._child.check() and self._answers(), self.starts_within)

    def ends(self, signal: int = SIGKILL) -> None:
        """Send it a signal that ends it, if it runs; SIGTERM lets it end in order."""
        self._child.ends(signal)

    def freezes(self) -> None:
        """Let it stand still, with all its connections open."""
        self._child.send(SIGSTOP)

    def thaws(self) -> None:
        """Let it go on."""
        self._child.send(SIGCONT)

    def close(self) -> None:
        """End it, if it runs, and give back its ports: it can't be started again."""
        self.ends()
        for reserved in self._reserved:
            reserved.close()

    def _answers(self) -> bool:
        with socket.socket() as link:
            return link.connect_ex((HOST, self.port)) == 0

    def _reserve(self) -> int:
        reserved = reserve()
        self._reserved.append(reserved)
        port: int = reserved.getsockname()[1]
        return port


class Startable(Protocol):
    """What runs from `start` to `close`."""

    def start(self) -> None: ...

    def close(self) -> None: ...


AnyServer = TypeVar("AnyServer", bound=Startable)


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """An HTTP server of one's own, in this process; its address."""
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(server: AnyServer) -> Iterator[AnyServer]:
    """Start it, and kill it at the end if it runs then."""
    try:
        server.start()
        yield server
    finally:
        server.close()
