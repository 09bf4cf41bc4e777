"""What a network says to itself comes back through a real server, and nobody else is any the wiser."""

import asyncio

import pytest

from tocsin.domain.oncall import Identity
from tocsin.errors import NetworkError
from tocsin.networks.base import Proves
from tocsin.networks.matrix import syncing

from tests.networks.ears import Ear, on
from tests.networks.irc_peers import ROOM, come, got, irc
from tests.networks.matrix_peers import World
from tests.processes import PATIENCE
from tests.servers.irc_user import people
from tests.servers.ircd import Inspircd, Ircd


async def proves(network: Proves) -> None:
    async with asyncio.timeout(PATIENCE):
        await network.prove()


@pytest.mark.parametrize("server", ["ngircd", "inspircd"])
async def test_a_notice_to_itself_comes_back(request: pytest.FixtureRequest, server: str) -> None:
    ircd: Ircd = request.getfixturevalue(server)
    network = irc(ircd.port, identity=Identity.NICKS)
    async with people("bob") as [bob], on(network) as ear:
        await asyncio.gather(ear.is_up(), come(bob, ircd, "", ROOM))
        for _ in range(3):
            await proves(network)
        assert await got(bob, ROOM) == []
        assert await got(bob) == []
        assert ear.lines == []


async def test_a_server_that_hands_nothing_on_is_found(
    inspircd: Inspircd, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = irc(inspircd.port, identity=Identity.NICKS)
    async with on(network) as ear:
        await ear.is_up()
        await proves(network)
        link = network._link  # noqa: SLF001 (there is no other way to lose one line of a good link)
        assert link is not None
        said = list[str]()
        monkeypatch.setattr(link, "command_some_time", said.append)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await network.prove()
        assert len(said) == 1
        assert ear.downs == []


async def test_who_is_not_there_has_nothing_to_prove(inspircd: Inspircd, world: World) -> None:
    for network in (irc(inspircd.port), world.network()):
        with pytest.raises(NetworkError, match="not connected"):
            await proves(network)


async def test_what_is_sent_to_its_own_device_comes_back_over_the_stream(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        for _ in range(2):
            await proves(network)
        assert ear.lines == []


async def test_a_stream_that_stands_still_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    network = world.network()
    async with on(network, Ear()) as ear:
        await ear.is_up()
        monkeypatch.setattr(syncing.Stream, "_take_proofs", lambda *_: None)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await network.prove()
