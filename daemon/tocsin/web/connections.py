"""The connections that are open: how many may say nothing, how long a head may take, what is said to no HTTP."""

import asyncio
import ipaddress
from collections.abc import Callable
from datetime import timedelta

from aiohttp import web

MOST_QUIET = 512
"""Over so many connections nothing is posted at a time; with more, the one that is quiet for longest is closed."""

IDLE_FOR = timedelta(seconds=60)
HEAD_WITHIN = timedelta(seconds=10)
LINGER_FOR = timedelta(seconds=2)
"""How long a body is thrown away that is not wanted, so that its sender gets to read why."""

MOST_HEADERS = 64


class Quiet:
    """The connections over which nothing is posted just now, by where they come from, the longest quiet first."""

    def __init__(self) -> None:
        """None is open."""
        self._by_source: dict[str, dict[Connection, None]] = {}
        self._number = 0

    def add(self, connection: "Connection") -> None:
        """It is quiet from now on; if those are too many by that, one of the source that has most is closed."""
        self._by_source.setdefault(connection.source, {})[connection] = None
        self._number += 1
        if self._number > MOST_QUIET:
            most = max(self._by_source, key=lambda source: len(self._by_source[source]))
            oldest = next(iter(self._by_source[most]))
            self.remove(oldest)
            oldest.give_way()

    def remove(self, connection: "Connection") -> None:
        """It is quiet no more, or no more there."""
        same = self._by_source.get(connection.source, {})
        if connection in same:
            del same[connection]
            self._number -= 1
            if not same:
                del self._by_source[connection.source]


class Connection(web.RequestHandler):
    """One of aiohttp's, whose head must be here in time; what is no HTTP is neither logged nor echoed.

    source: the address that it comes from.
    """

    def __init__(
        self,
        manager: web.Server,
        quiet: Quiet,
        refused: Callable[[int, str], web.Response],
        log: Callable[..., None],
    ) -> None:
        """refused: makes an answer."""
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # no log at all, as its own runner says it
            auto_decompress=False,
            keepalive_timeout=IDLE_FOR.total_seconds(),
            lingering_time=LINGER_FOR.total_seconds(),
            max_headers=MOST_HEADERS,
        )
        self.source = ""
        self._quiet = quiet
        self._refused = refused
        self._log = log
        self._posts = False
        self._head_due: float | None = None
        self._look_again: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.source = _source(transport.get_extra_info("peername"))
        self._quiet.add(self)
        self._await_head()
        self._look()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._quiet.remove(self)
        if self._look_again is not None:
            self._look_again.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head_due is None and not self._posts:
            self._await_head()
        super().data_received(data)

    @property
    def awaited(self) -> bool:
        """Whether a request is to come or to be read still."""
        return self._head_due is not None or self._posts

    def head_is_here(self) -> None:
        """The head of a request was read."""
        self._head_due = None

    def begin_post(self) -> None:
        """Something is posted by who may."""
        self._posts = True
        self._quiet.remove(self)

    def end_post(self) -> None:
        """What was posted is about to be answered."""
        self._posts = False
        if self.transport is not None:
            self._quiet.add(self)

    def give_way(self) -> None:
        """Another one is to have its place."""
        self._log(
            "more than %s connections are open and quiet: one from %s is closed", MOST_QUIET, self.source
        )
        self.force_close()

    def _await_head(self) -> None:
        self._head_due = asyncio.get_running_loop().time() + HEAD_WITHIN.total_seconds()

    def _look(self) -> None:
        """Look when a head may be late, so that one that isn't costs no timer of its own."""
        loop = asyncio.get_running_loop()
        due = self._head_due
        if due is not None and due <= loop.time():
            self._log(
                "a connection from %s is closed: it brought no whole request in %s", self.source, HEAD_WITHIN
            )
            self.force_close()
        else:
            later = due or loop.time() + HEAD_WITHIN.total_seconds()
            self._look_again = loop.call_at(later, self._look)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 (it quotes the request)
    ) -> web.StreamResponse:
        self._log("a request from %s can't be read: %s", request.remote, type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        answer = self._refused(status, "this is no HTTP request that can be read")
        answer.force_close()
        return answer


def _source(peer: object) -> str:
    """Where a connection comes from: of IPv6, the network that one sender is given as a whole."""
    host = str(peer[0]) if isinstance(peer, tuple) else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = getattr(address, "ipv4_mapped", None)
    if address.version == 4 or mapped:
        return str(mapped or address)
    return str(ipaddress.ip_network((address, 64), strict=False))
