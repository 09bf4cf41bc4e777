"""A thousand alerts at once, and a link that is down, a crash, or nobody to be reached: nothing is lost."""

import re
from datetime import timedelta

import pytest

from tocsin import ringer
from tocsin.errors import NetworkError
from tocsin.safety import PAGE_DELIVERED
from tocsin.store.timers import Timer
from tocsin.testing import Said
from tocsin.transaction import Transaction

from tests.plugins.storm_parts import ALICE, FALLBACK, ROOM, comes, counts, ends, storming
from tests.tower import TWO_STEPS, Tower, away, down, mends


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
