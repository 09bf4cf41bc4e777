"""What is said arrives once, in order, pages first; or people are told."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tocsin.courier import COMPLETED_FOR
from tocsin.domain.message import Message, Place
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.plugins import Declared
from tocsin.store.outbox import Lane
from tocsin.testing import Said
from tocsin.transaction import Transaction

from tests.engine import Engine, Start, fires, over
from tests.pictures import picture

ROOM = Place("console", "#ops")
ALICE = Place("console", "alice", private=True)


async def say(engine: Engine, *messages: tuple[str, Lane], about: str = "", place: Place = ROOM) -> None:
    """Say several things in one turn."""

    def turn(tx: Transaction) -> None:
        for text, lane in messages:
            tx.say(place, text, lane=lane, about=about)

    await engine.run.tocsin.turn(turn)
    await engine.run.settled()


async def test_pages_come_before_answers_before_status_and_each_in_order(start: Start) -> None:
    async with start() as engine:
        lanes = [Lane.STATUS, Lane.ANSWER, Lane.PAGE] * 3
        await say(engine, *[(f"{lane.name} {n}", lane) for n, lane in enumerate(lanes)])
        said = [text.split()[0] for text in engine.chat.texts()]
        assert said == ["PAGE"] * 3 + ["ANSWER"] * 3 + ["STATUS"] * 3
        assert [int(text.split()[1]) for text in engine.chat.texts()] == [2, 5, 8, 1, 4, 7, 0, 3, 6]


async def test_an_answer_does_not_overtake_what_became_of_the_same_before(start: Start) -> None:
    """Else a room would read that alice has it, and then that bob has it no more."""

    def turn(tx: Transaction) -> None:
        tx.say(ROOM, "news of another", lane=Lane.STATUS, about="m2p4")
        tx.say(ROOM, "bob has it no more", lane=Lane.STATUS, about="k7f3")
        tx.say(ROOM, "alice has it", lane=Lane.ANSWER, about="k7f3")
        tx.say(ROOM, "an answer about nothing", lane=Lane.ANSWER)

    async with start() as engine:
        await engine.run.tocsin.turn(turn)
        await engine.run.settled()
        assert engine.chat.texts() == [
            "k7f3 bob has it no more",
            "k7f3 alice has it",
            "an answer about nothing",
            "m2p4 news of another",
        ]
        assert [said.rank for said in engine.chat.said] == [Rank.ANSWER] * 3 + [Rank.STATUS]


async def test_a_network_is_told_what_goes_first_among_its_places(start: Start) -> None:
    async with start() as engine:
        for lane in set(Lane) - {Lane.EDIT}:  # which is said in place of something: test_edits.py
            await say(engine, (lane.name, lane))
        assert {str(said): said.rank for said in engine.chat.said} == {
            "FIRST": Rank.PAGE,
            "PAGE": Rank.PAGE,
            "ANSWER": Rank.ANSWER,
            "STATUS": Rank.STATUS,
            "NEWS": Rank.NEWS,
        }


async def test_a_page_is_confirmed_and_the_journal_knows(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        assert engine.chat.texts("person/alice") == [
            f"{subject} critical DiskFull db1: 97 % of / used · !ack {subject}"
        ]
        assert await engine.sql("select state, attempts, receipt from outbox") == [("CONFIRMED", 1, "1")]
        kinds = [kind for (kind,) in await engine.sql("select kind from events order by seq")]
        assert kinds == ["group.opened", "page.delivered"]


async def test_a_picture_is_kept_with_its_message_and_one_of_before_there_were_pictures_is_said(
    start: Start,
) -> None:
    def turn(tx: Transaction) -> None:
        tx.say(ROOM, Message("of before"), lane=Lane.STATUS)
        tx.connection.exec_driver_sql("update outbox set body = json_remove(body, '$.picture')")
        tx.say(ROOM, Message("with a picture", picture=picture()), lane=Lane.STATUS)

    async with start() as engine:
        await engine.run.tocsin.turn(turn)
        await engine.run.settled()
        assert [(str(said), said.message.picture) for said in engine.chat.said] == [
            ("of before", None),
            ("with a picture", picture()),
        ]


async def test_while_the_link_is_down_nothing_is_lost_and_order_is_kept(start: Start) -> None:
    async with start() as engine:
        engine.chat.fails = lambda _: NetworkError("no link", unsent=True)
        await say(engine, *[(f"line {n}", Lane.STATUS) for n in range(20)])
        await engine.advance(minutes=30)
        assert engine.chat.said == []
        engine.chat.fails = lambda _: None
        assert engine.chat.listener
        engine.chat.listener.up("console")
        await engine.run.settled()
        assert engine.chat.texts() == [f"line {n}" for n in range(20)]
        assert not any(said.again for said in engine.chat.said)


async def test_without_a_word_from_the_network_a_page_is_tried_within_15_seconds(start: Start) -> None:
    async with start() as engine:
        engine.chat.fails = lambda _: NetworkError("no link", unsent=True)
        await engine.report(fires())
        await engine.advance(minutes=3)
        engine.chat.fails = lambda _: None
        await engine.advance(seconds=15)
        assert len(engine.chat.texts("person/alice")) == 1


async def test_a_lost_answer_is_settled_by_the_same_id(start: Start) -> None:
    async with start() as engine:
        engine.chat.fails = lambda said: None if said.again else NetworkError("answer lost")
        engine.chat.answer_lost = True
        await engine.report(fires())
        await engine.advance(seconds=2)
        first, second = engine.chat.said
        assert first.txn_id == second.txn_id
        assert (first.again, second.again) == (False, True)
        assert (await engine.sql("select state, attempts from outbox"))[0] == ("CONFIRMED", 2)


async def test_a_page_in_doubt_is_settled_even_after_an_acknowledgement(start: Start) -> None:
    async with start() as engine:
        lost = NetworkError("answer lost")
        engine.chat.fails = lambda said: lost if said.place.private else None
        engine.chat.answer_lost = True
        subject = await engine.report(fires())
        await engine.says("bob", f"!ack {subject}", room="#ops")
        assert not any("acknowledged" in text for text in engine.chat.texts())  # a page may still be seen
        engine.chat.fails = lambda _: None
        await engine.advance(seconds=2)
        assert (
            len(
                {
                    said.txn_id
                    for said in engine.chat.said
                    if said.place.name == "alice" and "!ack" in str(said)
                }
            )
            == 1
        )
        (answer,) = engine.chat.texts("room/#ops")
        assert answer == f"{subject} acknowledged by bob, paging stops: critical DiskFull db1: 97 % of / used"


async def test_an_answer_waits_five_seconds_for_a_page_and_then_warns(start: Start) -> None:
    async with start() as engine:
        engine.chat.fails = lambda said: NetworkError("answer lost") if "!ack" in str(said) else None
        subject = await engine.report(fires())
        await engine.says("bob", f"!ack {subject}", room="#ops")
        await engine.advance(seconds=4)
        assert engine.chat.texts("room/#ops") == []
        await engine.advance(seconds=2)
        (answer,) = engine.chat.texts("room/#ops")
        assert answer.endswith("A page to alice may still arrive.")
        assert engine.chat.said[-1].message.summary().all_lines() == [
            f"{subject} acknowledged by bob, paging stops: critical DiskFull",
            "A page to alice may still arrive.",
        ]


async def test_after_an_acknowledgement_no_page_begins(start: Start) -> None:
    async with start() as engine:
        engine.chat.fails = lambda said: NetworkError("no link", unsent=True) if said.place.private else None
        subject = await engine.report(fires())
        await engine.says("bob", "!ack", room="#ops")
        engine.chat.fails = lambda _: None
        await engine.advance(hours=1)
        assert [text for text in engine.chat.texts("person/alice") if "!ack" in text] == []
        assert ("CANCELLED",) in await engine.sql("select state from outbox")
        assert f"{subject} acknowledged by bob" in engine.chat.texts("room/#ops")[0]


async def test_a_page_that_is_not_taken_in_a_minute_rings_the_fallback(
    start: Start, ring: Callable[[], list[str]]
) -> None:
    async with start() as engine:
        engine.chat.fails = lambda _: NetworkError("no link", unsent=True)
        subject = await engine.report(fires())
        await engine.advance(seconds=57)
        assert ring() == []
        await engine.advance(seconds=2)
        assert ring()[0] == f"{subject} critical DiskFull db1: 97 % of / used · !ack {subject}"
        headlines = [line for (line,) in await engine.sql("select headline from events order by seq")]
        assert headlines[1] == "page to alice on console: not delivered: not taken within a minute"
        assert len(ring()) == len(set(ring()))


async def test_an_account_that_cannot_be_reached_is_told_at_once(
    start: Start, ring: Callable[[], list[str]]
) -> None:
    async with start() as engine:
        engine.chat.fails = lambda said: (
            NetworkError("no such nick", permanent=True) if said.place.private else None
        )
        subject = await engine.report(fires())
        assert ring()[0].startswith(f"{subject} critical DiskFull")
        (told,) = engine.chat.texts("room/#ops")
        assert told == f"{subject} page to alice failed: no such nick; the fallback rings"
        assert ("DEAD",) in await engine.sql("select state from outbox")


@pytest.mark.parametrize("declared", [None, Declared()], ids=["a page fails", "no plugin pages"])
async def test_what_the_core_says_by_itself_in_a_room_has_a_form_for_all_the_world(
    start: Start, declared: Declared | None
) -> None:
    async with start(declared) as engine:
        engine.chat.fails = lambda said: NetworkError("no link") if said.place.private else None
        subject = await engine.report(fires())
        await engine.advance(minutes=2)
        briefs = [said.message.summary().all_lines() for said in engine.chat.said if not said.place.private]
        assert briefs
        assert "db1" not in str(briefs)
        assert all(first.startswith(subject) for first, *_ in briefs)


async def test_a_poisonous_message_is_replaced_by_a_plain_page(start: Start) -> None:
    async with start() as engine:
        engine.chat.fails = lambda said: NetworkError("500") if "DiskFull" in str(said) else None
        subject = await engine.report(fires())
        for minute in range(4):
            await engine.advance(seconds=10)
            await say(engine, (f"other {minute}", Lane.STATUS), place=ALICE)
        await engine.advance(seconds=30)
        plain = [text for text in engine.chat.texts("person/alice") if subject in text]
        assert plain == [f"{subject} an alert, whose text could not be sent · !ack {subject}"]


@pytest.mark.parametrize("digests", [False, True])
async def test_what_waited_for_a_lost_link_is_not_taken_for_poison(start: Start, *, digests: bool) -> None:
    start.config = replace(start.config, digests=digests)
    lost = Counter[str]()

    def lose(said: Said) -> NetworkError | None:
        """The link is lost just when an alert is said, twice with each message."""
        lost[said.txn_id] += "DiskFull" in str(said)
        return NetworkError("the link was lost") if 0 < lost[said.txn_id] < 3 else None

    async with start() as engine:
        engine.chat.fails = lambda _: NetworkError("no link", unsent=True)
        for number in range(6):
            await engine.report(fires(key=str(number)))
        await engine.advance(minutes=2)
        assert engine.chat.listener is not None
        engine.chat.fails = lose
        for words in ("hello", "and again"):
            await say(engine, (words, Lane.FIRST), place=ALICE)
            engine.chat.listener.up("console")
            await engine.advance(seconds=1)
        await engine.advance(minutes=1)
        said = engine.chat.texts("person/alice")
        assert any("DiskFull" in text for text in said)
        assert not any("could not be sent" in text for text in said)


async def test_a_message_that_fails_holds_back_its_own_subject_only(start: Start) -> None:
    async with start() as engine:
        engine.chat.fails = lambda said: NetworkError("500") if "first" in str(said) else None
        await say(engine, ("first of a", Lane.STATUS), ("second of a", Lane.STATUS), about="a")
        await say(engine, ("other b", Lane.STATUS), about="b")
        assert engine.chat.texts() == ["b other b"]
        engine.chat.fails = lambda _: None
        await engine.advance(seconds=2)
        assert engine.chat.texts()[1:] == ["a first of a", "a second of a"]


async def test_a_network_that_is_gone_from_the_configuration_is_told(start: Start) -> None:
    async with start() as engine:
        away = Place("irc", "#ops")
        await engine.run.tocsin.turn(lambda tx: tx.say(away, "hello", lane=Lane.ANSWER))
        await engine.run.settled()
        assert engine.chat.texts() == ["could not answer in #ops on irc: no network 'irc' is configured"]


async def test_an_adapter_that_crashes_is_tried_again(start: Start) -> None:
    async with start() as engine:
        engine.chat.fails = lambda said: None if said.again else ZeroDivisionError()
        await say(engine, ("hello", Lane.STATUS))
        await engine.advance(seconds=2)
        assert engine.chat.texts() == ["hello"]


async def test_what_was_being_sent_when_the_daemon_fell_is_sent_again_with_its_id(start: Start) -> None:
    begun = asyncio.Event()

    async def hangs(place: Place, message: Message, txn_id: str, *, rank: Rank, **_: object) -> str:
        start.chat.said.append(Said(place, message, txn_id, again=False, rank=rank))
        begun.set()
        await asyncio.Event().wait()
        return ""

    usual = start.chat.send
    async with start(crash=True) as engine:
        start.chat.send = hangs  # type: ignore[method-assign]
        await engine.run.tocsin.turn(lambda tx: tx.say(ROOM, "hello"))
        await begun.wait()
    start.chat.send = usual  # type: ignore[method-assign]
    async with start() as engine:
        first, second = engine.chat.said
        assert second == replace(first, again=True)


async def test_a_resolve_is_told_to_all_who_were_paged(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=6)
        await engine.report(over())
        expected = (
            f"{subject} resolved by its source, without an answer: critical DiskFull db1: 97 % of / used"
        )
        for place in ("person/alice", "person/bob", "room/#ops"):
            assert engine.chat.texts(place)[-1] == expected


async def test_a_stop_does_not_stumble_over_a_network_that_hangs(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.daemon.DRAIN_FOR", timedelta(0))
    begun = asyncio.Event()

    async def hangs(*_: object, **__: object) -> str:
        begun.set()
        await asyncio.Event().wait()
        return ""

    async with start() as engine:
        start.chat.send = hangs  # type: ignore[method-assign]
        await engine.run.tocsin.turn(lambda tx: tx.say(ROOM, "first"))
        await begun.wait()
        await engine.run.tocsin.turn(lambda tx: tx.say(ROOM, "second"))


async def test_a_clock_that_is_set_back_does_not_make_it_deaf(start: Start) -> None:
    async with start() as engine:
        engine.chat.fails = lambda _: NetworkError("no link", unsent=True)
        await engine.report(fires())
        engine.run.clock.step(timedelta(hours=-1))
        engine.chat.fails = lambda _: None
        for _ in range(3):
            await engine.advance(seconds=1)
        assert len(engine.chat.texts("person/alice")) == 1


async def test_after_a_reboot_an_answer_waits_no_longer_than_ever(start: Start) -> None:
    async with start(crash=True) as engine:
        engine.chat.fails = lambda said: NetworkError("answer lost") if "!ack" in str(said) else None
        subject = await engine.report(fires())
        await engine.says("bob", f"!ack {subject}", room="#ops")
    start.clock.reboot()
    async with start() as engine:
        await engine.advance(seconds=6)
        (answer,) = engine.chat.texts("room/#ops")
        assert answer.startswith(f"{subject} acknowledged by bob")


async def test_after_a_reboot_what_a_digest_gives_back_waits_no_longer_than_ever(start: Start) -> None:
    start.config = replace(start.config, digests=True)
    async with start(crash=True) as engine:
        engine.chat.fails = lambda said: NetworkError("answer lost") if "DiskFull" in str(said) else None
        for number in range(6):
            await engine.report(fires(key=str(number)))
        await engine.advance(seconds=20)
    start.clock.reboot()
    async with start() as engine:
        waiting = await engine.sql("select said_boot from outbox where state = 'CARRIED'")
        assert len(waiting) == 5
        assert all(said <= start.clock.boot() // timedelta(microseconds=1) for (said,) in waiting)


@pytest.fixture
def ring(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], list[str]]:
    """A fallback that writes down what it is given; all that it was given."""
    folder = tmp_path_factory.mktemp("fallback")
    program = folder / "ring"
    program.write_text(f"#!/bin/sh\ncat >> {folder}/rung\n")
    program.chmod(0o755)
    start.config = replace(start.config, fallback=replace(start.config.fallback, command=(str(program),)))

    def rung() -> list[str]:
        path = folder / "rung"
        return [line for line in path.read_text().splitlines() if "!ack" in line] if path.exists() else []

    return rung


async def test_what_was_being_done_about_an_alert_is_no_news_after_the_answer(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        engine.chat.fails = lambda _: NetworkError("the link is down", unsent=True)
        await say(engine, ("paging bob", Lane.NEWS), ("others may be told", Lane.STATUS), about=subject)
        await engine.says("alice", f"!ack {subject}")
        engine.chat.fails = lambda _: None
        await engine.advance(minutes=2)
        told = engine.chat.texts("room/#ops")
        assert not any("paging bob" in text for text in told)
        assert any("others may be told" in text for text in told)
        assert any("acknowledged by alice" in text for text in told)


async def test_an_answer_to_a_stranger_who_has_left_is_not_worth_a_word(start: Start) -> None:
    async with start() as engine:
        gone = NetworkError("nowhere online", permanent=True, unsent=True)
        engine.chat.fails = lambda said: gone if said.place.private else None
        await engine.says("mallory", "help")
        assert engine.chat.texts() == []
        await engine.says("bob", "help")
        assert engine.chat.texts() == ["could not answer bob on console: nowhere online"]


async def test_a_page_in_doubt_stays_in_doubt_while_nobody_is_there(start: Start) -> None:
    async with start() as engine:
        fate = [NetworkError("answer lost"), NetworkError("nowhere online", unsent=True, absent=True)]
        engine.chat.fails = lambda said: fate.pop(0) if said.place.private and fate else None
        await engine.report(fires())
        await engine.advance(seconds=40)
        [page] = [said for said in engine.chat.said if said.place.private]
        assert page.again


async def test_what_goes_with_a_page_is_put_there_again_after_a_start_until_it_is_answered(
    start: Start,
) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        [(receipt,)] = await engine.sql("select receipt from outbox")
        assert engine.chat.completed == []
    async with start() as engine:
        await engine.run.settled()
        assert [completed[-1] for completed in engine.chat.completed] == [receipt]
        await engine.says("alice", f"!ack {subject}")
    async with start() as engine:
        await engine.run.settled()
        assert [completed[-1] for completed in engine.chat.completed] == [receipt]


async def test_nothing_is_put_on_a_page_of_long_ago(start: Start) -> None:
    async with start() as engine:
        await engine.report(fires())
    start.clock.step(COMPLETED_FOR + timedelta(seconds=1))
    async with start() as engine:
        await engine.run.settled()
        assert engine.chat.completed == []
