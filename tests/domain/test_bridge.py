"""What bridges make of a line, and what is another line."""

import pytest

from tocsin.domain.bridge import Spoken, is_same, may_be_cut, said_there
from tocsin.domain.message import Message

LINE = Message("paging alice: DiskFull", "k7f3", "!ack k7f3", link="https://example.org/x")
LONG = Message("paging alice: " + "very long " * 40, "k7f3", "!ack k7f3")
PUBLIC = Message("secret", "k7f3", brief="open")


def _whole(text: str, message: Message) -> bool:
    return any(way.is_in(said) for way in Spoken.ways(message) for said in said_there(text))


def _begun(text: str, message: Message) -> bool:
    return any(way.begins_in(said) for way in Spoken.ways(message) for said in said_there(text))


@pytest.mark.parametrize(
    "text",
    [
        "k7f3 paging alice: DiskFull · !ack k7f3 · https://example.org/x",
        "k7f3 paging alice: DiskFull · !ack k7f3",
        '<tocsin> "k7f3" paging alice: DiskFull · "!ack k7f3" · example.org (https://example.org/x)',
        "[m] <Tocsin (bot)> `k7f3` paging alice: DiskFull · `!ack k7f3` · [example.org](https://example.org/x)",
        "tocsin: k7f3 paging alice: DiskFull · **!ack k7f3**",
        "(matrix) tocsin: k7f3  paging alice:\u200b DiskFull · !ack k7f3",
        # heisenbridge, to IRC: there are two of that name on Matrix once it has brought ours from IRC.
        '<tocsin (@tocsin:example.org)> "k7f3" paging alice: DiskFull · "!ack k7f3" · example.org (https://example.org/x)',
        # heisenbridge, to Matrix: what comes within 0.1 s is one message.
        "k7f2 paging alice: Other · !ack k7f2\nk7f3 paging alice: DiskFull · !ack k7f3 · https://example.org/x",
        "k7f3 paging alice: DiskFull · !ack k7f3 · https://example.org/x\nk7f3 page to alice failed: is away",
    ],
)
def test_what_bridges_make_of_a_line(text: str) -> None:
    assert _whole(text, LINE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "k7f3",
        "k7f3 paging alice: DiskFull",
        "k7f3 paging alice: DiskFull · !ack k7f4",
        "it is over k7f3 paging alice: DiskFull · !ack k7f3",
        "<a> <b> k7f3 paging alice: DiskFull · !ack k7f3",
        "k7f3 paging bob: DiskFull · !ack k7f3",
    ],
)
def test_another_line(text: str) -> None:
    assert not _whole(text, LINE)
    assert not _begun(text, LINE)


def test_a_line_that_was_cut_is_begun_and_not_whole() -> None:
    whole = LONG.first_line()
    for text in (whole[:250], f"<tocsin> {whole[:250]}…", f"{whole[:250]}...", LONG.first_line(200)):
        assert _begun(text, LONG)
        assert not _whole(text, LONG)
    assert not _begun(whole[:100], LONG)
    assert may_be_cut(LONG)
    assert not may_be_cut(LINE)
    assert may_be_cut(Message("two", lines=("lines",)))


def test_a_line_is_known_in_the_form_in_which_all_the_world_may_read_it() -> None:
    assert _whole("k7f3 open", PUBLIC)
    assert _whole("k7f3 secret", PUBLIC)


def test_what_somebody_types_elsewhere() -> None:
    assert is_same("!ack k7f3", "!ack k7f3")
    assert is_same("<alice> !ack k7f3", "!ack  k7f3")
    assert not is_same("!ack k7f4", "!ack k7f3")


def test_what_somebody_types_elsewhere_in_several_lines() -> None:
    assert is_same("!ack k7f3\n!list", "!ack k7f3")
    assert is_same("<alice> !ack k7f3", "!ack k7f3\nI am on it")
    assert not is_same("hello\n!ack k7f3", "!ack k7f3")
