"""A real Tocsin whose IRC server dies, and comes back: everything that came in meanwhile is shown then.

`TOCSIN_IRC_OUTAGE`: for how many seconds the server is away.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

from tests.conftest import RUNNABLE, Figure
from tests.crash_irc import SETTINGS, held
from tests.digest_lines import NEWS, PAGE, Told, counted, told
from tests.posted import payload
from tests.processes import Process, daemon, until
from tests.servers.irc_user import User, people
from tests.servers.ircd import Ngircd
from tests.servers.programs import HOST

OUTAGE = float(os.environ.get("TOCSIN_IRC_OUTAGE", "2"))
ROOM = "#ops"


@pytest.fixture
def config(ngircd: Ngircd, write_config: Callable[..., Path]) -> Path:
    settings = SETTINGS.format(host=HOST, port=ngircd.port, room=ROOM)
    return write_config(
        RUNNABLE.replace("[networks.console]\n", settings).replace("accounts.console", "accounts.irc")
    )


@pytest.fixture
async def alice() -> AsyncIterator[User]:
    async with people("alice") as [alice]:
        yield alice


async def comes(user: User, server: Ngircd) -> None:
    await user.connect(server.port)
    await user.join(ROOM)


def status(tocsin: Process) -> Mapping[str, Any]:
    found = tocsin.status()
    assert found is not None
    return found


async def loses(tocsin: Process, server: Ngircd) -> None:
    """The server is killed, and Tocsin sees that."""
    await asyncio.to_thread(server.ends)
    await asyncio.to_thread(until, lambda: status(tocsin)["networks"]["irc"])


async def accepts(tocsin: Process, count: int) -> Sequence[str]:
    """Post so many alerts, all of which are accepted; what each is called."""
    names = [f"alert-{number}" for number in range(1, count + 1)]
    for name in names:
        answer = await asyncio.to_thread(tocsin.post, "alertmanager/prod", payload(name, "firing"))
        assert answer == 202
    return names


def paged(user: User, place: str) -> Sequence[Told]:
    """What calls for alerts there, each alone or many in a digest."""
    found = (told(words) for words in user.said_by("tocsin", place))
    return [one for one in found if one and one.kind in (PAGE, NEWS)]


async def shown(tocsin: Process, alice: User, names: Sequence[str]) -> None:
    """Each of them is shown to alice and in the room, once: by its name, or in a number."""

    def counts() -> Sequence[int]:
        return [counted(paged(alice, place)) for place in ("alice", ROOM)]

    await alice.sees(lambda _: min(counts()) >= len(names))
    await asyncio.to_thread(until, lambda: not status(tocsin)["messages waiting"])
    await alice.sync()
    assert counts() == [len(names)] * 2
    for place in ("alice", ROOM):
        named = [kind.removeprefix("critical ") for one in paged(alice, place) for kind in one.named]
        assert all(one.adds_up and one.command == f"!ack {one.id}" for one in paged(alice, place))
        assert len(set(named)) == len(named)
        assert set(named) <= set(names)


async def test_what_comes_while_the_server_is_away_is_shown_when_it_is_back(
    config: Path, ngircd: Ngircd, alice: User, figure: Figure
) -> None:
    await comes(alice, ngircd)
    async with daemon(config) as tocsin:
        await loses(tocsin, ngircd)
        since = time.perf_counter()
        names = await accepts(tocsin, 60)
        await asyncio.sleep(OUTAGE - (time.perf_counter() - since))
        with held(tocsin.popen.pid):
            await asyncio.to_thread(ngircd.start)
            await comes(alice, ngircd)
        listens = time.perf_counter()
        await alice.sees(lambda line: line.command == "JOIN" and line.nick == "tocsin", times=2)
        back = time.perf_counter() - listens
        await shown(tocsin, alice, names)
        took = time.perf_counter() - listens
    figure(
        f"the server was away for {OUTAGE:g} s: {back:.2f} s after it took connections Tocsin was back, "
        f"after {took:.2f} s all of {len(names)} alerts were shown"
    )


async def test_what_came_while_the_server_was_away_is_shown_by_the_next_daemon(
    config: Path, ngircd: Ngircd, alice: User
) -> None:
    async with daemon(config) as tocsin:
        await loses(tocsin, ngircd)
        names = await accepts(tocsin, 20)
        await asyncio.to_thread(tocsin.ends, SIGKILL)
    await asyncio.to_thread(ngircd.start)
    await comes(alice, ngircd)
    async with daemon(config) as tocsin:
        await shown(tocsin, alice, names)
