"""Paging somebody by hand."""

from collections.abc import Callable

import pytest

from tests.tower import EMPTY, Tower, asks, policy, timers

TABLES = (
    policy('{ page = "dave" }'),
    EMPTY,
    '[teams.db]\nmembers = ["bob", "carol"]\nrooms.console = "#db"\n',
    '[schedules.primary]\non_call = ["carol"]\n',
    "[people.erin]\n",
)


async def test_who_is_named_is_paged_at_once_and_again_and_then_everything_rings(
    tower: Tower, rung: Callable[[], list[str]]
) -> None:
    async with tower(*TABLES) as engine:
        (answer,) = await asks(engine, "alice", "page bob the queue  stands still")
        subject = answer.split(":")[0]
        assert answer == f"{subject}: paging bob"
        text = "page from alice: the queue stands still"
        assert engine.chat.texts("person/bob") == [f"{subject} {text} · !ack {subject}"]
        assert engine.chat.texts("room/#ops") == [f"{subject} paging bob: {text} · !ack {subject}"]
        await engine.advance(minutes=19, seconds=59)
        assert tower.chat.pages() == [f"03:{minute}:00 bob" for minute in ("00", "05", "10", "15")]
        assert rung() == []
        await engine.advance(seconds=1)
        assert rung() == [f"{subject} nobody answers: {text} · !ack {subject}"]
        assert await timers(engine) == [subject]


async def test_an_answer_is_told_to_who_asked_and_the_story_says_who_that_was(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        (answer,) = await asks(engine, "alice", "page @bob: look at this")
        subject = answer.split(":")[0]
        said = await asks(engine, "bob", "!ack")
        assert said == [f"{subject} acknowledged by bob, paging stops: page from alice: look at this"]
        assert engine.chat.texts("person/alice")[1:] == said
        await engine.advance(hours=1)
        assert tower.chat.pages() == ["03:00:00 bob"]
        (story,) = await asks(engine, "carol", f"!why {subject}")
        assert "policy by hand (asked for by alice): bob; 5m later all of it again, 3 times" in story
        assert "reported by alice: page from alice: look at this" in story
        await engine.says("bob", "!unack")
        assert tower.chat.pages() == ["03:00:00 bob", "04:00:00 bob"]


@pytest.mark.parametrize(
    ("name", "people", "rooms"),
    [
        ("primary", ["carol"], ["#ops"]),
        ("db", ["bob", "carol"], ["#db", "#ops"]),
        ("CAROL", ["carol"], ["#ops"]),
    ],
)
async def test_schedules_and_teams_can_be_paged_too(
    tower: Tower, name: str, people: list[str], rooms: list[str]
) -> None:
    async with tower(*TABLES) as engine:
        await engine.says("alice", f"!page {name} hello", room="#ops")
        assert sorted(tower.chat.pages()) == [f"03:00:00 {one}" for one in people]
        assert sorted(said.place.name for said in engine.chat.said if not said.place.private) == rooms


async def test_each_page_by_hand_is_an_alert_of_its_own(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        for text in ("one", "one", "two"):
            await engine.says("alice", f"!page bob {text}", room="#ops")
        assert len(await timers(engine)) == 3
        await engine.says("bob", "!ack mine")
        assert await timers(engine) == []


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        ("!page bbo help", "no person, schedule or team is called 'bbo'; did you mean 'bob'?"),
        ("!page empty help", "empty is nobody at the moment: page somebody else"),
        ("!page erin help", "erin can't be paged: no account on any network; page somebody else"),
        ("!page bob", "say !page NAME TEXT…"),
        ("!page", "say !page NAME TEXT…"),
    ],
)
async def test_what_can_reach_nobody_is_refused(tower: Tower, line: str, refusal: str) -> None:
    async with tower(*TABLES) as engine:
        assert await asks(engine, "alice", line, room="#ops") == [refusal]
        assert await engine.sql("select * from subjects") == []


async def test_a_stranger_pages_nobody(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await engine.says("mallory", "!page bob wake up", room="#ops")
        assert tower.chat.pages() == []
