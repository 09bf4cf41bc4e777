"""Is it over? From the alert of a real Prometheus to the all-clear in an encrypted room, and when it comes back.

All of it is real but for the clock of the daemon, since the judge wants 20 minutes and more to be sure: the daemon is a process of its
own whose clocks the test puts on, minute by minute (tests/ahead.py). For each of these minutes Prometheus is given the sample of
that time by remote write, the daemon's timer rings, it reads, judges, and says what it has to say; then comes the next. The judge is
as it is shipped. Prometheus looks at its rule on its own clock, by what it scrapes of the metric as it is at that moment: its
alerts fire and are resolved by themselves. Who talks to Tocsin meanwhile is on IRC, where lines have no time of their own.

What they read is kept in docs/verification-example.md; it is written anew where TOCSIN_WRITES_DOCS is set.
"""

import asyncio
import math
import os
import re
import sqlite3
import struct
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.ahead import Ahead
from tests.conftest import ROOT
from tests.journeys.matrix_parts import calls, configured, log_in
from tests.processes import command, daemon, until
from tests.servers import irc_user
from tests.servers.alertmanager import Alertmanager, program
from tests.servers.ircd import Ngircd
from tests.servers.js_client import Client, Heard, clients
from tests.servers.programs import HOST, reserve, running
from tests.servers.prometheus import Past, Prometheus
from tests.servers.synapse import Synapse

KEPT = ROOT / "docs" / "verification-example.md"

TABLES = """
[people.carol]
accounts.irc = "carol"
[plugins.incidents]
[plugins.timeline]
[plugins.verification.sources.main]
kind = "prometheus"
url = "{prometheus}"
"""

METRIC, LABELS = "failed_orders", {"job": "app", "instance": "app:80"}
RULE = {
    "alert": "OrdersFail",
    "expr": f"{METRIC} > 60",
    "labels": {"severity": "critical"},
    "for": "2s",
    "keep_firing_for": "2s",
}
"""Prometheus looks at it on its own clock. Whenever that comes to a minute that was fed before, it takes the sample of the minute for
the metric until it scrapes again: the rule looks away for so long.
"""

USUAL, BAD, HALF_WAY = 12.0, 160.0, 40.0
"""A minute. Half-way is below the threshold of the rule: for Alertmanager it is over then."""

PUT_RIGHT = "*put right*: "

_DATED = re.compile(r"(\w{3} \d+ \w{3} (?:\d{4} )?)?\b(\d\d):(\d\d)\b")
_FIGURES = re.compile(r"(?:, at worst \d+)|(?:\d+ \u2192 )|(?:\d+(?: ?(?:min|h|m|s)(?![a-z]))?[ \u2013:]?)+")

HEAD = [
    "# An incident, as its room read it",
    "",
    "What stood in a room on Matrix, from the alert to the all-clear and back: [verification](verification.md) says how that goes. Carol types on IRC.",
    "A line that is *put right* takes the place of one above, again and again: of those in a row the last is shown. *In italics* is what happened",
    "meanwhile.",
    "",
    "A test plays this with a real Prometheus that has a history of 15 days, a real Alertmanager, an encrypted room of a real Synapse, and a",
    "real IRC server. It fails when a line reads otherwise, but for its numbers.",
    "",
]

MINUTE, DAY = 60.0, 86_400.0
HISTORY = 15 * DAY
SINCE = 6 * MINUTE
"""So long it is bad before the alert, as with a rule that has a `for`."""


@dataclass
class World:
    """The metric and who watches it. ahead: by how much the daemon's clocks were put on. fed: up to when Prometheus knows."""

    prometheus: Prometheus
    ahead: Ahead
    database: Path
    began: float = field(default_factory=time.time)  # noqa: TID251 (as Prometheus has it)
    level: float = USUAL
    fed: float = 0.0
    up: bool = True

    def now(self) -> float:
        """What the daemon's clock shows."""
        return time.time() + self.ahead.by.total_seconds()  # noqa: TID251 (as above)

    def sample(self, at: float) -> float:
        """The metric as it is: it goes with the day, and is never quite steady."""
        noise = math.sin(at / 60 * 12.9898) * 43758.5453
        usual = USUAL + 3 * math.sin((at - self.began) / DAY * 2 * math.pi)
        return usual + 2 * (noise - math.floor(noise) - 0.5) + (self.level - USUAL)

    def history(self) -> Past:
        """Of 15 days, up to where it breaks."""
        count = int((HISTORY - SINCE) / MINUTE)
        at = [self.began - HISTORY + MINUTE * one for one in range(count)]
        self.fed = at[-1]
        return Past(METRIC, at, [self.sample(one) for one in at], LABELS)

    def becomes(self, level: float) -> None:
        """From now on it is so bad."""
        self.level = level
        self.prometheus.target.set(METRIC, level)

    def feeds(self) -> None:
        """Prometheus comes to know the minutes that have passed; those in which it was down are nobody's."""
        at = list[float]()
        while self.fed + MINUTE <= self.now():
            self.fed += MINUTE
            at.append(self.fed)
        if self.up and at:
            self.prometheus.write(Past(METRIC, at, [self.sample(one) for one in at], LABELS))

    def passes(self, minutes: int) -> None:
        """So many minutes pass, and in each the checks are looked at."""
        for _ in range(minutes):
            self.ahead.passes(timedelta(seconds=MINUTE))
            self.feeds()
            until(lambda: not self._left(), what=self._left)

    def sent(self, room: str) -> set[str]:
        """The ids of all events that the daemon has sent there."""
        found = self._asks("select place, receipt from outbox where settled_at is not null")
        return {receipt for place, receipt in found if place == f"matrix/room/{room}" and receipt}

    def _asks(self, what: str) -> Sequence[tuple[Any, ...]]:
        """What the daemon's database answers."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as beside:
            return beside.execute(what).fetchall()

    def _left(self) -> str:
        """What the daemon has still to do of this minute; empty if the checks were looked at, and all was said."""
        [(due,)] = self._asks("select min(due_at) from timers where kind = 'verification.look'")
        unsaid = self._asks("select place, body from outbox where settled_at is null")
        if due is None:
            return "a timer of the checks: nothing looks at them"
        if datetime.fromisoformat(due).timestamp() <= self.now():
            return f"a look at the checks: it was due at {due}, and the clock is {self.ahead.by} ahead"
        return f"what is still to be said: {unsaid}" if unsaid else ""


@dataclass
class People:
    """alice: on Matrix, in an encrypted room; she is paged. carol: on IRC; she leads. lines: what the room read, and where it stands."""

    alice: Client
    carol: irc_user.User
    ops: str
    private: str = ""
    lines: list[str] = field(default_factory=list)
    _read: int = 0

    async def meanwhile(self, text: str, world: World) -> None:
        """What happens besides, once all is read, for who reads the example."""
        await self.alice_reads_all(world.sent(self.ops))
        self.lines.append(f"*{text}*")

    async def carol_types(self, text: str) -> None:
        self.lines.append(f"**carol**: {text}")
        await self.carol.says("#ops", text)

    async def alice_reads(self, pattern: str) -> Heard:
        """Wait until that is said in the room and was not read before; all up to it is read then, and was encrypted."""

        def found() -> int | None:
            new = enumerate(self.alice.heard[self._read :], self._read + 1)
            return next((at for at, event in new if event.room == self.ops and event.shows(fits)), None)

        def fits(event: Heard) -> bool:
            return event.type == "m.room.message" and bool(re.search(pattern, event.body))

        return self._reads(await self.alice.knows(found, f"{pattern!r} in the room, after {self.lines[-1:]}"))

    async def alice_reads_all(self, sent: set[str]) -> None:
        """Wait until all of that is there; she reads it. sent: the ids of events."""

        def found() -> int | None:
            known = [event.id for event in self.alice.heard]
            return max(map(known.index, sent)) + 1 if sent <= set(known) else None

        self._reads(max(self._read, await self.alice.knows(found, f"all of {len(sent)} events")))

    def _reads(self, last: int) -> Heard:
        """She reads so many of all that she has heard; the last of them."""
        new = [event for event in self.alice.heard[self._read : last] if event.type == "m.room.message"]
        self._read = last
        for event in new:
            assert (event.encrypted, event.failure) == (True, "")
            if event.room == self.ops:
                form = PUT_RIGHT if event.relation[0] == "m.replace" else ""
                picture = "*a picture*: " if event.content.get("msgtype") == "m.image" else ""
                self.lines.append(f"{form}{picture}{event.body.splitlines()[0]}")
        return self.alice.heard[last - 1]

    def told(self, since: int) -> str:
        """All that she could read anywhere since then."""
        return "\n".join(event.body for event in self.alice.heard[since:])


@pytest.fixture
async def people(synapse: Synapse, ngircd: Ngircd) -> AsyncIterator[People]:
    async with AsyncExitStack() as stack:
        [alice] = await stack.enter_async_context(clients(synapse, "alice"))
        [carol] = await stack.enter_async_context(irc_user.people("carol"))
        await carol.connect(ngircd.port)
        await carol.join("#ops")
        yield People(alice, carol, "")


async def test_from_the_alert_to_the_all_clear_and_back(
    people: People,
    synapse: Synapse,
    ngircd: Ngircd,
    tmp_path: Path,
    write_config: Callable[..., Path],
) -> None:
    program("prometheus-alertmanager")
    bot = synapse.register("tocsin")
    people.ops = await people.alice.create("ops", invite=[bot.user_id])
    with reserve() as reserved:
        listens = f"{HOST}:{reserved.getsockname()[1]}"
        manager = _alertmanager(tmp_path, listens)
        prometheus = Prometheus(
            tmp_path / "prometheus",
            alertmanager=manager.address,
            rules=[RULE],
            every="500ms",
            writable=True,
        )
        settings = configured(synapse.url, bot, people.ops, alice=people.alice.id, ngircd=ngircd)
        settings = settings.replace('web.listen = "127.0.0.1:0"', f'web.listen = "{listens}"')
        config = write_config(settings + TABLES.format(prometheus=prometheus.url))
        await log_in(config, bot)
        world = World(prometheus, Ahead(tmp_path), tmp_path / "state" / "tocsin.db")
        await asyncio.to_thread(prometheus.backfill, world.history())
        world.becomes(USUAL)
        run = command("run", config, ROOT / "tests" / "ahead.py")
        with running(manager), running(prometheus):
            async with daemon(config, run):
                people.private = await people.alice.invited()
                await people.alice.join(people.private)
                await _breaks(people, world)
                await _is_half_way(people, world)
                await _cannot_be_verified(people, world)
                await _is_clear(people, world)
                await _comes_back(people, world)
    _compare(people.lines, world.began)


def _alertmanager(folder: Path, listens: str) -> Alertmanager:
    proof = {"authorization": {"credentials_file": str(folder / "prod.token")}}
    return Alertmanager(folder / "alertmanager", f"http://{listens}/hooks/alertmanager/prod", proof)


async def _breaks(people: People, world: World) -> None:
    """Alice is paged; Carol declares it, and everybody reads how bad it is, and since when."""
    people.lines.append(
        "*Twelve orders a minute fail on a usual day. Now it is 160, and after six minutes the alert fires.*"
    )
    world.becomes(BAD)
    world.feeds()

    def page_to_alice(event: Heard) -> bool:
        return event.room == people.private and calls(event, "OrdersFail")

    [page] = await people.alice.sees(page_to_alice)
    await people.alice.reacts(page, "\u2705")
    await people.alice_reads("acknowledged by alice")
    await people.carol_types(f"!declare sev2 orders fail from {page.body.split()[0]}")
    report = await people.alice_reads("normally")
    assert re.search(r"OrdersFail 1\d\d, normally 1\d.1\d at this hour, .*since \d\d:\d\d UTC", report.body)
    await asyncio.to_thread(world.passes, 10)
    await people.carol_types("!mitigated the payment service was rolled back")
    await people.alice_reads("not back yet")


async def _is_half_way(people: People, world: World) -> None:
    """For Alertmanager it is over; it is not."""
    before = len(people.alice.heard)
    await people.meanwhile(
        "That helps half-way: 40 a minute fail. The alert, which fires above 60, calls it over.", world
    )
    world.becomes(HALF_WAY)
    await people.alice_reads("resolved by its source")
    await asyncio.to_thread(world.passes, 40)
    await people.alice_reads(r"→ 4\d, normally .*: not back yet")
    await people.alice_reads_all(world.sent(people.ops))
    assert "all clear" not in people.told(before)
    assert "back for" not in people.told(before)


async def _cannot_be_verified(people: People, world: World) -> None:
    """It heals, and Prometheus is killed before that has lasted for long enough."""
    await people.meanwhile("All is as it was.", world)
    world.becomes(USUAL)
    await asyncio.to_thread(world.passes, 12)
    await people.alice_reads("back for")
    await people.meanwhile("Prometheus is killed, and is away for six minutes.", world)
    before = len(people.alice.heard)
    world.up = False
    world.prometheus.ends()
    await asyncio.to_thread(world.passes, 6)
    await people.alice_reads("cannot verify OrdersFail: source main can't be reached: connection refused")
    await people.alice_reads_all(world.sent(people.ops))
    told = people.told(before).partition("cannot verify")[2]
    assert "back" not in told
    assert "clear" not in told
    await asyncio.to_thread(world.prometheus.start)
    world.up = True


async def _is_clear(people: People, world: World) -> None:
    """The all-clear comes with a picture that can be decrypted, and is taken back as it is bad again for a while."""
    await asyncio.to_thread(world.passes, 20)
    await people.alice_reads("can be verified again")
    await people.alice_reads("all clear, ")
    picture = await people.alice_reads("clear, back since")
    while picture.content.get("msgtype") != "m.image":
        picture = await people.alice_reads("clear, back since")
    png = await people.alice.media(picture)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (1080, 756)
    _keep("all-clear.png", png)
    await people.meanwhile(
        "40 a minute fail again, for a quarter of an hour; of that the alert knows nothing.", world
    )
    world.becomes(HALF_WAY)
    await asyncio.to_thread(world.passes, 15)
    await people.alice_reads("not clear after all: OrdersFail")
    await people.meanwhile("All is as it was. What came back once must hold for longer.", world)
    world.becomes(USUAL)
    await asyncio.to_thread(world.passes, 60)
    await people.alice_reads("all clear, ")
    await people.alice_reads("clear, back since")


async def _comes_back(people: People, world: World) -> None:
    """After its end it is bad again: the same incident goes on, Alice is paged by the alert, and Carol since she led."""
    await people.carol_types("!done the payment service timed out")
    await people.alice_reads("resolved by carol")
    await asyncio.to_thread(world.passes, 5)
    before = len(people.alice.heard)
    await people.meanwhile("Five minutes later it breaks again.", world)
    world.becomes(BAD)
    await people.alice_reads("1 reopened: alert ")

    def page_to_carol(line: irc_user.Line) -> bool:
        return line.params[:1] == ("carol",) and "orders fail is back: " in line.text

    await people.carol.sees(page_to_carol)
    [page] = await people.alice.knows(
        lambda: [one for one in people.alice.heard[before:] if calls(one, "OrdersFail")][:1] or None,
        "a page about the alert that fires again",
    )
    await people.alice.reacts(page, "\u2705")
    await people.alice_reads("acknowledged by alice")
    [asked] = [one for one in people.carol.said_by("tocsin", "carol") if "orders fail is back: " in one]
    await people.carol.says("tocsin", f"ack {asked.split()[0]}")
    await people.alice_reads("acknowledged by carol")
    await asyncio.to_thread(world.passes, 15)
    await people.alice_reads("bad again")
    await people.alice_reads_all(world.sent(people.ops))
    assert "all clear" not in people.told(before)


def _keep(name: str, data: bytes) -> None:
    """For somebody who wants to look at it."""
    if folder := os.environ.get("TOCSIN_KEEPS"):
        (Path(folder) / name).write_bytes(data)


def _compare(lines: Sequence[str], began: float) -> None:
    """The example in the docs reads as this run did, but for its numbers."""
    start = datetime.fromtimestamp(began, UTC)

    def at(found: re.Match[str]) -> str:
        minutes = int(found[2]) * 60 + int(found[3]) - (start.hour * 60 + start.minute)
        hours, minutes = divmod(14 * 60 + minutes % 1440, 60)
        return f"{hours % 24:02}:{minutes:02}"

    said = [_DATED.sub(at, line) for line in lines]
    if os.environ.get("TOCSIN_WRITES_DOCS"):
        short = [
            line
            for line, after in zip(said, [*said[1:], ""], strict=True)
            if not (line.startswith(PUT_RIGHT) and after.startswith(PUT_RIGHT))
        ]
        KEPT.write_text("\n".join([*HEAD, *(f"- {line}" for line in short), ""]))
    kept = {_FIGURES.sub("", line) for line in KEPT.read_text().splitlines() if line.startswith("- ")}
    new = {_FIGURES.sub("", f"- {line}") for line in said}
    lasting = {_FIGURES.sub("", f"- {line}") for line in said if not line.startswith(PUT_RIGHT)}
    otherwise = sorted([*(lasting - kept), *(kept - new)])
    assert not otherwise, "the example in the docs is another: set TOCSIN_WRITES_DOCS to write it anew"
