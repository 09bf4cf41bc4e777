"""What is done to many alerts by one word, or comes of it, is told in one message a place."""

import re

import pytest

import tocsin_silence
from tocsin.plugins import Declared
from tocsin_silence import Silence

from tests.daemon.test_lists import storm
from tests.engine import Engine, Start, over
from tests.plugins.silence_parts import OPS, open_rings, silencing
from tests.tower import FACT, asks

MANY = [("DiskFull", "critical")] * 9 + [("Load", "warning")] * 5
KINDS = "9 critical DiskFull and 5 warning Load"


@pytest.fixture
def silence() -> Declared:
    return silencing(Silence())


def without_id(told: dict[str, list[str]]) -> dict[str, list[str]]:
    """What was said in each place, but for the id of the digest that tells it."""
    return {place: [re.sub(r"^\w{4} ", "", text) for text in texts] for place, texts in told.items()}


def told_since(engine: Engine, before: int) -> dict[str, list[str]]:
    """What was said in each place, but for pages."""
    found: dict[str, list[str]] = {}
    for said in engine.chat.said[before:]:
        if not said.message.command.startswith("!ack"):
            found.setdefault(said.place.name, []).append(str(said))
    return found


async def test_one_word_for_many_is_one_message_a_place(start: Start, silence: Declared) -> None:
    async with start(silence) as engine:
        ids, paged = await storm(engine, MANY), list[str]()

        async def tells(line: str) -> dict[str, list[str]]:
            before = len(engine.chat.said)
            await engine.says("bob", line, room=OPS)
            return without_id(told_since(engine, before))

        def both(room: str, alice: str = "") -> dict[str, list[str]]:
            texts = {OPS: room, "alice": alice or room} | dict.fromkeys(paged, room)
            return {name: [f"{text}: 14 alerts: {KINDS}"] for name, text in texts.items()}

        last = ids[-1]
        told = await tells(f"!silence all {last} 1h the move")
        assert told == both(
            "silenced by bob until 04:00 UTC (1h) (the move)", "silenced by bob until 04:00 UTC (the move)"
        )
        brief = [one.message.summary().text for one in engine.chat.said[-2:]]
        assert "the move" not in str(brief)
        told = await tells(f"!extend all {last} 2h")
        assert told == both(
            "silenced by bob until 05:00 UTC (2h) (the move)", "silenced by bob until 05:00 UTC (the move)"
        )
        assert await tells("!unsilence mine") == both("silence ended by bob")
        paged.append("bob")
        assert (await tells(f"!ack all {last}")) == both("acknowledged by bob, paging stops")
        assert await tells("!ack mine") == {OPS: [f"you still have 14 alerts: {KINDS}"]}
        assert await tells("!unack mine") == both("acknowledgement taken back by bob")
        assert (await tells(f"!done all {last}")) == both("resolved by bob, paging stops")


async def test_silences_of_one_word_are_reminded_of_and_end_together(start: Start, silence: Declared) -> None:
    async with start(silence) as engine:
        ids = await storm(engine, MANY)
        await engine.says("alice", f"!silence {ids[0]} 40m")
        await engine.says("alice", f"!silence {' '.join(ids[1:])} 1h")
        await engine.advance(minutes=45)
        before = len(engine.chat.said)
        await engine.advance(minutes=6)
        rest = f"{', '.join(ids[1:13])} and 1 more"
        kinds = "8 critical DiskFull and 5 warning Load"
        told = f"ring again at 04:00 (your silence ends): {rest} · !extend mine\n{kinds}"
        assert told_since(engine, before) == {"alice": [told]}
        before = len(engine.chat.said)
        await engine.advance(minutes=9)
        told = f"the silence is over: 13 alerts: {kinds}"
        assert without_id(told_since(engine, before)) == {"alice": [told], OPS: [told]}
        rung = [said.message.subject for said in engine.chat.said[before:] if said.place.name == "bob"]
        assert set(ids[1:]) <= set(rung)


async def test_very_many_end_part_by_part(
    start: Start, silence: Declared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tocsin_silence, "MOST_AT_ONCE", 3)
    async with start(silence) as engine:
        ids = await storm(engine, [("DiskFull", "critical")] * 8)
        await engine.says("alice", f"!silence all {ids[-1]} 1h")
        before = len(engine.chat.said)
        await engine.advance(hours=1)
        told = [text.splitlines()[0] for text in told_since(engine, before)[OPS]]
        assert all(text.startswith("the silence is over: ") for text in told)
        assert sorted(one for text in told for one in ids if one in text) == sorted(ids)
        assert len(told) == 3
        assert len(told_since(engine, before)["alice"]) == 6  # as often reminded before
        assert await open_rings(engine) == [True] * 8


async def test_who_was_not_paged_is_told_once_that_their_silences_are_over(
    start: Start, silence: Declared
) -> None:
    async with start(silence) as engine:
        ids = await storm(engine, [("DiskFull", "critical")] * 2)
        await engine.says("bob", f"!silence all {ids[1]} 30m", room=OPS)
        for key in ("0", "1"):
            await engine.report(over(key))
        before = len(engine.chat.said)
        await engine.advance(minutes=30)
        both = f"silence over: it had stopped firing: {ids[0]} and {ids[1]}"
        told = f"{both}\n{ids[0]} {FACT}\n{ids[1]} {FACT}"
        assert told_since(engine, before) == {"alice": [told], "bob": [told], OPS: [told]}


async def test_mine_extends_what_i_silenced_and_all_what_anybody_did(start: Start, silence: Declared) -> None:
    async with start(silence) as engine:
        ids = await storm(engine, [("DiskFull", "critical")] * 4)
        await engine.says("bob", f"!silence {ids[0]} 30m the move")
        await engine.says("bob", f"!silence {ids[1]} 40m")
        await engine.says("alice", f"!silence {ids[2]} 50m")
        await engine.advance(minutes=5)
        (told,) = await asks(engine, "bob", "!extend mine")
        first = f"silenced by bob for as long again: {ids[0]} and {ids[1]}"
        assert told == f"{first}\n{ids[0]} {FACT}\n{ids[1]} {FACT}"
        (asked,) = await asks(engine, "alice", "!extend all 2h")
        assert asked.startswith("that is 3 alerts, 3 of them critical: ")
        (told,) = await asks(engine, "alice", f"!extend all {ids[3]} 2h")
        assert (
            told.splitlines()[0] == f"silenced by alice until 05:05 (2h): {', '.join(ids[:2])} and {ids[2]}"
        )
        refused = [f"{ids[0]}: is silenced until 05:05 as it is", f"{ids[3]}: is not silenced"]
        (told,) = await asks(engine, "alice", f"!extend {ids[0]} {ids[3]}")
        assert [line[: len(text)] for line, text in zip(told.splitlines(), refused, strict=True)] == refused


async def test_refusals_come_in_one_message_and_have_an_end(start: Start, silence: Declared) -> None:
    async with start(silence) as engine:
        ids = await storm(engine, MANY)
        for word, why in (("unsilence", "is not silenced"), ("unack", "nobody has acknowledged it")):
            (told,) = await asks(engine, "alice", f"!{word} {' '.join(ids)}")
            *refused, last = told.splitlines()
            assert refused == [f"{one}: {why}" for one in ids[:13]]
            assert last == "… and 1 more"
