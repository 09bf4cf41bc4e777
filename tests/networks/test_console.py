"""The console, by real pipes, files and a terminal."""

import asyncio
import contextlib
import os
import pty
import re
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pytest

from tocsin.domain.message import Message, Place
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.networks.console import Console, ConsoleSettings

from tests.networks.contract import PAGE, NetworkContract, Peer, Recorder
from tests.processes import PATIENCE

NOW = datetime(2026, 3, 1, 11, 58, 7, tzinfo=UTC)
TIME = f"{NOW.astimezone():%H:%M:%S}"  # the console tells the time of where it stands
PEOPLE = {"alice": "alice", "bob": "robert"}
ROOM = Place("console", "#ops")


class Screen:
    """The reading end of what the console prints."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.text = ""

    def look(self) -> str:
        """All that was printed until now."""
        with contextlib.suppress(BlockingIOError):
            while new := os.read(self.fd, 65536):
                self.text += new.decode()
        return self.text

    async def shows(self, text: str, times: int = 1) -> str:
        """Wait until this was printed so often."""
        printed = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.fd, printed.set)
        try:
            async with asyncio.timeout(PATIENCE):
                while self.look().count(text) < times:
                    printed.clear()
                    await printed.wait()
        finally:
            asyncio.get_running_loop().remove_reader(self.fd)
        return self.text


def console(stdin: int | None, stdout: int, open_files: contextlib.ExitStack) -> Console:
    """Make a console of descriptors, which belong to it from now on."""
    return Console(
        "console",
        ConsoleSettings(),
        PEOPLE,
        stdin=None if stdin is None else open_files.enter_context(os.fdopen(stdin, "rb", buffering=0)),
        stdout=open_files.enter_context(os.fdopen(stdout, "w")),
        now=lambda: NOW,
    )


class ConsolePeer(Peer):
    """Who types at one end of a pipe, and reads at the end of another."""

    room = "#ops"
    alice = "alice"
    bob = "bob"
    stranger = "mallory"

    async def connect(self) -> None:
        self.files = contextlib.ExitStack()
        stdin, typing = os.pipe()
        reading, stdout = os.pipe()
        self.keys = self.files.enter_context(os.fdopen(typing, "wb", buffering=0))
        self.screen = Screen(self.files.enter_context(os.fdopen(reading, "rb")).fileno())
        self.network = console(stdin, stdout, self.files)

    async def disconnect(self) -> None:
        self.files.close()

    def types(self, text: str) -> None:
        self.keys.write(text.encode())

    async def says(self, account: str, place: Place, text: str) -> None:
        self.types(f"/as {account}\n")
        self.types(f"/msg {text}\n" if place.private else f"/in {place.name}\n{text}\n")

    async def lines(self, room: str) -> list[str]:
        return re.findall(rf"^{TIME} {room} +<tocsin> (.*)$", self.screen.look(), re.MULTILINE)

    async def private_lines(self, account: str) -> list[str]:
        return await self.lines(f"@{account}")


@pytest.fixture
async def peer() -> AsyncIterator[ConsolePeer]:
    async with ConsolePeer() as running:
        yield running


class TestConsole(NetworkContract):
    pass


async def test_a_line_says_when_where_and_who(peer: ConsolePeer) -> None:
    await peer.send(ROOM, PAGE)
    await peer.send(peer.private("alice"), PAGE)
    assert peer.screen.look().splitlines() == [
        f"{TIME} #ops   <tocsin> k7f3 critical DiskFull on db-1 · !ack k7f3",
        f"{TIME} @alice <tocsin> k7f3 critical DiskFull on db-1 · !ack k7f3",
    ]


async def test_the_receipt_is_the_number_of_the_last_line(peer: ConsolePeer) -> None:
    assert (
        await peer.network.send(ROOM, Message("a", lines=("b",)), "1", tried=None, rank=Rank.PAGE) == "line 2"
    )
    assert await peer.network.send(ROOM, Message("c"), "2", tried=None, rank=Rank.PAGE) == "line 3"


async def test_what_comes_from_a_pipe_is_printed_too(peer: ConsolePeer) -> None:
    peer.types("!ack k7f3\n/msg !help\n")
    await peer.recorder.hears("!help")
    await peer.screen.shows("!help\n")
    assert peer.screen.text.splitlines() == [
        f"{TIME} #ops   <alice> !ack k7f3",
        f"{TIME} @alice <alice> !help",
    ]


async def test_as_speaks_as_somebody_else(peer: ConsolePeer) -> None:
    peer.types("/as bob\nhello\n/as mallory\nhello\n/msg hello\n")
    lines = await peer.recorder.hears("hello", times=3)
    assert [line.account for line in lines] == ["bob", "mallory", "mallory"]
    assert [line.called for line in lines] == ["bob", "mallory", "mallory"]
    assert lines[2].place == peer.private("mallory")
    assert not peer.network.reaches("mallory")
    await peer.screen.shows("* you are bob (robert)\n")
    await peer.screen.shows("* you are mallory, a stranger\n")


async def test_in_speaks_in_another_room(peer: ConsolePeer) -> None:
    peer.types("/in #db\nhello\n")
    [line] = await peer.recorder.hears("hello")
    assert line.place == Place("console", "#db")
    await peer.screen.shows("* you are in #db\n")


async def test_who_names_everyone(peer: ConsolePeer) -> None:
    peer.types("/who\n")
    await peer.screen.shows("* here: alice and bob (robert). You are alice in #ops.\n")


async def test_who_names_those_who_came_since(peer: ConsolePeer) -> None:
    peer.network.know({"alice": "alice", "rob": "robert"})
    peer.types("/who\n")
    await peer.screen.shows("* here: alice and rob (robert). You are alice in #ops.\n")
    assert peer.network.reaches("rob")
    assert not peer.network.reaches("bob")


async def test_help_names_every_word_that_works(peer: ConsolePeer) -> None:
    peer.types("/help\n")
    shown = await peer.screen.shows("leave\n")
    assert "* what you type is said in #ops as alice\n" in shown
    for words in ("/as NAME", "/in ROOM", "/msg TEXT", "/who", "/quit"):
        assert f"* {words}" in shown


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("/ack k7f3", "* /ack: no such command; there are /as, /in, /msg, /who, /help and /quit\n"),
        ("/", "* /: no such command; there are "),
        ("/as", "* /as NAME: speak as somebody else\n"),
        ("/in ", "* /in ROOM: speak in another room\n"),
        ("/msg", "* /msg TEXT: say it to tocsin in private\n"),
    ],
)
async def test_a_word_that_does_not_work_is_answered(peer: ConsolePeer, typed: str, answer: str) -> None:
    peer.types(f"{typed}\nhello\n")
    await peer.screen.shows(answer)
    await peer.recorder.hears("hello")
    assert len(peer.recorder.lines) == 1


async def test_a_terminal_shows_everything_in_a_room_too(peer: ConsolePeer) -> None:
    page = Message("DiskFull on db-1", "k7f3", link="https://x.test/", lines=("a",), brief="DiskFull")
    await peer.send(ROOM, page)
    assert await peer.lines("#ops") == page.all_lines()


async def test_blank_lines_say_nothing(peer: ConsolePeer) -> None:
    peer.types("\n  \n\r\nhello\r\n")
    await peer.recorder.hears("hello")
    assert len(peer.recorder.lines) == 1


async def test_quit_ends_it_and_takes_nothing_more(peer: ConsolePeer) -> None:
    peer.types("hello\n/quit\nnever\n")
    async with asyncio.timeout(PATIENCE):
        await peer.running
    assert [line.text for line in peer.recorder.lines] == ["hello"]
    assert peer.screen.look().endswith("<alice> hello\n")


async def test_the_last_line_needs_no_end(peer: ConsolePeer) -> None:
    peer.types("hello\n!ack k7f3")
    peer.keys.close()
    async with asyncio.timeout(PATIENCE):
        await peer.running
    assert [line.text for line in peer.recorder.lines] == ["hello", "!ack k7f3"]
    await peer.send(ROOM, PAGE)  # it speaks on
    assert await peer.lines("#ops") == [PAGE.first_line()]


async def test_a_line_may_come_in_pieces(peer: ConsolePeer) -> None:
    peer.types("hello\n!ack")
    await peer.recorder.hears("hello")
    peer.types(" k7f3\n")
    await peer.recorder.hears("!ack k7f3")


@pytest.mark.parametrize(
    ("typed", "heard"),
    [
        (b"\xff\xfe!ack", "\N{REPLACEMENT CHARACTER}" * 2 + "!ack"),
        (b"a\0b\x1b[2Jc\rd", "a b [2Jc d"),
        ("\u202eabc".encode(), "abc"),
        (b"x" * 300_000, "x" * 3999 + "…"),
        ("🔥".encode() * 100_000, "🔥" * 3999 + "…"),
    ],
    ids=["undecodable", "control", "bidi", "long", "long, of four bytes each"],
)
async def test_whatever_is_typed_is_a_line_of_text(peer: ConsolePeer, typed: bytes, heard: str) -> None:
    keys = os.dup(peer.keys.fileno())
    with os.fdopen(keys, "wb") as file:
        await asyncio.to_thread(file.write, typed + b"\nhello\n")
        await asyncio.to_thread(file.flush)
    await peer.recorder.hears("hello")
    assert [line.text for line in peer.recorder.lines] == [heard, "hello"]
    shown = await peer.screen.shows("hello\n")
    assert shown.splitlines()[0] == f"{TIME} #ops   <alice> {heard}"
    assert "\x1b" not in shown


async def test_a_line_that_is_not_taken_is_answered(
    peer: ConsolePeer, caplog: pytest.LogCaptureFixture
) -> None:
    peer.recorder.refuses = "!ack k7f3"
    peer.types("!ack k7f3\n")
    await peer.screen.shows("* that was not taken: RuntimeError: the recorder is full\n")
    assert "was not taken" in caplog.text


async def test_no_two_consoles_give_one_id(peer: ConsolePeer) -> None:
    async with ConsolePeer() as other:
        for each in (peer, other):
            await each.says("alice", ROOM, "hello")
        [one] = await peer.recorder.hears("hello")
        [two] = await other.recorder.hears("hello")
        assert one.id != two.id


@contextlib.asynccontextmanager
async def reading(stdin: int | None) -> AsyncIterator[tuple[Console, Screen, Recorder]]:
    """A console with this for its standard input, which is not running."""
    with contextlib.ExitStack() as files:
        out, stdout = os.pipe()
        screen = Screen(files.enter_context(os.fdopen(out, "rb")).fileno())
        yield console(stdin, stdout, files), screen, Recorder()


@pytest.mark.parametrize(
    "stdin", [lambda: None, lambda: os.open("/dev/null", os.O_RDONLY)], ids=["none", "/dev/null"]
)
async def test_where_nobody_can_type_it_only_speaks(stdin: Callable[[], int | None]) -> None:
    async with reading(stdin()) as (network, screen, recorder):
        async with asyncio.timeout(PATIENCE):
            await network.run(recorder)
            await recorder.is_up()
        await network.send(ROOM, PAGE, "1", tried=None, rank=Rank.PAGE)
        assert screen.look() == f"{TIME} #ops   <tocsin> {PAGE.first_line()}\n"


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("".join(f"line {number}\n" for number in range(20_000)))
    async with reading(os.open(script, os.O_RDONLY)) as (network, screen, recorder):
        running = asyncio.create_task(network.run(recorder))
        await screen.shows("line 19999\n")
        await running
    assert [line.text for line in recorder.lines] == script.read_text().splitlines()


async def test_it_can_speak_before_it_runs() -> None:
    async with reading(None) as (network, screen, _):
        assert await network.send(ROOM, PAGE, "1", tried=None, rank=Rank.PAGE) == "line 1"
        assert PAGE.first_line() in screen.look()


async def test_a_reader_who_has_gone_is_a_network_error() -> None:
    gone, stdout = os.pipe()
    os.close(gone)
    with contextlib.ExitStack() as files:
        network = console(None, stdout, files)
        with pytest.raises(NetworkError, match="Broken pipe") as caught:
            await network.send(ROOM, PAGE, "1", tried=None, rank=Rank.PAGE)
    assert not caught.value.unsent
    assert not caught.value.permanent


async def test_a_closed_output_is_a_network_error() -> None:
    async with reading(None) as (network, _, _):
        pass
    with pytest.raises(NetworkError):
        await network.send(ROOM, PAGE, "1", tried=None, rank=Rank.PAGE)


def fill(pipe: int) -> None:
    """Let nothing more go in."""
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"." * 4096)
    os.set_blocking(pipe, True)


async def test_a_full_pipe_holds_up_nothing_else() -> None:
    with contextlib.ExitStack() as files:
        (stdin, keys), (out, stdout) = os.pipe(), os.pipe()
        typing = files.enter_context(os.fdopen(keys, "wb", buffering=0))
        screen = Screen(files.enter_context(os.fdopen(out, "rb")).fileno())
        fill(stdout)
        network, recorder = console(stdin, stdout, files), Recorder()
        running = asyncio.create_task(network.run(recorder))
        for text in ("first", "second"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await network.send(ROOM, Message(text), text, tried=None, rank=Rank.PAGE)
        typing.write(b"!ack k7f3\n")
        await recorder.hears("!ack k7f3")
        running.cancel()
        async with asyncio.timeout(1):
            await asyncio.wait([running])
        screen.look()
        await network.send(ROOM, Message("third"), "third", tried=None, rank=Rank.PAGE)
        shown = screen.look().lstrip(".").splitlines()
        # What was given up before its turn is not printed: only one can have had its turn.
        assert len([line for line in shown if "<tocsin>" in line]) <= 2
        assert shown[-2:] == [f"{TIME} #ops   <alice> !ack k7f3", f"{TIME} #ops   <tocsin> third"]


async def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    with contextlib.ExitStack() as files:
        out, stdout = os.pipe()
        screen = Screen(files.enter_context(os.fdopen(out, "rb")).fileno())
        network = console(None, stdout, files)
        fill(stdout)
        os.set_blocking(stdout, False)
        sending = asyncio.create_task(network.send(ROOM, PAGE, "1", tried=None, rank=Rank.PAGE))
        await screen.shows(f"{PAGE.first_line()}\n")
        assert await sending == "line 1"


EXITS = """
import asyncio, contextlib, sys
from datetime import UTC, datetime
from tocsin.domain.message import Message, Place
from tocsin.networks.base import Rank
from tocsin.networks.console import Console, ConsoleSettings

class Listener:
    def up(self, network): pass

async def main():
    network = Console(
        "console", ConsoleSettings(), {}, stdin=sys.stdin, stdout=sys.stdout, now=lambda: datetime.now(UTC)
    )
    running = asyncio.create_task(network.run(Listener()))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await network.send(Place("console", "#ops"), Message("", lines=("x" * 2000,) * 100), "1", tried=None, rank=Rank.PAGE)
    assert not running.done()
    running.cancel()

asyncio.run(main())
"""


async def test_neither_a_full_pipe_nor_an_idle_one_keeps_the_process() -> None:
    (stdin, keys), (out, stdout) = os.pipe(), os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", EXITS, stdin=stdin, stdout=stdout, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(PATIENCE):
            _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
    finally:
        for fd in (stdin, keys, out, stdout):
            os.close(fd)


class Terminal:
    """A terminal, and somebody who sits before it."""

    def __init__(self) -> None:
        self.files = contextlib.ExitStack()
        master, slave = pty.openpty()
        self.keys = self.files.enter_context(os.fdopen(master, "wb", buffering=0))
        self.screen = Screen(master)
        self.network = console(os.dup(slave), slave, self.files)
        self.recorder = Recorder()

    def types(self, text: str) -> None:
        self.keys.write(text.encode())

    async def __aenter__(self) -> Self:
        self.running = asyncio.create_task(self.network.run(self.recorder))
        await self.screen.shows("alice #ops> ")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.running.cancel()
        await asyncio.wait([self.running])
        self.files.close()

    async def ends(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.running


async def test_a_terminal_has_a_prompt_and_shows_once_what_is_typed() -> None:
    async with Terminal() as terminal:
        terminal.types("!ack k7f3\n")
        await terminal.recorder.hears("!ack k7f3")
        terminal.types("/as bob\n/in #db\n")
        shown = await terminal.screen.shows("bob #db> ")
        assert "* you are alice in #ops; /help says what you can type\r\n" in shown
        assert shown.count("!ack k7f3") == 1
        assert "\x1b" not in shown


async def test_what_is_being_typed_outlives_what_is_said() -> None:
    async with Terminal() as terminal:
        terminal.types("!ack ")
        await terminal.screen.shows("!ack ")
        await terminal.network.send(ROOM, PAGE, "1", tried=None, rank=Rank.PAGE)
        shown = await terminal.screen.shows("alice #ops> ", times=2)
        assert f" \r{TIME} #ops   <tocsin> {PAGE.first_line()}\r\n" in shown
        terminal.types("\x12")  # Ctrl-R, as /help says
        await terminal.screen.shows("^R\r\n!ack ")
        terminal.types("k7f3\n")
        await terminal.recorder.hears("!ack k7f3")


async def test_the_end_of_what_is_typed_ends_it_on_a_line_of_its_own() -> None:
    async with Terminal() as terminal:
        terminal.types("\x04")
        await terminal.ends()
        assert (await terminal.screen.shows("#ops> \r\n")).endswith("#ops> \r\n")
        await terminal.network.send(ROOM, PAGE, "1", tried=None, rank=Rank.PAGE)
        assert (await terminal.screen.shows("!ack k7f3\r\n")).endswith("!ack k7f3\r\n")


async def test_a_terminal_that_hangs_up_ends_it() -> None:
    async with Terminal() as terminal:
        terminal.keys.close()
        await terminal.ends()
        with pytest.raises(NetworkError):
            await terminal.network.send(ROOM, PAGE, "1", tried=None, rank=Rank.PAGE)
