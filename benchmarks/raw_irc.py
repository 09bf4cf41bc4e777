"""Somebody on IRC, with as little as the protocol asks for: the floors talk so, and who measures listens so."""

import asyncio
import socket
from collections.abc import Callable
from typing import Self

HOST = "127.0.0.1"
ROOM = "#ops"
PATIENCE = 60.0
"""How long coming in may take, in seconds."""

Hear = Callable[[str, str, str, str], None]
"""Called with each line: whose it is, its command, the first of its parameters, and all the others."""


class RawIrc(asyncio.Protocol):
    """A connection."""

    def __init__(self, nick: str, hear: Hear) -> None:
        self.nick = nick
        self._hear = hear
        self._rest = b""
        loop = asyncio.get_running_loop()
        self._let_in: asyncio.Future[None] = loop.create_future()
        self._joined: asyncio.Future[None] = loop.create_future()

    @classmethod
    async def enter(cls, port: int, nick: str, hear: Hear = lambda *_: None) -> Self:
        """Come in, and join the room."""
        loop = asyncio.get_running_loop()
        _, found = await loop.create_connection(lambda: cls(nick, hear), HOST, port)
        async with asyncio.timeout(PATIENCE):
            await found.come_in()
        return found

    async def come_in(self) -> None:
        self.send(f"NICK {self.nick}\r\nUSER {self.nick} 0 * :{self.nick}")
        await self._let_in
        self.send(f"JOIN {ROOM}")
        await self._joined

    def say(self, target: str, text: str) -> None:
        self.send(f"PRIVMSG {target} :{text}")

    def send(self, line: str) -> None:
        self._transport.write(f"{line}\r\n".encode())

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (a connection's is one)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        # A server that has more to say waits until this is confirmed; the system alone would take 40 ms for it.
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.decode(errors="replace").rstrip("\r"))

    def _take(self, line: str) -> None:
        source = ""
        if line.startswith(":"):
            source, _, line = line[1:].partition(" ")
        command, _, line = line.partition(" ")
        first, _, rest = line.partition(" ")
        if command == "PING":
            self.send(f"PONG {line}")
        elif command in ("376", "422") and not self._let_in.done():
            self._let_in.set_result(None)
        elif command == "366" and not self._joined.done():
            self._joined.set_result(None)
        self._hear(source.partition("!")[0], command, first.removeprefix(":"), rest.removeprefix(":"))
