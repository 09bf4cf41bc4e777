"""A real Tocsin in a real Synapse's room and a real ngIRCd's channel, which a real bridge joins: heisenbridge."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.journeys.bridged_parts import AFTERWARDS, ROOM, read_on_irc, read_on_matrix
from tests.journeys.matrix_parts import comes, configured, log_in, says
from tests.processes import daemon
from tests.servers.heisenbridge import NICK, Heisenbridge
from tests.servers.irc_user import people as chatters
from tests.servers.ircd import Ngircd
from tests.servers.matrix_user import people
from tests.servers.programs import running
from tests.servers.synapse import DOMAIN, Synapse

PUPPET = f"@irc_net_tocsin:{DOMAIN}"
"""Who says on Matrix what Tocsin says on IRC."""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Synapse, Ngircd, Heisenbridge]]:
    bridge = Heisenbridge(tmp_path / "heisenbridge")
    with ExitStack() as stack:
        stack.callback(bridge.close)
        ngircd = stack.enter_context(running(Ngircd(tmp_path / "ngircd")))
        services = [bridge.registration]
        synapse = stack.enter_context(running(Synapse(tmp_path / "synapse", services=services)))
        yield synapse, ngircd, bridge


@pytest.mark.parametrize("notices", [True, False])
async def test_a_real_bridge_doubles_nothing_and_keeps_nothing_from_anybody_when_it_dies(
    servers: tuple[Synapse, Ngircd, Heisenbridge], write_config: Callable[..., Path], *, notices: bool
) -> None:
    synapse, ngircd, bridge = servers
    bot = synapse.register("tocsin")
    async with AsyncExitStack() as stack:
        alice, owner = await stack.enter_async_context(people(synapse, "alice", "owner"))
        reader, bob = await stack.enter_async_context(chatters("reader", "bob"))
        room = await owner.create("ops", invite=[bot.user_id, alice.id])
        await alice.join(room)
        for chatter in (reader, bob):
            await chatter.connect(ngircd.port)
            await chatter.join(ROOM)
        bridge.starts(synapse.url, owner)
        await bridge.plumbs(owner, room, ngircd.port, ROOM, notices=notices)
        text = configured(synapse.url, bot, room, alice=alice.id, ngircd=ngircd)
        config = write_config(
            text.replace('accounts.matrix = "@nobody', 'accounts.irc = "bob"\naccounts.matrix = "@nobody')
        )
        await log_in(config, bot)
        tocsin = await stack.enter_async_context(daemon(config))
        await reader.sees(lambda line: line.command == "JOIN" and line.nick == "tocsin")
        await alice.sees(lambda event: event.sender == PUPPET and event.content.get("membership") == "join")

        await comes(tocsin, "Doubled")
        if notices:
            await alice.sees(partial(says, room, "on irc what I say here: from now on"))
        await reader.sees("on matrix what I say here: from now on")

        await comes(tocsin, "Once")
        paging = "paging alice: critical Once"
        await alice.sees(partial(says, room, paging))
        await reader.sees(paging)
        [page] = {event.body.split()[0] for event in alice.messages(room) if paging in event.body}
        # The bridge makes one message of it on Matrix.
        bob.send(f"PRIVMSG {ROOM} :!ack {page}")
        bob.send(f"PRIVMSG {ROOM} :I am on it")
        done = f"{page} acknowledged by bob, paging stops"
        await alice.sees(partial(says, room, f"!ack {page}\nI am on it"))
        await alice.sees(partial(says, room, done))
        await asyncio.sleep(AFTERWARDS)
        await asyncio.gather(alice.sync(), reader.sync())
        # Where the bridge does not carry notices, and most that Tocsin says on Matrix are some, IRC's side posts.
        assert read_on_matrix(alice, room, paging) == [bot.user_id if notices else PUPPET]
        assert read_on_irc(reader, paging) == [NICK if notices else "tocsin"]
        assert read_on_matrix(alice, room, done) == [PUPPET]
        assert read_on_irc(reader, done) == ["tocsin"]
        for read in (read_on_irc(reader, "know you"), read_on_matrix(alice, room, "know you")):
            assert read == []

        bridge.ends()
        await comes(tocsin, "Severed")
        paging = "paging alice: critical Severed"
        async with asyncio.timeout(AFTERWARDS):
            while not (read_on_irc(reader, paging) and read_on_matrix(alice, room, paging)):
                await asyncio.gather(alice.sync(), reader.sync())
                await asyncio.sleep(0.1)
        assert read_on_matrix(alice, room, paging) == [bot.user_id]
        assert read_on_irc(reader, paging) == ["tocsin"]
