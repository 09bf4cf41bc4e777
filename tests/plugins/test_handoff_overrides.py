"""Overrides that are planned: set, listed, cancelled; and what becomes of them when the schedule is edited."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine import Engine, fires
from tests.plugins.handoff_parts import HANDOFF, PRIMARY, STEPS, TABLES, paged
from tests.tower import Tower, asks

TEAMS = '[teams.web]\nmembers = ["alice", "bob", "dave"]\n[teams.db]\nmembers = ["carol"]\n'


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    return Tower(write_config, tmp_path / "state")


async def at(engine: Engine, when: str) -> str:
    return (await asks(engine, "dave", f"oncall primary at {when}"))[0].removeprefix("primary: ")


async def test_one_takes_a_night_and_everybody_whose_shift_it_was_is_told(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        [said] = await asks(
            engine, "dave", "!override primary dave mon 18:00 tue 09:00 because they fly", room="#ops"
        )
        assert said.startswith("primary: dave, Mon 23 Nov 18:00 to Tue 24 Nov 09:00 UTC · !override cancel ")
        handoff = said.split()[-1]
        assert engine.chat.texts("person/alice") == [
            "your shifts in primary changed (UTC): no longer yours: Tue 24 Nov 08:00 to Tue 24 Nov 09:00"
        ]
        assert engine.chat.texts("person/bob") == [
            "your shifts in primary changed (UTC): no longer yours: Mon 23 Nov 18:00 to Tue 24 Nov 08:00"
        ]
        assert await asks(engine, "bob", "override list") == [
            f"{handoff}: primary: dave, Mon 23 Nov 18:00 to Tue 24 Nov 09:00 UTC (they fly)"
        ]
        assert [await at(engine, when) for when in ("mon 17:59", "mon 18:00", "tue 08:59", "tue 09:00")] == [
            "bob at Mon 23 Nov 17:59 UTC",
            "dave at Mon 23 Nov 18:00 UTC",
            "dave at Tue 24 Nov 08:59 UTC",
            "alice at Tue 24 Nov 09:00 UTC",
        ]
        [said] = await asks(engine, "bob", f"override cancel {handoff}")
        assert said == "cancelled by bob: primary: dave, Mon 23 Nov 18:00 to Tue 24 Nov 09:00 UTC"
        assert engine.chat.texts("person/dave")[-1].startswith(
            "your shifts in primary changed (UTC): no longer yours: Mon"
        )
        assert (await at(engine, "mon 18:00")).startswith("bob")
        assert (await asks(engine, "bob", "override"))[0].startswith("no override: !override SCHEDULE PERSON")


async def test_it_begins_and_ends_by_itself_and_pages_who_it_means(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await asks(engine, "dave", "override primary dave 04:00 until 05:00")
        await engine.advance(minutes=59)
        await engine.report(fires())
        assert paged(tower) == ["03:59:00 alice"]
        await engine.advance(minutes=1, seconds=1)
        assert paged(tower) == ["03:59:00 alice", "04:00:00 dave"]
        await engine.says("dave", "!done", room="#ops")
        await engine.advance(hours=1)
        await engine.report(fires(key="other"))
        assert paged(tower)[-1].endswith("alice")
        assert not await engine.sql("select 1 from subjects where kind = 'handoff' and closed_at is null")


async def test_somebody_else_is_asked_first(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        [said] = await asks(engine, "alice", "override primary dave for bob sat 18:00 for 12h")
        assert "asked dave (primary: dave for bob, 18:00 to Sun 22 Nov 06:00 UTC)" in said
        assert (await at(engine, "18:00")).startswith("bob")
        await asks(engine, "dave", "accept")
        assert await at(engine, "18:00") == "dave (for bob) at 18:00 UTC"
        assert engine.chat.texts("person/bob")[-1] == (
            "your shifts in primary changed (UTC): no longer yours: 18:00 to Sun 22 Nov 06:00"
        )


async def test_it_outlasts_an_edit_of_the_schedule(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await asks(engine, "dave", "override primary dave mon 18:00 tue 09:00")
        await asks(engine, "alice", "take bob until 23:00")
    turned = PRIMARY.replace('["alice", "bob"]', '["bob", "alice"]')  # it is bob's turn now, and then alice's
    async with tower(STEPS, turned, HANDOFF) as engine:
        assert (await at(engine, "mon 20:00")).startswith("dave")
        assert await at(engine, "04:00") == "alice (for bob) at 04:00 UTC"
        assert await at(engine, "10:00") == "alice at 10:00 UTC"


async def test_times_are_those_of_who_says_them(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await asks(engine, "dave", "me zone America/New_York")
        [said] = await asks(engine, "dave", "override primary dave mon 18:00 tue 09:00")
        assert said.startswith("primary: dave, Mon 23 Nov 18:00 to Tue 24 Nov 09:00 America/New_York")
        assert "primary: dave, Mon 23 Nov 23:00 to Tue 24 Nov 14:00 UTC" in engine.chat.texts("room/#ops")


@pytest.mark.parametrize(
    ("who", "asked", "said"),
    [
        ("dave", "override primary", "say !override SCHEDULE PERSON [for PERSON] FROM UNTIL [because …]"),
        ("dave", "override primary dave mon 18:00", "the time must be a time such as '09:00', 'tomorrow 09:00', 'fri 18:00' or '2026-12-24 18:00', not '': say !override SCHEDULE PERSON [for PERSON] FROM UNTIL [because …]"),
        ("dave", "override primary dave tue 18:00 until 2026-11-23 09:00", "that is over already: say !override SCHEDULE PERSON [for PERSON] FROM UNTIL [because …]"),
        ("dave", "override primary dave 2026-11-25 09:00 2026-11-24 09:00", "it ends before it begins: say !override SCHEDULE PERSON [for PERSON] FROM UNTIL [because …]"),
        ("dave", "override primary dave now 2027-06-01", "that is too far off: an override ends within 92d"),
        ("dave", "override primry dave now 2h", "no schedule is called 'primry'; did you mean 'primary'?"),
        ("dave", "override primary davy now 2h", "nobody is called 'davy'; did you mean 'dave'?"),
        ("dave", "override primary dave for bobb now 2h", "nobody is called 'bobb'; did you mean 'bob'?"),
        ("carol", "override primary carol now 2h", "the pager of primary is not yours to move: ask alice, bob and dave"),
        ("dave", "override cancel", "say !override cancel ID; !override list lists them"),
        ("dave", "override cancel k7f3", "there is no override 'k7f3': !override list lists them"),
    ],
)  # fmt: skip
async def test_what_can_not_be_set(tower: Tower, who: str, asked: str, said: str) -> None:
    async with tower(*TABLES, TEAMS) as engine:
        assert await asks(engine, who, asked) == [said]
        assert not await engine.sql("select 1 from subjects where kind = 'handoff'")


async def test_others_cancel_nothing(tower: Tower) -> None:
    async with tower(*TABLES, TEAMS) as engine:
        [said] = await asks(engine, "dave", "override primary dave now 2h")
        handoff = said.split()[-1]
        assert await asks(engine, "carol", f"override cancel {handoff}") == [
            f"{handoff} is not yours to cancel: ask dave"
        ]
        assert (await asks(engine, "bob", f"override cancel {handoff}"))[0].startswith("cancelled by bob")
