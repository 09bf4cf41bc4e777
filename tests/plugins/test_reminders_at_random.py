"""Whatever happens to incidents: no promised time passes in silence, each stage comes once and in its time, none after the end."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import pytest

from tocsin.api import PageBegun, Role, StatusUpdated
from tocsin.transaction import Transaction
from tocsin_reminders.events import OverdueTold, Stage, UpdatePromised
from tocsin_reminders.promise import promise_of
from tocsin_reminders.settings import StagesBySeverity

from tests.engine import Engine
from tests.plugins.incident_parts import declared
from tests.plugins.reminder_parts import WITH, happens
from tests.tower import Tower

AUDIENCE = """\
[teams.execs]
rooms.console = "#execs"
[plugins.reminders.audiences.execs]
teams = ["execs"]
severities = ["sev1", "sev2", "sev3"]
"""
TABLES = (*WITH, AUDIENCE)

LENGTHS = (1, 4, 5, 6, 10, 20, 29, 30, 31, 60, 121, 300)
PEOPLE = ("alice", "bob", "carol", "dave")


class Drill:
    """An engine to which things happen, and that is killed and started again."""

    def __init__(self, tower: Tower, seed: int) -> None:
        self.tower = tower
        self.dice = random.Random(seed)  # noqa: S311 (nothing secret)
        self.numbers: list[str] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        crash = self.dice.random() < 0.7
        async with self.tower(*TABLES, crash=crash) as engine:
            yield engine

    async def step(self, engine: Engine) -> None:
        """Something happens."""
        dice, number = self.dice, self.dice.choice(self.numbers)
        what = dice.choice(("time", "time", "time", "time", "status", "severity", "role", "end", "ack"))
        if what == "time":
            await engine.advance(minutes=dice.choice(LENGTHS))
        elif what == "status":
            following = dice.choice(("", "", " next 7m", " next 2h"))
            await engine.says(dice.choice(PEOPLE), f"!status {number} so so{following}", room="#ops")
        elif what == "severity":
            severity = dice.choice(("sev1", "sev2", "sev3", "sev4"))
            if severity != await engine.run.tocsin.turn(lambda tx: tx.incident(number).severity):
                await happens(engine, number, "change_severity", severity, "")
        elif what == "role":
            role, person = dice.choice((Role.COMMANDER, Role.DEPUTY, Role.COMMS)), dice.choice(PEOPLE)
            if person != await engine.run.tocsin.turn(lambda tx: tx.incident(number).roles.get(role)):
                await happens(engine, number, "assign", role, person)
        elif what == "end":
            active = await engine.run.tocsin.turn(partial(is_active, number))
            await happens(engine, number, *(("resolve",) if active else ("reopen", "")))
        else:
            begun = await engine.run.tocsin.turn(lambda tx: tx.last(number, PageBegun))
            if begun is not None:
                await engine.says("bob", f"!ack {begun.group}", room="#ops")


def is_active(number: str, tx: Transaction) -> bool:
    return tx.incident(number).active


def judge(number: str, tx: Transaction) -> None:
    """What has to hold, whatever happened."""
    incident, promise = tx.incident(number), promise_of(number, tx)
    if not incident.active:
        assert promise.next_at is None
    else:
        assert promise.next_at is not None
        assert bool(promise.told) is (promise.next_at <= tx.now), (
            "a promised time passed in silence, or did not"
        )
    assert promise.paging is (Stage.PAGE in promise.told)
    begun = tx.last(number, PageBegun)
    if begun is not None and begun.key == "overdue" and not promise.paging:
        assert not tx.group(begun.group).open
    _judge_story(number, tx)


def _judge_story(number: str, tx: Transaction) -> None:
    since: list[OverdueTold] = []
    for entry in tx.story(number, (UpdatePromised, StatusUpdated, OverdueTold)):
        event = entry.event
        if not isinstance(event, OverdueTold):
            since = []
            continue
        late = event.at - event.promised_at
        soonest = min(
            (
                after
                for severity in ("sev1", "sev2", "sev3", "sev4")
                for after, stage in _stages(severity)
                if stage == event.stage
            ),
            default=timedelta(0),
        )
        assert late >= soonest, f"{event.stage} came too soon"
        assert bool(since) is (event.stage is not Stage.OWNER)
        assert event.stage not in [one.stage for one in since], f"{event.stage} came twice"
        since.append(event)


def _stages(severity: str) -> list[tuple[timedelta, Stage]]:
    return list(StagesBySeverity().of(severity))


async def counted(engine: Engine, stage: Stage) -> int:
    rows = await engine.sql("select body from events where kind = 'reminders.overdue_told'")
    return sum(f'"stage":"{stage}"' in row[0].replace(" ", "") for row in rows)


@pytest.mark.parametrize("seed", range(16))
async def test_a_promise_is_kept_or_said_to_be_late(tower: Tower, seed: int) -> None:
    drill = Drill(tower, seed)
    async with drill.running() as engine:
        for severity in ("sev2", "sev3"):
            drill.numbers.append(await declared(engine, f"{severity} something is wrong"))
    for _ in range(6):
        async with drill.running() as engine:
            for _ in range(6):
                await drill.step(engine)
                for number in drill.numbers:
                    await engine.run.tocsin.turn(partial(judge, number))
    async with tower(*TABLES) as engine:
        owners = [text for text in tower.chat.texts() if "your promised update" in text]
        assert len(owners) == await counted(engine, Stage.OWNER), "told twice, or not at all"
        for number in drill.numbers:
            if await engine.run.tocsin.turn(partial(is_active, number)):
                await happens(engine, number, "resolve")
        before = len(tower.chat.said)
        await engine.advance(days=2)
        assert [str(one) for one in tower.chat.said[before:] if "promised" in str(one)] == []
