"""However much goes on, the self-check tells nothing that is no fault."""

from tests.engine import Engine, fires
from tests.plugins.flapping_parts import SLOW, begins_to_flap, comes_and_goes
from tests.plugins.storm_parts import comes, storming
from tests.plugins.test_escalation_hold import HELD, nights
from tests.tower import TWO_STEPS, Tower, down, mends, policy

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
