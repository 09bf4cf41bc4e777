"""What stands in the log, and under systemd in its journal: a Unix socket of datagrams, as the real one is."""

import array
import logging
import mmap
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin import diary
from tocsin.domain.group import GroupOpened
from tocsin.errors import NetworkError
from tocsin.logs import Journal, about
from tocsin.transaction import Transaction

from tests.engine import Start, alert, fires
from tests.plugins.incident_parts import TABLES, declared
from tests.processes import PATIENCE
from tests.tower import Tower

Entry = dict[str, str]


class Journald:
    """The other end of the journal's socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open()

    def open(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(0)

    def close(self) -> None:
        self._socket.close()
        self.path.unlink()

    def entries(self) -> list[Entry]:
        """What has come since it was looked last, as the protocol's fields."""
        found = []
        while (raw := self._next()) is not None:
            found.append(read(raw))
        return found

    def _next(self) -> bytes | None:
        try:
            raw, (*control,), _, _ = self._socket.recvmsg(2**20, socket.CMSG_SPACE(4))
        except BlockingIOError:
            return None
        for _, kind, data in control:
            if kind == socket.SCM_RIGHTS:  # too large for a datagram: a sealed file
                (file,) = array.array("i", data)
                with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as inside:
                    raw += inside[:]
                os.close(file)
        return raw


def read(raw: bytes) -> Entry:
    """NAME=VALUE in a line; or NAME in a line, the length in 64 bits, the value."""
    entry: Entry = {}
    while raw:
        line, _, rest = raw.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + length], rest[9 + length :]
        entry[name.decode()] = value.decode()
        raw = rest
    return entry


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[Journald]:
    made = Journald(tmp_path / "socket")
    yield made
    made.close()


class Kept(logging.Handler):
    """Keeps what would go to stderr."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture
def otherwise() -> Kept:
    return Kept()


@pytest.fixture
def log(journald: Journald, otherwise: Kept) -> Iterator[logging.Logger]:
    """A logger that writes to the journal alone, and the journal."""
    handler = Journal(journald.path, otherwise)
    logger = logging.getLogger("tocsin.tried")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger
    logger.removeHandler(handler)
    logger.propagate = True
    handler.close()


# ── The journal ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_entry_says_what_it_is_about_in_fields(log: logging.Logger, journald: Journald) -> None:
    log.info(
        "%s: paged %s", "k7f3", "alice", extra=about("k7f3", network="irc", incident="42", event="page.begun")
    )
    [entry] = journald.entries()
    line = entry.pop("CODE_LINE")
    assert line.isdecimal()
    assert entry == {
        "MESSAGE": "k7f3: paged alice",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "tocsin",
        "LOGGER": "tocsin.tried",
        "CODE_FILE": __file__,
        "CODE_FUNC": "test_an_entry_says_what_it_is_about_in_fields",
        "TOCSIN_GROUP": "k7f3",
        "TOCSIN_INCIDENT": "42",
        "TOCSIN_NETWORK": "irc",
        "TOCSIN_EVENT": "page.begun",
    }


@pytest.mark.parametrize(
    ("subject", "field"),
    [("k7f3", "group"), ("42", "incident"), ("", ""), ("rooms", ""), ("notify/alice/phone/2026-11-21", "")],
)
def test_the_id_says_whether_it_is_an_alert_or_an_incident(subject: str, field: str) -> None:
    assert about(subject) == {"about": {field: subject} if field else {}}


@pytest.mark.parametrize(
    ("level", "priority"),
    [("CRITICAL", "2"), ("ERROR", "3"), ("WARNING", "4"), ("INFO", "6"), ("DEBUG", "7")],
)
def test_each_level_has_its_priority(
    log: logging.Logger, journald: Journald, level: str, priority: str
) -> None:
    log.log(getattr(logging, level), "so")
    assert [entry["PRIORITY"] for entry in journald.entries()] == [priority]


def test_a_server_can_forge_no_field_and_no_line(log: logging.Logger, journald: Journald) -> None:
    log.warning("the server says: %s", "no\nPRIORITY=0\nTOCSIN_GROUP=k7f3\r\x1b[2J")
    [entry] = journald.entries()
    assert entry["MESSAGE"] == "the server says: no PRIORITY=0 TOCSIN_GROUP=k7f3 [2J"
    assert (entry["PRIORITY"], "TOCSIN_GROUP" in entry) == ("4", False)


def test_a_traceback_is_one_entry(log: logging.Logger, journald: Journald) -> None:
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        log.exception("a plugin failed")
    [entry] = journald.entries()
    first, *_, last = entry["MESSAGE"].splitlines()
    assert (first, last) == ("a plugin failed", "ZeroDivisionError: division by zero")
    assert entry.keys().isdisjoint({"ARGUMENTS", "TRACEBACK", "EXCEPTION_VALUE"})


def test_what_is_too_large_for_a_datagram_comes_whole(log: logging.Logger, journald: Journald) -> None:
    log.error("large", exc_info=ValueError("x" * 2**20))
    [entry] = journald.entries()
    assert entry["MESSAGE"].endswith("x" * 2**20)


def test_a_journal_that_was_started_anew_is_found_again(
    log: logging.Logger, journald: Journald, otherwise: Kept
) -> None:
    journald.close()
    log.warning("nobody there")
    journald.open()
    log.warning("there again")
    assert otherwise.texts == ["nobody there"]
    assert [entry["MESSAGE"] for entry in journald.entries()] == ["there again"]


@pytest.mark.alone
def test_a_journal_that_takes_nothing_holds_up_nobody_and_learns_how_much_it_missed(
    log: logging.Logger, journald: Journald, otherwise: Kept
) -> None:
    began = time.perf_counter()
    for number in range(5000):
        log.info("line %d", number)
    assert time.perf_counter() - began < 2
    taken = journald.entries()
    assert 0 < len(taken) < 5000
    log.info("after that")
    told, last = journald.entries()
    assert told["MESSAGE"] == f"{5000 - len(taken)} lines of this log were dropped: the journal took none"
    assert told["PRIORITY"] == "4"
    assert last["MESSAGE"] == "after that"
    assert otherwise.texts == []


LOGS = """\
import logging, pathlib, sys
from tocsin import logs
logs.set_up(pathlib.Path(sys.argv[1]))
logging.getLogger("tocsin.tried").info("%s: here", "k7f3")
logging.getLogger("library").info("chatter")
logging.getLogger("library").warning("a warning")
"""


@pytest.mark.parametrize("stream", ["{device}:{inode}", "{device}:1", "1:{inode}", "", "x:y", "7"])
def test_it_goes_to_the_journal_where_stderr_does(tmp_path: Path, journald: Journald, stream: str) -> None:
    with (tmp_path / "stderr").open("w") as file:
        status = os.fstat(file.fileno())
        environment = {"JOURNAL_STREAM": stream.format(device=status.st_dev, inode=status.st_ino)}
        command = [sys.executable, "-c", LOGS, str(journald.path)]
        subprocess.run(command, stderr=file, env=environment, check=True, timeout=PATIENCE)
    entries = [(entry["LOGGER"], entry["MESSAGE"]) for entry in journald.entries()]
    lines = (tmp_path / "stderr").read_text().splitlines()
    if stream == "{device}:{inode}":
        assert (entries, lines) == ([("tocsin.tried", "k7f3: here"), ("library", "a warning")], [])
    else:
        assert (entries, lines) == ([], ["INFO tocsin.tried: k7f3: here", "WARNING library: a warning"])


def test_without_a_journal_the_lines_go_to_stderr(tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("w") as file:
        status = os.fstat(file.fileno())
        environment = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        command = [sys.executable, "-c", LOGS, str(tmp_path / "nothing")]
        subprocess.run(command, stderr=file, env=environment, check=True, timeout=PATIENCE)
    assert "INFO tocsin.tried: k7f3: here" in (tmp_path / "stderr").read_text()


# ── What happened ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "tocsin.diary")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "tocsin.diary"]


def fields(caplog: pytest.LogCaptureFixture, text: str) -> dict[str, str]:
    [found] = [record for record in caplog.records if record.getMessage() == text]
    said: dict[str, str] = vars(found)["about"]
    return said


async def test_what_becomes_of_an_alert_stands_there_line_by_line(
    write_config: Callable[..., Path],
    tmp_path: Path,
    told: Callable[[], list[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    tower = Tower(write_config, tmp_path / "state")
    async with tower(*TABLES) as engine:
        number = await declared(engine)
        subject = await engine.report(fires(alert("SecretName")))
        await engine.says("alice", f"!attach {number} {subject}", room="#ops")
        await engine.says("alice", f"!ack {subject}", room="#ops")
        await engine.says("alice", f"!note {number} the password is horse", room="#ops")
        await engine.says("alice", f"!resolve {subject}", room="#ops")
    lines = told()
    mine = [line for line in lines if line.startswith(f"{subject}: ")]
    assert mine[0] == f"{subject}: opened by prod (critical)"
    assert f"{subject}: alice paged" in mine
    assert f"{subject}: page to alice on console: delivered" in mine
    assert f"{subject}: escalation.step_taken" in mine
    assert mine[-2:] == [f"{subject}: acknowledged by alice", f"{subject}: resolved by alice"]
    assert f"{number}: incident.declared by alice" in lines
    assert not any(word in line for line in lines for word in ("SecretName", "97 %", "horse", "mail is slow"))
    assert fields(caplog, f"{subject}: acknowledged by alice") == {
        "group": subject,
        "incident": number,
        "event": "group.acknowledged",
    }
    assert fields(caplog, f"{subject}: page to alice on console: delivered")["network"] == "console"
    assert fields(caplog, f"{number}: incident.declared by alice")["incident"] == number


async def test_what_a_network_says_of_a_page_stands_in_no_line_of_the_diary(
    start: Start, told: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    start.chat.fails = lambda said: NetworkError("evil words", permanent=True) if said.place.private else None
    async with start() as engine:
        subject = await engine.report(fires())
    assert f"{subject}: page to alice on console: not delivered" in told()
    assert "evil" not in "".join(told())
    given_up = [record for record in caplog.records if "is given up" in record.getMessage()]
    assert vars(given_up[0])["about"] == {"group": subject, "network": "console"}


async def test_what_was_undone_stands_nowhere(start: Start, told: Callable[[], list[str]]) -> None:
    def opens(tx: Transaction) -> None:
        tx.record(GroupOpened(subject="k7f3", at=tx.now, key="k", receiver="prod", alerts=()))
        raise ZeroDivisionError

    async with start() as engine:
        with pytest.raises(ZeroDivisionError):
            await engine.run.tocsin.turn(opens)
        assert told() == []
        await engine.report(fires())
    assert len(told()) == 2


async def test_in_a_storm_the_log_is_not_flooded_and_says_how_much_it_left_out(
    start: Start, told: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(seconds=30) / diary.EVERY + diary.BURST == 5000, "as the manual says"
    monkeypatch.setattr(diary, "BURST", 10)
    monkeypatch.setattr(diary, "EVERY", timedelta(seconds=0.5))
    async with start() as engine:
        for number in range(20):
            await engine.report(fires(key=str(number)))
        assert len(told()) == 10
        await engine.advance(seconds=10)
        last = await engine.report(fires(key="last"))
    left_out, *rest = told()[10:]
    assert left_out.endswith("events were too many for this log: the database has them all")
    assert int(left_out.split()[0]) >= 20
    assert rest[0] == f"{last}: opened by prod (critical)"
