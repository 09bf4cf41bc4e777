"""What fires again shortly after its end is the same alert, and pages anew."""

import pytest

from tests.engine import fires, over
from tests.tower import FACT, Tower


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
async def test_it_has_the_same_id_and_pages_from_the_first_step_on(tower: Tower, crash: bool) -> None:  # noqa: FBT001
    async with tower(crash=crash) as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=6)
        await engine.says("bob", "ack")
        assert await engine.report(over()) == subject
    async with tower() as engine:
        await engine.advance(minutes=3)
        assert await engine.report(fires()) == subject
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 bob", "03:09:00 alice"]
        await engine.advance(minutes=6)
        assert tower.chat.pages()[3:] == ["03:14:00 bob"]
        await engine.says("alice", f"why {subject}")
        assert f"03:09:00 fires again: {FACT}" in tower.chat.texts("person/alice")[-1]


@pytest.mark.parametrize(("minutes", "same"), [(9.9, True), (10.1, False)])
async def test_after_the_time_of_grace_it_is_another_one(tower: Tower, minutes: float, same: bool) -> None:  # noqa: FBT001
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.says("alice", "done")
        await engine.advance(minutes=minutes)
        assert (await engine.report(fires()) == subject) is same
        assert len(tower.chat.pages()) == 2


async def test_the_newest_of_several_is_opened_again_and_no_other_key(tower: Tower) -> None:
    async with tower() as engine:
        first = await engine.report(fires(key="one"))
        await engine.report(over("one"))
        await engine.advance(minutes=11)
        second = await engine.report(fires(key="one"))
        await engine.report(over("one"))
        await engine.advance(minutes=5)
        other = await engine.report(fires(key="two"))
        assert len({first, second, other}) == 3
        assert await engine.report(fires(key="one")) == second
        assert await engine.report(fires(key="one")) == second
