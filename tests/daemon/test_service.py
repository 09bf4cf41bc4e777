"""What systemd is told, and what it gives, with a daemon in a process of its own and a real socket at the other end."""

import os
import shlex
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from signal import SIGTERM

import pytest

from tocsin.service import Manager

from tests.conftest import RUNNABLE
from tests.posted import payload
from tests.processes import PATIENCE, command, started, until

Write = Callable[..., Path]


class Manages:
    """The other end: what it was told, a list of lines each time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._link.bind(str(path))
        self._link.settimeout(PATIENCE)

    def told(self) -> list[str]:
        """The next that it is told."""
        return self._link.recv(4096).decode().splitlines()

    def until(self, line: str) -> list[list[str]]:
        """All that it is told up to that line."""
        found = [self.told()]
        while line not in found[-1]:
            found.append(self.told())
        return found

    def close(self) -> None:
        self._link.close()


@pytest.fixture
def manages(tmp_path: Path) -> Iterator[Manages]:
    with closing(Manages(tmp_path / "notify")) as end:
        yield end


def test_it_is_told_when_tocsin_can_page_that_it_turns_and_that_it_stops(
    write_config: Write, manages: Manages
) -> None:
    path = write_config(RUNNABLE)
    environment = {"NOTIFY_SOCKET": str(manages.path), "WATCHDOG_USEC": "300000"}
    with started(path, environment=environment) as process:
        ready, status = manages.told()
        assert ready == "READY=1"
        listening = (process.status() or {})["listening on"]
        assert status == f"STATUS=listening on {listening}, console up"
        assert process.post("alertmanager/prod", payload("DiskFull", "firing")) == 202
        for _ in range(3):
            assert manages.told() == ["WATCHDOG=1", status]
        assert process.ends(SIGTERM) == 0
        assert manages.until("STOPPING=1")


def test_a_program_that_it_starts_is_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert Manager.found().feed_every == timedelta(seconds=1)
    assert not {*given} & {*os.environ}


def test_a_watchdog_of_another_process_is_not_fed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert Manager.found().feed_every is None
    assert not Manager.found()


def test_it_listens_on_what_it_is_given(write_config: Write, tmp_path: Path) -> None:
    path = write_config(RUNNABLE.replace("127.0.0.1:0", "127.0.0.1:1"))  # where nobody but root may
    run = shlex.join(command("run", path))
    with closing(socket.create_server(("127.0.0.1", 0))) as given:
        address = f"127.0.0.1:{given.getsockname()[1]}"
        script = tmp_path / "as-systemd"
        script.write_text(
            "import os, sys\n"
            "os.dup2(int(sys.argv[1]), 3)\n"
            "os.set_inheritable(3, True)\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
            f"os.execv(sys.executable, {shlex.split(run)!r})\n"
        )
        start = partial(started, path, [sys.executable, script, str(given.fileno())], keep=[given.fileno()])
        with start() as process:
            assert (process.status() or {})["listening on"] == address
            assert process.post("alertmanager/prod", payload("DiskFull", "firing")) == 202
            until(lambda: "paging alice" in process.shown())
            assert f"listening on {address}, as systemd says; web.listen (127.0.0.1:1)" in process.shown()
            assert process.ends(SIGTERM) == 0
        # It stays open, since it is systemd's: whoever comes meanwhile waits.
        with closing(socket.create_connection(given.getsockname())) as waits:
            waits.settimeout(PATIENCE)
            waits.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            with start():
                assert waits.recv(64).startswith(b"HTTP/1.1 200")
