"""Memory: at rest, and with ten thousand alert groups open; and a start with all of them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.engine import engine
from benchmarks.results import Row
from benchmarks.servers import Chat, Lost, serving
from benchmarks.size import Size
from benchmarks.turns import page
from tocsin import control
from tocsin.transaction import Transaction

BATCH = 50
"""How many groups are opened in one turn."""


async def measure(size: Size) -> AsyncIterator[Row]:
    """Raises Lost."""
    async with serving("tocsin") as server:
        yield Row("memory: idle, first start (it makes the tables)", {"": server.memory()}, "MB", "≤ 80 MB")
    with TemporaryDirectory() as name:
        folder = Path(name)
        await _open(size.groups, folder)
        async with serving("tocsin", folder, ready=False, chat=Chat(alone=False)) as server:
            yield Row(f"start with {size.groups:,} open groups, to healthy", {"": await server.ready()}, "s")
            found = await asyncio.to_thread(control.ask, folder / "state", "status")
            if found["open alerts"] != size.groups:
                raise Lost(f"of {size.groups} groups {found['open alerts']} are open")
            yield Row("… memory", {"": server.memory()}, "MB", "≤ 150 MB")


async def _open(groups: int, folder: Path) -> None:
    """Open so many groups, each with its page, and leave them to who comes next."""

    def open_some(tx: Transaction) -> None:
        for _ in range(BATCH):
            page(tx)

    async with engine(run=False, folder=folder) as daemon:
        for _ in range(groups // BATCH):
            await daemon.tocsin.turn(open_some)
