"""An incident with checks, from its declaration to the all-clear, and what is told of it."""

import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tocsin.api import AllClearGiven, AllClearWithdrawn, Clock, IncidentReopened, Message
from tocsin_verification.events import CannotVerify, CheckJudged, VerificationEnded
from tocsin_verification.judging import Asked
from tocsin_verification.keeping import Shown

from tests.engine import fires, over
from tests.plugins.incident_parts import TABLES, declared
from tests.plugins.verification_parts import CHECKS, SELDOM, Metrics, happened
from tests.shown import edits, shown
from tests.tower import Tower, asks

SECOND = """\
[plugins.verification.checks.latency]
expression = "latency"
source = "scripted"
"""


@pytest.fixture
def metrics(tower: Tower) -> Metrics:
    return Metrics(tower)


def of_checks(lines: list[str]) -> list[str]:
    """What was said of checks alone."""
    words = ("errors", "latency", "check", "clear")
    return [line for line in lines if any(word in line for word in words)]


async def test_from_the_report_to_the_all_clear(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
        (report,) = of_checks(metrics.said())
        assert report.startswith("03:00 1 errors 30")
        assert "normally" in report
        assert ", since 02:" in report
        await engine.advance(minutes=20)
        metrics.source.heals()
        await engine.says("alice", "!mitigated rolled back", room="#ops")
        before = len(metrics.chat.said)
        await engine.advance(hours=3)
        *_, recovering, clear = of_checks(metrics.said(before))
        assert ": back for " in recovering
        assert " all clear, " in clear
        assert " after it was mitigated: errors " in clear
        assert "back since 03:" in clear
        assert clear.endswith("!done 1 CAUSE")
        held = await engine.run.tocsin.turn(lambda tx: tx.incident("1").clocks[Clock.ALL_CLEAR])
        assert f"{held:%H:%M}" == clear[:5]
        assert len(await happened(engine, "1", AllClearGiven)) == 1


async def test_a_value_that_moves_is_put_right_each_minute_in_any_state(metrics: Metrics) -> None:
    """Else a message says for long what is not so; and no line is made of it where nothing can be put right."""
    metrics.source.breaks()
    metrics.chat.edits = True
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(minutes=10)
        assert len(edits(metrics.chat)) <= 1  # it stands where it stood
        await engine.says("alice", "!mitigated rolled back", room="#ops")
        await engine.advance(minutes=2)
        metrics.source.heals(left=80)
        before = len(edits(metrics.chat))
        await engine.advance(minutes=6)
        line = of_checks(shown(metrics.chat))[-1]
        assert " \u2192 18" in line
        assert ": not back yet, bad since 02:" in line
        texts = edits(metrics.chat)[before:]
        assert 2 <= len(texts) <= 6
        assert all(one != other for one, other in pairwise(texts))
        assert len([line for line in of_checks(shown(metrics.chat)) if "bad since" in line]) == 1
        for _ in range(3):  # who asks within a minute makes it no more
            await engine.says("alice", "!verify 1", room="#ops")
        assert edits(metrics.chat)[before:] == texts


@pytest.mark.parametrize(
    ("text", "value", "after", "moving", "outdated"),
    [
        ("errors 160", 160.0, 60, False, False),
        ("errors 160", 100.0, 60, True, False),
        ("errors 150", 153.0, 60, False, False),
        ("errors 150", 153.0, 60, True, True),
        ("errors 150", 150.0, 60, False, True),
        ("errors 150", 150.0, 59, True, False),
    ],
)
def test_what_is_shown_is_put_right_for_another_text_alone_and_once_a_minute(
    text: str, value: float, after: float, *, moving: bool, outdated: bool
) -> None:
    now = datetime(2026, 11, 22, 3, tzinfo=UTC)
    last = Shown(Message("errors 160"), now, {"errors": 160.0})
    then = now + timedelta(seconds=after)
    assert last.outdated(Message(text), {"errors": value}, then, moving=moving) is outdated


async def test_where_what_was_said_can_be_put_right_there_is_one_line_of_it(metrics: Metrics) -> None:
    metrics.source.breaks()
    metrics.chat.edits = True
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(minutes=20)
        metrics.source.heals()
        await engine.advance(hours=3)
        line, clear = of_checks(shown(metrics.chat))
        assert line.startswith("1 errors ")
        assert "back since 03:" in line
        assert clear.startswith("1 all clear, ")
        progress = [text for text in edits(metrics.chat) if ": back for " in text]
        assert len(progress) >= 10
        assert progress == list(dict.fromkeys(progress))


async def test_without_checks_nothing_is_another_than_before(metrics: Metrics) -> None:
    async with metrics(*TABLES, "[plugins.verification]\n") as engine:
        await declared(engine, "sev3 logins fail")
        await engine.says("alice", "!mitigated", room="#ops")
        await engine.advance(hours=3)
        assert of_checks(metrics.said()) == []
        assert metrics.source.asked == []
        [told] = await asks(engine, "alice", "!verify 1")
        assert (
            told
            == "1 nothing is checked, so nothing tells by itself when it is over \u00b7 !verify 1 add EXPR"
        )


async def test_what_never_showed_it_does_not_say_that_it_is_over(metrics: Metrics) -> None:
    async with metrics(*TABLES, SELDOM) as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(hours=2)
        assert "all clear" not in "\n".join(metrics.said())
        await engine.says("alice", "!mitigated rolled back", room="#ops")
        await engine.advance(hours=2)
        told = [line for line in metrics.said() if "no check shows this incident" in line]
        assert len(told) == 1
        assert told[0].endswith("!verify 1 add EXPR")
        assert await happened(engine, "1", AllClearGiven) == []


async def test_all_that_must_be_back_must_be(metrics: Metrics) -> None:
    metrics.source.breaks()
    metrics.source.breaks("latency")
    async with metrics(*TABLES, SELDOM, SECOND) as engine:
        await declared(engine, "sev2 logins fail")
        metrics.source.heals()
        await engine.advance(hours=4)
        assert await happened(engine, "1", AllClearGiven) == []
        metrics.source.heals("latency")
        await engine.advance(hours=4)
        assert len(await happened(engine, "1", AllClearGiven)) == 1


async def test_what_is_only_nice_to_have_keeps_nothing_from_the_all_clear(metrics: Metrics) -> None:
    metrics.source.breaks()
    metrics.source.breaks("latency")
    async with metrics(*TABLES, SELDOM, SECOND + "must = false\n") as engine:
        await declared(engine, "sev2 logins fail")
        metrics.source.heals()
        await engine.advance(hours=4)
        assert len(await happened(engine, "1", AllClearGiven)) == 1
        [told] = await asks(engine, "alice", "!verify 1")
        assert "latency" in told
        assert "(nice to have)" in told


async def test_half_way_back_is_not_back(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics(*TABLES, SELDOM) as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(minutes=20)
        metrics.source.heals(left=60)
        await engine.says("alice", "!mitigated half of it", room="#ops")
        await engine.advance(hours=6)
        assert await happened(engine, "1", AllClearGiven) == []
        assert not [line for line in metrics.said() if "back for" in line or "back since" in line]


async def test_a_source_that_is_down_is_told_once_and_never_taken_for_over(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(minutes=20)
        metrics.source.heals()
        await engine.advance(minutes=12)
        before = len(metrics.chat.said)
        metrics.source.down = "source main can't be reached: connection refused"
        await engine.advance(minutes=1)
        assert of_checks(metrics.said(before)) == []
        await engine.advance(hours=3)
        (told,) = of_checks(metrics.said(before))
        assert told.startswith("03:3")
        assert "cannot verify errors: source main can't be reached: connection refused (since 03:3" in told
        assert await happened(engine, "1", AllClearGiven) == []
        assert len(await happened(engine, "1", CannotVerify)) == 1
        metrics.source.down = ""
        await engine.advance(hours=2)
        assert len(await happened(engine, "1", AllClearGiven)) == 1


async def test_what_is_too_large_to_compute_with_is_no_all_clear(metrics: Metrics) -> None:
    """Some exporters give the largest number that there is for what they don't know."""
    metrics.source.breaks(ago=300)
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
        metrics.source.breaks(ago=0, much=sys.float_info.max)
        await engine.advance(hours=2)
        assert await happened(engine, "1", AllClearGiven) == []
        assert [line for line in metrics.said() if "cannot verify errors: no data for" in line]


async def test_samples_that_stop_are_told_with_what_is_missing(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(minutes=20)
        metrics.source.vanishes()
        await engine.advance(hours=3)
        told = [line for line in metrics.said() if "cannot verify errors" in line]
        assert len(told) == 1
        assert not [line for line in metrics.said() if "back" in line and "not back" not in line]
        metrics.source.comes_back()
        await engine.advance(minutes=5)
        assert [line for line in metrics.said() if "can be verified again: errors" in line]


async def test_what_can_not_be_read_at_the_report_is_said_there(metrics: Metrics) -> None:
    metrics.source.down = "source main does not answer"
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
        assert of_checks(metrics.said()) == ["03:00 1 errors: cannot verify: source main does not answer"]
        await engine.advance(hours=3)
        assert len(of_checks(metrics.said())) == 1


async def test_an_all_clear_is_taken_back_at_once(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics(*TABLES, SELDOM) as engine:
        await declared(engine, "sev2 logins fail")
        metrics.source.heals()
        await engine.advance(hours=3)
        assert len(await happened(engine, "1", AllClearGiven)) == 1
        before = len(metrics.chat.said)
        metrics.source.breaks(ago=0)
        await engine.advance(minutes=30)
        told = [line for line in metrics.said(before) if "not clear after all: errors " in line]
        assert len(told) == 1
        assert len(await happened(engine, "1", AllClearWithdrawn)) == 1
        assert Clock.ALL_CLEAR not in await engine.run.tocsin.turn(lambda tx: dict(tx.incident("1").clocks))
        metrics.source.heals()
        await engine.advance(hours=8)
        assert len(await happened(engine, "1", AllClearGiven)) == 2


async def test_a_relapse_after_the_end_reopens_it(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics(*TABLES, SELDOM) as engine:
        await declared(engine, "sev2 logins fail")
        metrics.source.heals()
        await engine.advance(hours=3)
        await engine.says("alice", "!done 1 a bug", room="#ops")
        await engine.advance(minutes=20)
        metrics.source.breaks(ago=0)
        await engine.advance(minutes=30)
        (why,) = await happened(engine, "1", IncidentReopened)
        assert "errors " in why
        assert await engine.run.tocsin.turn(lambda tx: tx.incident("1").active)


async def test_what_was_clear_before_it_was_reopened_proves_nothing(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
        metrics.source.heals()
        await engine.advance(hours=3)
        await engine.says("alice", "!done 1 a bug", room="#ops")
        await engine.advance(minutes=20)
        await engine.says("alice", "!reopen 1 logins fail again", room="#ops")
        before = len(metrics.chat.said)
        await engine.advance(minutes=20)
        assert not [line for line in metrics.said(before) if "all clear" in line]
        await engine.advance(minutes=10)
        (told,) = [line for line in metrics.said(before) if "all clear" in line]
        assert "min after it was reopened: errors " in told


async def test_what_is_clear_after_it_was_reopened_says_how_long_that_must_hold(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
        metrics.source.heals()
        await engine.advance(minutes=15)
        await engine.says("alice", "!done 1 anyway it is quick", room="#ops")
        await engine.says("alice", "!reopen 1 logins fail again", room="#ops")
        before = len(metrics.chat.said)
        await engine.advance(minutes=20)
        (clear,) = [line for line in metrics.said(before) if ": clear, back since 03:00 UTC" in line]
        assert " (before it was reopened: must hold until 03:41 UTC)" in clear
        await engine.advance(minutes=20)
        (told,) = [line for line in metrics.said(before) if "all clear" in line]
        assert told.startswith("03:41 1 all clear, ")
        assert "must hold" not in told


async def test_of_several_checks_it_is_said_how_many(metrics: Metrics) -> None:
    metrics.source.breaks()
    more = CHECKS.partition("\n")[2].replace("checks.errors", "checks.mails").replace('"errors"', '"mails"')
    async with metrics(*TABLES, CHECKS, more) as engine:
        await declared(engine, "sev2 logins fail")
        metrics.source.vanishes("errors")
        metrics.source.vanishes("mails")
        await engine.advance(minutes=30)
        assert [line for line in metrics.said() if line.endswith(" 1 cannot verify 2 checks")]
        answer = await asks(engine, "alice", "!verify 1")
        assert answer[-1].splitlines()[0] == "1 none of 2 checks is back, 2 cannot be verified"
        metrics.source.comes_back("errors")
        metrics.source.comes_back("mails")
        await engine.advance(minutes=5)
        assert [line for line in metrics.said() if line.endswith(" 1 can be verified again: 2 checks")]


async def test_what_was_clear_before_it_was_declared_proves_nothing(metrics: Metrics) -> None:
    """Whoever declares it has seen something; the checks say what they know, and wait whether it stays so."""
    async with metrics() as engine:
        metrics.source.breaks(ago=0)
        subject = await engine.report(fires())
        await engine.says("alice", f"!ack {subject}", room="#ops")
        await engine.advance(minutes=10)
        metrics.source.heals()
        await engine.advance(minutes=50)
        await declared(engine, f"sev2 logins fail from {subject}")
        await engine.report(over())
        (report,) = of_checks(metrics.said())
        assert "back since 03:10 UTC" in report
        await engine.advance(minutes=20)
        answer = await asks(engine, "alice", "!verify 1")
        assert "clear before it was declared: all clear once it holds until 04:26 UTC" in answer[-1]
        assert await happened(engine, "1", AllClearGiven) == []
        await engine.advance(minutes=10)
        (told,) = [line for line in metrics.said() if "all clear" in line]
        assert told.startswith("04:26 1 all clear, 26 min after it was declared: errors ")


async def test_a_picture_is_drawn_for_the_all_clear_alone_with_all_that_is_known(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawings = []

    async def draws(asked: Asked, found: object) -> None:  # noqa: ARG001 (as it is called)
        drawings.append(asked)

    monkeypatch.setattr("tocsin_verification.watching.drawn", draws)
    metrics.source.breaks()
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(minutes=5)
        await engine.says("alice", "!mitigated 1 rolled back", room="#ops")
        mitigated_at = metrics.clock.now()
        metrics.source.heals()
        await engine.advance(hours=3)
        assert [asked.mitigated_at for asked in drawings] == [mitigated_at]


async def test_the_watch_comes_to_an_end(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics(*TABLES, SELDOM) as engine:
        await declared(engine, "sev3 logins fail")
        metrics.source.heals()
        await engine.advance(hours=3)
        await engine.says("alice", "!done 1 a bug", room="#ops")
        before = len(metrics.chat.said)
        await engine.advance(hours=25)
        assert of_checks(metrics.said(before)) == []
        assert await happened(engine, "1", VerificationEnded) == [
            "checks end: no relapse while it was watched"
        ]
        asked = len(metrics.source.asked)
        await engine.advance(hours=2)
        assert len(metrics.source.asked) == asked
        assert await engine.sql("select key from timers where kind like 'verification.%'") == []


async def test_not_each_minute_is_written_down(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
        await engine.advance(hours=2)
        assert len(metrics.source.asked) >= 120
        assert len(await happened(engine, "1", CheckJudged)) <= 4
