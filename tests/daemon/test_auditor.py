"""What must always hold is looked at once a minute; each of these breaks it for real, behind the daemon's back."""

import asyncio
import sqlite3
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tocsin.alerts import report
from tocsin.auditor import looks
from tocsin.config.tables import Fallback
from tocsin.domain.group import GroupOpened
from tocsin.errors import NetworkError
from tocsin.ringer import Ringer
from tocsin.rules import on
from tocsin.testing import Said
from tocsin.transaction import Transaction

from tests.conftest import Figure
from tests.engine import Engine, Pager, Start, alert, fires, over

OPEN = 10_000


def behind(engine: Engine, *statements: str) -> None:
    """Change what is kept, past the daemon."""
    raw = sqlite3.connect(engine.run.tocsin.state.database)
    with raw:
        for one in statements:
            raw.execute(one)
    raw.close()


def found(engine: Engine) -> list[str]:
    """What the self-check told in the room."""
    lines = engine.chat.texts("room/#ops")
    return [line.removeprefix("self-check: ") for line in lines if line.startswith("self-check")]


async def minutes(engine: Engine, count: int) -> None:
    for _ in range(count):
        await engine.advance(minutes=1)


def deaf(_: Said) -> NetworkError:
    return NetworkError("no link", unsent=True)


async def test_an_alert_that_lost_its_next_step_is_found_and_told(start: Start) -> None:
    async with start() as engine:
        lost = await engine.report(fires())
        kept = await engine.report(fires(key="other"))
        behind(engine, f"delete from timers where kind = 'pager.step' and key = '{lost}'")  # noqa: S608 (an id of our own)
        await minutes(engine, 1)
        room = engine.chat.texts("room/#ops")
        assert [line for line in room if "No plugin will page anybody for it." in line and lost in line]
        assert found(engine) == [f"{lost}: rang with no next step: each is told in the rooms"]
        assert engine.run.daemon.auditor.complaint()
        assert not [line for line in room if kept in line]
        await minutes(engine, 1)
        assert found(engine)[1:] == ["every alert has a next step again"]
        assert not engine.run.daemon.auditor.complaint()
        await minutes(engine, 3)
        assert len(found(engine)) == 2


async def test_a_silence_that_nobody_would_have_ended_is_ended(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        await engine.run.tocsin.turn(
            lambda tx: tx.record(tx.group(subject).silence("alice", tx.now, tx.now + timedelta(minutes=5)))
        )
        behind(engine, "delete from timers where kind = 'pager.step'")
        await minutes(engine, 2)
        assert found(engine) == []
        behind(engine, "delete from timers where kind = 'core.silence_over'")
        await minutes(engine, 1)
        assert found(engine)[0].startswith(f"{subject}: in a silence that nothing would have ended")
        assert await engine.state(subject) == "silenced"
        await minutes(engine, 4)
        assert await engine.state(subject) == "triggered"


async def test_a_ringer_that_forgets_is_told_past_the_outbox(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rang = tmp_path / "rang"
    (program := tmp_path / "ring").write_text(f"#!/bin/sh\ncat >> {rang}\n")
    program.chmod(0o700)
    start.config = replace(start.config, fallback=Fallback((str(program),)))
    async with start() as engine:
        subject = await engine.report(fires())
        timers = engine.run.tocsin.rules.timers
        kinds = {kind for kind, one in timers.items() if not one.waits} - {"pager.step"}
        with monkeypatch.context() as broken:
            broken.setattr(Ringer, "_kinds", kinds)
            await minutes(engine, 6)
            assert found(engine) == []  # at five minutes it was due: that is a minute late at most
            await minutes(engine, 2)
            (told,) = found(engine)
            assert told.startswith(f"pager.step {subject}: should have rung long ago")
            assert told in rang.read_text()
            await minutes(engine, 20)
            assert len(found(engine)) == 1
            await minutes(engine, 12)
            assert engine.chat.texts("room/#ops")[-1].startswith("self-check (for 30m now): pager.step")
        await minutes(engine, 2)
        assert found(engine)[-1] == "all timers ring in time again"


async def test_a_courier_that_carries_nothing_is_told_past_it_and_set_going(start: Start) -> None:
    async with start() as engine:
        courier = engine.run.daemon.courier
        tasks, courier._tasks = courier._tasks, None  # noqa: SLF001 (a carrier that died)
        await engine.report(fires())
        await minutes(engine, 3)
        assert found(engine) == []
        await minutes(engine, 1)
        (told,) = found(engine)
        assert told.startswith("console/person/alice: waited for by pages that nobody sends")
        assert engine.chat.texts("person/alice") == []
        courier._tasks = tasks  # noqa: SLF001
        await minutes(engine, 1)
        assert engine.chat.texts("person/alice")
        await minutes(engine, 1)
        assert found(engine)[1:] == ["pages are sent again"]


async def test_a_message_that_is_sent_for_ever_is_found(start: Start) -> None:
    async with start() as engine:
        courier = engine.run.daemon.courier
        courier._tasks = None  # noqa: SLF001 (the task that sent it died, and wrote nothing down)
        await engine.report(fires())
        behind(engine, "update outbox set state = 'SENDING' where person = 'alice'")
        await minutes(engine, looks(engine.chat.send_for) - 1)
        assert found(engine) == []
        await minutes(engine, 1)
        assert found(engine)[0].startswith("console/person/alice: being sent something that has no end")


async def test_a_page_of_which_nobody_would_know_what_became_is_taken_up(start: Start) -> None:
    start.chat.fails = deaf
    async with start() as engine:
        subject = await engine.report(fires())
        behind(engine, "delete from timers where kind = 'core.page_deadline'")
        await minutes(engine, 1)
        failed = "select count(*) from events where kind = 'page.failed'"
        assert await engine.sql(failed) == [(1,)]
        start.chat.fails = lambda _: None
        await minutes(engine, 1)
        room = engine.chat.texts("room/#ops")
        assert [line for line in room if "page to alice failed: not taken within a minute" in line]
        assert engine.run.daemon.auditor.complaint() == ""
        assert subject in room[0]


async def test_a_page_that_was_delivered_and_not_noted_is_noted(start: Start) -> None:
    async with start() as engine:
        await engine.report(fires())
        raw = sqlite3.connect(engine.run.tocsin.state.database)
        triggers = [name for (name,) in raw.execute("select name from sqlite_master where type = 'trigger'")]
        raw.close()
        behind(
            engine,
            *(f"drop trigger {name}" for name in triggers),
            "delete from events where kind = 'page.delivered'",
        )
        await minutes(engine, 1)
        noted = "select count(*) from events where kind = 'page.delivered'"
        assert await engine.sql(noted) == [(1,)]
        assert found(engine)[0].endswith("paged, and nobody knows what became of that: taken up again")


async def test_an_engine_that_hangs_is_told_once_that_is_certain(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.engine.CYCLE_WITHIN", timedelta(seconds=0.2))
    async with start() as engine:
        waits = asyncio.Event()

        async def hangs(**_: bool) -> None:
            await waits.wait()

        monkeypatch.setattr(engine.run.daemon.intake.nudge, "whole_pass", hangs)
        await minutes(engine, 2)
        assert found(engine) == []
        await minutes(engine, 1)
        (told,) = found(engine)
        assert told.startswith("timers or bodies are not looked at: so no page may come. Restart")
        waits.set()
        await minutes(engine, 1)
        assert found(engine)[1:] == ["the engine turns again"]


async def test_an_engine_that_has_much_to_do_does_not_hang(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.engine.CYCLE_WITHIN", timedelta(seconds=0.5))
    async with start() as engine:
        nudge, over = engine.run.daemon.intake.nudge, asyncio.Event()

        async def endless() -> None:
            """A storm: each time that it looks, more has come."""
            while not over.is_set():
                await asyncio.sleep(0)
                nudge.idle = False
                nudge.step()

        storm = asyncio.create_task(endless())
        nudge.idle = False
        assert await engine.run.daemon.engine.hangs() == ""
        over.set()
        await storm
        nudge.give()
        await engine.run.settled()


async def test_a_database_that_cannot_be_read_is_told(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start() as engine:
        monkeypatch.setattr(type(engine.run.tocsin.state), "database", Path("/nowhere"))
        await minutes(engine, 3)
        assert found(engine)[0].startswith("/nowhere: there is no database")


async def test_a_self_check_that_never_ends_is_a_complaint(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as engine:
        auditor = engine.run.daemon.auditor
        monkeypatch.setattr(auditor, "_look", asyncio.Event().wait)
        monkeypatch.setattr(type(auditor), "idle", True)
        await minutes(engine, 3)
        assert auditor.complaint() == ""
        await minutes(engine, 1)
        assert auditor.complaint() == "the self-check has not ended for 4m"


# ── What is well ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_network_that_is_away_for_an_hour_is_no_fault_of_ours(start: Start) -> None:
    async with start() as engine:
        assert engine.chat.listener
        engine.chat.fails = deaf
        engine.chat.listener.down("console", "no link")
        for number in range(20):
            await engine.report(fires(key=f"disk{number}"))
        await minutes(engine, 60)
        assert engine.run.daemon.auditor.complaint() == ""
        engine.chat.fails = lambda _: None
        engine.chat.listener.up("console")
        await minutes(engine, 5)
        assert found(engine) == []


async def test_a_link_that_fails_while_its_network_seems_up_is_no_fault_of_ours(start: Start) -> None:
    async with start() as engine:
        engine.chat.fails = deaf
        for number in range(5):
            await engine.report(fires(key=f"disk{number}"))
        await minutes(engine, 10)
        assert engine.run.daemon.auditor.complaint() == ""
        engine.chat.fails = lambda _: None
        await minutes(engine, 2)
        assert found(engine) == []


async def test_who_is_nowhere_online_for_an_hour_is_no_fault_of_ours(start: Start) -> None:
    absent = NetworkError("nowhere online", absent=True, unsent=True)
    async with start() as engine:
        engine.chat.fails = lambda said: absent if said.place.private else None
        await engine.report(fires())
        await minutes(engine, 10)
        assert found(engine) == []


async def test_clocks_that_jump_are_no_fault_of_ours(start: Start) -> None:
    async with start() as engine:
        await engine.report(fires())
        for hours in (9, -5):
            engine.run.clock.step(timedelta(hours=hours))
            await minutes(engine, 3)
        engine.run.clock.move(timedelta(hours=8))  # it slept
        await engine.run.settled()
        await minutes(engine, 3)
        assert found(engine) == []
    start.clock.reboot()
    async with start() as engine:
        await minutes(engine, 3)
        assert found(engine) == []


async def test_what_came_to_its_end_needs_no_next_step(start: Start) -> None:
    async with start() as engine:
        first, second = [await engine.report(fires(key=key)) for key in ("one", "two")]
        await engine.says("alice", f"ack {first}")
        await engine.report(over("two"))
        for _ in range(4):
            await engine.report(fires(alert("Comes"), key="goes"))
            await minutes(engine, 1)
            await engine.report(over("goes"))
        await minutes(engine, 40)
        assert found(engine) == []
        assert await engine.state(second) == "resolved"


# ── What it costs ───────────────────────────────────────────────────────────────────────────────────────────


async def look(engine: Engine) -> tuple[float, float]:
    """How long a look takes, and how long the event loop was held up at most meanwhile; in ms."""
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            worst = max(worst, time.perf_counter() - began - 0.005)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    await engine.run.daemon.auditor._look()  # noqa: SLF001 (a look, and nothing else)
    took = time.perf_counter() - began
    watching.cancel()
    return took * 1000, worst * 1000


def opened(event: GroupOpened, tx: Transaction) -> None:
    """Each second one is answered at once."""
    if tx.group(event.subject).key.endswith("0"):
        tx.record(tx.group(event.subject).acknowledge("alice", tx.now))
    else:
        tx.set_timer("pager.step", event.subject, after=timedelta(hours=1))


@pytest.mark.alone
async def test_ten_thousand_open_alerts_are_looked_at_without_holding_anything_up(
    start: Start, figure: Figure
) -> None:
    declared = replace(Pager().declared(), reactions=[("pager", on(GroupOpened, opened))])
    async with start(declared) as engine:
        turn = engine.run.tocsin.turn
        for at in range(0, OPEN, 100):
            news = [fires(key=f"{number} {number % 2}") for number in range(at, at + 100)]
            await asyncio.gather(*(turn(partial(report, news=one)) for one in news))
        await engine.run.settled()
        for _ in range(2):
            took, held = await look(engine)
            figure(
                f"self-check of {OPEN:,} open alerts: {took:.0f} ms, the loop held up {held:.0f} ms at most"
            )
            assert engine.run.daemon.auditor.complaint() == ""
            assert held < 100
        assert await engine.sql("select count(*) from subjects where closed_at is null") == [(OPEN,)]
        behind(engine, "delete from timers where kind = 'pager.step'")
        await look(engine)
        assert "and 4,997 more" in engine.run.daemon.auditor.complaint()
