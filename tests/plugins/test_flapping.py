"""What comes and goes is one alert: said once, and over when it stays quiet."""

import random
from datetime import timedelta

import pytest

from tests.engine import fires, over
from tests.plugins.flapping_parts import (
    BEGAN,
    HELD,
    SLOW,
    begins_to_flap,
    comes_and_goes,
    flaps,
    is_open,
    rings,
)
from tests.tower import FACT, Tower, asks, timers

# While it flaps.


async def test_it_is_said_once_to_all_who_know_of_it_and_then_no_change_is(tower: Tower) -> None:
    async with tower(SLOW) as engine:
        subject = await begins_to_flap(engine)
        line = f"{subject} {BEGAN}: {FACT} · !ack {subject}"
        for place in ("room/#ops", "person/alice"):
            assert engine.chat.texts(place).count(line) == 1
        await engine.advance(minutes=1)
        before = len(engine.chat.said)
        await engine.report(over())
        await engine.advance(minutes=1)
        assert await comes_and_goes(engine, 3) == subject
        assert engine.chat.said[before:] == []
        (listed,) = await asks(engine, "alice", "alerts")
        assert listed.startswith("1 alert open, 1 without an answer\n")
        assert "(since 03:00:00; nobody has answered; flapping, 7 times, quiet now)" in listed
        (why,) = await asks(engine, "alice", f"why {subject}")
        assert why.startswith(f"{subject} triggered; flapping, 7 times, quiet now: {FACT}")
        assert "03:06:00 flapping: fired 4 times in 6m" in why
        assert why.endswith("03:07:00 came and went until 03:13:00: fired 3 times")


async def test_it_climbs_on_and_nobody_is_called_by_each_change(tower: Tower) -> None:
    async with tower() as engine:
        await begins_to_flap(engine)
        began = len(tower.chat.pages())
        await engine.advance(minutes=1)
        await engine.report(over())
        await engine.advance(minutes=1)
        await comes_and_goes(engine, 10)
        # Bob's step comes due at 03:08, while it is quiet, and again the first ten minutes later.
        assert tower.chat.pages()[began:] == ["03:08:00 bob", "03:18:00 alice", "03:23:00 bob"]


async def test_while_it_is_quiet_nobody_is_called_and_what_came_due_comes_when_it_fires_again(
    tower: Tower,
) -> None:
    async with tower() as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
        before = len(engine.chat.said)
        await engine.advance(minutes=14, seconds=59)
        assert engine.chat.said[before:] == []
        assert not await rings(engine, subject)
        assert await engine.report(fires()) == subject
        assert tower.chat.pages()[-1] == "03:20:59 bob"
        assert await timers(engine) == [subject]


async def test_what_has_stayed_quiet_is_over_and_says_so_once(tower: Tower) -> None:
    async with tower(SLOW) as engine:
        subject = await begins_to_flap(engine)
        await engine.advance(minutes=1)
        await engine.report(over())
        await engine.advance(minutes=14)
        await engine.report(over())  # once more the same
        before = len(engine.chat.said)
        await engine.advance(minutes=2)
        line = f"resolved: quiet for 15m after flapping 4 times, without an answer: {FACT}"
        assert [said.message.text for said in engine.chat.said[before:]] == [line, line]
        assert not await is_open(engine, subject)
        assert await timers(engine) == []
        # What fires after that counts from the beginning.
        assert await comes_and_goes(engine, 3) == subject
        assert not await is_open(engine, subject)


async def test_what_has_fired_on_flaps_no_more_and_its_end_is_its_end(tower: Tower) -> None:
    async with tower(SLOW) as engine:
        subject = await begins_to_flap(engine)
        await engine.says("bob", f"ack {subject}")
        await engine.advance(minutes=14, seconds=59)
        before = len(engine.chat.said)
        await engine.advance(seconds=1)
        line = f"fires without a break for 15m after flapping 4 times: {FACT}"
        assert {said.message.text for said in engine.chat.said[before:]} == {line}
        assert "flapping" not in str(await asks(engine, "alice", "alerts"))
        await engine.report(over())
        assert tower.chat.told()[-1] == "03:21:00 resolved by its source"
        assert not await is_open(engine, subject)
        await engine.report(fires())
        await comes_and_goes(engine, 2)
        assert "flapping" not in str(await asks(engine, "alice", "alerts"))
        await engine.report(fires())
        assert "flapping, 4 times" in str(await asks(engine, "alice", "alerts"))


# Restarts.


@pytest.mark.parametrize("reboots", [False, True])
@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
async def test_it_flaps_on_over_restarts_and_is_over_in_time(
    tower: Tower, *, crash: bool, reboots: bool
) -> None:
    async with tower(SLOW, crash=crash) as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
    tower.clock.move(timedelta(minutes=5))
    if reboots:
        tower.clock.reboot()
    async with tower(SLOW, crash=crash) as engine:
        before = len(engine.chat.said)
        assert await engine.report(fires()) == subject
        await engine.report(over())
        assert engine.chat.said[before:] == []
    async with tower(SLOW) as engine:
        assert "flapping, 5 times, quiet now" in str(await asks(engine, "alice", "alerts"))
        await engine.advance(minutes=14, seconds=59)
        assert await is_open(engine, subject)
        await engine.advance(seconds=1)
        assert "resolved: quiet for 15m after flapping 5 times" in tower.chat.told()[-1]


async def test_nothing_is_called_quiet_that_nobody_could_hear(tower: Tower) -> None:
    async with tower(SLOW, crash=True) as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
        before = len(engine.chat.said)
    tower.clock.move(timedelta(hours=2))
    async with tower(SLOW) as engine:
        assert await is_open(engine, subject)
        assert engine.chat.said[before:] == []
        assert await engine.sql(HELD) == [(1,)]
        await engine.report(fires())
        assert tower.chat.pages()[-1] == "05:06:00 bob"  # whose time had come
        await engine.report(over())
        await engine.advance(minutes=15)
        assert not await is_open(engine, subject)


@pytest.mark.parametrize("reboots", [False, True])
@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
async def test_nothing_is_called_quiet_soon_after_a_time_in_which_nobody_could_hear(
    tower: Tower, *, crash: bool, reboots: bool
) -> None:
    async with tower(SLOW, crash=crash) as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
        await engine.advance(minutes=1)
    tower.clock.move(timedelta(minutes=14, seconds=30))
    if reboots:
        tower.clock.reboot()
    async with tower(SLOW) as engine:
        await engine.advance(minutes=14, seconds=59)
        assert await is_open(engine, subject)
        await engine.advance(seconds=1)
        assert "resolved: quiet for 15m after flapping 4 times" in tower.chat.told()[-1]


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_comes_little_is_told_and_what_fires_has_an_answer_or_a_next_step(
    tower: Tower, seed: int
) -> None:
    dice, subject, silent = random.Random(seed), "", 0  # noqa: S311
    for life in range(4):
        async with tower(SLOW, crash=bool(life % 2)) as engine:
            for _ in range(25):
                flapped = subject and await flaps(engine, subject)
                told = len(tower.chat.told())
                match dice.choice(["fires"] * 4 + ["over"] * 4 + ["ack", "unack", "wait"]):
                    case "fires":
                        subject = await engine.report(fires())
                    case "over":
                        await engine.report(over())
                    case "wait":
                        await engine.advance(minutes=dice.choice([5, 16]))
                    case word if subject:
                        await engine.says("bob", f"{word} {subject}")
                if flapped and await flaps(engine, subject):
                    changes = str(tower.chat.told()[told:])
                    assert "fires again" not in changes
                    assert "by its source" not in changes
                    silent += 1
                await engine.advance(seconds=dice.randrange(60))
                assert not subject or not await rings(engine, subject) or subject in await timers(engine)
            assert "No plugin" not in str(engine.chat.said)
    assert silent


# Settings.


@pytest.mark.parametrize(
    ("setting", "flaps"),
    [
        ("after = 0", False),
        ("after = 4", False),
        ("after = 3", True),
        ("after = 1", True),
        ('within = "6m"', False),
        ('within = "6m1s"', True),
    ],
)
async def test_how_often_it_has_to_fire_is_a_setting(tower: Tower, setting: str, *, flaps: bool) -> None:
    async with tower(SLOW, f"[flapping]\n{setting}\n") as engine:
        subject = await begins_to_flap(engine)
        await engine.report(over())
        assert await is_open(engine, subject) is flaps


async def test_how_long_it_has_to_stay_as_it_is_is_a_setting_and_holds_for_what_flaps(tower: Tower) -> None:
    async with tower(SLOW, '[flapping]\nhold = "2m"\n') as engine:
        subject = await begins_to_flap(engine)
        assert "quiet or firing for 2m" in str(engine.chat.texts("room/#ops"))
    async with tower(SLOW, "[flapping]\nafter = 0\n") as engine:
        await engine.report(over())
        await engine.advance(minutes=1, seconds=59)
        assert await is_open(engine, subject)
        await engine.advance(seconds=1)
        assert not await is_open(engine, subject)
