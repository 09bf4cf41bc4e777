"""How far an escalation has come, by what happened, and the walk along its plan."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tocsin.api import PAGE_DEADLINE
from tocsin.domain.event import Event
from tocsin.domain.group import (
    GroupAcknowledged,
    GroupReopened,
    GroupResolved,
    GroupUnacknowledged,
    SilenceEnded,
)
from tocsin.domain.page import PageDelivered, PageFailed
from tocsin_escalation.events import (
    EscalationExhausted,
    EscalationStarted,
    StepTaken,
)
from tocsin_escalation.plan import Plan, Position
from tocsin_escalation.progress import Outcome, Progress, Walk

from tests.plugins.policy_parts import AT, FIVE, JOINED, NO_TIME, TEN, WAITS, plan, replayed, step, taken


def delivered(page: int) -> PageDelivered:
    return PageDelivered(subject="k7f3", at=AT, page=page, person="", place="console/room/#ops")


def failed(page: int) -> PageFailed:
    return PageFailed(subject="k7f3", at=AT, page=page, person="", place="console/room/#ops", why="no link")


STARTED = EscalationStarted(subject="k7f3", at=AT, plan=plan(), because="the default")
ONE, TWO = taken(pages=(1, 2)), taken(Position(0, 1), pages=(3,))
UNACKNOWLEDGED = GroupUnacknowledged(subject="k7f3", at=AT, by="bob")
EXHAUSTED = EscalationExhausted(subject="k7f3", at=AT, count=1, rang=True)


@pytest.mark.parametrize(
    ("events", "first"),
    [
        ([STARTED, ONE], None),
        ([STARTED, ONE, delivered(2), delivered(1)], delivered(2)),
        ([STARTED, ONE, failed(1), delivered(1)], failed(1)),
        ([STARTED, ONE, failed(1), delivered(2)], failed(1)),
        ([STARTED, ONE, delivered(9)], None),
        ([STARTED, ONE, delivered(1), TWO], None),
        ([STARTED, ONE, TWO, delivered(1)], None),
        ([STARTED, ONE, TWO, delivered(1), failed(3)], failed(3)),
        ([STARTED, ONE, EXHAUSTED, delivered(1)], None),
        ([STARTED, ONE, UNACKNOWLEDGED, delivered(1)], None),
    ],
)
def test_the_first_outcome_of_the_last_steps_pages_counts(
    events: Sequence[Event], first: Outcome | None
) -> None:
    assert replayed(events).walk.first == first


@pytest.mark.parametrize(
    ("events", "following"),
    [
        ([STARTED], Position(0, 0)),
        ([STARTED, ONE], Position(0, 1)),
        ([STARTED, ONE, TWO], Position(1, 0)),
        ([STARTED, ONE, TWO, EXHAUSTED], Position(1, 0)),
        ([STARTED, ONE, TWO, EXHAUSTED, UNACKNOWLEDGED], Position(0, 0)),
        ([STARTED, ONE, GroupAcknowledged(subject="k7f3", at=AT, by="bob")], Position(0, 1)),
        ([STARTED, ONE, STARTED], Position(0, 0)),
        ([STARTED, ONE, SilenceEnded(subject="k7f3", at=AT, by="bob")], Position(0, 0)),
        ([STARTED, ONE, WAITS], Position(0, 1)),
        ([STARTED, ONE, WAITS, TWO], Position(1, 0)),
        ([STARTED, ONE, JOINED], Position(0, 1)),
    ],
)
def test_the_next_step_follows_from_what_happened(events: Sequence[Event], following: Position) -> None:
    assert replayed(events).walk.next_position(plan(), "critical", AT) == following


AGAIN = GroupReopened(subject="k7f3", at=AT, alerts=())


def over(at: datetime = AT, *, acknowledged: bool) -> GroupResolved:
    return GroupResolved(subject="k7f3", at=at, acknowledged=acknowledged)


@pytest.mark.parametrize(
    ("before", "end"),
    [([ONE], over(acknowledged=True)), ([ONE, EXHAUSTED], over(acknowledged=False)), ([ONE], None)],
)
def test_what_fires_again_has_no_plan_until_one_is_chosen(
    before: list[Event], end: GroupResolved | None
) -> None:
    again = [STARTED, *before, *([end] if end else []), AGAIN]
    assert replayed(again) == Progress(reopened=True, over=end)
    assert replayed([*again, STARTED]) == Progress(plan=STARTED.plan, reopened=True, over=end)
    assert not replayed([*again, STARTED, ONE]).reopened


def test_what_fires_again_goes_on_with_its_plan_if_nobody_had_answered() -> None:
    end = over(acknowledged=False)
    again = [STARTED, ONE, end, AGAIN]
    assert replayed(again) == replace(replayed([STARTED, ONE]), reopened=True, over=end)
    for called in (JOINED, TWO):
        assert not replayed([*again, called]).reopened
    answered = [STARTED, ONE, over(acknowledged=True), AGAIN]
    anew = [*answered, STARTED, ONE, over(acknowledged=False), AGAIN]
    assert replayed(anew).walk == replayed([STARTED, ONE]).walk


def test_while_it_was_over_nobody_s_time_ran() -> None:
    first = [STARTED, ONE, delivered(1)]
    for minute in (1, 4):  # a minute of three each time
        end = over(AT + minute * MINUTE, acknowledged=False)
        first += [end, replace(AGAIN, at=end.at + 2 * MINUTE)]
    walk = replayed(first).walk
    assert walk.left(plan(), Position(0, 1), AT + 6 * MINUTE) == FIVE - 2 * MINUTE
    assert walk.left(plan(), Position(0, 1), AT + 8 * MINUTE) == FIVE - 4 * MINUTE


def test_the_names_of_a_round_are_those_of_its_steps_that_came() -> None:
    events = [replace(STARTED, plan=plan(rounds=2)), ONE, TWO]
    assert replayed(events[:2]).names == {"alice"}
    assert replayed(events).names == {"alice", "bob"}
    assert replayed([*events, taken(Position(1, 0))]).names == {"alice"}
    assert replayed([*events, UNACKNOWLEDGED]).names == set()


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("events", "at", "left"),
    [
        ([STARTED], NO_TIME, NO_TIME),
        ([STARTED, ONE], NO_TIME, FIVE + PAGE_DEADLINE),  # its pages are on their way
        ([STARTED, ONE, delivered(1)], NO_TIME, FIVE),
        ([STARTED, ONE, delivered(1)], 3 * MINUTE, 2 * MINUTE),
        ([STARTED, ONE, delivered(1)], TEN, NO_TIME),
        ([STARTED, ONE, delivered(1)], -TEN, FIVE),  # somebody set the clock back
        ([STARTED, taken()], 3 * MINUTE, 2 * MINUTE),
    ],
)
def test_what_is_left_of_a_wait_counts_from_the_first_outcome(
    events: Sequence[Event], at: timedelta, left: timedelta
) -> None:
    walk = replayed(events).walk
    assert walk.left(plan(), Position(0, 1), AT + at) == left


def test_an_answer_that_is_taken_back_leaves_the_plan_and_counts_the_ends_anew() -> None:
    progress = replayed([STARTED, ONE, TWO, EXHAUSTED, UNACKNOWLEDGED])
    assert (progress.plan, progress.walk) == (STARTED.plan, Walk())


plans = st.builds(
    plan,
    st.just(step("alice")),
    *[st.just(step("bob", wait=FIVE))] * 2,
    rounds=st.integers(1, 3),
) | st.builds(plan, st.just(step("alice")), rounds=st.integers(1, 4))


@given(frozen=plans)
def test_a_walk_ends_after_every_step_came_in_every_round(frozen: Plan) -> None:
    walk = [Position(0, 0)]
    while not frozen.is_over(walk[-1]):
        walk.append(frozen.after(walk[-1], "critical"))
        assert len(walk) <= frozen.rounds * len(frozen.steps) + 1
    assert walk == [
        Position(number, index) for number in range(frozen.rounds) for index in range(len(frozen.steps))
    ] + [Position(frozen.rounds, 0)]


class WalkAlong(RuleBasedStateMachine):
    """Steps, and what becomes of their pages, in any order, beside a plain account of it."""

    @initialize(frozen=plans)
    def starts(self, frozen: Plan) -> None:
        self.plan = frozen
        self.events: list[Event] = [
            EscalationStarted(subject="k7f3", at=AT, plan=frozen, because="the default")
        ]
        self.came = self.ends = self.number = 0
        self.last: frozenset[int] = frozenset()
        self.first: Outcome | None = None

    @rule(pages=st.integers(0, 3), by=st.sampled_from(["", "bob"]))
    def goes_on(self, pages: int, by: str) -> None:
        progress = replayed(self.events)
        position = progress.walk.next_position(self.plan, "critical", AT)
        if self.came == self.plan.rounds * len(self.plan.steps):
            assert self.plan.is_over(position)
            self.ends += 1
            self.events.append(EscalationExhausted(subject="k7f3", at=AT, count=self.ends, rang=True))
            self.last = frozenset()
            return
        assert position == Position(*divmod(self.came, len(self.plan.steps)))
        self.last = frozenset(range(self.number, self.number + pages))
        self.number += pages
        self.events.append(taken(position, pages=tuple(self.last), by=by))
        self.came += 1
        self.first = None

    @precondition(lambda self: self.number)
    @rule(data=st.data(), arrives=st.booleans())
    def hears_of_a_page(self, data: st.DataObject, *, arrives: bool) -> None:
        page = data.draw(st.integers(0, self.number - 1))
        outcome = delivered(page) if arrives else failed(page)
        self.events.append(outcome)
        if page in self.last and self.first is None:
            self.first = outcome

    @rule()
    def is_taken_back(self) -> None:
        self.events += [GroupAcknowledged(subject="k7f3", at=AT, by="bob"), UNACKNOWLEDGED]
        self.came = self.ends = 0
        self.last = frozenset()

    @invariant()
    def stands_as_it_must(self) -> None:
        progress = replayed(self.events)
        assert replayed(self.events) == progress
        assert progress.plan == self.plan
        assert (progress.walk.pages, progress.walk.exhausted) == (self.last, self.ends)
        if self.last:
            assert progress.walk.first == self.first

    @invariant()
    def no_step_goes_back_unless_it_was_taken_back(self) -> None:
        since: list[Position] = []
        for event in self.events:
            if isinstance(event, GroupUnacknowledged):
                since = []
            if isinstance(event, StepTaken):
                since.append(event.at_step)
        assert all(
            (before.round, before.step) < (after.round, after.step) for before, after in pairwise(since)
        )
        assert len(since) <= self.plan.rounds * len(self.plan.steps)


TestTheWalk = WalkAlong.TestCase
