"""A timer whose handler does I/O runs beside all else, at least once, and holds up nothing."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin import daemon
from tocsin.api import Tocsin, TocsinError
from tocsin.config import Document
from tocsin.plugins import Declared
from tocsin.ringer import MOST_ERRANDS
from tocsin.rules import owned
from tocsin.store.timers import Timer
from tocsin.transaction import Transaction

from tests.conftest import ROOT
from tests.engine import Engine, Pager, Start, fires
from tests.processes import PATIENCE

DELAY = timedelta(minutes=10)
LEFT = "select kind, key from timers where kind like 'errand.%' order by key"


async def nothing(_: Timer, __: Tocsin) -> None:
    pass


@dataclass
class Errand:
    """Waits for somebody to open its gate, and then says that it was there.

    begun, most: which began, in this order, and how many were under way at once. does: what it does once it may.
    """

    does: Callable[[Timer, Tocsin], Awaitable[None]] = nothing
    begun: list[str] = field(default_factory=list)
    under_way: int = 0
    most: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    def declared(self) -> Declared:
        timers = {"errand.run": owned("errand", self.run), "errand.plain": owned("errand", self.plain)}
        return Declared(timers=timers)

    async def run(self, timer: Timer, tocsin: Tocsin) -> None:
        self.begun.append(timer.key)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self._tell()
            await self.gate.wait()
            await self.does(timer, tocsin)
            await tocsin.turn(lambda tx: tx.tell(f"{timer.key} was there"))
        finally:
            self.under_way -= 1
            await self._tell()

    def plain(self, timer: Timer, tx: Transaction) -> None:
        tx.tell(f"{timer.key} rang")

    async def _tell(self) -> None:
        async with self.moved:
            self.moved.notify_all()

    async def begins(self, times: int = 1) -> None:
        """Wait until it began so often."""
        async with asyncio.timeout(PATIENCE), self.moved:
            await self.moved.wait_for(lambda: len(self.begun) >= times)


async def due(engine: Engine, *keys: str, kind: str = "errand.run") -> None:
    """Timers that are due now."""

    def set_all(tx: Transaction) -> None:
        for key in keys:
            tx.set_timer(kind, key, at=tx.now)

    await engine.run.tocsin.turn(set_all)


@pytest.fixture
def errand() -> Errand:
    return Errand()


async def test_it_does_its_io_and_then_what_it_wants_in_turns(start: Start, errand: Errand) -> None:
    async with start(errand.declared()) as engine:
        await engine.run.tocsin.turn(lambda tx: tx.set_timer("errand.run", "milk", after=DELAY))
        await engine.advance(minutes=9)
        assert errand.begun == []
        errand.gate.set()
        await engine.advance(minutes=1)  # which waits for it
        assert engine.chat.texts() == ["milk was there"]
        assert await engine.sql(LEFT) == []
        await engine.advance(hours=1)
    assert errand.begun == ["milk"]


async def test_it_holds_up_no_other_timer_and_keeps_its_row_until_it_ends(
    start: Start, errand: Errand
) -> None:
    async with start(errand.declared()) as engine:
        await due(engine, "milk")
        await errand.begins()
        await due(engine, "tea", kind="errand.plain")
        await engine.run.daemon.ringer.nudge.whole_pass()
        assert await engine.sql(LEFT) == [("errand.run", "milk")]
        assert not engine.run.daemon.ringer.idle
        errand.gate.set()
        await engine.run.settled()
        assert engine.chat.texts() == ["tea rang", "milk was there"]
        assert errand.begun == ["milk"]


async def test_so_many_run_at_once_and_each_only_once(start: Start, errand: Errand) -> None:
    keys = [f"{number:02}" for number in range(2 * MOST_ERRANDS)]
    async with start(errand.declared()) as engine:
        await due(engine, *keys)
        await errand.begins(MOST_ERRANDS)
        await engine.run.daemon.ringer.nudge.whole_pass()
        assert len(errand.begun) == MOST_ERRANDS
        errand.gate.set()
        await engine.run.settled()
    assert sorted(errand.begun) == keys
    assert errand.most == MOST_ERRANDS


async def test_the_alarm_is_set_for_the_next_and_not_for_those_under_way(
    start: Start, errand: Errand
) -> None:
    async with start(errand.declared()) as engine:
        await engine.run.tocsin.turn(lambda tx: tx.set_timer("errand.run", "later", after=DELAY))
        await due(engine, "milk")
        await errand.begins()
        await engine.run.daemon.ringer.nudge.whole_pass()
        assert start.clock.next_alarm() == timedelta(minutes=1)  # the core's own
        errand.gate.set()
        await engine.advance(minutes=9)
        assert start.clock.next_alarm() == timedelta(minutes=1)
        await engine.advance(minutes=1)
    assert errand.begun == ["milk", "later"]


async def test_set_anew_meanwhile_it_runs_again_and_cancelled_it_does_not(
    start: Start, errand: Errand
) -> None:
    async with start(errand.declared()) as engine:
        await due(engine, "again", "later", "never")
        await errand.begins(3)
        await due(engine, "again")  # at the same instant, so that its row reads the same
        await engine.run.tocsin.turn(lambda tx: tx.set_timer("errand.run", "later", after=DELAY))
        await engine.run.tocsin.turn(lambda tx: tx.cancel_timer("errand.run", "never"))
        errand.gate.set()
        await engine.run.settled()
        assert sorted(errand.begun) == ["again", "again", "later", "never"]
        assert await engine.sql(LEFT) == [("errand.run", "later")]
        await engine.advance(minutes=10)
        assert errand.begun[4:] == ["later"]
        assert await engine.sql(LEFT) == []


async def test_what_fails_is_tried_again_with_growing_pauses_and_told_once(
    start: Start, errand: Errand
) -> None:
    async def fails(_: Timer, __: Tocsin) -> None:
        raise TocsinError("the shop is shut")

    errand.does = fails
    errand.gate.set()
    async with start(errand.declared()) as engine:
        await due(engine, "milk")
        counts = []
        for seconds in (0, 1, 4, 16, 64, 256, 300, 300):
            await engine.advance(seconds=seconds)
            counts.append(len(errand.begun))
        assert counts == [1, 2, 3, 4, 5, 6, 7, 8]
        told = "milk errand.run failed 3 times (the shop is shut). It is tried again. See the log."
        assert engine.chat.texts() == [told]
        errand.does = nothing
        await engine.advance(minutes=5)
        assert engine.chat.texts() == [told, "milk was there"]
        assert await engine.sql(LEFT) == []


async def test_one_that_waits_for_what_was_cancelled_has_failed_and_is_tried_again(
    start: Start, errand: Errand
) -> None:
    async def does(_: Timer, __: Tocsin) -> None:
        if len(errand.begun) == 1:
            raise asyncio.CancelledError

    errand.does = does
    errand.gate.set()
    async with start(errand.declared()) as engine:
        await due(engine, "milk")
        await engine.advance(seconds=1)
        assert engine.chat.texts() == ["milk was there"]
        assert await engine.sql(LEFT) == []


async def test_a_failure_does_not_put_off_what_was_set_anew(start: Start, errand: Errand) -> None:
    async def fails(_: Timer, __: Tocsin) -> None:
        errand.does = nothing
        raise SystemExit

    errand.does = fails
    async with start(errand.declared()) as engine:
        await due(engine, "milk")
        await errand.begins()
        await due(engine, "milk")
        errand.gate.set()
        await engine.run.settled()
        assert errand.begun == ["milk", "milk"]
        assert engine.chat.texts() == ["milk was there"]


@pytest.mark.parametrize(("crash", "counted"), [(False, 0), (True, 1)], ids=["stopped", "crashed"])
async def test_what_was_under_way_at_the_end_runs_again_after_the_start(
    start: Start, errand: Errand, *, crash: bool, counted: int
) -> None:
    async with start(errand.declared(), crash=crash) as engine:
        await due(engine, "milk")
        await errand.begins()
    assert errand.under_way == 0
    async with start() as engine:  # a stop in order is no fault of what was under way
        assert await engine.sql("select key, begun from timers where kind = 'errand.run'") == [
            ("milk", counted)
        ]
    errand.gate.set()
    async with start(errand.declared()) as engine:
        assert engine.chat.texts() == ["milk was there"]
        assert await engine.sql(LEFT) == []


async def test_after_a_crash_they_run_one_by_one_and_hold_up_no_start(start: Start, errand: Errand) -> None:
    async with start(errand.declared(), crash=True) as engine:
        await due(engine, "a", "b", "c")
        await errand.begins(3)
    errand.begun.clear()
    errand.most = 0
    errand.gate.set()
    async with start(errand.declared()) as engine:
        assert sorted(errand.begun) == ["a", "b", "c"]
        assert errand.most == 1
        errand.gate.clear()
        await due(engine, "d", "e")
        await errand.begins(5)
        assert errand.most == 2
        errand.gate.set()


async def test_the_alert_that_it_is_about_is_never_left_without_a_next_step(
    start: Start, errand: Errand
) -> None:
    pager = Pager().declared()
    steps = {"errand.run": owned("errand", errand.run, pages=True)}
    errand.gate.set()
    async with start(replace(pager, timers={**pager.timers, **steps})) as engine:
        subject = await engine.report(fires())

        def instead(tx: Transaction) -> None:
            tx.cancel_timer("pager.step", subject)
            tx.set_timer("errand.run", subject, after=DELAY)

        await engine.run.tocsin.turn(instead)
        await engine.advance(minutes=10)
        assert "No plugin will page anybody for it." in engine.chat.texts("room/#ops")[-1]


async def live(folder: Path) -> list[str]:
    """A daemon that an errand brings down, as often as it is started; until it has learnt to live."""
    start = Start(daemon.prepare(Document.open(folder / "config.toml")).config, folder / "state")

    async def deadly(_: Timer, tocsin: Tocsin) -> None:
        await tocsin.turn(lambda tx: tx.now)
        os._exit(9)

    timers = {"bell.ring": owned("bell", deadly)}
    async with start(Declared(timers=timers)) as engine:
        if not (folder / "begun").exists():
            (folder / "begun").touch()
            await engine.run.tocsin.turn(lambda tx: tx.set_timer("bell.ring", "milk", at=tx.now))
            await engine.run.settled()
        return engine.chat.texts()


STARTS = """
import asyncio, os, pathlib, sys
from tests.daemon.test_errands import live

for deaths in range(9):
    if not (pid := os.fork()):
        sys.exit(print(*asyncio.run(live(pathlib.Path(sys.argv[1]))), sep="\\n"))
    if os.waitpid(pid, 0)[1] == 0:
        break
print(deaths)
"""


async def test_one_that_brings_the_daemon_down_is_given_up_and_told(start: Start) -> None:
    command = [sys.executable, "-c", STARTS, str(start.folder.parent)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.splitlines() == [
        "milk bell.ring is given up: the daemon went down with it 3 times. See the log.",
        "3",
    ]
