"""Which tree an alert takes, and what the tree says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from pydantic import TypeAdapter

from tocsin.domain.event import Event
from tocsin.domain.labels import Matchers
from tocsin_escalation.events import (
    EscalationExhausted,
    EscalationStarted,
    HolderAsked,
    MembersTold,
    PeopleJoined,
    StepPutOff,
    StepTaken,
)
from tocsin_escalation.plan import FrozenStep, Plan, Position
from tocsin_escalation.policy import Policy, Route, Step, Urgency, choose

from tests.plugins.policy_parts import (
    AT,
    FIRST,
    FIVE,
    JOINED,
    NO_TIME,
    TEN,
    WAITS,
    plan,
    replayed,
    step,
    taken,
)


def routes(*matchers: str) -> list[Route]:
    return [Route(Matchers.parse(text), f"p{number}") for number, text in enumerate(matchers)]


DB, WEB, NONE = {"team": "db"}, {"team": "web", "severity": "critical"}, dict[str, str]()


@pytest.mark.parametrize(
    ("matchers", "alerts", "chosen"),
    [
        ([], [DB], None),
        (['team="db"'], [], None),
        (['team="db"'], [DB], 0),
        (['team="db"'], [WEB], None),
        (['team="web"', 'team="db"'], [DB], 1),
        (['team="web"', 'team="db"'], [DB, WEB], 0),
        (['team="db"', 'team=~"d.*"'], [DB], 0),
        (['team=~"d"'], [DB], None),
        (['team=~"d|w.*", severity!=""'], [DB], None),
        (['team=~"d|w.*", severity!=""'], [WEB], 0),
        # One alert has the one, another the other: neither has both.
        (['team="db", severity="critical"'], [DB, WEB], None),
        # A label that is missing is empty.
        (['team!="db"'], [NONE], 0),
        (['team!="db"'], [DB], None),
        (['team!="db"'], [DB, NONE], 0),
        (['team!~"d.*", team!=""'], [DB, NONE], None),
        (["", 'team="db"'], [DB], 0),
        (['team="web"', ""], [DB], 1),
    ],
)
def test_the_first_route_that_takes_one_of_the_alerts_is_chosen(
    matchers: Sequence[str], alerts: Sequence[Mapping[str, str]], chosen: int | None
) -> None:
    assert choose(routes(*matchers), iter(alerts)) == chosen


def test_a_plan_is_the_policy_as_it_stood() -> None:
    steps = (
        Step(page=("alice", "db"), room=("db",), after=TEN),
        Step(page=("bob",)),
        Step(room=("console",)),
    )
    assert Plan.of("ops", {"ops": Policy(steps, repeat=2, repeat_after=FIVE)}) == Plan(
        policy="ops",
        steps=(
            FrozenStep(("alice", "db"), ("db",), TEN),
            FrozenStep(("bob",), (), NO_TIME),
            FrozenStep((), ("console",), NO_TIME),
        ),
        rounds=3,
        rest=FIVE,
    )
    assert Plan.of("ops", {"ops": Policy(steps)}).rounds == 4
    assert Plan.of("ops", {"ops": Policy(steps)}).rest == FIVE


@pytest.mark.parametrize(
    ("frozen", "text"),
    [
        (plan(step("alice", wait=TEN)), "alice"),
        (plan(), "alice, after 5m bob"),
        (plan(rounds=2), "alice, after 5m bob; 10m later all of it again, 1 time"),
        (plan(rounds=4), "alice, after 5m bob; 10m later all of it again, 3 times"),
        (
            plan(step("alice", "bob"), step("carol", room=("db",), wait=timedelta(minutes=90))),
            "alice and bob, after 1h30m carol and the room of db",
        ),
        (
            plan(step(room=("db", "console")), step("a", "b", "c", wait=timedelta(seconds=30))),
            "the room of db and the room of console, after 30s a, b and c",
        ),
    ],
)
def test_a_plan_reads_as_a_sentence(frozen: Plan, text: str) -> None:
    assert str(frozen) == text


def test_steps_come_in_order_round_after_round_and_each_after_its_own_wait() -> None:
    frozen = plan(step("a", wait=TEN), step("b", wait=FIVE), step("c", wait=NO_TIME), rounds=2)
    walk = [Position(0, 0)]
    while not frozen.is_over(walk[-1]):
        walk.append(frozen.after(walk[-1], "critical"))
    assert walk == [Position(*at) for at in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]]
    waits = [frozen.wait(last, following) for last, following in pairwise(walk)]
    assert waits == [FIVE, NO_TIME, TEN, FIVE, NO_TIME, TEN]


def test_the_rest_is_not_the_wait_of_the_first_step() -> None:
    frozen = plan(step("a", wait=FIVE), rest=timedelta(hours=2))
    assert frozen.wait(FIRST, Position(1, 0)) == timedelta(hours=2)


@pytest.mark.parametrize("position", [Position(1, 0), Position(1, 1), Position(2, 0)])
def test_nothing_comes_after_the_end(position: Position) -> None:
    assert plan().is_over(position)
    with pytest.raises(ValueError, match=r"^nothing comes after the end$"):
        plan().after(position, "critical")


def test_a_step_that_calls_nobody_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^calls nobody: give it page = NAME, room = NAME or policy = NAME$"
    ):
        Step(after=FIVE)


def test_repetition_without_a_pause_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^would repeat without a pause: give it a longer repeat_after, or repeat = 0$"
    ):
        Policy((Step(page=("alice",)),), repeat_after=NO_TIME)
    assert Policy((Step(page=("alice",)),), repeat=0, repeat_after=NO_TIME).repeat == 0


LOW = replace(plan(replace(step("alice"), severity=("error",))), urgency=Urgency.LOW, team="db")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (taken(people=("alice",)), "step 1: paging alice"),
        (
            taken(Position(0, 2), people=("alice", "bob"), rooms=("#db",)),
            "step 3: paging alice, bob and #db",
        ),
        (taken(Position(1, 0), people=("alice",)), "step 1, for the 2nd time: paging alice"),
        (
            taken(Position(2, 1), rooms=("#db",), by="carol"),
            "step 2, for the 3rd time, asked for by carol: paging #db",
        ),
        (taken(people=("bob",), by="carol"), "step 1, asked for by carol: paging bob"),
        (taken(Position(0, 1), missing=("primary",)), "step 2: nobody to page (primary)"),
    ],
)
def test_a_step_tells_whom_it_calls_how_often_and_who_asked(event: StepTaken, text: str) -> None:
    assert event.headline() == text


@pytest.mark.parametrize(
    ("number", "ordinal"),
    [
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (22, "22nd"),
        (101, "101st"),
        (111, "111th"),
        (112, "112th"),
        (123, "123rd"),
    ],
)
def test_rounds_are_counted_as_people_count(number: int, ordinal: str) -> None:
    event = taken(Position(number - 1, 0), people=("alice",))
    assert event.headline() == f"step 1, for the {ordinal} time: paging alice"


def test_the_beginning_tells_the_policy_and_why() -> None:
    event = EscalationStarted(subject="k7f3", at=AT, plan=plan(rounds=2), because="the default")
    assert (
        event.headline() == "policy ops (the default): alice, after 5m bob; 10m later all of it again, 1 time"
    )


def test_the_end_tells_whether_anything_rings() -> None:
    def end(*, rang: bool) -> str:
        return EscalationExhausted(subject="k7f3", at=AT, count=1, rang=rang).headline()

    assert end(rang=True) == "nobody answered, and the fallback rings"
    assert end(rang=False) == "nobody answered, and no fallback is configured"
    assert end(rang=False).endswith("no fallback is configured")


@pytest.mark.parametrize(
    "event",
    [
        EscalationStarted(
            subject="k7f3", at=AT, plan=plan(step("a", room=("db",)), rounds=3), because='routes[0]: a="b"'
        ),
        taken(Position(2, 1), people=("alice",), rooms=("#db",), by="carol", pages=(7, 8)),
        taken(missing=("primary",)),
        taken(people=("alice",), asleep=("bob",)),
        EscalationStarted(subject="k7f3", at=AT, plan=LOW, because="the default", severity="error"),
        WAITS,
        JOINED,
        HolderAsked(subject="k7f3", at=AT, person="alice"),
        MembersTold(subject="k7f3", at=AT, person="alice", alerts=("a", "b")),
        EscalationExhausted(subject="k7f3", at=AT, count=3, rang=True),
    ],
)
def test_what_is_kept_is_read_back_as_it_was(event: Event) -> None:
    shape = TypeAdapter[Event](type(event))
    assert shape.validate_json(shape.dump_json(event)) == event


def test_events_are_forever() -> None:
    old: dict[type[Event], str] = {
        EscalationStarted: """{"subject": "k7f3", "at": "2026-11-21T03:00:00Z", "because": "the default", "plan":
            {"policy": "ops", "steps": [{"page": ["alice"], "room": [], "wait": "PT5M"}], "rounds": 1, "rest": "PT10M"}}""",
        StepTaken: '{"subject": "k7f3", "at": "2026-11-21T03:00:00Z", "at_step": {"round": 1, "step": 2}}',
        EscalationExhausted: '{"subject": "k7f3", "at": "2026-11-21T03:00:00Z", "count": 2, "rang": false}',
    }
    events = [TypeAdapter[Event](shape).validate_json(text) for shape, text in old.items()]
    assert events[0] == EscalationStarted(
        subject="k7f3", at=AT, plan=plan(step("alice")), because="the default"
    )
    progress = replayed(events)
    assert progress.plan == plan(step("alice"))
    assert (progress.walk.position, progress.walk.exhausted) == (Position(1, 2), 2)
    assert [event.kind for event in events] == [
        "escalation.started",
        "escalation.step_taken",
        "escalation.exhausted",
    ]


def test_events_that_came_with_trees_and_quiet_hours_are_forever() -> None:
    old: dict[type[Event], str] = {
        EscalationStarted: """{"subject": "k7f3", "at": "2026-11-21T03:00:00Z", "because": "the default", "severity": "error",
            "plan": {"policy": "ops", "steps": [{"page": ["alice"], "room": [], "wait": "PT5M", "severity": ["error"]}],
            "rounds": 1, "rest": "PT10M", "urgency": "low", "team": "db"}}""",
        StepTaken: """{"subject": "k7f3", "at": "2026-11-21T03:00:00Z", "at_step": {"round": 0, "step": 0},
            "people": ["carol"], "asleep": ["dave"]}""",
        PeopleJoined: """{"subject": "k7f3", "at": "2026-11-21T03:00:00Z", "people": ["bob"], "because": "bob came on call",
            "asleep": ["alice"]}""",
        StepPutOff: """{"subject": "k7f3", "at": "2026-11-21T03:00:00Z", "at_step": {"round": 0, "step": 1},
            "people": ["alice"], "until": "2026-11-21T06:00:00Z", "there": "07:00 UTC+1"}""",
        HolderAsked: '{"subject": "k7f3", "at": "2026-11-21T03:00:00Z", "person": "alice"}',
        MembersTold: '{"subject": "k7f3", "at": "2026-11-21T03:00:00Z", "person": "alice", "alerts": ["a", "b"]}',
    }
    events = [TypeAdapter[Event](shape).validate_json(text) for shape, text in old.items()]
    progress = replayed(events)
    assert (progress.plan, progress.severity) == (LOW, "error")
    assert progress.walk.put_off == WAITS
    assert sorted(progress.walk.called) == ["bob", "carol"]
    assert sorted(progress.walk.asleep) == ["alice", "dave"]
    assert [event.headline() for event in events[1:]] == [
        "step 1: paging carol, and dave in the morning",
        "bob came on call: paging bob, and alice in the morning",
        "waits for alice's morning (07:00 UTC+1)",
        "alice was asked: still on it?",
        "told of 2 more alerts since alice has it",
    ]
    assert events[0].headline() == "policy ops, low urgency (the default): alice (if error)"
    assert [event.kind for event in events[2:]] == [
        "escalation.people_joined",
        "escalation.step_put_off",
        "escalation.holder_asked",
        "escalation.members_told",
    ]
