"""What networks tell, heard by a test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from tocsin.domain.message import Line, Place
from tocsin.networks.base import Network

from tests.networks.contract import Recorder
from tests.processes import PATIENCE


class Ear(Recorder):
    """A recorder that can be waited for, whatever it is told. gate: while it is shut, no line is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self._news = asyncio.Event()

    async def heard(self, line: Line) -> None:
        await super().heard(line)
        self._news.set()
        await self.gate.wait()

    def tell(self, text: str) -> None:
        super().tell(text)
        self._news.set()

    def came(self, place: Place, account: str) -> None:
        super().came(place, account)
        self._news.set()

    def up(self, network: str) -> None:
        super().up(network)
        self._news.set()

    def down(self, network: str, reason: str) -> None:
        super().down(network, reason)
        self._news.set()

    async def is_up_for(self, times: int) -> None:
        """Wait until it was told so often that messages are taken."""
        await self.knows(lambda: self.ups >= times)

    async def knows(self, what: Callable[[], object]) -> None:
        """Wait until something is true of what it was told."""
        async with asyncio.timeout(PATIENCE):
            while not what():
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def on(network: Network, ear: Ear | None = None) -> AsyncIterator[Ear]:
    """Let it run, and listen."""
    ear = ear or Ear()
    running = asyncio.create_task(network.run(ear))
    try:
        yield ear
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
