"""An escalation goes on over stops, crashes and faults."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from tocsin.alerts import report
from tocsin.domain.message import Message, Place
from tocsin.networks.base import Rank
from tocsin.transaction import Transaction
from tocsin_escalation import steps
from tocsin_escalation.coming import Coming
from tocsin_escalation.plan import Routing

from tests.engine import fires
from tests.tower import Tower, asks, down, mends, timers


async def test_a_page_under_way_in_a_crash_is_sent_again_and_its_step_waits_in_full(tower: Tower) -> None:
    usual, begun = tower.chat.send, asyncio.Event()

    async def hangs(
        place: Place, message: Message, txn_id: str, *, tried: datetime | None, rank: Rank, amends: str = ""
    ) -> str:
        if place.private:
            begun.set()
            await asyncio.Event().wait()
        return await usual(place, message, txn_id, tried=tried, rank=rank, amends=amends)

    tower.chat.send = hangs  # type: ignore[method-assign]
    async with tower(crash=True) as engine:
        await engine.run.tocsin.turn(lambda tx: report(tx, fires()))
        await begun.wait()
    tower.chat.send = usual  # type: ignore[method-assign]
    tower.clock.move(timedelta(seconds=40))
    async with tower() as engine:
        await engine.advance(minutes=6)
        assert tower.chat.pages() == ["03:00:40 alice", "03:05:40 bob"]
        assert [said.again for said in tower.chat.said if said.place.private] == [True, False]


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("every", [299, 300, 100])
async def test_over_restarts_each_step_comes_once_and_on_time(
    tower: Tower, every: int, *, crash: bool
) -> None:
    for length in [0, *[every] * (2400 // every)]:
        async with tower(crash=crash) as engine:
            if not length:
                await engine.report(fires())
            await engine.advance(seconds=length)
    ends = (
        ["03:30:00 nobody answers", "03:40:00 nobody answers"]
        if every != 299
        else ["03:30:00 nobody answers"]
    )
    assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 bob", "03:15:00 alice", "03:20:00 bob"]
    assert tower.chat.told()[4:] == ends


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("reboots", [False, True])
@pytest.mark.parametrize(
    ("before", "overdue"), [(1, "bob"), (6, "alice"), (16, "bob"), (21, "#ops"), (31, "#ops")]
)
async def test_after_a_long_time_away_one_step_comes_and_then_the_next_on_time(
    tower: Tower, before: int, overdue: str, *, crash: bool, reboots: bool
) -> None:
    async with tower(crash=crash) as engine:
        for key in ("one", "two"):
            await engine.report(fires(key=key))
        await engine.advance(minutes=before)
        said = len(tower.chat.said)
    tower.clock.move(timedelta(hours=6, minutes=-before))
    if reboots:
        tower.clock.reboot()
    async with tower(crash=crash) as engine:
        now = [one for one in tower.chat.said[said:] if one.place.private or "nobody answers" in str(one)]
        assert [one.place.name for one in now] == [overdue] * 2
        assert len(await timers(engine)) == 2
        said = len(tower.chat.said)
        await engine.advance(minutes=4, seconds=59)
        assert len(tower.chat.said) == said


@pytest.mark.parametrize("hours", [0, 6])
async def test_a_page_that_nobody_took_before_the_stop_comes_once_and_its_step_waits_in_full(
    tower: Tower, hours: int
) -> None:
    async with tower(crash=True) as engine:
        engine.chat.fails = down("alice")
        await engine.report(fires())
        await engine.advance(seconds=30)
    engine.chat.fails = down("nobody")
    tower.clock.move(timedelta(hours=hours))
    async with tower() as engine:
        await engine.advance(minutes=9)
        assert tower.chat.pages() == [f"0{3 + hours}:00:30 alice", f"0{3 + hours}:05:30 bob"]


async def test_an_answer_holds_over_a_restart(tower: Tower) -> None:
    async with tower(crash=True) as engine:
        await engine.report(fires())
        await engine.says("bob", "!ack")
    said = len(tower.chat.said)
    tower.clock.move(timedelta(hours=6))
    async with tower() as engine:
        await engine.advance(hours=6)
        assert len(tower.chat.said) == said


# An escalation that fails.


@pytest.fixture
def fails_once(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a part of the escalation fail when it is used next, and only then."""
    places = {"choose": Routing, "take": Coming, "progress_of": steps}

    def break_it(part: str) -> None:
        name, place = {"choose": "plan"}.get(part, part), places[part]
        whole = getattr(place, name)

        def breaks(*_: Any, **__: Any) -> None:
            monkeypatch.setattr(place, name, whole)
            raise ZeroDivisionError

        monkeypatch.setattr(place, name, breaks)

    return break_it


@pytest.mark.parametrize("what", ["choose", "take", "progress_of"])
async def test_a_first_step_that_fails_is_tried_again_and_pages(
    tower: Tower, fails_once: Callable[[str], None], what: str
) -> None:
    fails_once(what)
    async with tower() as engine:
        await engine.report(fires())
        assert "start failed: ZeroDivisionError. It is tried again." in engine.chat.texts("room/#ops")[0]
        await engine.advance(minutes=6)
        assert tower.chat.pages() == ["03:00:10 alice", "03:05:10 bob"]
        assert tower.chat.told()[1:] == ["03:00:10 paging alice", "03:05:10 step 2: paging bob"]


async def test_a_next_step_that_fails_is_tried_again_and_pages(
    tower: Tower, fails_once: Callable[[str], None]
) -> None:
    async with tower() as engine:
        await engine.report(fires())
        fails_once("take")
        await engine.advance(minutes=11)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:01 bob"]


async def test_a_wait_that_could_not_begin_begins_at_the_next_try(
    tower: Tower, fails_once: Callable[[str], None]
) -> None:
    async with tower() as engine:
        engine.chat.fails = down("alice")
        await engine.report(fires())
        fails_once("progress_of")
        await mends(engine)
        await engine.advance(minutes=6)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:10 bob"]


async def test_a_step_that_cannot_be_taken_on_request_is_undone_and_said(
    tower: Tower, fails_once: Callable[[str], None]
) -> None:
    async with tower() as engine:
        await engine.report(fires())
        fails_once("take")
        assert await asks(engine, "bob", "!up", room="#ops") == [
            "!up failed, and nothing was done: see the log"
        ]
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 bob"]


async def test_a_first_step_that_fails_after_an_answer_was_taken_back_is_tried_again(
    tower: Tower, fails_once: Callable[[str], None]
) -> None:
    async with tower() as engine:
        await engine.report(fires())
        await engine.says("bob", "!ack", room="#ops")
        fails_once("take")
        await engine.says("bob", "!unack", room="#ops")
        assert tower.chat.pages() == ["03:00:00 alice"]
        await engine.advance(minutes=6)
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:10 alice", "03:05:10 bob"]


async def test_an_answer_that_could_not_stop_the_timer_stops_the_pages_all_the_same(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tower() as engine:
        await engine.report(fires())
        await engine.advance(minutes=4, seconds=55)
        with monkeypatch.context() as broken:
            broken.setattr(Transaction, "cancel_timer", Mock(side_effect=ZeroDivisionError))
            await engine.says("carol", "!ack", room="#dev")
        assert len(await timers(engine)) == 1
        before = len(tower.chat.said)
        await engine.advance(hours=1)
        assert len(tower.chat.said) == before
        assert await timers(engine) == []


@pytest.mark.parametrize("answer", ["!ack", "!done"])
async def test_a_first_step_that_is_tried_again_comes_too_late_after_an_answer(
    tower: Tower, fails_once: Callable[[str], None], answer: str
) -> None:
    fails_once("choose")
    async with tower() as engine:
        await engine.report(fires())
        await engine.says("bob", answer, room="#ops")
        said = len(tower.chat.said)
        await engine.advance(seconds=10)
        assert len(tower.chat.said) == said
        assert await timers(engine) == []


@pytest.mark.parametrize("lines", [["!up"], ["!ack", "!unack"]])
async def test_a_first_step_that_is_tried_again_does_not_hasten_the_second(
    tower: Tower, fails_once: Callable[[str], None], lines: list[str]
) -> None:
    fails_once("choose")
    async with tower() as engine:
        await engine.report(fires())
        for line in lines:
            await engine.says("carol", line, room="#ops")
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 bob"]


async def test_a_new_beginning_that_is_tried_again_does_not_hasten_the_second_step(
    tower: Tower, fails_once: Callable[[str], None]
) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.says("bob", "!ack", room="#ops")
        fails_once("take")
        await engine.says("bob", "!unack", room="#ops")
        await engine.says("bob", f"!up {subject}", room="#ops")
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:00 alice", "03:05:00 bob"]


async def test_a_stop_that_is_tried_again_does_not_stop_what_rings_anew(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tower() as engine:
        await engine.report(fires())
        with monkeypatch.context() as broken:
            broken.setattr(Transaction, "cancel_timer", Mock(side_effect=ZeroDivisionError))
            await engine.says("bob", "!ack", room="#ops")
        await engine.says("bob", "!unack", room="#ops")
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:00 alice", "03:05:00 bob"]
