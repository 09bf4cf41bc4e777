"""People on IRC, who type raw lines and keep all that they were sent."""

import asyncio
import base64
import contextlib
import itertools
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tests.processes import PATIENCE

HOST = "127.0.0.1"
HOSTNAME = "localhost"
"""What the server's certificate must be for."""

EXTERNAL = "EXTERNAL"
"""To log in with the certificate."""

Found = TypeVar("Found")


class Refused(Exception):
    """The server does not let them in. Says why, in its words."""


@dataclass(frozen=True)
class Line:
    """What a server has sent. raw: as it came. source: `nick!user@host`, or the server; empty if it has not said."""

    raw: bytes
    tags: dict[str, str]
    source: str
    command: str
    params: tuple[str, ...]

    @property
    def nick(self) -> str:
        return self.source.partition("!")[0]

    @property
    def text(self) -> str:
        """As it came; what is not UTF-8 is escaped, as it is in all the other fields."""
        return self.raw.decode(errors="backslashreplace")


def parse(raw: bytes) -> Line:
    """Read a line. Source: https://modern.ircdocs.horse/#message-format."""
    rest = raw.decode(errors="backslashreplace")
    tags, source = {}, ""
    if rest.startswith("@"):
        head, _, rest = rest[1:].partition(" ")
        for tag in head.split(";"):
            key, _, value = tag.partition("=")
            tags[key] = re.sub(r"\\(.?)", lambda found: _ESCAPED.get(found[1], found[1]), value)
        rest = rest.lstrip(" ")
    if rest.startswith(":"):
        source, _, rest = rest[1:].partition(" ")
    words, colon, last = rest.partition(" :")
    command, *params = words.split()
    return Line(raw, tags, source, command, (*params, *([last] if colon else [])))


_ESCAPED = {":": ";", "s": " ", "r": "\r", "n": "\n"}


class User(asyncio.Protocol):
    """Somebody who can connect again and again.

    nick: what they are called now. lines: all that they were ever sent. caps: what the server has granted.
    """

    def __init__(self, nick: str) -> None:
        self.nick = nick
        self.lines: list[Line] = []
        self.caps: set[str] = set()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._tokens = itertools.count(1)
        self._news = asyncio.Event()

    async def connect(
        self,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        password: str = "",
        sasl: tuple[str, str] | str = "",
        caps: Iterable[str] = (),
    ) -> None:
        """Come in. Raises Refused.

        sasl: an account and its password, or EXTERNAL. caps: all of these must be granted.
        InspIRCd lets people in once a second: those who come together wait together.
        """
        assert self._transport is None, f"{self.nick} is connected"
        loop = asyncio.get_running_loop()
        await loop.create_connection(
            lambda: self, HOST, port, ssl=tls, server_hostname=HOSTNAME if tls else None
        )
        try:
            await self._register(password, sasl, {*caps, "sasl"} if sasl else set(caps))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Leave, if they are there."""
        if self._transport is None:
            return
        self.send("QUIT")
        try:
            await self.ended()
        finally:
            if self._transport is not None:
                self._transport.abort()

    async def ended(self) -> None:
        """Wait until the server has cut them off."""
        await self._until(lambda: self._transport is None, "to be cut off")

    def send(self, raw: str | bytes) -> None:
        """Type a line, without its end."""
        assert self._transport is not None, f"{self.nick} is not connected"
        self._transport.write((raw.encode() if isinstance(raw, str) else raw) + b"\r\n")

    async def sync(self) -> None:
        """Wait until the server has done all that they sent, and they have all that it sent them until then."""
        token = f"{self.nick}-{next(self._tokens)}"
        self.send(f"PING :{token}")
        await self.sees(lambda line: line.command == "PONG" and line.params[-1] == token)

    async def says(self, target: str, text: str) -> None:
        """Say something; the server has it then."""
        self.send(f"PRIVMSG {target} :{text}")
        await self.sync()

    async def join(self, channel: str, key: str = "") -> None:
        """Go into a channel where they are not yet. Raises Refused."""
        start = len(self.lines)
        self.send(f"JOIN {channel} {key}".rstrip())
        await self._answer(start, "366")

    async def login(self, account: str, password: str) -> None:
        """Tell NickServ who they are. Raises Refused."""
        start = len(self.lines)
        self.send(f"PRIVMSG NickServ :IDENTIFY {account} {password}")
        answer = await self._answer(start, "NOTICE", source="NickServ")
        if "now identified" not in answer.text:
            raise Refused(answer.text)
        await self._answer(start, "900")

    async def sees(
        self, what: str | Callable[[Line], object], times: int = 1, *, patience: float = PATIENCE
    ) -> list[Line]:
        """Wait for so many lines that contain a text, or of which something is true; all of them."""

        def found() -> list[Line]:
            return [
                line for line in self.lines if (what in line.text if isinstance(what, str) else what(line))
            ]

        await self._until(lambda: len(found()) >= times, f"{times} of {what}", patience)
        return found()

    def said_by(self, nick: str, target: str) -> list[str]:
        """What somebody has said there, in order."""
        return [
            line.params[-1]
            for line in self.lines
            if (line.command, line.nick, line.params[:-1]) == ("PRIVMSG", nick, (target,))
        ]

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._rest = b""
        self.caps = set()

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        # A server that has more to say waits for this; left to itself, the system would wait for more to confirm.
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        *whole, self._rest = (self._rest + data).split(b"\n")
        for raw in whole:
            if raw := raw.rstrip(b"\r"):
                self._take(parse(raw))
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (what went wrong is no matter)
        self._transport = None
        self._news.set()

    def _take(self, line: Line) -> None:
        self.lines.append(line)
        if line.command == "PING":
            self.send(f"PONG :{line.params[-1]}")
        elif line.command == "001" or (line.command == "NICK" and line.nick == self.nick):
            self.nick = line.params[0]

    # How they come in.

    async def _register(self, password: str, sasl: tuple[str, str] | str, caps: set[str]) -> None:
        start = len(self.lines)
        if caps:
            self.send(f"CAP REQ :{' '.join(sorted(caps))}")
        if password:
            self.send(f"PASS :{password}")
        self.send(f"NICK {self.nick}")
        self.send(f"USER {self.nick} 0 * :{self.nick}")
        if caps:
            answer = await self._answer(start, "CAP")
            if answer.params[1] != "ACK":
                raise Refused(answer.text)
            self.caps = caps
            if sasl:
                await self._authenticate(start, sasl)
            self.send("CAP END")
        await self._answer(start, "376", "422")

    async def _authenticate(self, start: int, sasl: tuple[str, str] | str) -> None:
        mechanism, response = sasl, b""
        if isinstance(sasl, tuple):
            mechanism, response = "PLAIN", "\0".join(("", *sasl)).encode()
        self.send(f"AUTHENTICATE {mechanism}")
        await self._answer(start, "AUTHENTICATE")
        self.send(f"AUTHENTICATE {base64.b64encode(response).decode() or '+'}")
        await self._answer(start, "903")

    async def _answer(self, start: int, *commands: str, source: str = "") -> Line:
        """Wait for one of these since then. Raises Refused if there comes an error, or the end."""

        def found() -> Line | None:
            for line in self.lines[start:]:
                if line.command in commands and line.nick.startswith(source):
                    return line
                if re.fullmatch(r"ERROR|[45]\d\d|90[24567]", line.command) and line.command != "422":
                    raise Refused(line.text)
            if self._transport is None:
                raise Refused("the server has closed the connection")
            return None

        return await self._until(found, f"one of {commands}")

    async def _until(self, found: Callable[[], Found | None], what: str, patience: float = PATIENCE) -> Found:
        result = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not (result := found()) and self._transport is not None:
                    self._news.clear()
                    await self._news.wait()
        if not result:
            how = "waited in vain" if self._transport is not None else "was cut off while waiting"
            last = "\n".join(line.text for line in self.lines[-20:])
            raise AssertionError(f"{self.nick} {how} for {what}; the last lines:\n{last}")
        return result


@contextlib.asynccontextmanager
async def people(*nicks: str) -> AsyncIterator[Sequence[User]]:
    """Some who are not connected yet; they leave at the end."""
    users = [User(nick) for nick in nicks]
    try:
        yield users
    finally:
        await asyncio.gather(*(user.close() for user in users))
