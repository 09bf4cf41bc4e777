"""From exec to the first alert that is taken."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.client import Link, post
from benchmarks.results import Row, middle, ratio
from benchmarks.servers import FLOORS, Lost, Server, serving
from benchmarks.size import Size


async def measure(size: Size) -> AsyncIterator[Row]:
    """With no state yet, and with what the start before left behind. Raises Lost."""
    took = defaultdict[str, list[float]](list)
    well = defaultdict[str, list[float]](list)
    for _ in range(size.starts):
        with TemporaryDirectory() as folder:
            for name, which in (
                *((floor, floor) for floor in FLOORS),
                ("tocsin", "first"),
                ("tocsin", "later"),
            ):
                async with serving(name, None if name in FLOORS else Path(folder), ready=False) as server:
                    healthy, taken = await asyncio.gather(server.ready(), _first_taken(server))
                    well[which].append(healthy)
                    took[which].append(taken)
                    if name == "tocsin":
                        server.process.terminate()
                        await server.process.wait()
    for which, goal in (("first", ""), ("later", "≤ 0.8 s")):
        floors = [ratio(took[which], took[floor]) for floor in FLOORS]
        yield Row(f"{which} start: exec to first alert taken", {"": middle(took[which])}, "s", goal, *floors)
        floors = [ratio(well[which], well[floor]) for floor in FLOORS]
        yield Row(f"{which} start: exec to healthy", {"": middle(well[which])}, "s", "", *floors)


async def _first_taken(server: Server) -> float:
    """Post the same alert until it is taken; how long after the start that was."""
    while True:
        try:
            link = await Link.open(server.port)
            status = await link.ask(post(0))
        except OSError:
            await asyncio.sleep(0.002)
            if server.process.returncode is not None:
                raise Lost(f"{server.name} does not start") from None
            continue
        if status != 202:
            raise Lost(f"{server.name} refused its first post: {status}")
        return time.perf_counter() - server.began
