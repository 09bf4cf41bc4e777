"""Words as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain import words


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(days=7)),
        ("90m", timedelta(minutes=90)),
        ("0s", timedelta()),
    ],
)
def test_a_length_of_time_is_read(text: str, length: timedelta) -> None:
    assert words.parse_duration(text) == length


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "m",
        "5 m",
        "-5m",
        "5m1h",
        "5m5m",
        "1.5h",
        "5M",
        "5min",
        "\N{ARABIC-INDIC DIGIT FIVE}m",
        "9" * 40 + "s",
    ],
)
def test_anything_else_is_no_length_of_time(text: str) -> None:
    with pytest.raises(ValueError, match="length of time"):
        words.parse_duration(text)


def test_a_length_of_time_ends_at_ten_years() -> None:
    assert words.parse_duration("520w") == timedelta(weeks=520)
    with pytest.raises(ValueError, match="ten years"):
        words.parse_duration("521w")
    with pytest.raises(ValueError, match="ten years"):
        words.parse_duration("999999999w")


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=59), "59s"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(minutes=5), "5m"),
        (timedelta(days=7), "7d"),
        (timedelta(days=1, seconds=1), "1d1s"),
        (timedelta(seconds=2, milliseconds=900), "2s"),
    ],
)
def test_a_length_of_time_is_spelled_as_people_write_it(length: timedelta, text: str) -> None:
    assert words.spelled(length) == text


@given(st.integers(0, int(timedelta(weeks=520).total_seconds())))
def test_a_length_of_time_is_read_as_it_is_spelled(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    assert words.parse_duration(words.spelled(length)) == length


def test_a_near_name_is_offered_whatever_its_case() -> None:
    assert words.did_you_mean("alcie", ["bob", "alice"]) == "; did you mean 'alice'?"
    assert words.did_you_mean("evry", ["Every"]) == "; did you mean 'Every'?"
    assert words.did_you_mean("zebra", ["bob", "alice"]) == ""


def test_names_are_listed_as_a_sentence_does() -> None:
    assert words.listed([]) == ""
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"


def test_numbers_carry_their_noun() -> None:
    assert words.counted(1, "person", "people") == "1 person"
    assert words.counted(0, "error") == "0 errors"
    assert words.counted(2, "person", "people") == "2 people"


def test_a_setting_is_named_as_toml_would_write_it() -> None:
    assert (
        words.key_path(("plugins", "escalation", "routes", 0, "policy"))
        == "plugins.escalation.routes[0].policy"
    )
    assert words.key_path(("people", "a b")) == 'people."a b"'
    assert words.key_path(("people", 'a"b\n')) == 'people."a\\"b\\n"'
