"""A real Tocsin on a real Synapse and a real ngIRCd, which die one after the other, and come back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tocsin.testing import HandClock

from tests.conftest import Figure
from tests.journeys.matrix_parts import calls, comes, configured, enters, log_in, says, standing
from tests.plugins.notify_parts import Heard, Ntfy, button, served
from tests.processes import PATIENCE, Process, daemon
from tests.servers.irc_user import User as Chatter
from tests.servers.irc_user import people as chatters
from tests.servers.ircd import Ngircd
from tests.servers.matrix_user import Event, User, people
from tests.servers.programs import HOST, reserve, running
from tests.servers.synapse import Account, Synapse
from tests.storm import waited

pytestmark = pytest.mark.alone

ROOM = "#ops"

ON_IRC = 20.0
"""Within so many seconds a page is on the other network."""

RINGS = 60.0
"""After so many it rings where there is no chat."""

QUIET = 2
"""The priority at which a phone does not ring, such as that it is over."""

AFTERWARDS = 3.0
"""What is said twice would come within so many seconds."""

NOTIFY = """
[plugins.notify]
public_url = "http://{address}"
[plugins.notify.people.alice]
ways.phone = {{ ntfy = "{ntfy}/alice" }}
default = [{{ way = "phone", after = "30m" }}]
"""


@dataclass(frozen=True)
class Stage:
    """Two networks, a server that makes phones ring, and where the daemon listens."""

    synapse: Synapse
    ngircd: Ngircd
    ntfy: Ntfy
    address: str

    def settings(self, bot: Account, room: str, alice: User) -> str:
        """Alice is paged on Matrix, then on IRC; the phone rings half an hour later, if pages reach her."""
        text = configured(self.synapse.url, bot, room, alice=alice.id, ngircd=self.ngircd)
        text = text.replace("127.0.0.1:0", self.address)
        text = text.replace(
            "accounts.matrix", 'accounts.irc = "alice"\nways = ["matrix"]\naccounts.matrix', 1
        )
        ways = NOTIFY.format(address=self.address, ntfy=self.ntfy.url)
        return text + ways


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        synapse = stack.enter_context(running(Synapse(tmp_path / "synapse")))
        ngircd = stack.enter_context(running(Ngircd(tmp_path / "ngircd")))
        ntfy = Ntfy(HandClock())
        await stack.enter_async_context(served(ntfy))
        port = stack.enter_context(reserve())
        yield Stage(synapse, ngircd, ntfy, f"{HOST}:{port.getsockname()[1]}")


async def test_no_page_is_lost_or_said_twice_as_both_networks_die_and_come_back(
    stage: Stage, write_config: Callable[..., Path], figure: Figure
) -> None:
    synapse, ngircd, ntfy = stage.synapse, stage.ngircd, stage.ntfy
    bot = synapse.register("tocsin")
    async with people(synapse, "alice") as [alice], chatters("alice") as [chatter]:
        room = await alice.create("ops", invite=[bot.user_id])
        private = await alice.create(invite=[bot.user_id], direct=True)
        await comes_to(ngircd, chatter)
        config = write_config(stage.settings(bot, room, alice))
        await log_in(config, bot)
        async with daemon(config) as tocsin:
            await alice.sees(partial(enters, private, bot.user_id))
            await comes(tocsin, "Before")
            [before] = await alice.sees(partial(pages, private, "Before"))
            await alice.replies(before, "ack")
            await chatter.sees("acknowledged by alice")
            await said_all(tocsin)

            await asyncio.to_thread(synapse.ends)
            since, lost = time.perf_counter(), waited(tocsin.popen.pid)
            await comes(tocsin, "Killed")
            killed = await on_irc(chatter, "Killed", since + ON_IRC)
            on_irc_after, lost = time.perf_counter() - since, waited(tocsin.popen.pid) - lost
            assert on_irc_after <= ON_IRC + lost

            await asyncio.to_thread(ngircd.ends)
            since, lost = time.perf_counter(), waited(tocsin.popen.pid)
            await comes(tocsin, "Dark")
            ring = await rings(ntfy, "Dark", since + RINGS)
            rang_after, lost = time.perf_counter() - since, waited(tocsin.popen.pid) - lost
            assert rang_after <= RINGS + lost
            assert await press(button(ring, "Ack")) == "acked"

            await asyncio.to_thread(synapse.start)
            await asyncio.to_thread(ngircd.start)
            async with chatters("alice") as [back]:
                await comes_to(ngircd, back)
                [page] = await alice.sees(partial(pages, private, "Killed"))
                assert killed.split()[0] in page.body  # the same alert, which still rings
                for text in (
                    "acknowledged by alice, paging stops: critical Dark",
                    "paging alice: critical Killed",
                ):
                    await alice.sees(partial(says, room, text))
                await back.sees(lambda line: "Dark" in line.text and "acknowledged" in line.text)
                await alice.replies(page, "ack")
                await back.sees(lambda line: "Killed" in line.text and "acknowledged" in line.text)
                await said_all(tocsin)
                await asyncio.sleep(AFTERWARDS)
                await asyncio.gather(alice.sync(), back.sync())
                assert [
                    text for text in back.said_by("tocsin", "alice") if "!ack" in text and "Dark" in text
                ] == []
        names = ("Before", "Killed", "Dark")
        assert [len([1 for event in alice.events if pages(private, name, event)]) for name in names] == [
            1,
            1,
            0,
        ]
        for place in (private, room):
            said = alice.said_by(bot.user_id, place)
            assert len(set(said)) == len(said)
        assert [ring.body["title"] for ring in ntfy.posts() if ring.body["priority"] > QUIET] == [
            ring.body["title"]
        ]
    figures = f"paged on IRC after {on_irc_after:.2f} s; both dead: rang after {rang_after:.2f} s"
    figure(f"Synapse killed: {figures}")


async def test_a_homeserver_that_stands_still_holds_up_no_page(
    stage: Stage, write_config: Callable[..., Path], figure: Figure
) -> None:
    bot = stage.synapse.register("tocsin")
    async with people(stage.synapse, "alice") as [alice], chatters("alice") as [chatter]:
        room = await alice.create("ops", invite=[bot.user_id])
        private = await alice.create(invite=[bot.user_id], direct=True)
        await comes_to(stage.ngircd, chatter)
        config = write_config(stage.settings(bot, room, alice))
        await log_in(config, bot)
        async with daemon(config) as tocsin:
            await alice.sees(partial(enters, private, bot.user_id))
            await comes(tocsin, "Before")
            await alice.sees(partial(pages, private, "Before"))
            await said_all(tocsin)
            await asyncio.to_thread(stage.synapse.freezes)
            since, lost = time.perf_counter(), waited(tocsin.popen.pid)
            await comes(tocsin, "Frozen")
            await on_irc(chatter, "Frozen", since + ON_IRC)
            took, lost = time.perf_counter() - since, waited(tocsin.popen.pid) - lost
            await asyncio.to_thread(stage.synapse.thaws)
            await alice.sees(partial(pages, private, "Frozen"))
            await said_all(tocsin)
            await alice.sync()
        assert len([event for event in alice.events if pages(private, "Frozen", event)]) == 1
    assert took <= ON_IRC + lost
    figure(f"Synapse stands still: paged on IRC after {took:.2f} s")


def pages(private: str, name: str, event: Event) -> bool:
    return event.room == private and calls(event, name)


async def rings(ntfy: Ntfy, name: str, deadline: float) -> Heard:
    """Wait until the phone rings for an alert; what it got."""
    while not (found := [one for one in ntfy.posts() if name in one.body["title"]]):
        assert time.perf_counter() < deadline + PATIENCE, "nothing rang"
        await asyncio.sleep(0.02)
    return found[0]


async def press(url: str) -> str:
    """Press a button on the phone; the first word of what it answers."""
    async with aiohttp.ClientSession() as http, http.post(url) as answer:
        text = await answer.text()
        assert answer.status == 200, text
    return text.split()[0]


async def comes_to(server: Ngircd, user: Chatter) -> None:
    await user.connect(server.port)
    await user.join(ROOM)


async def on_irc(user: Chatter, name: str, deadline: float) -> str:
    """Wait for the page of an alert there; it."""
    while not (found := [text for text in user.said_by("tocsin", "alice") if name in text]):
        assert time.perf_counter() < deadline + PATIENCE, "not paged there in time"
        await asyncio.sleep(0.02)
    assert len(found) == 1
    return found[0]


async def said_all(tocsin: Process) -> None:
    """Wait until nothing is left to be said."""
    async with asyncio.timeout(60):
        while (await standing(tocsin))["messages waiting"]:
            await asyncio.sleep(0.1)
