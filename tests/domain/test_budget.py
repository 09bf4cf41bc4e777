"""A thousand alerts are few lines, one alert never waits, and what is worse overtakes."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.budget import MINUTE, PRIVATE, ROOM, Budget, Limits, Sort, Waiting

DISKS, LOAD = (0, "DiskFull"), (2, "HighLoad")
TICK = timedelta(seconds=0.1)


@dataclass
class Place:
    """A place as the courier looks after it, every tick. said: when, how many, and whether as a digest."""

    limits: Limits
    said: list[tuple[float, int, bool]] = field(default_factory=list)
    waits: list[tuple[timedelta, Sort]] = field(default_factory=list)
    longest: timedelta = timedelta(0)

    def hear(self, *comes: tuple[float, Sort], until: float = 200) -> "Place":
        """Alerts come, each at its second."""
        budget, left = Budget(self.limits), sorted(comes)
        now = timedelta(hours=1)
        began = now
        while now - began <= timedelta(seconds=until):
            while left and began + timedelta(seconds=left[0][0]) <= now:
                self.waits.append((now, left.pop(0)[1]))
            while self.waits and budget.due(self._waiting(), now) <= now:
                budget = self._say(budget, now, (now - began).total_seconds())
            now += TICK
        assert not self.waits
        return self

    def _waiting(self) -> Waiting:
        since: dict[Sort, timedelta] = {}
        for at, sort in self.waits:
            since.setdefault(sort, at)
        return Waiting(len(self.waits), self.waits[0][0], self.waits[-1][0], since)

    def _say(self, budget: Budget, now: timedelta, at: float) -> Budget:
        waiting = self._waiting()
        early = budget.in_turn(waiting, now) > now
        worse = budget.worse(waiting)
        self.waits.sort(key=lambda one: (early and one[1] not in worse, one[1], one[0]))
        some = sum(sort in worse for _, sort in self.waits) if early else len(self.waits)
        digest = some > 1 and (early or budget.folds(some, now))
        told = self.waits[:some] if digest else self.waits[:1]
        self.said.append((round(at, 1), len(told), digest))
        self.longest = max([self.longest, *(now - since for since, _ in told)])
        after = budget.after([sort for _, sort in told], now, digest=digest, overtook=early)
        self.waits = sorted(self.waits[len(told) :])
        return after

    def busiest(self) -> int:
        """How many messages came in the busiest minute."""
        times = [at for at, _, _ in self.said]
        return max(sum(0 <= other - at < MINUTE.total_seconds() for other in times) for at in times)


def burst(count: int, length: float, *sorts: Sort, at: float = 0) -> list[tuple[float, Sort]]:
    """So many alerts within so many seconds, of each sort in turn."""
    return [(at + length * number / count, sorts[number % len(sorts)]) for number in range(count)]


@pytest.mark.parametrize("limits", [PRIVATE, ROOM])
@pytest.mark.parametrize("length", [0.5, 2, 8])
def test_a_thousand_at_once_are_the_first_and_one_digest(limits: Limits, length: float) -> None:
    said = Place(limits).hear(*burst(1000, length, LOAD)).said
    assert [count for _, count, _ in said] == [1, 999]
    assert said[0][0] == 0
    assert said[1][0] <= length + 2.7


def test_what_comes_one_by_one_never_waits() -> None:
    place = Place(PRIVATE).hear((0, LOAD), (20, LOAD), (40, DISKS), (61, LOAD), (85, LOAD))
    assert place.said == [(at, 1, False) for at in (0, 20, 40, 61, 85)]


def test_a_few_are_said_each_alone() -> None:
    assert Place(PRIVATE).hear(*burst(4, 1, LOAD)).said == [
        (0, 1, False),
        (1.8, 1, False),
        (1.8, 1, False),
        (1.8, 1, False),
    ]


def test_what_is_worse_overtakes() -> None:
    place = Place(PRIVATE).hear(*burst(500, 1, LOAD), (10, DISKS), (11, LOAD), until=100)
    assert place.said == [(0, 1, False), (3.5, 499, True), (10, 1, False), (60, 1, False)]


@pytest.mark.parametrize("at", [0.05, 0.5, 1.5, 4])
def test_something_new_that_is_as_bad_as_can_be_is_said_in_the_midst(at: float) -> None:
    new = (0, "BackupLost")
    place = Place(PRIVATE).hear(*burst(1000, 5, DISKS), (at, new), until=100)
    assert any(0 <= said - at <= 1.6 and count == 1 for said, count, _ in place.said)


@pytest.mark.parametrize(("limits", "most"), [(PRIVATE, 2), (ROOM, 5)])
def test_a_thousand_names_are_no_reason_for_more(limits: Limits, most: int) -> None:
    names = [(0, f"Test{number}") for number in range(1000)]
    assert Place(limits).hear(*burst(1000, 1.5, *names)).busiest() <= most


def test_a_steady_rain_is_told_in_few_words() -> None:
    rain = [(4.0 * number, LOAD) for number in range(150)]
    place = Place(PRIVATE).hear(*rain, until=700)
    assert place.busiest() <= 4
    later = [at for at, _, _ in place.said if at > 60]
    assert len(later) <= 2 * 600 / 60 + 2
    assert place.longest <= timedelta(seconds=61)


def test_what_overtakes_costs_those_no_time_that_wait() -> None:
    first, late, worse = [(0.0, (0, "A"))] * 6, (2.0, (0, "A")), [(49.0, (0, "B"))] * 2
    place = Place(ROOM).hear(*first, late, *worse)
    assert [(at, count) for at, count, _ in place.said][-2:] == [(49.0, 2), (61.0, 1)]


SORTS = st.tuples(st.integers(0, 3), st.sampled_from(["A", "B", "C", "D", "E", "F"]))


@given(
    st.sampled_from([PRIVATE, ROOM]),
    st.lists(st.tuples(st.floats(0, 100), SORTS), min_size=1, max_size=80),
)
def test_whatever_comes_all_of_it_is_told_in_time_and_in_few_words(
    limits: Limits, comes: list[tuple[float, Sort]]
) -> None:
    place = Place(limits).hear(*comes)
    assert sum(count for _, count, _ in place.said) == len(comes)
    assert place.longest <= timedelta(seconds=61)
    # Beyond the budget comes only what is worse than all before: by severity, or one of a few names.
    assert place.busiest() <= limits.alone + 3 + 4
