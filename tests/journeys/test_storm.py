"""A thousand alerts at once, on servers with the flood limits that they come with: few lines, which count all of them.

Three seconds are what a calm machine is promised to take at most; added is only what others took from the daemon, which
Linux counts: for how long its threads waited for a processor.

`TOCSIN_STORM`: how many alerts there are.
"""

import asyncio
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.conftest import Figure
from tests.crash_irc import held
from tests.digest_lines import NEWS, PAGE, RESOLVED, Told
from tests.processes import Process, until
from tests.servers.ircd import Inspircd, Ircd, Ngircd
from tests.storm import (
    BOT,
    LOOK_EVERY,
    PEOPLE,
    PLACES,
    ROOM,
    SHOWN_WITHIN,
    Fires,
    Poster,
    Readers,
    Stage,
    alike,
    all_critical,
    at_rest,
    distinct,
    mixed,
    waited,
)

pytestmark = pytest.mark.alone

COUNT = int(os.environ.get("TOCSIN_STORM", "1000"))

SOON = 3.0
"""In how many seconds the first page comes, and what is new and critical."""

MOST_IN_ROOM = 6
MOST_PAGES = 2
"""In the first minute, of each person; what is new and critical comes beside them."""

NEW = Fires("Meltdown", "critical", "reactor")

ROUND = 9.0
"""How long it takes to say a line in each place, at the pace that no server slows down: a second for each line, on ngIRCd
another for its receipt, and what is under way before it.
"""

A_LINE = 1.0
"""How long a line takes at that pace: whether the room hears before bob that we were away is as it comes."""

_COUNT = re.compile(r"(?:critical|error|warning|info) \S+: ([\d,]+), ")
"""The line of a list that counts alerts of one name."""

Storm = Callable[[int], Sequence[Fires]]


@pytest.mark.parametrize(("make", "storm"), [(Ngircd, mixed), (Inspircd, alike)])
async def test_a_storm_is_told_in_few_lines_that_count_all_of_it(
    make: type[Ircd],
    storm: Storm,
    tmp_path: Path,
    write_config: Callable[..., Path],
    figure: Figure,
) -> None:
    with Stage.built(make, tmp_path, write_config) as stage:
        async with Readers.there(stage.ircd) as readers, stage.daemon() as tocsin:
            fires, poster = storm(COUNT), Poster(stage.address)
            began, lost = time.perf_counter(), waited(tocsin.popen.pid)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(poster.post(fires))
                await poster.has(COUNT // 2)
                await poster.post([NEW])
                new_at = time.perf_counter()
            took = time.perf_counter() - began
            all_after = await readers.all_told(COUNT + 1, PAGE, NEWS, since=began)
            lost = waited(tocsin.popen.pid) - lost
            await _rests(tocsin, readers)

            first = max(readers.first(person, began) for person in PEOPLE) - began
            seen = [readers.first(place, began, NEW.name) - new_at for place in PLACES]
            figure(
                f"{make.__name__}, {storm.__name__}: {COUNT:,} accepted in {took:.2f} s, first page after "
                f"{first:.2f} s, all after {all_after:.2f} s; a new critical one seen {min(seen):.2f} s after it was "
                f"accepted, and everywhere after {max(seen):.2f} s; {len(readers.lines(ROOM, began))} lines in the "
                f"room, {_pages(readers, began)} pages; the daemon waited {lost:.2f} s for a processor"
            )
            assert first <= SOON + lost, readers.story(began)
            assert min(seen) <= SOON + lost, readers.story(began)
            assert max(seen) <= SOON + lost + ROUND, readers.story(began)
            _few(readers, began)
            await _lists_and_takes(readers, COUNT + 1, began)
            await _rests(tocsin, readers)

            ended = time.perf_counter()
            await Poster(stage.address).post([*fires, NEW], "resolved")
            await readers.all_told(COUNT + 1, RESOLVED, since=ended)
            await _rests(tocsin, readers)
            for place in PLACES:
                assert len(readers.lines(place, ended)) <= MOST_IN_ROOM, readers.story(ended)
            for reader in readers.all:
                assert len(reader.seen) == 1, reader.seen  # it came, and nothing else
            assert stage.complaints() == []


async def _rests(tocsin: Process, readers: Readers) -> None:
    """Until all is said that is to be said, and read."""
    since = time.perf_counter()
    while not await asyncio.to_thread(at_rest, tocsin):
        assert time.perf_counter() < since + SHOWN_WITHIN, tocsin.status()
        await asyncio.sleep(LOOK_EVERY)
    await readers.sync()


def _pages(readers: Readers, since: float) -> int:
    """How many whoever got most of them got, but for what overtook all others."""
    told = [readers.tells(person, PAGE, since=since) for person in PEOPLE]
    return max(sum(one.digest or not one.names(NEW.name) for one in pages) for pages in told)


def _few(readers: Readers, since: float) -> None:
    """Not more than somebody can read; and every number in it adds up."""
    assert len(readers.lines(ROOM, since)) <= MOST_IN_ROOM, readers.story(since)
    assert _pages(readers, since) <= MOST_PAGES, readers.story(since)
    for place in PLACES:
        assert all(one.adds_up for one in readers.tells(place, PAGE, NEWS, since=since)), readers.story(since)


async def _lists_and_takes(readers: Readers, count: int, began: float) -> None:
    """Alice asks what is in a digest, and takes it; then all that is left. No page comes after that."""
    alice, told = readers.alice, readers.tells("alice", PAGE, since=began)
    digest = max(told, key=lambda one: one.count)
    assert digest.digest
    assert digest.command == f"!ack {digest.id}"

    asked = time.perf_counter()
    await alice.says(BOT, f"alerts {digest.id}")
    await readers.sees("alice", f"{digest.count:,} ", asked)
    await readers.until(lambda: _listed(readers, asked) >= digest.count, asked)
    assert _listed(readers, asked) == digest.count, readers.story(asked)

    asked = time.perf_counter()
    await alice.says(BOT, f"ack {digest.id}")
    for place in PLACES:
        await readers.sees(place, "acknowledged by alice", asked)
    assert all(len(readers.lines(place, asked)) <= MOST_IN_ROOM for place in PLACES), readers.story(asked)
    asked = time.perf_counter()
    await alice.says(BOT, "alerts")
    title = f"{count:,} alerts open, {count - digest.count:,} without an answer"
    await readers.sees("alice", title, asked)

    if others := [one.id for one in told if one.id != digest.id]:
        asked = time.perf_counter()
        await alice.says(BOT, f"ack {' '.join(others)}")
        await readers.sees("alice", "acknowledged by alice", asked)
        await alice.says(BOT, "alerts")
        await readers.sees("alice", f"{count:,} alerts open, 0 without an answer", asked)
    assert not any(readers.tells(person, PAGE, since=asked) for person in PEOPLE), readers.story(asked)


def _listed(readers: Readers, since: float) -> int:
    """How many the lines of a list count that alice has asked for."""
    counts = (_COUNT.match(one.words) for one in readers.lines("alice", since))
    return sum(int(found[1].replace(",", "")) for found in counts if found)


async def test_nothing_of_a_storm_is_uncounted_though_daemons_are_killed_in_it(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    with Stage.built(Ngircd, tmp_path, write_config) as stage:
        async with Readers.there(stage.ircd) as readers, asyncio.TaskGroup() as tasks:
            began = time.perf_counter()
            async with stage.daemon() as tocsin:
                poster = Poster(stage.address)
                posting = tasks.create_task(poster.post(distinct(COUNT)))
                await poster.has(COUNT // 2)
                await asyncio.to_thread(tocsin.ends, SIGKILL)
            await _gone(readers, 1, began)
            async with stage.daemon() as tocsin:
                await posting
                await readers.until(lambda: any(one.digest for one in _told(readers, began)), began)
                await asyncio.to_thread(tocsin.ends, SIGKILL)  # the other places have not heard of it yet
            await _gone(readers, 2, began)
            since = time.perf_counter()
            async with stage.daemon() as tocsin:
                await readers.all_told(COUNT, PAGE, NEWS, since=began)
                await _rests(tocsin, readers)
                assert all(one.adds_up for one in _told(readers, began)), readers.story(began)
                assert len(readers.lines(ROOM, since)) <= MOST_IN_ROOM, readers.story(since)
                assert _pages(readers, since) <= MOST_PAGES, readers.story(since)
                assert stage.complaints() == []


async def _gone(readers: Readers, times: int, since: float) -> None:
    """Wait until the server has noticed that often that we are gone: else the next one has another nick for a while."""
    seen = readers.watcher.seen
    await readers.until(lambda: sum(" QUIT" in text for _, text in seen) >= times, since)


def _told(readers: Readers, since: float) -> Sequence[Told]:
    return [one for place in PLACES for one in readers.tells(place, PAGE, NEWS, since=since)]


async def test_what_storms_while_the_server_is_away_is_told_in_few_lines_when_it_is_back(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    with Stage.built(Inspircd, tmp_path, write_config) as stage:
        async with Readers.there(stage.ircd) as readers, stage.daemon() as tocsin:
            await asyncio.to_thread(stage.ircd.ends)
            await asyncio.gather(*(each.ended() for each in readers.all))
            await asyncio.to_thread(until, lambda: _away(tocsin))
            await Poster(stage.address).post(all_critical(COUNT))
            with held(tocsin.popen.pid):
                await asyncio.to_thread(stage.ircd.start)
                await readers.come(stage.ircd)
            back, lost = time.perf_counter(), waited(tocsin.popen.pid)
            await readers.all_told(COUNT, PAGE, NEWS, since=back)
            lost = waited(tocsin.popen.pid) - lost
            await _rests(tocsin, readers)
            there = max(at for at, text in readers.watcher.seen if " JOIN " in text)
            first = max(readers.first(person, back) for person in PEOPLE) - there
            assert first <= SOON + A_LINE + lost, readers.story(there)
            _few(readers, back)
            assert stage.complaints() == []


def _away(tocsin: Process) -> bool:
    status = tocsin.status()
    return status is not None and bool(status["networks"]["irc"])
