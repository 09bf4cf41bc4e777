"""What tests of sources share: servers that are anything but what they should be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tocsin.api import Source
from tocsin.config.values import SecretSource
from tocsin_verification.sources.making import source
from tocsin_verification.sources.settings import SourceSettings

SECRET = "correct horse battery staple"


@dataclass
class Peer:
    """A server that answers as it is told to. asked: path, form and credential of all that it was asked. waits: for this it
    waits before it answers a question in which `heavy` stands.
    """

    status: int = 200
    text: str | bytes = ""
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    asked: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    waits: asyncio.Event | None = None
    heavy: str = ""
    endless: bool = False
    at_once: int = 0
    most_at_once: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        form = dict(await request.post())
        self.asked.append((request.path, form, request.headers.get("Authorization", "")))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.waits is not None and self.heavy in str(form):
                await self.waits.wait()
            if self.endless:
                return await self._endless(request)
            body = self.text.encode() if isinstance(self.text, str) else self.text
            return web.Response(status=self.status, body=body, headers=self.headers)
        finally:
            self.at_once -= 1

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" " * 65536)


@asynccontextmanager
async def serving(peer: Peer) -> AsyncIterator[Peer]:
    """It listens on loopback."""
    runner = web.AppRunner(_app(peer), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    peer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield peer
    finally:
        await runner.cleanup()


def reads(url: str, **settings: Any) -> Source:
    """The source `main`, a Prometheus if nothing else is said."""
    return source("main", SourceSettings(**{"kind": "prometheus", "url": url, **settings}))


def kept_secret(folder: Path, text: str = SECRET) -> SecretSource:
    """A secret in a file of its own."""
    path = folder / "secret"
    path.write_text(text)
    path.chmod(0o600)
    return SecretSource(file=path)


def _app(peer: Peer) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", peer.handle)
    return app
