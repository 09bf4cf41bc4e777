"""On a real Synapse: alerts one at a time beside a bare PUT, and a storm against the homeserver's own limits."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.bursts import WARM
from benchmarks.client import PATIENCE, Link, burst, post
from benchmarks.heard import Heard
from benchmarks.results import Row, percentile
from benchmarks.servers import Lost, Server
from benchmarks.size import Size
from benchmarks.synapses import Alice, Bot, homeserver, speaking

EVERY = 1.0
"""How far apart calm alerts are, in seconds: what is said of one is over before the next one comes."""
CONNECTIONS = 16


async def measure(size: Size) -> AsyncIterator[Row]:
    """All of it. Raises Lost, and NotThere."""
    for encrypted in (False, True):
        for row in await _calm(size.matrix_calm, encrypted=encrypted):
            yield row
    for row in await _storm(size):
        yield row


# ── One at a time ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Times:
    """In seconds, one entry an alert."""

    bare: list[float] = field(default_factory=list)
    listening: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    paged: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)


async def _calm(count: int, *, encrypted: bool) -> Sequence[Row]:
    times = Times()
    async with _ready(limits=False, encrypted=encrypted) as (server, alice, bots):
        memory = server.memory()
        link = await Link.open(server.port)
        warm = 5  # the first ones load, make keys and compile what all others find done
        for number in range(warm + count):
            due = time.perf_counter() + EVERY
            found = Times()
            for bot, into in zip(bots, (found.bare, found.listening), strict=True):
                into.append(await _bare(alice, bot, number))
                await asyncio.sleep(EVERY / 4)
            await asyncio.sleep(max(0, due - time.perf_counter()))
            due += EVERY
            await _once(link, alice, number, found)
            if number >= warm:
                for name in ("bare", "listening", "answered", "paged", "told"):
                    getattr(times, name).extend(getattr(found, name))
            await asyncio.sleep(max(0, due - time.perf_counter()))

    def row(what: str, values: Sequence[float], goal: str = "", *, beside: Sequence[float] = ()) -> Row:
        half = percentile(values, 50)
        figures = {"p50": half * 1000, "p99": percentile(values, 99) * 1000}
        return Row(what, figures, "ms", goal, half / percentile(beside, 50) if beside else None)

    rooms = "encrypted rooms" if encrypted else "rooms in the clear"
    return [
        row(f"calm on Synapse, {rooms}: a bare PUT to event seen", times.bare),
        row("… one that wakes her, by who listens, too", times.listening, beside=times.bare),
        row("… post to page seen", times.paged, "≤ 1.15 times the bare PUT", beside=times.bare),
        row("… post to line seen in the room", times.told),
        row("… post to answer", times.answered, "p50 ≤ 8"),
        Row("… memory, before the first", {"": memory}, "MB", "≤ 110"),
    ]


async def _bare(alice: Alice, bot: Bot, number: int) -> float:
    """Somebody puts an event into a room of alice's; how many seconds later she sees it."""
    began = time.perf_counter()
    await bot.says(f"critical Load{number} on db0: the load has been above 40 for ten minutes")
    if not await alice.counts(alice.heard(bot.room), number + 1):
        raise Lost("a bare PUT was never seen")
    return alice.heard(bot.room).lines[number] - began


async def _once(link: Link, alice: Alice, number: int, times: Times) -> None:
    began = time.perf_counter()
    if (status := await link.ask(post(number))) != 202:
        raise Lost(f"Tocsin refused a post: {status}")
    times.answered.append(time.perf_counter() - began)
    for heard, into in ((alice.page, times.paged), (alice.told, times.told)):
        if not await alice.counts(heard, number + 1):
            raise Lost("Tocsin accepted an alert and never told of it")
        into.append(heard.lines[number] - began)


# ── A storm ─────────────────────────────────────────────────────────────────────────────────────────────────


async def _storm(size: Size) -> Sequence[Row]:
    """As it comes: a homeserver with its own limits, ten events at once and then one each five seconds."""
    async with _ready(limits=True, encrypted=False) as (server, alice, _):
        await burst(server.port, [post(WARM)])
        await alice.counts(alice.page, 1)
        alice.forget()
        await asyncio.sleep(size.rest * 5)
        posts = [post(number) for number in range(size.matrix_storm)]
        outcome = await burst(server.port, posts, CONNECTIONS)
        if outcome.refused:
            raise Lost(f"Tocsin refused {outcome.refused} of {size.matrix_storm} posts")
        for heard in (alice.page, alice.told):
            while heard.count < size.matrix_storm and time.perf_counter() < outcome.began + size.minute:
                await alice.counts(heard, heard.count + 1, patience=1)
        page, room = alice.page, alice.told
        if not page.lines:
            raise Lost(f"Tocsin accepted {size.matrix_storm} alerts and paged nobody")
        refused = server.log().count("M_LIMIT_EXCEEDED")
    title = f"storm of {size.matrix_storm:,} on Synapse, as it comes"
    accepted = size.matrix_storm / (outcome.ended - outcome.began)
    first = (page.lines[0] - outcome.began) * 1000
    return [
        Row(f"{title}: accepted", {"": accepted}, "a second", "≥ 1,000"),
        Row("… first post to first page seen", {"": first}, "ms", "≤ 5,000"),
        _counted("… counted in private", page, outcome.began, size),
        _counted("… counted in the room", room, outcome.began, size),
        Row("… events", {"private": len(page.lines), "room": len(room.lines)}, ""),
        Row("… refused by the homeserver (429)", {"": refused}, "times"),
    ]


def _counted(what: str, heard: Heard, began: float, size: Size) -> Row:
    """When all of a storm had been told of; if they were not, how many were."""
    if (done := heard.when(size.matrix_storm)) is not None:
        return Row(f"{what}: all after", {"": done - began}, "s", f"≤ {size.minute:.0f}")
    return Row(f"{what}: not all", {"": heard.count}, f"in {size.minute:.0f} s")


@asynccontextmanager
async def _ready(*, limits: bool, encrypted: bool) -> AsyncIterator[tuple[Server, Alice, Sequence[Bot]]]:
    """Tocsin, alice and the two who put events, on a homeserver of their own."""
    async with AsyncExitStack() as stack:
        synapse = stack.enter_context(homeserver(limits=limits))
        alice, *bots = await stack.enter_async_context(speaking(synapse, encrypted=encrypted))
        server = await stack.enter_async_context(alice.tocsin())
        try:
            async with asyncio.timeout(PATIENCE):
                await alice.is_met()
        except TimeoutError:
            raise Lost(f"Tocsin does not come into its rooms: {server.log()}") from None
        yield server, alice, bots
