"""A running engine for tests, and a plugin that pages as simply as can be."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tocsin.alerts import report
from tocsin.config import Config
from tocsin.domain.alert import Alert, Report
from tocsin.domain.group import GroupAcknowledged, GroupOpened, GroupReopened, GroupResolved
from tocsin.domain.message import Message
from tocsin.plugins import Declared
from tocsin.rules import on, owned
from tocsin.store.timers import Timer
from tocsin.testing import HandClock, Loudspeaker, Running, running
from tocsin.transaction import Transaction

WAIT = timedelta(minutes=5)


def alert(name: str = "DiskFull", *, severity: str = "critical", fingerprint: str = "") -> Alert:
    return Alert(
        fingerprint or name, {"alertname": name, "severity": severity, "instance": "db1"}, "97 % of / used"
    )


def fires(*alerts: Alert, key: str = "disk") -> Report:
    return Report("prod", key, firing=alerts or (alert(),))


def gone(*fingerprints: str, key: str = "disk") -> Report:
    """These don't fire any more."""
    return Report("prod", key, resolved=dict.fromkeys(fingerprints))


def over(key: str = "disk") -> Report:
    return Report("prod", key, over=True)


@dataclass
class Pager:
    """Pages alice at once, and bob each five minutes until someone answers."""

    rung: list[str] = field(default_factory=list)

    def declared(self) -> Declared:
        """What a plugin like this would declare."""
        return Declared(
            reactions=[
                ("pager", on(GroupOpened, self.opened)),
                ("pager", on(GroupReopened, self.opened)),
                ("pager", on(GroupAcknowledged, self.stop)),
                ("pager", on(GroupResolved, self.stop)),
            ],
            timers={"pager.step": owned("pager", self.step, pages=True)},
        )

    def opened(self, event: GroupOpened | GroupReopened, tx: Transaction) -> None:
        self._page(event.subject, "alice", tx)

    def step(self, timer: Timer, tx: Transaction) -> None:
        self.rung.append(timer.key)
        if tx.group(timer.key).rings:
            self._page(timer.key, "bob", tx)

    def stop(self, event: Any, tx: Transaction) -> None:
        tx.cancel_timer("pager.step", event.subject)

    def _page(self, subject: str, person: str, tx: Transaction) -> None:
        text = tx.group(subject).describe(tx.config.severities)
        (place,) = tx.private_places(person)
        tx.page(
            place, Message(text, subject=subject, command=f"!ack {subject}"), about=subject, person=person
        )
        tx.set_timer("pager.step", subject, after=WAIT)


@dataclass
class Engine:
    """A daemon that runs, the network that it speaks on, and short ways to both."""

    run: Running
    chat: Loudspeaker

    async def report(self, news: Report) -> str:
        """Alerts come in; when this returns, the engine is at rest."""
        subject = await self.run.tocsin.turn(lambda tx: report(tx, news))
        await self.run.settled()
        return subject

    async def says(self, account: str, text: str, *, room: str = "") -> None:
        """Somebody types a line; when this returns, the engine is at rest."""
        await self.chat.hears(account, text, room=room)
        await self.run.settled()

    async def advance(self, **length: float) -> None:
        await self.run.advance(timedelta(**length))

    async def state(self, subject: str) -> str:
        """How an alert stands."""
        return await self.run.tocsin.turn(lambda tx: str(tx.group(subject).state))

    async def sql(self, query: str) -> list[tuple[Any, ...]]:
        """What the store holds."""
        return await self.run.tocsin.turn(
            lambda tx: [tuple(row) for row in tx.connection.exec_driver_sql(query)]
        )


class Start:
    """Starts engines on one state folder, one after another; they say each alert alone."""

    def __init__(self, config: Config, folder: Path) -> None:
        self.config = replace(config, digests=False)
        self.folder = folder
        self.clock = HandClock()
        self.chat = Loudspeaker("console", {"alice": "alice", "bob": "bob"})

    @asynccontextmanager
    async def __call__(
        self, declared: Declared | None = None, *, crash: bool = False
    ) -> AsyncIterator[Engine]:
        """An engine with the plainest of pagers, unless something else is declared."""
        declared = declared if declared is not None else Pager().declared()
        async with running(
            self.config,
            self.folder,
            declared=declared,
            networks={"console": self.chat},
            clock=self.clock,
            crash=crash,
        ) as run:
            yield Engine(run, self.chat)
