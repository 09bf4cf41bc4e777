"""Policies that name other policies, and steps that come only for some severities."""

from datetime import timedelta

import pytest

from tocsin import daemon
from tocsin.config import Document
from tocsin.domain.words import key_path
from tocsin.errors import ConfigError
from tocsin_escalation.plan import FrozenStep, Plan, Position
from tocsin_escalation.policy import Policy, Step, Urgency, circle, sizes

from tests.engine import alert, fires, gone
from tests.tower import EMPTY, Tower, asks, policy, timers

ONE, FIVE, TEN, HOUR = (timedelta(minutes=minutes) for minutes in (1, 5, 10, 60))

TREE = {
    "ops": Policy(
        (
            Step(page=("alice",)),
            Step(policy="leads", after=TEN, severity=("critical", "error")),
            Step(page=("dave",), after=HOUR),
        ),
        repeat=1,
        repeat_after=ONE,
    ),
    "leads": Policy(
        (Step(page=("bob",), after=FIVE), Step(policy="last"), Step(room=("db",), after=FIVE)), repeat=7
    ),
    "last": Policy((Step(page=("carol",), after=HOUR, severity=("error", "info")),)),
}


def test_a_policy_that_names_others_is_one_list_of_steps_with_its_own_repetition() -> None:
    both = ("critical", "error")
    assert Plan.of("ops", TREE, urgency=Urgency.LOW, team="db") == Plan(
        "ops",
        (
            FrozenStep(("alice",), (), timedelta(0)),
            FrozenStep(("bob",), (), TEN, both),
            FrozenStep(("carol",), (), timedelta(0), ("error",)),
            FrozenStep((), ("db",), FIVE, both),
            FrozenStep(("dave",), (), HOUR),
        ),
        rounds=2,
        rest=ONE,
        urgency=Urgency.LOW,
        team="db",
    )
    assert sizes(TREE) == {"ops": 5, "leads": 3, "last": 1}
    assert str(Plan.of("leads", {**TREE, "leads": Policy(TREE["leads"].steps, repeat=0)})) == (
        "bob, then carol (if error or info), after 5m the room of db"
    )


def test_severities_that_exclude_one_another_leave_a_step_that_never_comes() -> None:
    outer = Policy((Step(page=("alice",)), Step(policy="last", severity=("critical",))))
    plan = Plan.of("ops", {**TREE, "ops": outer})
    assert plan.steps[1].severity == ()
    assert str(plan).startswith("alice, then carol (if never);")
    assert plan.after(Position(0, 0), "critical") == Position(1, 0)


@pytest.mark.parametrize(
    ("severity", "walk"),
    [
        ("critical", [(0, 0), (0, 1), (0, 3), (0, 4), (1, 0), (1, 1), (1, 3), (1, 4), (2, 0)]),
        ("error", [(number, step) for number in range(2) for step in range(5)] + [(2, 0)]),
        ("warning", [(0, 0), (0, 4), (1, 0), (1, 4), (2, 0)]),
    ],
)
def test_a_walk_passes_over_the_steps_that_do_not_apply(severity: str, walk: list[tuple[int, int]]) -> None:
    plan = Plan.of("ops", TREE)
    came, waits = [plan.after(None, severity)], []
    while not plan.is_over(came[-1]):
        came.append(plan.after(came[-1], severity))
        waits.append(plan.wait(came[-2], came[-1]))
    assert came == [Position(*at) for at in walk]
    own = [plan.steps[at.step].wait if at.step else ONE for at in came[1:]]
    assert waits == own


def test_where_no_step_applies_the_end_comes_first() -> None:
    plan = Plan.of("last", TREE)
    assert plan.after(None, "critical") == Position(4, 0)
    assert plan.wait(None, Position(4, 0)) == timedelta(0)


@pytest.mark.parametrize(
    ("names", "way"),
    [
        ({"a": ["b"], "b": ["c"], "c": []}, []),
        ({"a": ["a"]}, ["a", "a"]),
        ({"a": ["c", "b"], "b": ["c"], "c": ["b"]}, []),
        ({"b": ["c"], "c": ["b"], "a": []}, []),
        ({"a": ["d", "b"], "b": ["c"], "c": ["a"], "d": []}, ["a", "b", "c", "a"]),
    ],
)
def test_a_circle_is_found_by_whoever_is_part_of_it(names: dict[str, list[str]], way: list[str]) -> None:
    policies = {
        name: Policy((Step(page=("alice",)), *(Step(policy=one) for one in branches)))
        for name, branches in names.items()
    }
    assert circle("a", policies) == way


# What the operator is told.


def told(tower: Tower, *tables: str) -> list[str]:
    """What is wrong with the escalation's settings."""
    try:
        problems = daemon.prepare(Document.open(tower.write("\n".join([tower.people, *tables])))).warnings
    except ConfigError as error:
        problems = error.problems
    lines = [f"{'' if one.fatal else 'warning: '}{key_path(one.at)}: {one.text}" for one in problems]
    return [line.replace("plugins.escalation.", "") for line in lines if "plugins.escalation" in line]


ALICE = '{ page = "alice" }'


@pytest.mark.parametrize(
    ("tables", "complaints"),
    [
        ([policy(f'{ALICE}, {{ policy = "more", after = "5m" }}'), policy(ALICE, name="more")], []),
        (
            [policy('{ policy = "mor" }'), policy(ALICE, name="more")],
            [
                "policies.ops.steps[0].policy: no policy is called 'mor'; did you mean 'more'?",
                "warning: policies.more: no route leads here",
            ],
        ),
        (
            [policy(f'{ALICE}, {{ policy = "more" }}'), policy('{ policy = "ops" }', name="more")],
            ["policies.ops: leads back to itself: ops → more → ops"],
        ),
        (
            [
                policy('{ policy = "b" }, { policy = "b" }'),
                *(
                    policy(f'{{ policy = "{after}" }}, {{ policy = "{after}" }}', name=name)
                    for name, after in ("bc", "cd", "de", "ef", "fg")
                ),
                policy(f"{ALICE}, {ALICE}", name="g"),
            ],
            ["policies.ops: has 128 steps with those of the policies that it names: 100 at most"],
        ),
        (
            [policy('{ page = "alice", severity = ["critical", "wraning"] }')],
            ["policies.ops.steps[0].severity: no severity is called 'wraning'; did you mean 'warning'?"]
            + [
                f"warning: policies.ops: alerts of severity '{one}' would go straight to the fallback: no step is for them"
                for one in ("error", "warning", "info")
            ],
        ),
        (
            [
                policy('{ policy = "more", severity = ["critical", "error", "warning", "info"] }'),
                policy('{ page = "bob", severity = ["critical", "error", "warning"] }', name="more"),
            ],
            [
                "warning: policies.ops: alerts of severity 'info' would go straight to the fallback: no step is for them"
            ],
        ),
        (
            [policy('{ page = "alice", policy = "ops" }')],
            ["policies.ops.steps[0]: names a policy, and calls somebody by itself: make two steps of it"],
        ),
        (
            [policy(ALICE), '[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nurgency = "hgih"'],
            ["routes[0].urgency: must be 'low', 'normal' or 'urgent', not 'hgih'"],
        ),
        (
            [
                policy(ALICE),
                '[teams.db]\nmembers = ["alice"]',
                '[[plugins.escalation.routes]]\nmatch = \'a="1"\'\npolicy = "ops"\nteam = "dbs"',
                '[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nteam = "db"',
            ],
            [
                "routes[0].team: no team is called 'dbs'; did you mean 'db'?",
                "warning: routes[1].team: team db has no room: add teams.db.rooms",
            ],
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_or_warned_of(
    tower: Tower, tables: list[str], complaints: list[str]
) -> None:
    assert told(tower, *tables) == complaints


def test_timeouts_are_refused_for_severities_that_nobody_knows_or_without_any_time(tower: Tower) -> None:
    tower.people = tower.people.replace(
        "ack_timeout = {}", 'ack_timeout = { critcal = "1h", info = "0s" }\nack_grace = "0s"'
    )
    assert told(tower, policy(ALICE)) == [
        "ack_timeout.critcal: no severity is called 'critcal'; did you mean 'critical'?",
        "ack_timeout.info: is no time at all: leave it out, and nobody is asked",
        "ack_grace: leaves no time to answer",
    ]


# The steps as they come.

CRITICAL_ONLY = policy(
    '{ page = "alice" }, { page = "bob", after = "30m", severity = "critical" }, { page = "carol", after = "10m" }',
    "repeat = 0",
)
CRITICAL, WARNING = alert(), alert("Load", severity="warning")


async def test_a_tree_is_climbed_as_one_list(tower: Tower) -> None:
    tree = policy(
        '{ page = "alice" }, { policy = "more", after = "10m" }, { page = "dave", after = "1m" }',
        "repeat = 0",
    )
    more = policy('{ page = "bob" }, { page = "carol", after = "2m" }', "repeat = 5", name="more")
    async with tower(tree, more) as engine:
        await engine.report(fires())
        await engine.advance(minutes=17, seconds=59)
        assert tower.chat.pages() == ["03:00:00 alice", "03:10:00 bob", "03:12:00 carol", "03:13:00 dave"]
        await engine.advance(seconds=1)
        assert tower.chat.told()[-1] == "03:18:00 nobody answers"


@pytest.mark.parametrize(
    ("severity", "pages"),
    [
        ("critical", ["03:00:00 alice", "03:30:00 bob", "03:40:00 carol"]),
        ("unheard-of", ["03:00:00 alice", "03:30:00 bob", "03:40:00 carol"]),
        ("warning", ["03:00:00 alice", "03:10:00 carol"]),
    ],
)
async def test_a_step_that_does_not_apply_takes_no_time(
    tower: Tower, severity: str, pages: list[str]
) -> None:
    async with tower(CRITICAL_ONLY) as engine:
        await engine.report(fires(alert(severity=severity)))
        await engine.advance(minutes=41)
        assert tower.chat.pages() == pages


async def test_if_no_step_came_before_the_first_that_applies_comes_at_once(tower: Tower) -> None:
    steps = '{ page = "alice", severity = "critical" }, { page = "bob", after = "10m" }'
    async with tower(policy(steps, "repeat = 1", 'repeat_after = "7m"')) as engine:
        await engine.report(fires(WARNING))
        await engine.advance(minutes=8)
        assert tower.chat.pages() == ["03:00:00 bob", "03:07:00 bob"]


async def test_where_no_step_applies_the_fallback_rings_at_once(tower: Tower) -> None:
    async with tower(policy('{ page = "alice", severity = "critical" }')) as engine:
        subject = await engine.report(fires(WARNING))
        assert tower.chat.pages() == []
        assert "nobody answers: warning Load" in engine.chat.texts("room/#ops")[0]
        assert await timers(engine) == [subject]


@pytest.mark.parametrize(("minutes", "carol"), [(4, "03:10:00"), (10, "03:10:00"), (22, "03:22:00")])
async def test_when_it_becomes_less_severe_the_next_step_that_applies_counts_from_the_last(
    tower: Tower, minutes: int, carol: str
) -> None:
    async with tower(CRITICAL_ONLY) as engine:
        await engine.report(fires(CRITICAL, WARNING))
        await engine.advance(minutes=minutes)
        await engine.report(gone(CRITICAL.fingerprint))
        await engine.advance(minutes=40)
        assert tower.chat.pages() == ["03:00:00 alice", f"{carol} carol"]


async def test_when_it_is_as_severe_again_as_it_was_the_step_for_that_comes_after_all(tower: Tower) -> None:
    async with tower(CRITICAL_ONLY) as engine:
        await engine.report(fires(CRITICAL, WARNING))
        await engine.report(gone(CRITICAL.fingerprint))
        await engine.advance(minutes=5)
        await engine.report(fires(CRITICAL, WARNING))
        await engine.advance(minutes=36)
        assert tower.chat.pages() == ["03:00:00 alice", "03:30:00 bob", "03:40:00 carol"]


async def test_a_plan_says_for_which_severities_a_step_is(tower: Tower) -> None:
    async with tower(CRITICAL_ONLY, EMPTY) as engine:
        subject = await engine.report(fires())
        (answer,) = await asks(engine, "alice", f"!why {subject}")
        assert "alice, after 30m bob (if critical), after 10m carol" in answer
