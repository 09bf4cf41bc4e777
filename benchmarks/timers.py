"""Timers: how late they ring while many wait, and when many are due at one instant."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from benchmarks.engine import engine
from benchmarks.results import Row, percentile
from benchmarks.servers import Lost
from benchmarks.size import Size
from tocsin.core import Tocsin
from tocsin.plugins import Declared
from tocsin.rules import owned
from tocsin.store.timers import Timer
from tocsin.transaction import Transaction

RING = "bench.ring"
SPAN = 60.0
"""Over so many seconds the timers that wait are spread."""


class Bell:
    """Notes when each timer's turn begins. lateness: by key, in seconds."""

    def __init__(self) -> None:
        self.lateness: dict[str, float] = {}

    def ring(self, timer: Timer, tx: Transaction) -> None:
        self.lateness[timer.key] = (tx.now - timer.due_at).total_seconds()

    def declared(self) -> Declared:
        return Declared(timers={RING: owned("bench", self.ring)})


async def measure(size: Size) -> AsyncIterator[Row]:
    """Both sorts, each in an engine of its own. Raises Lost."""
    due = [SPAN * number / size.pending for number in range(size.pending)]
    late = await _lateness(due, size.watched, size.ahead)
    yield _row(f"timers: lateness with {size.pending:,} pending", late, "p99 ≤ 250 ms")
    late = await _lateness([0.0] * size.at_once, 0.0, size.ahead)
    yield _row(f"timers: lateness with {size.at_once:,} due at once", late, "p99 ≤ 2 s")


def _row(what: str, late: list[float], goal: str) -> Row:
    figures = {"p50": percentile(late, 50), "p99": percentile(late, 99), "max": max(late)}
    return Row(what, {name: value * 1000 for name, value in figures.items()}, "ms", goal)


async def _lateness(due: list[float], watched: float, ahead: float) -> list[float]:
    """Set timers that are due so many seconds after an instant ahead; how late those were that were watched."""
    bell = Bell()
    async with engine(more=bell.declared(), run=True) as daemon:
        start = daemon.tocsin.clock.now() + timedelta(seconds=ahead)
        for first in range(0, len(due), 500):
            await _set(daemon.tocsin, start, {str(first + n): at for n, at in enumerate(due[first:][:500])})
        wanted = {str(n) for n, at in enumerate(due) if at <= watched}
        await asyncio.sleep(ahead + watched)
        for _ in range(100):
            if wanted <= bell.lateness.keys():
                break
            await asyncio.sleep(0.1)
        else:
            raise Lost(f"{len(wanted - bell.lateness.keys())} timers never rang")
    return [bell.lateness[key] for key in wanted]


async def _set(tocsin: Tocsin, start: datetime, due: dict[str, float]) -> None:
    def set_all(tx: Transaction) -> None:
        for key, seconds in due.items():
            tx.set_timer(RING, key, after=start + timedelta(seconds=seconds) - tx.now)

    await tocsin.turn(set_all)
