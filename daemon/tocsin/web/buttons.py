"""Buttons over HTTP: whoever has an address that we signed may look at it (GET), which does nothing, and press it (POST)."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from aiohttp import web

from tocsin.buttons import ButtonsByPath, ask, press
from tocsin.core import Tocsin
from tocsin.domain.pace import Pace
from tocsin.domain.signing import unsigned
from tocsin.errors import StoreUnavailable
from tocsin.hearing import Commands
from tocsin.web.pages import page

log = logging.getLogger(__name__)

LONGEST_TOKEN = 512
LARGEST_PRESS = 4 * 1024
"""What is sent along with a press, such as a phone's own form, is not even read."""

MOST_AT_ONCE = 32
BURST = 100
EVERY = timedelta(seconds=0.1)
"""So often buttons are looked at and pressed, all together: nobody has so many fingers."""


class Buttons:
    """Answers at `/PATH/TEXT.SIGNATURE`."""

    def __init__(self, tocsin: Tocsin, commands: Commands) -> None:
        self._tocsin = tocsin
        self._commands = commands
        self._under_way = 0
        self._pace = Pace(BURST, EVERY, lambda: tocsin.clock.boot().total_seconds())

    def __contains__(self, path: object) -> bool:
        return path in self._tocsin.rules.of(ButtonsByPath)

    async def answer(
        self, path: str, token: str, request: web.BaseRequest, warn: Callable[..., None]
    ) -> web.Response:
        """Show or press a button. A stranger learns nothing, and costs nothing but the look at a signature."""
        say = partial(page, plain="text/html" not in request.headers.get("Accept", ""))
        if request.method not in ("GET", "HEAD", "POST"):
            return say(405, "look at it with GET, press it with POST")
        key = self._tocsin.setup.key
        text = unsigned(key, path, token) if key and len(token) <= LONGEST_TOKEN else None
        if text is None:
            warn("a button that is none of ours is tried from %s", request.remote)
            return say(404, "there is no such button")
        if (request.content_length or 0) > LARGEST_PRESS:
            return say(413, "a press needs nothing beside the address")
        return await self._take(path, text, request, say, warn)

    async def _take(
        self,
        path: str,
        text: str,
        request: web.BaseRequest,
        say: Callable[..., web.Response],
        warn: Callable[..., None],
    ) -> web.Response:
        if self._under_way >= MOST_AT_ONCE or self._pace.wait():
            warn("a press of a button from %s is put off: too many at once", request.remote)
            return say(429, "too much at once: press it again in some seconds")
        self._pace.spend()
        self._under_way += 1
        pressed = request.method == "POST"
        try:
            if pressed:
                found = await self._tocsin.turn(lambda tx: press(path, text, self._commands, tx))
            else:
                found = await self._tocsin.turn(lambda tx: ask(path, text, tx))
        except StoreUnavailable:
            return say(503, "that could not be kept, and nothing was done: press it again, or use chat")
        except Exception:
            log.exception("a button of /%s failed", path)
            return say(503, "that failed, and nothing was done: use chat")
        finally:
            self._under_way -= 1
        return say(200 if found.good else 409, found.text, button=found.good and not pressed)
