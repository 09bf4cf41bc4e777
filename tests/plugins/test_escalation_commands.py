"""What people ask of the escalation."""

from collections.abc import Callable

import pytest

from tests.engine import fires
from tests.tower import FACT, ROUTES, Tower, asks, down, mends, timers


async def test_the_next_step_is_taken_when_somebody_asks_and_the_wait_counts_from_there(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=2)
        assert await asks(engine, "alice", "!up", room="#ops") == [
            f"{subject} step 2: paging bob: {FACT} · !ack {subject}"
        ]
        await engine.advance(minutes=27, seconds=59)
        assert tower.chat.pages() == ["03:00:00 alice", "03:02:00 bob", "03:12:00 alice", "03:17:00 bob"]
        assert tower.chat.told()[-1] == "03:27:00 nobody answers"


async def test_a_step_that_was_asked_for_is_answered_in_private_and_said_in_the_room(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        assert await asks(engine, "carol", "up") == [f"{subject}: step 2: paging bob"]
        assert tower.chat.told()[1:] == ["03:00:00 step 2: paging bob"]
        assert await asks(engine, "carol", f"!escalate {subject}", room="#dev") == [
            f"{subject}: step 1, again: paging alice"
        ]


async def test_a_page_that_was_under_way_when_somebody_asked_does_not_move_the_next_step(
    tower: Tower,
) -> None:
    async with tower() as engine:
        engine.chat.fails = down("alice")
        await engine.report(fires())
        await engine.says("carol", "!up", room="#ops")
        await engine.advance(seconds=30)
        await mends(engine)
        await engine.advance(minutes=10)
        assert tower.chat.pages() == ["03:00:00 bob", "03:00:30 alice", "03:10:00 alice"]


@pytest.mark.parametrize("ids", ["{} {}", "all {1}", "{},{}", "#{} {}:"])
async def test_the_next_step_of_several_can_be_asked_for(tower: Tower, ids: str) -> None:
    async with tower() as engine:
        subjects = [await engine.report(fires(key=key)) for key in ("one", "two")]
        (answer,) = await asks(engine, "carol", f"!up {ids.format(*subjects)}")
        assert answer == f"{subjects[0]} and {subjects[1]}: step 2: paging bob"
        assert tower.chat.pages() == ["03:00:00 alice"] * 2 + ["03:00:00 bob"] * 2


async def test_all_means_those_that_ring(tower: Tower) -> None:
    async with tower() as engine:
        first, second = [await engine.report(fires(key=key)) for key in ("one", "two")]
        await engine.says("alice", f"!ack {first}")
        answer = f"{second}: step 2: paging bob"
        assert await asks(engine, "carol", "!up all") == [answer]
        assert tower.chat.pages()[2:] == ["03:00:00 bob"]


async def test_what_cannot_be_escalated_is_refused_with_a_hint(tower: Tower) -> None:
    async with tower() as engine:
        nothing = ["there is none: !alerts lists what is open"]
        assert await asks(engine, "bob", "!up") == nothing
        first, second = [await engine.report(fires(key=key)) for key in ("one", "two")]
        assert await asks(engine, "bob", "!up") == [f"which one? {first} and {second}; or mine, or all"]
        assert await asks(engine, "bob", "!up zz9z") == [
            "there is no alert 'zz9z': !alerts lists what is open"
        ]
        await engine.says("alice", "!ack mine")
        hint = f"{first}: alice has it; !unack {first} pages from the first step on"
        assert await asks(engine, "bob", f"!up {first}") == [hint]
        assert await asks(engine, "bob", "!up") == nothing
        await engine.says("alice", f"!done {first}")
        assert await asks(engine, "bob", f"!up {first}", room="#ops") == [f"{first}: is already resolved"]
        assert tower.chat.pages() == ["03:00:00 alice"] * 2
        assert await timers(engine) == []


async def test_a_stranger_may_not_take_the_next_step(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires())
        refusal = ["I don't know you here, so !up is not for you: !whoami"]
        assert await asks(engine, "mallory", "!up", room="#ops") == refusal
        assert tower.chat.pages() == ["03:00:00 alice"]


async def test_after_the_end_the_fallback_rings_again_for_whoever_asks(
    tower: Tower, rung: Callable[[], list[str]]
) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        for _ in range(4):
            await engine.says("carol", "!up", room="#ops")
        assert len(rung()) == 1
        await engine.advance(minutes=1)
        assert await asks(engine, "carol", "!up") == [f"{subject}: nobody answered, and the fallback rings"]
        assert len(rung()) == 2
        await engine.advance(minutes=40)
        ends = ("03:00", "03:01", "03:21")
        assert tower.chat.told()[-3:] == [f"{time}:00 nobody answers" for time in ends]
        assert await timers(engine) == [subject]


async def test_without_a_fallback_it_is_said_that_nothing_else_rings(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=30)
        for line in ("!up", f"!why {subject}"):
            (answer,) = await asks(engine, "carol", line)
            assert "no fallback is configured" in answer
            assert "the fallback rings" not in answer


async def test_a_story_tells_what_was_decided_and_why_in_order(tower: Tower) -> None:
    async with tower(ROUTES) as engine:
        engine.chat.fails = down("bob", permanent=True)
        subject = await engine.report(fires())
        await engine.advance(minutes=1)
        await engine.says("carol", f"!up {subject}", room="#ops")
        await engine.advance(minutes=1, seconds=2)
        await engine.says("alice", f"!ack {subject}", room="#ops")
        (answer,) = await asks(engine, "alice", f"!why {subject}")
        story = f"""\
{subject} acknowledged: {FACT}
03:00:00 reported by prod: {FACT}
03:00:00 policy loud (routes[0]: severity=~"critical|error", alertname!~"Test.*", instance!="db9"): bob; 5m later all of it again, 3 times
03:00:00 step 1: paging bob
03:00:00 page to bob on console: not delivered: no such account
03:01:00 step 1, for the 2nd time, asked for by carol: paging bob
03:01:00 page to bob on console: not delivered: no such account
03:02:02 acknowledged by alice"""
        assert answer == story


async def test_help_fits_a_small_screen(tower: Tower) -> None:
    async with tower() as engine:
        (words,) = await asks(engine, "bob", "!help", room="#ops")
        assert len(words.splitlines()) <= 6
        assert "!up [ALERT…]: page the next step now" in words


async def test_who_declines_lets_the_next_be_paged_at_once(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=1)
        (answer,) = await asks(engine, "alice", "Decline.")
        assert answer == f"{subject}: step 2: paging bob"
        room = f"{subject} alice can't: step 2: paging bob: {FACT} · !ack {subject}"
        assert engine.chat.texts("room/#ops")[-1] == room
        assert tower.chat.pages() == ["03:00:00 alice", "03:01:00 bob"]
        await engine.says("bob", "accept")
        assert await asks(engine, "bob", f"decline {subject}") == [
            f"{subject}: bob has it; !unack {subject} pages from the first step on"
        ]
        (story,) = await asks(engine, "bob", f"why {subject}")
        assert "03:01:00 step 2, asked for by alice: paging bob" in story


async def test_nobody_who_declines_is_paged_again_for_that(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.says("carol", "!up", room="#ops")
        refusal = f"{subject}: no step comes after this one before it begins anew with the first; !page calls somebody else"
        assert await asks(engine, "bob", "decline") == [refusal]
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:00 bob"]
        await engine.advance(minutes=10)
        assert tower.chat.pages()[2:] == ["03:10:00 alice"]
