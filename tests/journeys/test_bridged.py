"""A real Tocsin on a real Synapse and a real ngIRCd whose rooms somebody bridges: each reader reads each line once."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from tests.journeys.bridged_parts import AFTERWARDS, ROOM, read_on_irc, read_on_matrix, until_read
from tests.journeys.matrix_parts import comes, configured, log_in, says
from tests.processes import daemon
from tests.servers.irc_user import people as chatters
from tests.servers.ircd import Ngircd
from tests.servers.matrix_user import people
from tests.servers.relay import Relay, carrying
from tests.servers.synapse import Synapse


async def test_each_line_is_read_once_on_either_side_and_all_of_them_when_the_bridge_dies(
    synapse: Synapse, ngircd: Ngircd, write_config: Callable[..., Path]
) -> None:
    bot = synapse.register("tocsin")
    async with AsyncExitStack() as stack:
        alice, bridge = await stack.enter_async_context(people(synapse, "alice", "bridge"))
        reader, other_end = await stack.enter_async_context(chatters("reader", "bridge"))
        room = await alice.create("ops", invite=[bot.user_id, bridge.id])
        await bridge.join(room)
        for chatter in (reader, other_end):
            await chatter.connect(ngircd.port)
            await chatter.join(ROOM)
        config = write_config(configured(synapse.url, bot, room, alice=alice.id, ngircd=ngircd))
        await log_in(config, bot)
        relay = Relay(bridge, room, other_end, ROOM)
        tocsin = await stack.enter_async_context(daemon(config))
        await reader.sees(lambda line: line.command == "JOIN" and line.nick == "tocsin")
        await stack.enter_async_context(carrying(relay))

        await comes(tocsin, "Doubled")
        await alice.sees(partial(says, room, "what I say here: from now on"))
        await reader.sees("what I say here: from now on")

        await comes(tocsin, "Once")
        await alice.sees(partial(says, room, "paging alice: critical Once"))
        await reader.sees("paging alice: critical Once")
        [page] = {event.body.split()[0] for event in alice.messages(room) if "critical Once" in event.body}
        await alice.says(room, f"!ack {page}")
        await alice.sees(partial(says, room, f"{page} acknowledged by alice"))
        await asyncio.sleep(AFTERWARDS)
        await asyncio.gather(alice.sync(), reader.sync())
        for line in ("paging alice: critical Once", f"{page} acknowledged by alice, paging stops"):
            assert read_on_matrix(alice, room, line) == [bot.user_id]
            assert read_on_irc(reader, line) == ["bridge"]
        for read in (read_on_irc(reader, "know you"), read_on_matrix(alice, room, "know you")):
            assert read == []

        relay.passes = False
        await comes(tocsin, "Severed")
        await alice.sees(partial(says, room, "paging alice: critical Severed"))
        await asyncio.wait_for(until_read(reader, "paging alice: critical Severed"), AFTERWARDS)
        assert read_on_irc(reader, "paging alice: critical Severed") == ["tocsin"]
        await comes(tocsin, "Both")
        await reader.sees("paging alice: critical Both")
        assert read_on_irc(reader, "paging alice: critical Both") == ["tocsin"]
