"""The short ids that people type."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.event import short_id

FORM = re.compile(r"[a-hjkmnp-z][2-9][a-hjkmnp-z2-9]{2,}")  # without i, l, o, 0 and 1
FOUR_LONG = 23 * 8 * 31 * 31

numbers = st.one_of(st.integers(0, 10**6), st.integers(0, 10**100))


def test_no_two_of_many_ids_are_alike_and_neighbours_begin_with_another_letter() -> None:
    seen, before = set(), ""
    for number in range(200_000):
        text = short_id(number)
        assert FORM.fullmatch(text), number
        assert text[0] != before[:1], number
        seen.add(text)
        before = text
    assert len(seen) == 200_000


@given(st.sets(numbers, min_size=2, max_size=2))
def test_no_two_ids_are_alike_however_large_their_numbers(pair: set[int]) -> None:
    one, other = pair
    assert short_id(one) != short_id(other)


@given(numbers)
def test_an_id_is_a_letter_a_digit_and_more_of_what_can_be_told_apart(number: int) -> None:
    assert FORM.fullmatch(short_id(number))


@given(numbers, st.integers(1, 88))
def test_of_89_in_a_row_no_two_begin_with_the_same_two_characters(number: int, further: int) -> None:
    assert short_id(number)[:2] != short_id(number + further)[:2]


@pytest.mark.parametrize(
    ("number", "length"),
    [(0, 4), (FOUR_LONG - 1, 4), (FOUR_LONG, 5), (FOUR_LONG * 32 - 1, 5), (FOUR_LONG * 32, 6)],
)
def test_an_id_grows_once_all_of_a_length_are_used_up(number: int, length: int) -> None:
    assert len(short_id(number)) == length


def test_an_id_is_for_ever() -> None:
    """Those in use would come again if the rule changed."""
    assert [short_id(number) for number in (0, 1, 2, 3, FOUR_LONG)] == [
        "r3zj",
        "f5qt",
        "w7e3",
        "m86b",
        "r3zjj",
    ]
