"""What journeys on Matrix share: a configuration, a login typed at a shell, a daemon beside which people go on living."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import RUNNABLE
from tests.crash_irc import SETTINGS
from tests.posted import payload
from tests.processes import PATIENCE, Process
from tests.servers.ircd import Ngircd
from tests.servers.matrix_user import Event
from tests.servers.programs import HOST
from tests.servers.synapse import DOMAIN, Account

NETWORK = """\
[networks.matrix]
homeserver = "{url}"
user = "{user}"
room = "{room}"
"""

UNLIMITED = 'burst = 1000\npace = "0s"\n'
"""What a homeserver without limits takes."""


def configured(
    url: str,
    bot: Account,
    room: str,
    *,
    alice: str,
    bob: str = "",
    ngircd: Ngircd | None = None,
    more: str = UNLIMITED,
) -> str:
    """A configuration with Matrix, and an IRC server if there is one. alice, bob: their accounts on Matrix.

    more: what else the table of Matrix says.
    """
    irc = SETTINGS.format(host=HOST, port=ngircd.port, room="#ops") if ngircd is not None else ""
    network = NETWORK.format(url=url, user=bot.user_id, room=room) + more
    return (
        RUNNABLE.replace("[networks.console]\n", irc + network)
        .replace('accounts.console = "alice"', f'accounts.matrix = "{alice}"')
        .replace('accounts.console = "bob"', f'accounts.matrix = "{bob or f"@nobody:{DOMAIN}"}"')
    )


async def log_in(config: Path, bot: Account) -> str:
    """Type `tocsin matrix login`, with the password in a file; what it answers."""
    password = config.parent / "matrix.password"
    password.touch(mode=0o600)
    password.write_text(bot.password)
    words = ["matrix", "login", "--config", str(config), "--password-file", str(password)]
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tocsin", *words],
        capture_output=True,
        text=True,
        check=False,
        env={},
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert bot.password not in done.stdout + done.stderr
    return done.stdout


async def comes(tocsin: Process, name: str) -> None:
    """An alert comes in, and is taken."""
    assert await asyncio.to_thread(tocsin.post, "alertmanager/prod", payload(name, "firing")) == 202


async def standing(tocsin: Process) -> Mapping[str, object]:
    """How the daemon stands."""
    status = await asyncio.to_thread(tocsin.status)
    assert status is not None
    return status


def enters(room: str, user: str, event: Event) -> bool:
    """Whether somebody comes into a room."""
    came = (event.room, event.type, event.sender) == (room, "m.room.member", user)
    return came and event.content["membership"] == "join"


def says(room: str, text: str, event: Event) -> bool:
    """Whether that is said in an event, in that room."""
    return event.room == room and event.shows(text)


def calls(event: Event, name: str) -> bool:
    """Whether it is a page of that alert, and no edit."""
    return event.shows(name) and "!ack" in event.body and event.relation[0] != "m.replace"
