"""Whatever goes down, and whenever: what the checks say is kept and told once, and nothing is taken for over that is not."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import pytest

from tocsin.api import AllClearGiven, AllClearWithdrawn, Clock, IncidentReopened
from tocsin.transaction import Transaction
from tocsin_verification.events import CannotVerify, CheckJudged, VerificationEnded, VerificationStarted
from tocsin_verification.judge.verdict import Verdict
from tocsin_verification.verified import verified
from tocsin_verification.watching import LOOK

from tests.engine import Engine
from tests.plugins.incident_parts import declared
from tests.plugins.verification_parts import Metrics, happened
from tests.tower import Tower

KINDS = (CheckJudged, CannotVerify, AllClearGiven, AllClearWithdrawn, IncidentReopened, VerificationEnded)


@pytest.fixture
def metrics(tower: Tower) -> Metrics:
    return Metrics(tower)


async def story(metrics: Metrics, crash_at: int) -> tuple[list[str], list[str]]:
    """What happened to an incident that heals, and what was told of its check, with a crash after so many minutes."""
    metrics.source.breaks()
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
    source, at = metrics.source, 0
    left: dict[int, Callable[[], None]] = {
        20: source.heals,
        33: partial(setattr, source, "down", "it is down"),
        45: partial(setattr, source, "down", ""),
    }
    for until in sorted({*left, 240, crash_at}):
        async with metrics(crash=until == crash_at) as engine:
            await engine.advance(minutes=until - at)
        at = until
        if until in left:
            left[until]()
    async with metrics() as engine:
        return await happened(engine, "1", *KINDS), [line for line in metrics.said() if " errors" in line]


@pytest.mark.parametrize("crash_at", [0, 1, 21, 22, 34, 35, 36, 46, 60, 90])
async def test_a_crash_at_any_point_changes_nothing(metrics: Metrics, crash_at: int) -> None:
    events, told = await story(metrics, crash_at)
    assert [line for line in told if " all clear, " in line][1:] == []
    assert len([line for line in told if "cannot verify" in line]) == 1
    assert len([line for line in events if line.startswith("all clear")]) == 1
    assert len([line for line in events if line.startswith("cannot verify")]) == 1
    assert len(told) == len(set(told))


async def test_one_that_dies_while_it_reads_reads_again(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics(crash=True) as engine:
        await declared(engine, "sev2 logins fail")
        before = len(metrics.source.asked)
        metrics.source.hangs = True
        metrics.source.asked_now.clear()
        metrics.clock.move(timedelta(minutes=1))
        await metrics.source.asked_now.wait()
        assert len(metrics.source.asked) == before + 1
    metrics.source.hangs = False
    metrics.source.heals()
    async with metrics() as engine:
        await engine.advance(hours=3)
        assert len(await happened(engine, "1", AllClearGiven)) == 1


async def test_a_timer_that_was_lost_is_set_again(metrics: Metrics) -> None:
    metrics.source.breaks()
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
        await engine.run.tocsin.turn(lambda tx: tx.cancel_timer(LOOK, "1"))
    metrics.source.heals()
    async with metrics() as engine:
        await engine.advance(hours=3)
        assert len(await happened(engine, "1", AllClearGiven)) == 1


class Drill:
    """An incident to whose metric things happen, under a daemon that is killed and started again."""

    def __init__(self, metrics: Metrics, seed: int) -> None:
        self.metrics = metrics
        self.dice = random.Random(seed)  # noqa: S311 (nothing secret)
        self.bad = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        async with self.metrics(crash=self.dice.random() < 0.7) as engine:
            yield engine

    async def step(self, engine: Engine) -> None:
        """Something happens."""
        source, dice = self.metrics.source, self.dice
        what = dice.choice(("time", "time", "time", "turn", "down", "gone", "say"))
        if what == "time":
            await engine.advance(minutes=dice.choice((1, 3, 10, 30, 90)))
        elif what == "turn":
            if self.bad:
                source.heals()
            else:
                source.breaks(ago=0)
            self.bad = not self.bad
        elif what == "down":
            source.down = "" if source.down else "it is down"
        elif what == "gone":
            if "errors" in source.gone:
                source.comes_back()
            else:
                source.vanishes()
        else:
            active = await engine.run.tocsin.turn(lambda tx: tx.incident("1").active)
            lines = (
                ("!mitigated 1", "!verify 1", "!done 1 anyway, it is", "!done 1 a bug")
                if active
                else ("!reopen 1",)
            )
            await engine.says("alice", dice.choice(lines), room="#ops")


def judge(metrics: Metrics, tx: Transaction) -> None:
    """What has to hold, whatever happened."""
    incident, state = tx.incident("1"), verified("1", tx)
    assert state.running is tx.timer_is_set(LOOK, "1"), "it is looked at for ever, or never again"
    assert state.running or not incident.active
    assert not state.cleared or Clock.ALL_CLEAR in incident.clocks
    bad = [tuple(one) for one in metrics.source.bad["errors"]]
    gone = metrics.source.gone.get("errors")
    seen: dict[str, CheckJudged] = {}
    for entry in tx.story("1", (*KINDS, VerificationStarted)):
        event = entry.event
        if isinstance(event, CheckJudged):
            seen[event.check] = event
        elif isinstance(event, CannotVerify):
            assert seen[event.check].verdict is Verdict.CANT_TELL
        elif isinstance(event, AllClearGiven):
            at = event.at.timestamp()
            assert not [one for one in bad if one[0] <= at - 300 and at - 300 < one[1]], (
                "it was bad just before"
            )
            assert gone is None or at < gone + 600 or at < metrics.clock.now().timestamp()
            assert all(one.verdict is Verdict.ALL_CLEAR for one in seen.values())


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_it_is_clear_only_when_it_is(metrics: Metrics, seed: int) -> None:
    drill = Drill(metrics, seed)
    metrics.source.breaks()
    async with metrics() as engine:
        await declared(engine, "sev2 logins fail")
    for _ in range(5):
        async with drill.running() as engine:
            for _ in range(6):
                await drill.step(engine)
                await engine.run.settled()
                await engine.run.tocsin.turn(lambda tx: judge(metrics, tx))
    async with metrics() as engine:
        cleared = await happened(engine, "1", AllClearGiven)
        assert len([line for line in metrics.said() if " all clear, " in line]) == len(cleared), (
            "told twice, or not at all"
        )
        lacked = await happened(engine, "1", CannotVerify)
        told = [line for line in metrics.said() if "cannot verify errors" in line]
        assert len(told) <= len(lacked), "told twice"  # of what can't be read at the report that says it
