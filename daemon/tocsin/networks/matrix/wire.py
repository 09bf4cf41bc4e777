"""Requests to a homeserver, each with a bound in time; nothing is ever said twice by itself."""

import json
import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from tocsin.errors import NetworkError
from tocsin.networks.matrix.replies import refusal, trouble

ANSWERED_WITHIN = timedelta(seconds=10)
"""How long the homeserver may take for one request."""

REMOTE_WITHIN = 4000
"""How long our homeserver may ask other ones for people's devices and their keys, in milliseconds: then it answers.

The specification has it in the body; Synapse looks for it in the query.
"""

CONNECTED_WITHIN = timedelta(seconds=5)

API = "/_matrix/client/v3"


def tls_context(ca: Path | None) -> ssl.SSLContext:
    """Reads files, so in a thread. Raises NetworkError."""
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise NetworkError(f"{ca}: can't be used: {error.strerror or error}", unsent=True) from None


def at(*parts: str) -> str:
    """A path of these parts, whatever they hold: `at("rooms", "!a/b", "send")`."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """A connection that was lost ends a request, unless that only reads.

    aiohttp would ask again by itself, and tell what became of that: that nobody listens, where the first try was taken.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if isinstance(error, aiohttp.ClientConnectorError) or request.method == "GET":
            raise
        raise aiohttp.ClientConnectionError(str(error)) from error


class Wire:
    """The connections to one homeserver."""

    def __init__(self, homeserver: str, tls: ssl.SSLContext) -> None:
        self.token = ""
        self._homeserver = homeserver
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls),
            auto_decompress=True,
            trust_env=False,
            middlewares=(_once,),
        )

    async def close(self) -> None:
        await self._http.close()

    async def raw(
        self,
        method: str,
        path: str,
        data: Any,
        headers: Mapping[str, str] | None,
        within: timedelta,
    ) -> aiohttp.ClientResponse:
        """A request as it stands; who asks reads the answer. Raises what aiohttp raises."""
        bound = aiohttp.ClientTimeout(
            total=within.total_seconds(), sock_connect=CONNECTED_WITHIN.total_seconds()
        )
        return await self._http.request(
            method,
            URL(self._homeserver + path, encoded=True),
            data=data,
            headers=headers,
            timeout=bound,
            allow_redirects=False,  # nobody else gets the token
        )

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        within: timedelta = ANSWERED_WITHIN,
    ) -> dict[str, Any]:
        """A request, and what its answer holds. Raises MatrixError, or NetworkError if there is none."""
        data = None if body is None else json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
        return await self.ask(method, API + path, data, "application/json", within=within)

    async def ask(
        self, method: str, path: str, data: bytes | None, kind: str, *, within: timedelta = ANSWERED_WITHIN
    ) -> dict[str, Any]:
        """The same, with whatever is to be sent. kind: its content type."""
        headers = {"Content-Type": kind}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            async with await self.raw(method, path, data, headers, within) as reply:
                raw = await reply.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise trouble(error) from None
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if reply.status != 200 or not isinstance(answer, dict):
            raise refusal(reply.status, answer, reply.headers)
        return answer
