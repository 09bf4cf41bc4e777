"""A burst of posts over 32 connections: how fast they are accepted, and until all are paged."""

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from benchmarks.client import burst, post
from benchmarks.results import Row, middle, percentile, ratio
from benchmarks.servers import FLOORS, ROOT, Lost, Server, serving
from benchmarks.size import Size

WARM = 999_999
"""The number of an alert that is not counted."""


@dataclass
class Rounds:
    """Figures of one server, one entry a round; in seconds.

    accepting: for each post, from the first to the last answer. covered: from the first post to the last page.
    """

    accepting: list[float] = field(default_factory=list)
    half: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)
    covered: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    stall: list[float] = field(default_factory=list)
    twice: int = 0


async def measure(size: Size) -> AsyncIterator[Row]:
    """Posts of one alert each, then of a hundred. Raises Lost."""
    for alerts, count in ((1, size.posts), (100, size.large_posts)):
        posts = [post(number, alerts) for number in range(count)]
        found = defaultdict[str, Rounds](Rounds)
        for _ in range(size.rounds):
            for name in (*FLOORS, "tocsin"):
                await _round(name, posts, found[name])
        for row in _rows(found, alerts, count):
            yield row


async def _round(name: str, posts: Sequence[bytes], found: Rounds) -> None:
    async with serving(name) as server, Watch(server.port) as watch:
        await _warm(server)
        cpu = server.cpu()
        outcome = await burst(server.port, posts)
        if outcome.refused:
            raise Lost(f"{name} refused {outcome.refused} of {len(posts)} posts")
        last = await server.all_seen(range(len(posts)))
        found.cpu.append(server.cpu() - cpu)
        found.accepting.append((outcome.ended - outcome.began) / len(posts))
        found.half.append(percentile(outcome.answers, 50))
        found.most.append(percentile(outcome.answers, 99))
        found.covered.append(last - outcome.began)
        found.stall.append(await watch.longest())
        found.twice += sum(often > 1 for often in server.pages.values())


async def _warm(server: Server) -> None:
    """One page, so that what the first one loads and compiles is there."""
    await burst(server.port, [post(WARM)])
    await server.all_seen([WARM])


class Watch:
    """Asks the server's event loop for next to nothing all the time, in a process of its own."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-m", "benchmarks.watch", str(self._port)]
        self._process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=ROOT)
        assert self._process.stdout is not None  # noqa: S101 (it is a pipe)
        await self._process.stdout.readline()  # it has begun
        return self

    async def longest(self) -> float:
        """How long the longest answer took, in seconds."""
        out, _ = await self._process.communicate(b"")  # not even that: its input ends
        return float(out)

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def _rows(found: dict[str, Rounds], alerts: int, count: int) -> Sequence[Row]:
    mine, direct, durable = found["tocsin"], found["direct"], found["durable"]
    each = "one alert each" if alerts == 1 else f"{alerts} alerts each"
    rows = [
        Row(
            f"burst of {count:,} posts, {each}: accepted",
            {"": 1 / middle(mine.accepting)},
            "a second",
            "≥ 1,600 a second, all durable" if alerts == 1 else "",
            ratio(mine.accepting, direct.accepting),
            ratio(mine.accepting, durable.accepting),
        ),
        Row(
            "… answered",
            {"p50": middle(mine.half) * 1000, "p99": middle(mine.most) * 1000},
            "ms",
            "",
            ratio(mine.half, direct.half),
            ratio(mine.half, durable.half),
        ),
        Row(
            "… first post to last page",
            {"": middle(mine.covered)},
            "s",
            "≤ 2 times durable, on IRC" if alerts == 1 else "",
            ratio(mine.covered, direct.covered),
            ratio(mine.covered, durable.covered),
        ),
        Row("… event loop stalls, at most", {"": max(mine.stall) * 1000}, "ms", "< 100 ms"),
        Row("… paged twice", {"": mine.twice}, "alerts"),
    ]
    if alerts == 1:
        per = 1000 / count
        rows.append(Row("… CPU for 1,000 alerts", {"": middle(mine.cpu) * per}, "s", "≤ 1 s"))
    return rows
