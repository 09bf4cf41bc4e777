"""Somebody sets the wall clock while a tree climbs: no step is early, late or lost, over a restart too."""

from datetime import timedelta

import pytest

from tests.engine import Engine, fires
from tests.tower import TWO_STEPS, Tower

HOUR = timedelta(hours=1)
MINUTES = 25
AS_EVER = [(0, "alice"), (5, "bob"), (15, "alice"), (20, "bob")]


async def climbs(
    engine: Engine, until: int, sets: dict[int, timedelta], found: list[tuple[int, str]]
) -> None:
    """Minute by minute: whom it pages in which. sets: by how much the clock is set in which of them."""
    begin = found[-1][0] + 1 if found else 0
    seen = len(engine.chat.said)
    for minute in range(begin, until):
        if minute in sets:
            engine.run.clock.step(sets[minute])
            await engine.run.settled()
        if minute:
            await engine.advance(minutes=1)
        else:
            await engine.report(fires())
        said, seen = engine.chat.said[seen:], len(engine.chat.said)
        found += [(minute, one.place.name) for one in said if one.place.private and one.message.command]


@pytest.mark.parametrize(
    "sets",
    [
        {},
        {1: HOUR},
        {1: -HOUR},
        {5: HOUR, 6: -HOUR},
        {4: -HOUR, 5: HOUR, 14: HOUR, 16: -2 * HOUR},
        dict.fromkeys(range(1, MINUTES), HOUR),
        dict.fromkeys(range(1, MINUTES), -HOUR),
    ],
    ids=str,
)
async def test_each_step_comes_at_its_time(tower: Tower, sets: dict[int, timedelta]) -> None:
    found = list[tuple[int, str]]()
    async with tower(TWO_STEPS) as engine:
        await climbs(engine, MINUTES, sets, found)
    assert found == AS_EVER


@pytest.mark.parametrize("by", [HOUR, -HOUR])
async def test_so_it_does_if_the_clock_is_set_while_it_is_down(tower: Tower, by: timedelta) -> None:
    found = list[tuple[int, str]]()
    async with tower(TWO_STEPS) as engine:
        await climbs(engine, 6, {}, found)
    tower.clock.step(by)
    async with tower(TWO_STEPS) as engine:
        await climbs(engine, MINUTES, {}, found)
    assert found == AS_EVER
