"""What a line says: which are commands, and their words, however they are typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.grammar import Words, first_line, slots, words
from tocsin.errors import UsageError


def name_and_rest(
    text: str, *, private: bool = False, prefix: str = "!", us: str = "pager"
) -> tuple[str, str]:
    said = words(text, private=private, prefix=prefix, us=us)
    return said.name, said.rest


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("!ack k7f3", "ack", "k7f3"),
        ("! ACK   k7f3 ", "ack", "k7f3"),
        ("tocsin: ack k7f3", "ack", "k7f3"),
        ("Tocsin , !ack", "ack", ""),
        ("pager: ack", "ack", ""),
        ("@PAGER, ack", "ack", ""),
        ("!Ack.", "ack", ""),
        ("!\u201cack\u201d", "ack", ""),
        ("\uff01ack\u3000k7f3", "ack", "k7f3"),
        ("!note it\u2019s  down", "note", "it's  down"),
        ("!", "", ""),
        ("!!!", "", ""),
        ("tocsin:", "", ""),
        ("tocsin ack", "", ""),
        ("pagers: ack", "", ""),
        ("ack", "", ""),
        ("say !ack", "", ""),
        ("> !ack", "", ""),
        ("`!ack`", "", ""),
        ("```!ack```", "", ""),
        ("<alice> !ack", "", ""),
        ("", "", ""),
    ],
)
def test_in_a_room_a_command_begins_with_the_prefix_or_our_name(text: str, name: str, rest: str) -> None:
    assert name_and_rest(text) == (name, rest)


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("ack k7f3", "ack", "k7f3"),
        ("Ack k7f3.", "ack", "k7f3."),
        ('"ack k7f3"', "ack", "k7f3"),
        ("!ack", "ack", ""),
        ("tocsin: ack", "ack", ""),
        ("got it", "got", "it"),
        ("> ack", "", ""),
        ("`ack`", "", ""),
        ("...", "", ""),
    ],
)
def test_in_private_it_needs_nothing(text: str, name: str, rest: str) -> None:
    assert name_and_rest(text, private=True) == (name, rest)


@pytest.mark.parametrize("prefix", [".", "!!", "?", "\\", "$t"[:1]])
def test_the_prefix_is_the_one_that_is_set(prefix: str) -> None:
    assert name_and_rest(f"{prefix}ack k7f3", prefix=prefix) == ("ack", "k7f3")
    assert name_and_rest("~ack", prefix=prefix) == ("", "")


@pytest.mark.parametrize("us", ["a.c*", "[ops]", "tocsin_", "\\d|x"])
def test_our_name_is_no_pattern(us: str) -> None:
    assert name_and_rest(f"{us}: ack", us=us) == ("ack", "")
    assert name_and_rest("abc: ack", us=us) == ("", "")
    assert name_and_rest("5: ack", us=us) == ("", "")


@given(st.text(max_size=200), st.booleans())
def test_any_text_is_read(text: str, private: bool) -> None:  # noqa: FBT001
    said = words(first_line(text), private=private, prefix="!", us=text[:5])
    assert said.name == said.name.lower()
    assert not set(said.name) & set(" \t\n")
    assert said == Words() or said.called or not private


@pytest.mark.parametrize(
    ("usage", "rest", "found"),
    [
        ("ack [mine|all|ALERT…]", "", {}),
        ("ack [mine|all|ALERT…]", "k7f3  m2p4", {"ALERT": "k7f3 m2p4"}),
        ("silence ALERT LENGTH [WHY…]", "k7f3 2h.", {"ALERT": "k7f3", "LENGTH": "2h"}),
        ("silence ALERT LENGTH [WHY…]", "k7f3, '2h' a b.", {"ALERT": "k7f3", "LENGTH": "2h", "WHY": "a b."}),
        ("me [WHAT] [VALUE]", "quiet 22:00-07:00", {"WHAT": "quiet", "VALUE": "22:00-07:00"}),
    ],
)
def test_slots_take_the_words_in_their_order(usage: str, rest: str, found: dict[str, str]) -> None:
    assert slots(usage, rest) == found


@pytest.mark.parametrize(
    ("usage", "rest", "complaint"), [("why ALERT", "", ""), ("why ALERT", "k7f3 now", "'now' is too much: ")]
)
def test_too_few_and_too_many_words_are_refused(usage: str, rest: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        slots(usage, rest)
    assert str(refused.value) == complaint
