"""IRC: the modes of a channel, whatever a server says of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.networks.irc.modes import CLOSING, changed, has_list, operates, ranked, told

from tests.networks.irc_parts import anything

INSPIRCD = {"CHANMODES": "IXbegw,k,FHJLdfjl,ACDKMNOPQRSTcimnprstuz", "PREFIX": "(Yqaohv)!~&@%+"}


@pytest.mark.parametrize(
    ("answer", "closing"),
    [
        ("+", ""),
        ("+nt", ""),
        ("+int", "i"),
        ("+knt", "k"),
        ("+ikl", "ik"),
        ("+I", ""),
        ("+lnst", ""),
        ("", None),
        ("int", None),
        ("-i", None),
        (":+i", None),
    ],
)
def test_the_answer_to_our_question(answer: str, closing: str | None) -> None:
    assert told(answer) == (None if closing is None else set(closing))


@pytest.mark.parametrize(
    ("before", "line", "after"),
    [
        ("", "+i", "i"),
        ("i", "-i", ""),
        ("", "-i", ""),
        ("i", "+i", "i"),
        ("", "+k secret", "k"),
        ("", "+k", "k"),
        ("k", "-k secret", ""),
        ("k", "-k *", ""),
        ("k", "-k", ""),
        ("ik", "-ik *", ""),
        ("ik", "-k+nt-i+o * alice", ""),
        ("", "+ntik key", "ik"),
        ("", "+ov alice bob", ""),
        ("", "+b *!*@*", ""),
        ("", "+b", ""),
        ("i", "+lb 5 +i", "i"),
        # Parameters that look like modes are none.
        ("", "+k +i", "k"),
        ("i", "+b -i", "i"),
        ("i", "+k -i", "ik"),
        ("", "+o +i", ""),
        ("i", "+l -i", "i"),
        # Unsetting a limit takes no parameter, so what stands there is not understood.
        ("i", "-l 5", None),
        ("i", "+n -i", None),
        ("", "+x +i", None),
        ("", "+o alice +i", None),
        ("", "i", None),
        ("", "", None),
        ("", "key +i", None),
        ("i", "+", "i"),
        ("", "+-+-+i", "i"),
        ("", "+i-i+i", "i"),
        ("", "+I alice!*@*", ""),
        ("", "+\N{LATIN SMALL LETTER DOTLESS I}\N{KELVIN SIGN}K", ""),
    ],
)
@pytest.mark.parametrize("features", [{}, {"CHANMODES": "", "PREFIX": ""}])
def test_a_change_is_followed_and_what_is_not_understood_is_asked_for(
    before: str, line: str, after: str | None, features: dict[str, str]
) -> None:
    found = changed(frozenset(before), line.split(), features)
    assert found == (None if after is None else set(after))


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("+fi 10:5", "i"),
        ("-f+i", "i"),
        ("+qi alice", "i"),
        ("-q+i alice", "i"),
        ("+wb alice eve", ""),
        ("-J 5", None),
        ("+Hi 10:1h", "i"),
    ],
)
def test_the_server_says_which_modes_take_a_parameter(line: str, after: str | None) -> None:
    assert changed(frozenset(), line.split(), INSPIRCD) == (None if after is None else set(after))


@pytest.mark.parametrize(
    "features", [{"CHANMODES": "b"}, {"CHANMODES": ",,,,,,"}, {"PREFIX": "(("}, {"PREFIX": "@+"}]
)
def test_a_server_that_says_it_oddly_breaks_nothing(features: dict[str, str]) -> None:
    assert changed(frozenset("k"), ["+i"], features) == frozenset("ik")


@given(st.frozensets(st.sampled_from(sorted(CLOSING))), st.lists(anything, max_size=4), anything, anything)
def test_whatever_is_said_a_room_is_closed_only_by_what_closes_it(
    known: frozenset[str], words: list[str], sorts: str, ranks: str
) -> None:
    found = changed(known, words, {"CHANMODES": sorts, "PREFIX": ranks})
    assert found is None or found <= CLOSING & (known | set(words[0]))
    assert (told(words[0]) or set()) <= set(words[0]) if words else True


@pytest.mark.parametrize(
    ("line", "op"),
    [
        ("+o Tocsin", True),
        ("-o tocsin", False),
        ("+ov-o tocsin alice tocsin", False),
        ("+bo tocsin alice", None),
        ("+bo alice tocsin", True),
        ("+k-o key tocsin", False),
        ("-l+o tocsin", True),
        ("+lo 5 tocsin", True),
        ("+v tocsin", None),
        ("+o", None),
        ("+i", None),
        ("", None),
    ],
)
def test_who_is_made_operator_or_is_one_no_more(line: str, *, op: bool | None) -> None:
    assert ranked(line.split(), INSPIRCD, "tocsin") is op
    assert ranked(line.split(), {}, "tocsin") is op


@pytest.mark.parametrize(
    ("names", "op"),
    [
        ("@tocsin", True),
        ("alice ~&@TOCSIN bob", True),
        ("+tocsin @tocsin2", False),
        ("@alice", None),
        ("", None),
    ],
)
def test_who_operates_as_the_list_says(names: str, *, op: bool | None) -> None:
    assert operates(names, "tocsin") is op


def test_which_lists_a_server_has() -> None:
    assert has_list("I", INSPIRCD)
    assert not has_list("i", INSPIRCD)
    assert not has_list("I", {})


@given(words=st.lists(anything, max_size=5))
def test_whatever_a_server_says_of_ranks_is_read(words: list[str]) -> None:
    assert ranked(words, INSPIRCD, "tocsin") in (True, False, None)
    assert operates(" ".join(words), "tocsin") in (True, False, None)
