"""Round robin: one of those whom a step names is called for each alert, and the next one for the next."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tocsin_escalation.events import TurnTaken
from tocsin_escalation.plan import FrozenStep, Position
from tocsin_escalation.turns import whose_turn

from tests.engine import Engine, fires, over
from tests.plugins.policy_parts import AT, replayed, taken
from tests.plugins.test_escalation_trees import told
from tests.tower import Tower, asks, away, policy

THREE = '["alice", "bob", "carol"]'
TEAM = f"[teams.web]\nmembers = {THREE}\n"


def turns(of: str = '"web"', more: str = '{ page = "dave", after = "5m" }', *settings: str) -> str:
    return policy(f"{{ page = {of}, round_robin = true }}, {more}", *settings)


async def fire(engine: Engine, *keys: str) -> None:
    """These fire, and are over before anybody else is called."""
    for key in keys:
        await engine.report(fires(key=key))
        await engine.report(over(key))


def called(tower: Tower) -> list[str]:
    return [page.split()[1] for page in tower.chat.pages()]


@pytest.mark.parametrize(
    ("names", "tables"),
    [
        ('"web"', TEAM),
        (THREE, ""),
        ('["primary", "carol"]', '[schedules.primary]\non_call = ["alice", "bob"]\n'),
        ('["web", "bob", "alice"]', TEAM),
    ],
)
async def test_each_alert_calls_the_next_one(tower: Tower, names: str, tables: str) -> None:
    async with tower(turns(names), tables) as engine:
        await fire(engine, *"abcdefg")
        assert called(tower) == ["alice", "bob", "carol"] * 2 + ["alice"]


@pytest.mark.parametrize("crash", [False, True])
async def test_whose_turn_it_is_holds_over_a_restart_and_an_edit_of_the_policy(
    tower: Tower, *, crash: bool
) -> None:
    async with tower(turns(), TEAM, crash=crash) as engine:
        await fire(engine, "a")
    edited = policy('{ page = "dave", hours = "Sun" }, { page = "web", round_robin = true }', "repeat = 0")
    async with tower(edited, TEAM) as engine:
        await fire(engine, "b", "c")
    left = TEAM.replace('"carol"', '"dave"')  # the one who had the last turn is gone
    async with tower(edited, left) as engine:
        await fire(engine, "d", "e")
    assert called(tower) == ["alice", "bob", "carol", "alice", "bob"]


async def test_in_later_rounds_the_next_one_is_called_and_it_is_nobody_elses_turn(tower: Tower) -> None:
    steps = turns('"web"', '{ room = "console", after = "1m" }', "repeat = 4", 'repeat_after = "1m"')
    async with tower(steps, TEAM) as engine:
        await engine.report(fires(key="a"))
        await engine.advance(minutes=6)
        assert tower.chat.pages() == [
            "03:00:00 alice",
            "03:02:00 bob",
            "03:04:00 carol",
            "03:06:00 alice",
        ]
        await engine.says("alice", "!ack")
        await engine.report(fires(key="b"))
        assert tower.chat.pages()[4:] == ["03:06:00 bob"]


async def test_an_alert_does_not_come_back_to_the_same_person_as_others_take_their_turns(
    tower: Tower,
) -> None:
    steps = turns('["alice", "bob"]', '{ page = ["alice", "bob"], round_robin = true, after = "5m" }')
    async with tower(steps) as engine:
        await engine.report(fires(key="a"))  # alice
        await engine.advance(minutes=1)
        await engine.report(fires(key="b"))  # bob
        await engine.advance(minutes=5)
        assert called(tower) == ["alice", "bob", "bob", "alice"]


async def test_who_can_not_be_reached_is_passed_over(tower: Tower) -> None:
    async with tower(turns(), TEAM) as engine:
        await fire(engine, "a")
        engine.chat.unseen = {"bob"}
        engine.chat.fails = away("bob")
        await fire(engine, "b", "c", "d")
        assert called(tower) == ["alice", "carol", "alice", "carol"]
        engine.chat.unseen = {"alice", "bob", "carol"}
        await fire(engine, "e")
        assert len(called(tower)) == 5  # never nobody


async def test_who_sleeps_is_passed_over_if_it_may_wait_and_if_all_do_it_waits_for_the_first(
    tower: Tower,
) -> None:
    low = '[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nurgency = "low"\n'
    for name, end in (("alice", "05:00"), ("bob", "04:00")):
        tower.people = tower.people.replace(f"[people.{name}]\n", f'[people.{name}]\nquiet = "22:00-{end}"\n')
    two = turns('["alice", "bob"]')
    async with tower(low, turns(), TEAM) as engine:
        await fire(engine, "a", "b")
        assert tower.chat.pages() == ["03:00:00 carol"] * 2
        assert "in the morning" not in "".join(tower.chat.told())
    async with tower(low, two, TEAM) as engine:
        await engine.report(fires(key="c"))
        await engine.advance(hours=3)
        assert tower.chat.pages()[2:4] == ["04:00:00 bob", "04:05:00 dave"]


async def test_of_those_for_whom_it_is_day_one_is_called(tower: Tower) -> None:
    for name in ("alice", "carol"):
        tower.people = tower.people.replace(
            f"[people.{name}]\n", f'[people.{name}]\ntimezone = "Pacific/Auckland"\n'
        )
    steps = turns().replace("round_robin = true", 'round_robin = true, who = "awake"')
    async with tower(steps, TEAM) as engine:
        await fire(engine, "a", "b", "c")
        assert called(tower) == ["alice", "carol", "alice"]


async def test_who_comes_on_call_is_not_called_besides(tower: Tower) -> None:
    async with tower(turns('"primary"'), '[schedules.primary]\non_call = ["alice", "bob"]\n') as engine:
        await engine.report(fires())
    async with tower(turns('"primary"'), '[schedules.primary]\non_call = ["alice", "carol"]\n') as engine:
        await engine.advance(minutes=1)
        assert called(tower) == ["alice"]


async def test_what_fires_again_calls_the_one_whom_it_had_called(tower: Tower) -> None:
    async with tower(turns(), TEAM) as engine:
        await engine.report(fires())
        await engine.advance(minutes=1)
        await engine.report(over())
        await engine.report(fires())
        assert called(tower) == ["alice", "alice"]


async def test_an_alert_that_is_given_back_is_the_turn_of_the_next(tower: Tower) -> None:
    async with tower(turns(), TEAM) as engine:
        subject = await engine.report(fires())
        await engine.says("alice", "!ack")
        await engine.says("alice", "!unack")
        assert called(tower) == ["alice", "bob"]
        assert "web (in turn), after 5m dave" in (await asks(engine, "bob", f"!why {subject}"))[0]


# By itself.

NAMES = ("a", "b", "c", "d", "e")


@given(st.lists(st.sampled_from(NAMES), min_size=1, unique=True), st.integers(0, 40), st.sampled_from(NAMES))
def test_as_many_alerts_for_one_as_for_another_but_one_at_most(
    people: list[str], alerts: int, last: str
) -> None:
    came = Counter(dict.fromkeys(people, 0))
    for _ in range(alerts):
        last = whose_turn(people, NAMES, last)
        came[last] += 1
    assert max(came.values()) - min(came.values()) <= 1
    assert sum(came.values()) == alerts


@given(
    st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
    st.lists(st.sampled_from(NAMES), unique=True),
    st.sampled_from((*NAMES, "gone", "")),
    st.sets(st.sampled_from(NAMES)),
)
def test_somebody_is_always_called_and_nobody_twice_before_all_were(
    people: list[str], order: list[str], last: str, called_before: set[str]
) -> None:
    one = whose_turn(people, order, last, called_before)
    assert one in people
    assert one not in called_before or set(people) <= called_before
    if len(people) > 1 and not called_before:
        assert one != last


def test_a_round_over_all_of_them_calls_each_once() -> None:
    last, came = "", list[str]()
    for _ in NAMES:
        last = whose_turn(NAMES, NAMES, last, came)
        came.append(last)
    assert came == list(NAMES)


def test_whom_a_step_called_last_is_known_by_its_events() -> None:
    walk = replayed(
        [
            taken(people=("alice",)),
            taken(Position(0, 1), people=("carol",)),
            taken(Position(1, 0), people=("bob",)),
            taken(Position(1, 1), missing=("web",)),
        ]
    ).walk
    assert walk.turns == {0: "bob", 1: "carol"}


def test_what_is_kept_is_read_back() -> None:
    turn = TurnTaken(subject="turns/web", at=AT, person="alice", alert="k7f3")
    shape = TypeAdapter(TurnTaken)
    assert shape.validate_json(shape.dump_json(turn)) == turn
    assert (turn.kind, turn.headline()) == ("escalation.turn_taken", "alice was called for k7f3")
    step = FrozenStep(("web",), (), timedelta(0), round_robin=True)
    assert TypeAdapter(FrozenStep).validate_json(TypeAdapter(FrozenStep).dump_json(step)) == step


@pytest.mark.parametrize(
    ("steps", "complaints"),
    [
        ('{ page = "web", round_robin = true }', []),
        (
            '{ page = "alice", round_robin = true }',
            ["warning: policies.ops.steps[0].round_robin: means nothing: the step names one person"],
        ),
        (
            '{ room = "console", round_robin = true }',
            [
                (
                    "policies.ops.steps[0]: says who of those it pages is meant, and pages nobody: say it of a step "
                    "with page = NAME"
                )
            ],
        ),
    ],
)
def test_turns_of_one_are_told(tower: Tower, steps: str, complaints: list[str]) -> None:
    assert told(tower, policy(steps), TEAM) == complaints
