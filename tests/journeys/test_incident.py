"""A whole incident: from an alert to its end, by people in three clients of which one encrypts, on Matrix and on IRC.

What they read is kept in docs/incident-example.md; it is written anew where TOCSIN_WRITES_DOCS is set.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from signal import SIGKILL

import pytest

from tests.conftest import ROOT
from tests.journeys.matrix_parts import calls, configured, log_in, says
from tests.processes import Process, daemon
from tests.servers import irc_user, matrix_user
from tests.servers.alertmanager import Alertmanager, alert, program
from tests.servers.ircd import Ngircd
from tests.servers.js_client import Client, clients
from tests.servers.programs import running
from tests.servers.synapse import Synapse

KEPT = ROOT / "docs" / "incident-example.md"
POSTMORTEM = ROOT / "docs" / "incident-example-postmortem.md"

TABLES = """
[people.carol]
accounts.irc = "carol"
[teams.users]
members = []
rooms.matrix = "{users}"
[schedules.lead]
on_call = ["carol"]
[plugins.incidents]
coordinators = "lead"
rooms = ["matrix", "irc"]
links = {{ call = "https://meet.example.org/incident-{{number}}" }}
[plugins.reminders.audiences.users]
teams = ["users"]
[plugins.timeline]
[plugins.postmortem]
"""

_TIME = re.compile(r"\b(\d\d):(\d\d)(?::\d\d)?\b")


@dataclass
class Script:
    """What people typed and read, in its order. began: when."""

    began: datetime = field(default_factory=lambda: datetime.now(UTC))  # noqa: TID251 (the daemon's own, which is real)
    lines: list[str] = field(default_factory=list)
    postmortem: str = ""

    def types(self, who: str, where: str, text: str) -> None:
        self.lines.append(f"`{where}` **{who}**: {text}")

    def reads(self, where: str, text: str) -> None:
        self.lines += [f"`{where}` {line}" for line in text.splitlines()]

    def plain(self, text: str) -> str:
        """A text in which the clock shows what it did when this was written: it began at 14:00, and all was quick."""

        def at(found: re.Match[str]) -> str:
            minutes = int(found[1]) * 60 + int(found[2]) - (self.began.hour * 60 + self.began.minute)
            minutes = round(minutes % 1440 / 10) * 10
            return f"{14 + minutes // 60:02}:{minutes % 60:02}"

        text = re.sub(
            r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d+ \w{3} (?=\d\d:\d\d)", "", text
        )  # it is past midnight
        text = re.sub(r"\(\+\d+s\)", "(+1m)", text)
        text = re.sub(r"after \d+s", "after 1m", text)
        return _TIME.sub(at, text)


@dataclass
class People:
    """alice: on Matrix, encrypted. bob: on Matrix, a user of the service. carol: on IRC."""

    alice: Client
    bob: matrix_user.User
    carol: irc_user.User
    script: Script
    ops: str
    users: str
    private: str = ""
    room: str = ""

    async def alice_types(self, room: str, text: str) -> None:
        self.script.types("alice", self.named(room), text)
        await self.alice.says(room, text)

    async def carol_types(self, target: str, text: str) -> None:
        self.script.types("carol", target if target.startswith("#") else "carol", text)
        await self.carol.says(target, text)

    def named(self, room: str) -> str:
        return {self.private: "alice", self.ops: "#ops", self.room: "#inc-1", self.users: "#users"}[room]

    async def alice_reads(self, room: str, text: str) -> str:
        """Wait until a text was said there, which she can read."""
        [*_, event] = await self.alice.sees(partial(says, room, text))
        assert event.failure == ""
        self.script.reads(self.named(room), event.body)
        return event.body

    async def carol_reads(self, target: str, text: str) -> str:
        """The same on IRC, where each line stands by itself."""
        await self.carol.sees(lambda line: line.params[:1] == (target,) and text in line.text)
        return next(one for one in self.carol.said_by("tocsin", target) if text in one)

    async def bob_reads(self, text: str) -> str:
        [*_, event] = await self.bob.sees(partial(says, self.users, text))
        self.script.reads("#users", event.body)
        return event.body


@pytest.fixture
async def people(synapse: Synapse, ngircd: Ngircd) -> AsyncIterator[People]:
    async with AsyncExitStack() as stack:
        [alice] = await stack.enter_async_context(clients(synapse, "alice"))
        [bob] = await stack.enter_async_context(matrix_user.people(synapse, "bob"))
        [carol] = await stack.enter_async_context(irc_user.people("carol"))
        await carol.connect(ngircd.port)
        await carol.join("#ops")
        yield People(alice, bob, carol, Script(), "", "")


async def test_from_the_alert_to_the_end(
    people: People,
    synapse: Synapse,
    ngircd: Ngircd,
    tmp_path: Path,
    write_config: Callable[..., Path],
) -> None:
    program("prometheus-alertmanager")
    bot = synapse.register("tocsin")
    people.ops = await people.alice.create("ops", invite=[bot.user_id])
    people.users = await people.bob.create("users", invite=[bot.user_id])
    settings = configured(synapse.url, bot, people.ops, alice=people.alice.id, ngircd=ngircd)
    config = write_config(settings + TABLES.format(users=people.users))
    assert f"logged in as {bot.user_id}" in await log_in(config, bot)
    async with daemon(config) as tocsin:
        people.private = await people.alice.invited()
        await people.alice.join(people.private)
        with running(_alertmanager(tmp_path, tocsin)) as source:
            source.fires(alert("DiskFull", severity="critical", instance="db1", summary="97 % of / used"))
            await _declared(people)
            await _led(people)
        tocsin.ends(SIGKILL)
    async with daemon(config):
        await _ended(people)
        postmortem = await asyncio.to_thread(_export, config, "md")
        page = await asyncio.to_thread(_export, config, "html")
    assert postmortem == _export(config, "md"), "the same is read where no daemon runs"
    for text in (postmortem, page):
        assert not re.search(r"\b(alice|bob|carol)\b", text, re.IGNORECASE)
        assert "a full disk" not in text, "nothing that nobody said"
    people.script.postmortem = people.script.plain(postmortem)
    if os.environ.get("TOCSIN_WRITES_DOCS"):
        _write(people.script)
    kept = set(KEPT.read_text().splitlines())
    said = {f"- {people.script.plain(line)}" for line in people.script.lines}
    assert said <= kept, "the example in the docs is another: set TOCSIN_WRITES_DOCS to write it anew"


def _export(config: Path, form: str) -> str:
    words = ["export", "1", "--format", form, "--config", str(config)]
    run = subprocess.run([sys.executable, "-m", "tocsin", *words], capture_output=True, text=True, check=True)
    return run.stdout


def _alertmanager(folder: Path, tocsin: Process) -> Alertmanager:
    status = tocsin.status()
    assert status is not None
    hook = f"http://{status['listening on']}/hooks/alertmanager/prod"
    proof = {"authorization": {"credentials_file": str(folder / "prod.token")}}
    return Alertmanager(folder / "alertmanager", hook, proof)


async def _declared(people: People) -> None:
    """Alice is paged in private, declares it by a tap on that, and answers how severe it is."""
    [page] = await people.alice.sees(lambda event: event.room == people.private and calls(event, "DiskFull"))
    people.script.reads("alice", page.body)
    people.script.types("alice", "alice", "\u2705")
    await people.alice.reacts(page, "\u2705")
    await people.alice_reads(people.private, "acknowledged by alice, paging stops")
    subject = page.body.split()[0]
    await people.alice_types(people.ops, f"!declare orders can't be placed from {subject}")
    await people.alice_reads(people.ops, "sev3 declared by alice")
    await people.alice_reads(people.ops, "is it down for all or most users")
    await people.alice_types(people.ops, "!no")
    await people.alice_reads(people.ops, "unusable for many of them?")
    [question] = await people.alice.sees(lambda event: says(people.ops, "unusable for many", event))
    people.script.types("alice", "#ops", "\u2705")
    await people.alice.reacts(question, "\u2705")
    await people.alice_reads(people.ops, "severity sev3 \u2192 sev2")
    await people.bob_reads("orders can't be placed")


async def _led(people: People) -> None:
    """It has a room of its own on both networks; Carol is paged as the coordinator and leads."""
    people.room = await people.alice.invited()
    await people.alice.join(people.room)
    await people.alice_reads(people.room, "orders can't be placed: declared; alice leads")
    page = await people.carol_reads("carol", "lead it")
    people.script.reads("carol", page)
    await people.carol_types("tocsin", f"ack {page.split()[0]}")
    await people.alice_reads(people.room, "carol leads; here: alice and carol")
    await people.carol.sees(lambda line: line.command == "INVITE")
    await people.carol.join("#inc-1")
    people.script.reads("carol", await people.carol_reads("carol", "orders can't be placed: declared"))
    await people.carol_types("#inc-1", "!scope hit all customers of the shop")
    await people.carol_types("#inc-1", "!status we move the logs to another disk next 30m")
    await people.alice_reads(people.room, "status by carol")
    await people.bob_reads("we move the logs")
    await people.alice_types(people.room, "!note deleted the logs of last week")
    await people.alice_reads(people.room, "1 noted")
    said = await people.alice.says(people.room, "orders of the last hour are still queued")
    people.script.types("alice", "#inc-1", "orders of the last hour are still queued")
    people.script.types("alice", "#inc-1", "\U0001f4cc")
    relation = {"rel_type": "m.annotation", "event_id": said, "key": "\U0001f4cc"}
    await people.alice.send(people.room, "m.reaction", {"m.relates_to": relation})
    await people.alice_reads(people.room, "noted: alice said")


async def _ended(people: People) -> None:
    """After a crash all is as it was; it is mitigated, over and closed, and can be read as a whole."""
    await people.carol.sees(lambda line: line.command == "JOIN" and line.nick == "tocsin", 2)
    await people.alice_types(people.room, "!mitigated the disk has room again")
    await people.alice_reads(people.room, "mitigated: the disk has room again")
    await people.carol_types("#inc-1", "!allclear orders come in as before")
    await people.alice_reads(people.room, "all clear (carol)")
    await people.carol_types("#inc-1", "!done logs were never rotated")
    await people.alice_reads(people.room, "resolved by carol")
    await people.bob_reads("over")
    await people.carol_types(
        "#inc-1",
        "!close For a while no order could be placed. Logs had filled a disk; they are rotated now. Thanks to all who helped.",
    )
    await people.alice_reads(people.room, "closed: For a while")
    await people.bob_reads("For a while no order could be placed")
    await people.alice_types(people.private, "timeline 1 3")
    await people.alice_reads(people.private, "sev3 declared by alice")


def _write(script: Script) -> None:
    """As a page that reads well on a phone: a list, each entry with where it stands and who says it."""
    text = [
        "# An incident, as three people read it",
        "",
        "Alice is on Matrix, in a client that encrypts; Carol is on IRC; Bob uses the service, and reads its status on Matrix.",
        "`alice` and `carol` are what Tocsin says to them in private; what Alice reads in `#inc-1` Carol reads there on IRC.",
        "Tocsin was killed in the middle of it, and started again. A test on real servers plays it, and compares this page.",
        "",
        *(f"- {script.plain(line)}" for line in script.lines),
        "",
    ]
    KEPT.write_text("\n".join(text))
    POSTMORTEM.write_text(script.postmortem)
