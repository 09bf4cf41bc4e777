"""A thousand alerts at once: few lines, every alert counted, one word for all of them."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tocsin import daemon, ringer
from tocsin.alerts import report
from tocsin.config import Document
from tocsin.digests import digest_of
from tocsin.errors import NetworkError
from tocsin.safety import PAGE_DELIVERED
from tocsin.store.timers import Timer
from tocsin.testing import HandClock, Loudspeaker, Said, running
from tocsin.transaction import Transaction

from tests.engine import Engine, Pager, alert, fires, over
from tests.tower import TWO_STEPS, Tower, asks, away, down, mends

ALICE, ROOM = "person/alice", "room/#ops"
BY_CODES = """\
[networks.irc]
server = "irc.example.org:6697"
nick = "tocsin"
room = "#ops"
identity = "codes"
[receivers.prod]
token.file = "prod.token"
[people.alice]
accounts.irc = "alice"
[people.bob]
accounts.irc = "bob"
[plugins.alertmanager]
"""
FALLBACK = '[fallback]\ncommand = ["/bin/true"]\n'


@asynccontextmanager
async def storming(tower: Tower, *tables: str, crash: bool = False) -> AsyncIterator[Engine]:
    """A tower that keeps the noise budget."""
    tower.people = tower.people.replace("digests = false", "digests = true")
    async with tower(*(tables or [TWO_STEPS]), crash=crash) as engine:
        yield engine


async def comes(engine: Engine, count: int, *names: str, severity: str = "warning", at: int = 0) -> list[str]:
    """So many alerts come in at once, each a group of its own; their ids."""
    names = names or ("HighLoad",)

    def turn(number: int, tx: Transaction) -> str:
        one = alert(names[number % len(names)], severity=severity, fingerprint=f"{names} {at + number}")
        return report(tx, fires(one, key=f"{names} {at + number}"))

    ids = [await engine.run.tocsin.turn(partial(turn, number)) for number in range(count)]
    await engine.run.settled()
    return ids


async def ends(engine: Engine, number: int, *names: str) -> str:
    """One of those that came under these names is over; its id."""
    key = f"{names or ('HighLoad',)} {number}"
    subject = await engine.run.tocsin.turn(lambda tx: report(tx, over(key)))
    await engine.run.settled()
    return subject


def counts(texts: list[str]) -> int:
    """How many alerts these lines tell, each in one of them."""
    digests = {found[1]: int(found[2].replace(",", "")) for text in texts if (found := DIGEST.match(text))}
    single = {text.split()[0] for text in texts if not DIGEST.match(text)}
    return len(single) + sum(digests.values())


DIGEST = re.compile(r"(\w+) (?:[^\n]*?: )?([\d,]+) alerts: ")


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


async def test_a_link_that_is_down_loses_nothing(tower: Tower) -> None:
    async with storming(tower) as engine:
        engine.chat.fails = down()
        await comes(engine, 60)
        await engine.advance(seconds=30)
        assert engine.chat.said == []
        await mends(engine)
        await engine.advance(seconds=2)
        assert counts(engine.chat.texts(ALICE)) == 60
        assert len(engine.chat.texts(ALICE)) <= 2
        assert await engine.sql("select count(*) from outbox where state in ('CARRIED', 'PENDING')") == [(0,)]


async def test_a_link_that_is_down_is_tried_by_one_message_and_not_by_digests(tower: Tower) -> None:
    async with storming(tower) as engine:
        engine.chat.fails = down()
        await comes(engine, 60)
        await engine.advance(minutes=10)
        digests = await engine.sql("select place from outbox where carries")
        assert digests == [("console/person/bob",)]  # nothing was tried there before
        engine.chat.fails = lambda _: None  # without a word that it is back
        await engine.advance(seconds=16)
        pages = engine.chat.texts(ALICE)
        assert counts(pages) == 60
        assert len(pages) == 2


async def test_while_it_is_down_an_ack_stops_each_of_them(tower: Tower) -> None:
    async with storming(tower) as engine:
        engine.chat.fails = down("alice")
        ids = await comes(engine, 30)
        await engine.advance(seconds=5)
        await engine.says("bob", f"!ack {' '.join(ids[:29])}", room="#ops")
        await mends(engine)
        await engine.advance(minutes=1)
        (page,) = [text for text in engine.chat.texts(ALICE) if "!ack" in text]
        assert page.startswith(f"{ids[29]} warning HighLoad")


async def test_whoever_is_nowhere_online_is_passed_over_for_all_of_them(tower: Tower) -> None:
    async with storming(tower) as engine:
        engine.chat.fails = away("alice")
        await comes(engine, 40)
        await engine.advance(seconds=15)
        assert counts(engine.chat.texts("person/bob")) == 40
        assert len(engine.chat.texts("person/bob")) <= 2
        assert len(engine.chat.texts(ROOM)) <= 6
        failed = "select count(*) from events where kind = 'page.failed'"
        assert await engine.sql(failed) == [(40,)]
        engine.chat.fails = lambda _: None
        await engine.advance(seconds=70)
        assert counts(engine.chat.texts(ALICE)) == 40


async def test_where_nothing_is_taken_the_fallback_rings_twice_and_not_a_hundred_times(tower: Tower) -> None:
    async with storming(tower, TWO_STEPS + FALLBACK) as engine:
        engine.chat.fails = down()
        await comes(engine, 40)
        await engine.advance(seconds=75)
        rows = "select carries, count(*) from outbox where place like 'fallback/%' and state = 'CONFIRMED' group by 1"
        assert await engine.sql(rows) == [(0, 40), (1, 1)]
        engine.chat.fails = lambda _: None
        assert engine.chat.listener
        engine.chat.listener.up("console")
        await engine.advance(seconds=4)
        assert len(engine.chat.texts(ROOM)) <= 6


@pytest.mark.parametrize("lost", [True, False], ids=["heard", "unheard"])
async def test_a_digest_in_doubt_is_said_again_as_it_was(tower: Tower, lost: bool) -> None:  # noqa: FBT001
    async with storming(tower, crash=True) as engine:
        await comes(engine, 30)
        engine.chat.answer_lost = lost
        engine.chat.fails = lambda said: NetworkError("answer lost") if said.place.private else None
        await engine.advance(seconds=3)
        pages = "select state, count(*) from outbox where person = 'alice' group by state order by state"
        assert dict(await engine.sql(pages)) == {"CONFIRMED": 1, "CARRIED": 29, "UNKNOWN": 1}
    tower.chat.fails = lambda _: None
    async with storming(tower) as engine:
        await engine.advance(seconds=1)
        digests = [said for said in tower.chat.said if said.place.private and "29 alerts" in str(said)]
        assert digests[-1].again
        assert len({said.txn_id for said in digests}) == 1
        assert counts(engine.chat.texts(ALICE)) == 30
        await engine.advance(seconds=1)
        delivered = "select count(*) from events where kind = 'page.delivered'"
        assert await engine.sql(delivered) == [(30,)]


async def test_the_end_of_it_is_told_while_a_page_of_it_is_in_doubt_and_more_ends(tower: Tower) -> None:
    async with storming(tower) as engine:
        lost = NetworkError("answer lost")
        engine.chat.fails = lambda said: lost if said.place.private else None
        await comes(engine, 60)
        await engine.advance(seconds=30)
        for number in range(30):
            await ends(engine, number)
            await engine.advance(seconds=4)
        told = [text for text in engine.chat.texts(ROOM) if "resolved by its source" in text]
        assert counts(told) >= 20
        assert all("A page to alice may still arrive" in text for text in told)


async def test_what_ends_while_somebody_is_away_is_not_told_them_without_names(tower: Tower) -> None:
    async with storming(tower) as engine:
        await comes(engine, 20)
        await engine.advance(minutes=2)
        for number in range(20):
            await ends(engine, number)
        tried = list[str]()

        def fails(said: Said) -> NetworkError | None:
            tried.extend([str(said)] * said.place.private)
            return away("alice")(said)

        engine.chat.fails = fails
        await engine.advance(minutes=1)
        (digest,) = tried
        assert "resolved by its source, without an answer: 19 alerts: 19 warning HighLoad" in digest


async def test_after_another_boot_the_old_one_s_clock_counts_for_nothing_that_a_digest_carries(
    tower: Tower,
) -> None:
    async with storming(tower, crash=True) as engine:
        engine.chat.fails = lambda said: NetworkError("answer lost") if said.place.private else None
        await comes(engine, 30)
        await engine.advance(seconds=3)
    tower.clock.reboot()
    async with storming(tower) as engine:
        rows = "select distinct said_boot from outbox where state = 'CARRIED'"
        assert await engine.sql(rows) == [(0,)]


async def test_names_that_can_not_be_sent_are_left_out_of_it(tower: Tower) -> None:
    async with storming(tower) as engine:
        await comes(engine, 1)
        engine.chat.fails = lambda said: NetworkError("bad words") if "Poison" in str(said) else None
        await comes(engine, 30, "Poison")
        for _ in range(20):
            await engine.advance(seconds=15)
            if "names could not" in engine.chat.texts(ALICE)[-1]:
                break
            await comes(engine, 1, "Fine", at=len(engine.chat.said))
        assert any(
            re.match(r"\w+ 30 alerts, whose names could not be sent · !ack \w+", text)
            for text in engine.chat.texts(ALICE)
        )


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


async def test_if_no_digest_can_be_made_each_is_said_alone(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.noise.named", lambda *_: 1 / 0)
    async with storming(tower) as engine:
        await comes(engine, 20)
        await engine.advance(seconds=3)
        assert len(engine.chat.texts(ALICE)) == 20
        assert await engine.sql("select count(*) from outbox where carries") == [(0,)]


async def test_after_a_crash_what_a_digest_said_is_written_down_at_once_and_not_one_by_one(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with storming(tower, crash=True) as engine:
        await comes(engine, 1)
        await engine.run.tocsin.turn(lambda tx: tx.set_timer(PAGE_DELIVERED, "1", after=timedelta(hours=1)))
    tower.clock.move(timedelta(hours=2))
    begun, begin = list[str](), ringer._begin  # noqa: SLF001 (that one is rung singly is kept so)

    def begins(timer: Timer, most: int, tx: Transaction) -> bool:
        begun.append(timer.kind)
        return begin(timer, most, tx)

    monkeypatch.setattr(ringer, "_begin", begins)
    async with storming(tower) as engine:
        assert "escalation.step" in begun
        assert PAGE_DELIVERED not in begun
        assert await engine.sql("select key from timers where kind = 'core.page_delivered'") == []
