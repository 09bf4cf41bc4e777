"""The end of an incident with checks: who ends it before they are clear is asked why, and the postmortem says how we know."""

import json

import pytest

from tests.plugins.incident_parts import declared, said
from tests.plugins.postmortem_parts import exported
from tests.plugins.test_postmortem import chapter
from tests.plugins.verification_parts import SELDOM, WITH, Metrics
from tests.tower import Tower, asks

TABLES = (*WITH[:-1], SELDOM, "[plugins.timeline]\n[plugins.postmortem]\n")
SECTION = "How we know that it is over"


@pytest.fixture
def metrics(tower: Tower) -> Metrics:
    return Metrics(tower)


async def test_before_the_all_clear_the_reason_is_asked_once(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics(*TABLES, crash=True) as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(minutes=10)
        [told] = await asks(engine, "alice", "!done 1 a bug", room="#ops")
        assert told.startswith("1 not clear yet: errors 30")
        assert told.endswith(": why is it over all the same? !done 1 anyway BECAUSE")
    async with metrics(*TABLES) as engine:
        [told] = await asks(engine, "alice", "!done 1 anyway the old cluster is read", room="#ops")
        assert (
            "resolved by alice after 10m, all the same: the old cluster is read (not clear yet: errors 30"
            in told
        )
        assert "; cause: a bug" in told
        text = await exported(engine, "1", "md")
        (line,) = [one for one in chapter(text, SECTION) if "resolved" in one]
        assert "03:10:00 resolved all the same: the old cluster is read (not clear yet: errors 30" in line
        assert line.endswith("(the commander)")


@pytest.mark.parametrize("said_by_hand", [True, False])
async def test_after_the_all_clear_nobody_is_asked(metrics: Metrics, *, said_by_hand: bool) -> None:
    metrics.source.breaks()
    async with metrics(*TABLES) as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(minutes=10)
        metrics.source.heals()
        if said_by_hand:
            await engine.says("alice", "!allclear I looked", room="#ops")
        else:
            await engine.advance(hours=3)
        [told] = await asks(engine, "alice", "!done 1 a bug", room="#ops")
        assert told.startswith("1 resolved by alice after ")
        assert "all the same" not in told


async def test_what_can_t_be_verified_is_not_clear(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics(*TABLES) as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(minutes=10)
        metrics.source.down = "source main can't be reached"
        await engine.advance(minutes=10)
        [told] = await asks(engine, "alice", "!done 1 a bug", room="#ops")
        assert told.startswith("1 not clear yet: errors")
        assert "cannot verify" in told


async def test_without_checks_all_is_as_ever(metrics: Metrics) -> None:
    async with metrics(
        *WITH[:-1], "[plugins.verification]\n[plugins.timeline]\n[plugins.postmortem]\n"
    ) as engine:
        await declared(engine, "sev2 logins fail")
        [told] = await asks(engine, "alice", "!done 1 a bug", room="#ops")
        assert told.startswith("1 resolved by alice after 0s; cause: a bug")
        assert SECTION not in await exported(engine, "1", "md")


async def test_the_postmortem_says_how_we_know(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics(*TABLES) as engine:
        await declared(engine, "sev2 logins fail")
        await engine.says("alice", "!reporter add carol, ACME", room="#ops")
        await engine.advance(minutes=20)
        metrics.source.heals()
        await engine.says("alice", "!mitigated rolled back", room="#ops")
        await engine.advance(hours=3)
        (clear,) = [one for one in said(metrics.tower, "room/#ops") if " all clear, " in one]
        assert "1 waiting for" in clear or "carol" in clear
        await engine.says("carol", "confirm 1")
        await engine.says("alice", "!done 1 a bug", room="#ops")
        await engine.advance(minutes=5)
        metrics.source.breaks(ago=0)
        await engine.advance(hours=1)
        before = await exported(engine, "1", "md")
        assert "| errors | yes | " in before
        lines = chapter(before, SECTION)
        assert [line for line in lines if "all clear: errors" in line and " (back since 03:" in line]
        assert [line for line in lines if "reopened: errors" in line]
        assert lines[-1] == "Of 2 people who reported it none confirmed that it is over."  # of what is back
        metrics.source.heals()
        await engine.advance(hours=6)
        await engine.says("alice", "!done 1", room="#ops")
        after = await exported(engine, "1", "md")
        (row,) = [line for line in chapter(after, SECTION) if line.startswith("| errors")]
        since = row.removesuffix(" |").rpartition("| ")[2]
        assert "07:15" < since < "08:15"
        (kept,) = [line for line in chapter(after, "The five clocks") if line.startswith("What is measured")]
        assert f"was as before from {since} on" in kept
        recovered = json.loads(await exported(engine, "1", "json"))["recovered_at"]
        assert recovered.startswith(f"2026-11-21T{since[:5]}")
        assert "carol" not in after
        assert "ACME" not in after


async def test_a_relapse_that_a_check_sees_pages_who_led_it(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics(*TABLES) as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(minutes=20)
        metrics.source.heals()
        await engine.advance(hours=3)
        await engine.says("alice", "!done 1 a bug", room="#ops")
        before = len(metrics.chat.said)
        await engine.advance(minutes=10)
        metrics.source.breaks(ago=0)
        await engine.advance(hours=1)
        (told,) = [one for one in said(metrics.tower, "room/#ops", before) if "reopened" in one]
        assert told.startswith("1 reopened: errors ")
        assert "; alice is paged" in told
        assert [
            one
            for one in said(metrics.tower, "person/alice", before)
            if "sev2 logins fail is back: errors" in one
        ]
