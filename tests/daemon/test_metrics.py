"""What Tocsin tells Prometheus is true."""

import asyncio
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest

from tocsin import meters
from tocsin.alerts import report
from tocsin.domain.group import GroupOpened, GroupSilenced
from tocsin.errors import NetworkError, StateError, StoreUnavailable
from tocsin.intake import Route, Routes
from tocsin.rules import on
from tocsin.store import intake
from tocsin.transaction import Transaction

from tests.conftest import Figure
from tests.daemon.measured import Measured, measured
from tests.daemon.web_parts import Sender, posts
from tests.engine import Engine, Pager, Start, alert, fires, over
from tests.plugins.incident_parts import TABLES, declared
from tests.processes import PATIENCE
from tests.tower import Tower

LAG = "event_loop_lag_seconds"
NOBODY = NetworkError("nobody there", absent=True, unsent=True)


# ── Alerts, pages and answers ───────────────────────────────────────────────────────────────────────────────


async def test_an_alert_from_the_post_to_its_end(sender: Sender) -> None:
    engine = sender.engine
    before = await measured(engine)
    assert before("alerts_open", state="triggered", severity="critical") == 0
    assert before("posts_total", receiver="prod", code="202") == 0
    await sender.posts()
    (subject,) = await engine.run.tocsin.turn(lambda tx: [one.id for one in tx.open_groups()])
    rings = await measured(engine)
    assert rings("posts_total", receiver="prod", code="202") == 1
    assert rings("alerts_open", state="triggered", severity="critical") == 1
    assert rings("events_total", kind="group.opened") == 1
    assert rings("pages_total", network="console", outcome="delivered") == 1
    assert rings("messages_total", network="console", outcome="taken") >= 1
    assert rings("last_confirmed_page_seconds", network="console") == engine.run.clock.now().timestamp()
    assert rings("time_to_page_seconds_count") == 1
    assert rings("timers_waiting", kind="pager.step") == 1
    await engine.advance(seconds=90)
    await engine.says("alice", f"!ack {subject}", room="#ops")
    answered = await measured(engine)
    assert answered("alerts_open", state="triggered", severity="critical") == 0
    assert answered("alerts_open", state="acknowledged", severity="critical") == 1
    assert answered("time_to_acknowledge_seconds_count") == 1
    assert answered("time_to_acknowledge_seconds_sum") == 90
    await engine.run.tocsin.turn(lambda tx: tx.record(tx.group(subject).resolve("bob", tx.now)))
    assert (await measured(engine))("alerts_open", state="acknowledged", severity="critical") == 0


async def test_the_time_to_a_page_begins_with_the_post_and_ends_with_the_first_page(receiving: Start) -> None:
    """It waited 4 s to be taken in, and its page had to be sent again; the next step's page counts no more."""
    fails = [NetworkError("gone", unsent=True)]
    receiving.chat.fails = lambda said: fails.pop() if fails and said.place.private else None

    def was_posted(tx: Transaction) -> None:
        at = tx.now - timedelta(seconds=4)
        intake.add(tx.connection, route="post", receiver="prod", body=b"Disk", at=at)
        tx.bodies_kept = True

    async with receiving(posts()) as engine:
        await engine.run.tocsin.turn(was_posted)
        await engine.run.settled()
        assert (await measured(engine))("time_to_page_seconds_count") == 0
        await engine.advance(seconds=20)
        await engine.advance(minutes=5)
        found = await measured(engine)
    assert found("pages_total", network="console", outcome="delivered") == 2
    assert found("messages_total", network="console", outcome="put_off") == 1
    assert found("time_to_page_seconds_count") == 1
    assert 4 < found("time_to_page_seconds_sum") <= 24


async def test_what_rings_again_is_measured_anew(start: Start) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        await engine.says("alice", f"!ack {subject}", room="#ops")
        await engine.advance(minutes=10)
        await engine.says("alice", f"!unack {subject}", room="#ops")
        await engine.advance(seconds=45)
        await engine.says("bob", f"!ack {subject}", room="#ops")
        found = await measured(engine)
    assert found("time_to_acknowledge_seconds_count") == 2
    assert found("time_to_acknowledge_seconds_sum") == 45


async def test_pages_that_nobody_gets_are_told_apart(start: Start) -> None:
    start.chat.fails = lambda said: NOBODY if said.place.private else None
    async with start() as engine:
        await engine.report(fires())
        absent = await measured(engine)
        assert absent("pages_total", network="console", outcome="absent") == 1
        assert absent("messages_total", network="console", outcome="absent") == 1
        assert absent("outbox_messages", network="console", lane="page") == 1
        start.chat.fails = lambda said: NetworkError("no", unsent=True) if said.place.private else None
        await engine.report(fires(key="other"))
        await engine.advance(seconds=59)
        failed = await measured(engine)
    assert failed("pages_total", network="console", outcome="failed") == 1
    assert failed("outbox_oldest_seconds", network="console", lane="page") == 59
    assert failed("time_to_page_seconds_count") == 0


async def test_a_message_that_is_given_up_is_dead(start: Start) -> None:
    start.chat.fails = lambda said: NetworkError("banned", permanent=True) if said.place.private else None
    async with start() as engine:
        await engine.report(fires())
        found = await measured(engine)
    assert found("messages_total", network="console", outcome="given_up") == 1


async def test_incidents_are_counted_by_severity_and_drills_not_at_all(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    tower = Tower(write_config, tmp_path / "state")
    async with tower(*TABLES) as engine:
        number = await declared(engine, "sev3 mail is slow")
        await engine.says("alice", "!declare drill sev1 the cellar burns", room="#ops")
        found = await measured(engine)
        assert [found("incidents_open", severity=f"sev{n}") for n in (1, 2, 3, 4)] == [0, 0, 1, 0]
        assert found("events_total", kind="incident.declared") == 2
        await engine.says("alice", f"!done {number} it was nothing", room="#ops")
        await engine.says("alice", f"!done {number} anyway it was nothing", room="#ops")
        await engine.says("alice", f"!close {number}", room="#ops")
        found = await measured(engine)
    assert found("events_total", kind="incident.closed") == 1
    assert found("incidents_open", severity="sev3") == 0


async def test_what_is_open_is_known_again_after_a_restart(start: Start) -> None:
    async with start() as engine:
        paged_at = engine.run.clock.now().timestamp()
        first = await engine.report(fires())
        await engine.report(fires(alert(severity="warning"), key="other"))
        await engine.report(fires(key="third"))
        await engine.report(over(key="third"))
        await engine.says("alice", f"!ack {first}", room="#ops")
        await engine.advance(minutes=1)
    async with start(crash=True) as engine:
        await looked_at(engine)
        found = await measured(engine)
        assert found("alerts_open", state="acknowledged", severity="critical") == 1
        assert found("alerts_open", state="triggered", severity="warning") == 1
        assert found("alerts_open", state="triggered", severity="critical") == 0
        assert found("last_confirmed_page_seconds", network="console") == paged_at
        assert not found.has("last_confirmed_page_seconds", network="fallback")


async def looked_at(engine: Engine) -> None:
    """Wait until all that was open at the start was looked at."""
    name = "look at what is open"
    while looking := [task for task in asyncio.all_tasks() if task.get_name() in (name, "Meters")]:
        if all(task.get_name() == "Meters" for task in looking) and engine.run.daemon.meters.standing:
            return
        await asyncio.sleep(0)


# ── What is undone has not happened ─────────────────────────────────────────────────────────────────────────


async def test_what_was_undone_is_not_counted(start: Start) -> None:
    """A reaction and a command that record something, and then fail."""

    def reacts(event: GroupOpened, tx: Transaction) -> None:
        tx.record(GroupSilenced(subject=event.subject, at=tx.now, by="alice", until=tx.now))
        raise ZeroDivisionError

    pager = Pager().declared()
    broken = [*pager.reactions, ("broken", on(GroupOpened, reacts))]
    async with start(replace(pager, reactions=broken)) as engine:
        await engine.report(fires())
        found = await measured(engine)
        assert found("events_total", kind="group.opened") == 1
        assert found("events_total", kind="group.silenced") == 0
        assert found("alerts_open", state="triggered", severity="critical") == 1

        def fails(tx: Transaction) -> None:
            tx.record(tx.group(next(iter(tx.all_open("group")))).resolve("bob", tx.now))
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await engine.run.tocsin.turn(fails)
        found = await measured(engine)
    assert found("events_total", kind="group.resolved") == 0
    assert found("alerts_open", state="triggered", severity="critical") == 1


# ── How it stands ───────────────────────────────────────────────────────────────────────────────────────────


async def test_how_the_daemon_itself_stands(start: Start) -> None:
    async with start() as engine:
        run = engine.run
        found = await measured(engine)
        now = run.clock.now().timestamp()
        assert found("network_up", network="console") == 1
        assert found("network_last_heard_seconds", network="console") == now
        assert found("start_time_seconds") == now
        assert found("last_turn_seconds") == now
        assert found("commit_duration_seconds_count") > 0
        assert found("database_bytes") > 0
        assert found("database_wal_bytes") > 0
        assert found("disk_size_bytes") > found("disk_free_bytes") > 0
        assert [found(name) for name in ("disk_full", "store_failing", "bodies_waiting")] == [0, 0, 0]
        assert found("timers_overdue_seconds") == 0
        assert found("build_info", version="0.1.0.dev0", python=platform.python_version()) == 1
        assert found.samples["process_resident_memory_bytes", frozenset()] > 1e6
        run.daemon.ears.down("console", "the server is gone")
        run.tocsin.state.short_of_room = True
        found = await measured(engine)
    assert found("network_up", network="console") == 0
    assert found("disk_full") == 1


async def test_a_timer_that_nobody_rings_is_overdue(start: Start) -> None:
    async with start() as engine:
        await engine.report(fires())
        engine.run.daemon.ringer.nudge.give = lambda: None  # type: ignore[method-assign] # it sleeps for ever
        engine.run.tocsin.on_timer = lambda: None
        engine.run.clock.every("ringer", timedelta(seconds=1), lambda: None)
        engine.run.clock.wake_at("ringer", engine.run.clock.now() + timedelta(days=1), lambda: None)
        engine.run.clock.move(timedelta(minutes=7))
        found = await measured(engine)
    assert found("timers_waiting", kind="core.prune") == 1, "it was to ring a minute after the start"
    assert found("timers_overdue_seconds") == 6 * 60


def fails(*_: object) -> None:
    raise ZeroDivisionError


async def test_a_body_that_could_not_be_taken_in_waits(sender: Sender) -> None:
    sender.engine.run.tocsin.rules.of(Routes)["post"] = Route("", lambda *_: "x", fails)
    await sender.posts()
    assert (await measured(sender.engine))("bodies_waiting") == 1
    assert (await sender.engine.run.daemon._status({}))["bodies waiting"] == 1  # noqa: SLF001


async def test_a_plugin_that_fails_again_and_again_is_left_out_and_counted(start: Start) -> None:
    breaks = Mock(side_effect=ZeroDivisionError)
    pager = Pager().declared()
    frail = [*pager.reactions, ("escalation", on(GroupOpened, lambda *_: breaks()))]
    async with start(replace(pager, reactions=frail)) as engine:
        assert (await measured(engine))("plugin_left_out", plugin="escalation") == 0
        for number in range(6):
            await engine.report(fires(key=str(number)))
        found = await measured(engine)
        assert found("plugin_faults_total", plugin="escalation") == 5
        assert found("plugin_left_out", plugin="escalation") == 1
        assert found("plugin_left_out", plugin="alertmanager") == 0
        breaks.side_effect = None
        await engine.advance(minutes=2)
        found = await measured(engine)
    assert found("plugin_faults_total", plugin="escalation") == 5
    assert found("plugin_left_out", plugin="escalation") == 0


async def test_a_commit_that_fails_is_counted(start: Start) -> None:
    async with start() as engine:

        def fails(tx: Transaction) -> None:
            tx.connection.exec_driver_sql("ROLLBACK")
            tx.connection.exec_driver_sql("select 1")

        with pytest.raises(StoreUnavailable):
            await engine.run.tocsin.turn(fails)
        found = await measured(engine)
    assert found("store_failures_total") == 1


async def test_how_late_the_event_loop_is(start: Start) -> None:
    async with start() as engine:

        async def looked() -> Measured:
            """As it stands once it was looked again."""
            before = await measured(engine)
            while (after := await measured(engine))(f"{LAG}_count") == before(f"{LAG}_count"):
                await asyncio.sleep(0.01)
            return after

        await looked()
        time.sleep(meters.LOOK_EVERY + 0.6)
        found = await looked()
    assert found(f"{LAG}_count") > found(f"{LAG}_bucket", le="0.5")


async def test_when_the_database_cant_be_read_the_rest_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: object) -> None:
        raise StateError("the disk is gone")

    async with start() as engine:
        monkeypatch.setattr("tocsin.gauges.count", fails)
        found = await measured(engine)
    assert found("network_up", network="console") == 1
    assert not any("outbox" in name for name in found.names())
    assert "what waits can't be counted: the disk is gone" in caplog.text


# ── How long it takes ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.alone
async def test_of_10000_alerts_it_is_told_in_100_ms_beside_all_else(start: Start, figure: Figure) -> None:
    async with start() as engine:
        blocked, goes_on = threading.Event(), threading.Event()

        def many(first: int, tx: Transaction) -> None:
            for number in range(first, first + 50):
                report(tx, fires(alert(f"A{number}"), key=str(number)))

        def block(_: Transaction) -> None:
            blocked.set()
            goes_on.wait(PATIENCE)

        start.chat.fails = lambda _: NetworkError("gone", unsent=True)
        for first in range(0, 10_000, 50):
            await engine.run.tocsin.turn(partial(many, first))
        turn = asyncio.create_task(engine.run.tocsin.turn(block))
        await asyncio.to_thread(blocked.wait, PATIENCE)
        took, found = list[float](), await measured(engine)
        for _ in range(10):
            began = time.perf_counter()
            found = await measured(engine)
            took.append(time.perf_counter() - began)
        goes_on.set()
        await turn
        start.chat.fails = lambda _: None
    assert found("alerts_open", state="triggered", severity="critical") == 10_000
    assert found("outbox_messages", network="console", lane="page") >= 10_000
    figure(f"/metrics of 10,000 open alerts: {min(took) * 1000:.0f} ms")
    assert min(took) < 0.1
