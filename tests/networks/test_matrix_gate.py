"""Matrix: whose turn it is."""

import asyncio
import contextlib
from datetime import timedelta

import pytest

from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.networks.matrix import gate as gates
from tocsin.networks.matrix.gate import Gate

NEVER = timedelta(hours=1)
SOON = timedelta(seconds=0.02)


class Lane:
    """What goes through a gate, in its order."""

    def __init__(self, burst: int, every: timedelta) -> None:
        self.gate = Gate(burst, every)
        self.out: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    def wants(self, name: str, rank: Rank) -> asyncio.Task[None]:
        task = asyncio.create_task(self._go(name, rank))
        self._tasks.append(task)
        return task

    async def _go(self, name: str, rank: Rank) -> None:
        async with self.gate.turn(rank):
            self.out.append(name)

    async def settles(self) -> list[str]:
        """Who is out by now, where nobody waits for a time."""
        for _ in range(20):
            await asyncio.sleep(0)
        return self.out

    async def ends(self) -> list[str]:
        """Who is out, in which order, once all are."""
        await asyncio.gather(*self._tasks)
        return self.out

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()


async def test_two_of_what_may_go_out_at_once_are_kept_for_pages() -> None:
    lane = Lane(4, NEVER)
    for name in "abc":
        lane.wants(name, Rank.ANSWER)
    assert await lane.settles() == ["a", "b"]
    for name in "xyz":
        lane.wants(name, Rank.PAGE)
    assert await lane.settles() == ["a", "b", "x", "y"]
    lane.stop()


async def test_edits_leave_half_of_it() -> None:
    lane = Lane(10, NEVER)
    for number in range(10):
        lane.wants(f"{number}", Rank.EDIT)
    assert len(await lane.settles()) == 6  # the last of them when five were left
    assert not lane.gate.free(Rank.EDIT)
    assert lane.gate.free(Rank.NEWS) is False  # an edit waits
    lane.wants("news", Rank.NEWS)
    assert (await lane.settles())[-1] == "news"
    lane.stop()


async def test_the_best_goes_first_once_there_is_room() -> None:
    lane = Lane(3, SOON)
    lane.wants("first", Rank.NEWS)
    await lane.settles()
    for name, rank in (("edit", Rank.EDIT), ("news", Rank.NEWS), ("answer", Rank.ANSWER)):
        lane.wants(name, rank)
    for name in ("page", "page", "page"):
        lane.wants(name, Rank.PAGE)
    assert await lane.ends() == ["first", "page", "page", "page", "answer", "news", "edit"]


async def test_while_it_is_shut_nobody_goes_and_then_one_by_one() -> None:
    lane = Lane(3, timedelta(seconds=0.1))
    loop = asyncio.get_running_loop()
    lane.gate.shut(timedelta(seconds=0.2))
    began = loop.time()
    lane.wants("news", Rank.NEWS)
    lane.wants("page", Rank.PAGE)
    assert await lane.settles() == []
    assert await lane.ends() == ["page", "news"]
    assert loop.time() - began >= 0.4  # what was left of the burst is gone


async def test_no_more_than_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "MOST_AT_ONCE", 1)
    lane = Lane(10, timedelta(0))
    async with lane.gate.turn(Rank.NEWS):
        lane.wants("page", Rank.PAGE)
        assert await lane.settles() == []
    assert await lane.ends() == ["page"]


async def test_a_page_waits_for_nothing_that_hangs() -> None:
    gate = Gate(1000, timedelta(0))
    async with contextlib.AsyncExitStack() as hanging:
        while gate.free(Rank.ANSWER):
            await hanging.enter_async_context(gate.turn(Rank.ANSWER))
        assert gate.free(Rank.PAGE)
        async with asyncio.timeout(1), gate.turn(Rank.PAGE):
            pass


async def test_whoever_waits_too_long_gets_none_and_is_in_nobodys_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gates, "WAIT_AT_MOST", 0.02)
    lane = Lane(3, NEVER)
    await lane.wants("first", Rank.NEWS)
    with pytest.raises(NetworkError, match="too much is being said") as caught:
        await lane.wants("second", Rank.NEWS)
    assert caught.value.unsent
    await lane.wants("page", Rank.PAGE)
    assert lane.out == ["first", "page"]


async def test_whoever_gives_up_is_in_nobodys_way() -> None:
    lane = Lane(1, SOON)
    await lane.wants("first", Rank.PAGE)
    gone = lane.wants("gone", Rank.PAGE)
    await lane.settles()
    gone.cancel()
    await lane.wants("second", Rank.PAGE)
    assert lane.out == ["first", "second"]


async def test_a_page_under_way_has_the_homeserver_to_itself() -> None:
    lane = Lane(10, timedelta(0))
    async with lane.gate.turn(Rank.PAGE):
        lane.wants("answer", Rank.ANSWER)
        lane.wants("page", Rank.PAGE)
        assert await lane.settles() == ["page"]
    assert await lane.settles() == ["page"]  # it is being passed on
    assert await lane.ends() == ["page", "answer"]


async def test_what_waits_for_a_page_waits_not_for_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "PAGE_ALONE", 0.02)
    lane = Lane(10, timedelta(0))
    async with lane.gate.turn(Rank.PAGE):
        await lane.wants("news", Rank.NEWS)
    assert lane.out == ["news"]
