"""What stands between Tocsin and a homeserver: it counts, and loses what a test wants to be lost."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from tests.servers.programs import HOST

_NOT_PASSED_ON = {"host", "content-length", "transfer-encoding", "connection", "content-encoding"}


@dataclass(frozen=True)
class Request:
    """at: on the loop's clock. status: of the answer; 0 while there is none."""

    at: float
    method: str
    path: str
    status: int = 0
    query: str = ""


Loses = Callable[[Request], bool]
Holds = Callable[[Request], bool]
Answers = Callable[[Request], tuple[int, Mapping[str, object]] | None]


class Proxy:
    """As a context, it listens. requests: all that came, in order.

    loses: of which requests the answer is lost, once the homeserver has given it. answers: says what to answer in the
    homeserver's place, as (status, JSON); None: nothing. holds: which requests are never answered.
    """

    url: str

    def __init__(self, homeserver: str) -> None:
        self.requests: list[Request] = []
        self.loses: Loses = lambda _: False
        self.answers: Answers = lambda _: None
        self.holds: Holds = lambda _: False
        self._homeserver = homeserver

    def count(self, part: str = "", method: str = "") -> int:
        return sum(part in request.path and method in {"", request.method} for request in self.requests)

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60), auto_decompress=True)
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, 0)
        await site.start()
        [address] = self._runner.addresses
        self.url = f"http://{HOST}:{address[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        await self._runner.cleanup()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        number = len(self.requests)
        came = Request(
            asyncio.get_running_loop().time(), request.method, request.path, query=request.query_string
        )
        self.requests.append(came)
        if self.holds(came):
            await asyncio.Event().wait()
        if (instead := self.answers(came)) is not None:
            self.requests[number] = replace(came, status=instead[0])
            return web.json_response(instead[1], status=instead[0])
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _NOT_PASSED_ON}
        url = URL(self._homeserver + request.raw_path, encoded=True)
        try:
            async with self._http.request(
                request.method, url, headers=headers, data=await request.read()
            ) as answer:
                body = await answer.read()
        except aiohttp.ClientError:
            return web.Response(status=502)
        self.requests[number] = done = replace(came, status=answer.status)
        if self.loses(done):
            with contextlib.suppress(AttributeError):
                request.transport.abort()  # type: ignore[union-attr] # may be gone already
        kept = {key: value for key, value in answer.headers.items() if key.lower() not in _NOT_PASSED_ON}
        return web.Response(status=answer.status, body=body, headers=kept)
