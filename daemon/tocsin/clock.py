"""The only file that asks the time."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger


class Clock(Protocol):
    """The wall clock, for calendars and people; the boot clock, for how long something takes.

    boot_id: the same until the machine starts anew; times of different boots can't be compared.
    """

    boot_id: str

    def now(self) -> datetime:
        """The wall clock, in UTC. It may be stepped, back as well."""

    def boot(self) -> timedelta:
        """How long the machine has been up, sleep included. It is never stepped."""

    def wake_at(self, name: str, at: datetime, call: Callable[[], None]) -> None:
        """Call at that time, in the event loop. A later call with the same name replaces this one.

        It may come late, or early, after a step of the wall clock: whoever is woken looks for himself.
        """

    def every(self, name: str, period: timedelta, call: Callable[[], None]) -> None:
        """Call again and again, in the event loop, however the wall clock is stepped."""

    def close(self) -> None:
        """Call nothing any more."""


def now() -> datetime:
    """The machine's wall clock, for what runs without a daemon."""
    return datetime.now(UTC)


class SystemClock:
    """The machine's own clocks; APScheduler is the alarm."""

    def __init__(self) -> None:
        """Take the running event loop for what will be called."""
        self.boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # By default a job that comes a second late is dropped, with a line in the log.
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True}
        )
        self._scheduler.start()
        self._ticks: dict[str, asyncio.TimerHandle] = {}

    def now(self) -> datetime:
        return now()

    def boot(self) -> timedelta:
        return timedelta(microseconds=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)

    def wake_at(self, name: str, at: datetime, call: Callable[[], None]) -> None:
        self._scheduler.add_job(_in_loop(call), DateTrigger(at), id=name, replace_existing=True)

    def every(self, name: str, period: timedelta, call: Callable[[], None]) -> None:
        # Not by APScheduler, which waits for a time on the wall clock: set back by an hour, it is deaf for one.
        loop = asyncio.get_running_loop()

        def again() -> None:
            self._ticks[name] = loop.call_later(period.total_seconds(), again)
            call()

        if name in self._ticks:
            self._ticks[name].cancel()
        self._ticks[name] = loop.call_later(period.total_seconds(), again)

    def close(self) -> None:
        self._scheduler.shutdown(wait=False)
        for tick in self._ticks.values():
            tick.cancel()


def _in_loop(call: Callable[[], None]) -> Callable[[], object]:
    """APScheduler runs a coroutine function in the loop, and a plain one in a thread."""

    async def run() -> None:
        call()

    return run
