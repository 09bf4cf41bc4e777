"""Gaps in schedules are told before they come, once a day, and to who asks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tocsin.domain.duty import HANDOFF, OverrideSet
from tocsin.domain.rota import EVERYBODY, Override
from tocsin.oncall import set_override
from tocsin.testing import HandClock
from tocsin.transaction import Transaction

from tests.engine import Engine
from tests.tower import TWO_STEPS, Tower, asks

# The clock of these tests shows 03:00 UTC on Saturday, 21 November 2026; it is 04:00 in Berlin.
LOOKS = "[plugins.schedules]\n"
HOLIDAY = """\
[schedules.primary]
timezone = "Europe/Berlin"
[[schedules.primary.layers]]
people = ["alice", "bob"]
begins = "2026-11-01 09:00"
until = "2026-11-27 18:00"
[[schedules.primary.layers]]
people = ["bob"]
begins = "2026-11-30 09:00"
"""
NIGHTS = """\
[schedules.nights]
[[schedules.nights.layers]]
people = ["carol"]
hours = ["22:00-06:00"]
"""
GAP = "primary: nobody from Fri 27 Nov 18:00 to Mon 30 Nov 09:00 Europe/Berlin"

NIGHTLY = "nights: nobody from Sat 21 Nov 06:00 to Sat 21 Nov 22:00 UTC"


async def told(engine: Engine) -> list[str]:
    return engine.chat.texts("room/#ops")


async def test_a_gap_is_told_at_the_start_and_each_day_at_ten_where_the_schedule_is(tower: Tower) -> None:
    async with tower(TWO_STEPS, LOOKS, HOLIDAY) as engine:
        assert tower.chat.told() == [f"03:00:00 {GAP}"]
        await engine.advance(hours=29, minutes=59)  # told six hours before ten o'clock, it is not told again
        assert tower.chat.told() == [f"03:00:00 {GAP}"]
        await engine.advance(minutes=1)
        assert tower.chat.told()[1:] == [f"09:00:00 {GAP}"]
        await engine.advance(days=3)
        assert tower.chat.told()[2:] == [f"09:00:00 {GAP}"] * 3


async def test_a_start_tells_what_is_new_and_nothing_twice(tower: Tower) -> None:
    async with tower(TWO_STEPS, LOOKS, HOLIDAY):
        pass
    async with tower(TWO_STEPS, LOOKS, HOLIDAY, NIGHTS, crash=True):
        assert tower.chat.told() == [
            f"03:00:00 {GAP}",
            f"03:00:00 {NIGHTLY}, and 29 more times within 30d · !schedule gaps nights",
        ]
    tower.clock.move(timedelta(minutes=10))
    async with tower(TWO_STEPS, LOOKS, HOLIDAY, NIGHTS):
        assert len(tower.chat.told()) == 2


async def test_hours_in_which_nobody_is_needed_are_no_gap(tower: Tower) -> None:
    days = NIGHTS.replace("[[", 'nobody_needed = ["Mon-Fri 06:00-22:00"]\n[[')
    async with tower(TWO_STEPS, LOOKS, days) as engine:
        [said] = await asks(engine, "alice", "schedule gaps 4d")
        assert said.splitlines() == [
            NIGHTLY,
            "nights: nobody from Sun 22 Nov 06:00 to Sun 22 Nov 22:00 UTC",
        ]
    days = days.replace("Mon-Fri ", "")
    async with tower(TWO_STEPS, LOOKS, days) as engine:
        assert await asks(engine, "alice", "schedule gaps") == ["no gap in 30d"]
        assert tower.chat.told()[1:] == []


def override(start: int, end: int, *, leaves: str = EVERYBODY, comes: str = "") -> Override:
    """start, end: in days from the beginning."""
    now, day = HandClock().now(), timedelta(days=1)
    return Override(now + start * day, now + end * day, leaves, comes, "primary")


async def overrides(engine: Engine, one: Override) -> None:
    def begin(tx: Transaction) -> None:
        set_override(OverrideSet(subject=tx.open(HANDOFF, str(one)), at=tx.now, overrides=(one,)), tx)

    await engine.run.tocsin.turn(begin)


async def test_overrides_count(tower: Tower) -> None:
    async with tower(TWO_STEPS, LOOKS, HOLIDAY) as engine:
        await overrides(engine, override(6, 10, leaves="", comes="carol"))
        assert await asks(engine, "alice", "schedule gaps") == ["no gap in 30d"]
        await overrides(engine, override(0, 1))
        assert await asks(engine, "alice", "schedule gaps") == [
            "primary: nobody now, until Sun 22 Nov 04:00 Europe/Berlin"
        ]


async def test_where_overrides_are_a_command_it_stands_behind_the_gap(tower: Tower) -> None:
    async with tower(TWO_STEPS, LOOKS, HOLIDAY) as engine:
        known = engine.run.tocsin.known
        known.config = replace(known.config, plugins={**known.config.plugins, "handoff": object()})
        await engine.advance(hours=6)
        assert tower.chat.told()[1:] == [f"09:00:00 {GAP} · !override primary NAME FROM UNTIL"]


LAYERS = """\
[schedules.primary]
on_call = ["alice"]
[[schedules.primary.layers]]
people = ["bob"]
until = "2026-11-01 00:00"
[[schedules.primary.layers]]
people = ["bob", "carol"]
begins = "2027-01-05 09:00"
[[schedules.primary.layers]]
shifts = [{ people = "dave", begins = "2025-12-24 18:00", ends = "2025-12-27 09:00" }]
[[schedules.primary.layers]]
people = ["carol"]
hours = ["Sat"]
"""


async def test_a_gap_that_does_not_end_in_that_time_goes_on(tower: Tower) -> None:
    async with tower(TWO_STEPS, LOOKS, HOLIDAY) as engine:
        [said] = await asks(engine, "alice", "schedule gaps 7d")
        assert said.splitlines() == [
            "primary: nobody from Fri 27 Nov 18:00 Europe/Berlin on",
            "primary: layer 2 (bob) has nobody before Mon 30 Nov 09:00 Europe/Berlin",
        ]


async def test_layers_that_are_over_are_told_and_who_asks_hears_of_those_to_come(tower: Tower) -> None:
    async with tower(TWO_STEPS, LOOKS, LAYERS) as engine:
        over = [
            f"primary: layer {what} is over: take it out of the configuration"
            for what in ("1 (bob)", "3 (dave)")
        ]
        assert tower.chat.told() == ["03:00:00 " + over[0]]
        assert await told(engine) == ["\n".join(over)]
        assert await asks(engine, "alice", "schedule gaps") == [
            f"{over[0]}\nprimary: layer 2 (bob and carol) has nobody before Tue 5 Jan 2027 09:00 UTC\n{over[1]}"
        ]


async def test_people_whom_no_network_knows_are_told(tower: Tower) -> None:
    tower.people = tower.people.replace('[people.dave]\naccounts.console = "dave"\n', "[people.dave]\n")
    twice = "".join(f'[schedules.{name}]\non_call = ["alice", "dave"]\n' for name in ("primary", "web"))
    async with tower(TWO_STEPS, LOOKS, twice) as engine:
        assert await told(engine) == [
            "dave is on primary and web and has no account on any network: chat can't page them"
        ]


async def test_of_many_faults_few_lines_are_told(tower: Tower) -> None:
    empty = "".join(f"[schedules.s{number}]\n" for number in range(9))
    async with tower(TWO_STEPS, LOOKS, empty) as engine:
        [said] = await told(engine)
        lines = [f"s{number}: nobody at all" for number in range(5)]
        assert said.splitlines() == [*lines, "… and 4 more: !schedule gaps"]


async def test_where_all_is_well_nothing_is_said(tower: Tower) -> None:
    async with tower(TWO_STEPS, LOOKS, '[schedules.always]\non_call = ["alice"]\n') as engine:
        await engine.advance(days=3)
        assert await told(engine) == []
        assert await asks(engine, "alice", "schedule gaps always 90d") == ["no gap in 90d"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("schedule", "say !schedule gaps [SCHEDULE] [90d]"),
        ("schedule gasp", "say !schedule gaps [SCHEDULE] [90d]"),
        ("schedule gaps primry", "no schedule is called 'primry'; did you mean 'primary'?"),
        (
            "schedule gaps 90",
            "how far ahead must be a length of time such as '30s', '5m' or '1h30m', not '90'",
        ),
        ("schedule gaps primary 3000d", "look ahead from a minute to two years"),
        ("schedule gaps Primary, 10 days.", GAP),
    ],
)
async def test_what_is_asked(tower: Tower, asked: str, said: str) -> None:
    async with tower(TWO_STEPS, LOOKS, HOLIDAY) as engine:
        assert await asks(engine, "alice", asked) == [said]


async def test_without_schedules_there_is_nothing_to_look_at(tower: Tower) -> None:
    async with tower(TWO_STEPS, LOOKS) as engine:
        assert await asks(engine, "alice", "schedule gaps") == [
            "there is no schedule: add [schedules.NAME] to the configuration"
        ]
