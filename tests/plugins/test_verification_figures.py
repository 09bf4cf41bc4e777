"""Numbers of a metric as people read them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_verification.figures import NO_NUMBER, Scale, length, part_of, said

UNITS = ["", "s", "ms", "B", "B/s", "/s", "%", "ratio", "req/s", "jobs"]
WORTH = {
    "": 1,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "%": 1,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "min": 60,
    "h": 3600,
    "d": 86400,
    "B": 1,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.003, "ratio", "0.3 %"),
        (0.003, "percentunit", "0.3 %"),
        (0.3, "%", "0.3 %"),
        (0, "%", "0 %"),
        (99.97, "%", "99.97 %"),  # not 100
        (0.9997, "ratio", "99.97 %"),
        (0.412, "s", "412 ms"),
        (412, "ms", "412 ms"),
        (3.4, "seconds", "3.4 s"),
        (90, "s", "90 s"),
        (150, "s", "2.5 min"),
        (86400 * 3.5, "s", "3.5 d"),
        (1234, "/s", "1.2 k/s"),
        (12, "/s", "12/s"),
        (0.4, "/s", "0.4/s"),
        (0.14, "/s", "0.14/s"),
        (3.4 * 2**30, "B", "3.4 GiB"),
        (512, "bytes", "512 B"),
        (12, "jobs", "12 jobs"),
        (12345, "jobs", "12 k jobs"),
        (-3.2, "°C", "-3.2 °C"),
        (-0.0, "s", "0 s"),
        (0.000012, "", "1.2e-5"),
        (1e25, "", "1.0e7 E"),
        (5, "requests of customers", "5 requests of…"),
        (float("nan"), "%", NO_NUMBER),
        (float("-inf"), "s", NO_NUMBER),
        (1.7e308, "ratio", NO_NUMBER),
        (None, "s", NO_NUMBER),
    ],
)
def test_a_number_is_short(value: float | None, unit: str, text: str) -> None:
    assert said(value, unit) == text


@pytest.mark.parametrize(
    ("values", "unit", "texts", "between"),
    [
        ((0.021, 0.003, 0.002, 0.004), "ratio", ["2.1 %", "0.3 %", "0.2 %", "0.4 %"], "0.2–0.4 %"),
        ((45, 0.3, 0.2, 0.4), "%", ["45.0 %", "0.3 %", "0.2 %", "0.4 %"], "0.2–0.4 %"),
        ((1.9, 0.41, 0.38, 0.45), "s", ["1,900 ms", "410 ms", "380 ms", "450 ms"], "380–450 ms"),
        ((12, 0.04, 0.038, 0.045), "s", ["12 s", "40 ms", "38 ms", "45 ms"], "38–45 ms"),
        (
            (0, 990, 850, 1200),
            "req/s",
            ["0 req/s", "990 req/s", "850 req/s", "1,200 req/s"],
            "850–1,200 req/s",
        ),
        ((92, 99.98, 99.95, 99.99), "%", ["92.00 %", "99.98 %", "99.95 %", "99.99 %"], "99.95–99.99 %"),
        ((7, 3, 2, 4), "jobs", ["7 jobs", "3 jobs", "2 jobs", "4 jobs"], "2–4 jobs"),
        ((9, 1, -4, 2), "°C", ["9 °C", "1 °C", "-4 °C", "2 °C"], "-4 to 2 °C"),
        ((5, 3, 3, 3), "", ["5", "3", "3", "3"], "3"),
    ],
)
def test_numbers_that_are_compared_have_one_unit_and_precision(
    values: tuple[float, ...], unit: str, texts: list[str], between: str
) -> None:
    low, high = values[-2:]
    scale = Scale.of(unit, values, apart=[(low, high)])
    assert [scale.said(value) for value in values] == texts
    assert scale.between(low, high) == between


def test_numbers_that_can_hardly_be_told_apart_stay_short() -> None:
    scale = Scale.of("", [300.1, 300.100001], apart=[(300.1, 300.100001)])
    assert scale.between(300.1, 300.100001) == "300"


@given(
    st.floats(1e-4, 1e11).flatmap(lambda size: st.sampled_from([size, -size])),
    st.sampled_from(["", "s", "B", "%"]),
)
def test_what_is_read_is_what_it_is(value: float, unit: str) -> None:
    text = said(value, unit)
    found = re.fullmatch(r"(-?[0-9.,]+(?:e-?[0-9]+)?) ?(\S*)", text)
    assert found is not None, text
    number = float(found[1].replace(",", "")) * WORTH[found[2]]
    assert number == pytest.approx(value, rel=0.21)
    assert len(text) <= 14


@given(
    st.lists(st.one_of(st.none(), st.floats(width=64)), max_size=6),
    st.one_of(st.sampled_from(UNITS), st.text(max_size=30)),
)
def test_any_numbers_can_be_said(values: list[float | None], unit: str) -> None:
    scale = Scale.of(unit, values, apart=[(a, b) for a in values for b in values if a and b])
    for value in values:
        text = scale.said(value)
        assert 0 < len(text) <= 32
        assert "nan" not in text
        assert "inf" not in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (1500, "25 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (7260, "2 h 1 min"),
        (172800, "2 d"),
        (190000, "2 d 4 h"),
    ],
)
def test_a_length_of_time_is_never_longer_than_it_was(seconds: float, text: str) -> None:
    assert length(seconds) == text


@pytest.mark.parametrize(
    ("held", "hold", "text"),
    [
        (720, 1500, "12 of 25 min"),
        (40, 1500, "40 s of 25 min"),
        (3000, 7200, "50 min of 2 h"),
        (9000, 1500, "25 of 25 min"),
        (1499, 1500, "24 of 25 min"),
    ],
)
def test_a_part_of_a_length_says_the_unit_once(held: float, hold: float, text: str) -> None:
    assert part_of(held, hold) == text
