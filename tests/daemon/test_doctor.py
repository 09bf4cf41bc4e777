"""The doctor looks at a real daemon from outside."""

import asyncio
import json
import ssl
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from tocsin import clock, daemon, doctor
from tocsin.config import Config, Document
from tocsin.doctor import OnDuty
from tocsin.domain.finding import Level

from tests.conftest import MINIMAL, RUNNABLE
from tests.processes import TOKEN, started, tocsin, until

Write = Callable[..., Path]
Found = dict[str, tuple[str, str]]

IRC = '[networks.irc]\nserver = "localhost:{port}"\nroom = "#ops"\ntls_ca = "{ca}"\n'
NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)


def examined(path: Path, *more: str) -> tuple[int, Found]:
    """Its exit code, and of each thing the level and what it says."""
    ran = tocsin("doctor", path, "--json", *more)
    return ran.returncode, {one["about"]: (one["level"], one["text"]) for one in json.loads(ran.stdout)}


def test_it_looks_at_a_daemon_that_runs_and_pages_nobody(write_config: Write) -> None:
    path = write_config(RUNNABLE)
    with started(path) as process:
        until(lambda: (process.status() or {})["networks"]["console"] == "")
        code, found = examined(path)
        levels = {about: level for about, (level, _) in found.items() if about != "clock"}
        assert levels == {
            "configuration": "green",
            "state": "green",
            "console": "green",
            "self-check": "green",
            "backup": "yellow",
            "receiver prod": "green",
            "fallback": "yellow",
            "heartbeat": "yellow",
        }
        assert code == 1
        assert (process.status() or {})["open alerts"] == 0
        assert "paging" not in process.shown()

        plain = tocsin("doctor", path)
        assert plain.returncode == 1
        assert "green   receiver prod: takes what is posted to it, and keeps it\n" in plain.stdout
        todo = "        set fallback.command to a program that rings somebody by SMS or phone; see config.example.toml\n"
        assert f"yellow  fallback: is not set: when chat is down, nothing rings\n{todo}" in plain.stdout

        (path.parent / "prod.token").write_text("f" * 32)
        code, found = examined(path)
        assert (code, found["receiver prod"][0]) == (2, "red")
        assert "got 401: the token is missing or wrong" in found["receiver prod"][1]
        assert TOKEN not in plain.stdout + str(found)


def test_it_says_that_none_runs_and_what_to_do(write_config: Write) -> None:
    code, found = examined(write_config(RUNNABLE))
    assert code == 2
    assert found["daemon"][0] == "red"
    assert found["daemon"][1].endswith(": nobody is paged")
    assert found["state"][0] == "red"
    assert not [about for about in found if about.startswith("receiver")]


def test_a_configuration_that_can_not_be_used_is_all_that_it_says(write_config: Write) -> None:
    path = write_config(RUNNABLE)
    (path.parent / "prod.token").unlink()
    ran = tocsin("doctor", path, "--json")
    (found,) = json.loads(ran.stdout)  # and none of what is but warned of
    assert (ran.returncode, found["about"], found["level"]) == (2, "configuration", "red")
    assert "prod.token: no such file" in found["text"]


def test_what_others_may_read_is_red(write_config: Write) -> None:
    path = write_config(RUNNABLE)
    with started(path):
        (path.parent / "state" / "tocsin.db").chmod(0o644)
        found = list(doctor.of_state(path.parent / "state"))
    assert [(one.level, one.todo) for one in found if one.level is not Level.GREEN] == [
        (Level.RED, f"chmod 600 {path.parent / 'state' / 'tocsin.db'}")
    ]


def read(write_config: Write, text: str) -> Config:
    return daemon.prepare(Document.open(write_config(text))).config


@pytest.mark.parametrize(
    ("server", "url", "level", "text"),
    [
        ("irc.chat.test", "https://192.0.2.7/1", Level.GREEN, "goes to 192.0.2.7"),
        ("irc.chat.test", "https://status.chat.test/1", Level.YELLOW, "is under the same name as irc"),
        ("irc.chat.test", "https://irc.chat.test/1", Level.YELLOW, "is under the same name as irc"),
        ("irc.chat.test", "https://hc.elsewhere.invalid/1", Level.YELLOW, "its name can't be looked up"),
        ("irc.chat.test", "http://127.0.0.1:8000/1", Level.YELLOW, "is on this very machine"),
        ("irc.chat.test", "http://localhost:8000/1", Level.YELLOW, "is on this very machine"),
        ("192.0.2.9", "https://192.0.2.7/1", Level.YELLOW, "192.0.2.7 is in the same address range as irc"),
        ("192.0.3.9", "https://192.0.2.7/1", Level.GREEN, "goes to 192.0.2.7"),
        ("192.0.2.9", "https://[2001:db8::7]/1", Level.GREEN, "goes to 2001:db8::7"),
    ],
)
async def test_a_heartbeat_lives_where_it_does_not_die_too(
    write_config: Write, server: str, url: str, level: Level, text: str
) -> None:
    irc = f'[networks.irc]\nserver = "{server}:6697"\nroom = "#ops"\n'
    path = write_config(MINIMAL + irc + '[heartbeat]\nurl.file = "url"\n')
    secret = path.parent / "url"
    secret.touch(mode=0o600)
    secret.write_text(url)
    found = await doctor.of_heartbeat(daemon.prepare(Document.open(path)).config)
    assert found.level is level
    assert text in found.text
    assert url not in found.text


@pytest.mark.parametrize(
    ("on_call", "reached", "level", "text"),
    [
        ('["alice"]', {"alice": True}, Level.GREEN, "alice is on call"),
        ('["alice"]', {"alice": False, "bob": True}, Level.RED, "alice is on call and can't be reached now"),
        ("[]", {}, Level.RED, "nobody is on call now: Sat 21 Nov 2026 00:00"),
    ],
)
def test_somebody_is_on_call_who_can_be_reached(
    write_config: Write, on_call: str, reached: dict[str, bool], level: Level, text: str
) -> None:
    config = read(write_config, MINIMAL + f"[schedules.primary]\non_call = {on_call}\n")
    (found,) = doctor.of_people(config, OnDuty({}, reached), NOW)
    assert (found.about, found.level) == ("schedule primary", level)
    assert text in found.text


@pytest.mark.parametrize(
    ("days", "level", "text"),
    [
        (300, Level.GREEN, "good until"),
        (5, Level.YELLOW, "ends "),
        (-1, Level.RED, "certificate has expired"),
    ],
)
async def test_a_certificate_is_renewed_in_time(
    write_config: Write, tmp_path: Path, days: int, level: Level, text: str
) -> None:

    authority = trustme.CA()
    now = clock.now()  # OpenSSL looks at the machine's
    issued = authority.issue_cert(
        "localhost", not_before=now - timedelta(days=9), not_after=now + timedelta(days=days)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def connected(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    with closing(server):
        port = server.sockets[0].getsockname()[1]
        config = read(write_config, MINIMAL + IRC.format(port=port, ca=tmp_path / "ca.pem"))
        (found,) = await doctor.of_servers(config, lambda: now)
    assert (found.about, found.level) == ("irc certificate", level)
    assert text in found.text


def test_room_for_the_next_backup_is_asked_for(write_config: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_config(RUNNABLE)
    with started(path):
        (found,) = doctor.of_state(path.parent / "state")
        assert found.level is Level.GREEN
        monkeypatch.setattr(doctor, "LEAST_ROOM", 2**60)
        (found,) = doctor.of_state(path.parent / "state")
    assert (found.level, found.todo) == (Level.YELLOW, "make room")


def test_who_stands_in_for_nobody_is_on_call(write_config: Write) -> None:
    config = read(write_config, MINIMAL + "[schedules.primary]\non_call = []\n")
    (found,) = doctor.of_people(config, OnDuty({"primary": ["bob"]}, {"bob": True}), NOW)
    assert (found.level, found.text[:10]) == (Level.YELLOW, "nobody fro")
