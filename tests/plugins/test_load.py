"""`!oncall load`: who carried how much, from what truly was."""

from datetime import timedelta

import pytest

from tocsin.domain.duty import HANDOFF, OnCallChanged, OverrideSet, duty_of
from tocsin.domain.rota import EVERYBODY, Override
from tocsin.oncall import set_override
from tocsin.store import journal
from tocsin.transaction import Transaction

from tests.engine import Engine, alert, fires, gone
from tests.tower import TWO_STEPS, Tower, asks

# The clock of these tests shows 03:00 UTC on Saturday, 21 November 2026; it is 04:00 in Berlin.
PRIMARY = """\
[schedules.primary]
timezone = "Europe/Berlin"
[[schedules.primary.layers]]
people = ["alice", "carol"]
begins = "2026-11-20 16:00"
every = "day"
"""
COUNTED = "an alert is one page to somebody, however often it called them"


async def load(engine: Engine, asked: str = "oncall load") -> list[str]:
    [said] = await asks(engine, "alice", asked)
    return said.splitlines()


async def stands_in(engine: Engine, hours: int) -> None:
    """Bob has it for so long, from now on."""

    def begin(tx: Transaction) -> None:
        one = Override(tx.now, tx.now + timedelta(hours=hours), EVERYBODY, "bob", "primary")
        set_override(OverrideSet(subject=tx.open(HANDOFF, "x"), at=tx.now, overrides=(one,)), tx)

    await engine.run.tocsin.turn(begin)


async def test_who_carried_how_much_is_told_one_line_each(tower: Tower) -> None:
    async with tower(TWO_STEPS, PRIMARY) as engine:
        await engine.report(fires())  # at night, and nobody answers: alice and bob are paged twice each
        await engine.advance(minutes=25)
        await engine.report(gone("DiskFull"))
        await engine.advance(hours=6, minutes=35)
        await engine.report(fires(alert("CpuHot"), key="cpu"))  # by day; only alice is paged
        await engine.says("alice", "ack")
        await stands_in(engine, 2)
        await engine.advance(hours=9)
        assert await load(engine) == [
            f"on call in 30d, since Thu 22 Oct 19:00 UTC; {COUNTED}",
            "alice: 2 shifts 10h, 2 pages, 1 at night",
            "bob: 1 shift 2h, 1 page, 1 at night",
            "carol: 1 shift 4h, 0 pages, 0 at night",
            "nights: most alice 1, fewest carol 0",
        ]
        lines = await load(engine, "oncall load 5h")
        assert lines[1:] == [
            "carol: 1 shift 4h, 0 pages, 0 at night",
            "alice: 1 shift 1h, 0 pages, 0 at night",
        ]


async def test_a_shift_that_began_before_is_counted_from_then(tower: Tower) -> None:
    async with tower(TWO_STEPS, '[schedules.always]\non_call = ["alice"]\n') as engine:
        await engine.advance(days=10)
        assert (await load(engine, "oncall load 2 days"))[1:] == ["alice: 1 shift 48h, 0 pages, 0 at night"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("oncall load primary", "'primary' is too much: say !oncall load [30d]"),
        ("oncall load 30", "how far back must be a length of time such as '30s', '5m' or '1h30m', not '30'"),
        ("oncall load 3000d", "look back from a minute to two years"),
    ],
)
async def test_what_is_no_length_is_refused(tower: Tower, asked: str, said: str) -> None:
    async with tower(TWO_STEPS, PRIMARY) as engine:
        assert await load(engine, asked) == [said]


async def test_strangers_are_not_told(tower: Tower) -> None:
    async with tower(TWO_STEPS, PRIMARY) as engine:
        [said] = await asks(engine, "mallory", "!oncall load", room="#ops")
        assert said == "who carried how much is told to the people in it alone"


async def test_a_long_journal_is_not_read(tower: Tower) -> None:
    """Neither all that ever happened for the pages, nor all handoffs of years."""
    async with tower(TWO_STEPS, PRIMARY) as engine:

        def asked(tx: Transaction) -> tuple[list[str], int]:
            for number in range(100):
                at = tx.now - timedelta(days=200 - number)
                event = OnCallChanged(subject=duty_of("primary"), at=at, people=("bob",), before=())
                journal.add(tx.connection, event, at)
            before = journal.last_before(tx.connection, duty_of("primary"), tx.now - timedelta(days=110))
            list(journal.pages(tx.connection, tx.now))
            read = tx.story(duty_of("primary"), (OnCallChanged,), after=before - 1)
            plans = [
                row[3]
                for text in (journal._PAGES.text, journal._LAST_BEFORE.text)  # noqa: SLF001 (as the driver got it)
                for row in tx.connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {text}", (None,) * text.count("?")
                )
            ]
            return plans, len(read)

        plans, read = await engine.run.tocsin.turn(asked)
    assert plans == [
        "SEARCH events USING INDEX ix_events_pages (at>?)",
        "SEARCH events USING INDEX ix_events_subject (subject=?)",
    ]
    assert read == 11
