"""The command line asks the daemon that runs, and nothing that is sent to the socket disturbs it."""

import asyncio
import json
import re
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tocsin import control
from tocsin.errors import NetworkError, StateError

from tests.conftest import RUNNABLE
from tests.engine import Start, fires
from tests.processes import PATIENCE, started, tocsin

LIMIT = control.LONGEST_QUESTION

STANDS = [
    "console: up",
    "listening on: 127.0.0.1:PORT",
    "open alerts: 0",
    "timers: 2",
    "bodies waiting: 0",
    "messages waiting: 0",
    "oldest message: ",
    "self-check: all is well",
    "last backup: none yet in FOLDER/backups",
    "disk: has room",
]


def send(folder: Path, data: bytes) -> bytes:
    """Send something and nothing more; what comes back."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(PATIENCE)
        link.connect(str(folder / control.SOCKET))
        try:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            return link.recv(LIMIT)
        except (BrokenPipeError, ConnectionResetError):  # it does not listen to the end
            return b""


def test_status_says_how_the_daemon_stands(write_config: Callable[..., Path]) -> None:
    config = write_config(RUNNABLE)
    with started(config) as running:
        ran = tocsin("status", config)
        said = ran.stdout.replace(str(running.folder), "FOLDER")
        stands = re.sub(r":\d+\n", ":PORT\n", said, count=1).splitlines()
        assert (ran.returncode, stands, ran.stderr) == (0, STANDS, "")
        assert running.ends(signal.SIGTERM) == 0
    ran = tocsin("status", config)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"no Tocsin runs with its state in {running.folder}\n"


async def test_status_counts_what_waits(start: Start) -> None:
    async with start() as engine:
        engine.chat.fails = lambda _: NetworkError("the link is down", unsent=True)
        await engine.report(fires())
        answer = await asyncio.to_thread(control.ask, start.folder, "status")
        assert (answer["open alerts"], answer["messages waiting"]) == (1, 1)
        assert answer["oldest message"] == "2026-11-21 03:00:00 UTC"


SAID = {
    "nothing": b"",
    "an empty line": b"\n",
    "garbage": b"\xff\xfe\x00 no question\n",
    "half a line": b'{"ask": "sta',
    "a line that is too long": b'{"ask": "' + b"x" * LIMIT + b'"}\n',
    "a line without end": b"x" * (4 * LIMIT),
    "a list": b'["ask"]\n',
    "a number": b"3\n",
    "a question that is a list": b'{"ask": []}\n',
    "lists in lists": b"[" * (LIMIT - 1) + b"\n",
}
UNKNOWN = b'{"ask": "the way"}\n'


def test_what_is_no_question_disturbs_nothing(write_config: Callable[..., Path]) -> None:
    with started(write_config(RUNNABLE)) as running:
        path = running.folder / control.SOCKET
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as slow:
            slow.connect(str(path))
            slow.sendall(b'{"ask"')
            for what, data in SAID.items():
                assert b'"answer":' not in send(running.folder, data), what
                assert running.ready(), what
            assert json.loads(send(running.folder, UNKNOWN)) == {
                "error": "this daemon answers examine, export, prune, reload, say, status"
            }
            with pytest.raises(
                StateError, match="this daemon answers examine, export, prune, reload, say, status"
            ):
                control.ask(running.folder, "the way")
            slow.sendall(b': "status"}\n')
            assert json.loads(slow.recv(LIMIT))["answer"]["networks"] == {"console": ""}
        assert running.ends(signal.SIGTERM) == 0
        assert "Traceback" not in running.log.read_text()
    assert not path.exists()
