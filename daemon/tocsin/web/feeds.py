"""Feeds over HTTP: whoever has an address that we signed may fetch what stands there (GET, HEAD), and do nothing else."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

from aiohttp import web

from tocsin.core import Tocsin
from tocsin.domain.pace import Pace
from tocsin.domain.signing import unsigned
from tocsin.errors import StoreUnavailable
from tocsin.feeds import Feed, FeedsByPath
from tocsin.web.pages import page, put_off

log = logging.getLogger(__name__)

LONGEST_TOKEN = 512

MOST_AT_ONCE = 32
BURST = 100
EVERY = timedelta(seconds=0.1)
"""So often they are fetched, all together: programs come once in some minutes."""

COME_AGAIN = timedelta(minutes=1)

_NOTHING = "there is nothing here"

_HEADERS = {
    "Server": "tocsin",
    "Cache-Control": "private, no-cache",  # kept by who fetched it, and asked for by its tag each time
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


class Feeds:
    """Answers at `/PATH/TEXT.SIGNATURE`."""

    def __init__(self, tocsin: Tocsin) -> None:
        self._tocsin = tocsin
        self._under_way = 0
        self._writing = asyncio.Semaphore()  # one at a time, so that threads are left for what is posted
        self._pace = Pace(BURST, EVERY, lambda: tocsin.clock.boot().total_seconds())

    def __contains__(self, path: object) -> bool:
        return path in self._tocsin.rules.of(FeedsByPath)

    async def answer(
        self, path: str, token: str, request: web.BaseRequest, warn: Callable[..., None]
    ) -> web.Response:
        """Give what stands there. A stranger learns nothing, and costs nothing but the look at a signature."""
        if request.method not in ("GET", "HEAD"):
            return _said(405, "fetch it with GET")
        feed, key = self._tocsin.rules.of(FeedsByPath)[path], self._tocsin.setup.key
        bare = token.removesuffix(feed.ending)
        text = unsigned(key, path, bare) if key and len(token) <= LONGEST_TOKEN else None
        if text is None:
            warn("a feed that is none of ours is tried from %s", request.remote)
            return _said(404, _NOTHING)
        return await self._give(feed, text, request, warn)

    async def _give(
        self, feed: Feed, text: str, request: web.BaseRequest, warn: Callable[..., None]
    ) -> web.Response:
        if self._under_way >= MOST_AT_ONCE or self._pace.wait():
            warn("a feed is put off for %s: too many at once", request.remote)
            return put_off(429, "too much at once: come again", COME_AGAIN)
        self._pace.spend()
        self._under_way += 1
        try:
            found = await self._tocsin.turn(lambda tx: feed.find(text, tx))
            if found is None:
                return _said(404, _NOTHING)
            async with self._writing:
                body = await asyncio.to_thread(feed.write, found)
        except StoreUnavailable:
            return put_off(503, "that can't be looked up now: come again", COME_AGAIN)
        except Exception:
            log.exception("a feed of /%s failed", feed.path)
            return put_off(503, "that failed: see Tocsin's log", COME_AGAIN)
        finally:
            self._under_way -= 1
        return _given(body, feed.type, request)


def _given(body: bytes, kind: str, request: web.BaseRequest) -> web.Response:
    """The body, or that it is as it was."""
    tag = sha256(body).hexdigest()[:32]
    headers = {**_HEADERS, "ETag": f'"{tag}"'}
    known = request.if_none_match
    if known is not None and any(each.value in (tag, "*") for each in known):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)


def _said(status: int, text: str) -> web.Response:
    return page(status, text, plain=True)
