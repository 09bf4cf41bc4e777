"""A network on a real IRC server, what it tells, and the people there."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Self

import pytest

from tocsin.config import Address
from tocsin.domain.message import Message, Place
from tocsin.domain.oncall import Identity
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.networks.irc.network import Irc
from tocsin.networks.irc.settings import IrcSettings

from tests.networks.contract import PAGE, RoomsPeer
from tests.processes import PATIENCE
from tests.servers.irc_user import HOSTNAME, Line, Refused, User
from tests.servers.ircd import Inspircd, Ircd
from tests.servers.programs import HOST

ROOM = "#ops"
OTHER_ROOM = "#db"
PASSWORD = "correct-horse"

OPS = Place("irc", ROOM)
DB = Place("irc", OTHER_ROOM)


def private(account: str) -> Place:
    return Place("irc", account, private=True)


def irc(
    port: int,
    *,
    rooms: Sequence[str] = (OTHER_ROOM,),
    host: str = "",
    jitter: Callable[[float, float], float] = min,
    **settings: Any,
) -> Irc:
    """The network, as fast as can be. rooms: beside ROOM."""
    values: dict[str, Any] = {"tls": False, "room": ROOM, "pace": timedelta(0), **settings}
    server = Address(host or (HOSTNAME if values["tls"] else HOST), port)
    return Irc(
        "irc",
        IrcSettings(server=server, **values),
        accounts=["alice", "bob"],
        rooms=rooms,
        jitter=jitter,
    )


async def come(user: User, server: Ircd, account: str = "", *rooms: str) -> None:
    """Come in, by an account if there is one, and into some rooms."""
    await user.connect(server.port, sasl=(account, PASSWORD) if account else "")
    for room in rooms:
        await user.join(room)


async def logout(user: User) -> None:
    """Be nobody from now on."""
    seen = sum(line.command == "901" for line in user.lines)
    user.send("PRIVMSG NickServ :LOGOUT")
    await user.sees(lambda line: line.command == "901", times=seen + 1)


async def got(user: User, room: str = "") -> list[str]:
    """All that the network has said to somebody in private, whatever they were called, or in a room."""
    await user.sync()
    said = [line for line in user.lines if (line.command, line.nick) == ("PRIVMSG", "tocsin")]
    return [
        line.params[-1]
        for line in said
        if (line.params[0] == room if room else not line.params[0].startswith("#"))
    ]


async def refuses(network: Irc, place: Place, message: Message = PAGE) -> NetworkError:
    """Say something that can't be said: why."""
    with pytest.raises(NetworkError) as caught:
        await network.send(place, message, "an id", tried=None, rank=Rank.PAGE)
    return caught.value


async def misses(network: Irc, account: str) -> NetworkError:
    """Say something to somebody who is not there to take it: why."""
    error = await refuses(network, private(account))
    assert (error.permanent, error.absent, error.unsent) == (False, True, True)
    return error


_HELLO = [":irc 001 tocsin :hello", ":irc 422 tocsin :no message of the day"]


class Fake:
    """A server that lets everybody in, and says what a test wants. links: how often somebody came."""

    port: int

    def __init__(self, *, offers: str = "", silent: bool = False, modes: str = "+nt") -> None:
        """offers: capabilities, all of which it refuses. silent: whether it answers to nothing.

        modes: of each channel, as it answers who asks for them.
        """
        self.modes = modes
        self.offers = offers
        self.silent = silent
        self.links = 0
        self.lines: list[str] = []
        self._news = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    def says(self, *lines: bytes) -> None:
        self._writers[-1].write(b"".join(line + b"\r\n" for line in lines))

    def hangs_up(self) -> None:
        """Close the link, once all is sent."""
        self._writers[-1].close()

    async def hears(self, text: str, times: int = 1) -> list[str]:
        """Wait for so many lines that hold this."""
        async with asyncio.timeout(PATIENCE):
            while len(found := [line for line in self.lines if text in line]) < times:
                self._news.clear()
                await self._news.wait()
        return found

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.links += 1
        self._writers.append(writer)
        with contextlib.suppress(ConnectionError):
            async for raw in reader:
                line = raw.decode().rstrip("\r\n")
                self.lines.append(line)
                self._news.set()
                if not self.silent:
                    self.says(*self._answers(line))
        writer.close()

    def _answers(self, line: str) -> Sequence[bytes]:
        name, *words = line.split()
        match name:
            case "CAP" if words[0] == "LS" and self.offers:
                answers = [f":irc CAP * LS * :{self.offers[:10]}", f":irc CAP * LS :{self.offers[10:]}"]
            case "CAP" if words[0] == "REQ":
                answers = [f":irc CAP * NAK {' '.join(words[1:])}"]
            case "USER" if not self.offers:
                answers = [":irc 421 * CAP :no such command", *_HELLO]
            case "CAP" if words[0] == "END":
                answers = _HELLO
            case "JOIN":
                answers = [
                    f":{answer}"
                    for room in words[0].split(",")
                    for answer in (
                        f"tocsin!t@h JOIN {room}",
                        f"irc 353 tocsin = {room} :@alice tocsin",
                        f"irc 366 tocsin {room} :End of NAMES list",
                    )
                ]
            case "MODE":
                answers = [f":irc 324 tocsin {words[0]} {self.modes}"]
            case "PING":
                answers = [f":irc PONG irc {words[0]}"]
            case _:
                answers = []
        return [answer.encode() for answer in answers]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()


class IrcPeer(RoomsPeer):
    """A server, and on it alice, bob and mallory, who are in the room; where there are accounts, by theirs."""

    room = ROOM
    alice = "alice"
    bob = "bob"
    stranger = "mallory"

    def __init__(self, server: Ircd) -> None:
        super().__init__()
        self.server = server
        self.accounts = isinstance(server, Inspircd)
        self.users = {name: User(name) for name in (self.alice, self.bob, self.stranger)}

    async def connect(self) -> None:
        self.network = self.again()

    def again(self) -> Irc:
        return irc(self.server.port, identity=Identity.ACCOUNTS if self.accounts else Identity.NICKS)

    async def arrive(self) -> None:
        await asyncio.gather(
            *(
                come(user, self.server, name if self.accounts else "", ROOM)
                for name, user in self.users.items()
            )
        )

    async def disconnect(self) -> None:
        await asyncio.gather(*(user.close() for user in self.users.values()))

    async def says(self, account: str, place: Place, text: str) -> None:
        await self.users[account].says("tocsin" if place.private else place.name, text)

    async def lines(self, room: str) -> list[str]:
        return await got(self.users[self.bob], room)

    async def private_lines(self, account: str) -> list[str]:
        return await got(self.users[account])

    async def squats(self, name: str) -> str:
        await self.users[self.stranger].join(f"#{name}")
        return f"#{name}"

    async def invited(self, account: str, room: str) -> None:
        await self.users[account].sees(lambda line: line.command == "INVITE" and line.params[-1] == room)

    async def enters(self, account: str, room: str) -> bool:
        try:
            await self.users[account].join(room)
        except Refused:
            return False
        return True

    async def title(self, room: str, title: str = "") -> str:
        def told(line: Line) -> bool:
            named = line.command in {"332", "TOPIC"} and room in line.params
            return named and title in ("", line.params[-1])

        return (await self.users[self.alice].sees(told))[-1].params[-1]

    async def is_there(self, account: str, room: str) -> bool:
        user = self.users[account]
        start = len(user.lines)
        user.send(f"NAMES {room}")
        await user.sync()
        names = [line.params[-1].split() for line in user.lines[start:] if line.command == "353"]
        return any(self.us in {name.lstrip("@+") for name in each} for each in names)
