"""Matrix: who comes to the rooms that Tocsin makes, and where it listens."""

from collections.abc import AsyncIterator

import pytest

from tocsin.domain.message import Place
from tocsin.errors import NetworkError
from tocsin.networks.matrix.network import Matrix

from tests.networks.contract import PAGE
from tests.networks.ears import Ear, on
from tests.networks.matrix_peers import World, say
from tests.servers.matrix_user import User

TITLE = "inc-42: nobody can pay"


@pytest.fixture
async def network(world: World) -> Matrix:
    return world.network(reactions=False)


@pytest.fixture
async def ear(network: Matrix) -> AsyncIterator[Ear]:
    """It is up."""
    async with on(network) as listening:
        await listening.is_up()
        yield listening


async def comes(ear: Ear, user: User, room: str, times: int = 1) -> None:
    """Somebody goes there, and it is told so often by now that they came."""
    await user.join(room)
    await ear.knows(lambda: ear.comers.count((Place("matrix", room), user.id)) == times)


# Who comes.


async def test_who_comes_is_told_each_time(world: World, network: Matrix, ear: Ear) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id, world.bob.id])
    network.be_in([room])
    await comes(ear, world.alice, room)
    await world.alice.set_name("Alice")  # is a member event too
    await comes(ear, world.bob, room)
    assert [account for _, account in ear.comers] == [world.alice.id, world.bob.id]


async def test_who_leaves_and_comes_back_is_told_again(world: World, network: Matrix, ear: Ear) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id, world.bob.id])
    network.be_in([room])
    await comes(ear, world.bob, room)
    await comes(ear, world.alice, room)
    await world.alice.leave(room)
    await world.bob.invite(room, world.alice.id)
    await comes(ear, world.alice, room, times=2)


async def test_who_comes_before_it_is_known_what_the_room_is_for_is_told_then(
    world: World, network: Matrix, ear: Ear
) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id])
    await world.alice.join(room)
    await world.alice.says(room, "I am here")
    await ear.hears("I am here")
    network.be_in([])  # another room has ended
    await world.alice.says(room, "still")
    await ear.hears("still")
    assert ear.comers == []
    network.be_in([room])
    await ear.knows(lambda: ear.comers)
    assert ear.comers == [(Place("matrix", room), world.alice.id)]


async def test_who_came_while_it_was_away_is_told_and_who_was_there_is_not(
    world: World, network: Matrix, ear: Ear
) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id, world.bob.id])
    network.be_in([room])
    await comes(ear, world.alice, room)
    await world.alice.says(room, "so that it stands there")
    [line] = await ear.hears("so that it stands there")
    await world.bob.join(room)
    again = Ear()
    again.stands_at = line.position
    restarted = world.network()
    restarted.be_in([room])
    async with on(restarted, again):
        await again.is_up()
        await again.knows(lambda: again.comers)
        await world.alice.says(room, "and now")
        await again.hears("and now")
        assert [account for _, account in again.comers] == [world.bob.id]
    fresh = world.network(device="ANOTHER")
    fresh.be_in([room])
    async with on(fresh) as first:
        await first.is_up()
        await world.alice.says(room, "at last")
        await first.hears("at last")
        assert first.comers == []


async def test_who_comes_elsewhere_is_not_told(world: World, network: Matrix, ear: Ear) -> None:
    await world.bob.leave(world.room)
    await world.alice.invite(world.room, world.bob.id)
    await world.bob.join(world.room)
    room = await network.make_room("inc-42", TITLE, [world.alice.id])
    network.be_in([room])
    await comes(ear, world.alice, room)
    assert [account for _, account in ear.comers] == [world.alice.id]


# What is over.


async def test_what_is_left_is_heard_no_more_and_is_nobodys_private_room(
    world: World, network: Matrix, ear: Ear
) -> None:
    room = await network.make_room("inc-42", TITLE, [world.alice.id])
    network.be_in([room])
    await comes(ear, world.alice, room)
    await world.alice.leave(world.private[world.alice.id])  # so that she is alone with us nowhere else
    network.be_in([])
    await world.alice.says(room, "!ack k7f3")
    await world.alice.says(world.room, "anybody?")
    await ear.hears("anybody?")
    assert [line.text for line in ear.lines] == ["anybody?"]
    assert not network.reaches(world.alice.id)
    with pytest.raises(NetworkError) as caught:
        await say(network, Place("matrix", room))
    assert str(caught.value) == f"not in {room}: it is none of our rooms"
    assert world.bot.user_id in await world.alice.members(room)
    network.be_in([room])
    await world.alice.says(room, "and again")
    [line] = await ear.hears("and again")
    assert line.place == Place("matrix", room)


async def test_rooms_of_the_configuration_stay(world: World, network: Matrix, ear: Ear) -> None:
    network.be_in([])
    await world.alice.says(world.room, "hello")
    await ear.hears("hello")
    assert await say(network, world.ops)
    assert await world.got(world.alice, world.room) == [PAGE.first_line()]
