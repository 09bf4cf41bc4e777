"""What a network sees of itself on a real server: rooms, rights, encryption, who proves who speaks."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.domain.finding import Finding, Level
from tocsin.domain.message import Place
from tocsin.domain.oncall import Identity
from tocsin.errors import NetworkError
from tocsin.networks.base import Examines, Rank
from tocsin.networks.irc import examining
from tocsin.networks.matrix.network import Matrix

from tests.networks.contract import PAGE
from tests.networks.ears import on
from tests.networks.irc_peers import DB, OTHER_ROOM, ROOM, come, got, irc, refuses
from tests.networks.matrix_peers import World
from tests.processes import PATIENCE
from tests.servers.irc_user import people
from tests.servers.ircd import Inspircd, Ircd, Ngircd
from tests.servers.programs import running
from tests.servers.synapse import Synapse


async def seen(network: Examines) -> dict[str, Finding]:
    async with asyncio.timeout(PATIENCE):
        found = await network.examine()
    assert len({one.about for one in found}) == len(found)
    return {one.about: one for one in found}


def levels(found: Mapping[str, Finding]) -> Mapping[str, Level]:
    return {about: one.level for about, one in found.items()}


@pytest.mark.parametrize("server", ["ngircd", "inspircd"])
async def test_a_channel_where_it_may_not_speak_is_found_before_anybody_is_to_wake_up(
    request: pytest.FixtureRequest, server: str
) -> None:
    ircd: Ircd = request.getfixturevalue(server)
    network = irc(ircd.port, identity=Identity.CODES)
    async with people("bob") as [bob]:
        await come(bob, ircd, "", ROOM, OTHER_ROOM)
        async with on(network) as ear:
            await ear.is_up()
            assert set(levels(await seen(network)).values()) == {Level.GREEN}
            bob.send(f"MODE {OTHER_ROOM} +m")
            await bob.sync()
            found = await seen(network)
            assert found.pop(f"irc {OTHER_ROOM}") == Finding(
                f"irc {OTHER_ROOM}",
                Level.RED,
                "is moderated, and Tocsin has no voice: nothing can be said there",
                f"/mode {OTHER_ROOM} +v tocsin",
            )
            assert set(levels(found).values()) == {Level.GREEN}
            assert "cannot send" in str(await refuses(network, DB)).lower()
            bob.send(f"MODE {OTHER_ROOM} +v tocsin")
            await bob.sync()
            assert (await seen(network))[f"irc {OTHER_ROOM}"].level is Level.GREEN
            await network.send(DB, PAGE, "an id", tried=None, rank=Rank.PAGE)
            bob.send(f"MODE {OTHER_ROOM} +b tocsin!*@*")
            bob.send(f"KICK {OTHER_ROOM} tocsin :away")
            await bob.sync()
            lost = (await seen(network))[f"irc {OTHER_ROOM}"]
            assert (lost.level, lost.text) == (Level.RED, "Tocsin is not in it: bob kicked us (away)")
            assert await got(bob, ROOM) == []


async def test_what_the_server_does_not_tell_in_time_is_not_taken_for_good(
    ngircd: Ngircd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examining, "ANSWERED_WITHIN", 0.0)
    network = irc(ngircd.port, identity=Identity.CODES)
    async with on(network) as ear:
        await ear.is_up()
        found = (await seen(network))[f"irc {ROOM}"]
    assert (found.level, found.text) == (
        Level.YELLOW,
        "Tocsin is in it; whether it may speak the server has not told in time",
    )


@pytest.mark.parametrize(
    ("identity", "level", "text"),
    [
        (Identity.ACCOUNTS, Level.GREEN, "services account that the server tells"),
        (Identity.CODES, Level.GREEN, "the code that each page brings"),
        (Identity.NICKS, Level.YELLOW, "whoever takes somebody's nick is taken for them"),
        (Identity.NOBODY, Level.YELLOW, "nobody can answer here"),
    ],
)
async def test_who_proves_who_speaks(inspircd: Inspircd, identity: Identity, level: Level, text: str) -> None:
    network = irc(inspircd.port, identity=identity)
    async with on(network) as ear:
        await ear.is_up()
        found = (await seen(network))["irc identity"]
        assert found.level is level
        assert text in found.text


async def test_a_server_without_accounts_is_found(ngircd: Ngircd) -> None:
    network = irc(ngircd.port)
    async with on(network) as ear:
        await ear.is_up()
        found = (await seen(network))["irc identity"]
        assert found.level is Level.YELLOW
        assert "identity = 'codes'" in found.todo


async def test_what_is_not_connected_can_not_be_looked_at(inspircd: Inspircd, world: World) -> None:
    for network in (irc(inspircd.port), world.network()):
        with pytest.raises(NetworkError, match="not connected"):
            await seen(network)


async def sees(network: Matrix, about: str) -> list[Level | str]:
    """What is seen of it once all that was told until now is known: the levels, and the words of what isn't green."""
    await network.prove()
    found = [one for one in await network.examine() if one.about == about]
    return [one.level if one.level is Level.GREEN else one.text for one in found]


async def test_rights_and_readers_of_a_room(world: World) -> None:
    open_to = "is not encrypted: whoever runs a homeserver that is in it can read it"
    about, visible = f"matrix {world.room}", "m.room.history_visibility"
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        assert await sees(network, about) == [open_to]
        await world.alice.set_state(world.room, visible, {"history_visibility": "world_readable"})
        assert await sees(network, about) == ["anybody in the world can read it, without joining", open_to]
        await world.alice.set_levels(world.room, events_default=10)
        assert await sees(network, about) == [
            "Tocsin may not speak in it: its power level is 0, and 10 is needed"
        ]
        await world.alice.set_power(world.room, world.bot.user_id, 10)
        await world.alice.set_state(world.room, visible, {"history_visibility": "shared"})
        await world.alice.set_state(world.room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
        assert await sees(network, about) == [Level.GREEN]
        for user in (world.alice, world.bob):
            await user.leave(world.room)
        assert await sees(network, about) == ["none of the people is in it", Level.GREEN]


async def test_a_room_that_lets_it_in_no_more(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        await world.alice.ban(world.room, world.bot.user_id, "no bots")
        await network.prove()
        found = await seen(network)
    assert found[f"matrix {world.room}"].level is Level.RED
    assert "banned me (no bots)" in found[f"matrix {world.room}"].text
    assert found[f"matrix {world.room}"].todo == f"invite {world.bot.user_id}"


async def test_the_account_of_a_homeserver(world: World) -> None:
    network = world.network()
    async with on(network) as ear:
        await ear.is_up()
        found = await seen(network)
        assert found["matrix identity"].text.endswith("(cross-signing)")
        assert found["matrix rate limit"].level is Level.GREEN
        assert "matrix pages" not in found
        await world.bob.leave(world.private[world.bob.id])
        outside = f"{world.bob.id} has not joined the room for pages"
        assert await sees(network, "matrix pages") == [outside]


async def test_a_homeserver_that_slows_it_down_is_found(tmp_path: Path) -> None:
    with running(Synapse(tmp_path / "synapse", limits=True)) as synapse:
        async with World(synapse, tmp_path) as world:
            network = world.network(burst=100, pace=timedelta(0))
            async with on(network) as ear:
                await ear.is_up()
                ops = Place("matrix", world.room)
                said = (
                    network.send(ops, PAGE, f"an id {number}", tried=None, rank=Rank.PAGE)
                    for number in range(30)
                )
                await asyncio.gather(*said, return_exceptions=True)
                found = (await seen(network))["matrix rate limit"]
    assert found.level is Level.YELLOW
    assert "slowed Tocsin down" in found.text
