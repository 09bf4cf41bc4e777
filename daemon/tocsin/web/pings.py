"""Pings over HTTP: what is answered with 200 is kept."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from aiohttp import web

from tocsin.core import Tocsin
from tocsin.domain.pace import Pace
from tocsin.errors import BadPayload, StoreUnavailable
from tocsin.pings import Ping, PingsByPath
from tocsin.web.pages import page, put_off

if TYPE_CHECKING:
    from tocsin.web.connections import Connection

log = logging.getLogger(__name__)

LONGEST_KEY = 512
READ_OF_BODY = 10_000
"""So much of what is sent along is read, in bytes; the rest is left."""

BODY_WITHIN = timedelta(seconds=10)
MOST_AT_ONCE = 256
BURST = 1000
EVERY = timedelta(seconds=0.02)
"""So often they are taken, all together: at the full hour all jobs of a site begin."""

COME_AGAIN = timedelta(seconds=10)


class Pings:
    """Answers at `/PATH/KEY[/WORD]`."""

    def __init__(self, tocsin: Tocsin) -> None:
        self._tocsin = tocsin
        self._under_way = 0
        self._pace = Pace(BURST, EVERY, lambda: tocsin.clock.boot().total_seconds())

    def __contains__(self, path: object) -> bool:
        return path in self._tocsin.rules.of(PingsByPath)

    async def answer(
        self, path: str, key: str, word: str, request: web.BaseRequest, warn: Callable[..., None]
    ) -> web.Response:
        """Take a ping. A stranger learns nothing, and costs nothing but the look at a key."""
        if request.method not in ("GET", "HEAD", "POST"):
            return _said(405, "ping with GET, HEAD or POST")
        ping = self._tocsin.rules.of(PingsByPath)[path]
        whose = ping.find(key) if len(key) <= LONGEST_KEY else None
        if whose is None:
            warn("a ping with a key that is none of ours comes from %s", request.remote)
            return _said(404, "there is nothing here")
        if self._under_way >= MOST_AT_ONCE or self._pace.wait():
            warn("a ping of %s is put off: too many at once", whose)
            return put_off(429, "too much at once: ping again", COME_AGAIN)
        self._pace.spend()
        self._under_way += 1
        connection = cast("Connection", request.protocol)
        connection.begin_post()
        try:
            return await self._take(ping, whose, word, request)
        finally:
            self._under_way -= 1
            connection.end_post()

    async def _take(self, ping: Ping, whose: str, word: str, request: web.BaseRequest) -> web.Response:
        try:
            sent = await _read(request)
            await self._tocsin.turn(lambda tx: ping.take(whose, word, sent, tx))
        except BadPayload as error:
            return _said(400, str(error))
        except StoreUnavailable:
            return put_off(503, "that can't be kept now: ping again", COME_AGAIN)
        except (web.RequestPayloadError, ConnectionError, TimeoutError):
            return _said(400, "the body broke off")
        except Exception:
            log.exception("a ping of %s failed", whose)
            return put_off(503, "that failed: see Tocsin's log", COME_AGAIN)
        return _said(200, "OK")


async def _read(request: web.BaseRequest) -> str:
    """What is sent along, as far as it is read."""
    sent = bytearray()
    async with asyncio.timeout(BODY_WITHIN.total_seconds()):
        async for chunk in request.content.iter_any():
            sent += chunk
            if len(sent) >= READ_OF_BODY:
                break
    return bytes(sent[:READ_OF_BODY]).decode(errors="replace")


def _said(status: int, text: str) -> web.Response:
    return page(status, text, plain=True)
