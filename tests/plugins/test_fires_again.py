"""What fires again soon after it was over is paged on where its plan stood."""

from datetime import timedelta

import pytest

from tests.engine import fires, over
from tests.plugins.flapping_parts import LOW, SWAP, comes_and_goes, sleeps_until
from tests.tower import TWO_STEPS, Tower, away, down, mends, policy


async def test_what_fires_again_calls_who_was_told_it_is_over_and_leaves_them_what_was_left_of_their_time(
    tower: Tower,
) -> None:
    async with tower() as engine:
        await comes_and_goes(engine, 2)
        await engine.report(fires())
        assert tower.chat.pages() == ["03:00:00 alice", "03:02:00 alice", "03:04:00 alice"]
        assert tower.chat.told()[-1].startswith("03:04:00 fires again: paging alice")
        await engine.advance(minutes=4)  # it fired for two of the five minutes before
        assert tower.chat.pages()[3:] == ["03:07:00 bob"]


async def test_what_fires_again_and_is_more_severe_begins_anew(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires(SWAP))
        await engine.advance(minutes=3)
        await engine.report(over())
        await engine.report(fires())
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:03:00 alice", "03:08:00 bob"]


async def test_all_whom_this_round_called_are_called_again(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires())
        await engine.advance(minutes=6)
        await engine.report(over())
        await engine.advance(minutes=9)
        await engine.report(fires())
        assert sorted(tower.chat.pages()[2:]) == ["03:15:00 alice", "03:15:00 bob"]
        await engine.advance(minutes=9)
        assert tower.chat.pages()[4:] == ["03:24:00 alice"]


async def test_when_their_time_is_over_the_next_step_comes_at_once(tower: Tower) -> None:
    async with tower(TWO_STEPS.replace("5m", "1s")) as engine:
        await engine.report(fires())
        tower.clock.move(timedelta(seconds=1))
        await engine.report(over())
        await engine.report(fires())
        assert tower.chat.pages()[-1] == "03:00:01 bob"


async def test_after_the_end_of_all_steps_it_begins_anew(tower: Tower) -> None:
    async with tower(policy('{ page = "alice" }, { page = "bob", after = "5m" }', "repeat = 0")) as engine:
        await engine.report(fires())
        await engine.advance(minutes=20)
        assert "nobody answers" in tower.chat.told()[-1]
        await engine.report(over())
        await engine.report(fires())
        assert tower.chat.pages()[2:] == ["03:20:00 alice"]
        await engine.advance(minutes=5)
        assert tower.chat.pages()[3:] == ["03:25:00 bob"]


async def test_that_it_waits_for_somebodys_morning_is_said_anew(tower: Tower) -> None:
    sleeps_until(tower, "07:00")
    async with tower(policy('{ page = "erin" }'), LOW) as engine:
        for _ in range(2):
            await engine.report(fires())
            assert tower.chat.told()[-1].endswith("waits for erin's morning (07:00 UTC)")
            await engine.report(over())
        assert tower.chat.told()[-2].startswith("03:00:00 fires again: ")


async def test_the_rooms_that_were_told_that_it_is_over_are_told_that_it_fires(tower: Tower) -> None:
    team = '[teams.db]\nmembers = ["bob"]\nrooms.console = "#db"\n'
    async with tower(policy('{ page = "alice", room = "db" }'), team) as engine:
        await engine.report(fires())
        await engine.report(over())
        await engine.report(fires())
        assert "fires again: paging alice" in tower.chat.told("#db")[-1]


async def test_if_who_is_called_again_is_nowhere_the_next_step_comes_at_once(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires())
        await engine.advance(minutes=1)
        await engine.report(over())
        tower.chat.fails = away("alice")
        await engine.report(fires())
        assert tower.chat.pages() == ["03:00:00 alice", "03:01:00 bob"]
        await engine.advance(minutes=9)
        assert tower.chat.pages()[2:] == []
        await engine.advance(minutes=2)
        [page] = tower.chat.pages()[2:]  # nor is she there in the next round, which begins after ten minutes
        assert page.startswith("03:11:")
        assert page.endswith(" bob")


async def test_who_was_never_reached_before_it_was_over_has_their_whole_time_when_they_are(
    tower: Tower,
) -> None:
    async with tower() as engine:
        tower.chat.fails = down()
        await engine.report(fires())
        await engine.advance(seconds=30)
        await engine.report(over())
        await engine.advance(seconds=30)
        await engine.report(fires())
        await engine.advance(seconds=50)
        tower.chat.fails = lambda _: None
        await mends(engine)
        assert tower.chat.pages() == ["03:01:50 alice"]
        await engine.advance(minutes=6)
        assert tower.chat.pages()[1:] == ["03:06:50 bob"]


@pytest.mark.parametrize("first", ["", '{ page = ["alice", "erin"] }, '], ids=["the first", "another"])
async def test_when_the_next_step_waits_for_the_morning_it_is_said_again_and_who_was_called_is_called(
    tower: Tower, first: str
) -> None:
    tower.people += '[people.erin]\naccounts.console = "erin"\nquiet = "22:00-03:10"\n'
    tower.people += '[people.finn]\naccounts.console = "finn"\nquiet = "22:00-07:00"\n'
    low = '[[plugins.escalation.routes]]\nmatch = \'severity="critical"\'\npolicy = "ops"\nurgency = "low"\n'
    async with tower(policy(f'{first}{{ page = "finn", after = "5m" }}'), low) as engine:
        await engine.report(fires())
        await engine.advance(minutes=8)
        assert tower.chat.told()[-1].endswith("waits for finn's morning (07:00 UTC)")
        await engine.report(over())
        pages, told = len(tower.chat.pages()), len(tower.chat.told())
        await engine.advance(minutes=1)
        await engine.report(fires())
        await engine.advance(hours=1)
        if first:
            assert tower.chat.pages()[pages:] == ["03:09:00 alice", "03:10:00 erin"]
            assert tower.chat.told()[told] == "03:09:00 fires again: paging alice, and erin in the morning"
        else:
            assert tower.chat.pages()[pages:] == []
            assert tower.chat.told()[told:] == ["03:09:00 fires again: waits for finn's morning (07:00 UTC)"]
        await engine.advance(hours=3)
        assert "07:00:00 finn" in tower.chat.pages()


async def test_when_nobody_can_be_called_once_more_the_next_step_comes_at_once(tower: Tower) -> None:
    async with tower(policy('{ room = "console" }, { page = "bob", after = "5m" }')) as engine:
        await engine.report(fires())
        await engine.report(over())
        assert tower.chat.pages() == []
        await engine.report(fires())
        assert tower.chat.pages() == ["03:00:00 bob"]


async def test_after_an_answer_it_pages_anew_until_it_flaps(tower: Tower) -> None:
    async with tower() as engine:
        for minute in range(4):
            subject = await engine.report(fires())
            assert tower.chat.pages()[-1] == f"03:0{minute}:00 alice"
            await engine.says("bob", f"ack {subject}")
            await engine.advance(minutes=1)
            await engine.report(over())
        before = len(tower.chat.pages())
        await comes_and_goes(engine, 5)
        assert tower.chat.pages()[before:] == []
