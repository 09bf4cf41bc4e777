"""What somebody said in a room, kept for the timeline by a tap or a word."""

import pytest

from tests.engine import Engine
from tests.plugins.incident_parts import TABLES, declared, said
from tests.tower import Tower, asks

WITH = (*TABLES, "[plugins.timeline]\n")
PIN = "\U0001f4cc"


async def notes(engine: Engine) -> list[str]:
    return await engine.run.tocsin.turn(
        lambda tx: [
            f"{entry.at:%H:%M} {entry.headline} by {entry.by}"
            for entry in tx.story("1")
            if entry.kind == "timeline.noted"
        ]
    )


async def taps(tower: Tower, engine: Engine, who: str, about: str) -> None:
    await tower.chat.hears(who, PIN, room="#ops", about=about, tapped=True)
    await engine.run.settled()


async def test_a_tap_keeps_what_was_said_with_who_said_it_and_when(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await declared(engine)
        await tower.chat.hears("bob", "the queue has 90,000 mails", room="#ops", line_id="$said")
        await engine.advance(minutes=5)
        before = len(tower.chat.said)
        await taps(tower, engine, "alice", "$said")
        await taps(tower, engine, "carol", "$said")
        assert await notes(engine) == ["03:00 bob said: the queue has 90,000 mails by alice"]
        assert said(tower, "room/#ops", before) == ["1 noted: bob said 'the queue has 90,000 mails'"]


async def test_a_stranger_s_words_can_be_kept_but_a_stranger_keeps_none(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await declared(engine)
        await tower.chat.hears("eve", "I see it too", room="#ops", line_id="$said")
        before = len(tower.chat.said)
        await taps(tower, engine, "eve", "$said")
        assert not tower.chat.said[before:]
        await taps(tower, engine, "alice", "$said")
        assert await notes(engine) == ["03:00 eve said: I see it too by alice"]


async def test_where_there_is_no_incident_a_tap_is_left_alone(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await tower.chat.hears("bob", "lunch?", room="#ops", line_id="$said")
        await taps(tower, engine, "alice", "$said")
        assert not tower.chat.said


async def test_what_is_not_known_any_more_is_said_so(tower: Tower) -> None:
    async with tower(*WITH, crash=True) as engine:
        await declared(engine)
        await tower.chat.hears("bob", "look", room="#ops", line_id="$said")
    async with tower(*WITH) as engine:
        await taps(tower, engine, "alice", "$said")
        assert (
            said(tower, "room/#ops")[-1] == "I know nothing of that any more: !note TEXT keeps what you type"
        )


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("!pin", "bob said: it is the disk"),
        ("!pin carol", "carol said: no, the net"),
        ("!pin 1 @Carol", "carol said: no, the net"),
        ("!pin 1", "bob said: it is the disk"),
        ("!pin #1 alice", "alice said: I look"),
    ],
)
async def test_by_a_word_what_was_said_last_is_meant(tower: Tower, typed: str, kept: str) -> None:
    async with tower(*WITH) as engine:
        await declared(engine)
        for who, text in (("carol", "no, the net"), ("bob", "it is the disk"), ("alice", "I look")):
            await engine.says(who, text, room="#ops")
        await engine.says("bob", "!incidents", room="#ops")  # a command is nothing that was said
        [told] = await asks(engine, "alice", typed, room="#ops")
        assert told.startswith("1 noted: ")
        assert await notes(engine) == [f"03:00 {kept} by alice"]


@pytest.mark.parametrize("typed", ["!pin", "!pin dave"])
async def test_nothing_said_is_nothing_kept(tower: Tower, typed: str) -> None:
    async with tower(*WITH) as engine:
        await declared(engine)
        assert (await asks(engine, "alice", typed, room="#ops"))[0].startswith("I know nothing of that")
        assert not await notes(engine)
