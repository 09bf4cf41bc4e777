"""Matrix: the homeserver is away, or lets us in no more."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.networks.ears import on
from tests.networks.matrix_account import account_of, logs_in
from tests.networks.matrix_peers import World, refuses, say
from tests.processes import PATIENCE
from tests.servers.matrix_proxy import Proxy
from tests.servers.programs import running
from tests.servers.synapse import Synapse


async def grows(proxy: Proxy, *, seconds: float, part: str = "") -> int:
    """How many requests come in so many seconds."""
    before = proxy.count(part)
    await asyncio.sleep(seconds)
    return proxy.count(part) - before


async def test_a_homeserver_that_comes_back_is_there_again_within_two_seconds(tmp_path: Path) -> None:
    with running(Synapse(tmp_path / "synapse")) as synapse:
        async with World(synapse, tmp_path) as world:
            world.joins(world.room)
            await world.private_rooms()
            network = world.network()
            async with on(network) as ear:
                await ear.is_up()
                synapse.ends()
                await ear.knows(lambda: ear.downs)
                error = await refuses(network, world.ops)
                assert error.unsent
                await asyncio.to_thread(synapse.start)
                began = asyncio.get_running_loop().time()
                await ear.is_up_for(2)
                assert asyncio.get_running_loop().time() - began < 4  # 2 on a machine that does nothing else
                await world.alice.says(world.room, "hello")
                await ear.hears("hello")
                assert await say(network, world.ops)
                assert ear.told == []


@pytest.mark.parametrize("status", [502, 500, 404])
async def test_whatever_answers_in_place_of_a_homeserver_is_asked_less_than_once_a_second(
    world: World, proxy: Proxy, status: int
) -> None:
    async with on(world.network(homeserver=proxy.url)) as ear:
        await ear.is_up()
        proxy.answers = lambda _: (status, {})
        await world.alice.says(world.room, "so that the sync ends")
        await ear.knows(lambda: ear.downs)
        assert await grows(proxy, seconds=5) <= 5
        proxy.answers = lambda _: None
        ups = ear.ups
        await ear.is_up_for(ups + 1)


async def test_where_only_the_stream_fails_it_is_asked_less_and_less(world: World, proxy: Proxy) -> None:
    async with on(world.network(homeserver=proxy.url)) as ear:
        await ear.is_up()
        proxy.answers = lambda request: (500, {}) if request.path.endswith("/sync") else None
        await world.alice.says(world.room, "so that the sync ends")
        await ear.knows(lambda: ear.downs)
        assert await grows(proxy, seconds=5) <= 6


def locks(world: World) -> None:
    world.synapse.lock(world.bot)


def revokes(world: World) -> None:
    world.synapse.revoke(world.bot)


def deactivates(world: World) -> None:
    world.synapse.deactivate(world.bot)


@pytest.mark.parametrize("shut_out", [revokes, locks, deactivates])
async def test_shut_out_it_says_so_and_asks_no_more(
    world: World, proxy: Proxy, shut_out: Callable[[World], None]
) -> None:
    network = world.network(homeserver=proxy.url)
    async with on(network) as ear:
        await ear.is_up()
        await asyncio.to_thread(shut_out, world)
        await world.alice.says(world.room, "so that the sync ends")
        await ear.knows(lambda: ear.downs and ear.told)
        assert ear.downs[0].startswith("logged out: ")
        assert "tocsin matrix login" in ear.downs[0]
        assert ear.told == [f"matrix is {ear.downs[0]}"]
        assert await grows(proxy, seconds=3) == 0
        assert "logged out" in str(await refuses(network, world.ops))


async def test_after_a_login_it_goes_on_without_a_restart(world: World, proxy: Proxy) -> None:
    network = world.network(homeserver=proxy.url)
    async with on(network) as ear:
        await ear.is_up()
        world.synapse.revoke(world.bot)
        error = await refuses(network, world.ops)
        assert error.unsent
        await ear.knows(lambda: ear.downs)
        await world.alice.says(world.room, "meanwhile")
        account = account_of(world.synapse, world.bot, world.folder / "TOCSIN", homeserver=proxy.url)
        account.keep(logs_in(world.synapse, world.bot))
        await ear.is_up_for(2)
        await ear.hears("meanwhile")
        assert await say(network, world.ops)


async def test_nobody_has_logged_in_yet(world: World, proxy: Proxy) -> None:
    network = world.network(homeserver=proxy.url)
    account = account_of(world.synapse, world.bot, world.folder / "TOCSIN", homeserver=proxy.url)
    found = account.kept()
    assert found is not None
    (account.folder / "account.json").unlink()
    async with on(network) as ear:
        await ear.knows(lambda: ear.downs)
        assert "tocsin matrix login" in ear.downs[0]
        assert proxy.requests == []
        account.keep(found)
        await ear.is_up()


async def test_a_room_whose_homeserver_is_away_keeps_no_other_from_being_used(
    world: World, proxy: Proxy
) -> None:
    proxy.loses = lambda request: "/directory/room/" in request.path
    network = world.network(homeserver=proxy.url, rooms=["#away:elsewhere.test"])
    async with on(network) as ear:
        await ear.is_up()
        assert await say(network, world.ops)


async def test_where_keys_can_not_be_had_all_else_goes_on(world: World, proxy: Proxy) -> None:
    network = world.network(homeserver=proxy.url)
    async with on(network) as ear:
        await ear.is_up()
        proxy.answers = lambda request: (500, {}) if request.path.endswith("/keys/query") else None
        encrypted = {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
        await world.alice.create(initial_state=[encrypted], invite=[world.bot.user_id])
        async with asyncio.timeout(PATIENCE):
            while not any(request.status == 500 for request in proxy.requests):
                await asyncio.sleep(0.02)
        await world.alice.says(world.room, "hello")
        await ear.hears("hello")
        assert await say(network, world.ops)
        assert not ear.downs
