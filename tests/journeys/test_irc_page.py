"""From a real Alertmanager to a person who is logged in on a real InspIRCd, and back."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import RUNNABLE, Figure
from tests.processes import TOKEN, started
from tests.servers.alertmanager import Alertmanager, alert
from tests.servers.irc_user import Line, people
from tests.servers.ircd import Inspircd
from tests.servers.programs import HOST, running

ROOM = "#ops"
PASSWORD = "correct-horse"

NETWORK = """\
[networks.irc]
server = "{host}:{port}"
tls = false
room = "{room}"
sasl.account = "tocsin"
sasl.password.file = "irc.password"
"""


@pytest.fixture
def inspircd(tmp_path: Path) -> Iterator[Inspircd]:
    """As it comes, with its flood limit."""
    with running(Inspircd(tmp_path / "inspircd", services=True, flood_limit=True)) as server:
        for account in ("alice", "mallory", "tocsin"):
            server.register(account, PASSWORD)
        yield server


def says(text: str, place: str) -> Callable[[Line], object]:
    """Whether a line is Tocsin's, there, and begins like this."""
    return lambda line: (
        (line.command, line.nick, line.params[0]) == ("PRIVMSG", "tocsin", place)
        and re.match(text, line.params[-1])
    )


async def test_an_alert_reaches_who_is_logged_in_and_is_answered_by_them_alone(
    inspircd: Inspircd, tmp_path: Path, write_config: Callable[..., Path], figure: Figure
) -> None:
    password = tmp_path / "irc.password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD)
    network = NETWORK.format(host=HOST, port=inspircd.port, room=ROOM)
    config = write_config(
        RUNNABLE.replace("[networks.console]\n", network).replace("accounts.console", "accounts.irc")
    )
    with ExitStack() as stack:
        tocsin = await asyncio.to_thread(stack.enter_context, started(config))
        status = tocsin.status()
        assert status is not None
        hook = f"http://{status['listening on']}/hooks/alertmanager/prod"
        sender = Alertmanager(tmp_path / "am", hook, {"authorization": {"credentials": TOKEN}})
        await asyncio.to_thread(stack.enter_context, running(sender))
        async with people("al", "alice") as [alice, mallory]:
            await asyncio.gather(
                alice.connect(inspircd.port, sasl=("alice", PASSWORD)),
                mallory.connect(inspircd.port, sasl=("mallory", PASSWORD)),
            )
            await asyncio.gather(alice.join(ROOM), mallory.join(ROOM))

            began = time.perf_counter()
            fact = {"instance": "db1", "severity": "critical", "summary": "97 % of / used"}
            await asyncio.to_thread(
                sender.fires, alert("DiskFull", link="http://prometheus.test/graph", **fact)
            )
            whole = r"(\w+) critical DiskFull db1: 97 % of / used · !ack \1 · http://prometheus.test/graph$"
            [page] = await alice.sees(says(whole, "al"))
            took = time.perf_counter() - began
            subject = page.params[-1].split()[0]
            await mallory.sees(says(f"{subject} paging alice: critical DiskFull", ROOM))

            await mallory.says(ROOM, f"!ack {subject}")
            await alice.sees(says("I don't know you here, so !ack is not for you", ROOM))
            await alice.says("tocsin", "ack")
            for place, reader in (("al", alice), (ROOM, mallory)):
                await reader.sees(
                    says(f"{subject} acknowledged by alice, paging stops: critical DiskFull", place)
                )
            assert mallory.said_by("tocsin", "alice") == []
    figure(f"from Alertmanager's API to the page on InspIRCd: {took * 1000:.0f} ms")
