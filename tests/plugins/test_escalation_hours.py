"""Steps that come only in some hours of the week, and steps that call those for whom it is day."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tocsin.domain.oncall import QuietHours, Responder
from tocsin_escalation.conditions import Who, Window, is_day, uncovered
from tocsin_escalation.plan import FrozenStep, Plan, Position
from tocsin_escalation.policy import Policy, Step

from tests.engine import alert, fires, gone, over
from tests.plugins.policy_parts import AT, step
from tests.plugins.test_escalation_trees import told
from tests.tower import EMPTY, Tower, asks, policy, timers

# It is Saturday, 21 November, 03:00 UTC, which is 04:00 in Berlin and 16:00 in Auckland.

BERLIN, AUCKLAND = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Auckland")
MINUTE = timedelta(minutes=1)


def three(bob: str) -> str:
    """Alice, bob under that condition half an hour later, and carol ten minutes after that."""
    steps = (
        f'{{ page = "alice" }}, {{ page = "bob", after = "30m", {bob} }}, {{ page = "carol", after = "10m" }}'
    )
    return policy(steps, "repeat = 0")


@pytest.mark.parametrize(
    ("condition", "pages"),
    [
        ('hours = "Mon-Fri 08:00-20:00", timezone = "UTC"', ["03:00 alice", "03:10 carol"]),
        ('hours = "Sat"', ["03:00 alice", "03:30 bob", "03:40 carol"]),
        ('hours = ["Sun", "03:00-04:00"]', ["03:00 alice", "03:30 bob", "03:40 carol"]),
        ('hours = "03:00-04:00", timezone = "Europe/Berlin"', ["03:00 alice", "03:10 carol"]),
        ('hours = "04:00-05:00", timezone = "Europe/Berlin"', ["03:00 alice", "03:30 bob", "03:40 carol"]),
        # When it would come is what counts, and the end of hours is none of them.
        ('hours = "03:30-03:31"', ["03:00 alice", "03:30 bob", "03:40 carol"]),
        ('hours = "03:00-03:30"', ["03:00 alice", "03:10 carol"]),
        ('severity = "critical", hours = "Sun"', ["03:00 alice", "03:10 carol"]),
    ],
)
async def test_outside_of_its_hours_a_step_is_passed_over_and_takes_no_time(
    tower: Tower, condition: str, pages: list[str]
) -> None:
    async with tower(three(condition)) as engine:
        await engine.report(fires())
        await engine.advance(minutes=41)
        assert tower.chat.pages() == [page.replace(" ", ":00 ") for page in pages]


async def test_hours_are_those_of_the_policys_clocks_unless_the_step_says_others(tower: Tower) -> None:
    steps = '{ page = "alice", hours = "04:00-05:00" }, { page = "bob", after = "5m", hours = "04:00-05:00", timezone = "UTC" }'
    async with tower(policy(steps, "repeat = 0", 'timezone = "Europe/Berlin"')) as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=6)
        assert tower.chat.pages() == ["03:00:00 alice"]
        (story,) = await asks(engine, "carol", f"!why {subject}")
        assert "alice (04:00-05:00 Europe/Berlin), after 5m bob (04:00-05:00 UTC)" in story


async def test_hours_of_a_step_that_names_a_policy_hold_for_all_of_its_steps(tower: Tower) -> None:
    steps = '{ policy = "more", hours = "Sat" }, { page = "dave", after = "5m" }'
    more = policy('{ page = "alice", hours = "Sun" }, { page = "bob" }', name="more")
    async with tower(policy(steps, "repeat = 0"), more) as engine:
        await engine.report(fires())
        await engine.advance(minutes=6)
        assert tower.chat.pages() == ["03:00:00 bob", "03:05:00 dave"]


async def test_a_later_round_may_come_in_other_hours(tower: Tower) -> None:
    steps = '{ page = "alice", hours = "03:10-04:00" }, { page = "bob" }'
    async with tower(policy(steps, "repeat = 1", 'repeat_after = "10m"')) as engine:
        await engine.report(fires())
        await engine.advance(minutes=10)
        assert tower.chat.pages() == ["03:00:00 bob", "03:10:00 alice", "03:10:00 bob"]


async def test_after_a_step_that_can_page_nobody_the_next_one_is_looked_at_as_of_now(tower: Tower) -> None:
    steps = '{ page = "empty" }, { page = "bob", after = "30m", hours = "03:00-03:10" }, { page = "carol", after = "5m" }'
    async with tower(policy(steps), EMPTY) as engine:
        await engine.report(fires())
        await engine.advance(minutes=6)
        assert tower.chat.pages() == ["03:00:00 bob", "03:05:00 carol"]


async def test_who_asks_for_the_next_step_gets_the_one_that_is_open_now(tower: Tower) -> None:
    async with tower(three('hours = "03:00-03:10"')) as engine:
        await engine.report(fires())
        await engine.advance(minutes=1)
        await engine.says("carol", "!up")
        assert tower.chat.pages() == ["03:00:00 alice", "03:01:00 bob"]


async def test_where_no_step_has_its_hours_the_fallback_rings_at_once_and_the_steps_come_when_they_have(
    tower: Tower,
) -> None:
    steps = '{ page = "alice", hours = "03:07-04:00" }, { page = "bob", after = "5m", hours = "03:07-04:00" }'
    async with tower(policy(steps, "repeat = 0", 'repeat_after = "1m"')) as engine:
        subject = await engine.report(fires())
        assert tower.chat.told() == ["03:00:00 nobody answers"]
        assert await timers(engine) == [subject]
        await engine.advance(minutes=13)
        assert tower.chat.pages() == ["03:07:00 alice", "03:12:00 bob"]
        assert [line[:8] for line in tower.chat.told() if "nobody" in line] == [
            "03:00:00",
            "03:01:00",
            "03:03:00",
            "03:13:00",
        ]


async def test_a_step_that_waits_for_a_morning_makes_room_when_its_hours_are_over(tower: Tower) -> None:
    tower.people = tower.people.replace("[people.alice]\n", '[people.alice]\nquiet = "22:00-07:00"\n')
    low = '[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nurgency = "low"\n'
    steps = '{ page = "alice", hours = "03:00-04:10" }, { page = "bob", after = "5m" }'
    async with tower(low, policy(steps)) as engine:
        await engine.report(fires())
        await engine.advance(hours=1, minutes=14)
        assert tower.chat.pages() == []
        await engine.advance(minutes=1)
        assert tower.chat.pages() == ["04:15:00 bob"]


# Awake first.


def lives(tower: Tower, **people: str) -> None:
    """These people live there, or have these quiet hours."""
    for name, what in people.items():
        line = f'timezone = "{what}"' if "/" in what else f'quiet = "{what}"'
        tower.people = tower.people.replace(f"[people.{name}]\n", f"[people.{name}]\n{line}\n")


AWAKE = policy('{ page = ["alice", "bob"], who = "awake" }, { page = "carol", after = "5m" }')


async def test_of_those_it_names_only_those_for_whom_it_is_day_are_paged(tower: Tower) -> None:
    lives(tower, alice="Europe/Berlin", bob="Pacific/Auckland")
    async with tower(AWAKE) as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 bob", "03:05:00 carol"]
        assert tower.chat.told()[0] == "03:00:00 paging bob (it is night for alice)"
        assert (
            "alice and bob (whoever is awake), after 5m carol"
            in (await asks(engine, "bob", f"!why {subject}"))[0]
        )


@pytest.mark.parametrize("urgency", ["normal", "urgent"])
async def test_if_it_is_night_for_all_of_them_all_are_paged(tower: Tower, urgency: str) -> None:
    lives(tower, alice="Europe/Berlin", bob="22:00-07:00")
    route = f'[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nurgency = "{urgency}"\n'
    async with tower(route, AWAKE) as engine:
        await engine.report(fires())
        assert sorted(tower.chat.pages()) == ["03:00:00 alice", "03:00:00 bob"]


async def test_what_may_wait_waits_for_the_first_morning_only_if_it_is_night_for_all(tower: Tower) -> None:
    low = '[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nurgency = "low"\n'
    lives(tower, alice="22:00-07:00", bob="22:00-03:10")
    async with tower(low, AWAKE) as engine:
        await engine.report(fires())
        await engine.advance(minutes=10)
        assert tower.chat.told() == [
            "03:00:00 waits for bob's morning (03:10 UTC)",
            "03:10:00 paging bob (it is night for alice)",
        ]
        await engine.advance(hours=5)
        assert not [page for page in tower.chat.pages() if "08:" in page]


async def test_one_who_is_awake_and_can_not_be_paged_keeps_nobody_from_being_paged(tower: Tower) -> None:
    lives(tower, alice="Europe/Berlin", bob="Pacific/Auckland")
    async with tower(AWAKE) as engine:
        await engine.report(fires())
    lost = 'timezone = "Pacific/Auckland"\naccounts.console = "bob"'
    assert lost in tower.people
    tower.people = tower.people.replace(lost, 'timezone = "Pacific/Auckland"')
    steps = AWAKE.replace('"alice", "bob"', '"alice"')
    async with tower(steps) as engine:
        await engine.report(fires(key="new"))
        assert tower.chat.pages() == ["03:00:00 bob", "03:00:00 alice"]


async def test_what_fires_again_calls_those_whom_it_had_called(tower: Tower) -> None:
    lives(tower, alice="Europe/Berlin", bob="Pacific/Auckland")
    async with tower(AWAKE) as engine:
        await engine.report(fires())
        await engine.advance(minutes=1)
        await engine.report(over())
        await engine.advance(minutes=1)
        await engine.report(fires())
        assert tower.chat.pages() == ["03:00:00 bob", "03:02:00 bob"]


@pytest.mark.parametrize(
    ("quiet", "zone", "at", "day"),
    [
        (None, "UTC", "07:59", False),
        (None, "UTC", "08:00", True),
        (None, "UTC", "21:59", True),
        (None, "UTC", "22:00", False),
        (None, "Asia/Kolkata", "02:30", True),
        (None, "Asia/Kolkata", "02:29", False),
        ("22:00-07:00", "UTC", "07:00", True),
        ("22:00-07:00", "UTC", "06:59", False),
        ("13:00-14:00", "UTC", "13:30", False),
        ("13:00-14:00", "UTC", "23:30", True),
        ("22:00-07:00", "Europe/Berlin", "06:00", True),
    ],
)
def test_day_is_outside_of_quiet_hours_or_from_8_to_22_o_clock(
    quiet: str | None, zone: str, at: str, *, day: bool
) -> None:
    person = Responder(timezone=ZoneInfo(zone), quiet=QuietHours.parse(quiet) if quiet else None)
    assert is_day(person, datetime.fromisoformat(f"2026-11-21T{at}Z")) is day


# What the operator is told.


@pytest.mark.parametrize(
    ("steps", "complaints"),
    [
        ('{ page = "alice", hours = "Sat", timezone = "UTC" }, { page = "bob" }', []),
        (
            '{ page = "alice", hours = "Mon-Fri 08:00-20:00", timezone = "UTC" }',
            [
                (
                    "warning: policies.ops: alerts go straight to the fallback when no step has its hours, "
                    "as on Mon 00:00 UTC: add a step without hours"
                )
            ],
        ),
        (
            (
                '{ page = "alice", hours = "Mon-Fri", timezone = "UTC" }, '
                '{ page = "bob", hours = "Sat,Sun", timezone = "UTC" }'
            ),
            [],
        ),
        (
            (
                '{ page = "alice", hours = "Mon-Fri", timezone = "Europe/Berlin" }, '
                '{ page = "bob", hours = "Sat 00:00-Mon 00:00", timezone = "Europe/Berlin", severity = ["critical", "error"] }, '
                '{ page = "bob", severity = "warning" }'
            ),
            [
                (
                    "warning: policies.ops: alerts of severity 'info' go straight to the fallback "
                    "when no step has its hours, as on Fri 23:00 UTC: add a step without hours"
                )
            ],
        ),
        (
            '{ page = "alice" }, { page = "bob", hours = "Sat" }',
            [
                (
                    "warning: policies.ops.steps[1].hours: are those of UTC, summer and winter: say timezone = "
                    "'Europe/Berlin', or 'UTC' if you mean that"
                )
            ],
        ),
        (
            '{ page = "alice", hours = "Sat 8-20" }',
            [
                (
                    "policies.ops.steps[0]: hours must be days and hours such as 'Mon-Fri 08:00-20:00', 'Sat,Sun', "
                    "'22:00-06:00' or 'Fri 17:00-Mon 09:00', not 'Sat 8-20'"
                )
            ],
        ),
        (
            '{ room = "console", who = "awake" }',
            [
                (
                    "policies.ops.steps[0]: says who of those it pages is meant, and pages nobody: say it of a step "
                    "with page = NAME"
                )
            ],
        ),
        (
            '{ page = "alice", hours = 8 }',
            ["policies.ops.steps[0].hours: must be a text or a list of texts, not 8"],
        ),
    ],
)
def test_hours_that_leave_nobody_are_warned_of(tower: Tower, steps: str, complaints: list[str]) -> None:
    assert told(tower, policy(steps)) == complaints


# The plan, by itself.


def test_a_plan_with_conditions_is_kept_and_read_back_as_it_was() -> None:
    policies = {
        "ops": Policy((Step(policy="more", hours=("Sat", "Sun")),), timezone=BERLIN),
        "more": Policy((Step(page=("alice",), hours=("08:00-20:00",), timezone=AUCKLAND, who=Who.AWAKE),)),
    }
    plan = Plan.of("ops", policies)
    windows = (Window(("Sat", "Sun"), "Europe/Berlin"), Window(("08:00-20:00",), "Pacific/Auckland"))
    assert plan.steps == (FrozenStep(("alice",), (), timedelta(0), None, windows, Who.AWAKE),)
    assert (
        str(plan.steps[0])
        == "alice (Sat or Sun Europe/Berlin, 08:00-20:00 Pacific/Auckland, whoever is awake)"
    )
    shape = TypeAdapter(Plan)
    assert shape.validate_json(shape.dump_json(plan)) == plan


def test_hours_follow_the_clocks_of_their_zone_in_summer_and_winter() -> None:
    window = Window(("08:00-20:00",), "Europe/Berlin")
    for day, first in (("2026-01-05", "07:00"), ("2026-07-06", "06:00")):
        begin = datetime.fromisoformat(f"{day}T{first}Z")
        assert not window.holds(begin - MINUTE)
        assert window.holds(begin)
        assert window.holds(begin + timedelta(hours=12) - MINUTE)
        assert not window.holds(begin + timedelta(hours=12))


TEXTS = (
    "Mon-Fri 08:00-20:00",
    "Sat,Sun",
    "22:00-06:00",
    "Fri 17:00-Mon 09:00",
    "Wed",
    "12:00-13:00",
    "08:00-20:00",
)
windows = st.lists(
    st.builds(
        Window,
        st.lists(st.sampled_from(TEXTS), min_size=1, max_size=2).map(tuple),
        st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Auckland", "Australia/Lord_Howe"]),
    ),
    max_size=2,
).map(tuple)
instants = st.integers(0, 7 * 24 * 12 - 1).map(
    lambda number: datetime(2026, 7, 5, tzinfo=UTC) + number * 5 * MINUTE
)


@given(st.lists(windows, min_size=1, max_size=3), instants)
def test_where_no_gap_is_found_there_is_none(steps: list[tuple[Window, ...]], at: datetime) -> None:
    gap = uncovered(steps)
    if gap is None:
        assert any(all(window.holds(at) for window in each) for each in steps)
    else:
        assert not any(all(window.holds(gap) for window in each) for each in steps)


@given(st.lists(windows, min_size=1, max_size=4), st.integers(1, 3), instants, st.data())
def test_the_next_step_is_the_first_that_is_open_when_it_would_come(
    conditions: list[tuple[Window, ...]], rounds: int, now: datetime, data: st.DataObject
) -> None:
    steps = tuple(
        FrozenStep(("alice",), (), timedelta(minutes=30 * number), None, each)
        for number, each in enumerate(conditions)
    )
    plan = Plan("ops", steps, rounds, timedelta(hours=8))
    last = Position(data.draw(st.integers(0, rounds - 1)), data.draw(st.integers(0, len(steps) - 1)))
    found = plan.after(last, "critical", lambda following: now + plan.wait(last, following))
    order = [Position(number, place) for number in range(rounds) for place in range(len(steps))]
    later = [at for at in order[order.index(last) + 1 :] if at.round <= last.round + 1]
    fitting = [
        at
        for at in later
        if all(window.holds(now + plan.wait(last, at)) for window in steps[at.step].windows)
    ]
    assert found == (fitting[0] if fitting else Position(rounds, 0))


def test_a_step_without_conditions_reads_as_ever() -> None:
    assert str(step("alice")) == "alice"
    assert step("alice").is_open(AT)


async def test_less_severe_while_a_step_waits_those_for_that_severity_come_after_all(tower: Tower) -> None:
    tower.people = tower.people.replace("[people.bob]\n", '[people.bob]\nquiet = "22:00-07:00"\n')
    low = '[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nurgency = "low"\n'
    steps = policy('{ page = "alice", severity = "warning" }, { page = "bob" }')
    both = alert(), alert("Load", severity="warning")
    async with tower(low, steps) as engine:
        await engine.report(fires(*both))
        await engine.report(gone(both[0].fingerprint))
        await engine.advance(minutes=1)
        assert tower.chat.pages() == ["03:00:00 alice"]


async def test_a_wait_that_ends_with_the_hours_of_the_last_step_rings_the_fallback_once(
    tower: Tower, rung: Callable[[], list[str]]
) -> None:
    tower.people = tower.people.replace("[people.alice]\n", '[people.alice]\nquiet = "22:00-07:00"\n')
    low = '[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nurgency = "low"\n'
    steps = policy('{ page = "alice", hours = "03:00-03:20" }', "repeat = 0", 'repeat_after = "1h"')
    async with tower(low, steps) as engine:
        await engine.report(fires())
        await engine.advance(minutes=29)
        assert rung() == []
        await engine.advance(minutes=60)
        assert len(rung()) == 1
