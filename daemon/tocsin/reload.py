"""The configuration file is read again while the daemon runs: all of it holds from one turn on, or nothing of it does."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from tocsin import backups, oncall
from tocsin.commands import Call, Command
from tocsin.core import Setup, Tocsin
from tocsin.domain.message import Message, Place
from tocsin.domain.words import counted, listed
from tocsin.rules import Owned, owned
from tocsin.store import audit
from tocsin.store.outbox import Lane
from tocsin.store.timers import Timer
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)

RELOAD = "core.reload"
"""The errand on which `!reload` goes; its key is who asked, and where."""


@dataclass(frozen=True)
class Reading:
    """What became of the file.

    setup: what it makes of the daemon; None if it can't be used. changed: what is new in it, as people are told. errors,
    warnings: a line each.
    """

    setup: Setup | None = None
    changed: Sequence[str] = ()
    errors: Sequence[str] = ()
    warnings: Sequence[str] = ()

    def told(self, by: str = "") -> Message:
        """All of it in one line. by: who asked."""
        if self.errors:
            stays = "configuration not reloaded, the old one holds"
            first, *more = self.errors
            text = f"{stays}: {first}{f'; and {len(more)} more: see the log' if more else ''}"
            # A path, and what stands in the file, is not for all the world.
            return Message(text, brief=f"{stays}: {counted(len(self.errors), 'error')}, see the log")
        if not self.changed:
            return Message("configuration reloaded: nothing has changed")
        return Message(f"configuration reloaded{f' by {by}' if by else ''}: {listed(self.changed)} changed")


@dataclass(frozen=True)
class Asker:
    """Who asked. by: a person. place: where they did in chat. how: by what they did if not."""

    by: str = ""
    place: Place | None = None
    how: str = ""

    @property
    def key(self) -> str:
        return f"{self.by}/{self.place}"

    @classmethod
    def of(cls, key: str) -> "Asker":
        """What a key says."""
        by, _, place = key.partition("/")
        return cls(by, Place.parse(place))


SIGNAL = Asker(how="SIGHUP")
COMMAND_LINE = Asker(how="the command line")


def commands() -> Sequence[Command]:
    """The word that asks."""
    return [Command("reload", ask, "read the configuration file again")]


def ask(call: Call, tx: Transaction) -> None:
    """The file is read outside of any turn; what became of that is the answer."""
    tx.set_timer(RELOAD, Asker(call.by, call.place).key, after=timedelta(0))


class Reload:
    """Reads the file again for whoever asks, one after another."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        """read: reads the file; in a thread of its own."""
        self._read = read
        self.on_read: Callable[[bool], None] = lambda _: None
        """Called with whether the configuration that was read holds now."""
        self._one_at_a_time = asyncio.Lock()
        self._signalled = asyncio.Event()

    def timer_kinds(self) -> Mapping[str, Owned]:
        """The errand on which `!reload` goes."""
        return {RELOAD: owned("core", self.errand)}

    def signal(self) -> None:
        """Somebody wants it read again."""
        self._signalled.set()

    async def run(self, tocsin: Tocsin) -> None:
        """Read it again at each signal, until cancelled."""
        while True:
            await self._signalled.wait()
            self._signalled.clear()
            await self.again(tocsin, SIGNAL)

    async def errand(self, timer: Timer, tocsin: Tocsin) -> None:
        """Somebody asked for it in chat."""
        await self.again(tocsin, Asker.of(timer.key))

    async def again(self, tocsin: Tocsin, asker: Asker) -> Reading:
        """Read it again; what became of that, once it is kept."""
        async with self._one_at_a_time:
            reading = await asyncio.to_thread(self._safely)
            for line in reading.errors:
                log.error("%s", line)
            for line in reading.warnings:
                log.warning("%s", line)
            await tocsin.must(partial(_take, reading, asker, tocsin))
            self.on_read(not reading.errors)
            log.info("%s", reading.told(asker.by or asker.how).text)
            return reading

    def _safely(self) -> Reading:
        try:
            return self._read()
        except Exception as error:
            log.exception("the configuration could not be read again")
            return Reading(errors=[f"{type(error).__name__} (see the log)"])


def _take(reading: Reading, asker: Asker, tocsin: Tocsin, tx: Transaction) -> None:
    """From here on it holds, if it can be used; who asked is told, and everybody if anything has changed."""
    if reading.setup is not None and reading.changed:
        tocsin.use(reading.setup, tx)
        for kind, timer in tx.rules.timers.items():
            if timer.at_start:
                tx.set_timer(kind, "", after=timedelta(0))
        oncall.begin(tx)
        backups.begin(tx)
    told = reading.told(asker.by)
    if asker.place is not None:
        tx.say(asker.place, told, lane=Lane.ANSWER)
    if reading.changed or (reading.errors and asker is SIGNAL):
        tx.tell(told, but_not=asker.place)
    audit.add(
        tx.connection,
        at=tx.now,
        place=str(asker.place or asker.how),
        account="",
        person=asker.by,
        what="the configuration, read again",
        verdict=f"refused: {told.text}" if reading.errors else "done",
    )
