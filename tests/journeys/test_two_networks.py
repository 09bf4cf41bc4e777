"""A real Tocsin on two real IRC networks, of which one dies, or stands still, as an alert comes in."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import RUNNABLE, Figure
from tests.crash_irc import SETTINGS
from tests.posted import payload
from tests.processes import Process, daemon, until
from tests.servers.irc_user import User, people
from tests.servers.ircd import Ngircd
from tests.servers.programs import HOST, running

pytestmark = pytest.mark.alone

ROOM = "#ops"
PROMISED = 20.0
"""Within so many seconds a page is on the other network."""

LATE = 5.0
"""How much more a busy machine may take."""


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Ngircd]:
    with running(Ngircd(tmp_path / "first")) as server:
        yield server


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Ngircd]:
    with running(Ngircd(tmp_path / "second")) as server:
        yield server


@pytest.fixture
def config(first: Ngircd, second: Ngircd, write_config: Callable[..., Path]) -> Path:
    networks = SETTINGS.format(host=HOST, port=first.port, room=ROOM) + SETTINGS.format(
        host=HOST, port=second.port, room=ROOM
    ).replace("[networks.irc]", '[networks.other]\nkind = "irc"')
    accounts = RUNNABLE.replace("accounts.console", "accounts.irc")
    accounts = accounts.replace('accounts.irc = "alice"', 'accounts = { irc = "alice", other = "alice" }')
    return write_config(accounts.replace("[networks.console]\n", networks))


@pytest.fixture
async def alice(first: Ngircd, second: Ngircd) -> AsyncIterator[tuple[User, User]]:
    """As she is on the one network and on the other, in the room of each."""
    async with people("alice", "alice") as (here, there):
        for user, server in ((here, first), (there, second)):
            await user.connect(server.port)
            await user.join(ROOM)
        yield here, there


async def comes(tocsin: Process, name: str) -> float:
    """An alert comes in; when it was taken."""
    assert await asyncio.to_thread(tocsin.post, "alertmanager/prod", payload(name, "firing")) == 202
    return time.perf_counter()


async def paged(user: User, name: str, since: float) -> float:
    """Wait for the page of an alert; how long after that time it came."""
    while not (found := [text for text in user.said_by("tocsin", "alice") if name in text]):
        assert time.perf_counter() - since < PROMISED + LATE, "not paged there in time"
        await asyncio.sleep(0.02)
    assert len(found) == 1
    return time.perf_counter() - since


async def test_a_server_is_killed_as_an_alert_comes_in(
    config: Path,
    first: Ngircd,
    alice: tuple[User, User],
    figure: Figure,
) -> None:
    here, there = alice
    async with daemon(config) as tocsin:
        await paged(here, "Before", await comes(tocsin, "Before"))
        assert there.said_by("tocsin", "alice") == []
        await asyncio.to_thread(first.ends)
        took = await paged(there, "Killed", await comes(tocsin, "Killed"))
        known = await paged(there, "Known", await comes(tocsin, "Known"))
        [page] = [text for text in there.said_by("tocsin", "alice") if "Known" in text]
        there.send(f"PRIVMSG tocsin :ack {page.split()[0]}")
        await there.sees("acknowledged by alice")
        await asyncio.to_thread(first.start)
        async with people("alice") as [back]:
            await back.connect(first.port)
            await back.join(ROOM)
            await paged(back, "Killed", time.perf_counter())  # it still rings, the other was answered
            await asyncio.to_thread(until, lambda: not (tocsin.status() or {})["messages waiting"])
            await back.sync()
            assert not any("Known" in text and "!ack" in text for text in back.said_by("tocsin", "alice"))
    figure(f"server killed: paged on the other after {took:.2f} s; known to be down: {known:.3f} s")


async def test_a_server_stands_still_as_an_alert_comes_in(
    config: Path,
    first: Ngircd,
    alice: tuple[User, User],
    figure: Figure,
) -> None:
    here, there = alice
    async with daemon(config) as tocsin:
        await paged(here, "Before", await comes(tocsin, "Before"))
        await asyncio.to_thread(first.freezes)
        try:
            took = await paged(there, "Frozen", await comes(tocsin, "Frozen"))
        finally:
            await asyncio.to_thread(first.thaws)
    figure(f"server stands still: paged on the other after {took:.2f} s")
