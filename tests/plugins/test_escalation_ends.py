"""Until when an alert is escalated: rounds, the end, and answers."""

from collections.abc import Callable

import pytest

from tocsin.errors import NetworkError
from tocsin.store.outbox import Lane

from tests.engine import fires, over
from tests.tower import FACT, Tower, down, mends, policy, timers


async def test_the_rounds_rest_and_after_the_last_everything_rings_until_somebody_answers(
    tower: Tower, rung: Callable[[], list[str]]
) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=29, seconds=59)
        steps = ["03:00:00 alice", "03:05:00 bob", "03:15:00 alice", "03:20:00 bob"]
        assert tower.chat.pages() == steps
        assert tower.chat.told() == [
            "03:00:00 paging alice",
            "03:05:00 step 2: paging bob",
            "03:15:00 step 1, again: paging alice",
            "03:20:00 step 2, again: paging bob",
        ]
        assert rung() == []
        await engine.advance(seconds=1)
        assert rung() == [f"{subject} nobody answers: {FACT} · !ack {subject}"]
        await engine.advance(hours=5)
        again = ("03:30", "03:40", "04:00", "04:40", "05:40", "06:40", "07:40")
        assert tower.chat.told()[4:] == [f"{time}:00 nobody answers" for time in again]
        assert len(rung()) == len(again)
        assert tower.chat.pages() == steps
        rows = await engine.sql("select lane from outbox where place like '%#ops' order by id")
        assert rows[4:] == [(Lane.PAGE.value,)] * len(again)
        await engine.says("alice", "!ack")
        await engine.advance(hours=5)
        assert len(rung()) == len(again)
        assert await timers(engine) == []


@pytest.mark.parametrize(
    ("rest", "ends"),
    [
        ("0s", ["03:00", "03:01", "03:03", "03:07", "03:15", "03:31", "04:03", "05:03", "06:03"]),
        ("20m", ["03:20", "03:40", "04:20", "05:20", "06:20"]),
        ("90m", ["04:30", "06:00"]),
    ],
)
async def test_one_step_without_repetition_ends_after_its_rest(
    tower: Tower, rest: str, ends: list[str]
) -> None:
    async with tower(policy('{ page = "alice" }', "repeat = 0", f'repeat_after = "{rest}"')) as engine:
        await engine.report(fires())
        await engine.advance(hours=4)
        assert tower.chat.pages() == ["03:00:00 alice"]
        assert tower.chat.told()[1:] == [f"{end}:00 nobody answers" for end in ends]


async def test_the_end_has_no_end(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires())
        await engine.advance(hours=20)
        before = len(tower.chat.said)
        await engine.advance(hours=4)
        assert len(tower.chat.said) == before + 4


# Answers.


@pytest.mark.parametrize("minutes", [0, 4.99, 5, 7, 15, 20, 29.99, 30, 45])
async def test_an_acknowledgement_stops_everything_at_any_moment(tower: Tower, minutes: float) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=minutes)
        assert await timers(engine) == [subject]
        await engine.says("bob", "!ack", room="#ops")
        assert await timers(engine) == []
        before = len(tower.chat.said)
        await engine.advance(hours=12)
        assert len(tower.chat.said) == before


async def test_a_page_that_waits_when_somebody_answers_is_never_begun(tower: Tower) -> None:
    async with tower() as engine:
        engine.chat.fails = down("alice")
        await engine.report(fires())
        await engine.says("bob", "!ack", room="#ops")
        await mends(engine)
        await engine.advance(hours=1)
        assert tower.chat.pages() == []
        assert await timers(engine) == []


async def test_a_page_that_is_there_only_after_the_answer_begins_no_wait(tower: Tower) -> None:
    async with tower() as engine:
        engine.chat.answer_lost = True
        engine.chat.fails = lambda said: NetworkError("answer lost") if said.place.private else None
        await engine.report(fires())
        await engine.says("bob", "!ack", room="#ops")
        await mends(engine)
        assert await timers(engine) == []
        await engine.advance(hours=1)
        assert {page.split()[1] for page in tower.chat.pages()} == {"alice"}


@pytest.mark.parametrize("minutes", [1, 6, 16, 31, 50])
async def test_an_acknowledgement_that_is_taken_back_begins_with_the_first_step(
    tower: Tower, minutes: int, rung: Callable[[], list[str]]
) -> None:
    async with tower() as engine:
        await engine.report(fires())
        await engine.advance(minutes=minutes)
        await engine.says("bob", "!ack", room="#dev")
        await engine.advance(minutes=60 - minutes)
        before, rings = len(tower.chat.pages()), len(rung())
    async with tower(policy('{ page = "carol" }')) as engine:
        await engine.says("bob", "!unack", room="#dev")
        await engine.advance(minutes=29)
        pages = ["04:00:00 alice", "04:05:00 bob", "04:15:00 alice", "04:20:00 bob"]
        assert tower.chat.pages()[before:] == pages
        assert len(rung()) == rings
        await engine.advance(minutes=31)
        assert tower.chat.told()[-3:] == [f"{time}:00 nobody answers" for time in ("04:30", "04:40", "05:00")]
        assert len(rung()) == rings + 3


@pytest.mark.parametrize("minutes", [3, 7, 18, 40])
async def test_a_resolve_stops_everything_and_is_told_to_all_who_were_paged(
    tower: Tower, minutes: int
) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=minutes)
        before = len(tower.chat.said)
        await engine.report(over())
        assert await timers(engine) == []
        told = tower.chat.said[before:]
        assert {str(one) for one in told} == {f"{subject} resolved by its source, without an answer: {FACT}"}
        assert {one.place.name for one in told} == {"#ops", "alice", *(["bob"] if minutes > 5 else [])}
        assert len(told) == len({one.place for one in told})
        await engine.advance(hours=12)
        assert len(tower.chat.said) == before + len(told)


async def test_what_was_answered_and_then_resolved_is_not_said_to_be_without_an_answer(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.says("alice", "!ack")
        await engine.report(over())
        assert engine.chat.texts("person/alice")[-1] == f"{subject} resolved by its source: {FACT}"


async def test_each_alert_is_escalated_by_itself(tower: Tower) -> None:
    async with tower() as engine:
        first = await engine.report(fires(key="one"))
        await engine.advance(minutes=2)
        second = await engine.report(fires(key="two"))
        await engine.says("alice", f"!ack {first}")
        await engine.advance(minutes=6)
        assert tower.chat.pages() == ["03:00:00 alice", "03:02:00 alice", "03:07:00 bob"]
        assert await timers(engine) == [second]
