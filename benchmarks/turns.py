"""Turns through the writer: how many a second, and what one costs."""

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from benchmarks.engine import engine
from benchmarks.floors import Store
from benchmarks.results import Row, middle, ratio
from benchmarks.size import Size
from tocsin.alerts import report
from tocsin.domain.alert import Alert, Report
from tocsin.domain.event import Event
from tocsin.plugins import Declared
from tocsin.transaction import Transaction

SMALL, PAGING, FLOOR = "a turn that records one event", "a turn that opens a group and pages", "the floor"


@dataclass(frozen=True, kw_only=True)
class Noted(Event):
    """Nobody reacts to it."""

    kind: ClassVar[str] = "bench.noted"

    def headline(self) -> str:
        return "noted"


_numbers = itertools.count()


def note(tx: Transaction) -> None:
    tx.record(Noted(subject="bench", at=tx.now))


def page(tx: Transaction) -> None:
    number = next(_numbers)
    labels = {"alertname": f"Load{number}", "instance": "db1", "severity": "critical"}
    report(tx, Report("prod", str(number), [Alert(str(number), labels, "the load is above 40")]))


async def measure(size: Size) -> AsyncIterator[Row]:
    """Each sort of turn, asked for by one and by many at once. Raises what a turn raises."""
    took = defaultdict[tuple[str, int], list[float]](list)
    cost = defaultdict[tuple[str, int], list[float]](list)
    for _ in range(size.rounds):
        with TemporaryDirectory() as folder:
            async with engine(more=Declared(events={Noted.kind: Noted}), run=False) as daemon:
                floor = Store(Path(folder) / "floor.db")
                work: dict[str, Callable[[], Awaitable[None]]] = {
                    FLOOR: partial(floor.keep, bytes(600)),
                    SMALL: partial(daemon.tocsin.turn, note),
                    PAGING: partial(daemon.tocsin.turn, page),
                }
                for callers, turns in size.turns.items():
                    for name, once in work.items():
                        count = turns // 3 if name == PAGING else turns
                        wall, cpu = await _repeat(once, count, callers)
                        took[name, callers].append(wall)
                        cost[name, callers].append(cpu)
                floor.close()
    for name in (SMALL, PAGING):
        for callers in size.turns:
            key = (name, callers)
            yield Row(
                f"{name}, {callers} at once",
                {"": 1 / middle(took[key])},
                "a second",
                durable=ratio(took[key], took[FLOOR, callers]),
            )
        most = max(size.turns)
        yield Row(f"CPU of {name}, {most} at once", {"": middle(cost[name, most]) * 1000}, "ms")


async def _repeat(once: Callable[[], Awaitable[None]], count: int, callers: int) -> tuple[float, float]:
    """Have something done so many times, by so many at once; seconds and processor seconds for one."""
    left = iter(range(count))

    async def call() -> None:
        for _ in left:
            await once()

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(call() for _ in range(callers)))
    return (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count
