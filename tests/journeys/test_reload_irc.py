"""Somebody whom an edited configuration names is known on a real IRC server at once: paged there, and obeyed."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from tests.conftest import RUNNABLE
from tests.posted import payload
from tests.processes import daemon
from tests.servers.irc_user import Line, people
from tests.servers.ircd import Ngircd
from tests.servers.programs import HOST

ROOM = "#ops"
NETWORK = """\
[networks.irc]
server = "{host}:{port}"
tls = false
room = "{room}"
identity = "trust-nicks"
"""
BEFORE = '[schedules.primary]\non_call = "alice"\n'
AFTER = '[schedules.primary]\non_call = ["alice", "erin"]\n[people.erin]\naccounts.irc = "erin"\n'


def says(text: str, place: str) -> Callable[[Line], object]:
    """Whether a line is Tocsin's, there, and reads like this."""
    return lambda line: (
        (line.command, line.nick, line.params[0]) == ("PRIVMSG", "tocsin", place)
        and re.search(text, line.params[-1])
    )


async def test_who_is_new_and_on_call_is_paged_on_irc_for_what_rings(
    ngircd: Ngircd, write_config: Callable[..., Path]
) -> None:
    network = NETWORK.format(host=HOST, port=ngircd.port, room=ROOM)
    text = RUNNABLE.replace("[networks.console]\n", network).replace("accounts.console", "accounts.irc")
    text = text.replace('page = "alice"', 'page = "primary"')
    async with people("alice", "erin") as [alice, erin]:
        await asyncio.gather(alice.connect(ngircd.port), erin.connect(ngircd.port))
        await asyncio.gather(alice.join(ROOM), erin.join(ROOM))
        async with daemon(write_config(text + BEFORE)) as tocsin:
            answer = await asyncio.to_thread(tocsin.post, "alertmanager/prod", payload("DiskFull", "firing"))
            assert answer == 202
            [page] = await alice.sees(says("critical DiskFull", "alice"))
            subject = page.params[-1].split()[0]
            await erin.says(ROOM, f"!ack {subject}")
            await alice.sees(says("I don't know you here", ROOM))

            write_config(text + AFTER)
            await alice.says(ROOM, "!reload")
            changed = "configuration reloaded by alice: people.erin and schedules.primary changed"
            await alice.sees(says(changed, ROOM))
            await erin.sees(says(f"{subject} critical DiskFull", "erin"))
            await erin.says(ROOM, f"!ack {subject}")
            await alice.sees(says(f"{subject} acknowledged by erin", "alice"))
