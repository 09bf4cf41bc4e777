"""However much goes on, the self-check tells nothing that is no fault."""

import asyncio
import time

import pytest

from tests.conftest import Figure
from tests.engine import Engine, fires
from tests.plugins.flapping_parts import SLOW, begins_to_flap, comes_and_goes
from tests.plugins.storm_parts import comes, storming
from tests.plugins.test_escalation_hold import HELD, nights
from tests.tower import TWO_STEPS, Tower, down, mends, policy

OPEN = 10_000

SLEEPY = """\
[[plugins.escalation.routes]]
match = []
policy = "ops"
urgency = "low"
"""


async def is_quiet(engine: Engine, minutes: int) -> None:
    """Nothing is found in so long, at any of the looks."""
    for _ in range(minutes):
        await engine.advance(minutes=1)
        assert engine.run.daemon.auditor.complaint() == ""
    assert [line for line in engine.chat.texts() if "self-check" in line] == []


async def test_a_storm_and_its_end(tower: Tower) -> None:
    async with storming(tower) as engine:
        await comes(engine, 200, "HighLoad", "DiskFull")
        await is_quiet(engine, 12)
        digest = engine.chat.texts("person/alice")[-1].split()[0]
        await engine.says("alice", f"ack {digest}")
        await is_quiet(engine, 3)


async def test_a_storm_while_the_network_is_away(tower: Tower) -> None:
    async with storming(tower) as engine:
        assert engine.chat.listener
        engine.chat.fails = down()
        engine.chat.listener.down("console", "no link")
        await comes(engine, 60, "HighLoad", "DiskFull")
        await is_quiet(engine, 12)
        await mends(engine)
        await is_quiet(engine, 6)


async def test_many_alerts_told_one_by_one(tower: Tower) -> None:
    async with tower() as engine:
        await comes(engine, 60)
        await is_quiet(engine, 8)


async def test_a_step_that_waits_for_somebody_to_come_on_call(tower: Tower) -> None:
    async with tower(HELD, nights("alice")) as engine:
        await engine.report(fires())
        await is_quiet(engine, 40)


async def test_a_step_that_waits_for_the_morning(tower: Tower) -> None:
    tower.people = tower.people.replace(
        "[people.alice]", '[people.alice]\ntimezone = "Europe/Berlin"\nquiet = "22:00-07:00"'
    )
    async with tower(policy('{ page = "alice" }'), SLEEPY) as engine:
        await engine.report(fires())
        assert engine.chat.texts("person/alice") == []
        await is_quiet(engine, 40)


async def test_what_flaps(tower: Tower) -> None:
    async with tower(SLOW) as engine:
        await begins_to_flap(engine)
        for _ in range(3):
            await comes_and_goes(engine, 2)
            await is_quiet(engine, 1)
        await is_quiet(engine, 20)


async def test_what_is_silenced(tower: Tower) -> None:
    async with tower(TWO_STEPS, "[plugins.silence]") as engine:
        ids = await comes(engine, 50)
        for one in ids[:25]:
            await engine.says("alice", f"!silence {one} 20m")
        for one in ids[25:]:
            await engine.says("alice", f"!ack {one}")
        await is_quiet(engine, 25)


async def test_a_tree_that_comes_to_its_end_and_rings_the_fallback(tower: Tower) -> None:
    tower.people += '[fallback]\ncommand = ["/bin/false"]\n'
    async with tower() as engine:
        await engine.report(fires())
        await is_quiet(engine, 60)


async def look(engine: Engine) -> tuple[float, float]:
    """How long a look takes, and how long the event loop was held up at most meanwhile; in ms."""
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            worst = max(worst, time.perf_counter() - began - 0.005)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    await engine.run.daemon.auditor._look()  # noqa: SLF001 (a look, and nothing else)
    took = time.perf_counter() - began
    watching.cancel()
    return took * 1000, worst * 1000


@pytest.mark.alone
async def test_ten_thousand_open_alerts_are_looked_at_without_holding_anything_up(
    tower: Tower, figure: Figure
) -> None:
    async with storming(tower) as engine:
        await comes(engine, OPEN, "HighLoad", "DiskFull")
        await engine.advance(seconds=50)
        for what in ("that ring", "that were answered"):
            took, held = await look(engine)
            figure(f"self-check of {OPEN:,} alerts {what}: {took:.0f} ms, the loop held up {held:.0f} ms")
            assert engine.run.daemon.auditor.complaint() == ""
            assert held < 100
            digest = engine.chat.texts("person/alice")[-1].split()[0]
            await engine.says("alice", f"ack {digest}")
            await engine.advance(seconds=5)
        assert await engine.sql("select count(*) from timers where kind = 'escalation.step'") == [(1,)]
