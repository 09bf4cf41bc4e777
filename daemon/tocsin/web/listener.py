"""The listener: alerts are posted to it. What it answers with 202 is kept, whatever happens next."""

import asyncio
import logging
import math
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, cast

from aiohttp import web

from tocsin.config import Address
from tocsin.core import Tocsin
from tocsin.domain.message import Message, clean
from tocsin.domain.words import did_you_mean, listed
from tocsin.engine import Engine
from tocsin.errors import BadPayload, StoreUnavailable
from tocsin.intake import Intake, Read, Routes
from tocsin.meters import Meters
from tocsin.transaction import Transaction
from tocsin.web.buttons import Buttons
from tocsin.web.connections import Connection, Quiet
from tocsin.web.feeds import Feeds
from tocsin.web.limits import Limit, Shares
from tocsin.web.metrics import Metrics
from tocsin.web.pings import Pings
from tocsin.web.proofs import Proofs

log = logging.getLogger(__name__)

LARGEST_BODY = 8 * 2**20
LARGE_BODY = 32 * 2**10
KEPT_OF_LARGER = 64 * 2**10
BODY_WITHIN = timedelta(seconds=10)
"""How long a body may take to arrive: as long as Alertmanager waits for an answer."""

MOST_AT_ONCE = 256
MOST_BYTES = 8 * LARGEST_BODY
"""So many posts, of so many bytes together, are taken at once; what is more is asked to come again."""

OWN_AT_ONCE = 32
OWN_BYTES = LARGEST_BODY
"""So many more are taken of each receiver whatever the others send."""

COME_AGAIN = timedelta(seconds=5)
LOOK_EVERY = timedelta(seconds=1)
LISTEN_AGAIN = timedelta(seconds=5)
BACKLOG = 1024
"""So many connections the kernel keeps that were not taken yet, as many as it is allowed to."""

LAST_WITHIN = timedelta(seconds=2)
"""How long the listener waits, once it takes no connection any more, for what is sent over those that it has taken."""

LAST_LOOK = timedelta(seconds=0.1)
"""How often it looks then whether all was sent."""

LEAVE_WITHIN = timedelta(seconds=5)
"""How long what is being answered may take when the listener ends."""

LOG_EVERY = timedelta(seconds=10)


class Web:
    """Takes posts to `/hooks/PLUGIN[/PATH]/RECEIVER`, lets buttons be pressed, feeds be fetched and others ping, says at
    `/healthz` whether the engine turns, and at `/metrics` all that is measured.

    address: where it listens; empty as long as it does not.
    """

    def __init__(
        self,
        tocsin: Tocsin,
        intake: Intake,
        signed: Sequence[Buttons | Feeds],
        pings: Pings,
        engine: Engine,
        *,
        meters: Meters,
        passed: Sequence[socket.socket] = (),
    ) -> None:
        """signed: who answers at addresses that we signed. passed: what to listen on, whatever the configuration says."""
        self._meters = meters
        self._metrics = Metrics(tocsin, meters.registry)
        self._signed = signed
        self._pings = pings
        self._tocsin = tocsin
        self._intake = intake
        self._engine = engine
        self._passed = passed
        self._posts = Shares(MOST_AT_ONCE, OWN_AT_ONCE)
        self._bytes = Shares(MOST_BYTES, OWN_BYTES)
        self._limits = dict[str, Limit]()
        self._tick = asyncio.Event()
        self._logged = timedelta(0)
        self.address = ""

    async def run(self) -> None:
        """Listen until cancelled."""
        manager, quiet = web.Server(self._answer), Quiet()
        servers = await self._listen(lambda: Connection(manager, quiet, _said, self._log))
        self._tocsin.clock.every("limits", LOOK_EVERY, self._tick.set)
        try:
            await self._tell_of_limits()
        finally:
            self.address = ""
            await self._take_the_last(servers, manager)
            manager.pre_shutdown()
            await manager.shutdown(LEAVE_WITHIN.total_seconds())

    async def _take_the_last(self, servers: Sequence[asyncio.Server], manager: web.Server) -> None:
        """Take no connection any more, but what is sent over those that were taken: their senders would be refused."""
        for server in servers:
            for one in server.sockets:
                asyncio.get_running_loop().remove_reader(one.fileno())
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WITHIN.total_seconds()):
                await asyncio.sleep(LAST_LOOK.total_seconds())
                while any(cast("Connection", one).awaited for one in manager.connections):  # noqa: ASYNC110 (nothing tells of it)
                    await asyncio.sleep(LAST_LOOK.total_seconds())
        for server in servers:
            server.close()  # only now: what was taken in the same moment would have been thrown away by it

    async def _listen(self, connected: Callable[[], asyncio.Protocol]) -> Sequence[asyncio.Server]:
        """Begin to listen, however often that takes: what rings already must ring on meanwhile."""
        loop, wanted = asyncio.get_running_loop(), self._tocsin.config.web.listen
        if self._passed:
            servers = [await loop.create_server(connected, sock=one, backlog=BACKLOG) for one in self._passed]
            self.address = listed(map(_address, servers))
            other = "" if self.address == str(wanted) else f"; web.listen ({wanted}) does not count"
            log.info("listening on %s, as systemd says%s", self.address, other)
            return servers
        told = False
        while (server := await _try_to_listen(connected, wanted)) is None:
            if not told:
                await self._tell(
                    f"can't listen on {wanted}: no alert can come in. It is tried on; see the log."
                )
                told = True
            await asyncio.sleep(LISTEN_AGAIN.total_seconds())
        self.address = _address(server)
        log.info("listening on %s", self.address)
        if told:
            await self._tell(f"listening on {self.address}: alerts can come in")
        return [server]

    async def _tell(self, text: str) -> None:
        await self._tocsin.must(lambda tx: tx.tell(text))

    async def _tell_of_limits(self) -> None:
        """Tell people who posts more than they may, past all that it posted, and when that is over."""

        def page(text: str, tx: Transaction) -> None:
            for room in tx.default_rooms():
                tx.page(room, Message(text), about="")

        while True:
            await self._tick.wait()
            self._tick.clear()
            for limit in list(self._limits.values()):
                if text := limit.begins():
                    log.warning(text)
                    await self._tocsin.must(partial(page, text))
                elif text := limit.ends():
                    log.info(text)
                    await self._tell(text)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        cast("Connection", request.protocol).head_is_here()
        match request.path.split("/")[1:], request.method:
            case ["healthz"], "GET" | "HEAD":
                answer = await self._health()
            case ["metrics"], "GET" | "HEAD":
                answer = await self._metrics.answer(request)
            case ["hooks", plugin, *path, receiver], "POST" if len(path) <= 1:
                answer = await self._post("/".join([plugin, *path]), receiver, request)
                self._meters.posted(receiver, answer.status)
            case ["healthz" | "metrics"] | ["hooks", _, _] | ["hooks", _, _, _], _:
                answer = _said(
                    405, "alerts are posted to /hooks/PLUGIN/RECEIVER; /healthz and /metrics are for GET"
                )
            case [path, key, *word], _ if path in self._pings and len(word) <= 1:
                answer = await self._pings.answer(path, key, "".join(word), request, self._log)
            case [path, token], _ if part := next((one for one in self._signed if path in one), None):
                answer = await part.answer(path, token, request, self._log)
            case _:
                answer = _said(404, "there is /hooks/PLUGIN/RECEIVER, to post to, and /healthz")
        return answer

    async def _post(self, key: str, receiver: str, request: web.BaseRequest) -> web.Response:
        if objection := self._objection(key, receiver, request):
            return objection
        connection = cast("Connection", request.protocol)
        connection.begin_post()
        try:
            return await self._take(key, receiver, request)
        except StoreUnavailable as error:
            self._log("a post from %s is put off: %s", receiver, error)
            return _put_off(f"{error}: send it again")
        except Exception:
            log.exception("a post from %s failed", receiver)
            return _put_off("that failed: see Tocsin's log")
        finally:
            self._posts.give_back(receiver)
            connection.end_post()

    def _objection(self, key: str, receiver: str, request: web.BaseRequest) -> web.Response | None:
        """Why a post is not even read, if so; a stranger learns nothing but that he is one. Else it has its share."""
        proofs, routes = self._tocsin.rules.of(Proofs), self._tocsin.rules.of(Routes)
        if not proofs.holds(receiver, request.headers.get("Authorization", "")):
            self._log(
                "a post to %s from %s is refused: no token, or a wrong one",
                proofs.shown(request.path),
                request.remote,
            )
            answer = _said(
                401,
                "the token is missing or wrong: send 'Authorization: Bearer TOKEN' with this receiver's own",
            )
            answer.headers["WWW-Authenticate"] = "Bearer, Basic"
            return answer
        if key not in routes:
            there = listed(f"/hooks/{route}/{receiver}" for route in routes) or "no plugin that takes any"
            self._log("a post from %s is refused: nothing takes posts at %s", receiver, request.path)
            return _said(404, f"nothing takes posts here{did_you_mean(key, routes)}; there is {there}")
        if request.headers.get("Content-Encoding", "identity") != "identity":
            return _said(415, "send the body as it is, without a Content-Encoding")
        limit = self._limit(receiver)
        if not limit.lets_in():
            self._tick.set()
            return _put_off("this receiver posts more than it may: send it again", limit.wait())
        if not self._posts.take(receiver):
            self._log("a post from %s is put off: too many are being taken", receiver)
            return _put_off("too much at once: send it again")
        return None

    def _limit(self, receiver: str) -> Limit:
        """How much it may post, as it is configured now."""
        allowed = self._tocsin.config.receivers[receiver].limit
        limit = self._limits.get(receiver)
        if limit is None:
            clock = self._tocsin.clock
            limit = Limit(receiver, allowed, lambda: clock.boot().total_seconds())
            self._limits[receiver] = limit
        limit.allow(allowed)
        return limit

    async def _take(self, key: str, receiver: str, request: web.BaseRequest) -> web.Response:
        body = bytearray()
        counted = 0
        try:
            async with asyncio.timeout(BODY_WITHIN.total_seconds()):
                async for chunk in request.content.iter_any():
                    if not self._bytes.take(receiver, len(chunk)):
                        self._log("a post from %s is put off: too much is being taken", receiver)
                        return _put_off("too much at once: send it again")
                    counted += len(chunk)
                    body += chunk
                    if len(body) > LARGEST_BODY:
                        break
            return await self._keep(key, receiver, bytes(body))
        except TimeoutError:
            self._log("a post from %s is refused: its body was not here within %s", receiver, BODY_WITHIN)
            return _said(408, f"the body was not here within {BODY_WITHIN.seconds} s")
        except (web.RequestPayloadError, ConnectionError) as error:
            self._log("a post from %s broke off: %s", receiver, type(error).__name__)
            return _said(400, "the body broke off")
        finally:
            self._bytes.give_back(receiver, counted)
            self._limits[receiver].read(counted)

    async def _keep(self, key: str, receiver: str, body: bytes) -> web.Response:
        if len(body) > LARGEST_BODY:
            why = f"it is larger than {LARGEST_BODY // 2**20} MiB"
            await self._intake.refuse(key, receiver, body[:KEPT_OF_LARGER], why)
            return _said(413, why)
        read = None
        try:
            read = Read(len(body), await self._read(key, receiver, body))
        except BadPayload as error:
            await self._intake.refuse(key, receiver, body, str(error))
            return _said(400, str(error))
        except Exception as error:  # noqa: BLE001 (taken in from the store it fails again, and people are told)
            self._log("what %s posted stumbles its reader: %s", receiver, type(error).__name__)
        await self._intake.keep(key, receiver, body, read)
        return _said(202, "accepted")

    async def _read(self, key: str, receiver: str, body: bytes) -> Any:
        """What the plugin reads in a body; a large one must not hold up the event loop."""
        parse = self._tocsin.rules.of(Routes)[key].parse
        if len(body) > LARGE_BODY:
            return await asyncio.to_thread(parse, receiver, body)
        return parse(receiver, body)

    def _log(self, text: str, *values: object) -> None:
        """Warn, but not more than now and then: who can post at all can post a lot."""
        now = self._tocsin.clock.boot()
        if not self._logged or now - self._logged >= LOG_EVERY:
            self._logged = now
            log.warning(text, *(clean(str(value), 200) for value in values))

    async def _health(self) -> web.Response:
        hangs = await self._engine.hangs()
        return _put_off(hangs) if hangs else _said(200, "ok")


def _address(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return str(Address(host, port))


async def _try_to_listen(connected: Callable[[], asyncio.Protocol], wanted: Address) -> asyncio.Server | None:
    try:
        return await asyncio.get_running_loop().create_server(
            connected, wanted.host, wanted.port, backlog=BACKLOG
        )
    except OSError as error:
        log.error("can't listen on %s: %s", wanted, error.strerror)  # noqa: TRY400 (no traceback helps)
        return None


def _said(status: int, text: str) -> web.Response:
    # With a Server header of its own aiohttp tells no version.
    return web.Response(status=status, text=f"{text}\n", headers={"Server": "tocsin"})


def _put_off(why: str, wait: float = 0) -> web.Response:
    answer = _said(503, why)
    answer.headers["Retry-After"] = str(max(COME_AGAIN.seconds, math.ceil(wait)))
    return answer
