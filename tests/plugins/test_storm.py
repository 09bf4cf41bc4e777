"""A thousand alerts at once: few lines, every alert counted, one word for all of them."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin import daemon
from tocsin.config import Document
from tocsin.digests import digest_of
from tocsin.errors import NetworkError
from tocsin.testing import HandClock, Loudspeaker, running

from tests.engine import Engine, Pager
from tests.plugins.storm_parts import ALICE, BY_CODES, ROOM, comes, counts, ends, storming
from tests.tower import TWO_STEPS, Tower, asks, mends


async def test_a_storm_is_the_first_page_and_one_digest(tower: Tower) -> None:
    async with storming(tower) as engine:
        first, *_ = await comes(engine, 200, "HighLoad", "DiskFull")
        assert engine.chat.texts(ALICE) == [f"{first} warning HighLoad db1: 97 % of / used · !ack {first}"]
        await engine.advance(seconds=3)
        _, digest = engine.chat.texts(ALICE)
        found = re.fullmatch(
            r"(\w+) 199 alerts: 100 warning DiskFull and 99 warning HighLoad · !ack (\w+)", digest
        )
        assert found
        assert found[1] == found[2]
        assert engine.chat.texts(ROOM)[1] == (
            f"{found[1]} paging alice: 199 alerts: 100 warning DiskFull and 99 warning HighLoad · !ack {found[1]}"
        )
        await engine.advance(minutes=4)
        assert len(engine.chat.said) == 4
        states = await engine.sql("select state, count(*) from outbox group by state")
        assert states == [("CONFIRMED", 402)]
        delivered = "select count(*) from events where kind = 'page.delivered'"
        assert await engine.sql(delivered) == [(200,)]


async def test_the_next_step_is_a_digest_as_well(tower: Tower) -> None:
    async with storming(tower) as engine:
        await comes(engine, 50)
        await engine.advance(minutes=5, seconds=5)
        said = engine.chat.texts("person/bob")
        assert counts(said) == 50
        assert len(said) <= 2


async def test_who_declines_a_digest_is_told_in_one_line_what_comes_next(tower: Tower) -> None:
    async with storming(tower) as engine:
        _, *rest = await comes(engine, 20)
        await engine.advance(seconds=3)
        digest = engine.chat.texts(ALICE)[-1].split()[0]
        before = len(engine.chat.texts(ALICE))
        await engine.says("alice", f"decline {digest}")
        told = f"{', '.join(rest[:12])} and 7 more: step 2: paging bob"
        assert engine.chat.texts(ALICE)[before:] == [told]


async def test_its_id_acks_all_that_it_listed_and_nothing_since(tower: Tower) -> None:
    async with storming(tower) as engine:
        first, *rest = await comes(engine, 20)
        await engine.advance(seconds=3)
        digest = engine.chat.texts(ALICE)[-1].split()[0]
        await ends(engine, 19)
        again = await comes(engine, 1, at=19)
        assert again == rest[-1:]  # it has its id again, and began since then
        (later,) = await comes(engine, 1, at=20)
        engine.chat.said.clear()
        await engine.says("alice", f"ack {digest}")
        await engine.advance(minutes=20)
        states = {one: (await engine.state(one)) for one in [first, *rest, later]}
        assert {one for one, state in states.items() if state == "acknowledged"} == set(rest[:-1])
        acked = "acknowledged by alice, paging stops: 18 alerts: 18 warning HighLoad"
        told = [text for text in engine.chat.texts() if acked in text]
        assert len(told) == 2  # one line for alice, and one for the room
        await engine.says("alice", f"alerts {told[0].split()[0]}")
        assert "warning HighLoad: 18," in engine.chat.texts(ALICE)[-1]
        await engine.says("bob", f"ack {digest}")
        assert f"nothing of it is left for !ack; !alerts {digest}" in engine.chat.texts("person/bob")[-1]


async def test_what_of_it_flaps_and_is_quiet_now_is_acked_as_well(tower: Tower) -> None:
    async with storming(tower) as engine:
        ids = await comes(engine, 3)
        for _ in range(3):
            await ends(engine, 2)
            await engine.advance(seconds=1)
            await comes(engine, 1, at=2)
            await engine.advance(seconds=1)
        digest = await engine.run.tocsin.turn(lambda tx: digest_of([tx.group(one) for one in ids], tx))
        await ends(engine, 2)
        assert await engine.run.tocsin.turn(lambda tx: tx.group(ids[2]).quiet)
        await engine.says("alice", f"ack {digest}")
        assert {await engine.state(one) for one in ids} == {"acknowledged"}


async def test_who_declines_it_hears_nothing_of_what_others_have(tower: Tower) -> None:
    async with storming(tower) as engine:
        ids = await comes(engine, 12)
        await engine.advance(seconds=3)
        digest = engine.chat.texts(ALICE)[-1].split()[0]
        await engine.says("bob", f"ack {' '.join(ids[:9])}")
        (said,) = await asks(engine, "alice", f"decline {digest}")
        assert said == f"{ids[9]}, {ids[10]} and {ids[11]}: step 2: paging bob"
        await engine.says("bob", f"ack {' '.join(ids[9:])}")
        (said,) = await asks(engine, "alice", f"decline {digest}")
        assert said.startswith(f"{digest}: nothing of it is left for !decline")


@pytest.mark.parametrize("before", [True, False], ids=["before it is said", "after"])
async def test_a_clock_that_is_set_back_takes_nothing_from_a_digest(tower: Tower, before: bool) -> None:  # noqa: FBT001
    async with storming(tower) as engine:
        ids = await comes(engine, 20)
        if before:
            tower.clock.step(timedelta(minutes=-10))
        await engine.advance(seconds=3)
        assert counts(engine.chat.texts(ALICE)) == 20
        digest = engine.chat.texts(ALICE)[-1].split()[0]
        if not before:
            tower.clock.step(timedelta(minutes=-10))
        await ends(engine, 19)
        assert await comes(engine, 1, at=19) == ids[-1:]
        await engine.says("alice", f"ack {digest}")
        states = [await engine.state(one) for one in ids]
        assert states == ["triggered", *["acknowledged"] * 18, "triggered"]


async def test_after_an_ack_no_page_of_it_begins(tower: Tower) -> None:
    async with storming(tower) as engine:
        await comes(engine, 20)
        await engine.says("bob", "!ack all", room="#ops")
        asked = engine.chat.texts(ROOM)[-1]
        command = asked.rpartition("say ")[2]
        await engine.says("bob", command, room="#ops")
        await engine.advance(seconds=1)
        engine.chat.said.clear()
        await engine.advance(minutes=30)
        assert engine.chat.said == []


async def test_answers_never_wait_for_a_storm(tower: Tower) -> None:
    async with storming(tower) as engine:
        await comes(engine, 100)
        await engine.advance(seconds=3)
        await comes(engine, 100, at=100)
        engine.chat.said.clear()
        await engine.says("bob", "whoami")
        assert len(engine.chat.texts("person/bob")) == 1


async def test_who_answers_one_alert_after_another_hears_of_each_at_once(tower: Tower) -> None:
    async with storming(tower) as engine:
        ids = await comes(engine, 10)
        await engine.advance(minutes=2)
        for one in ids[:5]:
            (said,) = await asks(engine, "alice", f"ack {one}")
            assert said.startswith(f"{one} acknowledged by alice")
        for one in ids[5:]:
            await engine.advance(seconds=2)
            (said,) = await asks(engine, "bob", f"!ack {one}", room="#ops")
            assert said.startswith(f"{one} acknowledged by bob")


async def test_something_worse_is_said_in_the_midst(tower: Tower) -> None:
    async with storming(tower) as engine:
        await comes(engine, 100)
        await engine.advance(seconds=3)
        await comes(engine, 100, at=100)
        await engine.advance(seconds=3)
        engine.chat.said.clear()
        (worse,) = await comes(engine, 1, "DatabaseLost", severity="critical")
        assert engine.chat.texts(ALICE)[0].startswith(f"{worse} critical DatabaseLost db1")
        assert engine.chat.texts(ROOM)[0].startswith(f"{worse} paging alice: critical DatabaseLost db1")
        await engine.advance(minutes=1)
        assert counts(engine.chat.texts(ALICE)) == 101


async def test_something_worse_comes_before_the_digest_too(tower: Tower) -> None:
    async with storming(tower) as engine:
        await comes(engine, 60, *"ABCDEF")
        (worse,) = await comes(engine, 1, "DatabaseLost", severity="critical")
        await engine.advance(seconds=2)
        assert engine.chat.texts(ALICE)[-1].startswith(f"{worse} critical DatabaseLost db1")
        await engine.advance(seconds=1)
        assert counts(engine.chat.texts(ALICE)) == 61


async def test_what_a_room_hears_twice_of_one_alert_is_no_digest(tower: Tower) -> None:
    async with storming(tower) as engine:
        await comes(engine, 20)
        await engine.advance(seconds=3)
        (one,) = await comes(engine, 1, at=20)
        await engine.says("alice", f"up {one}")
        await engine.advance(minutes=1)
        told = [
            text for text in engine.chat.texts(ROOM) if "paging alice (1)" in text or text.startswith(one)
        ]
        assert [text.split(":")[0] for text in told] == [f"{one} paging alice", f"{one} step 2"]


async def test_the_end_of_a_storm_is_one_line_as_well(tower: Tower) -> None:
    async with storming(tower) as engine:
        await comes(engine, 100)
        await engine.advance(minutes=2)
        engine.chat.said.clear()
        for number in range(100):
            await ends(engine, number)
        await engine.advance(seconds=4)
        for place in (ALICE, ROOM):
            said = engine.chat.texts(place)
            assert len(said) == 2
            assert "99 alerts: " in said[1]
            assert "resolved by its source, without an answer: " in said[1]
            assert "!ack" not in said[1]


async def test_the_end_of_very_many_is_told_in_parts(tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.noise.MOST_ENDED", 40)
    async with storming(tower) as engine:
        await comes(engine, 100)
        await engine.advance(minutes=2)
        engine.chat.said.clear()
        for number in range(100):
            await ends(engine, number)
        await engine.advance(minutes=3)
        for place in (ALICE, ROOM):
            said = engine.chat.texts(place)
            assert [counts([text]) for text in said] == [1, 40, 40, 19]


async def test_without_digests_each_is_said_alone(tower: Tower) -> None:
    async with tower() as engine:
        await comes(engine, 60)
        assert len(engine.chat.texts(ALICE)) == 60


async def test_by_codes_a_digest_has_one_of_its_own(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    config = daemon.prepare(Document.open(write_config(BY_CODES))).config
    chat = Loudspeaker("irc")
    declared = Pager().declared()
    async with running(
        config, tmp_path / "state", declared=declared, networks={"irc": chat}, clock=HandClock()
    ) as run:
        engine = Engine(run, chat)
        ids = await comes(engine, 30)
        await engine.advance(seconds=3)
        _, digest = engine.chat.texts(ALICE)
        found = re.search(r"29 alerts: .* · ack (\d{4})$", digest)
        assert found
        assert await engine.sql("select count(*) from codes") == [(2,)]
        await engine.chat.hears("", f"ack {found[1]}", claimed="alice")
        await engine.run.settled()
        assert [await engine.state(one) for one in ids] == ["triggered", *["acknowledged"] * 29]
        (following,) = [text for text in engine.chat.texts(ALICE) if "your code for the next word" in text]
        await engine.chat.hears("", f"done {following.split()[-1]}", claimed="alice")
        await engine.run.settled()
        assert [await engine.state(one) for one in ids] == ["triggered", *["resolved"] * 29]


async def test_its_id_lists_what_it_told_and_how_that_stands(tower: Tower) -> None:
    async with storming(tower) as engine:
        first, *_ = await comes(engine, 31, "HighLoad", "DiskFull")
        await engine.advance(seconds=3)
        digest = engine.chat.texts(ALICE)[-1].split()[0]
        await ends(engine, 2, "HighLoad", "DiskFull")
        await engine.says("alice", f"alerts {digest}")
        title, *lines = engine.chat.texts(ALICE)[-1].split("\n")
        assert (
            title
            == f"{digest}: 30 alerts told together; 29 alerts open, 29 without an answer · !ack {digest}"
        )
        assert [line.split(",")[0] for line in lines] == [
            "warning DiskFull: 15",
            "warning HighLoad: 15",
        ]
        await engine.says("alice", f"why {digest}")
        assert engine.chat.texts(ALICE)[-1] == (
            f"{digest} 30 alerts told together: 15 warning DiskFull and 15 warning HighLoad · !alerts {digest}"
        )
        await engine.says("alice", f"alerts {first}")
        assert engine.chat.texts(ALICE)[-1].startswith(f"{first} warning HighLoad")


async def test_what_waited_for_the_morning_comes_in_one_digest(tower: Tower) -> None:
    quiet = '[people.alice]\ntimezone = "Europe/Berlin"\nquiet = "22:00-07:00"\n'  # it is 04:00 there
    tower.people = tower.people.replace("[people.alice]\n", quiet)
    low = '[[plugins.escalation.routes]]\nmatch = []\npolicy = "ops"\nurgency = "low"\n'
    async with storming(tower, low, TWO_STEPS) as engine:
        await comes(engine, 9, "BackupLate", "DiskFilling", "CertificateOld")
        await engine.advance(hours=2, minutes=59)
        assert engine.chat.texts(ALICE) == []
        assert len(engine.chat.texts(ROOM)) == 2
        await engine.advance(minutes=1, seconds=3)
        (digest,) = engine.chat.texts(ALICE)
        assert re.match(r"\w+ 9 alerts: 3 warning BackupLate, 3 warning C.* and 3 warning D", digest)
        assert counts(engine.chat.texts(ALICE)) == 9


async def test_an_answer_waits_for_the_digest_that_pages_for_it_and_no_longer(tower: Tower) -> None:
    async with storming(tower) as engine:
        ids = await comes(engine, 20)
        engine.chat.fails = lambda said: NetworkError("answer lost") if said.place.private else None
        engine.chat.answer_lost = True
        await engine.advance(seconds=2.6)
        await engine.says("bob", f"!ack {ids[5]}", room="#ops")
        assert not any("acknowledged" in text for text in engine.chat.texts(ROOM))
        await mends(engine)
        await engine.advance(seconds=0.3)
        (answer,) = [text for text in engine.chat.texts(ROOM) if "acknowledged" in text]
        assert "may still arrive" not in answer
