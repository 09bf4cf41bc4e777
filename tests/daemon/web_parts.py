"""Receivers of each kind, and whoever posts to them."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import ClientSession

from tocsin.alerts import report
from tocsin.errors import BadPayload
from tocsin.intake import Route
from tocsin.plugins import Declared
from tocsin.transaction import Transaction

from tests.conftest import MINIMAL
from tests.engine import Engine, Pager, alert, fires
from tests.processes import PATIENCE, TOKEN

USER, PASSWORD, OTHER = "am", "correct:horse, größer", "f" * 32
BOTH_KINDS = (
    MINIMAL
    + """
[receivers.staging]
token.file = "staging.token"
[receivers.old]
user = "am"
password.file = "old.password"
"""
)
HERE, KEPT = "/hooks/post/prod", "select outcome, body from intake"
MIB = 2**20
SECRETS = (TOKEN, OTHER, PASSWORD, "horse")


def read(_: str, body: bytes) -> str:
    if body.startswith(b"{"):
        raise BadPayload("it ends too soon")
    if body == b"crash":
        raise ZeroDivisionError(TOKEN)
    return body.decode()


def take(text: str, tx: Transaction) -> None:
    report(tx, fires(alert(text), key=text))


def posts() -> Declared:
    routes = {
        "post": Route("", read, take),
        "post/loud": Route("loud", read, lambda text, tx: take(text.upper(), tx)),
    }
    return replace(Pager().declared(), routes=routes)


@dataclass
class Answer:
    status: int
    text: str
    headers: dict[str, str]


def large(size: int) -> io.BytesIO:
    return io.BytesIO(b"{".ljust(size))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


BEARER = f"Bearer {TOKEN}"


@dataclass
class Sender:
    """Whoever posts: a client of its own, over a real connection."""

    session: ClientSession
    engine: Engine

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.engine.run.daemon.web.address.rsplit(":", 1)
        return host, int(port)

    async def asks(self, method: str, path: str, **how: Any) -> Answer:
        url = f"http://{self.engine.run.daemon.web.address}{path}"
        async with self.session.request(method, url, **how) as answer:
            return Answer(answer.status, await answer.text(), dict(answer.headers))

    async def posts(
        self, body: Any = b"Disk", path: str = HERE, *, proof: str = BEARER, **headers: str
    ) -> Answer:
        """Post; when this returns, the engine is at rest."""
        if proof:
            headers["Authorization"] = proof
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.asks("POST", path, data=body, headers=named)
        await self.engine.run.settled()
        return answer

    async def kept(self) -> list[Any]:
        return await self.engine.sql(KEPT)

    def heard(self, place: str = "room/#ops") -> list[str]:
        return self.engine.chat.texts(place)

    @asynccontextmanager
    async def begins(
        self, sent: bytes, *, of: int = 100
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Post the first part of a body, and hold on."""
        reader, writer = await asyncio.open_connection(*self.address)
        head = f"POST {HERE} HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER}\r\nContent-Length: {of}\r\n\r\n"
        writer.write(head.encode() + sent)
        try:
            async with asyncio.timeout(PATIENCE):
                yield reader, writer
        finally:
            writer.close()
