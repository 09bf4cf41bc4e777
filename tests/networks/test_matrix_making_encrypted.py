"""Matrix: who reads what in the rooms that Tocsin makes, in a client that has nothing in common with ours."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tocsin.domain.message import Message, Place

from tests.networks.ears import on
from tests.networks.matrix_peers import World, say
from tests.servers.js_client import Client, clients
from tests.servers.synapse import Synapse


@pytest.fixture
async def people(synapse: Synapse) -> AsyncIterator[list[Client]]:
    async with clients(synapse, "alice", "bob") as both:
        for user in both:
            await user.exclude_insecure_devices()
        yield list(both)


async def test_each_reads_all_since_they_were_invited_and_nothing_before(
    synapse: Synapse, tmp_path: Path, people: list[Client]
) -> None:
    alice, bob = people
    async with World(synapse, tmp_path) as world:
        world.joins(world.room)
        world.names = [alice.id, bob.id]
        network = world.network(reactions=False)
        async with on(network) as ear:
            await ear.is_up()
            room = await network.make_room("inc-42", "nobody can pay", [alice.id])
            network.be_in([room])
            place = Place("matrix", room)
            await say(network, place, Message("said at once"), "1")
            assert await alice.invited(room)
            await say(network, place, Message("said while she was invited"), "2")
            await alice.join(room)
            await ear.knows(lambda: ear.comers)
            await say(network, place, Message("said when she was there"), "3")
            await alice.sees("said when she was there")
            assert read(alice, room) == [
                "said at once",
                "said while she was invited",
                "said when she was there",
            ]

            await network.invite(room, bob.id)
            await say(network, place, Message("said while he was invited"), "4")
            await bob.join(room)
            await ear.knows(lambda: len(ear.comers) == 2)
            await say(network, place, Message("said when all were there"), "5")
            await bob.sees("said when all were there")
            await alice.sees("said when all were there")
            assert read(bob, room) == ["said while he was invited", "said when all were there"]
            assert read(alice, room)[3:] == ["said while he was invited", "said when all were there"]

            await bob.says(room, "!ack k7f3")
            [line] = await ear.hears("!ack k7f3")
            assert (line.place, line.account) == (place, bob.id)


def read(user: Client, room: str) -> list[str]:
    """What somebody has read there of what was encrypted; nothing was that they can't read."""
    said = [event for event in user.heard if event.room == room and event.encrypted]
    assert [event for event in said if event.failure or event.shield] == []
    return [event.body for event in said]
