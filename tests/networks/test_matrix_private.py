"""Matrix: the rooms in which Tocsin is alone with one person each."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.errors import NetworkError
from tocsin.networks.matrix.network import Matrix

from tests.networks.contract import PAGE
from tests.networks.ears import on
from tests.networks.matrix_peers import World, private, refuses, say
from tests.servers.synapse import Synapse


@pytest.fixture
async def world(synapse: Synapse, tmp_path: Path) -> AsyncIterator[World]:
    async with World(synapse, tmp_path) as there:
        there.joins(there.room)
        there.names = [there.alice.id]
        yield there


async def absent(world: World, network: Matrix) -> str:
    """Page alice, who can't be paged: why."""
    error = await refuses(network, private(world.alice.id))
    assert (error.absent, error.unsent, error.permanent) == (True, True, False)
    return str(error)


async def test_whoever_has_no_private_room_is_invited_to_one(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        room = await world.alice.invited()
        assert not network.reaches(world.alice.id)
        assert "they have to accept" in await absent(world, network)
        ups = ear.ups
        await world.alice.join(room)
        await ear.is_up_for(ups + 1)
        assert network.reaches(world.alice.id)
        assert await world.alice.members(room) == {world.alice.id, world.bot.user_id}
        state = await world.alice.state(room, "m.room.encryption")
        assert state["algorithm"] == "m.megolm.v1.aes-sha2"
        assert (await world.alice.state(room, "m.room.history_visibility"))["history_visibility"] == "shared"
        direct = world.call("GET", f"/user/{world.bot.user_id}/account_data/m.direct")
        assert direct == {world.alice.id: [room]}


async def test_that_room_is_found_again_by_who_has_lost_everything(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        room = await world.alice.invited()
    network = world.network(device="ANOTHER")
    async with on(network) as ear:
        await ear.is_up()
        assert "they have to accept" in await absent(world, network)
        ups = ear.ups
        await world.alice.join(room)
        await ear.is_up_for(ups + 1)
        assert len(world.call("GET", "/joined_rooms")["joined_rooms"]) == 2
        await world.alice.sync()
        assert not world.alice.invites


async def test_a_room_that_was_made_and_to_which_nobody_was_invited_is_used(world: World) -> None:
    mark = {"type": "org.tocsin.private", "state_key": "", "content": {"account": world.alice.id}}
    room = world.call("POST", "/createRoom", {"preset": "private_chat", "initial_state": [mark]})["room_id"]
    async with on(world.network()) as ear:
        await ear.is_up()
        assert await world.alice.invited() == room


async def test_a_mark_that_somebody_else_has_set_counts_nothing(world: World) -> None:
    mark = {"type": "org.tocsin.private", "state_key": "", "content": {"account": world.alice.id}}
    room = await world.mallory.create(initial_state=[mark], invite=[world.bot.user_id])
    world.joins(room)
    await world.mallory.leave(room)
    async with on(world.network()) as ear:
        await ear.is_up()
        assert await world.alice.invited() != room


async def test_a_room_that_they_made_with_us_alone_is_as_good(world: World) -> None:
    room = await world.alice.create(invite=[world.bot.user_id], direct=True)
    world.joins(room)
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        await say(network, private(world.alice.id))
        assert await world.got(world.alice, room) == [PAGE.first_line()]
        assert not world.alice.invites


async def test_a_room_with_a_third_person_is_private_no_more(world: World) -> None:
    room = await world.alice.create(invite=[world.bot.user_id], direct=True)
    world.joins(room)
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        assert network.reaches(world.alice.id)
        await world.alice.invite(room, world.mallory.id)
        another = await world.alice.invited()
        assert another != room
        await absent(world, network)
        await world.alice.says(room, "!ack k7f3")
        await world.alice.says(world.room, "in the room")
        await ear.hears("in the room")
        assert [line.text for line in ear.lines] == ["in the room"]


async def test_what_waits_for_its_turn_is_not_said_to_who_came_meanwhile(world: World) -> None:
    room = await world.alice.create(invite=[world.bot.user_id], direct=True)
    world.joins(room)
    network = world.network(burst=1, pace=timedelta(seconds=3), reactions=False)
    async with on(network) as ear:
        await ear.is_up()
        await say(network, world.ops, txn_id="first")
        page = asyncio.create_task(say(network, private(world.alice.id)))
        await asyncio.sleep(0)
        await world.alice.invite(room, world.mallory.id)
        await world.mallory.join(room)
        with pytest.raises(NetworkError) as caught:
            await page
        assert (caught.value.absent, caught.value.unsent) == (True, True)
        assert await world.got(world.mallory, room) == []


@pytest.mark.parametrize(
    "opened",
    [
        ("m.room.join_rules", {"join_rule": "public"}),
        ("m.room.join_rules", {"join_rule": "restricted", "allow": []}),
        ("m.room.history_visibility", {"history_visibility": "world_readable"}),
    ],
)
async def test_a_room_into_which_anybody_may_look_is_not_private(
    world: World, opened: tuple[str, dict[str, str]]
) -> None:
    room = await world.alice.create(invite=[world.bot.user_id], direct=True)
    world.joins(room)
    await world.alice.set_state(room, *opened)
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        await absent(world, network)


async def test_one_of_its_rooms_is_not_private_however_few_are_there(world: World) -> None:
    for user in (world.bob, world.mallory):
        await user.leave(world.room)
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        await world.alice.says(world.room, "hello")
        [line] = await ear.hears("hello")
        assert line.place == world.ops
        assert not network.reaches(world.alice.id)


async def test_who_is_new_is_invited(world: World) -> None:
    world.names = []
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        network.know({world.alice.id: "alice"})
        assert await world.alice.invited()


async def test_whoever_left_is_invited_to_the_same_room(world: World) -> None:
    async with on(world.network()) as ear:
        await ear.is_up()
        room = await world.alice.invited()
        await world.alice.join(room)
        await world.alice.leave(room)
        await world.alice.says(world.room, "bye")
        await ear.hears("bye")
    async with on(world.network()) as ear:
        await ear.is_up()
        assert await world.alice.invited() == room


async def test_whoever_has_invited_us_meanwhile_can_be_paged_once_we_are_up(world: World) -> None:
    await world.alice.create(invite=[world.bot.user_id], direct=True)
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        assert network.reaches(world.alice.id)
        assert await say(network, private(world.alice.id))
