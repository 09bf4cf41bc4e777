"""An incident has a channel of its own on a real IRC server, into which only those come who are on it."""

import re
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.conftest import RUNNABLE
from tests.processes import daemon
from tests.servers.irc_user import Line, Refused, people
from tests.servers.ircd import Ngircd
from tests.servers.programs import HOST

OPS, ROOM = "#ops", "#inc-1"
SETTINGS = """\
[networks.irc]
server = "{host}:{port}"
tls = false
room = "{room}"
identity = "trust-nicks"
pace = "0s"
"""


def says(text: str, place: str) -> Callable[[Line], object]:
    """Whether a line is Tocsin's, there, and reads like this."""
    return lambda line: (
        (line.command, line.nick, line.params[0]) == ("PRIVMSG", "tocsin", place)
        and re.search(text, line.params[-1])
    )


async def test_an_incident_is_led_in_a_channel_of_its_own_also_after_a_crash(
    ngircd: Ngircd, write_config: Callable[..., Path]
) -> None:
    network = SETTINGS.format(host=HOST, port=ngircd.port, room=OPS)
    text = RUNNABLE.replace("[networks.console]\n", network).replace("accounts.console", "accounts.irc")
    config = write_config(text + '[plugins.incidents]\nrooms = ["irc"]\n')
    async with people("alice", "bob", "mallory") as [alice, bob, mallory]:
        for user in (alice, bob, mallory):
            await user.connect(ngircd.port)
            await user.join(OPS)
        async with daemon(config) as tocsin:
            await alice.says(OPS, "!declare sev1 the database is lost")
            await alice.sees(lambda line: line.command == "INVITE" and line.params[-1] == ROOM)
            await alice.join(ROOM)
            await alice.sees(
                lambda line: "the database is lost" in line.text and line.command in {"332", "TOPIC"}
            )
            with pytest.raises(Refused):
                await mallory.join(ROOM)
            await alice.sees(
                says("!role ROLE NAME", ROOM)
            )  # in full: what all the world may read has none of it

            await bob.says(OPS, "!room 1")
            await bob.sees(lambda line: line.command == "INVITE" and line.params[-1] == ROOM)
            await bob.join(ROOM)
            await bob.sees(says("the database is lost", "bob"))  # what he missed
            tocsin.ends(SIGKILL)
            await alice.sees(lambda line: line.command == "QUIT" and line.nick == "tocsin")

        async with daemon(config):
            await alice.sees(
                lambda line: (line.command, line.nick) == ("JOIN", "tocsin") and ROOM in line.params
            )
            told = len([line for line in bob.lines if says("sev1", ROOM)(line)])
            await bob.says(ROOM, "!incident")
            await bob.sees(says("sev1", ROOM), times=told + 1)
            with pytest.raises(Refused):
                await mallory.join(ROOM)
