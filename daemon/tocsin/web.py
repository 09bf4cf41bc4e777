"""The listener: alerts are posted to it. What it answers with 202 is kept, whatever happens next."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from aiohttp import web

from tocsin.config import Address
from tocsin.core import Nudge, Tocsin
from tocsin.domain.message import clean
from tocsin.domain.words import did_you_mean, listed
from tocsin.errors import BadPayload, StoreUnavailable
from tocsin.intake import Intake, Route

log = logging.getLogger(__name__)

LARGEST_BODY = 8 * 2**20
LARGE_BODY = 32 * 2**10
KEPT_OF_LARGER = 64 * 2**10
BODY_WITHIN = timedelta(seconds=10)
"""How long a body may take to arrive: as long as Alertmanager waits for an answer."""

MOST_AT_ONCE = 256
MOST_BYTES = 8 * LARGEST_BODY
"""So many posts, of so many bytes together, are taken at once; what is more is asked to come again."""

COME_AGAIN = timedelta(seconds=5)
IDLE_FOR = timedelta(seconds=60)
LISTEN_AGAIN = timedelta(seconds=5)
CYCLE_WITHIN = timedelta(seconds=5)
"""A whole cycle of a healthy engine takes less."""

LOG_EVERY = timedelta(seconds=10)


class Web:
    """Takes posts to `/hooks/PLUGIN[/PATH]/RECEIVER`, and says at `/healthz` whether the engine turns.

    address: where it listens; empty as long as it does not.
    """

    def __init__(
        self, tocsin: Tocsin, intake: Intake, routes: Mapping[str, Route], nudges: Sequence[Nudge]
    ) -> None:
        """Read the receivers' secrets. routes: by `PLUGIN` or `PLUGIN/PATH`. nudges: of the parts that cycle."""
        self._tocsin = tocsin
        self._intake = intake
        self._routes = routes
        self._nudges = nudges
        self._wanted = {name: _wanted(receiver) for name, receiver in tocsin.config.receivers.items()}
        self._nobodys = ("bearer", _digest(secrets.token_bytes()))
        self._posts = 0
        self._bytes = 0
        self._logged = timedelta(0)
        self._cycle: asyncio.Task[str] | None = None
        self.address = ""

    async def run(self) -> None:
        """Listen until cancelled."""
        loop = asyncio.get_running_loop()
        manager = web.Server(self._answer)
        server = await self._listen(lambda: _Connection(manager, self._log, loop))
        try:
            await asyncio.Event().wait()
        finally:
            self.address = ""
            server.close()
            manager.pre_shutdown()
            await manager.shutdown(CYCLE_WITHIN.total_seconds())

    async def _listen(self, connected: Callable[[], asyncio.Protocol]) -> asyncio.Server:
        """Begin to listen, however often that takes: what rings already must ring on meanwhile."""
        wanted = self._tocsin.config.web.listen
        told = False
        while (server := await _try_to_listen(connected, wanted)) is None:
            if not told:
                await self._tell(
                    f"can't listen on {wanted}: no alert can come in. It is tried on; see the log."
                )
                told = True
            await asyncio.sleep(LISTEN_AGAIN.total_seconds())
        host, port = server.sockets[0].getsockname()[:2]
        self.address = str(Address(host, port))
        log.info("listening on %s", self.address)
        if told:
            await self._tell(f"listening on {self.address}: alerts can come in")
        return server

    async def _tell(self, text: str) -> None:
        await self._tocsin.must(lambda tx: tx.tell(text))

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        match request.path.split("/")[1:], request.method:
            case ["healthz"], "GET" | "HEAD":
                return await self._health()
            case ["hooks", plugin, *path, receiver], "POST" if len(path) <= 1:
                return await self._post("/".join([plugin, *path]), receiver, request)
            case ["healthz"] | ["hooks", _, _] | ["hooks", _, _, _], _:
                return _said(405, "alerts are posted to /hooks/PLUGIN/RECEIVER; /healthz is for GET")
            case _:
                return _said(404, "there is /hooks/PLUGIN/RECEIVER, to post to, and /healthz")

    async def _post(self, key: str, receiver: str, request: web.BaseRequest) -> web.Response:
        if objection := self._objection(key, receiver, request):
            return objection
        self._posts += 1
        try:
            return await self._take(key, receiver, request)
        except StoreUnavailable as error:
            self._log("a post from %s is put off: %s", receiver, error)
            return _put_off(f"{error}: send it again")
        except Exception:
            log.exception("a post from %s failed", receiver)
            return _put_off("that failed: see Tocsin's log")
        finally:
            self._posts -= 1

    def _objection(self, key: str, receiver: str, request: web.BaseRequest) -> web.Response | None:
        """Why a post is not even read, if so; a stranger learns nothing but that he is one."""
        if not self._is_allowed(receiver, request.headers.get("Authorization", "")):
            self._log(
                "a post to %s from %s is refused: no token, or a wrong one",
                self._shown(request.path),
                request.remote,
            )
            answer = _said(
                401,
                "the token is missing or wrong: send 'Authorization: Bearer TOKEN' with this receiver's own",
            )
            answer.headers["WWW-Authenticate"] = "Bearer, Basic"
            return answer
        if key not in self._routes:
            there = (
                listed(f"/hooks/{route}/{receiver}" for route in self._routes) or "no plugin that takes any"
            )
            self._log("a post from %s is refused: nothing takes posts at %s", receiver, request.path)
            return _said(404, f"nothing takes posts here{did_you_mean(key, self._routes)}; there is {there}")
        if request.headers.get("Content-Encoding", "identity") != "identity":
            return _said(415, "send the body as it is, without a Content-Encoding")
        if self._posts >= MOST_AT_ONCE or self._bytes >= MOST_BYTES:
            self._log("a post from %s is put off: %s are being taken", receiver, self._posts)
            return _put_off("too much at once: send it again")
        return None

    async def _take(self, key: str, receiver: str, request: web.BaseRequest) -> web.Response:
        body = bytearray()
        counted = 0
        try:
            async with asyncio.timeout(BODY_WITHIN.total_seconds()):
                async for chunk in request.content.iter_any():
                    body += chunk
                    self._bytes += len(chunk)
                    counted += len(chunk)
                    if len(body) > LARGEST_BODY:
                        break
                    if self._bytes > max(MOST_BYTES, counted):
                        return _put_off("too much at once: send it again")
            return await self._keep(key, receiver, bytes(body))
        except TimeoutError:
            self._log("a post from %s is refused: its body was not here within %s", receiver, BODY_WITHIN)
            return _said(408, f"the body was not here within {BODY_WITHIN.seconds} s")
        except (web.RequestPayloadError, ConnectionError) as error:
            self._log("a post from %s broke off: %s", receiver, type(error).__name__)
            return _said(400, "the body broke off")
        finally:
            self._bytes -= counted

    async def _keep(self, key: str, receiver: str, body: bytes) -> web.Response:
        if len(body) > LARGEST_BODY:
            why = f"it is larger than {LARGEST_BODY // 2**20} MiB"
            await self._intake.refuse(key, receiver, body[:KEPT_OF_LARGER], why)
            return _said(413, why)
        try:
            await self._read(key, receiver, body)
        except BadPayload as error:
            await self._intake.refuse(key, receiver, body, str(error))
            return _said(400, str(error))
        except Exception as error:  # noqa: BLE001 (taken in from the store it fails again, and people are told)
            self._log("what %s posted stumbles its reader: %s", receiver, type(error).__name__)
        await self._intake.keep(key, receiver, body)
        return _said(202, "accepted")

    async def _read(self, key: str, receiver: str, body: bytes) -> None:
        """Whether the plugin can read a body; a large one must not hold up the event loop."""
        parse = self._routes[key].parse
        if len(body) > LARGE_BODY:
            await asyncio.to_thread(parse, receiver, body)
        else:
            parse(receiver, body)

    def _is_allowed(self, receiver: str, header: str) -> bool:
        """Whether the header proves that the receiver posts; takes as long for a receiver that there is not."""
        scheme, wanted = self._wanted.get(receiver, self._nobodys)
        said, _, text = header.partition(" ")
        given = text.strip().encode(errors="surrogateescape")
        if scheme == "basic":
            try:
                given = base64.b64decode(given, validate=True)
            except binascii.Error:
                given = b""
        same = hmac.compare_digest(_digest(given), wanted)
        return same and said.lower() == scheme

    def _shown(self, path: str) -> str:
        """A path without a token, which does not belong there."""
        secret = {digest for _, digest in self._wanted.values()}
        return "/".join(
            "…" if _digest(part.encode(errors="surrogateescape")) in secret else part
            for part in path.split("/")
        )

    def _log(self, text: str, *values: object) -> None:
        """Warn, but not more than now and then: who can post at all can post a lot."""
        now = self._tocsin.clock.boot()
        if not self._logged or now - self._logged >= LOG_EVERY:
            self._logged = now
            log.warning(text, *(clean(str(value), 200) for value in values))

    async def _health(self) -> web.Response:
        """One cycle answers all who ask meanwhile."""
        if self._cycle is None or self._cycle.done():
            self._cycle = asyncio.create_task(self._whole_cycle())
        hangs = await asyncio.shield(self._cycle)
        return _put_off(hangs) if hangs else _said(200, "ok")

    async def _whole_cycle(self) -> str:
        """Wait until each part has done all its work once more; what hangs, if that takes too long."""
        hangs = "the store takes nothing"
        try:
            async with asyncio.timeout(CYCLE_WITHIN.total_seconds()):
                await self._tocsin.keep_something()
                hangs = "timers or bodies are not looked at"
                for nudge in self._nudges:
                    await nudge.whole_pass()
        except (TimeoutError, StoreUnavailable):
            return hangs
        return ""


def _wanted(receiver: Any) -> tuple[str, bytes]:
    """How a receiver proves who it is: the scheme, and the digest of what it sends."""
    if receiver.token is not None:
        return "bearer", _digest(receiver.token.reveal().encode())
    return "basic", _digest(f"{receiver.user}:{receiver.password.reveal()}".encode())


def _digest(secret: bytes) -> bytes:
    """Of one length, so that comparing takes as long for any."""
    return hashlib.sha256(secret).digest()


async def _try_to_listen(connected: Callable[[], asyncio.Protocol], wanted: Address) -> asyncio.Server | None:
    try:
        return await asyncio.get_running_loop().create_server(connected, wanted.host, wanted.port)
    except OSError as error:
        log.error("can't listen on %s: %s", wanted, error.strerror)  # noqa: TRY400 (no traceback helps)
        return None


class _Connection(web.RequestHandler):
    """One of aiohttp's, but for what it does when a request is no HTTP: it would log and echo it."""

    def __init__(
        self, manager: web.Server, log: Callable[..., None], loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type] # no log at all, as its own runner says it
            auto_decompress=False,
            keepalive_timeout=IDLE_FOR.total_seconds(),
        )
        self._log = log

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
        answer = _said(status, "this is no HTTP request that can be read")
        answer.force_close()
        return answer


def _said(status: int, text: str) -> web.Response:
    # With a Server header of its own aiohttp tells no version.
    return web.Response(status=status, text=f"{text}\n", headers={"Server": "tocsin"})


def _put_off(why: str) -> web.Response:
    answer = _said(503, why)
    answer.headers["Retry-After"] = str(COME_AGAIN.seconds)
    return answer
