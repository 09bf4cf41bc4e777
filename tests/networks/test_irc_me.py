"""An account on a real IRC server is linked to a person whom Tocsin knows elsewhere, and paged there."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tocsin import daemon
from tocsin.config import Document
from tocsin.testing import HandClock, Loudspeaker, running

from tests.engine import Engine, fires
from tests.networks.irc_peers import ROOM, come, got, irc
from tests.processes import PATIENCE
from tests.servers.irc_user import User, people
from tests.servers.ircd import Inspircd
from tests.tower import policy

CONFIG = """\
[networks.console]
[networks.irc]
server = "127.0.0.1:{port}"
tls = false
room = "#ops"
[people.alice]
accounts.console = "alice"
ways = "irc"
[plugins.escalation]
default = "ops"
"""
FACT = "critical DiskFull db1: 97 % of / used"


async def test_a_linked_account_is_paged_whatever_its_nick_and_answers(
    inspircd: Inspircd, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    prepared = daemon.prepare(
        Document.open(write_config(CONFIG.format(port=inspircd.port) + policy('{ page = "alice" }')))
    )
    console = Loudspeaker("console")
    network = irc(inspircd.port, rooms=())
    async with (
        people("al", "alice", "mallory") as [alice, stranger, mallory],
        running(
            prepared.config,
            tmp_path / "state",
            declared=prepared.declared,
            networks={"console": console, "irc": network},
            clock=HandClock(),
        ) as run,
    ):
        engine = Engine(run, console)
        await asyncio.gather(
            come(alice, inspircd, "alice"),  # and into no room
            come(stranger, inspircd, "", ROOM),
            come(mallory, inspircd, "mallory", ROOM),
        )
        async with asyncio.timeout(PATIENCE):
            while run.daemon.ears.standing["irc"]:
                await asyncio.sleep(0.01)
        await engine.says("alice", "me link")
        code = console.texts("person/alice")[-1].split("me link ")[1].split()[0]

        async def types(user: User, text: str, answer: str) -> None:
            await user.says("tocsin", text)
            await user.sees(lambda line: line.nick == "tocsin" and answer in line.params[-1])

        await types(stranger, f"me link {code}", "I see no account of yours on irc")
        await types(mallory, "me", "I don't know you here, so !me is not for you")
        await types(alice, f"me link {code}", "you are alice here from now on")
        assert "on irc the account alice is linked to you" in console.texts("person/alice")[-1]

        subject = await engine.report(fires())
        await alice.sees(lambda line: line.params[-1] == f"{subject} {FACT} · !ack {subject}")
        assert f"{subject} {FACT} · !ack {subject}" not in await got(stranger)
        await types(alice, "ack", f"{subject} acknowledged by alice")
        await types(alice, "me unlink irc", "on irc the account alice is no longer linked to alice")
        await types(alice, "unack", "I don't know you here, so !unack is not for you")
        assert not network.reaches("alice")
        assert not [line for line in await got(stranger, ROOM) if "link" in line]
