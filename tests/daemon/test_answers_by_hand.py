"""Replies to our messages, and what is taken back: what people do who are too tired to type an id."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.domain.message import Message, Place
from tocsin.errors import NetworkError

from tests.daemon.hands import ACKED, CHECK, ROOM, THUMB, UP, Hands, audit
from tests.engine import fires
from tests.tower import FACT, TWO_STEPS, Tower, asks


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    """Alice is paged at 03:00, bob at 03:05; the room hears of it."""
    return Tower(write_config, tmp_path / "state")


ACKS = ["ack", "!ack", "Ack.", "tocsin: ack", "ack this, please", "ack looking into it", "ACK on it now"]


@pytest.mark.parametrize("text", ACKS)
@pytest.mark.parametrize("room", [ROOM, ""], ids=["room", "private"])
async def test_a_reply_is_about_what_it_answers(tower: Tower, room: str, text: str) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        first, second = [await engine.report(fires(key=key)) for key in ("one", "two")]
        page = hands.receipt(first, f"room/{room}" if room else "person/alice")
        assert await hands.reply("alice", text, page, room=room) == ACKED.format(first, "alice")
        assert [await engine.state(one) for one in (first, second)] == ["acknowledged", "triggered"]
        said = text.strip("!").removeprefix("tocsin: ").lower().replace("ack.", "ack")
        ((what, verdict),) = await audit(engine)
        assert (what.lower(), verdict) == (f"{said} (reply to {first})", "done")


CHAT = [
    "done with lunch, having a look",
    "up and running again?",
    "me",
    "why is this firing at all",
    "page bob about this, maybe",
    "acked by bob already",
    "ack?",
    "ack, or does bob have it?",
    "accept the risk",
    "help",
    "alerts are noisy today",
    "silence is golden",
    "thanks",
    "> ack",
    "`ack`",
    "",
]


@pytest.mark.parametrize("text", CHAT)
async def test_people_may_talk_about_an_alert_under_it(tower: Tower, text: str) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        line = hands.receipt(subject, f"room/{ROOM}")
        assert await hands.reply("bob", text, line, room=ROOM) == ""
        assert await hands.reply("mallory", text, line, room=ROOM) == ""
        assert await engine.state(subject) == "triggered"
        assert await audit(engine) == []


async def test_what_is_surely_meant_for_us_is_answered_under_a_message_too(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        line, page = hands.receipt(subject, f"room/{ROOM}"), hands.receipt(subject, "person/alice")
        assert await hands.reply("bob", "!akc", line, room=ROOM) == "there is no !akc; did you mean !ack?"
        assert await hands.reply("alice", "got it", page) == "there is no !got: !help lists what there is"
        said = await hands.reply("alice", "done with it", page)
        assert said == "there is no alert 'with': !alerts lists what is open"
        assert await engine.state(subject) == "triggered"


async def test_who_names_an_alert_means_that(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        one, two, three = subjects = [await engine.report(fires(key=key)) for key in ("one", "two", "three")]
        line = hands.receipt(one, f"room/{ROOM}")

        async def says(text: str) -> str:
            return await hands.reply("bob", text, line, room=ROOM)

        assert await says(f"ack {two}") == ACKED.format(two, "bob")
        assert await says(f"ack {two} instead") == f"{two}: you still have it"
        assert await says("done mine") == f"{two} resolved by bob: {FACT}"
        assert (await says(f"why {three}")).startswith(f"{three} triggered")
        assert (await says(f"!alerts {three}")).startswith(f"{three} critical")
        assert "that is 2 alerts" in await says("ack all")
        assert [await engine.state(each) for each in subjects] == ["triggered", "resolved", "triggered"]


async def test_every_word_that_takes_an_alert_takes_the_one_that_is_answered(tower: Tower) -> None:
    async with tower(TWO_STEPS, "[plugins.silence]\n") as engine:
        hands = Hands(engine)
        subject, other = [await engine.report(fires(key=key)) for key in ("one", "two")]
        page = hands.receipt(subject, "person/alice")

        async def says(text: str) -> str:
            return await hands.reply("alice", text, page)

        assert (await says("why")).startswith(f"{subject} triggered: {FACT}\n")
        assert await says("alerts") == f"{subject} {FACT} (since 03:00:00; nobody has answered)"
        assert await says("up") == f"{subject}: step 2: paging bob"
        assert f"{subject} silenced by alice until 03:30" in await says("silence 30m the disk is being moved")
        await engine.says("alice", f"silence {other} 5m")  # which would be extended first
        assert f"{subject} silenced by alice until 04:30" in await says("extend 1h30m")
        await engine.says("alice", f"unsilence {other}")
        assert f"{subject} silence ended by alice: " in await says("unsilence")
        assert f"{subject} silenced by alice until 03:30" in await says("silence this for 30m")
        assert await says("accept") == f"{subject} acknowledged by alice: {FACT}"
        assert f"{subject} acknowledgement taken back by alice" in await says("unack")
        assert f"{subject}: no step" not in await says("decline")
        assert (await says("done")).startswith(f"{subject} resolved by alice")
        assert await says("ack") == f"{subject}: is already resolved"
        assert await engine.state(other) == "triggered"


async def test_the_answer_to_a_question_can_be_answered_too(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject, _ = [await engine.report(fires(key=key)) for key in ("one", "two")]
        (told,) = await asks(engine, "bob", f"alerts {subject}")
        assert await hands.reply("bob", "ack", hands.receipt(told, "person/bob")) == ACKED.format(
            subject, "bob"
        )


async def test_what_is_about_nothing_or_not_there_is_answered_as_if_by_itself(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        first, second = [await engine.report(fires(key=key)) for key in ("one", "two")]
        await asks(engine, "bob", "!alerts", room=ROOM)
        nothing = hands.receipt("2 alerts open", f"room/{ROOM}")
        elsewhere = hands.receipt(first, "person/alice")
        for about in (nothing, elsewhere, "999", "\ud800", "x" * 5000, "0"):
            assert await hands.reply("bob", "ack", about, room=ROOM) == ""
            assert await hands.reply("bob", "!ack", about, room=ROOM) == (
                f"which one? {first} and {second}; or mine, or all"
            )
            for emoji in (CHECK, UP, THUMB):
                for who in ("alice", "bob", "mallory"):
                    assert await hands.tap(who, emoji, about, room=ROOM) == ""
        assert len(await audit(engine)) == 7
        assert [await engine.state(one) for one in (first, second)] == ["triggered", "triggered"]


async def test_a_page_that_others_got_gives_a_stranger_nothing(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        page = hands.receipt(subject, "person/alice")
        for room in ("", "#elsewhere"):
            assert await hands.tap("mallory", CHECK, page, room=room) == ""
            assert subject not in await hands.reply("mallory", "why", page, room=room)
        assert await engine.state(subject) == "triggered"


# Taking back


@pytest.mark.parametrize("hand", ["tap", "reply", "line"])
async def test_what_is_taken_back_at_once_pages_again(tower: Tower, hand: str) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        page = hands.receipt(subject, "person/alice")
        line = "$one\ud800"  # whatever a server calls it
        if hand == "tap":
            await hands.tap("alice", CHECK, page, line_id=line)
        else:
            await hands.reply("alice", "ack", page if hand == "reply" else "", line_id=line)
        await engine.advance(seconds=30)
        said = await hands.take_back("alice", line)
        assert f"{subject} acknowledgement taken back by alice: {FACT}" in said
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:30 alice"]
        assert (await audit(engine))[-1] == (f"unack {subject} (taken back)", "done")
        assert await hands.take_back("alice", line) == ""


async def test_later_one_is_told_what_to_type(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        await hands.tap("alice", CHECK, hands.receipt(subject, "person/alice"), line_id="$one")
        await engine.advance(seconds=31)
        assert await hands.take_back("alice", "$one") == (
            f"you still have {subject}: if you don't want it any more, type !unack {subject}"
        )
        assert await engine.state(subject) == "acknowledged"
        assert (await audit(engine))[-1] == (f"unack {subject} (taken back)", "too late")


async def test_how_soon_it_was_taken_back_is_told_by_the_networks_clock(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        page, at = hands.receipt(subject, "person/alice"), engine.run.clock.now() - timedelta(minutes=1)
        await hands.tap("alice", CHECK, page, line_id="$one", at=at)
        await engine.advance(minutes=5)  # it was away
        await hands.take_back("alice", "$one", at=at + timedelta(seconds=30))
        assert await engine.state(subject) == "triggered"
        await hands.tap("alice", CHECK, page, line_id="$two", at=at)
        assert "you still have" in await hands.take_back("alice", "$two", at=at + timedelta(seconds=31))


async def test_only_what_one_took_oneself_and_still_has_is_taken_back(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        page = hands.receipt(subject, "person/alice")
        assert await hands.take_back("alice", "$one") == ""  # before it came
        await hands.tap("alice", CHECK, page, line_id="$one")
        for who in ("bob", "mallory", ""):
            assert await hands.take_back(who, "$one", room=ROOM) == ""
        for other in ("$none", "", "\ud800", "$" * 5000):
            assert await hands.take_back("alice", other) == ""
        await hands.tap("alice", THUMB, page, line_id="$two")
        assert await hands.take_back("alice", "$two") == ""
        assert await engine.state(subject) == "acknowledged"
        await engine.advance(seconds=1)
        await engine.says("alice", "unack")
        assert await hands.take_back("alice", "$one") == ""
        await engine.says("alice", "ack")
        assert await hands.take_back("alice", "$one") == ""
        assert await engine.state(subject) == "acknowledged"
        await engine.says("alice", "done")
        assert await hands.take_back("alice", "$one") == ""


async def test_what_was_taken_back_comes_once_whatever_crashes(tower: Tower) -> None:
    async with tower(crash=True) as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        await hands.tap("alice", CHECK, hands.receipt(subject, "person/alice"), line_id="$one")
        await hands.take_back("alice", "$one", line_id="$back")
    async with tower() as engine:
        await engine.says("alice", "ack")
        assert await Hands(engine).take_back("alice", "$one", line_id="$back") == ""
        assert await engine.state(subject) == "acknowledged"


async def test_a_message_that_is_about_something_else_is_left_to_that(tower: Tower) -> None:
    async with tower() as engine:
        other = await engine.run.tocsin.turn(lambda tx: tx.open("offer", "one"))
        await engine.run.tocsin.turn(lambda tx: tx.say(Place("console", ROOM), Message("hello", other)))
        await engine.run.settled()
        hands = Hands(engine)
        said = hands.receipt(other, f"room/{ROOM}")
        assert await hands.tap("alice", CHECK, said, room=ROOM) == ""
        assert (
            await hands.reply("alice", "ack", said, room=ROOM) == f"{other}: there is nothing in it for !ack"
        )


@pytest.mark.parametrize("tapped", [False, True])
async def test_what_answers_a_message_in_doubt_is_known_by_the_messages_own_id(
    tower: Tower, *, tapped: bool
) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        tower.chat.fails, tower.chat.answer_lost = lambda _: NetworkError("no answer within 10 s"), True
        subject = await engine.report(fires())
        said = next(one for one in tower.chat.said if one.place.private)
        text, about = CHECK if tapped else "ack", "a receipt that nobody knows"
        await hands.reply("alice", text, about, about_id=said.txn_id, tapped=tapped)
        assert await engine.state(subject) == "acknowledged"
