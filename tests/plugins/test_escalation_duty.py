"""Whoever comes on call while it rings is paged."""

from datetime import timedelta

import pytest

from tests.engine import fires
from tests.tower import FACT, Tower, asks, policy

STEPS = policy('{ page = "primary" }, { page = "bob", after = "5m" }', "repeat = 1", 'repeat_after = "10m"')
CHANGES = "select subject, headline from events where kind = 'oncall.changed' order by seq"


def on_call(*people: str, name: str = "primary") -> str:
    return f"[schedules.{name}]\non_call = {list(people)}\n".replace("'", '"')


async def test_who_comes_on_call_is_paged_for_what_rings_and_the_room_is_told(tower: Tower) -> None:
    async with tower(STEPS, on_call("alice")) as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=2)
    async with tower(STEPS, on_call("alice", "carol", "dave")) as engine:
        assert sorted(tower.chat.pages()) == ["03:00:00 alice", "03:02:00 carol", "03:02:00 dave"]
        assert engine.chat.texts("person/carol") == [f"{subject} {FACT} · !ack {subject}"]
        line = "03:02:00 carol and dave came on call: paging carol and dave"
        assert tower.chat.told()[-1] == line
        assert line in (await asks(engine, "alice", f"!why {subject}"))[0]
        await engine.advance(minutes=3)
        assert tower.chat.pages()[3:] == ["03:05:00 bob"]


@pytest.mark.parametrize(
    ("minutes", "after", "pages"),
    [
        (0, ("bob",), ["03:00:00 bob"]),
        (0, (), []),
        (6, ("alice", "bob"), []),  # who was paged already
        (16, ("alice", "carol"), ["03:16:00 carol"]),
        (31, ("carol",), ["03:31:00 carol"]),  # also after the end
    ],
)
async def test_only_who_is_new_is_paged(
    tower: Tower, minutes: int, after: tuple[str, ...], pages: list[str]
) -> None:
    async with tower(STEPS, on_call("alice")) as engine:
        await engine.report(fires())
        await engine.advance(minutes=minutes)
    before = len(tower.chat.pages())
    async with tower(STEPS, on_call(*after)):
        assert tower.chat.pages()[before:] == pages


async def test_a_step_that_has_not_come_calls_nobody_yet(tower: Tower) -> None:
    steps = policy('{ page = "bob" }, { page = "primary", after = "5m" }')
    async with tower(steps, on_call("alice")) as engine:
        await engine.report(fires())
        await engine.advance(minutes=1)
    async with tower(steps, on_call("carol")) as engine:
        assert tower.chat.pages() == ["03:00:00 bob"]
        await engine.advance(minutes=4)
        assert tower.chat.pages() == ["03:00:00 bob", "03:05:00 carol"]


async def test_in_the_next_round_only_the_steps_of_that_count(tower: Tower) -> None:
    steps = policy(
        '{ page = "bob" }, { page = "primary", after = "5m" }', "repeat = 1", 'repeat_after = "1m"'
    )
    async with tower(steps, on_call("alice")) as engine:
        await engine.report(fires())
        await engine.advance(minutes=7)
    async with tower(steps, on_call("carol")):
        assert tower.chat.pages() == ["03:00:00 bob", "03:05:00 alice", "03:06:00 bob"]


@pytest.mark.parametrize("word", ["!ack", "!done"])
async def test_for_what_somebody_has_nobody_is_paged(tower: Tower, word: str) -> None:
    async with tower(STEPS, on_call("alice")) as engine:
        await engine.report(fires())
        await engine.says("alice", word)
    async with tower(STEPS, on_call("carol")) as engine:
        await engine.advance(hours=1)
        assert tower.chat.pages() == ["03:00:00 alice"]


async def test_a_change_is_kept_once_and_the_first_look_is_none(tower: Tower) -> None:
    tables = (STEPS, on_call("alice"), on_call(name="other"))
    async with tower(*tables) as engine:
        await engine.advance(minutes=10)
        looks = [("schedule/other", "nobody on call"), ("schedule/primary", "alice on call")]
        assert sorted(await engine.sql(CHANGES)) == looks
    async with tower(*tables) as engine:
        assert len(await engine.sql(CHANGES)) == 2
    async with tower(STEPS, on_call("bob", "carol"), on_call(name="other")) as engine:
        await engine.advance(minutes=10)
        assert (await engine.sql(CHANGES))[2:] == [("schedule/primary", "bob and carol on call")]


async def test_it_looks_when_each_minute_begins(tower: Tower) -> None:
    tower.clock.step(timedelta(seconds=20))
    async with tower(STEPS, on_call("alice")) as engine:
        due = "select due_at from timers where kind = 'core.on_call'"
        assert "03:01:00" in str(await engine.sql(due))
        await engine.advance(seconds=40)
        assert "03:02:00" in str(await engine.sql(due))
    async with tower() as engine:  # with no schedule there is nothing to look at
        await engine.advance(minutes=2)
        assert await engine.sql(due) == []


async def test_it_looks_on_while_the_wall_clock_is_set_back(tower: Tower) -> None:
    async with tower(STEPS, on_call("alice")) as engine:
        tower.clock.step(timedelta(days=-1))
        await engine.advance(minutes=5)
        due = await engine.sql("select due_at from timers where kind = 'core.on_call'")
        assert "2026-11-20T03:06:00" in str(due)


async def test_who_comes_on_call_in_their_quiet_hours_is_paged_after_them_if_that_may_wait(
    tower: Tower,
) -> None:
    tower.people = tower.people.replace("[people.carol]\n", '[people.carol]\nquiet = "22:00-06:00"\n')
    low = '[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nurgency = "low"\n'
    steps = policy('{ page = "primary" }, { page = "bob", after = "5h" }')
    async with tower(low, steps, on_call("alice")) as engine:
        await engine.report(fires())
    async with tower(low, steps, on_call("carol")) as engine:
        assert tower.chat.told()[-1] == "03:00:00 carol came on call: carol in the morning"
        await engine.advance(hours=3)
        assert tower.chat.pages() == ["03:00:00 alice", "06:00:00 carol"]


async def test_a_step_that_waits_for_who_was_on_call_comes_at_once_if_who_is_now_is_awake(
    tower: Tower,
) -> None:
    tower.people = tower.people.replace("[people.alice]\n", '[people.alice]\nquiet = "22:00-06:00"\n')
    low = '[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nurgency = "low"\n'
    async with tower(low, STEPS, on_call("alice")) as engine:
        await engine.report(fires())
        await engine.advance(hours=1)
        assert tower.chat.pages() == []
    async with tower(low, STEPS, on_call("carol")) as engine:
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["04:00:00 carol", "04:05:00 bob"]
