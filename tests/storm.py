"""A storm of alerts on a real daemon, and people on a real IRC server who note when they were told what."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from tests.conftest import RUNNABLE
from tests.digest_lines import Told, counted, told
from tests.posted import payload
from tests.processes import TOKEN, Process, started
from tests.servers.irc_user import Line, User
from tests.servers.ircd import Inspircd, Ircd, Ngircd
from tests.servers.programs import HOST, running

CONNECTIONS = 16
BOT = "tocsin"
ROOM = "#ops"
PEOPLE = ("alice", "bob")
PLACES = (ROOM, *PEOPLE)

SHOWN_WITHIN = 60.0
"""In how many seconds all of a storm must be shown."""

POST_AGAIN = 0.02
LOOK_EVERY = 0.02
PASSWORD = "correct-horse"

NGIRCD = """\
[networks.irc]
server = "{host}:{port}"
tls = false
room = "{room}"
identity = "trust-nicks"
detail = {{ "{room}" = "full" }}
"""

STEPS = 'steps = [{ page = "alice" }, { page = "bob", after = "5m" }]'
BOTH_AT_ONCE = 'steps = [{ page = ["alice", "bob"] }]'

INSPIRCD = """\
[networks.irc]
server = "{host}:{port}"
tls = false
room = "{room}"
sasl.account = "tocsin"
sasl.password.file = "irc.password"
"""


# ── The alerts ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Fires:
    """An alert which is a group of its own."""

    name: str
    severity: str
    instance: str

    def post(self, status: str = "firing") -> Mapping[str, Any]:
        return payload(self.name, status, severity=self.severity, instance=self.instance)


def mixed(count: int) -> Sequence[Fires]:
    """Four in ten are critical, of two names; the others are warnings of six; one beside the other."""
    kinds = [*[("critical", "DiskFull"), ("critical", "NodeDown")] * 6, *_WARNINGS * 3]
    return [
        Fires(name, severity, f"node{number}")
        for number in range(count)
        for severity, name in [kinds[number * 7 % len(kinds)]]
    ]


_WARNINGS = [
    ("warning", name)
    for name in ("HighLoad", "SlowDisk", "CertExpires", "QueueGrows", "Swapping", "ClockSkew")
]


def alike(count: int) -> Sequence[Fires]:
    """One name, and one severity."""
    return [Fires("HighLoad", "warning", f"node{number}") for number in range(count)]


def distinct(count: int) -> Sequence[Fires]:
    """No name comes twice."""
    return [Fires(f"Probe{number}", "warning" if number % 3 else "error", "db1") for number in range(count)]


def all_critical(count: int) -> Sequence[Fires]:
    """No name comes twice, and none is less severe than another."""
    return [Fires(f"Probe{number}", "critical", "db1") for number in range(count)]


class Poster:
    """Posts over some connections at once, as fast as it is answered; again what was not accepted, as senders do.

    accepted: how many were.
    """

    def __init__(self, address: str) -> None:
        self.accepted = 0
        self._address = address
        self._news = asyncio.Event()

    async def post(self, fires: Iterable[Fires], status: str = "firing") -> None:
        """Each in a post of its own; returns once all are accepted."""
        left = iter(fires)
        async with _session() as session:
            await asyncio.gather(*(self._work(session, left, status) for _ in range(CONNECTIONS)))

    async def has(self, count: int) -> None:
        """Wait until so many are accepted."""
        async with asyncio.timeout(SHOWN_WITHIN):
            while self.accepted < count:
                self._news.clear()
                await self._news.wait()

    async def _work(self, session: ClientSession, left: Iterator[Fires], status: str) -> None:
        for one in left:
            await self._until_accepted(session, one, status)
            self.accepted += 1
            self._news.set()

    async def _until_accepted(self, session: ClientSession, one: Fires, status: str) -> None:
        url, headers = f"http://{self._address}/hooks/alertmanager/prod", {"Authorization": f"Bearer {TOKEN}"}
        while True:
            code = 0
            with suppress(ClientError, OSError):
                async with session.post(url, json=one.post(status), headers=headers) as answer:
                    code = answer.status
            if code == 202:
                return
            assert not code or code >= 500, f"{code} to {one}"
            await asyncio.sleep(POST_AGAIN)


def _session() -> ClientSession:
    return ClientSession(connector=TCPConnector(limit=CONNECTIONS), timeout=ClientTimeout(total=SHOWN_WITHIN))


# ── Who reads ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Noted:
    """A line of Tocsin's. at: when it came, in seconds on the readers' clock. tells: of which alerts, if of any."""

    at: float
    place: str
    words: str
    tells: Told | None


class Reader(User):
    """Somebody in the room who notes all that Tocsin says there, or to them.

    noted: that, in order. seen: when Tocsin came, or left, and how the server said so; in order.
    """

    def __init__(self, nick: str) -> None:
        super().__init__(nick)
        self.noted: list[Noted] = []
        self.seen: list[tuple[float, str]] = []

    def _take(self, line: Line) -> None:
        super()._take(line)
        if line.nick != BOT:
            return
        if line.command == "PRIVMSG":
            words = line.params[-1]
            self.noted.append(Noted(time.perf_counter(), line.params[0], words, told(words)))
        elif line.command in ("JOIN", "PART", "QUIT", "NICK", "KICK"):
            self.seen.append((time.perf_counter(), line.text))


@dataclass(frozen=True)
class Readers:
    """Alice, bob and a watcher in the room."""

    alice: Reader
    bob: Reader
    watcher: Reader

    @classmethod
    @asynccontextmanager
    async def there(cls, ircd: Ircd) -> "AsyncIterator[Readers]":
        """All of them in the room; they leave at the end."""
        readers = cls(*map(Reader, (*PEOPLE, "watcher")))
        try:
            await readers.come(ircd)
            yield readers
        finally:
            await asyncio.gather(*(each.close() for each in readers.all))

    @property
    def all(self) -> Sequence[Reader]:
        return (self.alice, self.bob, self.watcher)

    async def come(self, ircd: Ircd) -> None:
        """Into the room."""
        login = {nick: (nick, PASSWORD) for nick in PEOPLE} if isinstance(ircd, Inspircd) else {}
        await asyncio.gather(*(each.connect(ircd.port, sasl=login.get(each.nick, "")) for each in self.all))
        await asyncio.gather(*(each.join(ROOM) for each in self.all))

    async def sync(self) -> None:
        """Wait until each has all that the server has sent them until then."""
        await asyncio.gather(*(each.sync() for each in self.all))

    def lines(self, place: str, since: float = 0) -> Sequence[Noted]:
        """What was said there since then; in the room, as the watcher saw it."""
        reader = next(each for each in self.all if place in (each.nick, ROOM * (each is self.watcher)))
        return [one for one in reader.noted if one.place == place and one.at >= since]

    def tells(self, place: str, *kinds: str, since: float = 0) -> Sequence[Told]:
        """What was told there of alerts, if it is of these kinds."""
        return [one.tells for one in self.lines(place, since) if one.tells and one.tells.kind in kinds]

    def count(self, *kinds: str, since: float = 0) -> Mapping[str, int]:
        """Of how many alerts each place was told."""
        return {place: counted(self.tells(place, *kinds, since=since)) for place in PLACES}

    async def all_told(self, count: int, *kinds: str, since: float) -> float:
        """Wait until each place was told of so many, and of none twice; how long after that time the last one was."""
        wanted = dict.fromkeys(PLACES, count)
        told_of = self.count(*kinds, since=since)
        while told_of != wanted and time.perf_counter() < since + SHOWN_WITHIN:
            await asyncio.sleep(LOOK_EVERY)
            told_of = self.count(*kinds, since=since)
        assert told_of == wanted, f"{told_of} of {count} were told in {SHOWN_WITHIN} s:\n{self.story(since)}"
        return max(one.at for place in PLACES for one in self.lines(place, since) if one.tells) - since

    async def until(self, holds: Callable[[], object], since: float) -> None:
        """Wait until something holds, as long as a storm may take since then."""
        while not holds():
            assert time.perf_counter() < since + SHOWN_WITHIN, f"waited in vain:\n{self.story(since)}"
            await asyncio.sleep(LOOK_EVERY)

    async def sees(self, place: str, part: str, since: float) -> Noted:
        """Wait for a line that contains this."""

        def found() -> Iterator[Noted]:
            return (one for one in self.lines(place, since) if part in one.words)

        await self.until(lambda: any(found()), since)
        return next(found())

    def first(self, place: str, since: float, name: str = "") -> float:
        """When an alert was first told there, or one that is named so; infinity if none was."""
        told_of = ((one.at, one.tells) for one in self.lines(place, since) if one.tells)
        return next((at for at, tells in told_of if not name or tells.names(name)), float("inf"))

    def story(self, since: float) -> str:
        """All that was said since then, for who looks for what is wrong."""
        found = [one for place in PLACES for one in self.lines(place, since)]
        return "\n".join(f"{one.at - since:6.2f} {one.place:6} {one.words}" for one in found)


_TOO_FAST = re.compile("flood|sendq|recvq", re.IGNORECASE)


# ── Where it is played ──────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Stage:
    """A server with the flood limits that it comes with, and a configuration. address: where alerts are posted."""

    ircd: Ircd
    config: Path
    address: str

    @classmethod
    @contextmanager
    def built(cls, make: type[Ircd], folder: Path, write_config: Callable[..., Path]) -> "Iterator[Stage]":
        """The server runs; the address is the same for each daemon."""
        with ExitStack() as stack:
            port = stack.enter_context(socket.socket())
            port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port.bind((HOST, 0))
            address = f"{HOST}:{port.getsockname()[1]}"
            ircd: Ircd
            if make is Inspircd:
                ircd = stack.enter_context(
                    running(Inspircd(folder / "ircd", services=True, flood_limit=True))
                )
                for account in (BOT, *PEOPLE):
                    ircd.register(account, PASSWORD)
                (folder / "irc.password").touch(mode=0o600)
                (folder / "irc.password").write_text(PASSWORD)
            else:
                ircd = stack.enter_context(running(Ngircd(folder / "ircd", flood_limit=True)))
            network = (INSPIRCD if make is Inspircd else NGIRCD).format(host=HOST, port=ircd.port, room=ROOM)
            text = RUNNABLE.replace("127.0.0.1:0", address).replace("[networks.console]\n", network)
            text = text.replace("accounts.console", "accounts.irc").replace(STEPS, BOTH_AT_ONCE)
            yield cls(ircd, write_config(text), address)

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[Process]:
        """One that is ready; killed at the end if need be."""
        with ExitStack() as stack:
            yield await asyncio.to_thread(stack.enter_context, started(self.config))

    def complaints(self) -> Sequence[str]:
        """What the server has logged of who was too fast."""
        logs = [path.read_text(errors="replace") for path in self.ircd.folder.glob("*.log")]
        return [line for log in logs for line in log.splitlines() if _TOO_FAST.search(line)]


def at_rest(tocsin: Process) -> bool:
    """Whether all that came in was taken, and all that had to be said is said."""
    status = tocsin.status()
    return status is not None and not status["bodies waiting"] and not status["messages waiting"]


def waited(process: int) -> float:
    """For how many seconds the threads of a process have waited for a processor, all in all.

    On a machine that has nothing else to do that is next to nothing. It is what other work took from the process.
    """
    found = 0
    for thread in Path(f"/proc/{process}/task").iterdir():
        with suppress(OSError):  # it has ended, or this is no Linux that counts it
            found += int((thread / "schedstat").read_text().split()[1])
    return found / 1e9
