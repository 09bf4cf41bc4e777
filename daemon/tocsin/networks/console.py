"""The console network: a chat room in the terminal, to try everything with nothing but Python."""

import asyncio
import contextlib
import itertools
import logging
import os
import secrets
import select
import shutil
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any

from tocsin.domain.message import Line, Message, Place, clean
from tocsin.domain.oncall import Identity
from tocsin.domain.words import listed
from tocsin.errors import KeyPath, NetworkError
from tocsin.networks.base import Listener, MakesNoRooms, Rank

log = logging.getLogger(__name__)

LONGEST_LINE = 4000
"""What is typed in one line, in characters; the rest is cut."""

COMMANDS = {
    "/as": ("NAME", "speak as somebody else"),
    "/in": ("ROOM", "speak in another room"),
    "/msg": ("TEXT", "say it to tocsin in private"),
    "/who": ("", "who is here"),
    "/help": ("", "what you can type"),
    "/quit": ("", "leave"),
}


@dataclass(frozen=True)
class ConsoleSettings:
    """room: the name of the room where all alerts are told."""

    room: str = "#ops"

    @property
    def identity(self) -> Identity:
        return Identity.ACCOUNTS

    def about_rooms(self) -> Iterable[KeyPath]:
        return ()

    def complaint(self, *, account: str = "", room: str = "") -> str:  # noqa: ARG002 (any name will do)
        return ""


class Console(MakesNoRooms):
    """All people sit at one terminal: who types says whom he speaks for, and reads what anyone is told."""

    send_for = timedelta(seconds=10)
    deaf_while_away = False
    edits = False
    sees = False

    def __init__(
        self,
        name: str,
        settings: ConsoleSettings,
        people: Mapping[str, str],
        *,
        stdin: IO[Any] | None,
        stdout: IO[Any],
        now: Callable[[], datetime],
        on_quit: Callable[[], None] = lambda: None,
    ) -> None:
        """people: account -> the person's name. stdin, stdout: real files; without the first it only speaks.

        on_quit: called when somebody types /quit.
        """
        self.name = name
        self._stdin = stdin
        self._stdout = stdout
        self._now = now
        self._on_quit = on_quit
        self._printer = _Printer(stdout)
        self._room = settings.room
        self._account = next(iter(people), "guest")
        self._run_id = secrets.token_hex(8)
        self._heard = itertools.count(1)
        self._width = 0
        self.know(people)
        self._typist = False
        self._prompting = False

    async def run(self, listener: Listener) -> None:
        """Hear what is typed, until /quit or the end of it."""
        listener.up(self.name)
        if self._stdin is not None:
            await self.listen_to(self._stdin, listener)

    async def listen_to(self, stdin: IO[Any], listener: Listener) -> None:
        """Hear what is typed there, until /quit or the end of it."""
        self._typist = stdin.isatty()
        self._prompting = self._typist and self._stdout.isatty()
        try:
            if self._prompting:
                self.note(f"you are {self._account} in {self._room}; /help says what you can type")
            async with contextlib.aclosing(_lines(stdin.fileno())) as lines:
                async for text in lines:
                    if text == "/quit":
                        self._on_quit()
                        break
                    await self._take(text, listener)
                    if self._prompting:
                        self._print()
        finally:
            if self._prompting:
                self._prompting = False
                self._print("")  # what comes next, a shell perhaps, starts on a line of its own
        with contextlib.suppress(OSError, ValueError):
            await asyncio.wrap_future(self._print())  # the last words are out

    async def send(
        self,
        place: Place,
        message: Message,
        txn_id: str,  # noqa: ARG002 (what is on paper can't be made one)
        *,
        tried: datetime | None,
        rank: Rank,  # noqa: ARG002 (nothing waits)
        amends: str = "",  # noqa: ARG002
    ) -> str:
        """Print all of it: who sits at this terminal may know. Raises NetworkError if nobody can read any more."""
        first, *more = message.all_lines()
        first = f"(again) {first}" if tried else first
        printed = self._print(*(self._line(place, "tocsin", text) for text in (first, *more)))
        try:
            number = await asyncio.wrap_future(printed)
        except (OSError, ValueError) as error:
            raise NetworkError(f"can't be printed: {error}") from None
        return f"line {number}"

    def complete(self, place: Place, message: Message, txn_id: str, receipt: str) -> None:
        """Nothing goes with a page."""

    def know(self, accounts: Mapping[str, str]) -> None:
        """These are who is here, and as wide as their names is the column of places."""
        self._people = accounts
        self._width = max(
            self._width, *(min(16, len(place)) for place in (self._room, *(f"@{name}" for name in accounts)))
        )

    def reaches(self, account: str) -> bool:
        return account in self._people

    async def _take(self, text: str, listener: Listener) -> None:
        """Do what a typed line asks for."""
        word, _, rest = text.partition(" ")
        match word:
            case "/as" | "/in" | "/msg" if not rest:
                self.note(f"{word} {COMMANDS[word][0]}: {COMMANDS[word][1]}")
            case "/as":
                self.become(rest)
                self.note(f"you are {self._called(rest)}")
            case "/in":
                self._room = rest
                self.note(f"you are in {rest}")
            case "/msg":
                await self.say(rest, listener, private=True)
            case "/who":
                here = listed(self._called(account) for account in self._people) or "nobody"
                self.note(f"here: {here}. You are {self._called(self._account)} in {self._room}.")
            case "/help":
                self._help()
            case _ if word.startswith("/"):
                self.note(f"{word}: no such command; there are {listed(COMMANDS)}")
            case _ if text:
                await self.say(text, listener)

    def become(self, account: str) -> None:
        """Speak as somebody else from now on."""
        self._account = account

    async def say(self, text: str, listener: Listener, *, private: bool = False) -> None:
        """Say something in the room, or to tocsin in private; what a terminal has shown already is not printed."""
        place = Place(self.name, self._account if private else self._room, private=private)
        if not self._typist:
            self._print(self._line(place, self._account, text))
        number = f"{self._run_id}-{next(self._heard)}"
        line = Line(number, place, self._account, text, called=self._account, us="tocsin")
        try:
            await listener.heard(line)
        except Exception as error:
            log.exception("%s: line %s was not taken", self.name, line.id)
            self.note(f"that was not taken: {type(error).__name__}: {error}")

    def _called(self, account: str) -> str:
        """An account, and whose it is if it doesn't say so itself."""
        person = self._people.get(account)
        if person is None:
            return f"{account}, a stranger"
        return account if person == account else f"{account} ({person})"

    def _help(self) -> None:
        self.note(f"what you type is said in {self._room} as {self._called(self._account)}")
        shown = {f"{word} {argument}": meaning for word, (argument, meaning) in COMMANDS.items()}
        if self._prompting:
            shown["Ctrl-R"] = "show what you have typed so far"
        self._print(*(f"* {words:10} {meaning}" for words, meaning in shown.items()))

    def note(self, text: str) -> None:
        """Say something that is no part of the talk."""
        self._print(f"* {clean(text)}")

    def show(self, place: Place, speaker: str, text: str) -> None:
        """Print a line of a talk that goes on elsewhere."""
        self._print(self._line(place, speaker, clean(text)))

    def _line(self, place: Place, speaker: str, text: str) -> str:
        """A line of the talk: `12:00:00 #ops   <alice> !ack k7f3`."""
        where = clean(f"@{place.name}" if place.private else place.name)
        return f"{self._now().astimezone():%H:%M:%S} {where:{self._width}} <{clean(speaker)}> {text}"

    def _print(self, *lines: str) -> Future[int]:
        """Print lines in the prompt's stead, and the prompt again; nobody need wait for it."""
        text = "".join(f"{line}\n" for line in lines)
        if self._prompting:
            # What is being typed is hidden, but not lost: the terminal keeps it until Enter.
            blank = " " * (shutil.get_terminal_size().columns - 1)
            text = f"\r{blank}\r{text}{clean(f'{self._account} {self._room}')}> "
        return self._printer.write(text)


class _Printer:
    """Writes in a thread of its own, in order: a full pipe holds up only who waits for it.

    A daemon thread, and no buffer of Python's: either could keep the process from exiting.
    """

    def __init__(self, file: IO[Any]) -> None:
        self._file = file
        self._jobs = SimpleQueue[tuple[Future[int], str]]()
        Thread(target=self._work, name="console", daemon=True).start()

    def write(self, text: str) -> Future[int]:
        """Answers how many lines there are now. Cancelled before its turn, it is not written."""
        done = Future[int]()
        self._jobs.put((done, text))
        return done

    def _work(self) -> None:
        lines = 0
        while True:
            done, text = self._jobs.get()
            if not done.set_running_or_notify_cancel():
                continue
            data = text.encode(errors="replace")
            try:
                while data:
                    select.select([], [self._file], [])  # a parent may have left it non-blocking
                    data = data[os.write(self._file.fileno(), data) :]
            except (OSError, ValueError) as error:  # the latter if it was closed
                done.set_exception(error)
            else:
                lines += text.count("\n")
                done.set_result(lines)


async def _lines(fd: int) -> AsyncGenerator[str]:
    """What is typed, line by line; a line may come in pieces, and the last one without its end."""
    rest = b""
    while chunk := await _read(fd):
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            yield clean(raw.decode(errors="replace"), LONGEST_LINE)
        rest = rest[: 4 * LONGEST_LINE]  # enough for as many characters, whatever they are
    yield clean(rest.decode(errors="replace"), LONGEST_LINE)


async def _read(fd: int) -> bytes:
    """What was typed since; nothing at its end."""
    loop = asyncio.get_running_loop()
    typed = asyncio.Event()
    try:
        loop.add_reader(fd, typed.set)
    except OSError:  # a regular file, or /dev/null: always ready
        await asyncio.sleep(0)
    else:
        try:
            await typed.wait()
        finally:
            loop.remove_reader(fd)
    try:
        return os.read(fd, 65536)
    except OSError:  # the terminal has hung up
        return b""
