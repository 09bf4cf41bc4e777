"""How old an answer may be, and what it is an answer to by then."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.daemon.hands import ACKED, CHECK, ROOM, THUMB, UP, Hands
from tests.engine import Engine, fires, over
from tests.tower import TWO_STEPS, Tower


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    """Alice is paged at 03:00, bob at 03:05; the room hears of it."""
    return Tower(write_config, tmp_path / "state")


@pytest.mark.parametrize("word", ["ack", "done", "accept"])
async def test_an_answer_counts_at_any_age_while_it_is_the_same_alert(tower: Tower, word: str) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        at = engine.run.clock.now() - timedelta(hours=2)  # by a clock that is far behind
        await engine.advance(hours=9)
        await engine.chat.hears("alice", f"{word} {subject}", at=at)
        assert await engine.state(subject) == ("resolved" if word == "done" else "acknowledged")


async def again(engine: Engine) -> str:
    """Fires at 03:00, is over at 03:05, and fires again at 03:10; its id."""
    subject = await engine.report(fires())
    await engine.advance(minutes=5)
    await engine.report(over())
    await engine.advance(minutes=5)
    assert await engine.report(fires()) == subject
    return subject


@pytest.mark.parametrize("word", ["ack", "done", "accept", "unack"])
async def test_an_answer_said_before_it_fired_again_is_none_to_that(tower: Tower, word: str) -> None:
    async with tower() as engine:
        subject = await again(engine)
        told = f"{subject} fired again at 03:10:00 UTC, after that: !{word} {subject} if you mean this one"
        hands, at = Hands(engine), engine.run.clock.now() - timedelta(minutes=3)
        assert await hands.reply("alice", f"!{word} {subject}", "", room=ROOM, at=at) == told
        assert await engine.state(subject) == "triggered"
        assert told not in await hands.reply("alice", f"!{word} {subject}", "", room=ROOM)


@pytest.mark.parametrize("seconds", [-59, 59])
async def test_a_clock_that_is_a_little_off_keeps_nobody_from_answering(tower: Tower, seconds: int) -> None:
    async with tower() as engine:
        subject = await again(engine)
        hands, at = Hands(engine), engine.run.clock.now() + timedelta(seconds=seconds)
        said = await hands.reply("alice", f"!ack {subject}", "", room=ROOM, at=at)
        assert said == ACKED.format(subject, "alice")


@pytest.mark.parametrize("hand", ["tap", "reply", "thumb"])
async def test_a_hand_on_an_old_page_answers_what_it_stands_for(tower: Tower, hand: str) -> None:
    async with tower() as engine:
        subject = await again(engine)
        hands = Hands(engine)
        first, second = [
            str(at)
            for at, said in enumerate(engine.chat.said, 1)
            if said.place.name == "alice" and said.message.command
        ]

        async def answers(page: str, **line: object) -> str:
            if hand == "reply":
                return await hands.reply("alice", "ack", page, **line)  # type: ignore[arg-type] # of many kinds
            return await hands.tap("alice", CHECK if hand == "tap" else THUMB, page, **line)  # type: ignore[arg-type] # of many kinds

        told = f"{subject} fired again at 03:10:00, after that: !ack {subject} if you mean this one"
        assert await answers(first) == told
        assert await engine.state(subject) == "triggered"
        # Who names it now means what there is now.
        assert await hands.reply("alice", f"ack {subject}", first) == ACKED.format(subject, "alice")
        await engine.says("alice", "unack")
        # What answers the new page comes after it, however far behind that clock is.
        at = engine.run.clock.now() - timedelta(hours=1)
        assert await answers(second, at=at) == ACKED.format(subject, "alice")


async def test_what_flaps_is_one_alert(tower: Tower) -> None:
    async with tower() as engine:
        subject = ""
        for _ in range(5):
            subject = await engine.report(fires())
            await engine.advance(minutes=1)
            await engine.report(over())
            await engine.advance(minutes=1)
        await engine.report(fires())
        (flapping,) = [text for text in engine.chat.texts(f"room/{ROOM}") if "flapping" in text]
        hands = Hands(engine)
        said = await hands.tap("bob", CHECK, hands.receipt(flapping, f"room/{ROOM}"), room=ROOM)
        assert f"{subject} acknowledged by bob" in said


EXPIRING = {
    "page bob the queue stands still": "page bob the queue stands still",
    "up {}": "up {}",
    "escalate": "up",
    "decline {}": "decline {}",
    "silence {} 1h": "silence {} 1h",
    "extend {} 1h": "extend {} 1h",
}


@pytest.mark.parametrize("line", EXPIRING)
async def test_what_wakes_people_or_lets_them_sleep_is_not_done_hours_later(tower: Tower, line: str) -> None:
    async with tower(TWO_STEPS, "[plugins.silence]\n") as engine:
        subject = await engine.report(fires())
        now, before = engine.run.clock.now(), len(engine.chat.said)
        hands, typed = Hands(engine), EXPIRING[line].format(subject)
        said = await hands.reply(
            "bob", f"!{line.format(subject)}", "", room=ROOM, at=now - timedelta(hours=3, seconds=5)
        )
        assert said == f"that was 3h ago, so I did not do it; say it again if you still mean it: !{typed}"
        assert len(engine.chat.said) == before + 1
        assert await engine.state(subject) == "triggered"
        said = await hands.reply(
            "bob", f"!{line.format(subject)}", "", room=ROOM, at=now - timedelta(minutes=10)
        )
        assert "ago" not in said


async def test_a_tap_that_pages_expires_as_well(tower: Tower) -> None:
    async with tower(TWO_STEPS, "[plugins.silence]\n") as engine:
        subject = await engine.report(fires())
        hands, at = Hands(engine), engine.run.clock.now() - timedelta(minutes=11)
        page = hands.receipt(subject, "person/alice")
        told = f"that was 11m ago, so I did not do it; say it again if you still mean it: !{{}} {subject}"
        assert await hands.tap("alice", UP, page, at=at) == told.format("up")
        said = await hands.reply("alice", "silence 1h", page, at=at)
        assert said == told.format("silence") + " 1h"
        assert tower.chat.pages() == ["03:00:00 alice"]


async def test_a_clock_ahead_of_ours_is_no_matter(tower: Tower) -> None:
    async with tower() as engine:
        subject = await again(engine)
        hands, at = Hands(engine), engine.run.clock.now() + timedelta(hours=5)
        assert "paging" in await hands.reply("alice", "!up", "", room=ROOM, at=at)
        assert await hands.reply("alice", "!ack", "", room=ROOM, at=at) == ACKED.format(subject, "alice")
