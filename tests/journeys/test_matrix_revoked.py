"""The homeserver takes Tocsin's token no more: told on IRC, and mended by a login at a shell, with nothing restarted."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.conftest import Figure
from tests.journeys.matrix_parts import calls, comes, configured, enters, log_in, says
from tests.processes import daemon
from tests.servers.irc_user import people as chatters
from tests.servers.ircd import Ngircd
from tests.servers.matrix_proxy import Proxy
from tests.servers.matrix_user import people
from tests.servers.synapse import Synapse

ROOM = "#ops"

WATCHED = 5.0
"""For so many seconds its requests are counted, of which there is less than one in each."""


async def test_a_revoked_token_is_told_elsewhere_and_mended_by_a_login(
    synapse: Synapse, ngircd: Ngircd, write_config: Callable[..., Path], figure: Figure
) -> None:
    bot = synapse.register("tocsin")
    async with (
        people(synapse, "alice") as [alice],
        chatters("alice") as [chatter],
        Proxy(synapse.url) as proxy,
    ):
        room = await alice.create("ops", invite=[bot.user_id])
        private = await alice.create(invite=[bot.user_id], direct=True)
        await chatter.connect(ngircd.port)
        await chatter.join(ROOM)
        config = write_config(configured(proxy.url, bot, room, alice=alice.id, ngircd=ngircd))
        await log_in(config, bot)
        async with daemon(config) as tocsin:
            await alice.sees(partial(enters, private, bot.user_id))
            await asyncio.to_thread(synapse.revoke, bot)
            await chatter.sees("matrix is logged out")
            [told] = [text for text in chatter.said_by("tocsin", ROOM) if "logged out" in text]
            assert "tocsin matrix login" in told

            before = len(proxy.requests)
            await comes(tocsin, "Meanwhile")  # what is to be said asks no more either
            await chatter.sees("Meanwhile")
            await asyncio.sleep(WATCHED)
            asked = len(proxy.requests) - before
            assert asked < WATCHED

            assert "logged in as" in await log_in(config, bot)
            await alice.sees(lambda event: event.room == private and calls(event, "Meanwhile"))
            await comes(tocsin, "Mended")
            [page] = await alice.sees(lambda event: event.room == private and calls(event, "Mended"))
            await alice.replies(page, "ack")
            await alice.sees(partial(says, room, f"{page.body.split()[0]} acknowledged by alice"))
            await chatter.sees(f"{page.body.split()[0]} acknowledged by alice")
            assert tocsin.popen.poll() is None
            logged_out = [text for text in chatter.said_by("tocsin", ROOM) if "logged out" in text]
            assert logged_out == [told]  # once
    figure(f"token revoked: {asked} requests in {WATCHED:g} s")
