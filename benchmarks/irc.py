"""On real IRC servers: alerts one at a time, a storm whose every alert is told alone, and one as it comes."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.bursts import WARM
from benchmarks.client import Link, burst, post
from benchmarks.heard import Heard
from benchmarks.ircds import IRCDS, Alice, alice_at, ircd, speaking
from benchmarks.results import Row, middle, percentile, ratio
from benchmarks.servers import FLOORS, Lost, Server
from benchmarks.size import Size

EVERY = 0.2
"""How far apart calm alerts are, in seconds."""
CONNECTIONS = 16
EACH = (*FLOORS, "tocsin")


async def measure(size: Size) -> AsyncIterator[Row]:
    """All three, on each server. Raises Lost, and NotThere."""
    for name in IRCDS:
        for row in await _calm(name, size.irc_calm):
            yield row
    for name in IRCDS:
        for row in await _storm_alone(name, size):
            yield row
    for name in IRCDS:
        for row in await _storm(name, size):
            yield row


@asynccontextmanager
async def _all_on(on: str) -> AsyncIterator[tuple[Sequence[Server], Alice]]:
    """The floors and Tocsin, each alert alone, on a server that lets them be."""
    with ircd(on, limits=False) as port:
        async with alice_at(port) as alice, speaking(EACH, port, alice, alone=True) as servers:
            yield servers, alice


# ── One at a time ───────────────────────────────────────────────────────────────────────────────────────────


async def _calm(on: str, count: int) -> Sequence[Row]:
    paged: dict[str, list[float]] = {name: [] for name in EACH}
    told: list[float] = []
    async with _all_on(on) as (servers, alice):
        links = [await Link.open(server.port) for server in servers]
        warm = 5  # the first ones load and compile what all others find done
        for number in range(warm + count):
            due = time.perf_counter() + EVERY
            for server, link in zip(servers, links, strict=True):
                page, room = await _once(server, link, alice, number)
                if number >= warm:
                    paged[server.name].append(page)
                    if server.name == "tocsin":
                        told.append(room)
            await asyncio.sleep(max(0, due - time.perf_counter()))

    def row(what: str, values: Sequence[float], goal: str = "", beside: str = "") -> Row:
        half = percentile(values, 50)
        figures = {"p50": half * 1000, "p99": percentile(values, 99) * 1000}
        floors = (half / percentile(paged[floor], 50) for floor in FLOORS)
        return Row(what, figures, "ms", goal, *floors, beside=beside)

    title = f"calm on {on}, each told alone, five a second: post to page seen"
    return [
        row(title, paged["tocsin"], "≤ 1.3 times durable", f"calm {on}"),
        row("… post to line seen in the room", told),
    ]


async def _once(server: Server, link: Link, alice: Alice, number: int) -> tuple[float, float]:
    """Post an alert: how long until its page was seen, and until the room was told."""
    began = time.perf_counter()
    if (status := await link.ask(post(number))) != 202:
        raise Lost(f"{server.name} refused a post: {status}")
    page, room = alice.page(server.name), alice.heard(server.name, private=False)
    for heard in (page, room):
        if not await alice.counts(heard, number + 1):
            raise Lost(f"{server.name} accepted an alert and never told of it")
    return page.seen[number] - began, room.seen[number] - began


# ── A storm ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Rounds:
    """Figures of one system, one entry a round, in seconds.

    accepting: for each post, from the first to the last answer. The others count from the first post.
    """

    accepting: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    paged: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)


async def _storm_alone(on: str, size: Size) -> Sequence[Row]:
    found = defaultdict[str, Rounds](Rounds)
    for _ in range(size.rounds):
        async with _all_on(on) as (servers, alice):
            for server in servers:
                await _round(server, alice, size.storm, found[server.name])

    def row(what: str, figure: str, unit: str, goal: str = "", beside: str = "") -> Row:
        mine: list[float] = getattr(found["tocsin"], figure)
        value = middle(mine)
        shown = {"a second": 1 / value, "ms": value * 1000, "s": value}[unit]
        floors = (ratio(mine, getattr(found[floor], figure)) for floor in FLOORS)
        return Row(what, {"": shown}, unit, goal, *floors, beside=beside)

    title = f"storm of {size.storm:,} on {on}, each told alone, nobody throttles: accepted"
    return [
        row(title, "accepting", "a second", beside=f"accepted {on}"),
        row("… first post to first page seen", "first", "ms"),
        row("… first post to last page seen", "paged", "s", "≤ 2 times durable", f"burst {on}"),
        row("… first post to last line seen in the room", "told", "s"),
    ]


async def _round(server: Server, alice: Alice, storm: int, found: Rounds) -> None:
    await burst(server.port, [post(WARM)])
    await _all(server.name, alice, 1)
    alice.forget()
    outcome = await burst(server.port, [post(number) for number in range(storm)], CONNECTIONS)
    if outcome.refused:
        raise Lost(f"{server.name} refused {outcome.refused} of {storm} posts")
    await _all(server.name, alice, storm)
    page, room = alice.page(server.name), alice.heard(server.name, private=False)
    found.accepting.append((outcome.ended - outcome.began) / storm)
    found.first.append(page.lines[0] - outcome.began)
    found.paged.append(page.reached[-1][1] - outcome.began)
    found.told.append(room.reached[-1][1] - outcome.began)


async def _all(name: str, alice: Alice, count: int) -> None:
    """Wait until so many were paged, and told in the room. Raises Lost."""
    for heard in (alice.page(name), alice.heard(name, private=False)):
        if not await alice.counts(heard, count):
            raise Lost(f"{name} accepted {count} alerts and told of {heard.count}")


async def _storm(on: str, size: Size) -> Sequence[Row]:
    """As it comes: nothing set that need not be, and a server that punishes who is too fast."""
    with ircd(on, limits=True) as port:
        async with alice_at(port) as alice, speaking(["tocsin"], port, alice, alone=False) as [server]:
            await asyncio.sleep(size.rest)
            outcome = await burst(server.port, [post(number) for number in range(size.storm)], CONNECTIONS)
            if outcome.refused:
                raise Lost(f"tocsin refused {outcome.refused} of {size.storm} posts")
            page, room = (alice.heard("tocsin", private=private) for private in (True, False))
            if not await alice.counts(page, 1):
                raise Lost(f"tocsin accepted {size.storm} alerts and paged nobody")
            await asyncio.sleep(outcome.began + size.minute - time.perf_counter())
            lost = alice.lost["tocsin"]
    title = f"storm of {size.storm:,} on {on}, as it comes"
    accepted = size.storm / (outcome.ended - outcome.began)
    lines = {"private": len(page.lines), "room": len(room.lines)}
    return [
        Row(f"{title}: accepted", {"": accepted}, "a second"),
        Row("… first post to first page seen", {"": (page.lines[0] - outcome.began) * 1000}, "ms"),
        _counted("… counted in private", page, outcome.began, size, f"storm {on}"),
        _counted("… counted in the room", room, outcome.began, size, ""),
        Row(f"… lines in the first {size.minute:.0f} s", lines, ""),
        Row("… connection lost", {"": lost}, "times", "never", beside=f"lost {on}"),
    ]


def _counted(what: str, heard: Heard, began: float, size: Size, beside: str) -> Row:
    """When all of a storm had been told of; if they were not, how many were."""
    if (done := heard.when(size.storm)) is not None:
        return Row(f"{what}: all after", {"": done - began}, "s", beside=beside)
    return Row(f"{what}: not all", {"": heard.count}, f"in {size.minute:.0f} s", beside=beside)
