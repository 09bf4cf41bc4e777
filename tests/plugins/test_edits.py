"""What was said is put right where that can be: in place of each line stands how it is now."""

from datetime import timedelta

import pytest

from tocsin.alerts import MOST_LOOKED_FOR
from tocsin.domain.message import Message, Place
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.testing import Said
from tocsin.transaction import Transaction

from tests.engine import Engine, alert, fires, over
from tests.plugins.storm_parts import comes, storming
from tests.plugins.test_escalation_worse import WARNING
from tests.shown import edits, shown
from tests.tower import FACT, Tower, down, mends

ALICE, BOB = "person/alice", "person/bob"
HOUR, SECONDS = timedelta(hours=1), timedelta(seconds=10)


@pytest.fixture(autouse=True)
def _mends(tower: Tower) -> None:
    """The network can put right what was said."""
    tower.chat.edits = True


async def test_an_answer_is_one_new_line_and_shown_in_every_line_about_it(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        paged = f"{subject} {FACT} · !ack {subject}"
        assert shown(engine.chat, ALICE) == [paged]
        await engine.says("bob", f"!ack {subject}", room="#ops")
        acked = f"{subject} acknowledged by bob: {FACT}"
        stops = f"{subject} acknowledged by bob, paging stops: {FACT}"
        assert shown(engine.chat, ALICE) == [acked, stops]
        assert shown(engine.chat) == [acked, stops]
        assert [said.rank for said in engine.chat.said if said.amends] == [Rank.EDIT, Rank.EDIT]
        assert not [said for said in engine.chat.said if said.amends and said.message.command]


async def test_where_nothing_can_be_put_right_all_is_said_as_ever(tower: Tower) -> None:
    tower.chat.edits = False
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=5)
        await engine.says("bob", f"!ack {subject}", room="#ops")
        assert not [said for said in engine.chat.said if said.amends]
        assert [text.partition(": ")[0] for text in engine.chat.texts("room/#ops")] == [
            f"{subject} paging alice",
            f"{subject} step 2",
            f"{subject} acknowledged by bob, paging stops",
        ]


async def test_what_is_being_done_is_only_shown(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        assert shown(engine.chat) == [f"{subject} paging alice: {FACT} · !ack {subject}"]
        await engine.advance(minutes=5, seconds=1)
        assert shown(engine.chat) == [f"{subject} step 2: paging bob: {FACT} · !ack {subject}"]
        assert len(shown(engine.chat, BOB)) == 1
        assert len(engine.chat.texts("room/#ops")) == 2


async def test_of_one_line_what_is_being_done_is_shown_once_a_minute_and_an_answer_at_once(
    tower: Tower,
) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        for _ in range(3):
            await engine.says("alice", f"!up {subject}")
            await engine.advance(seconds=10)
        assert [text.split(": ")[0] for text in edits(engine.chat)] == [f"{subject} step 2"]
        await engine.advance(seconds=29)
        assert len(edits(engine.chat)) == 1
        await engine.advance(seconds=11)
        assert len(edits(engine.chat)) == 2
        await engine.says("alice", f"!up {subject}")
        await engine.says("alice", f"!ack {subject}")
        await engine.advance(minutes=5)
        assert edits(engine.chat)[2:] == [f"{subject} acknowledged by alice: {FACT}"]


async def test_who_asks_for_the_next_step_in_the_room_is_answered_there(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.says("alice", f"!up {subject}", room="#ops")
        await engine.advance(seconds=1)
        assert shown(engine.chat) == [
            f"{subject} step 2: paging bob: {FACT} · !ack {subject}",
            f"{subject}: step 2: paging bob",
        ]


async def test_what_rings_again_has_a_line_of_its_own(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.says("alice", f"!ack {subject}")
        await engine.advance(seconds=1)
        await engine.says("alice", f"!unack {subject}")
        await engine.advance(seconds=1)
        lines = [text.split(": ")[0] for text in shown(engine.chat)]
        assert lines[0] == f"{subject} acknowledgement taken back by alice"
        assert f"{subject} paging alice" in lines[1:]
        await engine.advance(minutes=5, seconds=1)
        lines = [text.split(": ")[0] for text in shown(engine.chat)]
        assert f"{subject} step 2" in lines[1:]
        await engine.report(over())
        await engine.advance(seconds=1)
        again = await engine.report(fires())
        assert again == subject
        texts = [text.split(": ")[0] for text in shown(engine.chat)]
        assert texts[-1] == f"{subject} fires again"


async def test_what_becomes_worse_is_said(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires(WARNING))
        await engine.advance(seconds=5)
        await engine.report(fires(WARNING, alert()))
        await engine.advance(seconds=5)
        worse = f"{subject} it is critical now: paging alice: {FACT}, and 1 more · !ack {subject}"
        assert engine.chat.texts("room/#ops")[1:] == [worse]
        assert edits(engine.chat) == []


async def test_a_page_that_failed_is_said(tower: Tower) -> None:
    async with tower() as engine:
        tower.chat.fails = down("alice", permanent=True)
        subject = await engine.report(fires())
        await engine.advance(seconds=5)
        failed = [text for text in engine.chat.texts("room/#ops") if "failed" in text]
        assert len(failed) == 1
        assert subject in failed[0]
        assert failed[0] not in edits(engine.chat)


@pytest.mark.parametrize("answer_lost", [True, False])
async def test_no_older_state_comes_after_a_newer_one(tower: Tower, *, answer_lost: bool) -> None:
    """An edit that failed, or is in doubt, is not said any more once there is a newer one."""
    tower.chat.answer_lost = answer_lost
    async with tower() as engine:
        subject = await engine.report(fires())
        engine.chat.fails = lambda said: NetworkError("no answer") if said.amends else None
        await engine.advance(minutes=5, seconds=1)
        assert await engine.sql("select state from outbox where amends is not null") == [("UNKNOWN",)]
        engine.chat.fails = lambda _: None
        await engine.says("alice", f"!ack {subject}")
        acked = f"{subject} acknowledged by alice: {FACT}"
        assert edits(engine.chat)[-1] == acked
        before = len(edits(engine.chat))
        await engine.advance(minutes=5)
        assert len(edits(engine.chat)) == before
        assert shown(engine.chat)[0] == acked


async def test_an_edit_that_never_passes_is_dropped_and_holds_nothing_up(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        engine.chat.fails = lambda said: NetworkError("no") if said.amends else None
        await engine.says("alice", f"!ack {subject}")
        before = len(engine.chat.said)
        await engine.advance(minutes=10)
        rows = await engine.sql("select state, attempts from outbox where amends is not null")
        assert set(rows) == {("DEAD", 5)}
        assert len(engine.chat.said) == before  # nobody is told
        await engine.says("alice", f"!done {subject}")
        assert any("resolved by alice" in text for text in engine.chat.texts("room/#ops"))


async def test_an_edit_that_is_told_to_wait_holds_nothing_up(tower: Tower) -> None:
    def later(said: Said) -> NetworkError | None:
        return NetworkError("slow down", unsent=True, retry_after=HOUR) if said.amends else None

    async with tower() as engine:
        subject = await engine.report(fires())
        engine.chat.fails = later
        await engine.says("alice", f"!ack {subject}")
        await engine.says("alice", f"!unack {subject}")
        assert [text.split(": ")[0] for text in engine.chat.texts("room/#ops")] == [
            f"{subject} paging alice",
            f"{subject} acknowledged by alice, paging stops",
            f"{subject} acknowledgement taken back by alice",
        ]


async def test_after_a_crash_in_an_edit_it_is_the_same_edit(tower: Tower) -> None:
    tower.chat.answer_lost = True
    async with tower(crash=True) as engine:
        subject = await engine.report(fires())
        engine.chat.fails = lambda said: NetworkError("no answer") if said.amends else None
        await engine.says("alice", f"!ack {subject}")
    said_once = [said.txn_id for said in tower.chat.said if said.amends]
    tower.chat.fails = lambda _: None
    async with tower() as engine:
        await engine.advance(seconds=5)
        assert {said.txn_id for said in engine.chat.said if said.amends} == set(said_once)
        assert [said.again for said in engine.chat.said if said.amends] == [False, False, True, True]
        acked = f"{subject} acknowledged by alice: {FACT}"
        assert shown(engine.chat)[0] == shown(engine.chat, ALICE)[0] == acked


async def test_a_line_that_is_not_there_yet_is_put_right_once_it_is(tower: Tower) -> None:
    async with tower() as engine:
        engine.chat.answer_lost = True
        engine.chat.fails = lambda said: NetworkError("no answer") if said.place.name == "alice" else None
        subject = await engine.report(fires())
        await engine.says("bob", f"!ack {subject}", room="#ops")
        assert edits(engine.chat, ALICE) == []
        engine.chat.fails = lambda _: None
        await engine.advance(minutes=2)
        assert shown(engine.chat, ALICE)[0] == f"{subject} acknowledged by bob: {FACT}"


async def test_what_waits_while_the_link_is_down_is_the_newest(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        engine.chat.fails = down()
        await engine.advance(minutes=5)
        await engine.says("alice", f"!ack {subject}")
        await mends(engine)
        await engine.advance(seconds=20)
        assert edits(engine.chat) == [f"{subject} acknowledged by alice: {FACT}"]


async def test_edits_yield_to_pages_in_other_places(tower: Tower) -> None:
    async with tower() as engine:
        first = await engine.report(fires())
        engine.chat.fails = lambda said: (
            NetworkError("slow down", unsent=True, retry_after=SECONDS)
            if said.place.name == "alice"
            else None
        )
        await engine.report(fires(alert("Other"), key="other"))
        await engine.says("bob", f"!ack {first}", room="#ops")
        assert edits(engine.chat) == []
        engine.chat.fails = lambda _: None
        await engine.advance(seconds=12)
        assert edits(engine.chat) == [f"{first} acknowledged by bob: {FACT}"]
        order = [bool(said.amends) for said in engine.chat.said if said.place.name in ("alice", "#ops")]
        assert order.index(True) > 3


async def test_in_a_storm_an_answer_to_all_puts_few_lines_right(tower: Tower) -> None:
    async with storming(tower) as engine:
        first, *_ = await comes(engine, 300)
        await engine.advance(seconds=30)
        before = len(engine.chat.said)
        assert await answers_all(engine) == 300
        await engine.advance(minutes=2)
        what = f"{first} acknowledged by bob: warning HighLoad db1: 97 % of / used"
        assert (edits(engine.chat), edits(engine.chat, ALICE)) == ([what], [what])
        assert len(engine.chat.said) - before == 5  # asked back, told in both places, and these


async def test_of_very_many_lines_that_stand_alone_twenty_are_put_right(tower: Tower) -> None:
    async with tower() as engine:
        await comes(engine, 50)
        assert await answers_all(engine) == 50
        await engine.advance(minutes=2)
        assert (len(edits(engine.chat)), len(edits(engine.chat, ALICE))) == (20, 20)


async def test_where_a_digest_told_thousands_their_lines_are_not_looked_for_one_by_one(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, usual = list[str](), Transaction.amend

    def amend(tx: Transaction, place: Place, message: Message, *, about: str) -> bool:
        looked.append(about)
        return usual(tx, place, message, about=about)

    monkeypatch.setattr(Transaction, "amend", amend)
    async with storming(tower) as engine:
        await comes(engine, 300)
        await engine.advance(seconds=30)
        assert await answers_all(engine) == 300
        assert len(looked) == 2 * MOST_LOOKED_FOR  # in the room, and where alice was paged


async def test_while_pages_wait_for_their_turn_edits_do_too(tower: Tower) -> None:
    """A storm's digests go first: what a network takes in a minute is not used up by edits."""
    async with storming(tower) as engine:
        (first,) = await comes(engine, 1)
        await comes(engine, 100, at=1)
        await engine.says("bob", f"!ack {first}", room="#ops")
        assert edits(engine.chat) == edits(engine.chat, ALICE) == []
        await engine.advance(seconds=30)
        assert len(edits(engine.chat)) == len(edits(engine.chat, ALICE)) == 1
        amended = [bool(said.amends) for said in engine.chat.said]
        digests = [" alerts: " in str(said) for said in engine.chat.said]
        assert digests.index(True) < amended.index(True)


async def answers_all(engine: Engine) -> int:
    """Bob has all that rings; how many that is."""
    await engine.says("bob", "!ack all", room="#ops")
    await engine.says("bob", engine.chat.texts("room/#ops")[-1].rpartition("say ")[2], room="#ops")
    states = await engine.sql("select count(*) from events where kind = 'group.acknowledged'")
    return int(states[0][0])
