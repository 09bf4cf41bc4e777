"""IRC: where the package ends."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.networks.irc.lines import line
from tocsin.networks.irc.wire import LONGEST_UNFINISHED, Heard, Wire

from tests.networks.irc_parts import anything, letters


class Cable(asyncio.Transport):
    """A connection to nobody. written: what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close


class Factory:
    """Connects at once."""

    def __init__(self, **_: Any) -> None:
        self.cable = Cable()

    async def __call__(
        self, protocol: asyncio.Protocol, _: tuple[str, int]
    ) -> tuple[Cable, asyncio.Protocol]:
        return self.cable, protocol


@dataclass
class Ends:
    """A wire, its other end, and what came of it."""

    wire: Wire
    cable: Cable
    lines: list[str]
    ended: list[str]


async def connected() -> Ends:
    lines: list[str] = []
    ended: list[str] = []
    wire = Wire(lines.append, ended.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tocsin.networks.irc.wire.AioFactory", Factory)
        await wire.open("irc.example.org", 6667, None)
    assert isinstance(wire.transport, Cable)
    return Ends(wire, wire.transport, lines, ended)


@pytest.fixture
async def ends() -> Ends:
    return await connected()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("PING :a b", Heard("", "", "PING", ("a b",))),
        ("PING a", Heard("", "", "PING", ("a",))),
        ("PING :", Heard("", "", "PING", ("",))),
        ("PING", Heard("", "", "PING")),
        ("PING   a   b", Heard("", "", "PING", ("a", "b"))),
        (":irc 001 tocsin :Welcome", Heard("irc", "", "001", ("tocsin", "Welcome"))),
        (":irc   001   tocsin", Heard("irc", "", "001", ("tocsin",))),
        (":al!u@h PRIVMSG #ops ::) :x", Heard("al", "u@h", "PRIVMSG", ("#ops", ":) :x"))),
        (":al!u@h privmsg #ops !ack", Heard("al", "u@h", "PRIVMSG", ("#ops", "!ack"))),
        (
            ":al!u@h PRIVMSG #ops :\x01ACTION a\x01",
            Heard("al", "u@h", "PRIVMSG", ("#ops", "\x01ACTION a\x01")),
        ),
        (":al!u@h PRIVMSG #ops :a\x01b", Heard("al", "u@h", "PRIVMSG", ("#ops", "a\x01b"))),
        (":al!u@h PRIVMSG #ops : a  b ", Heard("al", "u@h", "PRIVMSG", ("#ops", " a  b "))),
        (":al!u@h PRIVMSG", Heard("al", "u@h", "PRIVMSG")),
        (":al!u@h NOTICE #ops", Heard("al", "u@h", "NOTICE", ("#ops",))),
        (":al!u@h QUIT", Heard("al", "u@h", "QUIT")),
        (":al!u@h MODE", Heard("al", "u@h", "MODE")),
        (":al!u@h Nick :bob", Heard("al", "u@h", "NICK", ("bob",))),
        (":al!!@h!x NICK bob", Heard("al", "!@h!x", "NICK", ("bob",))),
        (":al! NICK bob", Heard("al", "", "NICK", ("bob",))),
        (":irc BATCH +1 netsplit a b", Heard("irc", "", "BATCH", ("+1", "netsplit", "a", "b"))),
        (":irc 999 x", Heard("irc", "", "999", ("x",))),
        (":irc 005 t WHOX X= :are", Heard("irc", "", "005", ("t", "WHOX", "X=", "are"))),
        ("@a=1;b;c=;+d=x :irc ACK", Heard("irc", "", "ACK", (), {"a": "1", "b": "", "c": "", "+d": "x"})),
        (r"@a=1\:\s\\\r\n\x :irc ACK", Heard("irc", "", "ACK", (), {"a": "1; \\\r\nx"})),
        ("@a=1;a=2 PING", Heard("", "", "PING", (), {"a": "2"})),
        ("@a==b=c PING", Heard("", "", "PING", (), {"a": "=b=c"})),
        (
            "@label=t1 :t!u@h PRIVMSG #ops :@x=y",
            Heard("t", "u@h", "PRIVMSG", ("#ops", "@x=y"), {"label": "t1"}),
        ),
        ("@ PING", Heard("", "", "PING")),
    ],
)
async def test_a_line_is_taken_apart(ends: Ends, text: str, read: Heard) -> None:
    assert ends.wire.parse(text) == read
    assert ends.cable.written == b""


@pytest.mark.parametrize(
    "token",
    [
        "MAXLIST=b",
        "TARGMAX=PRIVMSG",
        "PREFIX=ov@+",
        "CHANLIMIT=#",
        "CHANLIMIT=#:x",
        "PREFIX=",
        "-PREFIX",
        "=",
    ],
)
async def test_what_a_server_says_of_itself_is_read_as_words(ends: Ends, token: str) -> None:
    """Whatever that is; the package knows better, and would lose the line."""
    for words in ((token,), ("WHOX", token, "NETWORK=Example")):
        read = ends.wire.parse(f":irc 005 tocsin {' '.join(words)} :are supported")
        assert read == Heard("irc", "", "005", ("tocsin", *words, "are supported"))


@pytest.mark.parametrize("text", ["", " ", "  a", ":", ": ", "@a=b", "@a=b ", "NICK", "NICK a", "001"])
async def test_what_is_no_line_is_not_taken_for_one(ends: Ends, text: str) -> None:
    try:
        read = ends.wire.parse(text)
    except Exception:  # noqa: BLE001 (anything, says the wire)
        read = None
    assert read is None or (read.command, read.sender, read.words) == (text.strip().upper(), "", ())
    assert ends.wire.parse("PING a") == Heard("", "", "PING", ("a",))


def test_words_that_are_not_there_are_empty() -> None:
    assert Heard("irc", "", "PING").last == Heard("irc", "", "PING").word(0) == ""
    three = Heard("irc", "", "PING", ("a", "b", "c"))
    assert [three.word(place) for place in range(4)] == ["a", "b", "c", ""]
    assert three.last == "c"


odd_lines = st.one_of(
    anything,
    st.builds(
        " ".join,
        st.lists(
            st.sampled_from(
                ["@a=b", ":al!u@h", ":", "005", "001", "NICK", "MODE", "PRIVMSG", "#x", "PREFIX=("]
            )
            | anything
        ),
    ),
)


@settings(max_examples=50)
@given(st.lists(odd_lines, min_size=1, max_size=4))
async def test_an_odd_line_leaves_nothing_behind(texts: list[str]) -> None:
    ends = await connected()
    for text in texts:
        try:
            read = ends.wire.parse(text)
        except Exception:  # noqa: BLE001, S112 (anything, says the wire)
            continue
        assert read is None or all(isinstance(word, str) for word in (*read.words, *read.tags.values()))
    assert ends.wire.parse("@a=1 :al!u@h PRIVMSG #ops :!ack") == (
        Heard("al", "u@h", "PRIVMSG", ("#ops", "!ack"), {"a": "1"})
    )
    assert ends.cable.written == b""
    assert ends.ended == []


@settings(max_examples=50)
@given(
    st.text(letters, min_size=1),
    st.sampled_from(["PRIVMSG", "KICK", "JOIN", "353", "XYZZY"]),
    st.lists(st.text(letters, min_size=1), max_size=3),
    anything,
)
async def test_what_is_written_is_read(nick: str, command: str, words: list[str], text: str) -> None:
    ends = await connected()
    try:
        built = line(command, *words, text=text)
    except ValueError:
        return
    read = ends.wire.parse(f":{nick}!u@h {built}")
    assert read == Heard(nick, "u@h", command, (*words, text))


async def test_lines_come_as_text_whatever_bytes_they_are(ends: Ends) -> None:
    for piece in (b"caf\xc3", b"\xa9\r\ncaf\xe9\n\r", b"\n\n", b"a\rb\r", b"\nrest"):
        ends.wire.process_data(piece)
    assert ends.lines == ["café", "café", "a\rb"]
    ends.wire.process_data(b" of it\n")
    assert ends.lines[-1] == "rest of it"


async def test_a_line_that_never_ends_is_forgotten(ends: Ends) -> None:
    ends.wire.process_data(b"x" * LONGEST_UNFINISHED)
    ends.wire.process_data(b"y\n")
    assert [len(text) for text in ends.lines] == [LONGEST_UNFINISHED + 1]
    for _ in range(3):
        ends.wire.process_data(b"x" * LONGEST_UNFINISHED)
    ends.wire.process_data(b"\nPING a\n")
    assert len(ends.lines[1]) < LONGEST_UNFINISHED + 1
    assert ends.lines[2:] == ["PING a"]


async def test_what_is_sent_ends_its_line_and_goes_nowhere_once_the_link_is_gone(ends: Ends) -> None:
    ends.wire.send_raw("PRIVMSG #ops :café")
    assert ends.cable.written == "PRIVMSG #ops :café\r\n".encode()
    ends.cable.close()
    with pytest.raises(ConnectionError):
        ends.wire.send_raw("QUIT")
    with pytest.raises(ConnectionError):
        Wire(ends.lines.append, ends.ended.append).send_raw("QUIT")
    assert b"QUIT" not in ends.cable.written


@pytest.mark.parametrize(
    ("error", "why"),
    [(None, "the server closed the link"), (OSError("reset"), "the link was lost: reset")],
)
async def test_the_end_of_a_link_is_told(ends: Ends, error: Exception | None, why: str) -> None:
    ends.wire.protocol.connection_lost(error)
    assert ends.ended == [why]


async def test_hanging_up_is_closing(ends: Ends) -> None:
    for hang_up in (ends.wire.close, ends.wire.abort, Wire(print, print).close, Wire(print, print).abort):
        hang_up()
    assert ends.cable.closing
