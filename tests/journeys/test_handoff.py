"""One person takes the pager of another, with what rings, over a crash, and gives it back: on real IRC and real Matrix."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from signal import SIGKILL

from tests.conftest import RUNNABLE
from tests.crash_irc import SETTINGS
from tests.journeys.matrix_parts import comes, configured, says
from tests.networks.matrix_account import account_of, logs_in
from tests.processes import PATIENCE, daemon
from tests.servers import irc_user, matrix_user
from tests.servers.ircd import Ngircd
from tests.servers.programs import HOST
from tests.servers.synapse import Synapse

ROOM = "#ops"

NAMES = ("DiskFull", "QueueLong", "CertOld")
DIGEST = re.compile(r"(\w+) 3 alerts: 1 critical (\w+), 1 critical (\w+) and 1 critical (\w+) · !ack \1")

ON_CALL = """\
[schedules.primary]
on_call = ["alice"]
[plugins.handoff]
"""


def with_schedule(config: str) -> str:
    return config.replace('page = "alice"', 'page = "primary"') + ON_CALL


def next_minute() -> tuple[str, float]:
    """A time to say that is not long off, and how many seconds that is."""
    now = datetime.now(UTC)  # noqa: TID251 (the daemon's own, which is real)
    at = now.replace(second=0, microsecond=0) + timedelta(minutes=1 if now.second < 20 else 2)
    return f"{at:%H:%M}", (at - now).total_seconds()


async def test_on_irc(ngircd: Ngircd, write_config: Callable[..., Path]) -> None:
    network = SETTINGS.format(host=HOST, port=ngircd.port, room=ROOM)
    config = RUNNABLE.replace("[networks.console]\n", network).replace("accounts.console", "accounts.irc")
    path = write_config(with_schedule(config))
    async with irc_user.people("alice", "bob") as [alice, bob]:
        for person in (alice, bob):
            await person.connect(ngircd.port)
            await person.join(ROOM)
        async with daemon(path) as tocsin:
            for name in NAMES:
                await comes(tocsin, name)
                await alice.sees(f"critical {name}")
            before = len(alice.said_by("tocsin", "alice"))
            until, left = next_minute()
            await bob.says(ROOM, f"!take until {until}")
            [told] = await alice.sees("bob has your pager until")
            [page] = await bob.sees(lambda line: line.params[-1:] and DIGEST.match(line.params[-1]))
            tocsin.ends(SIGKILL)
        async with daemon(path) as tocsin:
            await comes(tocsin, "Another")
            await bob.sees("critical Another")
            await bob.says(ROOM, f"!ack {page.params[-1].split()[0]}")
            await alice.sees("acknowledged by bob, paging stops")  # in the room
            [summary, *_] = await alice.sees(
                "alice has the pager again", 2, patience=left + PATIENCE
            )  # in the room too
            assert "bob was paged for 4 alerts" in summary.text
            assert summary.text.count("still ringing") == 1
            await alice.sees("critical Another")
    texts = alice.said_by("tocsin", "alice")[before:]
    assert texts[0].startswith("bob has your pager")
    assert told.text.endswith("!undo")
    assert len([text for text in texts if "!ack" in text]) == 1  # what nobody had answered is hers again
    assert len(texts) == 3


async def test_on_matrix(synapse: Synapse, tmp_path: Path, write_config: Callable[..., Path]) -> None:
    bot = synapse.register("tocsin")
    async with matrix_user.people(synapse, "alice", "bob") as [alice, bob]:
        room = await alice.create("ops", invite=[bot.user_id, bob.id])
        await bob.join(room)
        privates = {}
        for person in (alice, bob):
            privates[person] = await person.create(invite=[bot.user_id], direct=True)
            synapse.call("POST", f"/_matrix/client/v3/join/{privates[person]}", {}, bot.token)
        synapse.call("POST", f"/_matrix/client/v3/join/{room}", {}, bot.token)
        path = write_config(with_schedule(configured(synapse.url, bot, room, alice=alice.id, bob=bob.id)))
        account_of(synapse, bot, tmp_path / "state").keep(logs_in(synapse, bot))
        async with daemon(path) as tocsin:
            for name in NAMES:
                await comes(tocsin, name)
                await alice.sees(partial(says, privates[alice], name))
            before = len(alice.messages(privates[alice], bot.user_id))
            until, left = next_minute()
            await bob.says(room, f"!take until {until}")
            await alice.sees(partial(says, privates[alice], "bob has your pager until"))
            [page] = await bob.sees(partial(says, privates[bob], "3 alerts: "))
            assert DIGEST.match(page.body)
            tocsin.ends(SIGKILL)
        await bob.reacts(page, "✅")
        async with daemon(path):
            await alice.sees(partial(says, room, "acknowledged by bob, paging stops"))
            summary = "alice has the pager again; bob was paged for 3 alerts"
            await alice.sees(partial(says, privates[alice], summary), patience=left + PATIENCE)
            await bob.sees(partial(says, privates[bob], summary))
        new = alice.messages(privates[alice], bot.user_id)[before:]
        said = [event.body for event in new if event.relation[0] != "m.replace"]
        assert len(said) == 2
        for name in NAMES:  # and the lines of old pages say whose they are
            [old] = [
                event for event in alice.messages(privates[alice], bot.user_id)[:before] if name in event.body
            ]
            assert "bob" in alice.now(old)
