"""A step that waits until somebody is on call."""

from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from tocsin_escalation.events import StepHeld
from tocsin_escalation.plan import FrozenStep, Plan, Position

from tests.engine import alert, fires, over
from tests.plugins.policy_parts import AT, plan, replayed, step, taken
from tests.plugins.test_escalation_trees import told
from tests.tower import EMPTY, FACT, Tower, asks, policy, timers

# It is Saturday, 21 November, 03:00 UTC, which is 04:00 in Berlin.


def nights(
    *people: str, hours: str = "Sat 09:00-17:00", name: str = "primary", zone: str = "Europe/Berlin"
) -> str:
    """Somebody is on call in these hours alone."""
    quoted = ", ".join(f'"{one}"' for one in people)
    head = f'[schedules.{name}]\ntimezone = "{zone}"\n[[schedules.{name}.layers]]\n'
    return f'{head}people = [[{quoted}]]\nbegins = "2026-01-05 00:00"\nhours = ["{hours}"]\n'


HELD = policy('{ page = "primary", hold = true }, { page = "bob", after = "5m" }', "repeat = 0")


async def test_while_nobody_is_on_call_the_step_waits_until_somebody_is(tower: Tower) -> None:
    async with tower(HELD, nights("alice")) as engine:
        subject = await engine.report(fires())
        line = "nobody is on call by primary: waits for alice (09:00 Europe/Berlin)"
        assert tower.chat.told() == [f"03:00:00 {line}"]
        assert await timers(engine) == [subject]
        (story,) = await asks(engine, "carol", f"!why {subject}")
        assert f"03:00:00 {line}" in story
        assert "primary (held until somebody is on call), after 5m bob" in story
        await engine.advance(hours=5, minutes=6)
        assert tower.chat.pages() == ["08:00:00 alice", "08:05:00 bob"]
        assert sum("nobody is on call" in line for line in tower.chat.told()) == 1


async def test_without_hold_the_next_step_comes_at_once(tower: Tower) -> None:
    async with tower(HELD.replace(", hold = true", ""), nights("alice")) as engine:
        await engine.report(fires())
        assert tower.chat.pages() == ["03:00:00 bob"]


async def test_while_somebody_is_on_call_nothing_waits(tower: Tower) -> None:
    async with tower(HELD, nights("alice", hours="Sat")) as engine:
        await engine.report(fires())
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 bob"]


async def test_of_several_schedules_the_first_that_has_somebody_counts(tower: Tower) -> None:
    steps = HELD.replace('"primary"', '["primary", "second"]')
    async with tower(
        steps, nights("alice"), nights("carol", name="second", hours="Sat 06:00-07:00")
    ) as engine:
        await engine.report(fires())
        assert "by second: waits for carol (06:00 Europe/Berlin)" in tower.chat.told()[0]
        await engine.advance(hours=2)
        assert tower.chat.pages() == ["05:00:00 carol"]


@pytest.mark.parametrize(
    ("table", "pages"),
    [
        (EMPTY.replace("empty", "primary"), ["03:00:00 bob"]),
        # The last look is 92 days ahead.
        (nights("alice").replace("2026-01-05", "2027-02-27"), ["03:00:00 bob"]),
        (nights("alice").replace("2026-01-05", "2027-02-20"), []),
    ],
)
async def test_if_nobody_will_be_on_call_the_next_step_comes(
    tower: Tower, table: str, pages: list[str]
) -> None:
    async with tower(HELD, table) as engine:
        subject = await engine.report(fires())
        assert tower.chat.pages() == pages
        assert await timers(engine) == [subject]


async def test_who_is_on_call_and_can_not_be_paged_is_not_waited_for(tower: Tower) -> None:
    async with tower(HELD, nights("alice", hours="Sat")) as engine:
        await engine.report(fires())
    tower.people = tower.people.replace('[people.alice]\naccounts.console = "alice"\n', "[people.alice]\n")
    async with tower(HELD, nights("alice", hours="Sat").replace("alice", "carol")) as engine:
        await engine.advance(minutes=5)
        assert tower.chat.pages()[-1] == "03:05:00 bob"


@pytest.mark.parametrize("crash", [False, True])
async def test_the_wait_holds_over_a_restart(tower: Tower, *, crash: bool) -> None:
    async with tower(HELD, nights("alice"), crash=crash) as engine:
        await engine.report(fires())
    async with tower(HELD, nights("alice")) as engine:
        await engine.advance(hours=5)
        assert tower.chat.pages() == ["08:00:00 alice"]


async def test_whoever_comes_on_call_sooner_is_paged_then(tower: Tower) -> None:
    async with tower(HELD, nights("alice")) as engine:
        await engine.report(fires())
    async with tower(HELD, nights("carol", hours="Sat 05:00-06:00")) as engine:
        await engine.advance(hours=1)
        assert tower.chat.pages() == ["04:00:00 carol"]
        await engine.advance(minutes=5)
        assert tower.chat.pages()[1:] == ["04:05:00 bob"]


async def test_if_nobody_comes_after_all_the_next_step_comes_within_a_quarter_of_an_hour(
    tower: Tower,
) -> None:
    async with tower(HELD, nights("alice")) as engine:
        await engine.report(fires())
    async with tower(HELD, EMPTY.replace("empty", "primary")) as engine:
        await engine.advance(minutes=15)
        assert tower.chat.pages() == ["03:15:00 bob"]


async def test_who_asks_for_the_next_step_does_not_wait(tower: Tower) -> None:
    async with tower(HELD, nights("alice")) as engine:
        await engine.report(fires())
        await engine.says("carol", "!up")
        assert tower.chat.pages() == ["03:00:00 bob"]
        assert "step 1: nobody to page (primary)" in tower.chat.told()[1]


@pytest.mark.parametrize("word", ["!ack", "!done"])
async def test_an_answer_ends_the_wait(tower: Tower, word: str) -> None:
    async with tower(HELD, nights("alice")) as engine:
        await engine.report(fires())
        await engine.says("carol", word, room="#ops")
        assert await timers(engine) == []
        await engine.advance(hours=6)
        assert tower.chat.pages() == []


async def test_what_becomes_worse_chooses_its_policy_anew_and_waits_no_longer(tower: Tower) -> None:
    routes = '[[plugins.escalation.routes]]\nmatch = [\'severity="critical"\']\npolicy = "loud"\n'
    async with tower(routes, HELD, policy('{ page = "carol" }', name="loud"), nights("alice")) as engine:
        await engine.report(fires(alert("Load", severity="warning")))
        await engine.report(fires())
        assert tower.chat.pages() == ["03:00:00 carol"]


async def test_what_fires_again_waits_on(tower: Tower) -> None:
    steps = policy('{ page = "bob" }, { page = "primary", after = "5m", hold = true }', "repeat = 0")
    async with tower(steps, nights("alice")) as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=5)
        await engine.report(over())
        await engine.advance(minutes=1)
        assert await engine.report(fires()) == subject
        assert tower.chat.told()[-1] == "03:06:00 fires again: paging bob"
        await engine.advance(hours=6)
        assert tower.chat.pages() == ["03:00:00 bob", "03:06:00 bob", "08:00:00 alice"]


async def test_somebody_who_sleeps_when_they_come_on_call_is_waited_for_if_it_may_wait(tower: Tower) -> None:
    low = '[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nurgency = "low"\n'
    tower.people = tower.people.replace("[people.alice]\n", '[people.alice]\nquiet = "22:00-10:00"\n')
    async with tower(low, HELD, nights("alice")) as engine:
        await engine.report(fires())
        await engine.advance(hours=7)
        assert tower.chat.pages() == ["10:00:00 alice"]
        assert tower.chat.told()[:2] == [
            "03:00:00 nobody is on call by primary: waits for alice (09:00 Europe/Berlin)",
            "08:00:00 waits for alice's morning (10:00 UTC)",
        ]


async def test_the_wait_follows_the_wall_clock(tower: Tower) -> None:
    async with tower(HELD, nights("alice")) as engine:
        await engine.report(fires())
        tower.clock.step(timedelta(hours=5))
        await engine.advance(minutes=1)
        assert tower.chat.pages() == ["08:00:00 alice"]


async def test_the_room_reads_what_it_is_about(tower: Tower) -> None:
    async with tower(HELD, nights("alice")) as engine:
        subject = await engine.report(fires())
        assert engine.chat.texts("room/#ops") == [
            f"{subject} nobody is on call by primary: waits for alice (09:00 Europe/Berlin): {FACT} · !ack {subject}"
        ]


@pytest.mark.parametrize(
    ("steps", "complaints"),
    [
        ('{ page = ["alice", "primary"], hold = true }', []),
        (
            '{ page = "alice", hold = true }',
            ["warning: policies.ops.steps[0].hold: means nothing: none of those that it pages is a schedule"],
        ),
        (
            '{ page = "primary", room = "console", hold = true }',
            ["warning: policies.ops.steps[0].hold: means nothing: a room can always be told"],
        ),
        (
            '{ room = "console", hold = true }',
            [
                (
                    "policies.ops.steps[0]: waits until somebody is on call, and names no schedule: say it of a step "
                    "with page = NAME"
                )
            ],
        ),
    ],
)
def test_a_hold_that_means_nothing_is_told(tower: Tower, steps: str, complaints: list[str]) -> None:
    assert told(tower, policy(steps), nights("alice")) == complaints


HELD_EVENT = StepHeld(
    subject="k7f3",
    at=AT,
    at_step=Position(0, 1),
    schedule="primary",
    people=("alice",),
    until=AT + timedelta(hours=5),
    there="09:00 Europe/Berlin",
)


def test_what_is_kept_is_read_back_and_tells_what_it_waits_for() -> None:
    shape = TypeAdapter(StepHeld)
    assert shape.validate_json(shape.dump_json(HELD_EVENT)) == HELD_EVENT
    assert HELD_EVENT.kind == "escalation.step_held"
    walk = replayed([taken(pages=(7,)), HELD_EVENT]).walk
    assert (walk.put_off, walk.pages, walk.begun) == (HELD_EVENT, frozenset(), True)
    assert walk.next_position(plan(), "critical", AT) == Position(0, 1)


def test_a_plan_with_a_hold_is_read_back() -> None:
    frozen = Plan(
        "ops", (FrozenStep(("primary",), (), timedelta(0), hold=True), step("bob")), 1, timedelta(0)
    )
    shape = TypeAdapter(Plan)
    assert shape.validate_json(shape.dump_json(frozen)) == frozen


async def test_whoever_stands_in_by_an_override_is_paged_at_once(tower: Tower) -> None:
    async with tower(HELD, nights("alice"), "[plugins.handoff]") as engine:
        await engine.report(fires())
        await asks(engine, "carol", "!take primary for 1h")
        assert tower.chat.told()[-1] == "03:00:00 paging carol"
        await engine.advance(minutes=5)
        assert tower.chat.pages()[-1] == "03:05:00 bob"


async def test_while_it_waits_a_step_that_was_passed_over_stays_so(tower: Tower) -> None:
    early = '{ page = "bob", hours = "05:00-06:00", timezone = "UTC" }, '
    async with tower(HELD.replace("steps = [", f"steps = [{early}"), nights("alice")) as engine:
        await engine.report(fires())
        await engine.advance(hours=5)
        assert tower.chat.pages() == ["08:00:00 alice"]
