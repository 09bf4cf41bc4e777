"""Routes: how urgent an alert is for people in their quiet hours, and whose rooms are told."""

from datetime import timedelta

import pytest

from tests.engine import alert, fires, over
from tests.tower import FACT, Tower, asks, away, policy, timers

TEAM = '[teams.db]\nmembers = ["alice", "carol"]\nrooms.console = "#db"\n'


def route(urgency: str = "low", *more: str, match: str = "[]") -> str:
    lines = ["[[plugins.escalation.routes]]", f"match = {match}", 'policy = "ops"', f'urgency = "{urgency}"']
    return "\n".join([*lines, *more, ""])


def sleeps(tower: Tower, **people: str) -> None:
    """These people have quiet hours, in Berlin; it is 04:00 there."""
    for name, hours in people.items():
        line = f'[people.{name}]\ntimezone = "Europe/Berlin"\nquiet = "{hours}"\n'
        tower.people = tower.people.replace(f"[people.{name}]\n", line)


TWO = policy('{ page = "alice" }, { page = "bob", after = "5m" }', "repeat = 0")
BOTH = policy('{ page = ["alice", "bob"] }, { page = "carol", after = "5m" }', "repeat = 0")


async def test_a_step_waits_until_the_first_of_those_who_sleep_wakes(tower: Tower) -> None:
    sleeps(tower, alice="22:00-07:00", bob="22:00-06:30")
    async with tower(route(), BOTH) as engine:
        subject = await engine.report(fires())
        assert tower.chat.told() == ["03:00:00 waits for bob's morning (06:30 UTC+1)"]
        await engine.advance(hours=2, minutes=29, seconds=59)
        assert tower.chat.pages() == []
        assert await timers(engine) == [subject]
        await engine.advance(seconds=1)
        assert tower.chat.pages() == ["05:30:00 bob"]
        assert tower.chat.told()[1:] == ["05:30:00 paging bob, and alice in the morning"]
        await engine.advance(minutes=30)
        assert tower.chat.pages() == ["05:30:00 bob", "05:35:00 carol", "06:00:00 alice"]
        assert tower.chat.told()[-1] == "06:00:00 the quiet hours of alice are over: paging alice"
        (story,) = await asks(engine, "carol", f"!why {subject}")
        assert "policy ops, low urgency (routes[0]: every alert): alice and bob" in story
        assert "03:00:00 waits for bob's morning (06:30 UTC+1)" in story
        assert "06:00:00 the quiet hours of alice are over: paging alice" in story


async def test_two_who_wake_together_are_both_named_and_paged(tower: Tower) -> None:
    sleeps(tower, alice="22:00-07:00", bob="23:00-07:00")
    async with tower(route(), BOTH) as engine:
        await engine.report(fires())
        assert tower.chat.told() == ["03:00:00 waits for the morning of alice and bob (07:00 UTC+1)"]
        await engine.advance(hours=3)
        assert sorted(tower.chat.pages()) == ["06:00:00 alice", "06:00:00 bob"]


async def test_of_several_only_those_who_are_awake_are_paged_and_the_steps_go_on(tower: Tower) -> None:
    sleeps(tower, alice="22:00-07:00")
    async with tower(route(), BOTH) as engine:
        await engine.report(fires())
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 bob", "03:05:00 carol"]
        await engine.says("bob", "!ack")
        await engine.advance(hours=6)
        assert len(tower.chat.pages()) == 2


async def test_what_waits_for_the_same_morning_rings_at_the_same_instant(tower: Tower) -> None:
    sleeps(tower, alice="22:00-07:00")
    async with tower(route(), TWO) as engine:
        for seconds, key in ((0, "one"), (100, "two"), (77, "three")):
            await engine.advance(seconds=seconds)
            await engine.report(fires(key=key))
        assert len(tower.chat.told()) == 3
        await engine.advance(hours=3)
        assert [page for page in tower.chat.pages() if "alice" in page] == ["06:00:00 alice"] * 3


@pytest.mark.parametrize("crash", [False, True])
async def test_the_wait_holds_over_a_restart_and_follows_the_wall_clock(tower: Tower, *, crash: bool) -> None:
    sleeps(tower, alice="22:00-07:00")
    async with tower(route(), TWO, crash=crash) as engine:
        await engine.report(fires())
    tower.clock.step(timedelta(hours=1))
    async with tower(route(), TWO) as engine:
        await engine.advance(hours=1, minutes=59)
        assert tower.chat.pages() == []
        await engine.advance(minutes=1)
        assert tower.chat.pages() == ["06:00:00 alice"]
        assert len(tower.chat.told()) == 2


async def test_who_sleeps_longer_meanwhile_is_paged_then_and_nothing_is_said_before(tower: Tower) -> None:
    sleeps(tower, alice="22:00-07:00")
    async with tower(route(), BOTH) as engine:
        await engine.report(fires())
        await engine.says("alice", "!me quiet 22:00-09:00")
        await engine.advance(hours=5)
        assert [line for line in tower.chat.told() if "quiet hours" in line] == [
            "08:00:00 the quiet hours of alice are over: paging alice"
        ]


async def test_who_has_no_quiet_hours_any_more_is_waited_for_no_longer(tower: Tower) -> None:
    sleeps(tower, alice="22:00-07:00")
    async with tower(route(), TWO) as engine:
        await engine.report(fires())
        await engine.advance(minutes=5)
        await engine.says("alice", "!me quiet off")
        await engine.advance(minutes=10)
        assert tower.chat.pages() == ["03:15:00 alice"]
        await engine.advance(minutes=5)
        assert tower.chat.pages()[1:] == ["03:20:00 bob"]


async def test_if_the_clock_was_a_day_ahead_it_is_the_morning_of_today_that_counts(tower: Tower) -> None:
    sleeps(tower, alice="22:00-07:00")
    async with tower(route(), TWO) as engine:
        await engine.report(fires())
        tower.clock.step(timedelta(days=-1))
        await engine.advance(hours=3)
        assert tower.chat.pages() == ["06:00:00 alice"]
        assert len(tower.chat.told()) == 3


async def test_a_later_step_waits_too_and_is_told_once(tower: Tower) -> None:
    sleeps(tower, bob="22:00-07:00")
    async with tower(route(), TWO) as engine:
        engine.chat.fails = away("alice")
        await engine.report(fires())
        assert tower.chat.told()[-1] == "03:00:00 waits for bob's morning (07:00 UTC+1)"
        engine.chat.fails = away()
        assert engine.chat.listener
        engine.chat.listener.up("console")
        await engine.advance(hours=3)
        assert tower.chat.pages() == ["03:00:00 alice", "06:00:00 bob"]
        assert sum("waits for" in line for line in tower.chat.told()) == 1


async def test_a_room_can_answer_so_a_step_that_calls_one_does_not_wait(tower: Tower) -> None:
    sleeps(tower, alice="22:00-07:00")
    steps = policy('{ page = "alice", room = "console" }, { page = "bob", after = "5m" }')
    async with tower(route(), steps) as engine:
        await engine.report(fires())
        assert tower.chat.told() == ["03:00:00 paging #ops, and alice in the morning"]
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:05:00 bob"]


async def test_who_asks_for_the_next_step_means_those_too_who_sleep(tower: Tower) -> None:
    sleeps(tower, alice="22:00-07:00")
    async with tower(route(), TWO) as engine:
        subject = await engine.report(fires())
        assert await asks(engine, "carol", "!up") == [f"{subject}: paging alice"]
        excuse = "(asked for by carol, in your quiet hours)"
        assert engine.chat.texts("person/alice") == [f"{subject} {excuse} {FACT} · !ack {subject}"]
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 bob"]


@pytest.mark.parametrize(
    ("urgency", "excuse"), [("urgent", "(urgent, in your quiet hours) "), ("normal", "")]
)
async def test_what_is_not_low_does_not_wait(tower: Tower, urgency: str, excuse: str) -> None:
    sleeps(tower, alice="22:00-07:00", bob="06:00-07:00")
    async with tower(route(urgency), BOTH) as engine:
        subject = await engine.report(fires())
        assert engine.chat.texts("person/alice") == [f"{subject} {excuse}{FACT} · !ack {subject}"]
        assert engine.chat.texts("person/bob") == [f"{subject} {FACT} · !ack {subject}"]
        await engine.advance(hours=4)
        assert sorted(tower.chat.pages()) == ["03:00:00 alice", "03:00:00 bob", "03:05:00 carol"]


async def test_when_it_becomes_worse_the_wait_ends(tower: Tower) -> None:
    sleeps(tower, alice="22:00-07:00")
    routes = route("normal", match="'severity=\"critical\"'") + route()
    async with tower(routes, TWO) as engine:
        await engine.report(fires(alert("Load", severity="warning")))
        await engine.advance(minutes=10)
        await engine.report(fires())
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:10:00 alice", "03:15:00 bob"]
        await engine.says("bob", "!ack")
        await engine.advance(hours=4)
        assert len(tower.chat.pages()) == 2


@pytest.mark.parametrize("word", ["!ack", "!done"])
async def test_an_answer_ends_the_wait(tower: Tower, word: str) -> None:
    sleeps(tower, alice="22:00-07:00")
    async with tower(route(), TWO) as engine:
        await engine.report(fires())
        await engine.says("carol", word, room="#ops")
        assert await timers(engine) == []
        await engine.advance(hours=4)
        assert tower.chat.pages() == []


# Whose rooms.


async def test_a_teams_alert_is_told_in_its_rooms_too_to_the_end(tower: Tower) -> None:
    steps = policy('{ page = "bob" }', "repeat = 0")
    async with tower(route("normal", 'team = "db"'), steps, TEAM) as engine:
        await engine.report(fires())
        await engine.advance(minutes=5)
        await engine.says("bob", "!ack")
        await engine.says("bob", "!unack")
        await engine.report(over())
        assert sorted(tower.chat.told("#db")) == sorted(tower.chat.told("#ops"))
        assert {line.split(" ", 1)[1] for line in tower.chat.told("#db")} == {
            "paging bob",
            "nobody answers",
            "acknowledged by bob, paging stops",
            "acknowledgement taken back by bob",
            "resolved by its source, without an answer",
        }


async def test_a_team_that_a_step_pages_hears_of_it_and_of_the_answer_and_not_of_other_steps(
    tower: Tower,
) -> None:
    steps = policy('{ page = "bob" }, { page = "db", after = "5m" }, { page = "bob", after = "5m" }')
    async with tower(steps, TEAM) as engine:
        await engine.report(fires())
        assert tower.chat.told("#db") == []
        await engine.advance(minutes=10)
        await engine.says("carol", "!ack")
        assert tower.chat.told("#db") == [
            "03:05:00 step 2: paging alice and carol",
            "03:10:00 acknowledged by carol, paging stops",
        ]
        assert len(tower.chat.told()) == 4
