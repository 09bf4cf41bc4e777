"""The demo, as it is played."""

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.processes import PATIENCE, until
from tests.servers.irc_user import people
from tests.servers.programs import program
from tests.servers.synapse import VENV

DEMO = [sys.executable, "-m", "tocsin", "demo", "--pace", "20"]

STORY = [
    "full",
    r"POST http://127\.0\.0\.1:\d+/hooks/alertmanager/demo: 202 accepted",
    r"@alice <tocsin> (?P<id>\w+) critical DiskFull db1: 97 % of / used · !ack (?P=id)",
    "Alice was paged. She sleeps",
    "@bob   <tocsin> (?P=id) critical DiskFull",
    "<bob> !ack (?P=id)",
    "#ops   <tocsin> (?P=id) acknowledged by bob",
    "POST .*: 202 accepted",
    "#ops   <tocsin> (?P=id) resolved by its source",
    "!why (?P=id)",
    "<tocsin> [0-9:]+ UTC step 1: paging alice",
    "<tocsin> [0-9:]+ UTC step 2: paging bob",
    "<tocsin> [0-9:]+ UTC resolved by its source",
]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short one: the demo has its socket far below it, and the path of a socket has 107 bytes at most."""
    with TemporaryDirectory(prefix="demo") as name:
        yield Path(name)


@pytest.fixture
def irc() -> list[str]:
    """What plays it on IRC."""
    program("ngircd", "ngircd")
    return [*DEMO, "--irc"]


@pytest.fixture
def matrix() -> list[str]:
    """What plays it on Matrix."""
    if not (VENV / "made-from").exists():
        pytest.skip("Synapse is missing: run .ci/synapse")
    return [*DEMO, "--matrix"]


@pytest.mark.parametrize("where", ["console", "irc", "matrix"])
def test_the_outage_is_played_to_its_end(where: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    ran = subprocess.run(
        DEMO if where == "console" else request.getfixturevalue(where),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * PATIENCE,
        env={"TMPDIR": str(tmp_path), "PATH": str(VENV / "bin")},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.search(".*".join(STORY), ran.stdout, re.DOTALL)
    told = ran.stdout.partition("!why")[0].count("@bob   <tocsin>")
    assert told == 3, "a page, and two who are told"
    assert not list(tmp_path.iterdir()), "something is left behind"


class Screen:
    """What a terminal has shown."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._seen = b""

    def shows(self, text: str) -> bool:
        """Read on; whether it has shown this."""
        self._seen += os.read(self._fd, 65536)
        return re.search(text.encode(), self._seen, re.DOTALL) is not None

    def found(self, text: str) -> str:
        """The group in what it has shown."""
        return str(re.findall(text, self._seen.decode())[0])

    def fire(self) -> None:
        """Type the line that it shows for that."""
        line = self.found(r"\* (curl .*)\r\n")
        fired = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
        assert fired.stdout == "accepted\n"


@contextmanager
def terminal(command: Sequence[str], folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The demo on a terminal of its own."""
    ours, theirs = pty.openpty()
    popen = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"TMPDIR": str(folder)},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield popen, ours
    finally:
        popen.kill()
        popen.wait(PATIENCE)
        os.close(ours)


def test_on_a_terminal_the_prompt_is_yours_and_you_can_fire_an_alert(tmp_path: Path) -> None:
    with terminal(DEMO, tmp_path) as (popen, ours):
        screen = Screen(ours)
        until(lambda: screen.shows(r"curl .*alice #ops> $"))
        screen.fire()
        until(lambda: screen.shows("paging alice: critical HighLoad"))
        os.write(ours, b"!ack\n")
        until(lambda: screen.shows("#ops   <tocsin> .{4} acknowledged by alice"))
        os.write(ours, b"/quit\n")
        assert popen.wait(PATIENCE) == 0
    assert not list(tmp_path.iterdir())


async def test_on_irc_you_can_join_and_are_paged(irc: list[str], tmp_path: Path) -> None:
    with terminal(irc, tmp_path) as (popen, ours):
        screen = Screen(ours)
        await asyncio.to_thread(until, lambda: screen.shows(r"irssi -c \S+ -p \d+ -n you.*curl .*Ctrl-C"))
        async with people("you") as [you]:
            await you.connect(int(screen.found(r"irssi -c \S+ -p (\d+) -n you")))
            await you.join("#ops")
            await asyncio.to_thread(screen.fire)
            [page] = await you.sees(lambda line: line.command == "PRIVMSG" and line.params[0] == "you")
            assert re.fullmatch(r"\w+ critical HighLoad web1: load is 42 · !ack \w+", page.params[-1])
            await you.says("tocsin", "ack")
            await asyncio.to_thread(until, lambda: screen.shows("#ops   <tocsin> .{4} acknowledged by you"))
        popen.send_signal(signal.SIGINT)  # as Ctrl-C would on a terminal that is theirs
        assert await asyncio.to_thread(popen.wait, PATIENCE) == 0
    assert not list(tmp_path.iterdir())


def test_without_an_irc_server_it_says_what_to_install(tmp_path: Path) -> None:
    script = tmp_path / "bare.py"
    script.write_text(
        "import shutil; shutil.which = lambda *_, **__: None\nfrom tocsin.cli import main\nmain()\n"
    )
    ran = subprocess.run(
        [sys.executable, script, "demo", "--irc"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={"TMPDIR": str(tmp_path)},
    )
    assert ran.returncode == 1
    assert "install Debian's package" in ran.stderr
    assert list(tmp_path.iterdir()) == [script]
