"""The machine's own clocks: what was asked for is called, late rather than never."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import pytest

from tocsin.clock import SystemClock

SOON = timedelta(milliseconds=20)
WITHIN = 5.0
"""How many seconds of real time anything here may take."""


@pytest.fixture
async def clock() -> AsyncIterator[SystemClock]:
    clock = SystemClock()
    yield clock
    clock.close()


async def comes(event: asyncio.Event) -> None:
    async with asyncio.timeout(WITHIN):
        await event.wait()


async def barrier(length: timedelta) -> None:
    """An alarm of another clock, so that one of ours that should not come has had its time."""
    other, passed = SystemClock(), asyncio.Event()
    other.wake_at("barrier", other.now() + length, passed.set)
    await comes(passed)
    other.close()


async def test_an_alarm_comes_at_its_time_and_in_the_event_loop(clock: SystemClock) -> None:
    woken, when, loops = asyncio.Event(), [], []

    def wake() -> None:
        when.append(clock.now())
        loops.append(asyncio.get_running_loop())
        woken.set()

    at = clock.now() + SOON
    clock.wake_at("one", at, wake)
    await comes(woken)
    assert at <= when[0] < at + timedelta(seconds=WITHIN)
    assert loops == [asyncio.get_running_loop()]


async def test_an_alarm_that_is_late_is_not_dropped(clock: SystemClock) -> None:
    woken = asyncio.Event()
    clock.wake_at("late", clock.now() + SOON, woken.set)
    time.sleep(SOON.total_seconds() + 1.5)  # a loop that is held up is the point
    assert not woken.is_set()
    await comes(woken)


async def test_an_alarm_for_a_time_that_has_passed_comes_at_once(clock: SystemClock) -> None:
    woken = asyncio.Event()
    clock.wake_at("past", clock.now() - timedelta(hours=1), woken.set)
    await comes(woken)


@pytest.mark.parametrize("first", [SOON, timedelta(hours=1)], ids=["sooner", "later"])
async def test_an_alarm_replaces_the_one_of_the_same_name(clock: SystemClock, first: timedelta) -> None:
    replaced, woken = asyncio.Event(), asyncio.Event()
    clock.wake_at("same", clock.now() + first, replaced.set)
    clock.wake_at("same", clock.now() + 2 * SOON, woken.set)
    await comes(woken)
    assert not replaced.is_set()


async def test_alarms_of_other_names_are_left_alone(clock: SystemClock) -> None:
    one, other = asyncio.Event(), asyncio.Event()
    clock.wake_at("one", clock.now() + SOON, one.set)
    clock.wake_at("other", clock.now() + SOON, other.set)
    await comes(one)
    await comes(other)


async def test_an_alarm_that_has_come_may_be_set_anew(clock: SystemClock) -> None:
    for _ in range(3):
        woken = asyncio.Event()
        clock.wake_at("again", clock.now() + SOON, woken.set)
        await comes(woken)


async def test_a_tick_comes_again_and_again_even_if_one_fails(clock: SystemClock) -> None:
    ticks, enough = [], asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)

    def tick() -> None:
        ticks.append(clock.boot())
        if len(ticks) == 2:
            raise ValueError
        if len(ticks) == 4:
            enough.set()

    clock.every("tick", SOON, tick)
    await comes(enough)
    pauses = [later - sooner for sooner, later in pairwise(ticks)]
    assert all(pause >= SOON / 2 for pause in pauses)


async def test_a_tick_replaces_the_one_of_the_same_name(clock: SystemClock) -> None:
    replaced, ticked = asyncio.Event(), asyncio.Event()
    clock.every("tick", SOON, replaced.set)
    clock.every("tick", 3 * SOON, ticked.set)
    await comes(ticked)
    assert not replaced.is_set()


async def test_a_closed_clock_calls_nothing() -> None:
    clock, called = SystemClock(), asyncio.Event()
    clock.wake_at("alarm", clock.now() + SOON, called.set)
    clock.every("tick", SOON, called.set)
    clock.close()
    await barrier(5 * SOON)
    assert not called.is_set()


async def test_the_boot_clock_only_goes_forward_and_names_its_boot(clock: SystemClock) -> None:
    times = [clock.boot() for _ in range(1000)]
    assert times == sorted(times)
    assert timedelta(0) < times[0]
    await barrier(SOON)
    assert clock.boot() - times[-1] >= SOON / 2
    other = SystemClock()
    assert clock.boot_id == other.boot_id != ""
    other.close()


async def test_the_wall_clock_knows_its_zone(clock: SystemClock) -> None:
    assert clock.now().utcoffset() == timedelta(0)
