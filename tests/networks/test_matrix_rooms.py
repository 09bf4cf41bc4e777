"""Matrix: where we are, where we are not, and who gets us anywhere."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tocsin.domain.message import Place
from tocsin.networks.matrix.network import Matrix

from tests.networks.contract import PAGE
from tests.networks.ears import Ear, on
from tests.networks.matrix_peers import World, refuses, say
from tests.processes import PATIENCE
from tests.servers.matrix_user import User
from tests.servers.synapse import Synapse


@pytest.fixture
async def world(synapse: Synapse, tmp_path: Path) -> AsyncIterator[World]:
    async with World(synapse, tmp_path) as there:
        there.names = []
        yield there


async def seen(ear: Ear, world: World, room: str) -> None:
    """Wait until what is said in a room is heard."""
    await world.alice.says(room, f"do you hear me in {room}")
    await ear.hears(f"do you hear me in {room}")


async def test_invited_to_one_of_its_rooms_it_comes(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        await seen(ear, world, world.room)
        assert await say(network, world.ops)
        assert ear.told == []


async def test_a_public_room_is_joined_by_its_alias(world: World) -> None:
    alias = f"#{world.us}:tocsin.test"
    room = await world.alice.create(public=True, room_alias_name=world.us)
    network = world.network(room=alias)
    async with on(network) as ear:
        await ear.is_up()
        await world.alice.says(room, "hello")
        [line] = await ear.hears("hello")
        assert line.place == Place("matrix", alias)
        await say(network, line.place)
        assert await world.got(world.alice, room) == [PAGE.first_line()]


async def test_a_room_that_does_not_exist_is_told_once_and_keeps_none_from_being_used(world: World) -> None:
    alias = f"#nothing-{world.us}:tocsin.test"
    network = world.network(room=alias, rooms=[world.room])
    async with on(network) as ear:
        await ear.is_up()
        await ear.knows(lambda: ear.told)
        assert ear.told == [f"I am not in {alias} on matrix: there is no such room"]
        error = await refuses(network, Place("matrix", alias))
        assert (str(error), error.unsent) == (f"not in {alias}: there is no such room", True)
        await seen(ear, world, world.room)


async def test_kicked_it_says_so_once_and_comes_when_it_is_invited(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        await seen(ear, world, world.room)
        await world.alice.kick(world.room, world.bot.user_id, "too loud")
        await ear.knows(lambda: ear.told)
        why = f"{world.alice.id} kicked me out (too loud)"
        assert ear.told == [f"I am not in {world.room} on matrix: {why}"]
        error = await refuses(network, world.ops)
        assert (str(error), error.unsent, error.permanent) == (f"not in {world.room}: {why}", True, False)
        ups = ear.ups
        await world.alice.invite(world.room, world.bot.user_id)
        await ear.is_up_for(ups + 1)
        assert await say(network, world.ops)


async def test_banned_it_says_so_and_does_not_knock_again_and_again(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        await seen(ear, world, world.room)
        await world.alice.ban(world.room, world.bot.user_id)
        await ear.knows(lambda: ear.told)
        assert ear.told == [f"I am not in {world.room} on matrix: {world.alice.id} banned me"]
        assert (await refuses(network, world.ops)).unsent


async def test_where_it_may_not_speak_it_says_so_once(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        await world.alice.set_levels(world.room, events_default=50)
        for txn_id in ("1", "2"):
            error = await refuses(network, world.ops)
            assert error.unsent, txn_id
        [told] = ear.told
        assert told.startswith(f"I can't speak in {world.room} on matrix: M_FORBIDDEN")


async def test_it_goes_where_an_upgraded_room_went(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        await seen(ear, world, world.room)
        successor = await world.alice.upgrade(world.room)
        await world.alice.invite(successor, world.bot.user_id)
        await ear.knows(lambda: ear.told and ear.ups)
        await seen(ear, world, successor)
        [line] = [line for line in ear.lines if line.text.endswith(successor)]
        assert line.place == world.ops
        await say(network, world.ops)
        assert await world.got(world.alice, successor) == [PAGE.first_line()]
        assert ear.told[-1] == f"{world.room} on matrix was replaced by another room: I went there"
    async with on(world.network()) as ear:
        await ear.is_up()
        await seen(ear, world, successor)
        assert ear.told == []


async def test_strangers_get_it_nowhere(world: World) -> None:
    world.names = [world.alice.id]
    await world.alice.create(invite=[world.bot.user_id], direct=True)
    spam = await world.mallory.create(invite=[world.bot.user_id], direct=True)
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        more = await world.mallory.create(invite=[world.bot.user_id])
        await seen(ear, world, world.room)
        await until_reached(network, ear, world.alice)
        for room in (spam, more):
            assert await world.mallory.members(room) == {world.mallory.id}


async def test_an_invitation_that_came_before_its_inviter_was_known_is_accepted_then(world: World) -> None:
    async with on(world.network()) as ear:
        await ear.is_up()
        stands_at = ear.stands_at
    room = await world.alice.create(invite=[world.bot.user_id], direct=True)
    async with on(world.network()) as ear:  # sees it, and does not know her
        await ear.is_up()
        await seen(ear, world, world.room)
        stands_at = ear.lines[-1].position
    world.names = [world.alice.id]
    again = Ear()
    again.stands_at = stands_at
    network = world.network()
    async with on(network, again):
        await until_reached(network, again, world.alice)
        await world.alice.says(room, "hello")
        [line] = await again.hears("hello")
        assert line.place == Place("matrix", world.alice.id, private=True)


async def until_reached(network: Matrix, ear: Ear, *users: User) -> None:
    """Wait until people are in their private rooms."""
    async with asyncio.timeout(PATIENCE):
        while not all(network.reaches(user.id) for user in users):
            await asyncio.sleep(0.05)
    assert ear.ups
