"""Who may speak where the network proves nothing, and how much strangers get to say."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from tocsin import daemon
from tocsin.config import Document
from tocsin.speakers import STRANGER_SAYS, STRANGERS_SAY
from tocsin.testing import HandClock, Loudspeaker, running

from tests.engine import Engine, Pager, Start, alert, fires, over

CONFIG = """\
digests = false
[networks.irc]
server = "127.0.0.1:6667"
tls = false
room = "#ops"
identity = "{identity}"
[people.alice]
accounts.irc = "alice"
[people.bob]
accounts.irc = "bob"
"""
FACT = "critical DiskFull db1: 97 % of / used"
WRONG = "the code {} is not one of yours, or is used up; look at your page again"
VOID = "the code {} is not one of yours, or is used up; all of yours are void now: the next page brings a new one"

On = Callable[[str], AbstractAsyncContextManager[Engine]]


@pytest.fixture
def on(write_config: Callable[..., Path], tmp_path: Path) -> On:
    """Starts engines whose only network proves nothing of who speaks."""

    @asynccontextmanager
    async def start(identity: str) -> AsyncIterator[Engine]:
        config = daemon.prepare(Document.open(write_config(CONFIG.format(identity=identity)))).config
        chat = Loudspeaker("irc")
        async with running(
            config,
            tmp_path / "state",
            declared=Pager().declared(),
            networks={"irc": chat},
            clock=HandClock(),
        ) as run:
            yield Engine(run, chat)

    return start


async def says(engine: Engine, nick: str, text: str, *, room: str = "") -> list[str]:
    """Somebody types under a nick; what is said to them."""
    place = f"room/{room}" if room else f"person/{nick}"
    before = len(engine.chat.texts(place))
    await engine.chat.hears("", text, room=room, claimed=nick)
    await engine.run.settled()
    return engine.chat.texts(place)[before:]


def codes(engine: Engine, person: str = "alice") -> list[str]:
    """The codes that somebody was sent, in order."""
    return re.findall(r"\b\d{4,}$", "\n".join(engine.chat.texts(f"person/{person}")), re.MULTILINE)


def other(code: str) -> str:
    """A code that is surely another."""
    return f"{(int(code) + 1) % 10_000:04}"


async def test_each_private_page_brings_a_code_that_answers_it(on: On) -> None:
    async with on("codes") as engine:
        subject = await engine.report(fires())
        [page] = engine.chat.texts("person/alice")
        [code] = codes(engine)
        assert page == f"{subject} {FACT} · ack {code}"
        assert (await says(engine, "alice", f"ack {code}"))[
            0
        ] == f"{subject} acknowledged by alice, paging stops: {FACT}"
        await engine.advance(minutes=20)
        assert not engine.chat.texts("person/bob")


@pytest.mark.parametrize("line", ["!ack {}", "tocsin: ACK {}.", "!ack {} thanks"])
async def test_a_code_may_be_typed_in_the_room_too(on: On, line: str) -> None:
    async with on("codes") as engine:
        subject = await engine.report(fires())
        said = await says(engine, "alice", line.format(codes(engine)[0]), room="#ops")
        assert f"{subject} acknowledged by alice, paging stops: {FACT}" in said


async def test_a_code_is_good_once_and_the_next_one_comes_by_itself(on: On) -> None:
    async with on("codes") as engine:
        subject = await engine.report(fires())
        [first] = codes(engine)
        said = await says(engine, "alice", f"ack {first}")
        second = codes(engine)[-1]
        assert f"{subject} your code for the next word on it, such as done: {second}" in said
        if first != second:
            assert await says(engine, "alice", f"done {first}") == [WRONG.format(first)]
        assert await says(engine, "alice", f"done {second}") == [f"{subject} resolved by alice: {FACT}"]
        assert codes(engine)[-1] == second


async def test_no_code_is_written_down_whatever_is_typed_around_it(on: On) -> None:
    async with on("codes") as engine:
        subject = await engine.report(fires())
        for line in ("unack {}", "{}", "dnoe {} now", "ack {0} {0} and", "done x{}"):
            await says(engine, "alice", line.format(codes(engine)[-1]))
        assert [what for (what,) in await engine.sql("select what from audit order by seq")] == [
            f"unack {subject}",
            "\u2026",
            f"dnoe {subject} now",
            f"ack {subject} {subject} and",
            "done x\u2026",
        ]
        [kept] = await engine.sql("select group_concat(verdict) from audit")
        assert not [code for code in codes(engine) if code in str(kept)]


async def test_a_word_that_does_not_fit_costs_no_more_than_its_code(on: On) -> None:
    async with on("codes") as engine:
        subject = await engine.report(fires())
        [code] = codes(engine)
        said = await says(engine, "alice", f"unack {code}")
        assert f"{subject}: nobody has acknowledged it" in said
        assert await says(engine, "alice", f"silence {codes(engine)[-1]}") == [
            "there is no !silence: !help lists what there is"
        ]
        assert (await says(engine, "alice", f"ack {codes(engine)[-1]}"))[
            0
        ] == f"{subject} acknowledged by alice, paging stops: {FACT}"


async def test_a_nick_alone_proves_nothing(on: On) -> None:
    async with on("codes") as engine:
        subject = await engine.report(fires())
        refusal = "your nick alone proves nothing: type the code of the page that I sent you, as in !ack 7351"
        for line in ("!ack", f"!ack {subject}", "!ack all"):
            assert await says(engine, "alice", line, room="#ops") == [refusal]
        assert (await says(engine, "alice", "whoami"))[0].startswith(
            "you have the nick of alice, which proves"
        )
        await engine.advance(minutes=5)
        assert engine.chat.texts("person/bob")


@pytest.mark.parametrize(
    ("word", "room", "end"),
    [
        ("me quiet off", "#ops", "a code answers for an alert, and for nothing else"),
        ("me", "", "a code answers for an alert, and for nothing else"),
        ("alerts", "", "ask in #ops"),
    ],
)
async def test_what_no_code_can_stand_for_is_not_promised_for_one(
    on: On, word: str, room: str, end: str
) -> None:
    async with on("codes") as engine:
        await engine.report(fires())
        refusal = (
            f"your nick alone proves nothing, so !{word.split(maxsplit=1)[0]} is not for anybody here: {end}"
        )
        assert await says(engine, "alice", f"!{word}", room=room) == [refusal]


async def test_nothing_is_to_be_typed_next_that_would_be_refused(on: On) -> None:
    async with on("codes") as engine:
        subject = await engine.report(fires())
        await says(engine, "alice", f"ack {codes(engine)[-1]}")
        await says(engine, "alice", f"unack {codes(engine)[-1]}")
        await engine.advance(minutes=20)
        assert f"!ack {subject}" not in str(engine.chat.texts())
        await engine.run.tocsin.turn(
            lambda tx: tx.tell(tx.about(tx.group(subject), command="ack"), about=subject)
        )
        await engine.run.settled()
        assert engine.chat.texts("room/#ops")[-1] == f"{subject} {FACT}"


async def test_a_code_is_its_owners_alone(on: On) -> None:
    async with on("codes") as engine:
        await engine.report(fires())
        [code] = codes(engine)
        assert await says(engine, "bob", f"ack {code}") == [WRONG.format(code)]
        await engine.advance(minutes=5)
        assert engine.chat.texts("person/bob")[-1].endswith(f"ack {codes(engine, 'bob')[-1]}")


async def test_a_code_is_told_to_nobody_else(on: On) -> None:
    async with on("codes") as engine:
        await engine.report(fires())
        wrong = other(codes(engine)[0])
        assert await says(engine, "alice", f"ack {wrong}") == [WRONG.format(wrong)]
        [told] = engine.chat.texts("room/#ops")
        assert told.endswith("tried !ack in private, and was refused: that code is not one of theirs")
        assert wrong not in told


async def test_who_guesses_makes_all_codes_void(on: On) -> None:
    async with on("codes") as engine:
        await engine.report(fires())
        [code] = codes(engine)
        wrong = other(code)
        for _ in range(4):
            assert await says(engine, "alice", f"ack {wrong}") == [WRONG.format(wrong)]
            await engine.advance(seconds=3)
        assert await says(engine, "alice", f"ack {wrong}") == [VOID.format(wrong)]
        await engine.advance(seconds=3)
        assert await says(engine, "alice", f"ack {code}") == [WRONG.format(code)]


async def test_codes_of_many_alerts_get_longer_before_one_fits_by_chance(on: On) -> None:
    async with on("codes") as engine:
        for number in range(30):
            await engine.report(fires(alert(str(number)), key=str(number)))
        found = codes(engine)
        assert len(set(found)) == 30
        await engine.report(over("0"))


async def test_several_codes_answer_several_alerts(on: On) -> None:
    async with on("codes") as engine:
        subjects = [await engine.report(fires(key=key)) for key in ("one", "two")]
        said = await says(engine, "alice", f"ack {' '.join(codes(engine))}")
        first, second = subjects
        lines = [
            f"acknowledged by alice, paging stops: {first} and {second}",
            f"{first} {FACT}",
            f"{second} {FACT}",
        ]
        assert said[0].splitlines() == lines


async def test_where_nobody_can_be_known_nobody_may_act(on: On) -> None:
    async with on("read-only") as engine:
        subject = await engine.report(fires())
        assert engine.chat.texts("person/alice") == [f"{subject} {FACT} · !ack {subject}"]
        refusal = "irc proves nothing of who you are, so !ack is not for anybody here"
        assert await says(engine, "mallory", "!ack", room="#ops") == [refusal]
        assert (await says(engine, "mallory", "!alerts", room="#ops"))[0].startswith("1 alert open")
        who = "irc does not prove who you are, so you may read here and not act"
        assert await says(engine, "mallory", "!whoami", room="#ops") == [who]


async def test_where_nicks_are_trusted_that_is_said(on: On) -> None:
    async with on("trust-nicks") as engine:
        await engine.says("alice", "whoami")
        [said] = engine.chat.texts("person/alice")
        assert said.startswith("you are alice, by your nick 'alice' alone, which I am told to trust on irc")


async def test_a_refusal_in_private_is_told_in_the_rooms_now_and_then(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        for _ in range(3):
            await engine.says("mallory", f"ack {subject}")
        told = [text for text in engine.chat.texts("room/#ops") if "mallory" in text]
        refused = "mallory on console tried !ack in private, and was refused"
        assert told == [f"{refused}: I don't know who that is"]
        await engine.advance(minutes=10)
        await engine.says("mallory", f"ack {subject}")
        assert len([text for text in engine.chat.texts("room/#ops") if "mallory" in text]) == 2


async def test_strangers_are_answered_so_often_and_no_more(start: Start) -> None:
    async with start() as engine:
        await engine.report(fires())
        for number in range(100):
            await engine.chat.hears(f"m{number % 10}", "!whoami", room="#ops")
        await engine.run.settled()
        answers = [text for text in engine.chat.texts("room/#ops") if "I don't know the account" in text]
        assert len(answers) == STRANGERS_SAY
        for _ in range(20):
            await engine.says("bob", "!whoami", room="#ops")
        assert len([text for text in engine.chat.texts("room/#ops") if "you are bob" in text]) == 20
        await engine.advance(seconds=11)
        for _ in range(20):
            await engine.chat.hears("m1", "!whoami", room="#ops")
        await engine.run.settled()
        answers = [text for text in engine.chat.texts("room/#ops") if "I don't know the account" in text]
        assert len(answers) == STRANGERS_SAY + STRANGER_SAYS


async def test_strangers_who_flood_keep_nobody_from_answering_with_a_code(on: On) -> None:
    async with on("codes") as engine:
        subject = await engine.report(fires())
        for number in range(STRANGERS_SAY + 1):
            await engine.chat.hears("", "!whoami", room="#ops", claimed=f"m{number}")
        said = await says(engine, "alice", f"ack {codes(engine)[0]}")
        assert said[0] == f"{subject} acknowledged by alice, paging stops: {FACT}"
