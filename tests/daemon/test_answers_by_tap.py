"""Taps on our messages: which count, whose, and on what."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tocsin.alerts import report
from tocsin.domain.message import Place
from tocsin.errors import NetworkError

from tests.daemon.hands import ACKED, CHECK, ROOM, THUMB, UP, Hands, audit
from tests.engine import Engine, alert, fires, over
from tests.tower import Tower, asks


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    """Alice is paged at 03:00, bob at 03:05; the room hears of it."""
    return Tower(write_config, tmp_path / "state")


@pytest.mark.parametrize("emoji", [CHECK, f"{CHECK}\ufe0f", "\u2611\ufe0f", f"{THUMB}\U0001f3fd", THUMB])
async def test_a_tap_on_a_page_takes_it(tower: Tower, emoji: str) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        first, second = [await engine.report(fires(key=key)) for key in ("one", "two")]
        page = hands.receipt(second, "person/alice")
        assert await hands.tap("alice", emoji, page) == ACKED.format(second, "alice")
        assert ACKED.format(second, "alice") in engine.chat.texts(f"room/{ROOM}")
        assert await engine.state(first) == "triggered"
        assert await audit(engine) == [(f"ack {second} (reaction)", "done")]
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:00 alice", "03:05:00 bob"]


async def test_a_tap_pages_the_next(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        page = hands.receipt(subject, "person/alice")
        assert await hands.tap("alice", UP, page) == f"{subject}: step 2: paging bob"
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:00 bob"]
        await engine.says("bob", "ack")
        has = f"{subject}: bob has it; !unack {subject} pages from the first step on"
        assert await hands.tap("alice", UP, page) == has
        assert await audit(engine) == [
            (f"up {subject} (reaction)", "done"),
            ("ack", "done"),
            (f"up {subject} (reaction)", "done"),
        ]


async def test_a_tap_takes_effect_once_whatever_crashes(tower: Tower) -> None:
    async with tower(crash=True) as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        page = hands.receipt(subject, "person/alice")
        await hands.tap("alice", CHECK, page, line_id="$tap")
    async with tower() as engine:
        await engine.says("alice", "!unack", room=ROOM)
        assert await Hands(engine).tap("alice", CHECK, page, line_id="$tap") == ""
        assert await engine.state(subject) == "triggered"
        assert len(await engine.sql("select * from events where kind = 'group.acknowledged'")) == 1


NO_ANSWER = [
    "\U0001f440",
    "ack",
    "!ack",
    f"{CHECK}{CHECK}",
    f"{CHECK}\nack",
    CHECK * 30_000,
    "",
    "\ud83d",
    ":+1:",
]


@pytest.mark.parametrize("emoji", NO_ANSWER, ids=range(len(NO_ANSWER)))
async def test_what_stands_for_no_word_is_left_alone(tower: Tower, emoji: str) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        for who in ("alice", "mallory"):
            for room, place in (("", "person/alice"), (ROOM, f"room/{ROOM}")):
                assert await hands.tap(who, emoji, hands.receipt(subject, place), room=room) == ""
        assert await engine.state(subject) == "triggered"
        assert await audit(engine) == []


async def test_a_thumb_counts_only_from_somebody_who_was_paged(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        line = hands.receipt(subject, f"room/{ROOM}")
        for who in ("bob", "carol", "mallory"):
            assert await hands.tap(who, THUMB, line, room=ROOM) == ""
        for _ in range(10):
            assert await hands.tap("mallory", THUMB, line, room=ROOM) == ""
        assert await audit(engine) == []
        assert "I don't know the account" in (await asks(engine, "mallory", "!whoami", room=ROOM))[0]
        await engine.advance(minutes=5)
        assert await hands.tap("bob", THUMB, line, room=ROOM) == ACKED.format(subject, "bob")
        # Alice was paged too, and is glad that bob has it.
        assert await hands.tap("alice", THUMB, line, room=ROOM) == ""
        assert await hands.tap("bob", THUMB, line, room=ROOM) == f"{subject}: you still have it"


async def test_strangers_are_refused_as_if_they_had_typed(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        line = hands.receipt(subject, f"room/{ROOM}")
        refused = "I don't know you here, so {} is not for you: !whoami"
        assert await hands.tap("mallory", CHECK, line, room=ROOM) == refused.format("!ack")
        assert await hands.tap("mallory", UP, line, room=ROOM) == refused.format("!up")
        assert await hands.reply("mallory", "ack", line, room=ROOM) == refused.format("!ack")
        assert (f"ack {subject} (reaction)", "stranger") in await audit(engine)
        said = [await hands.tap("mallory", CHECK, line, room=ROOM) for _ in range(10)]
        assert said == [refused.format("!ack")] * 2 + [""] * 8
        assert await engine.state(subject) == "triggered"


async def test_a_tap_that_does_nothing_says_so_where_only_we_can_be_meant(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        page, line = hands.receipt(subject, "person/alice"), hands.receipt(subject, f"room/{ROOM}")
        await engine.says("bob", f"!ack {subject}", room=ROOM)
        has = f"{subject}: bob has it already"
        assert await hands.tap("alice", CHECK, page) == has
        assert await hands.tap("alice", CHECK, line, room=ROOM) == has
        told = hands.receipt("acknowledged by bob", f"room/{ROOM}")
        assert await hands.tap("alice", CHECK, told, room=ROOM) == ""
        await engine.report(over())
        assert await hands.tap("alice", CHECK, page) == f"{subject}: is already resolved"
        assert await hands.tap("alice", CHECK, line, room=ROOM) == ""
        for place, room in ((f"room/{ROOM}", ROOM), ("person/alice", "")):
            assert await hands.tap("alice", CHECK, hands.receipt("resolved", place), room=room) == ""


async def test_what_rings_again_is_taken_by_a_tap_on_what_says_so(tower: Tower) -> None:
    async with tower() as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        await engine.says("alice", "ack")
        await engine.says("alice", "unack")
        told = hands.receipt("taken back", f"room/{ROOM}")
        assert await hands.tap("mallory", CHECK, told, room=ROOM) == ""
        assert await hands.tap("bob", CHECK, told, room=ROOM) == ACKED.format(subject, "bob")


async def test_without_the_word_a_tap_says_nothing(tower: Tower) -> None:
    tower.people = tower.people.split("[plugins.escalation]", maxsplit=1)[0]
    async with tower("") as engine:
        hands = Hands(engine)
        subject = await engine.report(fires())
        line = hands.receipt(subject, f"room/{ROOM}")
        assert await hands.tap("alice", UP, line, room=ROOM) == ""
        assert await hands.tap("alice", CHECK, line, room=ROOM) != ""


# Digests


async def many(engine: Engine, count: int = 5) -> tuple[str, list[str]]:
    """Alerts that are told together; the digest's id, and theirs."""
    subjects = [await engine.report(fires(alert(f"A{number}"), key=str(number))) for number in range(count)]
    await engine.advance(seconds=30)
    (digest,) = [
        said.message.subject
        for said in engine.chat.said
        if said.place.name == "alice" and "alerts:" in str(said)
    ]
    return digest, subjects


async def test_what_a_digest_told_is_answered_by_one_hand(tower: Tower) -> None:
    tower.people = tower.people.replace("digests = false\n", "")
    async with tower() as engine:
        hands = Hands(engine)
        digest, subjects = await many(engine)
        page = hands.receipt(digest, "person/alice")
        said = engine.chat.said[int(page) - 1].message
        assert said.command == f"!ack {digest}"
        (alone,) = [one for one in engine.chat.said if one.message.command == f"!ack {subjects[0]}"][:1]
        assert alone.message.subject == subjects[0]
        assert (await hands.reply("alice", "alerts", page)).startswith(f"{digest}: ")
        assert (await hands.tap("alice", UP, page)).count("paging bob") == 1
        told = await hands.tap("alice", CHECK, page, line_id="$tap")
        assert told.startswith("acknowledged by alice, paging stops: ")
        assert {await engine.state(one) for one in subjects[1:]} == {"acknowledged"}
        await hands.take_back("alice", "$tap")
        assert {await engine.state(one) for one in subjects} == {"triggered"}
        await engine.says("alice", f"done {digest}")
        nothing = f"{digest}: nothing of it is left for !ack; !alerts {digest} lists it"
        assert await hands.tap("alice", CHECK, page) == nothing


async def test_of_what_a_room_was_told_a_thumb_takes_what_its_owner_was_paged_for(tower: Tower) -> None:
    tower.people = tower.people.replace("digests = false\n", "")
    async with tower() as engine:
        hands = Hands(engine)
        _, subjects = await many(engine, 9)
        line = hands.receipt("alerts: ", f"room/{ROOM}")
        assert await hands.tap("bob", THUMB, line, room=ROOM) == ""
        await engine.says("alice", f"up {subjects[1]}")
        await engine.advance(seconds=10)
        assert f"{subjects[1]} acknowledged by bob" in await hands.tap("bob", THUMB, line, room=ROOM)
        assert {await engine.state(one) for one in subjects[2:]} == {"triggered"}


async def test_a_tap_on_what_is_just_being_said_waits_until_that_is_known(tower: Tower) -> None:
    usual, seen, known = tower.chat.send, asyncio.Event(), asyncio.Event()

    async def slowly(place: Place, *args: Any, **more: Any) -> str:
        receipt = await usual(place, *args, **more)
        if place.private:
            seen.set()
            await known.wait()  # it is on the screen already
        return receipt

    tower.chat.send = slowly  # type: ignore[method-assign]
    async with tower() as engine:
        async with asyncio.TaskGroup() as tasks:
            subject = await engine.run.tocsin.turn(lambda tx: report(tx, fires()))
            await seen.wait()
            page = Hands(engine).receipt(subject, "person/alice")
            tasks.create_task(engine.chat.hears("alice", CHECK, about=page, tapped=True))
            await asyncio.sleep(0.1)
            known.set()
        await engine.run.settled()
        assert await engine.state(subject) == "acknowledged"


async def test_while_a_message_is_in_doubt_taps_on_others_hold_up_nobody(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []

    class Early:
        def __iter__(self) -> Iterator[timedelta]:
            waits.append(tower.clock.now())
            yield timedelta(0)

    monkeypatch.setattr("tocsin.hearing.EARLY", Early())
    async with tower() as engine:
        hands = Hands(engine)
        in_doubt = NetworkError("no answer within 10 s")
        tower.chat.fails = lambda said: None if said.place.private else in_doubt
        subject = await engine.report(fires())
        for _ in range(10):
            await hands.tap("alice", CHECK, "of somebody else", room=ROOM)
        assert len(waits) == 1
        assert await engine.state(subject) == "triggered"
        await hands.tap("alice", CHECK, hands.receipt(subject, "person/alice"))
        assert await engine.state(subject) == "acknowledged"
        await engine.advance(seconds=30)
        await hands.tap("alice", CHECK, "of somebody else", room=ROOM)
        assert len(waits) == 3
