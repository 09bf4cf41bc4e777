"""The handoff that a schedule brings: warned of before, briefed, and nobody is off before somebody else has it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.engine import Engine, alert, fires
from tests.plugins.handoff_parts import HANDOFF, PRIMARY, STEPS, TABLES, paged
from tests.tower import Tower, asks

TO_THE_HANDOFF = {"hours": 5}
SILENCE = "[plugins.silence]\n"


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    return Tower(write_config, tmp_path / "state")


def last(engine: Engine, person: str) -> str:
    """What they were told last, but for what is still to come."""
    return [text for text in engine.chat.texts(f"person/{person}") if not text.startswith("in 1d ")][-1]


async def on_call(engine: Engine) -> str:
    return (await asks(engine, "dave", "oncall primary"))[0].split(" until")[0]


async def test_both_and_their_room_read_how_things_stand(tower: Tower) -> None:
    async with tower(*TABLES, SILENCE) as engine:
        await engine.advance(hours=4, minutes=30)
        held = await engine.report(fires(alert("Held"), key="held"))
        await engine.says("alice", "!ack", room="#ops")
        quiet = await engine.report(fires(alert("Quiet"), key="quiet"))
        await engine.says("alice", f"!silence {quiet} 1h", room="#ops")
        assert await asks(engine, "alice", "handoff note the array of db7 rebuilds until noon") == [
            "noted for whoever takes over primary"
        ]
        await engine.advance(minutes=30)
        brief = [
            f"open: {held} critical Held (alice has it)",
            f"open: {quiet} critical Quiet (silenced)",
            f"silence ends 08:30 UTC: {quiet} critical Quiet",
            "note by alice, 07:30 UTC: the array of db7 rebuilds until noon",
        ]
        head = "primary: alice \u2192 bob until Sun 22 Nov 08:00 UTC"
        bob, room = last(engine, "bob").splitlines(), last(engine, "alice").splitlines()
        assert bob[0].startswith(f"{head} \u00b7 !accept ")
        assert bob[1:] == [*brief, "alice on call beside you until you accept"]
        assert room == [f"{head}; you stay on call until bob accepts", *brief]
        room = engine.chat.texts("room/#ops")[-1].splitlines()
        assert room[0].startswith(f"{head} \u00b7 !accept ")
        assert room[1:] == brief
        said = [one.message for one in tower.chat.said if not one.place.private][-1]
        assert said.summary().lines == tuple(brief[:-1])  # where all the world reads, without the note


async def test_the_brief_says_what_fired_in_the_shift(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await engine.advance(**TO_THE_HANDOFF)  # of alice's shift it is not known when it began
        assert "since" not in last(engine, "bob")
        await asks(engine, "bob", "accept")
        for number in range(3):
            await engine.report(fires(alert("DiskFull"), key=f"disk {number}"))
            await engine.says("bob", "!ack", room="#ops")
        await engine.report(fires(alert("QueueLong"), key="queue"))
        await engine.advance(minutes=21)  # it pages bob again
        await engine.says("bob", "!done all", room="#ops")
        await engine.says("bob", "!ack", room="#ops")
        await engine.advance(days=1)
        line = "since Sat 21 Nov 08:00 UTC: 5 pages for 4 alerts: 3 DiskFull and 1 QueueLong"
        assert line in "\n".join(engine.chat.texts("person/alice")).splitlines()
        await asks(engine, "alice", "accept")
        await engine.advance(days=1)
        assert (
            "since Sun 22 Nov 08:00 UTC: no page" in "\n".join(engine.chat.texts("person/bob")).splitlines()
        )


async def test_who_goes_is_paged_too_until_who_comes_accepts(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await engine.advance(**TO_THE_HANDOFF)
        await engine.advance(minutes=5)
        assert await on_call(engine) == "primary: bob and alice"
        await engine.report(fires())
        assert sorted(paged(tower)) == ["08:05:00 alice", "08:05:00 bob"]
        [which] = await asks(engine, "bob", "accept")
        handoff = (
            next(text for text in engine.chat.texts("person/bob") if "!accept" in text)
            .splitlines()[0]
            .split()[-1]
        )
        assert which.startswith("which one?")
        assert handoff in which
        said = await asks(engine, "bob", f"accept {handoff}")
        assert "primary is yours until Sun 22 Nov 08:00 UTC; alice is off" in said
        assert await on_call(engine) == "primary: bob"
        assert "bob has taken over primary from alice: you are off" in engine.chat.texts("person/alice")
        assert "bob has taken over primary from alice" in engine.chat.texts("room/#ops")
        await engine.advance(minutes=20)
        assert "not accepted" not in "".join(engine.chat.texts("room/#ops"))


async def test_whoever_answers_a_page_is_there(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await engine.advance(**TO_THE_HANDOFF)
        await engine.report(fires())
        await engine.says("bob", "!ack", room="#ops")
        assert await on_call(engine) == "primary: bob"


@pytest.mark.parametrize("crash", [False, True])
async def test_without_an_answer_the_team_hears_of_it_and_who_goes_stays(
    tower: Tower, *, crash: bool
) -> None:
    async with tower(*TABLES, crash=crash) as engine:
        await engine.advance(**TO_THE_HANDOFF)
    async with tower(*TABLES) as engine:
        await engine.advance(minutes=15)
        said = "bob has not accepted primary within 15m; alice stays on call too until somebody does \u00b7 !take primary"
        assert engine.chat.texts("room/#ops")[-1] == said
        assert last(engine, "alice") == said
        assert last(engine, "bob").startswith(
            "you are on call in primary, and have not accepted \u00b7 !accept "
        )
        assert await on_call(engine) == "primary: bob and alice"
        assert (await asks(engine, "dave", "override list"))[0].endswith(
            "primary: alice too, until bob accepts"
        )


async def test_whoever_takes_it_ends_the_wait(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await engine.advance(**TO_THE_HANDOFF)
        handoff = last(engine, "bob").splitlines()[0].split()[-1]
        assert await asks(engine, "carol", f"accept {handoff}") == [
            f"{handoff} asks bob, not you; !take primary takes the pager"
        ]
        await asks(engine, "carol", "take primary 30m")
        assert await on_call(engine) == "primary: carol"
        await engine.advance(minutes=31)
        assert await on_call(engine) == "primary: bob"
        assert "not accepted" not in "".join(engine.chat.texts("room/#ops"))


async def test_who_never_accepted_hands_over_nothing(tower: Tower) -> None:
    async with tower(STEPS, PRIMARY.replace('"bob"]', '"bob", "carol"]'), HANDOFF) as engine:
        await engine.advance(**TO_THE_HANDOFF)
        await engine.advance(days=1)
        assert last(engine, "carol").splitlines()[0].startswith("primary: alice and bob \u2192 carol until")
        assert await on_call(engine) == "primary: carol and alice"
        await asks(engine, "carol", "accept")
        assert await on_call(engine) == "primary: carol"


async def test_back_to_who_stayed_nobody_is_asked(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await engine.advance(**TO_THE_HANDOFF)
        await engine.advance(days=1)
        assert await on_call(engine) == "primary: alice"
        assert "your shift in primary is over: alice has the pager" in engine.chat.texts("person/bob")
        assert not await engine.sql("select 1 from subjects where kind = 'handoff' and closed_at is null")


async def test_a_take_until_the_handoff_binds_nobody_longer(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await engine.advance(hours=4)
        await asks(engine, "dave", "take primary until 08:00")
        await engine.advance(hours=1)
        assert last(engine, "bob").startswith(
            "primary: dave \u2192 bob until Sun 22 Nov 08:00 UTC \u00b7 !accept"
        )
        assert last(engine, "dave").startswith(
            "primary: dave \u2192 bob until Sun 22 Nov 08:00 UTC; your shift is over"
        )
        assert await on_call(engine) == "primary: bob"


async def test_where_nobody_is_to_be_asked(tower: Tower) -> None:
    async with tower(STEPS, PRIMARY, HANDOFF + 'confirm = "0s"\n') as engine:
        await engine.advance(**TO_THE_HANDOFF)
        assert last(engine, "bob") == "primary: alice \u2192 bob until Sun 22 Nov 08:00 UTC"
        assert last(engine, "alice").endswith("; your shift is over")
        assert await on_call(engine) == "primary: bob"
        assert not await engine.sql("select 1 from subjects where kind = 'handoff' and closed_at is null")


async def test_a_shift_that_nobody_follows(tower: Tower) -> None:
    nights = PRIMARY + 'hours = ["22:00-09:00"]\n'
    async with tower(STEPS, nights, HANDOFF) as engine:
        await engine.advance(**TO_THE_HANDOFF)
        assert last(engine, "alice") == "your shift in primary is over: nobody has the pager"
        await engine.advance(hours=13)
        assert (
            last(engine, "bob")
            .splitlines()[0]
            .startswith("primary: nobody \u2192 bob until Sun 22 Nov 08:00 UTC \u00b7")
        )
        await engine.advance(minutes=15)
        assert (
            engine.chat.texts("room/#ops")[-1]
            == "bob has not accepted primary within 15m \u00b7 !take primary"
        )


async def test_a_handoff_while_the_daemon_is_down_is_made_up_for(tower: Tower) -> None:
    async with tower(*TABLES, crash=True) as engine:
        await engine.advance(hours=4)
    tower.clock.move(timedelta(hours=2))
    async with tower(*TABLES) as engine:
        await engine.run.settled()
        assert last(engine, "bob").startswith("primary: alice \u2192 bob until Sun 22 Nov 08:00 UTC")
        assert await on_call(engine) == "primary: bob and alice"


async def test_people_are_told_a_day_and_an_hour_before(tower: Tower) -> None:
    weekly = PRIMARY.replace('"day"', '"2 days"').replace("11-20 09:00", "11-20 10:00")
    async with tower(STEPS, weekly, HANDOFF) as engine:
        await engine.advance(hours=5, minutes=59)
        assert not engine.chat.texts("person/bob")
        await engine.advance(minutes=1)
        span = "Sun 22 Nov 09:00 UTC to Tue 24 Nov 09:00 UTC"
        assert engine.chat.texts("person/bob") == [f"in 1d you are on call in primary: {span}"]
        await engine.advance(hours=23)
        assert engine.chat.texts("person/bob")[1:] == [
            f"in 1h you are on call in primary: {span.removeprefix('Sun 22 Nov ')}"
        ]


async def test_who_takes_a_shift_later_is_told_too_and_who_gave_it_away_is_not(tower: Tower) -> None:
    async with tower(STEPS, PRIMARY, HANDOFF + 'warn = ["1h"]\n') as engine:
        await asks(engine, "dave", "override primary dave 08:00 until 12:00")
        before = len(engine.chat.texts("person/bob"))
        await engine.advance(hours=4)
        assert last(engine, "dave") == "in 1h you are on call in primary: 08:00 UTC to 12:00 UTC"
        assert len(engine.chat.texts("person/bob")) == before
        await engine.advance(hours=4)
        assert last(engine, "bob") == "in 1h you are on call in primary: 12:00 UTC to Sun 22 Nov 08:00 UTC"


@pytest.mark.parametrize(
    ("who", "asked", "said"),
    [
        ("bob", "handoff", "say !handoff note [SCHEDULE] TEXT…"),
        ("bob", "handoff note", "say !handoff note [SCHEDULE] TEXT…"),
        ("bob", "handoff note the disk", "for which schedule? Say !handoff note [SCHEDULE] TEXT…"),
        ("bob", "handoff note primary the disk", "noted for whoever takes over primary"),
    ],
)
async def test_notes(tower: Tower, who: str, asked: str, said: str) -> None:
    async with tower(*TABLES) as engine:
        assert await asks(engine, who, asked) == [said]


async def test_notes_are_told_once(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await asks(engine, "alice", "handoff note look at db7")
        await engine.advance(**TO_THE_HANDOFF)
        assert "look at db7" in last(engine, "bob")
        await asks(engine, "bob", "accept")
        await engine.advance(days=1)
        assert "look at db7" not in last(engine, "alice")


async def test_an_edit_of_the_schedule_is_told_to_whose_shifts_it_changes(tower: Tower) -> None:
    weekly = PRIMARY.replace('"day"', '"week"')
    async with tower(STEPS, weekly, HANDOFF) as engine:
        await engine.run.settled()
    told = len(tower.chat.said)
    async with tower(STEPS, weekly, HANDOFF) as engine:
        await engine.run.settled()
        assert len(tower.chat.said) == told  # nothing has changed
    with_dave = weekly.replace('"bob"]', '"dave", "bob"]')
    async with tower(STEPS, with_dave, HANDOFF) as engine:
        await engine.run.settled()
        assert last(engine, "dave") == (
            "your shifts in primary changed (UTC): now yours: Fri 27 Nov 08:00 to Fri 4 Dec 08:00 and "
            "Fri 18 Dec 08:00 to Fri 25 Dec 08:00"
        )
        assert last(engine, "bob").startswith(
            "your shifts in primary changed (UTC): now yours: Fri 4 Dec 08:00 to Fri 11 Dec 08:00; no longer yours: Fri 27 Nov"
        )
        assert not engine.chat.texts("person/carol")


async def test_so_it_is_when_the_configuration_is_reloaded(tower: Tower) -> None:
    weekly = PRIMARY.replace('"day"', '"week"')
    async with tower(STEPS, weekly, HANDOFF) as engine:
        tower.edit(STEPS, weekly.replace('"bob"]', '"dave", "bob"]'), HANDOFF)
        await asks(engine, "alice", "reload")
        assert last(engine, "dave").startswith(
            "your shifts in primary changed (UTC): now yours: Fri 27 Nov 08:00 to Fri 4 Dec 08:00"
        )
