"""Handing the pager to somebody who is asked first: they accept, decline, or say nothing."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.engine import Engine, fires
from tests.plugins.handoff_parts import TABLES, paged
from tests.tower import Tower, asks

TWO = """\
[schedules.second]
[[schedules.second.layers]]
people = ["bob", "alice"]
begins = "2026-11-20 00:00"
every = "day"
"""


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    return Tower(write_config, tmp_path / "state")


async def on_call(engine: Engine, *words: str) -> str:
    return (await asks(engine, "dave", " ".join(["oncall primary", *words])))[0]


async def test_nothing_changes_before_they_accept_and_then_all_that_rings_goes_with_it(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        [said] = await asks(engine, "alice", "!give bob primary for 2h because of the dentist", room="#ops")
        assert said.endswith(
            ": asked bob (bob for alice, for 2h from then on); bob has 15m to accept, until then nothing changes"
        )
        handoff = said.split(":")[0]
        [asked] = engine.chat.texts("person/bob")
        assert (
            asked
            == f"alice asks you to take the pager of primary for 2h (of the dentist) · !accept {handoff}"
        )
        assert (await on_call(engine)).startswith("primary: alice until")
        assert paged(tower) == ["03:00:00 alice"]

        await engine.advance(minutes=5)
        said = "\n".join(await asks(engine, "bob", "accept " + handoff))
        assert f"primary: bob for alice, now to 05:05 UTC · !override cancel {handoff}" in said
        assert "bob accepted: primary: bob for alice, now to 05:05 UTC" in engine.chat.texts("person/alice")
        assert "primary: bob for alice, now to 05:05 UTC" in engine.chat.texts("room/#ops")
        assert paged(tower) == ["03:00:00 alice", "03:05:00 bob"]
        assert (await on_call(engine)).startswith(
            "primary: bob (for alice) until Sat 21 Nov 05:05 UTC, then alice"
        )
        await engine.advance(minutes=16)  # the time to answer is over, and means nothing any more
        assert (await on_call(engine)).startswith("primary: bob")
        await engine.says("bob", f"!ack {subject}", room="#ops")


@pytest.mark.parametrize("crash", [False, True])
async def test_a_pager_never_lands_on_who_does_not_answer(tower: Tower, *, crash: bool) -> None:
    async with tower(*TABLES, crash=crash) as engine:
        await engine.says("alice", "!give bob", room="#ops")
    async with tower(*TABLES) as engine:
        await engine.advance(minutes=16)
        assert engine.chat.texts("person/alice")[-1] == "bob gave no answer: nothing has changed"
        assert (await on_call(engine)).startswith("primary: alice until")
        [said] = await asks(engine, "bob", "accept")
        assert "there is none" in said
        assert not await engine.sql("select 1 from events where kind = 'oncall.override_set'")
        assert not await engine.sql("select 1 from subjects where kind = 'handoff' and closed_at is null")


async def test_who_declines_and_who_takes_it_back(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        handoff = (await asks(engine, "alice", "give bob"))[0].split(":")[0]
        assert await asks(engine, "carol", f"accept {handoff}") == [f"{handoff} asks bob, not you"]
        assert await asks(engine, "bob", "decline") == [f"{handoff}: declined"]
        assert engine.chat.texts("person/alice")[-1] == f"bob declined {handoff}: nothing has changed"
        assert await asks(engine, "bob", f"accept {handoff}") == [
            f"{handoff}: nobody waits for an answer to that any more"
        ]
        handoff = (await asks(engine, "alice", "give bob"))[0].split(":")[0]
        assert await asks(engine, "carol", f"override cancel {handoff}") == [
            f"{handoff} is not yours to take back"
        ]
        assert await asks(engine, "alice", f"override cancel {handoff}") == [f"{handoff}: taken back"]
        assert engine.chat.texts("person/bob")[-1] == f"alice took {handoff} back: nothing has changed"
        assert (await on_call(engine)).startswith("primary: alice until")


async def test_a_bare_ack_is_for_what_rings(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await engine.says("alice", "!give bob", room="#ops")
        assert (await asks(engine, "bob", "!ack", room="#ops"))[-1].startswith("there is none")
        subject = await engine.report(fires())
        [said] = await asks(engine, "bob", "!ack", room="#ops")
        assert said.startswith(f"{subject} acknowledged by bob, paging stops")
        assert (await on_call(engine)).startswith("primary: alice until")


async def test_a_swap_is_two_shifts_that_change_hands(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        [said] = await asks(engine, "alice", "!swap tomorrow with bob", room="#ops")
        handoff = said.split(":")[0]
        assert "bob has 1d to accept" in said
        assert engine.chat.texts("person/bob")[-1].startswith(
            "alice asks you to swap shifts in primary: you take Sun 22 Nov 08:00 to Mon 23 Nov 08:00 UTC, "
            "alice takes Mon 23 Nov 08:00 to Tue 24 Nov 08:00 UTC"
        )
        await asks(engine, "bob", f"accept {handoff}")
        assert await on_call(engine, "at sun 12:00") == "primary: bob (for alice) at Sun 22 Nov 12:00 UTC"
        assert await on_call(engine, "at mon 12:00") == "primary: alice (for bob) at Mon 23 Nov 12:00 UTC"
        assert await on_call(engine, "at tue 12:00") == "primary: alice at Tue 24 Nov 12:00 UTC"
        [said] = await asks(engine, "alice", f"override cancel {handoff}")
        assert said.startswith("cancelled by alice: primary: bob for alice")
        changed = engine.chat.texts("person/bob")[-1]
        assert changed == (
            "your shifts in primary changed (UTC): now yours: Mon 23 Nov 08:00 to Tue 24 Nov 08:00; "
            "no longer yours: Sun 22 Nov 08:00 to Mon 23 Nov 08:00"
        )
        assert await on_call(engine, "at mon 12:00") == "primary: bob at Mon 23 Nov 12:00 UTC"


async def test_the_shift_for_it_may_be_named(tower: Tower) -> None:
    async with tower(*TABLES, TWO) as engine:
        asked = "swap {}sun 12:00 with bob for wed 12:00"
        [said] = await asks(engine, "alice", asked.format(""))
        assert said.startswith("of which schedule, primary and second? Say !swap") or "primary" in said
        [said] = await asks(engine, "alice", asked.format("primary "))
        assert "primary: alice for bob, Wed 25 Nov 08:00 to Thu 26 Nov 08:00 UTC" in said


@pytest.mark.parametrize(
    ("who", "asked", "said"),
    [
        ("alice", "give", "to whom? say !give PERSON [SCHEDULE] [LENGTH|until TIME]"),
        ("alice", "give primary", "to whom? say !give PERSON [SCHEDULE] [LENGTH|until TIME]"),
        ("alice", "give alice", "that is you: name somebody else"),
        ("alice", "give bobb", "nobody is called 'bobb'; did you mean 'bob'?"),
        ("alice", "give bob primry", "no schedule is called 'primry'; did you mean 'primary'?"),
        ("bob", "give carol primary", "alice has the pager of primary, not you: !take primary"),
        ("alice", "give bob for 2 days", "that is too long: plugins.handoff.longest allows 1d at a time; !override is for what is planned"),
        ("alice", "swap", "say !swap [SCHEDULE] MY-SHIFT with PERSON [for THEIR-SHIFT]"),
        ("alice", "swap with bob", "the time must be a time such as '09:00', 'tomorrow 09:00', 'fri 18:00' or '2026-12-24 18:00', not '': say !swap [SCHEDULE] MY-SHIFT with PERSON [for THEIR-SHIFT]"),
        ("alice", "swap mon 12:00 with bob", "you have no shift then: !oncall at TIME says who has"),
        ("alice", "swap sun 12:00 with dave", "dave has no shift in primary to give for it: !override primary dave FROM UNTIL asks them to take yours"),
        ("alice", "swap sun 12:00 with bob for sun 13:00", "bob has no shift in primary to give for it: !override primary bob FROM UNTIL asks them to take yours"),
        ("alice", "swap sun 12:00 with bob and carol", "'and' is too much: say !swap [SCHEDULE] MY-SHIFT with PERSON [for THEIR-SHIFT]"),
    ],
)  # fmt: skip
async def test_what_can_not_be_offered(tower: Tower, who: str, asked: str, said: str) -> None:
    async with tower(*TABLES) as engine:
        assert await asks(engine, who, asked) == [said]
        assert not await engine.sql("select 1 from subjects where kind = 'handoff'")


async def test_what_is_over_when_they_accept_is_not_set(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        handoff = (await asks(engine, "alice", "give bob until 03:10"))[0].split(":")[0]
        tower.clock.move(timedelta(minutes=11))
        await engine.run.settled()
        assert await asks(engine, "bob", f"accept {handoff}") == [f"{handoff}: that time is over"]
        assert (await on_call(engine)).startswith("primary: alice until")
