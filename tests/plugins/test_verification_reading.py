"""The past is asked for once, and then what is new; whatever fails, harms no other expression."""

import asyncio
import math
import random
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pytest

from tocsin.api import Series, Unreadable
from tocsin_verification import reading
from tocsin_verification.reading import DAY, LENGTH, RECENT, History, Reader

from tests.conftest import Figure
from tests.processes import PATIENCE

NOW = 1_790_000_000.0 // 300 * 300


def wave(at: float) -> float:
    return round(10 + math.sin(at / DAY * 2 * math.pi), 6)


@dataclass
class Scripted:
    """A source that has a wave for whatever it is asked, or what it is told. asked: expression, start, end, step.

    fails: how, for which expression, or for all ("").
    """

    value: Callable[[float], float] = wave
    since: float = 0.0
    labels: Sequence[dict[str, str]] = ({"service": "db"},)
    asked: list[tuple[str, float, float, float]] = field(default_factory=list)
    fails: dict[str, Unreadable] = field(default_factory=dict)
    answers: Callable[[], Awaitable[object]] | None = None
    under_way: int = 0
    most_under_way: int = 0

    async def read(self, expression: str, start: float, end: float, step: float) -> Sequence[Series]:
        self.asked.append((expression, start, end, step))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await (self.answers() if self.answers is not None else asyncio.sleep(0))
        finally:
            self.under_way -= 1
        for name in (expression, ""):
            if name in self.fails:
                raise self.fails[name]
        first, last = math.ceil(max(start, self.since) / step), math.floor(end / step)
        at = [number * step for number in range(first, last + 1)]
        return [Series(labels, at, [self.value(one) for one in at]) for labels in self.labels if at]


def whole(now: float) -> list[float]:
    """The times that are known at a time."""
    coarse = [at for at in np.arange((now - LENGTH) // 300 * 300, now - RECENT, 300.0) if at >= now - LENGTH]
    fine = [at for at in np.arange((now - RECENT) // 60 * 60, now + 1, 60.0) if at >= now - RECENT]
    return sorted({*coarse, *fine})


async def one(reader: Reader, now: float = NOW, expression: str = "up") -> History:
    (found,) = await reader.read("main", expression, now)
    return found


async def test_four_weeks_are_known_from_three_questions() -> None:
    source = Scripted()
    found = await one(Reader({"main": source}))
    assert found.at.tolist() == whole(NOW)
    assert found.values.tolist() == [wave(at) for at in whole(NOW)]
    assert found.labels == {"service": "db"}
    assert [(start - NOW, end - NOW, step) for _, start, end, step in source.asked] == [
        (-2 * DAY, 0, 60),
        (-15 * DAY, -2 * DAY, 300),
        (-28 * DAY, -15 * DAY, 300),
    ]


async def test_then_only_what_is_new_is_asked_for() -> None:
    source = Scripted()
    reader, now = Reader({"main": source}), NOW + 60 * 199
    for minute in range(1, 199):
        await one(reader, NOW + 60 * minute)
    found = await one(reader, now)
    assert [(start - NOW, end - NOW, step) for _, start, end, step in source.asked[3:5]] == [
        (-240, 120, 60),
        (-180, 180, 60),
    ]
    assert len(source.asked) == 3 + 198
    assert found.at[-1] == now
    # What is old is given up once an hour, so there may be an hour more of it.
    wanted = set(whole(now))
    assert wanted <= set(found.at.tolist())
    assert len(found.at) <= len(wanted) + 60
    assert (np.diff(found.at) > 0).all()
    assert found.values.tolist() == [wave(at) for at in found.at]


async def test_a_late_sample_is_seen_and_one_that_was_put_right() -> None:
    source = Scripted(value=lambda at: 0.0 if at > NOW - 120 else wave(at))
    reader = Reader({"main": source})
    assert (await one(reader)).values[-1] == 0
    source.value = wave
    found = await one(reader, NOW + 60)
    assert found.values.tolist() == [wave(at) for at in found.at]


async def test_what_is_asked_by_many_is_read_once() -> None:
    source = Scripted()
    reader = Reader({"main": source})
    found = await asyncio.gather(*(one(reader, NOW + second) for second in range(10)))
    assert len(source.asked) == 3
    assert all(each.at is found[0].at for each in found)


async def test_what_was_given_is_never_changed() -> None:
    reader = Reader({"main": Scripted()})
    before = await one(reader)
    copies = before.at.copy(), before.values.copy()
    await one(reader, NOW + 7200)
    assert (before.at == copies[0]).all()
    assert (before.values == copies[1]).all()
    with pytest.raises(ValueError, match="read-only"):
        before.values[0] = 1


async def test_a_series_that_ends_stays_known_and_one_that_begins_is_new() -> None:
    source = Scripted(labels=[{"pod": "a"}])
    reader = Reader({"main": source})
    await reader.read("main", "up", NOW)
    source.labels = [{"pod": "b"}]
    a, b = await reader.read("main", "up", NOW + 600)
    assert (a.labels, a.at[-1]) == ({"pod": "a"}, NOW - 360)
    assert (b.labels, b.at[0], b.at[-1]) == ({"pod": "b"}, NOW - 300, NOW + 600)


async def test_of_series_that_come_and_go_the_newest_are_kept() -> None:
    source = Scripted()
    reader = Reader({"main": source})
    for number in range(60):
        source.labels = [{"pod": f"{number}"}]
        await reader.read("main", "up", NOW + 600 * number)
    found = await reader.read("main", "up", NOW + 600 * 59)
    assert len(found) == reading.MOST_SERIES
    assert {one.labels["pod"] for one in found} == {f"{number}" for number in range(40, 60)}


async def test_nothing_is_no_error() -> None:
    assert await Reader({"main": Scripted(labels=[])}).read("main", "up", NOW) == []


async def test_a_source_that_is_none_is_told() -> None:
    with pytest.raises(Unreadable, match=r"there is no source other: see plugins.verification.sources"):
        await Reader({"main": Scripted()}).read("other", "up", NOW)


async def test_after_days_without_a_look_all_is_asked_for_anew() -> None:
    source = Scripted()
    reader = Reader({"main": source})
    await one(reader)
    found = await one(reader, NOW + 3 * DAY)
    assert len(source.asked) == 6
    assert found.at.tolist() == whole(NOW + 3 * DAY)


async def test_a_gap_is_filled_when_the_source_is_back() -> None:
    source = Scripted()
    reader = Reader({"main": source})
    await one(reader)
    source.fails[""] = Unreadable("source main can't be reached", down=True)
    for minute in range(1, 100):
        with pytest.raises(Unreadable):
            await one(reader, NOW + 60 * minute)
    source.fails.clear()
    found = await one(reader, NOW + 6000)
    assert set(whole(NOW + 6000)) <= set(found.at.tolist())


async def test_a_source_that_is_down_is_asked_once_a_minute_and_all_are_told() -> None:
    source = Scripted(fails={"": Unreadable("source main can't be reached", down=True)})
    reader = Reader({"main": source})

    async def look(now: float) -> list[object]:
        wanted = (reader.read("main", f"up{number}", now + number / 50) for number in range(100))
        return await asyncio.gather(*wanted, return_exceptions=True)

    first = await look(NOW)
    assert {str(error) for error in first} == {"source main can't be reached"}
    assert len(source.asked) == reading.AT_ONCE  # these were under way when it was found out
    for minute in range(1, 11):
        await look(NOW + 60 * minute)
    assert len(source.asked) == reading.AT_ONCE + 10
    source.fails.clear()
    assert not any(isinstance(found, Exception) for found in await look(NOW + 660))


async def test_an_expression_that_is_bad_harms_no_other() -> None:
    source = Scripted(fails={"bad": Unreadable("source main refuses the question: parse error")})
    reader = Reader({"main": source})
    for minute in range(5):
        now = NOW + 60 * minute
        with pytest.raises(Unreadable, match="parse error"):
            await one(reader, now, "bad")
        assert (await one(reader, now, "good")).at[-1] == now
        with pytest.raises(Unreadable, match="parse error"):  # not asked again so soon
            await one(reader, now + 10, "bad")
    assert [asked[0] for asked in source.asked].count("bad") == 5


async def test_a_source_that_breaks_its_contract_harms_one_question_alone() -> None:
    source = Scripted()
    reader = Reader({"main": source})
    source.value = lambda _: 1 / 0
    with pytest.raises(ZeroDivisionError):
        await one(reader)
    source.value = wave
    assert (await one(reader)).at.tolist() == whole(NOW)


async def test_where_the_past_is_too_much_what_is_new_is_known_and_it_is_tried_again() -> None:
    class Heavy(Scripted):
        async def read(self, expression: str, start: float, end: float, step: float) -> Sequence[Series]:
            if step == 300 and end < NOW - 5 * DAY and len(self.asked) < 8:
                self.asked.append((expression, start, end, step))
                raise Unreadable("source main did not answer within 10 s")
            return await super().read(expression, start, end, step)

    source = Heavy()
    reader = Reader({"main": source})
    found = await one(reader)
    assert found.at[0] == NOW - 15 * DAY
    for minute in range(1, 10):
        await one(reader, NOW + 60 * minute)
    assert [asked[3] for asked in source.asked].count(300) == 2  # not each minute
    found = await one(reader, NOW + 600)
    assert found.at[0] == NOW - 28 * DAY


async def test_few_questions_are_under_way_at_once() -> None:
    waits = asyncio.Event()
    source = Scripted(answers=waits.wait)
    reader = Reader({"main": source})
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        for number in range(50):
            tasks.create_task(reader.read("main", f"up{number}", NOW))
        while source.under_way < reading.AT_ONCE:
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        waits.set()
    assert source.most_under_way == reading.AT_ONCE
    assert len(source.asked) == 150


async def test_who_gives_up_waiting_harms_nobody() -> None:
    waits = asyncio.Event()
    source = Scripted(answers=waits.wait)
    reader = Reader({"main": source})
    first, second = (asyncio.ensure_future(reader.read("main", "up", NOW)) for _ in range(2))
    while not source.under_way:
        await asyncio.sleep(0)
    first.cancel()
    waits.set()
    (found,) = await second
    assert first.cancelled()
    assert found.at.tolist() == whole(NOW)


async def test_a_clock_that_was_set_back_forgets_what_was_to_come() -> None:
    reader = Reader({"main": Scripted()})
    await one(reader, NOW)
    found = await one(reader, NOW - 3600)
    assert found.at[-1] == NOW - 3600
    found = await one(reader, NOW - 3540)
    assert found.at[-1] == NOW - 3540


async def test_what_nobody_asks_for_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_SAMPLES", 3 * len(whole(NOW)))
    source = Scripted()
    reader = Reader({"main": source})
    for number in range(5):
        await one(reader, NOW, f"up{number}")
        await one(reader, NOW, "up0")
    assert reader.samples == 3 * len(whole(NOW))
    source.asked.clear()
    await one(reader, NOW + 60, "up0")
    await one(reader, NOW + 60, "up4")
    assert len(source.asked) == 2  # both were known
    await one(reader, NOW + 60, "up1")
    assert len(source.asked) == 5
    reader.drop("main", "up1")
    reader.drop("main", "up1")
    await one(reader, NOW + 61, "up1")
    assert len(source.asked) == 8


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_comes_between_it_knows_what_a_fresh_reader_knows(seed: int) -> None:
    """Outages, bad answers, looks at odd times: once it is read again, it is as if nothing had been."""
    chance = random.Random(seed)  # noqa: S311 (a campaign that can be repeated)
    source = Scripted(labels=[{"pod": "a"}, {"pod": "b"}])
    reader, now = Reader({"main": source}), NOW
    for _ in range(60):
        now += chance.choice([1, 30, 60, 60, 60, 600, 7200, DAY])
        source.fails = {"": Unreadable("x", down=chance.random() < 0.5)} if chance.random() < 0.3 else {}
        with suppress(Unreadable):
            await reader.read("main", "up", now)
    source.fails, now = {}, now + 7200
    await reader.read("main", "up", now)
    now += 7200
    found = await reader.read("main", "up", now)
    fresh = await Reader({"main": source}).read("main", "up", now)
    for one_, other in zip(found, fresh, strict=True):
        assert one_.labels == other.labels
        assert set(other.at.tolist()) <= set(one_.at.tolist())
        assert len(one_.at) <= len(other.at) + 150
        assert one_.values.tolist() == [wave(at) for at in one_.at]
    times = {id(one_.at): len(one_.at) for one_ in found}
    assert reader.samples == (sum(times.values()) + sum(len(one_.values) for one_ in found)) // 2


@pytest.mark.alone
async def test_five_hundred_expressions_cost_little(figure: Figure) -> None:
    """A minute of 500 checks: what the reader itself takes of the event loop, and how much memory all that is."""
    source = Scripted(value=lambda _: 1.0)
    reader = Reader({"main": source})
    tracemalloc.start()
    for number in range(500):
        await one(reader, NOW, f"up{number}")
    memory = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    clock, worst, total = asyncio.get_running_loop().time, 0.0, 0.0
    for number in range(500):
        begun = clock()
        await one(reader, NOW + 60, f"up{number}")
        took = clock() - begun
        worst, total = max(worst, took), total + took
    figure(
        f"reader: 500 series are {memory:.0f} MB; a minute's looks take {total * 1e3:.0f} ms, the longest {worst * 1e3:.1f} ms"
    )
    assert memory < 150
    assert total < 5
