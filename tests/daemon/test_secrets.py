"""Secrets that were planted are in nothing that a daemon says, logs, keeps or answers."""

import re
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import RUNNABLE
from tests.plugins.alertmanager_parts import alert, payload
from tests.processes import TOKEN, started, tocsin, until

CREDENTIAL = "planted-silence-credential-9f2c"
SILENCE = """
[plugins.silence.receivers.prod]
url = "{url}"
token.file = "silence.token"
"""
DEBUG = """\
import logging, sys
from tocsin import cli
set_level = logging.Logger.setLevel
logging.Logger.setLevel = lambda self, level: set_level(self, logging.DEBUG)
logging.getLogger().setLevel(logging.DEBUG)
cli.main()
"""


class Echo(BaseHTTPRequestHandler):
    """Refuses everything, and repeats how it was asked."""

    def do_POST(self) -> None:
        self.send_response(400)
        self.end_headers()
        self.wfile.write(f'"you sent {self.headers["Authorization"]}"'.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def echo() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def kept(folder: Path) -> str:
    """All that the store holds, but for what it is there to keep: link codes, and the messages that bring them."""
    left_out = ('INSERT INTO "link_codes"', 'INSERT INTO "outbox"')
    with closing(sqlite3.connect(f"file:{folder}/tocsin.db?mode=ro", uri=True)) as beside:
        return "\n".join(line for line in beside.iterdump() if not line.startswith(left_out))


def test_nothing_that_was_planted_comes_out(
    write_config: Callable[..., Path], tmp_path: Path, echo: str
) -> None:
    secret = tmp_path / "silence.token"
    secret.touch(mode=0o600)
    secret.write_text(CREDENTIAL)
    script = tmp_path / "debug.py"
    script.write_text(DEBUG)
    config = write_config(RUNNABLE + SILENCE.format(url=echo))
    with started(config, [sys.executable, script, "run", "--config", config]) as process:
        assert process.post("alertmanager/prod", payload()) == 202
        for path, body, token in (
            (f"alertmanager/{TOKEN}", {}, "wrong"),
            (f"alertmanager/prod/{TOKEN}", {}, "wrong"),
            ("alertmanager/prod", {"version": TOKEN}, TOKEN),
            ("alertmanager/prod", payload(alert(status=TOKEN)), TOKEN),
            (f"nosuch/{TOKEN}", {}, TOKEN),
        ):
            assert process.post(path, body, token) in (400, 401, 404)
        until(lambda: "paging alice" in process.shown())
        process.says("!silence")
        until(lambda: "Alertmanager answers 400" in process.shown())
        process.says("/msg me link")
        until(lambda: "me link " in process.shown() and "(good for" in process.shown())
        [code] = re.findall(r"me link (\S+) \(good for", process.shown())
        process.says(f"/as mallory\n/msg me link {code}x\n/msg me link wrong")
        process.says(f"/as alice\n!me link {code}")
        until(lambda: "that code is void" in process.shown())
        status = tocsin("status", config)
        checked = tocsin("check-config", config)
        everything = process.shown() + status.stdout + status.stderr + checked.stdout + checked.stderr
        stored = kept(process.folder)
    log = "\n".join(line for line in everything.splitlines() if not re.match(r"\d\d:\d\d:\d\d ", line))
    assert TOKEN not in everything
    assert CREDENTIAL not in everything + stored
    assert code not in log + re.sub(r"intake.*", "", stored)
    assert "Traceback" not in log
    assert "DEBUG" in log
    assert "group.opened" in stored
