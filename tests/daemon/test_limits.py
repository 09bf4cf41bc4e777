"""Who may post can't take from the others what they need: room, time, or people's patience."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector
from hypothesis import given
from hypothesis import strategies as st

from tocsin import daemon
from tocsin.config import Document
from tocsin.errors import ConfigError
from tocsin.web import limits
from tocsin.web.limits import Limit, Shares

from tests.conftest import MINIMAL
from tests.daemon.web_parts import HERE, OTHER, Sender, large, posts
from tests.engine import Start
from tests.processes import PATIENCE, TOKEN

STAGING = '[receivers.staging]\ntoken.file = "staging.token"\n'
THERE = "/hooks/post/staging"


@pytest.fixture
def start(write_config: Callable[..., Path], tmp_path: Path) -> Start:
    (tmp_path / "staging.token").write_text(OTHER)
    (tmp_path / "staging.token").chmod(0o600)
    config = daemon.prepare(Document.open(write_config(MINIMAL + STAGING))).config
    return Start(config, tmp_path / "state")


@asynccontextmanager
async def sending(start: Start, limit: int = 0, connections: int = 100) -> AsyncIterator[Sender]:
    """An engine in which prod may post so much a second; what is posted is kept and taken, and pages nobody."""
    if limit:
        prod = replace(start.config.receivers["prod"], limit=limit)
        start.config = replace(start.config, receivers={**start.config.receivers, "prod": prod})
    declared = posts()
    route = replace(declared.routes["post"], take=lambda *_: None)
    quiet = replace(declared, routes={"post": route})
    async with start(quiet) as engine, ClientSession(connector=TCPConnector(limit=connections)) as session:
        yield Sender(session, engine)
        await engine.run.settled()


async def post(sender: Sender, body: str, path: str = HERE, token: str = TOKEN) -> int:
    answer = await sender.asks("POST", path, data=body, headers={"Authorization": f"Bearer {token}"})
    return answer.status


TOLD = (
    "prod posts more than it may, which is 1 a second: what is beyond is put off, and comes late. "
    "If it needs all of that, raise receivers.prod.limit."
)


async def test_who_posts_more_than_they_may_is_put_off_and_people_are_told_of_it_once(start: Start) -> None:
    async with sending(start, limit=1) as sender:
        assert Counter([await post(sender, "Disk") for _ in range(103)]) == {202: 100, 503: 3}
        answer = await sender.posts()
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert answer.text == "this receiver posts more than it may: send it again\n"
        assert sender.heard() == [TOLD]
        assert await post(sender, "Disk", THERE, OTHER) == 202
        await sender.engine.advance(seconds=1)
        assert [await post(sender, "Disk") for _ in range(2)] == [202, 503]
        await sender.engine.advance(minutes=4, seconds=59)
        assert sender.heard() == [TOLD]
        await sender.engine.advance(seconds=1)
        assert sender.heard() == [TOLD, "prod posts no more than it may again: 5 posts put off in 1s"]
        assert await post(sender, "Disk") == 202


async def test_nothing_is_read_of_a_post_that_is_put_off(start: Start) -> None:
    async with sending(start, limit=1) as sender:
        for _ in range(100):
            await post(sender, "Disk")
        async with sender.begins(b"", of=8 * 2**20) as (answer, _):
            assert b" 503 " in await answer.readline()
        assert len(await sender.kept()) == 100


async def test_large_bodies_count_for_as_many_posts_as_they_are_large(start: Start) -> None:
    async with sending(start, limit=1) as sender:
        assert (await sender.posts(large(101 * 32 * 1024))).status == 400
        assert await post(sender, "small") == 503
        await sender.engine.advance(seconds=2)
        assert await post(sender, "small") == 202


async def test_a_storm_of_a_thousand_posts_at_once_is_all_taken(start: Start) -> None:
    async with sending(start, connections=32) as sender:
        answers = await asyncio.gather(*(post(sender, f"Disk{number}") for number in range(1000)))
        assert Counter(answers) == {202: 1000}
        async with asyncio.timeout(PATIENCE):
            while set(await sender.engine.sql("select outcome from intake")) != {("taken",)}:
                await asyncio.sleep(0.05)


@pytest.mark.alone
async def test_while_one_floods_another_posts_as_if_nobody_did(start: Start) -> None:
    async with sending(start, limit=1, connections=64) as sender:
        took, flooded, others = list[float](), Counter[int](), list[int]()

        async def flood() -> None:
            while len(others) < 20:
                flooded[await post(sender, "Disk")] += 1

        async def calm() -> None:
            while not flooded[503]:
                await asyncio.sleep(0)
            for number in range(20):
                began = time.perf_counter()
                others.append(await post(sender, f"Other{number}", THERE, OTHER))
                took.append(time.perf_counter() - began)

        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(calm(), *(flood() for _ in range(32)))
        assert others == [202] * 20
        assert (flooded[202], flooded[503] > 50) == (100, True)
        assert max(took) < 1
        await sender.engine.run.settled()
        assert ("taken", b"Other19") in await sender.kept()


@pytest.mark.parametrize("at_once", [8, 300])
async def test_bodies_that_do_not_come_take_only_what_is_not_the_others(start: Start, at_once: int) -> None:
    async with sending(start, connections=64) as sender:
        web = sender.engine.run.daemon.web
        web._posts = Shares(256, 4)  # noqa: SLF001 (each with four of its own)
        head = (
            f"POST {HERE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n"
        )
        slow = [await asyncio.open_connection(*sender.address) for _ in range(at_once)]
        try:
            for _, writer in slow:
                writer.write(head.encode())
            if at_once > 260:
                async with asyncio.timeout(PATIENCE):
                    while await post(sender, "Disk") != 503:
                        await asyncio.sleep(0)
            answers = await asyncio.gather(*(post(sender, f"Other{n}", THERE, OTHER) for n in range(4)))
            assert answers == [202] * 4
        finally:
            for _, writer in slow:
                writer.transport.abort()


@pytest.mark.parametrize("limit", ["0", "-1", '"50"'])
def test_a_limit_that_lets_nothing_in_is_refused(write_config: Callable[..., Path], limit: str) -> None:
    path = write_config(MINIMAL.replace("[people.alice]", f"limit = {limit}\n[people.alice]"))
    with pytest.raises(ConfigError) as refused:
        daemon.prepare(Document.open(path))
    assert [problem.at for problem in refused.value.problems] == [("receivers", "prod", "limit")]


@given(
    st.integers(0, 8),
    st.integers(0, 4),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.booleans()), max_size=40),
)
def test_each_always_has_its_own_and_all_together_no_more_than_there_is(
    common: int, own: int, wanted: list[tuple[str, int, bool]]
) -> None:
    shares, taken = Shares(common, own), Counter[str]()
    for who, amount, gives in wanted:
        if gives:
            back = min(amount, taken[who])
            if taken[who]:
                shares.give_back(who, back)
                taken[who] -= back
            continue
        after = taken + Counter({who: amount})
        fits = sum(max(0, number - own) for number in after.values()) <= common
        assert shares.take(who, amount) is (fits or taken[who] + amount <= own)
        if fits or taken[who] + amount <= own:
            taken[who] += amount


@dataclass
class Stopwatch:
    """A clock that goes when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


# In eighths, so that sums are exact.
@given(st.sampled_from([1, 2, 4]), st.lists(st.tuples(st.integers(0, 40), st.integers(1, 500)), max_size=60))
def test_in_no_time_are_there_more_than_may_be(per_second: int, come: list[tuple[int, int]]) -> None:
    clock = Stopwatch(1000.0)
    limit = Limit("prod", per_second, clock)
    let_in: list[float] = []
    for gap, many in come:
        clock.now += gap / 8
        let_in += [clock.now for _ in range(many) if limit.lets_in()]
    burst = per_second * limits.BURST_OF.seconds
    for at, begin in enumerate(let_in):
        for until in {*let_in[at :: max(1, len(let_in) // 20)], *let_in[-1:]}:
            inside = sum(begin <= when <= until for when in let_in)
            assert inside <= burst + (until - begin) * per_second
    clock.now += limits.BURST_OF.total_seconds()
    assert all(limit.lets_in() for _ in range(burst))
    assert not limit.lets_in()


def test_a_flood_that_pauses_is_told_of_as_one() -> None:
    clock = Stopwatch()
    limit = Limit("prod", 1, clock)
    told: list[str] = []
    for minute in range(60):
        clock.now = minute * 60.0
        for _ in range(200):
            limit.lets_in()
        told += filter(None, [limit.begins(), limit.ends()])
    clock.now += timedelta(minutes=5).total_seconds()
    told += filter(None, [limit.begins(), limit.ends(), limit.ends()])
    assert [text.split()[:4] for text in told] == [
        ["prod", "posts", "more", "than"],
        ["prod", "posts", "no", "more"],
    ]
    assert told[1].endswith(" posts put off in 59m")
