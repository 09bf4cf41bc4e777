"""What must happen later happens once its time has come, whatever the clocks and the daemon do meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import StaticPool, create_engine

from tocsin.plugins import Declared
from tocsin.ringer import LOOK_EVERY
from tocsin.rules import owned
from tocsin.store import timers
from tocsin.store.schema import metadata
from tocsin.store.timers import Now, Timer, microseconds
from tocsin.testing import HandClock
from tocsin.transaction import Transaction

from tests.engine import Engine, Pager, Start, fires

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
DELAY = 10 * MINUTE
LENGTHS = st.timedeltas(timedelta(0), timedelta(days=400))
STEPS = st.timedeltas(timedelta(days=-20_000), timedelta(days=2000))
NIGHT = datetime(2026, 11, 21, 3, tzinfo=UTC)


def fine(_: Timer, __: Transaction) -> None:
    pass


@dataclass
class Bell:
    """Rings, and remembers when that was on the boot clock. fails: what its handler does before that."""

    rung: list[tuple[str, timedelta]] = field(default_factory=list)
    fails: Callable[[Timer, Transaction], object] = fine

    def declared(self) -> Declared:
        return Declared(timers={"bell.ring": owned("bell", self.ring)})

    def ring(self, timer: Timer, tx: Transaction) -> None:
        self.fails(timer, tx)
        self.rung.append((timer.key, timedelta(microseconds=tx.time.boot)))

    @property
    def times(self) -> list[timedelta]:
        return [at for _, at in self.rung]


async def later(engine: Engine, key: str = "", **when: Any) -> None:
    await engine.run.tocsin.turn(lambda tx: tx.set_timer("bell.ring", key, **when))
    await engine.run.settled()


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.mark.parametrize("step", [-HOUR, timedelta(0), HOUR], ids=["back", "no", "forward"])
async def test_a_delay_is_exact_over_steps_and_restarts(start: Start, bell: Bell, step: timedelta) -> None:
    began = start.clock.boot()
    async with start(bell.declared()) as engine:
        await later(engine, "stepped", after=DELAY)
        await later(engine, "restarted", after=HOUR)
        await engine.advance(minutes=4)
        start.clock.step(step)
        await engine.advance(minutes=10)
    start.clock.move(10 * MINUTE)
    start.clock.step(step)
    async with start(bell.declared()) as engine:
        await engine.advance(hours=2)
    assert bell.rung == [("stepped", began + DELAY), ("restarted", began + HOUR)]


async def test_after_a_reboot_what_is_left_by_the_wall_clock_counts(start: Start, bell: Bell) -> None:
    async with start(bell.declared()) as engine:
        await later(engine, after=DELAY)
        await engine.advance(minutes=4)
    start.clock.move(3 * MINUTE)
    start.clock.reboot()
    async with start(bell.declared()) as engine:
        await engine.advance(hours=2)
    assert bell.times == [3 * MINUTE]


async def test_a_machine_that_comes_up_in_1970_waits_no_longer(start: Start, bell: Bell) -> None:
    async with start(bell.declared()) as engine:
        await later(engine, after=DELAY)
    start.clock.reboot()
    start.clock.step(datetime(1970, 1, 1, tzinfo=UTC) - start.clock.now())
    async with start(bell.declared()) as engine:
        await engine.advance(minutes=1)
        start.clock.step(timedelta(days=20_000))  # the right time has come over the net
        await engine.advance(hours=2)
    assert bell.times == [DELAY]


async def test_a_time_of_day_follows_the_wall_clock(start: Start, bell: Bell) -> None:
    began = start.clock.boot()
    async with start(bell.declared()) as engine:
        await later(engine, "stepped over", at=start.clock.now() + HOUR)
        start.clock.step(HOUR)
        await engine.run.settled()
        assert bell.rung == [("stepped over", began)]
        await later(engine, "set back", at=start.clock.now() + HOUR)
        start.clock.step(-HOUR)
        await engine.advance(hours=3)
        assert bell.rung[1:] == [("set back", began + 2 * HOUR)]


async def test_setting_again_moves_and_cancelling_removes(start: Start, bell: Bell) -> None:
    began = start.clock.boot()
    async with start(bell.declared()) as engine:
        for key in ("kept", "moved", "hastened", "cancelled"):
            await later(engine, key, after=DELAY)
        await later(engine, "moved", after=2 * DELAY)
        await later(engine, "hastened", at=start.clock.now() + MINUTE)
        await engine.run.tocsin.turn(lambda tx: tx.cancel_timer("bell.ring", "cancelled"))
        await engine.advance(hours=1)
    assert bell.rung == [("hastened", began + MINUTE), ("kept", began + DELAY), ("moved", began + 2 * DELAY)]


async def test_unknown_kinds_are_named_and_wait_for_their_plugin(
    start: Start, bell: Bell, caplog: pytest.LogCaptureFixture
) -> None:
    async with start(bell.declared()) as engine:
        await later(engine, after=DELAY)
    async with start() as engine:
        await engine.advance(hours=2)
        assert "timers of kind bell.ring are left alone: no plugin that runs knows them" in caplog.text
    async with start(bell.declared()) as engine:
        assert len(bell.rung) == 1
        await engine.advance(hours=2)
    assert len(bell.rung) == 1


async def test_after_a_long_stop_each_tree_climbs_one_step(start: Start) -> None:
    async with start() as engine:
        subjects = [await engine.report(fires(key=key)) for key in ("disk", "net", "cpu")]
        assert len(engine.chat.texts("person/alice")) == 3
    start.clock.move(10 * HOUR)
    async with start() as engine:
        assert sorted(text.split()[0] for text in engine.chat.texts("person/bob")) == sorted(subjects)
        await engine.advance(minutes=5)
        assert len(engine.chat.texts("person/bob")) == 6


async def test_a_thousand_timers_that_are_due_at_once_ring_once_each(start: Start, bell: Bell) -> None:
    keys = {str(number) for number in range(1000)}

    def set_all(tx: Transaction) -> None:
        for key in keys:
            tx.set_timer("bell.ring", key, after=DELAY)

    async with start(bell.declared()) as engine:
        await engine.run.tocsin.turn(set_all)
        await engine.advance(hours=1)
    assert sorted(key for key, _ in bell.rung) == sorted(keys)


async def test_a_handler_that_sets_its_own_timer_again_goes_on(start: Start, bell: Bell) -> None:
    bell.fails = lambda timer, tx: tx.set_timer("bell.ring", timer.key, after=DELAY)
    began = start.clock.boot()
    async with start(bell.declared()) as engine:
        await later(engine, after=DELAY)
        await engine.advance(minutes=35)
    assert bell.times == [began + turns * DELAY for turns in (1, 2, 3)]


async def test_without_its_alarm_the_ringer_is_at_most_a_second_late(start: Start, bell: Bell) -> None:
    periods = {}

    class Deaf(HandClock):
        def wake_at(self, name: str, at: datetime, call: Callable[[], None]) -> None:
            pass

        def every(self, name: str, period: timedelta, call: Callable[[], None]) -> None:
            periods[name] = period
            super().every(name, period, call)

    start.clock = Deaf()
    began = start.clock.boot()
    async with start(bell.declared()) as engine:
        assert periods["ringer"] == LOOK_EVERY <= SECOND
        await later(engine, after=4.5 * SECOND)
        for _ in range(8):
            await engine.advance(seconds=1)
    assert bell.times == [began + 5 * SECOND]


async def test_what_fails_is_undone_and_tried_again_with_growing_pauses(start: Start, bell: Bell) -> None:
    tried = []

    def fails(_: Timer, tx: Transaction) -> None:
        tried.append(timedelta(microseconds=tx.time.boot))
        tx.tell("half done")
        tx.set_timer("bell.ring", "half done", after=DELAY)
        raise ZeroDivisionError

    bell.fails = fails
    async with start(bell.declared()) as engine:
        await later(engine, "tea", after=DELAY)
        await engine.advance(minutes=30)
        pauses = [next_ - one for one, next_ in pairwise(tried)]
        assert pauses == [n * SECOND for n in (1, 4, 16, 64, 256, 300, 300)]
        assert engine.chat.texts() == [
            "tea bell.ring failed 3 times (ZeroDivisionError). It is tried again. See the log."
        ]
        bell.fails = fine
        await engine.advance(minutes=5)
        assert [key for key, _ in bell.rung] == ["tea"]
        assert await engine.sql("select kind from timers order by kind") == [
            ("core.backup",),
            ("core.prune",),
        ]


async def test_a_failure_that_holds_up_an_alert_is_an_alarm(start: Start, bell: Bell) -> None:
    bell.fails = lambda _, __: 1 / 0
    pager = Pager().declared()
    async with start(replace(pager, timers={**pager.timers, **bell.declared().timers})) as engine:
        subject = await engine.report(fires())
        await later(engine, subject, after=MINUTE)
        await engine.advance(minutes=2)
        page = engine.chat.texts("person/alice")[0]
        alarms = [
            f"{page}\nbell.ring failed{often} (ZeroDivisionError). It is tried again."
            for often in ("", " 3 times")
        ]
        assert engine.chat.texts("room/#ops") == alarms
        await engine.says("alice", "!ack", room="#ops")
        await later(engine, subject, after=MINUTE)
        await engine.advance(minutes=2)
        told = f"{subject} bell.ring failed 3 times (ZeroDivisionError). It is tried again. See the log."
        assert engine.chat.texts("room/#ops")[3:] == [told]


@given(delay=LENGTHS, passes=st.lists(st.tuples(LENGTHS, STEPS, st.booleans()), max_size=5))
@example(delay=DELAY, passes=[(MINUTE, timedelta(days=-20_000), True), (DELAY, HOUR, False)])
def test_a_delay_is_due_when_it_has_passed_and_never_before(
    delay: timedelta, passes: list[tuple[timedelta, timedelta, bool]]
) -> None:
    """The daemon starts anew each time, after a reboot or not, with its wall clock anywhere."""
    boot, boot_id = HOUR, "1"
    due = boot + delay
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"isolation_level": None})
    with engine.connect() as connection:
        metadata.create_all(connection)
        connection.exec_driver_sql("BEGIN")
        timers.set_after(connection, "a.b", "", delay, Now(NIGHT, microseconds(boot), boot_id))
        for length, step, reboots in passes:
            boot += length
            if reboots:
                boot, boot_id = timedelta(0), boot_id + "'"
                due = min(max(delay - step, timedelta(0)), delay)
            now = Now(NIGHT + step, microseconds(boot), boot_id)
            timers.after_start(connection, now)
            assert [one.kind for one in timers.due(connection, now, ["a.b"], 9)] == ["a.b"] * (boot >= due)
            assert (timers.still_due(connection, "a.b", "", now) is not None) is (boot >= due)
            assert timers.next_due(connection, now, ["a.b"]) == now.at + (due - boot)
    engine.dispose()


async def test_what_only_raised_before_a_crash_is_not_given_up(start: Start, bell: Bell) -> None:
    bell.fails = lambda _, __: 1 / 0
    async with start(bell.declared(), crash=True) as engine:
        await later(engine, "tea", after=MINUTE)
        await engine.advance(minutes=30)
    bell.fails = fine
    start.clock.move(timedelta(hours=1))
    async with start(bell.declared()) as engine:
        assert [key for key, _ in bell.rung] == ["tea"]
        assert not any("given up" in text for text in engine.chat.texts())


async def test_a_kind_that_nobody_declared_is_refused(start: Start) -> None:
    async with start() as engine:
        with pytest.raises(ValueError, match="no timer of kind"):
            await engine.run.tocsin.turn(lambda tx: tx.set_timer("pager.stpe", "", after=MINUTE))
