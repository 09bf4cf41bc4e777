"""IRC: the text of lines."""

import itertools
import re
from string import ascii_letters

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.domain.message import Message
from tocsin.networks.irc.lines import MARKED, checked_key, fold, harmless, joins, line, plain, room_for

from tests.networks.irc_parts import anything, letters


@pytest.mark.parametrize("word", ["", " ", "a b", " a", "a ", ":", ":a", "a\rb", "a\nb", "a\0b", "a\r\nQUIT"])
def test_what_would_begin_another_word_or_line_stands_nowhere_in_the_middle(word: str) -> None:
    for words in ([word], ["#ops", word], [word, "#ops"]):
        with pytest.raises(ValueError, match=r"can't stand in the middle|holds the end of a line"):
            line("KICK", *words, text="enough")


@pytest.mark.parametrize("end", ["\r", "\n", "\0", "\r\n"], ids=ascii)
def test_the_end_of_a_line_stands_nowhere_in_it(end: str) -> None:
    for text in (end, f"a{end}", f"{end}a", f"a{end}QUIT :b"):
        with pytest.raises(ValueError, match="PRIVMSG: holds the end of a line"):
            line("PRIVMSG", "#ops", text=text)


@pytest.mark.parametrize("letter", ["x", "é", "🔥"])
def test_a_line_is_counted_in_bytes(letter: str) -> None:
    room, size = 510 - len("PRIVMSG #ops :"), len(letter.encode())
    text = letter * (room // size) + "x" * (room % size)
    assert len(line("PRIVMSG", "#ops", text=text).encode()) == 510
    with pytest.raises(ValueError, match="PRIVMSG: longer than 512 bytes"):
        line("PRIVMSG", "#ops", text=f"{text}x")


def test_a_line_is_written_as_it_is_read() -> None:
    assert line("CAP", "LS", "302") == "CAP LS 302"
    assert line("PRIVMSG", "#ops", text=":) a  b ") == "PRIVMSG #ops ::) a  b "
    assert line("PING", text="") == "PING :"
    assert line("LIST") == "LIST"


@example(["#ops"], "a\rb")
@example(["#ops"], "\ud800")
@given(st.lists(anything | st.text(letters, min_size=1), max_size=3), st.none() | anything)
def test_whatever_is_to_be_said_is_one_line_or_refused(words: list[str], text: str | None) -> None:
    try:
        built = line("PRIVMSG", *words, text=text)
    except ValueError:
        return
    assert not set(built) & set("\r\n\0")
    assert len(built.encode()) <= 510
    read = built.split(" ", len(words) + 1)
    assert read == ["PRIVMSG", *words, *([] if text is None else [f":{text}"])]
    assert not any(word.startswith(":") for word in words)


@example("n" * 30, "#" * 60, "!" + "x" * 2000, [])
@example("🔥" * 30, "🔥" * 60, "🔥" * 600, ["!" + "🔥" * 600])
@example("n", "#ops", "", [])
@given(
    st.text(letters, min_size=1, max_size=30),
    st.text(letters, min_size=1, max_size=60),
    anything,
    st.lists(anything, max_size=3),
)
def test_a_message_reaches_everybody_whole_wherever_the_server_shows_us(
    nick: str, target: str, text: str, lines: list[str]
) -> None:
    message = Message(text, "k7f3", "!ack k7f3", "https://example.org/graph", tuple(lines))
    said = [harmless(each) for each in message.all_lines(room_for(nick, target) - MARKED)]
    sender = f":{nick}!{'u' * 11}@{'h' * 64}"
    for each in said:
        assert len(f"{sender} {line('PRIVMSG', target, text=each)}\r\n".encode()) <= 512
    assert said[0].startswith("k7f3")
    assert re.search(r"!ack k7f3( · https://example\.org/graph)?$", said[0])


@example({f"#{'x' * number}": "" for number in range(70)})
@example({f"#{number}{'x' * 50}": "k" * 50 for number in range(9)})
@example({f"#{number}{'é' * 50}": "ü" * 50 for number in range(9)})
@given(
    st.dictionaries(
        st.text(letters, min_size=1, max_size=60).map("#{}".format),
        st.text(letters, max_size=60),
        max_size=30,
    )
)
def test_all_rooms_are_joined_with_their_keys_in_few_lines(keys: dict[str, str]) -> None:
    lines = list(joins(keys))
    found: list[tuple[str, str]] = []
    for each in lines:
        assert len(each.encode()) <= 510
        command, names, given, *more = [*each.split(" "), ""]
        assert (command, more) in (("JOIN", []), ("JOIN", [""]))
        found += itertools.zip_longest(names.split(","), given.split(",") if given else [], fillvalue="")
    assert sorted(found) == sorted(keys.items())
    assert all(len(f"{one}{other}".encode()) > 400 for one, other in itertools.pairwise(lines))


def test_keys_belong_to_the_rooms_that_are_named_first() -> None:
    keys = {"#open": "", "#b": "kb", "#free": "", "#d": "k:d"}
    assert list(joins(keys)) == ["JOIN #b,#d,#open,#free kb,k:d"]
    assert list(joins({"#a": "", "#b": ""})) == ["JOIN #a,#b"]
    assert list(joins({"#a": "ka", "#b": "kb"})) == ["JOIN #a,#b ka,kb"]


def test_no_key_is_left_over_from_one_line_for_the_next() -> None:
    keys = {f"#{number}{'x' * 98}": f"{number}{'k' * 98}" for number in range(3)} | {
        f"#{number}{'x' * 98}": "" for number in range(3, 9)
    }
    found = [each.split(" ")[1:] for each in joins(keys)]
    assert [[name[1] for name in names.split(",")] for names, *_ in found] == [
        ["0", "1"],
        ["2", "3", "4"],
        ["5", "6", "7", "8"],
    ]
    assert [[key[0] for each in given for key in each.split(",")] for _, *given in found] == [
        ["0", "1"],
        ["2"],
        [],
    ]


def test_where_no_room_is_to_be_joined_nothing_is_said() -> None:
    assert list(joins({})) == []


@pytest.mark.parametrize("key", ["", "k7f3", "a:b", "kö", "#!@*"])
def test_what_can_be_a_key_is_taken_as_it_is(key: str) -> None:
    assert checked_key(key) == key


@pytest.mark.parametrize(
    "key", [",", "hunter2,", "hun,ter2", " ", " hunter2", "hun ter2", ":", ":hunter2", "hunter2" * 20]
)
def test_what_can_not_be_a_key_is_refused_and_never_said(key: str) -> None:
    """One with a comma would be two, and all keys after it those of other rooms."""
    with pytest.raises(
        ValueError, match=r"^the channel's key is too long, holds a comma or a blank, or begins with a colon$"
    ) as caught:
        checked_key(key)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("start", ["a", "!"])
def test_what_need_not_be_cut_is_not(start: str) -> None:
    """To the byte: what is marked fills the whole line, what is not marked leaves the mark's room."""
    [said] = Message(start + "x" * 600).all_lines(room_for("tocsin", "#ops") - MARKED)
    built = f":tocsin!{'u' * 11}@{'h' * 64} {line('PRIVMSG', '#ops', text=harmless(said))}\r\n"
    assert len(built.encode()) == (512 if start == "!" else 512 - MARKED)


BOTS = "!./@?$%&~;:-+=*\\,^|_"


@pytest.mark.parametrize("first", BOTS)
def test_no_other_bot_is_given_a_command(first: str) -> None:
    text = f"{first}restart db1"
    mark = harmless(text).removesuffix(text)
    assert mark.endswith(" ")
    assert mark[0] not in BOTS


@pytest.mark.parametrize("text", ["", "k7f3 DiskFull", "(again) k7f3", "> !ack", "Größe!", "a.b", "🔥"])
def test_what_no_bot_takes_for_a_command_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


@given(anything)
def test_a_mark_takes_no_more_room_than_was_kept_for_it(text: str) -> None:
    marked = harmless(text)
    assert marked.endswith(text)
    assert len(marked.removesuffix(text).encode()) in (0, MARKED)
    assert harmless(marked) == marked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x02!ack\x02 k7f3", "!ack k7f3"),
        ("\x0304red\x03 \x031,15x \x034,x \x03,4 \x031234 \x0312,345", "red x ,x ,4 34 5"),
        ("\x03", ""),
        ("\x0399,99!ack", "!ack"),
        ("\x04ff00CCred\x04 \x04ff0x", "red ff0x"),
        ("\x04ff0000,00ff00", ""),
        ("\x04FF0000,00ff00!ack k7f3", "!ack k7f3"),
        ("\x04ff0000,00ff0 \x04,00ff00 \x04ff0000,,00ff00", ",00ff0 ,00ff00 ,,00ff00"),
        ("\x0f\x11a\x16b\x1dc\x1ed\x1f", "abcd"),
        ("\x02\x1d\x0304,05!ack\x0f", "!ack"),
        ("\x0e\x10\x12\x1c\x01", "\x0e\x10\x12\x1c\x01"),
    ],
)
def test_colours_and_the_like_are_no_part_of_what_was_said(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(anything.map(lambda text: re.sub("[\x02-\x04\x0f\x11\x16\x1d-\x1f]", "", text)))
def test_text_without_colours_is_left_alone(text: str) -> None:
    assert plain(text) == text
    assert plain("\x02\x1f".join(text)) == text


names = st.text(st.sampled_from("aAkKzZ0[]{}\\|~^_-éÉßẞİıΣςſ\N{KELVIN SIGN}\N{ANGSTROM SIGN}")) | st.text()


@example("K", "\N{KELVIN SIGN}")
@example("s", "\N{LATIN SMALL LETTER LONG S}")
@example("[", "{")
@given(names, names)
def test_names_are_one_only_if_every_server_takes_them_for_one(one: str, other: str) -> None:
    def same(left: str, right: str) -> bool:
        return left == right or (
            left in ascii_letters and right in ascii_letters and left.lower() == right.lower()
        )

    expected = len(one) == len(other) and all(map(same, one, other))
    assert (fold(one) == fold(other)) is expected


def test_a_folded_name_is_small_where_that_is_ascii() -> None:
    assert fold("#Ops-DB[1]{~}^\\|") == "#ops-db[1]{~}^\\|"
    assert fold("AZaz\N{KELVIN SIGN}ÉİΣ") == "azaz\N{KELVIN SIGN}ÉİΣ"
