"""Samples on their way into a picture, where they stand in it, and a series in one line of text."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_verification.frame import TEAR, Frame, beyond, limits, round_times, round_values, rows, wide_from
from tocsin_verification.judge.verdict import Band, Judgement, Verdict
from tocsin_verification.series import lacking, late, samples, thinned, window
from tocsin_verification.sparkline import GAP, sparkline, strip

from tests.plugins.verification_shapes import BACK, HIGH, LOW, NOW, ONSET, WORST, flat

FRAME = Frame(left=30, right=330, bottom=40, top=200, begin=NOW - 3600, until=NOW, low=0, high=0.04)
NAN = float("nan")


def test_a_picture_goes_from_two_hours_before_the_trouble_until_now() -> None:
    judgement, _, _ = flat()
    assert window(judgement) == (ONSET - 7200, NOW)
    assert window(judgement, alert_at=ONSET + 300) == (ONSET - 7200, NOW)
    assert window(replace(judgement, onset=None), alert_at=NOW - 600) == (NOW - 7800, NOW)
    assert window(replace(judgement, onset=NOW - 30 * 3600)) == (NOW - 40 * 3600, NOW)
    assert window(Judgement(Verdict.CANT_TELL, NOW)) == (NOW - 7200, NOW)


def test_what_is_no_number_is_a_gap() -> None:
    at = [60.0 * number for number in range(10)]
    found = samples(at, [1, 2, NAN, float("inf"), 1e308, 6, 7, 8, 9, 10], 0, 480)
    assert list(found.at) == [0, 60, 300, 360, 420, 480]
    assert found.gaps == (1,)
    assert [list(values) for _, values in found.runs] == [[1, 2], [6, 7, 8, 9]]


def test_where_samples_begin_to_come_more_often_is_no_gap() -> None:
    at = np.concatenate([np.arange(0, 36000, 300), np.arange(36000, 50000, 60), np.arange(50000, 60000, 15)])
    assert samples(at, np.ones(len(at)), 0, 1e9).gaps == ()
    without = np.delete(at, [50, 51, 52, 200, 201, 202])
    assert len(samples(without, np.ones(len(without)), 0, 1e9).gaps) == 2


def test_samples_in_any_order_and_few_of_them_are_taken() -> None:
    assert list(samples([3, 1, 2], [30, 10, 20], 0, 9).values) == [10, 20, 30]
    assert samples([], [], 0, 9).runs[0][0].size == 0
    assert samples([1], [1], 0, 9).gaps == ()


def test_it_is_seen_that_samples_have_stopped() -> None:
    _, at, values = flat()
    assert late(samples(at, values, NOW - 7200, NOW), NOW) is None
    assert late(samples(at, values, NOW - 7200, NOW - 600), NOW) == NOW - 600
    assert late(samples([], [], 0, 1), 1) is None


def test_minutes_without_samples_are_told_from_when_to_when() -> None:
    _, at, values = flat()
    kept = (at < NOW - 3600) | (at > NOW - 3360)
    found = samples(at[kept], values[kept], NOW - 7200, NOW - 600)
    assert lacking(found, NOW - 7200, NOW - 600) == [(NOW - 3660, NOW - 3300)]
    assert lacking(found, NOW - 9000, NOW) == [
        (NOW - 9000, NOW - 7200),
        (NOW - 3660, NOW - 3300),
        (NOW - 600, NOW),
    ]
    assert lacking(samples([], [], 0, 9), 0, 9) == [(0, 9)]


@given(st.integers(0, 3000), st.integers(1, 50))
def test_thinned_samples_look_the_same(number: int, columns: int) -> None:
    at = np.linspace(0, 1000, number)
    values = np.random.default_rng(number).standard_normal(number) ** 5
    kept_at, kept = thinned(at, values, 0, 1000, columns)
    assert len(kept) <= max(4 * columns, min(number, 4 * columns))
    assert set(zip(kept_at, kept, strict=True)) <= set(zip(at, values, strict=True))
    column = np.minimum((at * (columns / 1000)).astype(int), columns - 1)
    kept_column = np.minimum((kept_at * (columns / 1000)).astype(int), columns - 1)
    for one in set(column):
        assert kept[kept_column == one].min() == values[column == one].min()
        assert kept[kept_column == one].max() == values[column == one].max()


def test_times_and_values_stand_where_they_belong() -> None:
    assert float(FRAME.x(NOW - 1800)) == 180
    assert float(FRAME.y(0.01)) == 80
    assert list(FRAME.y(np.array([-5, 0, 0.04, 1e299]))) == [40, 40, 200, 200]
    assert list(FRAME.x(np.array([0, NOW + 99]))) == [30, 330]


def test_time_since_it_is_back_has_more_room_only_where_it_needs_it() -> None:
    assert wide_from(0, 760, 1000) == 760
    assert wide_from(0, 740, 1000) is None
    assert wide_from(0, 0, 1000) is None
    frame = replace(FRAME, wide=NOW - 600)
    places = frame.x(np.array([NOW - 3600, NOW - 1800, NOW - 601, NOW - 600, NOW - 300, NOW]))
    assert list(places) == sorted(set(places))
    assert (places[0], places[3], places[5]) == (30, 210, 330)


def _band(low: float, high: float) -> Band:
    return Band(*(np.full(3, one) for one in (NOW, (low + high) / 2, low, high)))


def test_what_is_normal_is_seen_however_bad_it_was() -> None:
    low, high = limits(np.array([0.003, 900.0]), _band(LOW, HIGH))
    assert low == 0
    assert high == pytest.approx(0.0806, rel=0.01)
    assert (HIGH - LOW) / (high - low) > 0.024
    low, high = limits(np.array([99.97, 0.0]), _band(99.95, 99.99))
    assert 75 < low < 85


def test_the_worst_is_within_the_axis_as_long_as_what_is_normal_can_be_seen() -> None:
    _, high = limits(np.array([13.0, 161.0]), _band(12, 14.4))
    assert 161 < high < 175
    _, high = limits(np.array([13.0, 9000.0]), _band(12, 14.4))
    assert high == pytest.approx((14.4 + 36 * 2.4) * 1.06)


def test_what_is_beyond_stands_above_all_else_in_its_order() -> None:
    lowest, highest = beyond(np.array([-3.0, 0.03, 9.0]), 0, 0.04)
    assert lowest is not None
    assert highest is not None
    assert beyond(np.array([0.0, 0.04]), 0, 0.04) == (None, None)
    frame = replace(FRAME, lowest=lowest, highest=highest)
    places = frame.y(np.array([-3, 0, 0.03, 0.04, 5, 9]))
    assert list(places) == sorted(set(places))
    assert frame.bottom < places[0] < frame.floor
    assert frame.ceiling < places[-1] < frame.top
    assert (places[1], places[3]) == (frame.floor, frame.ceiling)
    # What is hardly beyond is not hidden by the tear between.
    assert float(frame.y(0.0401)) >= frame.ceiling + TEAR
    assert float(frame.y(-0.0001)) <= frame.floor - TEAR


def test_a_picture_shows_all_values_that_it_can() -> None:
    low, high = limits(np.array([0.003, WORST]), _band(LOW, HIGH))
    assert low == 0
    assert WORST < high < 1.1 * WORST
    low, high = limits(np.array([-5.0, 5.0]), None)
    assert low < -5 < 5 < high
    low, high = limits(np.array([300.0, 310.0]), None)
    assert 299 < low < 300  # where zero is far away it isn't shown


@given(st.lists(st.floats(-1e299, 1e299), max_size=5), st.one_of(st.none(), st.floats(-1e290, 1e290)))
def test_any_values_have_limits_and_numbers_beside_them(values: list[float], middle: float | None) -> None:
    band = None if middle is None else _band(middle - abs(middle) / 10, middle + abs(middle) / 10)
    low, high = limits(np.array(values), band)
    assert low < high
    assert len(round_values(low, high, 1.0)) <= 9


@pytest.mark.parametrize(
    ("low", "high", "size", "values"),
    [
        (0, 0.0212, 0.01, [0, 0.01, 0.02]),
        (0, 2.5, 0.001, [0, 1, 2]),
        (90.5, 100.5, 1, [92.5, 95, 97.5, 100]),
        (0, 8.4 * 2**30, 2.0**30, [0, 2.5 * 2**30, 5 * 2**30, 7.5 * 2**30]),
        (-3, 5, 1, [-2, 0, 2, 4]),
    ],
)
def test_numbers_beside_the_axis_are_round(low: float, high: float, size: float, values: list[float]) -> None:
    assert round_values(low, high, size) == pytest.approx(values)


@pytest.mark.parametrize(
    ("hours", "zone", "times"),
    [
        (3, "UTC", ["13:00", "13:30", "14:00", "14:30", "15:00", "15:30", "16:00"]),
        (2.5, "Asia/Kolkata", ["19:00", "19:30", "20:00", "20:30", "21:00", "21:30"]),
        (48, "Europe/Berlin", ["00:00", "12:00", "00:00", "12:00"]),
        (30 * 24, "UTC", ["00:00", "00:00", "00:00", "00:00"]),
    ],
)
def test_times_below_the_axis_are_round_on_the_clocks_there(
    hours: float, zone: str, times: list[str]
) -> None:
    found = round_times(NOW - hours * 3600, NOW, ZoneInfo(zone), most=6)
    here = [datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone)) for at in found]
    assert [f"{one:%H:%M}" for one in here] == times


@given(st.lists(st.tuples(st.floats(0, 300), st.floats(1, 100)), max_size=6))
def test_labels_in_a_row_never_touch(labels: list[tuple[float, float]]) -> None:
    spans = [(left, left + long) for left, long in labels]
    chosen = rows(spans)
    for first in range(len(spans)):
        for second in range(first):
            if chosen[first] == chosen[second]:
                assert spans[first][0] > spans[second][1] or spans[second][0] > spans[first][1]
    assert set(chosen) == set(range(len(set(chosen))))


@pytest.mark.parametrize(
    ("values", "low", "high", "line"),
    [
        ([3, 3, 9, 24, 9, 3], 2, 5, "▁▁▃█▃▁"),
        ([3, 3, 1e9, 1e9, 3], 2, 5, "▁▁██▁"),  # what is normal is told from what isn't, however bad it was
        ([3, 6, 1e9], 2, 5, "▁▂█"),
        ([100, 100, 0, 0], 95, 105, "██▁▁"),
        ([3, 4, 3, 4.5], 2, 5, "▃▃▃▄"),  # nothing has happened
        ([0, 0.1, 0.02], 0, 0.2, "▁▂▁"),
        ([3, NAN, float("inf"), 3], 2, 5, f"▃{GAP}{GAP}▃"),
        ([1, 2, 3], None, None, "▁▅█"),
        ([5, 5], None, None, "▁▁"),
        ([5], 5, 5, "▅"),
        ([99.97, 99.97, 92, 99.96], 99.95, 99.99, "██▁█"),
        ([], 2, 5, ""),
        ([NAN, NAN], 2, 5, ""),
        ([0, 0, 0], 0, 0, "▁▁▁"),
        ([-1e299, 1e299], None, None, "▁█"),
    ],
)
def test_a_series_is_a_line_of_blocks(
    values: list[float], low: float | None, high: float | None, line: str
) -> None:
    assert sparkline(values, low, high) == line


def test_of_values_that_share_a_block_the_one_far_off_is_seen() -> None:
    assert sparkline([3.0] * 60 + [30.0] + [3.0] * 59, 2, 5, width=12) == "▁▁▁▁▁▁█▁▁▁▁▁"


@given(st.lists(st.floats(width=64), max_size=100), st.floats(-10, 10), st.floats(0, 10), st.integers(1, 40))
def test_a_line_of_blocks_is_as_wide_as_asked(
    values: list[float], low: float, more: float, width: int
) -> None:
    line = sparkline(values, low, low + more, width)
    assert len(line) in (0, min(width, len(values)))


def test_a_strip_says_from_when_to_when() -> None:
    judgement, at, values = flat()
    assert strip(judgement, at, values, width=12) == "▁▁▁▁▁▁▁▁███▁ 13:00–16:00 UTC"
    assert strip(judgement, at, values, zone=ZoneInfo("Asia/Tokyo"), width=12).endswith(
        "22 Nov 22:00–01:00 Asia/Tokyo"
    )
    quiet = at < BACK
    assert strip(judgement, at[quiet], values[quiet], width=12) == f"▁▁▁▁▁▁▁▁███{GAP} 13:00–16:00 UTC"
    assert strip(judgement, [], []) == ""
