"""Who is on call by a schedule: paged when it is their turn, told in chat, drawn on a terminal."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.domain.duty import HANDOFF, OverrideEnded, OverrideSet
from tocsin.domain.rota import EVERYBODY, Override
from tocsin.oncall import end_override, set_override
from tocsin.transaction import Transaction

from tests.engine import fires
from tests.tower import Tower, asks, policy
from tests.typed import typed

STEPS = policy('{ page = "primary" }, { page = "carol", after = "1h" }', "repeat = 1", 'repeat_after = "1h"')

# The clock of these tests shows 03:00 UTC on Saturday, 21 November 2026; it is 04:00 in Berlin.
PRIMARY = """\
[schedules.primary]
timezone = "Europe/Berlin"
[[schedules.primary.layers]]
people = ["alice", "bob"]
begins = "2026-11-20 04:10"
every = "day"
"""
NIGHTS = """\
[schedules.nights]
[[schedules.nights.layers]]
people = ["carol"]
hours = ["22:00-06:00"]
"""


@pytest.fixture
def tower(write_config: Callable[..., Path], tmp_path: Path) -> Tower:
    return Tower(write_config, tmp_path / "state")


async def test_whoever_has_the_turn_is_paged_and_who_takes_over_while_it_rings(tower: Tower) -> None:
    async with tower(STEPS, PRIMARY) as engine:
        await engine.report(fires())
        assert tower.chat.pages() == ["03:00:00 alice"]
        await engine.advance(minutes=9, seconds=59)
        assert tower.chat.pages() == ["03:00:00 alice"]
        await engine.advance(minutes=1)
        assert tower.chat.pages() == ["03:00:00 alice", "03:10:00 bob"]


async def test_after_a_crash_at_the_handoff_whoever_comes_is_paged_once(tower: Tower) -> None:
    async with tower(STEPS, PRIMARY, crash=True) as engine:
        await engine.report(fires())
    tower.clock.move(timedelta(minutes=11))
    async with tower(STEPS, PRIMARY) as engine:
        await engine.run.settled()
        assert tower.chat.pages() == ["03:00:00 alice", "03:11:00 bob"]


async def test_chat_says_who_is_on_call_until_when_and_who_then(tower: Tower) -> None:
    async with tower(STEPS, PRIMARY, NIGHTS, '[schedules.always]\non_call = ["alice", "bob"]\n') as engine:
        [said] = await asks(engine, "alice", "!oncall", room="#ops")
        assert said.splitlines() == [
            "primary: alice until Sat 21 Nov 04:10 Europe/Berlin, then bob",
            "nights: carol until Sat 21 Nov 06:00 UTC, then nobody",
            "always: alice and bob",
        ]
        assert await asks(engine, "alice", "oncall primary") == [
            "primary: alice until Sat 21 Nov 03:10 UTC, then bob"
        ]
        [said] = await asks(engine, "alice", "!oncall primry", room="#ops")
        assert said.endswith("no schedule or team is called 'primry'; did you mean 'primary'?")


async def test_a_handoff_that_is_weeks_off_is_told_too_but_none_that_is_months_off(tower: Tower) -> None:
    monthly = PRIMARY.replace('"day"', '"month"')
    yearly = PRIMARY.replace('"day"', '"12 months"').replace("primary", "yearly")
    async with tower(STEPS, monthly, yearly) as engine:
        [said] = await asks(engine, "alice", "!oncall", room="#ops")
        assert said.splitlines() == [
            "primary: alice until Sun 20 Dec 04:10 Europe/Berlin, then bob",
            "yearly: alice",
        ]


TEAMS = '[teams.web]\nmembers = ["bob", "dave"]\n[teams.night]\nmembers = ["carol"]\n[teams.desk]\nmembers = ["dave"]\n'


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("oncall at 05:00", "primary: bob at 05:00 UTC\nnights: carol at 05:00 UTC"),
        ("oncall primary at tomorrow 05:00", "primary: alice at Sun 22 Nov 05:00 UTC"),
        ("oncall nights at noon", "nights: nobody at 12:00 UTC"),
        ("oncall web", "primary: alice until Sat 21 Nov 03:10 UTC, then bob"),
        ("oncall night at 23:00", "nights: carol at 23:00 UTC"),
        ("oncall desk", "nobody of desk is on a schedule: it is dave"),
        ("oncall primary nights", "'nights' is too much: say !oncall [NAME|load] [at TIME]"),
        (
            "oncall at 9",
            "the time must be a time such as '09:00', 'tomorrow 09:00', 'fri 18:00' or '2026-12-24 18:00', not '9'",
        ),
        (
            "oncall at",
            "the time must be a time such as '09:00', 'tomorrow 09:00', 'fri 18:00' or '2026-12-24 18:00', not ''",
        ),
    ],
)
async def test_who_is_on_call_at_a_time_or_of_a_team(tower: Tower, asked: str, said: str) -> None:
    async with tower(STEPS, PRIMARY, NIGHTS, TEAMS) as engine:
        assert "\n".join(await asks(engine, "alice", asked)) == said


async def test_where_there_is_no_schedule_it_says_so(tower: Tower) -> None:
    async with tower() as engine:
        [said] = await asks(engine, "alice", "!oncall", room="#ops")
        assert "there is no schedule" in said


# ── At the command line ─────────────────────────────────────────────────────────────────────────────────────


def run(path: Path, *words: str) -> tuple[int, list[str]]:
    ran = typed("schedule", words[0], "--config", path, *words[1:])
    return ran.exit_code, ran.output.splitlines()


@pytest.fixture
def config(tower: Tower) -> Path:
    return tower.write(f"{tower.people}{STEPS}{PRIMARY}{NIGHTS}")


def test_a_schedule_is_drawn(config: Path) -> None:
    code, lines = run(config, "show", "primary", "--days", "2", "--from", "2026-11-21")
    assert code == 0
    assert lines == [
        "primary (Europe/Berlin)",
        "              00          06          12          18",
        "  Sat 21 Nov  aaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        "  Sun 22 Nov  bbbbbbbbbaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "  a alice  b bob",
        "  Sat 21 Nov 2026 04:10  alice \u2192 bob",
        "  Sun 22 Nov 2026 04:10  bob \u2192 alice",
    ]


def test_all_are_drawn_and_gaps_are_dots(config: Path) -> None:
    code, lines = run(config, "show", "--days", "1", "--from", "2026-11-21")
    assert code == 0
    assert lines[lines.index("nights (UTC)") :] == [
        "nights (UTC)",
        "              00          06          12          18",
        "  Sat 21 Nov  " + 12 * "a" + 32 * "\u00b7" + "aaaa",
        "  \u00b7 nobody  a carol",
        "  Sat 21 Nov 2026 06:00  carol \u2192 nobody",
        "  Sat 21 Nov 2026 22:00  nobody \u2192 carol",
    ]


def test_a_day_of_twenty_five_hours_has_a_line_like_any_other(tower: Tower) -> None:
    layer = '[[schedules.s.layers]]\npeople = ["alice"]\nhours = ["02:30-12:00"]\n'
    table = f'[schedules.s]\ntimezone = "Europe/Berlin"\n{layer}'
    path = tower.write(f"{tower.people}{STEPS}{PRIMARY}{table}")
    for day in ("2026-10-25", "2026-03-29"):
        _, lines = run(path, "show", "s", "--days", "1", "--from", day)
        assert len(lines[2].split()[-1]) == 48
        assert lines[2].split()[-1].count("a") in (19, 20)


def test_gaps_are_told_and_scripts_know(config: Path) -> None:
    assert run(config, "gaps", "--days", "1", "--from", "2026-11-21") == (
        1,
        ["nights: nobody from Sat 21 Nov 2026 06:00 to Sat 21 Nov 2026 22:00 (UTC)"],
    )
    assert run(config, "gaps", "primary", "--days", "60", "--from", "2026-11-21") == (
        0,
        ["no gap in 60 days"],
    )


def test_hours_in_which_nobody_is_needed_are_no_gap(tower: Tower) -> None:
    nights = NIGHTS.replace("[[", 'nobody_needed = ["Sat,Sun", "06:00-20:00"]\n[[')
    path = tower.write(f"{tower.people}{STEPS}{PRIMARY}{nights}")
    assert run(path, "gaps", "--days", "3", "--from", "2026-11-21") == (
        1,
        ["nights: nobody from Mon 23 Nov 2026 20:00 to Mon 23 Nov 2026 22:00 (UTC)"],
    )


def test_it_is_simulated_who_has_how_much(tower: Tower) -> None:
    """Two weeks, in the second of which clocks go back: alice has the Friday that ends the first one."""
    layer = '[[schedules.web.layers]]\npeople = ["alice", "bob"]\nbegins = "2026-10-12 09:00"\n'
    web = f'[schedules.web]\ntimezone = "Europe/Berlin"\nnobody_needed = ["Sat,Sun"]\n{layer}hours = ["Mon-Fri 08:00-20:00"]\n'
    path = tower.write(
        f'{tower.people}{STEPS}{PRIMARY}{web}[[schedules.web.layers]]\npeople = ["dave"]\nuntil = "2026-10-01"\n'
    )
    words = ("simulate", "primary", "web", "--days", "14", "--from", "2026-10-12")
    assert run(path, *words) == (
        0,
        [
            "primary (Europe/Berlin), 14 days from Mon 12 Oct 2026",
            "          hours  shifts  weekends  nights",
            "  alice       0       0         0       0",
            "  bob         0       0         0       0",
            "  nobody    337",
            "web (Europe/Berlin), 14 days from Mon 12 Oct 2026",
            "          hours  shifts  weekends  nights",
            "  alice      60       6         0       0",
            "  bob        59       5         0       0",
            "  dave        0       0         0       0",
            "  nobody    121",
        ],
    )
    assert json.loads("\n".join(run(path, *words, "--json")[1]))["web"] == {
        "timezone": "Europe/Berlin",
        "from": "2026-10-12",
        "days": 14,
        "nobody": {"hours": 121.0},
        "people": {
            "alice": {"hours": 60.0, "shifts": 6, "weekends": 0, "nights": 0},
            "bob": {"hours": 59.0, "shifts": 5, "weekends": 0, "nights": 0},
            "dave": {"hours": 0.0, "shifts": 0, "weekends": 0, "nights": 0},
        },
    }


def test_weekends_and_nights_are_simulated(config: Path) -> None:
    _, lines = run(config, "simulate", "--days", "10", "--from", "2026-11-20")
    assert lines == [
        "primary (Europe/Berlin), 10 days from Fri 20 Nov 2026",
        "           hours  shifts  weekends  nights",
        "  alice      120       5         2      10",
        "  bob     115.83       5         2      10",
        "  nobody    4.17",
        "nights (UTC), 10 days from Fri 20 Nov 2026",
        "          hours  shifts  weekends  nights",
        "  carol      80      11         2      11",
        "  nobody    160",
    ]


def test_what_is_not_there_is_refused(config: Path, write_config: Callable[..., Path]) -> None:
    assert run(config, "show", "primry") == (2, ["no schedule is called 'primry'; did you mean 'primary'?"])
    path = write_config()
    assert run(path, "show") == (2, [f"{path}: there is no schedule: add [schedules.NAME]"])


# ── What is wrong in the file ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("layer", "complaint"),
    [
        ('people = ["alice", "bbo"]\nbegins = "2026-01-05 09:00"', "people[1][0]: no person is called 'bbo'; did you mean 'bob'?"),
        ('people = ["alice", "bob"]', "several take turns: say when the first turn begins, as in begins = '2026-01-05 09:00'"),
        ("priority = 1", "has nobody: add people, who take turns, or shifts"),
        ('people = ["alice"]\nbegins = "2026-01-05"\nuntil = "2026-01-04"', "is over before it begins: until is not later than begins"),
        ('people = ["alice"]\nbegins = "5 January"', "begins: must be a time on the wall clock of the schedule such as '2026-01-05 09:00'"),
        ('people = ["alice"]\nbegins = 2026-01-05T09:00:00Z', "begins: must be a time on the wall clock of the schedule"),
        ('people = ["alice"]\nevery = "fortnight"', "every: must be a length such as 'week'"),
        ('people = ["alice"]\nhours = ["8-20"]', "hours[0]: must be days and hours such as 'Mon-Fri 08:00-20:00'"),
        ('people = ["alice", []]\nbegins = "2026-01-05 09:00"', "people[1]: names nobody"),
        ('shifts = [{ people = "bob", begins = "2026-01-05 09:00", ends = "2026-01-05 08:00" }]', "ends before it begins"),
        ('shifts = [{ people = "bbo", begins = "2026-01-05 09:00", ends = "2026-01-06 09:00" }]', "shifts[0].people[0]: no person is called 'bbo'"),
    ],
)  # fmt: skip
def test_mistakes_are_told(tower: Tower, layer: str, complaint: str) -> None:
    path = tower.write(f"{tower.people}{STEPS}{PRIMARY}[[schedules.primary.layers]]\n{layer}\n")
    ran = typed("check-config", "--config", path)
    assert ran.exit_code == 2
    assert complaint in ran.stderr


def test_hours_in_which_nobody_is_needed_are_hours(tower: Tower) -> None:
    path = tower.write(f'{tower.people}{STEPS}{PRIMARY}[schedules.s]\nnobody_needed = ["at night"]\n')
    ran = typed("check-config", "--config", path)
    assert "schedules.s.nobody_needed[0]: must be days and hours such as 'Mon-Fri 08:00-20:00'" in ran.stderr


def test_a_local_time_of_toml_is_a_time_too(tower: Tower) -> None:
    table = PRIMARY.replace('"2026-11-20 04:10"', "2026-11-20T04:10:00")
    path = tower.write(f"{tower.people}{STEPS}{table}")
    assert run(path, "gaps", "--from", "2026-11-21") == (0, ["no gap in 28 days"])


# ── What was ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_overrides_that_are_over_are_still_known_of_the_time_that_they_were_for(tower: Tower) -> None:
    """One that ended by itself, one that was cancelled before its end, and one that was set anew."""

    def begin(hours: int, comes: str, tx: Transaction, *, anew: bool = False) -> None:
        one = Override(tx.now, tx.now + timedelta(hours=hours), EVERYBODY, comes, "always")
        subject = next(iter(tx.overrides)) if anew else tx.open(HANDOFF, comes)
        set_override(OverrideSet(subject=subject, at=tx.now, overrides=(one,)), tx)

    def cancel(tx: Transaction) -> None:
        for subject in list(tx.overrides):
            end_override(OverrideEnded(subject=subject, at=tx.now, by="alice"), tx)

    async with tower(STEPS, PRIMARY, '[schedules.always]\non_call = ["alice"]\n') as engine:
        start = tower.clock.now()
        await engine.run.tocsin.turn(lambda tx: begin(2, "bob", tx))
        await engine.advance(hours=5)
        await engine.run.tocsin.turn(lambda tx: begin(9, "carol", tx))
        await engine.advance(hours=1)
        await engine.run.tocsin.turn(cancel)
        await engine.run.tocsin.turn(lambda tx: begin(9, "dave", tx))
        await engine.advance(hours=1)
        await engine.run.tocsin.turn(lambda tx: begin(1, "bob", tx, anew=True))
        day = timedelta(days=1)
        found = await engine.run.tocsin.turn(lambda tx: list(tx.shifts("always", start, start + day)))
        assert [((shift.end - start) // timedelta(hours=1), *shift.people) for shift in found] == [
            (2, "bob"),
            (5, "alice"),
            (6, "carol"),
            (7, "dave"),
            (8, "bob"),
            (24, "alice"),
        ]
