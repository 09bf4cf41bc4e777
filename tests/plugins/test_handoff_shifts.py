"""What of somebody's shifts is another after a change, against instants that are looked at one by one."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.rota import Shift
from tocsin_handoff.shifts import differences, minus, spans

START = datetime(2026, 11, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = ("alice", "bob", "carol")


@st.composite
def plans(draw: st.DrawFn) -> list[Shift]:
    """A day, hour by hour."""
    people = draw(
        st.lists(st.lists(st.sampled_from(NAMES), max_size=2, unique=True), min_size=12, max_size=12)
    )
    return [Shift(START + n * HOUR, START + (n + 1) * HOUR, tuple(some)) for n, some in enumerate(people)]


@given(before=plans(), after=plans())
def test_each_hour_that_is_another_is_told_once(before: list[Shift], after: list[Shift]) -> None:
    found = differences(before, after)
    for name in NAMES:
        one = found.get(name)
        for old, new in zip(before, after, strict=True):
            gained = sum(start <= new.start < end for start, end in one.gained) if one else 0
            lost = sum(start <= new.start < end for start, end in one.lost) if one else 0
            assert gained == (name in new.people and name not in old.people)
            assert lost == (name in old.people and name not in new.people)


@given(plan=plans())
def test_shifts_that_follow_one_another_are_one(plan: list[Shift]) -> None:
    for found in spans(plan).values():
        assert all(first[1] < second[0] for first, second in pairwise(found))
        assert minus(found, found) == []
        assert minus(found, ()) == list(found)
    assert differences(plan, plan) == {}
