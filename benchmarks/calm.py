"""One post at a time: how long until its page is seen."""

import asyncio
import time
from collections.abc import AsyncIterator

from benchmarks.client import Link, post
from benchmarks.results import Row, percentile
from benchmarks.servers import FLOORS, Lost, Server, serving
from benchmarks.size import Size

REST = 0.03
"""How long each server is left alone after a page, in seconds: it has things to write down."""


async def measure(size: Size) -> AsyncIterator[Row]:
    """Post to each server in turn. Raises Lost."""
    async with serving("direct") as direct, serving("durable") as durable, serving("tocsin") as tocsin:
        servers = [direct, durable, tocsin]
        links = [await Link.open(server.port) for server in servers]
        found: dict[str, list[float]] = {server.name: [] for server in servers}
        answered: dict[str, list[float]] = {server.name: [] for server in servers}
        warm = 5  # the first ones load and compile what all others find done
        for number in range(warm + size.calm):
            for server, link in zip(servers, links, strict=True):
                answer, seen = await _once(server, link, number)
                if number >= warm:
                    answered[server.name].append(answer)
                    found[server.name].append(seen)
                await asyncio.sleep(REST)
    for what, values, goal in (
        ("calm: post to page seen", found, "≤ 1.3 times durable, on IRC"),
        ("calm: post to answer", answered, ""),
    ):
        mine = percentile(values["tocsin"], 50)
        yield Row(
            what,
            {"p50": mine * 1000, "p99": percentile(values["tocsin"], 99) * 1000},
            "ms",
            goal,
            *(mine / percentile(values[floor], 50) for floor in FLOORS),
        )


async def _once(server: Server, link: Link, number: int) -> tuple[float, float]:
    """Post an alert: how long until the answer, and until its page."""
    began = time.perf_counter()
    if (status := await link.ask(post(number))) != 202:
        raise Lost(f"{server.name} refused a post: {status}")
    answered = time.perf_counter()
    return answered - began, await server.all_seen([number]) - began
