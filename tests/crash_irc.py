"""IRC, where people talk while daemons are killed, and now and then their server."""

import asyncio
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from signal import SIGCONT, SIGSTOP

from tests.crash_seen import BOT, KILLED, LOST, ROOM, Peer, Seen, lives
from tests.processes import PATIENCE
from tests.servers.irc_user import Line, User, parse
from tests.servers.ircd import DOMAIN, Ngircd
from tests.servers.programs import HOST

WATCHER = "watcher"
"""Reads what is said in the room; the others read what is said to them in private."""

LOST_IN = 0.3
"""In how many of the lives the server is killed."""

BACK_IN = 0.7
"""How often it is back before the daemon is killed."""

ARRIVES = 0.06
"""How many seconds a line may still be under way that the server has passed on: Linux puts off an ACK for 0.04."""

SETTINGS = """\
[networks.irc]
server = "{host}:{port}"
tls = false
room = "{room}"
identity = "trust-nicks"
detail = {{ "{room}" = "full" }}
pace = "0s"
"""

_OTHERS = {"alice", "bob", WATCHER, f"irc.{DOMAIN}", ""}

_AWAY = re.compile(
    r"I was away (?:\d\d:\d\d\u2013|until )\d\d:\d\d UTC and heard nothing"
    r"(?:; (?:\w+ still rings · !ack \w+|[\w, ]+ still ring · !alerts))?"
)


@contextmanager
def held(process: int) -> Iterator[None]:
    """It stands still, so that it finds people there when it comes back to their server."""
    os.kill(process, SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, SIGCONT)


class Irc(Peer):
    """A real ngIRCd, and three in the room who are there before every daemon and take down all that they are sent.

    Before each line stand two numbers, and who got it. As soon as one of them sees Tocsin say something, all are sent
    a PING with the next number; a server answers in order, so what comes behind the PONG was said later than that.
    The first number is that of the last PONG, the other one that of the last PING.
    """

    network = "irc"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name in ("typed", "terminal"):
            (folder / name).touch()
        self._server = Ngircd(folder / "ngircd")
        self._file = self.seen.open("ab", buffering=0)
        self._asked = 0
        self._people = {nick: Person(nick, self._take) for nick in ("alice", "bob", WATCHER)}

    @property
    def settings(self) -> str:
        return SETTINGS.format(host=HOST, port=self._server.port, room=ROOM)

    @staticmethod
    def read(text: str) -> Sequence[Seen]:
        """A daemon comes once in its life, or once more if the server was lost, and may say once what it missed."""
        seen: list[Seen] = []
        came: set[tuple[str, int]] = set()
        back: Counter[str] = Counter()
        for life, raw, _ in lives(text):
            after, before, who, rest = raw.split(" ", 3)
            line = parse(rest.encode())
            place = _place(who, line)
            words = line.params[-1] if place else ""
            if line.nick in _OTHERS or (place == ROOM and who != WATCHER):
                continue
            if (line.nick, line.command) == (BOT, "QUIT"):
                continue
            if (line.nick, line.command) == (BOT, "JOIN") and (who, life) not in came:
                came.add((who, life))
            elif _AWAY.fullmatch(words.removeprefix("(again) ")) and back[place] <= life:
                back[place] += not words.startswith("(again) ")
            else:
                seen.append(Seen(life, place, BOT * bool(place), words, int(after), int(before), raw))
        return seen

    def types(self, who: str, text: str, *, private: bool) -> None:
        self._people[who].says_to_it(BOT if private else ROOM, text)

    async def upset(self, daemon: int, chance: Random) -> None:
        """The server is killed, and may come back."""
        if chance.random() > LOST_IN:
            return
        self._server.freezes()  # what it has passed on arrives; killed at once, it could take that with it
        await asyncio.sleep(ARRIVES)
        await asyncio.to_thread(self._server.ends)
        await asyncio.gather(*(each.ended() for each in self._people.values()))
        self._take_down(LOST)
        self.away = True
        self.lost += 1
        await asyncio.sleep(chance.uniform(0, 0.5))
        if chance.random() > BACK_IN:
            return
        with held(daemon):
            await self.open()
        await asyncio.sleep(chance.uniform(0, 3))

    async def bury(self) -> None:
        """Once it is gone from the server, what it said is passed on."""
        if not self.away:
            await self._gone()
        self._take_down(KILLED)
        if self.away:
            await self.open()

    async def open(self) -> None:
        await asyncio.to_thread(self._server.start)
        self._asked += 1  # what comes now was said later than all that came until now
        for each in self._people.values():
            each.after = self._asked
        await asyncio.gather(*(each.comes(self._server.port) for each in self._people.values()))
        self.away = False

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in self._people.values()))
        await asyncio.to_thread(self._server.close)
        self._file.close()

    async def _gone(self) -> None:
        watcher = self._people[WATCHER]
        async with asyncio.timeout(PATIENCE):
            there = True
            while there:
                start = len(watcher.lines)
                watcher.send(f"ISON {BOT} {BOT}_")
                await watcher.sync()
                there = any(line.command == "303" and line.params[-1] for line in watcher.lines[start:])
        await asyncio.gather(*(each.sync() for each in self._people.values()))

    def _take(self, person: "Person", line: Line) -> None:
        if line.command == "PONG":
            person.after = int(line.params[-1]) if line.params[-1].isdigit() else person.after
            return
        self._take_down(f"{person.after} {self._asked} {person.nick} {line.text}")
        if line.nick == BOT and line.command == "PRIVMSG":
            self._asked += 1
            for each in self._people.values():
                if each.here:
                    each.send(f"PING :{self._asked}")

    def _take_down(self, line: str) -> None:
        self._file.write(f"{line}\n".encode())


class Person(User):
    """Whoever has something to say to Tocsin says it as soon as they see it come.

    here: whether they are in the room. after: the number of the last PONG.
    """

    def __init__(self, nick: str, on_line: Callable[["Person", Line], None]) -> None:
        super().__init__(nick)
        self.here = False
        self.after = 0
        self._on_line = on_line
        self._sees_it = False
        self._unsaid: dict[str, None] = {}

    async def comes(self, port: int) -> None:
        """Connect, and go into the room."""
        self.lines.clear()
        await self.connect(port)
        await self.join(ROOM)
        self.here = True

    def says_to_it(self, target: str, text: str) -> None:
        """Now, or once it is there."""
        self._unsaid[f"PRIVMSG {target} :{text}"] = None
        self._say_all()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.here = self._sees_it = False

    def _take(self, line: Line) -> None:
        super()._take(line)
        self._on_line(self, line)
        if line.nick == BOT and line.command in ("JOIN", "QUIT"):
            self._sees_it = line.command == "JOIN"
            self._say_all()

    def _say_all(self) -> None:
        if self._sees_it:
            for command in self._unsaid:
                self.send(command)
            self._unsaid.clear()


def _place(who: str, line: Line) -> str:
    """Where Tocsin said that; empty if it is not said by it, or not as it should be."""
    if (line.nick, line.command) != (BOT, "PRIVMSG"):
        return ""
    if line.params[0] == ROOM:
        return ROOM
    return f"@{who}" if line.params[0] == who != WATCHER else ""
