"""IRC: how fast we talk."""

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.pace import Pace


@dataclass
class Stopwatch:
    """A clock that goes when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_so_many_lines_go_at_once_and_then_one_each_so_often() -> None:
    clock = Stopwatch(1000.0)
    pace = Pace(3, timedelta(seconds=2), clock)
    sent = []
    for _ in range(6):
        clock.now += pace.wait()
        pace.spend()
        sent.append(clock.now - 1000)
    assert sent == [0, 0, 0, 2, 4, 6]
    clock.now += 1
    assert pace.wait() == 1
    clock.now += 1000
    waits = []
    for _ in range(4):
        waits.append(pace.wait())
        pace.spend()
    assert waits == [0, 0, 0, 2]


def test_lines_that_may_not_wait_are_paid_for_by_those_that_may() -> None:
    pace = Pace(2, timedelta(seconds=1), Stopwatch())
    for _ in range(5):
        pace.spend()
    assert pace.wait() == 4


def test_where_no_pace_is_set_nothing_waits() -> None:
    pace = Pace(1, timedelta(0), Stopwatch())
    for _ in range(100):
        assert pace.wait() == 0
        pace.spend()


# In eighths, so that sums are exact.
@given(st.integers(1, 6), st.sampled_from([0.25, 1.0, 2.5]), st.lists(st.integers(0, 40), max_size=40))
def test_in_no_window_are_there_more_lines_than_the_burst_and_one_each_so_often(
    burst: int, every: float, gaps: list[int]
) -> None:
    clock = Stopwatch()
    pace = Pace(burst, timedelta(seconds=every), clock)
    sent: list[float] = []
    for gap in gaps:
        clock.now += gap / 8
        allowed = all(  # as the promise is worded, by looking at all windows that end now
            len(sent) - first + 1 <= burst + (clock.now - begin) // every for first, begin in enumerate(sent)
        )
        assert (pace.wait() == 0) is allowed
        clock.now += pace.wait()
        assert pace.wait() == 0
        pace.spend()
        sent.append(clock.now)
    for first, begin in enumerate(sent):
        for windows in range(10):
            inside = sum(at <= begin + windows * every for at in sent[first:])
            assert inside <= burst + windows


def test_so_many_lines_can_be_waited_for_or_as_many_as_ever_go_at_once() -> None:
    clock = Stopwatch()
    pace = Pace(3, timedelta(seconds=2), clock)
    assert [pace.wait(lines) for lines in (1, 2, 3, 4, 100)] == [0] * 5
    pace.spend()
    assert [pace.wait(lines) for lines in (1, 2, 3, 4, 100)] == [0, 0, 2, 2, 2]
    pace.spend()
    pace.spend()
    assert [pace.wait(lines) for lines in (1, 2, 3, 4)] == [2, 4, 6, 6]
    clock.now += 5
    assert [pace.wait(lines) for lines in (1, 2, 3)] == [0, 0, 1]
