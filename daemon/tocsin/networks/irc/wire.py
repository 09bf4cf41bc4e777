"""Where the `irc` package ends: it connects and takes lines apart, and decides nothing.

Left to itself it closes the connection on one odd line, sends into links that are gone, lets line ends through and
knows no SASL on asyncio, so each of its ways in and out is replaced here.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from irc.client import NickMask
from irc.client_aio import AioConnection, AioReactor, IrcProtocol
from irc.connection import AioFactory
from jaraco.stream.buffer import LenientDecodingLineBuffer

NEXT_ADDRESS_AFTER = 0.25
"""A server may have several addresses: the next one is tried beside those that keep silent for so many seconds."""

LONGEST_UNFINISHED = 65536
"""How many bytes without a line end are kept."""


@dataclass(frozen=True)
class Heard:
    """A line from the server.

    sender: a nick or a server. host: the nick's `user@host`. command: a number or a word in capitals.
    """

    sender: str
    host: str
    command: str
    words: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def word(self, place: int) -> str:
        """One of its words; empty if it has not so many."""
        return self.words[place] if len(self.words) > place else ""

    @property
    def last(self) -> str:
        return self.words[-1] if self.words else ""


class _Buffer(LenientDecodingLineBuffer):  # type: ignore[misc] # the package has no types
    """UTF-8, else Latin-1, since anybody may send anything."""

    def feed(self, data: bytes) -> None:
        super().feed(data)
        if len(self.buffer) > LONGEST_UNFINISHED and b"\n" not in self.buffer:
            self.buffer: bytes = b""


class _Protocol(IrcProtocol):  # type: ignore[misc] # likewise
    def connection_lost(self, error: Exception | None) -> None:
        self.connection.lost(error)


class _Features:
    """The package would stumble over what some servers say of themselves, and lose all of the line."""

    def load(self, arguments: list[str]) -> None:
        """Leave that to whom it concerns."""


class Wire(AioConnection):  # type: ignore[misc] # likewise
    """A connection that hands out each line as text, takes them apart when asked to, and says when it has ended."""

    buffer: Any
    buffer_class = _Buffer
    protocol_class = _Protocol

    def __init__(self, on_line: Callable[[str], None], on_lost: Callable[[str], None]) -> None:
        """on_lost: called once, with why."""
        super().__init__(AioReactor(loop=asyncio.get_running_loop()))
        self.features = _Features()
        self._on_line = on_line
        self._on_lost = on_lost
        self._parsed: Heard
        self.transport: asyncio.Transport | None = None

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Connect, and say nothing yet. Raises OSError."""
        self.buffer = self.buffer_class()
        self.handlers: dict[str, Any] = {}
        self.real_nickname = self.real_server_name = ""
        secured = {"ssl": tls, "server_hostname": host} if tls else {}
        factory = AioFactory(**secured, happy_eyeballs_delay=NEXT_ADDRESS_AFTER)
        self.protocol = self.protocol_class(self, self.reactor.loop)
        self.transport, _ = await factory(self.protocol, (host, port))

    def send_raw(self, text: str) -> None:
        """Send a line. Raises ConnectionError if nobody is there."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionError("the link is gone")
        self.transport.write(f"{text}\r\n".encode())

    def process_data(self, data: bytes) -> None:
        self.buffer.feed(data)
        for text in self.buffer:
            if text:
                self._on_line(text)

    def parse(self, text: str) -> Heard:
        """Take a line apart. Raises anything for an odd one."""
        self._process_line(text)
        return self._parsed

    def _handle_message(self, arguments: list[str], command: Any, source: Any, tags: Any) -> None:
        self._handle_other(arguments, command, source, tags)

    def _handle_other(self, arguments: list[str], command: Any, source: Any, tags: Any) -> None:
        sender = NickMask(source or "")
        self._parsed = Heard(
            sender.nick,
            sender.userhost or "",
            command.code.upper(),
            tuple(arguments),
            {tag["key"]: tag["value"] or "" for tag in tags or ()},
        )

    def lost(self, error: Exception | None) -> None:
        """Nothing can be said or heard any more."""
        self._on_lost(f"the link was lost: {error}" if error else "the server closed the link")

    def close(self) -> None:
        """Hang up, once what was written is sent."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        if self.transport is not None:
            self.transport.abort()
