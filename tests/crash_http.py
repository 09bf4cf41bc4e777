"""Real daemons under load, killed again and again, and what was seen of them from outside.

Alerts are posted as Alertmanager posts them, and people answer some of the pages that they read. What the senders took
down and what people did and saw is all that is judged; only which alerts a digest stands for is looked up.
"""

import asyncio
import contextlib
import itertools
import multiprocessing
import os
import random
import re
import signal
import socket
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401 (so that the parent has it)
import sqlalchemy.dialects.sqlite.aiosqlite  # noqa: F401 (likewise)
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

import tocsin.networks.irc.network
import tocsin.networks.matrix.network  # noqa: F401 (likewise)
import tocsin_alertmanager  # noqa: F401 (likewise)
import tocsin_escalation  # noqa: F401 (likewise)
from tocsin import cli, control, noise
from tocsin.domain import budget
from tocsin.errors import StateError

from tests.crash import Record
from tests.crash_judge import CALLS, STEPS, Said, is_for_many, read_said
from tests.crash_kept import Kept, left_behind, unrest
from tests.crash_seen import PEOPLE, ROOM, Peer, Seen
from tests.crash_tally import Tally
from tests.posted import payload
from tests.processes import PATIENCE, TOKEN

CLIENTS = 4
TYPE_AGAIN = 1.0
POST_AGAIN = 0.02
SLIPS = 0.2
"""How often somebody says first by mistake that they have it, where one tap is enough."""

SLIP_SEEN = 5.0
"""So many seconds they wait for what comes of it: nothing may, as what is taken back may be heard of only then."""

LOOK_EVERY = 0.01
PAUSE = 0.25
"""The mean time between two gusts of alerts."""

MOST_OPEN = 24
"""So many alerts are under way at once: load, and no overload, however slow the machine is."""

GUSTS = {False: (1, 2, 4, 12), True: (1, 4, 12, 16)}
"""So many alerts come at once; by whether digests are made of them."""

HASTE = 20
"""The noise budget's minute is as much shorter: else hardly a daemon would live to say its second digest."""

KILLED_AT_START = 0.15
"""How many of the daemons are killed before they are ready; never two in a row, which would often end in giving up
what came first each time.
"""

CONFIG = """\
digests = {digests}
web.listen = "{address}"
{settings}
[receivers.prod]
token.file = "prod.token"
[people.alice]
accounts.{network} = "{alice}"
[people.bob]
accounts.{network} = "{bob}"
[plugins.alertmanager]
[plugins.escalation]
default = "ops"
[plugins.escalation.policies.ops]
steps = [{{ page = "alice" }}, {{ page = "bob", after = "1s" }}, {{ room = "{network}", after = "1s" }}]
repeat = 0
repeat_after = "10m"
"""

# A parent that has imported all of this, so that a start takes a fraction of a second.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.crash_http"])


# ── The daemon, and who stands around it ────────────────────────────────────────────────────────────────────


def serve(folder: Path) -> None:
    """Be `tocsin run` with a terminal of files, in haste."""
    lengths = ("MINUTE", "SOON", "CALM", "STORM_CALM", "FIRST", "WORSE")
    vars(budget).update({name: vars(budget)[name] / HASTE for name in lengths})
    limits = {
        name: replace(one, apart=one.apart / HASTE, longest=one.longest / HASTE)
        for name, one in (("PRIVATE", budget.PRIVATE), ("ROOM", budget.ROOM))
    }
    vars(noise).update(LOOK_AGAIN=noise.LOOK_AGAIN / HASTE, **limits)
    files = {0: ("typed", os.O_RDONLY), 1: ("terminal", os.O_WRONLY), 2: ("log", os.O_WRONLY | os.O_CREAT)}
    for number, (name, flags) in files.items():
        os.dup2(os.open(folder / name, flags | os.O_APPEND, 0o600), number)
    sys.stdin = os.fdopen(0)
    cli.main(["run", "--config", str(folder / "config.toml")])


class Trial:
    """One daemon's lives on one state folder, its senders and its people.

    faults: what is wrong beside what `judge` finds.
    """

    def __init__(
        self, folder: Path, seed: str, tally: Tally, peer: Callable[[Path], Peer], *, digests: bool
    ) -> None:
        """Lay out the folder, and take a port that no one else is given between two daemons.

        peer: makes the far side in that folder. digests: whether the daemon makes them.
        """
        self.record = Record(folder / "record")
        self.faults: list[str] = []
        self._folder = folder
        self._database = folder / "state" / "tocsin.db"
        self._tally = tally
        self._random = random.Random(seed)  # noqa: S311 (to be repeatable is the point)
        self._port = socket.socket()
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind(("127.0.0.1", 0))
        self._address = f"127.0.0.1:{self._port.getsockname()[1]}"
        folder.mkdir()
        self._peer = peer(folder)
        (folder / "config.toml").write_text(
            CONFIG.format(
                address=self._address,
                network=self._peer.network,
                **{who: self._peer.account(who) for who in PEOPLE},
                settings=self._peer.settings,
                digests=str(digests).lower(),
            )
        )
        (folder / "prod.token").touch(mode=0o600)
        (folder / "prod.token").write_text(TOKEN)
        self._gusts = GUSTS[digests]
        self._kept = Kept()
        self._ids: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        self._calls: dict[str, Seen] = {}  # by the id under which it calls
        self._seen: defaultdict[tuple[str, ...], asyncio.Event] = defaultdict(asyncio.Event)
        self._waits: dict[str, str] = {}
        self._posting = 0
        self._process: Any = None
        self._hurried = True
        self._read = 0
        self._typing = 0
        self._unseen: set[str] = set()
        self._slipped: set[str] = set()
        self._released: set[str] = set()

    def found(self) -> Sequence[str]:
        """What else is wrong, once all is closed."""
        did, faults = self._peer.found()
        self._tally.did.update(did)
        return [*self.faults, *faults]

    async def close(self) -> None:
        """End what still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.join(PATIENCE)
        self._port.close()
        await self._peer.close()

    def seen(self) -> Sequence[Seen]:
        """All that people saw."""
        return self._peer.read(self._peer.seen.read_text(errors="replace"))

    def kept(self) -> Kept:
        """By which that is read."""
        return Kept.read(self._database)

    async def run(self) -> None:
        """Start and kill until it is enough; then let everything come to its end."""
        await self._peer.open()
        over = asyncio.Event()
        watching = asyncio.create_task(self._watch())
        sending = asyncio.create_task(self._send(over))
        try:
            while not (self._tally.enough() or sending.done() or watching.done()):
                await self._live_and_die()
            over.set()
            self._tally.lost = self._peer.lost
            if self._tally.kills < self._tally.wanted:
                self.faults.append(
                    f"{self._tally.kills} kills with work in flight, {self._tally.idle} without"
                )
            self._start()
            await self._ready()
            await self._come_to_an_end(sending)
            if watching.done():
                watching.result()
        finally:
            for task in (watching, sending):
                task.cancel()
            await asyncio.gather(watching, sending, return_exceptions=True)

    # The daemon.

    def _start(self) -> None:
        self._process = _CONTEXT.Process(target=serve, args=(self._folder,))
        self._process.start()

    async def _ready(self) -> None:
        async with _limit("the daemon to be ready"):
            while not _is_ready(await self._status()):
                assert self._process.is_alive(), f"it ended by itself:\n{self._log()[-5000:]}"
                await asyncio.sleep(LOOK_EVERY)

    async def _status(self) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = await asyncio.to_thread(control.ask, self._folder / "state", "status")
        except StateError:
            return {}
        return found

    async def _ended(self) -> int:
        async with _limit("the daemon to end"):
            while self._process.is_alive():
                await asyncio.sleep(LOOK_EVERY)
        code: int = self._process.exitcode
        return code

    async def _live_and_die(self) -> None:
        self._start()
        self._hurried = not self._hurried and self._random.random() < KILLED_AT_START
        if self._hurried:
            await asyncio.sleep(self._random.uniform(0, 0.3))
        else:
            await self._ready()
            await asyncio.sleep(self._random.uniform(0.05, 0.8))
            await self._peer.upset(self._process.pid, self._random)
        away = self._peer.away
        phases = {"a post unanswered": self._posting, "an answer typed": self._typing}
        with contextlib.suppress(ProcessLookupError):  # then it ended by itself, which its code tells
            os.kill(self._process.pid, signal.SIGKILL)
        code = await self._ended()
        assert code == -signal.SIGKILL, f"it ended by itself, with code {code}:\n{self._log()[-5000:]}"
        self._look()
        phases["a page not yet seen"] = len(self._unseen)
        await self._peer.bury()
        phases |= left_behind(self._database)
        self._tally.add((what for what, count in phases.items() if count), away=away)

    def _log(self) -> str:
        return (self._folder / "log").read_text() if (self._folder / "log").exists() else ""

    async def _come_to_an_end(self, sending: "asyncio.Task[None]") -> None:
        """Once all alerts have come to their end nothing waits any more, and the daemon can be stopped."""
        await asyncio.wait([sending], timeout=PATIENCE)
        if sending.done():
            sending.result()
        else:
            for name, what in self._waits.items():
                self._note("stuck", name, f"waited {PATIENCE:.0f} s for {what}")
        settled = {"bodies waiting": 0, "messages waiting": 0}
        if sending.done():
            settled["open alerts"] = 0
        status: Mapping[str, Any] = {}
        left: Sequence[str] = ()
        try:
            async with asyncio.timeout(PATIENCE):
                while not settled.items() <= (status := await self._status()).items() or (
                    left := unrest(self._database)
                ):
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            self.faults.append(f"it never came to rest: {status}, {left}")
        os.kill(self._process.pid, signal.SIGTERM)
        if code := await self._ended():
            self.faults.append(f"stopped, it ended with code {code}")
        with closing(sqlite3.connect(self._database)) as database:
            (found,) = database.execute("PRAGMA integrity_check").fetchone()
            (steps,) = database.execute(
                "SELECT count(*) FROM timers WHERE kind = 'escalation.step'"
            ).fetchone()
        if found != "ok":
            self.faults.append(f"the database is damaged: {found}")
        if sending.done() and steps:
            self.faults.append(f"steps of alerts that are over are still to come: {steps}")
        self.faults += [
            f"in the log: {line}"
            for line in self._log().splitlines()
            if re.match("ERROR|CRITICAL|Traceback", line) and not line.endswith(" is given up")
        ]

    # Who reads.

    async def _watch(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(LOOK_EVERY)

    def _look(self) -> None:
        """Read on in what people see, as far as whole lines go."""
        with self._peer.seen.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        new = new[: new.rfind(b"\n") + 1]
        if not new:
            return
        seen = self._peer.read(new.decode())
        if any(is_for_many(one.words) for one in seen):
            try:
                self._kept = self.kept()
            except sqlite3.OperationalError:  # a daemon recovers it just now
                return
        self._read += len(new)
        for one in read_said(seen, self._kept)[0]:
            self._learn(one)

    def _learn(self, one: Said) -> None:
        self._ids[one.name] = one.id
        if one.what in CALLS:
            self._calls[one.digest or one.id] = one.seen
        if one.digest and one.what in CALLS:
            self._digests[one.name] = one.digest
        if one.what == "released" and one.place == ROOM:
            self._released.add(one.name)
            self._seen[one.name, "acknowledged"].clear()
        if one.what != "acknowledged" or one.name not in self._released or one.place == ROOM:
            self._seen[one.name, one.what].set()  # what comes late in private may be what was taken back
        self._seen[one.name, one.what, one.place].set()
        if one.what in ("alarm", "acknowledged"):
            self._seen[one.name, "page"].set()
            for place in STEPS:  # none of them may be paged any more
                self._seen[one.name, "page", place].set()
        if one.what in ("page", "alarm"):
            self._unseen.discard(one.name)

    async def _until(self, name: str, *what: str) -> None:
        self._waits[name] = f"{' in '.join(what)} to be seen"
        await self._seen[name, *what].wait()

    # Who sends, and who answers.

    async def _send(self, over: asyncio.Event) -> None:
        """Post alerts, now one, now several at once."""
        numbers = itertools.count(1)
        async with (
            ClientSession(
                connector=TCPConnector(limit=CLIENTS), timeout=ClientTimeout(total=PATIENCE)
            ) as session,
            asyncio.TaskGroup() as alerts,
        ):
            while not over.is_set():
                for _ in range(min(self._random.choice(self._gusts), MOST_OPEN - len(self._waits))):
                    alerts.create_task(self._alert(session, f"alert-{next(numbers)}"))
                await asyncio.sleep(self._random.expovariate(1 / PAUSE))

    async def _alert(self, session: ClientSession, name: str) -> None:
        """It fires, somebody answers or nobody can in time, and it is over."""
        fate = self._random.choices(("answered", "ignored", "gone"), (50, 30, 20))[0]
        await self._post(session, name, "firing", before="posted", after="accepted")
        if fate == "gone":
            await asyncio.sleep(self._random.choice((0, self._random.uniform(0, 0.5))))
        else:
            if not self._seen[name, "page"].is_set():
                self._unseen.add(name)
            await self._until(
                name, "page", self._random.choice(STEPS[:2]) if fate == "answered" else STEPS[-1]
            )
            if self._random.random() < 0.3:
                await asyncio.sleep(self._random.uniform(0, 0.3))
            elif fate == "answered":  # just when the next step comes
                await asyncio.sleep(self._random.uniform(0.97, 1.05))
            if self._peer.taps and self._ids[name] in self._calls and self._random.random() < SLIPS:
                await self._slip(name)
            await self._acknowledge(name)
            await asyncio.sleep(self._random.uniform(0, 1))
        await self._post(session, name, "resolved", before="gone" if fate == "gone" else "", after="resolved")
        await self._until(name, "resolved")
        del self._waits[name]

    async def _post(self, session: ClientSession, name: str, status: str, *, before: str, after: str) -> None:
        """Post until it is accepted; again only after a 5xx or a lost answer, as Alertmanager does."""
        self._waits[name] = f"its post ({status}) to be accepted"
        if before:
            self._note(before, name)
        while True:
            self._posting += 1
            try:
                async with session.post(
                    f"http://{self._address}/hooks/alertmanager/prod",
                    json=payload(name, status),
                    headers={"Authorization": f"Bearer {TOKEN}"},
                ) as answer:
                    code = answer.status
            except (ClientError, OSError):
                code = 0
            finally:
                self._posting -= 1
            if code // 100 == 2:
                self._note(after, name)
                return
            assert not code or code >= 500, f"{name}: {code} to {status}"
            await asyncio.sleep(POST_AGAIN)

    async def _acknowledge(self, name: str) -> None:
        """Say so until the answer is seen: what was said may be lost with a daemon, where the network `forgets`.

        Who read of it in a digest may answer that, and so all of it.
        """
        named = self._digests.get(name) if self._random.random() < 0.5 else None
        named_id = named or self._ids[name]
        says = self._peer.acknowledges(self._random, self._calls.get(named_id), named_id)
        for one in sorted(self._kept.listed(named)) if named else ():
            self._note("listed", one)
        self._note("asked", name)
        slipped = name in self._slipped
        patience = TYPE_AGAIN if self._peer.forgets else SLIP_SEEN if slipped else None
        self._typing += 1
        try:
            while not self._seen[name, "acknowledged"].is_set():
                says()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(patience):
                        await self._until(name, "acknowledged")
                if slipped and not self._seen[name, "acknowledged"].is_set():
                    self._note("unsure", name)  # somebody else may have said so before, for many at once
                    break
        finally:
            self._typing -= 1

    async def _slip(self, name: str) -> None:
        """Say so by mistake, and take it back: at once, or when the answer is there."""
        says, takes_back = self._peer.slips(self._random, self._calls[self._ids[name]])
        self._note("asked", name)
        self._note("slipped", name)
        self._slipped.add(name)
        says()
        if self._random.random() < 0.7:
            await self._perhaps(name, "acknowledged")
        takes_back()
        if not await self._perhaps(name, "released", ROOM):
            self._note("unsure", name)

    async def _perhaps(self, name: str, *what: str) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SLIP_SEEN):
                await self._until(name, *what)
                return True
        return False

    def _note(self, what: str, name: str, why: str = "") -> None:
        self.record.write(what=what, name=name, why=why, at=time.perf_counter())


@contextlib.asynccontextmanager
async def _limit(what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    except TimeoutError:
        raise AssertionError(f"waited {PATIENCE:.0f} s in vain for {what}") from None


def _is_ready(status: Mapping[str, Any]) -> bool:
    return bool(status) and not any(status["networks"].values()) and ":" in status["listening on"]
