"""Connections over which nothing is posted: they are few enough, and cost nobody else anything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import ClientSession

from tocsin.web import connections
from tocsin.web.connections import Quiet

from tests.daemon.web_parts import BEARER, HERE, Sender, posts
from tests.engine import Start
from tests.processes import PATIENCE

BEGUN = [b"", b"POST /hooks", b"POST /hooks/post/prod HTTP/1.1\r\nHost: x\r\n"]


@pytest.fixture
async def sender(start: Start) -> AsyncIterator[Sender]:
    async with start(posts()) as engine, ClientSession() as session:
        yield Sender(session, engine)
        await engine.run.settled()


@asynccontextmanager
async def connection(
    sender: Sender, said: bytes = b"", source: str = "127.0.0.1"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection from one of this machine's own addresses."""
    reader, writer = await asyncio.open_connection(*sender.address, local_addr=(source, 0))
    writer.write(said)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ends(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection is closed."""
    async with asyncio.timeout(PATIENCE):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def test_of_hundreds_that_say_nothing_the_oldest_give_way_and_a_post_passes(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "MOST_QUIET", 300)
    async with AsyncExitStack() as stack:
        idle = [
            (await stack.enter_async_context(connection(sender, BEGUN[number % len(BEGUN)])))[0]
            for number in range(400)
        ]
        await asyncio.gather(*map(ends, idle[:100]))
        assert (await sender.posts()).status == 202
        assert not [reader for reader in idle[101:] if reader.at_eof()]
    assert "more than 300 connections are open and quiet: one from 127.0.0.1 is closed" in caplog.text


async def test_who_has_most_connections_gives_way_first(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_QUIET", 10)
    async with AsyncExitStack() as stack:
        first, _ = await stack.enter_async_context(connection(sender))
        others = [
            (await stack.enter_async_context(connection(sender, source="127.0.0.2")))[0] for _ in range(12)
        ]
        await asyncio.gather(*map(ends, others[:3]))
        assert not first.at_eof()
        assert not [reader for reader in others[3:] if reader.at_eof()]


async def test_what_is_being_posted_never_gives_way(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_QUIET", 1)
    async with (
        sender.begins(b"Di", of=4) as (answer, more),
        connection(sender) as (idle, _),
        connection(sender),
    ):
        await ends(idle)
        more.write(b"sk")
        assert b" 202 " in await answer.readline()


async def test_a_head_that_does_not_come_is_not_waited_for(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "HEAD_WITHIN", timedelta(seconds=0.2))
    async with AsyncExitStack() as stack:
        begun = [await stack.enter_async_context(connection(sender, said)) for said in BEGUN]
        assert [await ends(reader) for reader, _ in begun] == [b""] * len(BEGUN)
    assert "a connection from 127.0.0.1 is closed: it brought no whole request in" in caplog.text


async def test_after_a_post_the_next_may_be_long_in_coming_but_not_its_head(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_WITHIN", timedelta(seconds=0.2))
    post = f"POST {HERE} HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER}\r\nContent-Length: 4\r\n\r\nDisk".encode()
    async with connection(sender, post) as (reader, writer):
        assert b" 202 " in await reader.readuntil(b"accepted\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.6):
                await reader.read(1)
        writer.write(post)
        assert b" 202 " in await reader.readuntil(b"accepted\n")
        writer.write(post[:20])
        assert await ends(reader) == b""


async def test_connections_that_are_closed_are_forgotten(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Quiet] = []

    class Noted(Quiet):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr("tocsin.web.listener.Quiet", Noted)
    async with start(posts()) as engine, ClientSession() as session:
        sender = Sender(session, engine)
        await sender.posts()
        async with connection(sender), connection(sender, b"GARBAGE\r\n\r\n") as (reader, _):
            await ends(reader)
        async with sender.begins(b"half"):
            pass
        await session.close()
        (quiet,) = made
        async with asyncio.timeout(PATIENCE):
            while quiet._by_source:  # noqa: SLF001 (what can't be seen from without)
                await asyncio.sleep(0)
        assert quiet._number == 0  # noqa: SLF001


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        (("192.0.2.1", 80), "192.0.2.1"),
        (("::ffff:192.0.2.1", 80, 0, 0), "192.0.2.1"),
        (("2001:db8:1:2:3::4", 80, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 80, 0, 2), "fe80::/64"),
        (None, ""),
    ],
)
def test_of_ipv6_a_whole_network_is_one_source(peer: object, source: str) -> None:
    assert connections._source(peer) == source  # noqa: SLF001
