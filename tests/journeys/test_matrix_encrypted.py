"""A page in encrypted rooms on a real Synapse, to a client with nothing in common with ours, which trusts signed devices alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from tests.journeys.matrix_parts import calls, comes, configured, log_in, says
from tests.processes import PATIENCE, Process, daemon
from tests.servers.js_client import Client, Heard, clients
from tests.servers.matrix_proxy import Proxy, Request
from tests.servers.synapse import Account, Synapse


class Journey:
    """Alice, in her private room with Tocsin and in the team's. bot: Tocsin's account."""

    def __init__(self, alice: Client, bot: Account, room: str) -> None:
        self.alice = alice
        self.bot = bot
        self.room = room
        self.private = ""

    async def paged(self, name: str) -> Heard:
        """Wait for the page of an alert, which she can read and trust, and which wakes her."""
        [page] = await self.alice.sees(lambda event: event.room == self.private and calls(event, name))
        assert page.sender == self.bot.user_id
        assert (page.encrypted, page.failure, page.shield) == (True, "", None)
        assert (page.notifies, page.highlights) == (True, True)
        return page

    async def told(self, text: str) -> None:
        """Wait until a text was said in both rooms, and can be read there."""
        for room in (self.private, self.room):
            found = await self.alice.sees(partial(says, room, text))
            assert [event.failure for event in found] == [""] * len(found)

    async def shows(self, subject: str, text: str) -> None:
        """Wait until the line of an alert in the team's room was put right, to say this."""
        [line] = await self.alice.sees(
            lambda event: event.room == self.room and event.body.startswith(f"{subject} paging alice")
        )
        await self.alice.sees(
            lambda event: event.relation == ("m.replace", line.id) and f"{subject} {text}" in event.body
        )


@pytest.fixture
async def proxy(synapse: Synapse) -> AsyncIterator[Proxy]:
    async with Proxy(synapse.url) as between:
        yield between


async def test_an_encrypted_page_is_read_and_answered_by_a_client_that_trusts_only_signed_devices(
    synapse: Synapse, proxy: Proxy, write_config: Callable[..., Path]
) -> None:
    bot = synapse.register("tocsin")
    async with clients(synapse, "alice") as [alice]:
        await alice.exclude_insecure_devices()
        room = await alice.create("ops", invite=[bot.user_id])
        journey = Journey(alice, bot, room)
        config = write_config(configured(proxy.url, bot, room, alice=alice.id))
        assert f"logged in as {bot.user_id}" in await log_in(config, bot)
        async with daemon(config) as tocsin:
            journey.private = await alice.invited()
            await alice.join(journey.private)
            await alice.sees_devices(bot.user_id, {"TOCSIN": True})
            await _is_answered_in_each_way(journey, tocsin)
            put = await _dies_as_it_pages(journey, tocsin, proxy)
        async with daemon(config) as tocsin:
            page = await journey.paged("InDoubt")
            await alice.says(journey.private, f"!ack {page.body.split()[0]}")
            await journey.told(f"{page.body.split()[0]} acknowledged by alice")
            await comes(tocsin, "AfterAll")
            after = await journey.paged("AfterAll")
            await alice.replies(after, "ack")
            await journey.told(f"{after.body.split()[0]} acknowledged by alice")
        pages = [event for event in alice.heard if event.room == journey.private and calls(event, "InDoubt")]
        assert [event.id for event in pages] == [page.id]
        assert proxy.count(put) == 2  # it was said again, and is one event
        assert [event for event in alice.heard if event.failure or event.shield] == []


async def _is_answered_in_each_way(journey: Journey, tocsin: Process) -> None:
    alice = journey.alice

    await comes(tocsin, "Typed")
    page = await journey.paged("Typed")
    subject = page.body.split()[0]
    for tap in ("✅", "⏫"):
        [put] = await alice.sees(partial(_taps, page, tap))
        assert put.sender == journey.bot.user_id
    await alice.says(journey.private, f"!ack {subject}")
    await journey.told(f"{subject} acknowledged by alice")
    await journey.shows(subject, "acknowledged by alice")

    await comes(tocsin, "Tapped")
    page = await journey.paged("Tapped")
    await alice.reacts(page, "✅")
    await journey.told(f"{page.body.split()[0]} acknowledged by alice")

    await comes(tocsin, "Replied")
    page = await journey.paged("Replied")
    await alice.replies(page, "ack")
    await journey.told(f"{page.body.split()[0]} acknowledged by alice")


def _taps(page: Heard, tap: str, event: Heard) -> bool:
    """Whether it puts that emoji on a page."""
    return event.relation == ("m.annotation", page.id) and event.content["m.relates_to"]["key"] == tap


async def _dies_as_it_pages(journey: Journey, tocsin: Process, proxy: Proxy) -> str:
    """It is killed when the homeserver has taken the page, and it does not know that yet; where it was put."""
    died = asyncio.Event()
    put: list[str] = []

    def loses(request: Request) -> bool:
        if request.method == "PUT" and f"{journey.private}/send/m.room.encrypted" in request.path:
            tocsin.popen.kill()
            put.append(request.path)
            died.set()
        return died.is_set()

    proxy.loses = loses
    await comes(tocsin, "InDoubt")
    async with asyncio.timeout(PATIENCE):
        await died.wait()
    proxy.loses = lambda _: False
    await asyncio.to_thread(tocsin.popen.wait, 20)
    return put[0]
