"""What tests of verification share: metrics that do as they are told, read by a daemon with real plugins."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from tocsin import daemon
from tocsin.config import Document
from tocsin.domain.event import Event
from tocsin.sources import Series, Unreadable
from tocsin.testing import HandClock, running
from tocsin_verification.reading import MOST_SERIES, Floats

from tests.engine import Engine
from tests.plugins.incident_parts import TABLES
from tests.tower import Tower

USUAL = 100.0
BAD = 300.0

CHECKS = """\
[plugins.verification]
[plugins.verification.checks.errors]
expression = "errors"
source = "scripted"
direction = "high"
"""
WITH = (*TABLES, CHECKS)
SELDOM = CHECKS.replace("]\n", ']\nevery = "5m"\n', 1)
"""Where hours pass and no minute matters."""


def steady(at: Floats) -> Floats:
    """A metric as it is when nothing is wrong: a day's wave, and a little noise that is the same each time."""
    noise = np.sin(at / 60 * 12.9898) * 43758.5453
    return USUAL + 10 * np.sin(at / 86400 * 2 * np.pi) + 4 * (noise - np.floor(noise) - 0.5)


@dataclass
class Scripted:
    """A source whose metrics are steady but for what was done to them.

    bad: expression -> the stretches, in seconds since 1970, at which it shows that much more; gone: from when on there are no
    samples of it. series: the labels of all that it gives, if that isn't the one series of the job; older: of what it gave
    in the past alone. down: why nothing can be read, if nothing can. hangs: nothing is answered. asked: all expressions that
    were read; asked_now is set each time, and meanwhile is called.
    """

    clock: HandClock
    bad: dict[str, list[list[float]]] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)
    series: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    older: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    down: str = ""
    asked: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    hangs: bool = False
    asked_now: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, expression: str, start: float, end: float, step: float) -> Sequence[Series]:
        self.asked.append(expression)
        self.asked_now.set()
        self.meanwhile()
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise Unreadable(self.down, down=True)
        at = np.arange(math.ceil(start / step) * step, end + 1e-6, step) if start < end else np.array([end])
        at = at[at <= self.gone.get(expression, math.inf)]
        values = steady(at)
        for begin, until, much in self.bad.get(expression, []):
            values[(begin <= at) & (at < until)] += much
        labels = self.series.get(expression, [{"job": "web"}])
        if start < end:
            if len(labels) > MOST_SERIES:
                raise Unreadable(f"source scripted has {len(labels)} series for this expression")
            labels = [*labels, *self.older.get(expression, [])]
        return [Series(one, at.tolist(), values.tolist()) for one in labels] if len(at) else []

    # What is done to it.

    def breaks(self, expression: str = "errors", *, ago: float = 600, much: float = BAD - USUAL) -> None:
        """It is bad since so many seconds."""
        now = self.clock.now().timestamp()
        self.bad.setdefault(expression, []).append([now - ago, math.inf, much])

    def heals(self, expression: str = "errors", *, left: float = 0.0) -> None:
        """From now on it is as before, or as bad as is left."""
        now = self.clock.now().timestamp()
        self.bad[expression][-1][1] = now
        if left:
            self.bad[expression].append([now, math.inf, left])

    def vanishes(self, expression: str = "errors") -> None:
        self.gone[expression] = self.clock.now().timestamp()

    def comes_back(self, expression: str = "errors") -> None:
        del self.gone[expression]


class Metrics:
    """Starts engines that verify, one after another on one state folder."""

    def __init__(self, tower: Tower) -> None:
        self.tower = tower
        self.chat = tower.chat
        self.clock = tower.clock
        self.source = Scripted(tower.clock)

    @asynccontextmanager
    async def __call__(self, *tables: str, crash: bool = False) -> AsyncIterator[Engine]:
        tower = self.tower
        prepared = daemon.prepare(Document.open(tower.edit(*(tables or WITH))))
        async with running(
            prepared.config,
            tower.folder,
            declared=replace(prepared.declared, sources={"scripted": self.source}),
            networks={network.name: network for network in (tower.chat, tower.radio, *tower.others)},
            clock=tower.clock,
            path=prepared.document.path,
            crash=crash,
        ) as run:
            yield Engine(run, tower.chat)

    def said(self, since: int = 0, place: str = "room/#ops") -> list[str]:
        """What was said in a place after so many messages, when and in its first line."""
        rows = zip(self.chat.times[since:], self.chat.said[since:], strict=True)
        return [
            f"{time[:5]} {said.message.first_line()}"
            for time, said in rows
            if str(said.place) == f"{self.chat.name}/{place}"
        ]


async def happened(engine: Engine, subject: str, *kinds: type[Event]) -> list[str]:
    """What happened to a subject, of these kinds, in headlines."""
    return await engine.run.tocsin.turn(lambda tx: [entry.headline for entry in tx.story(subject, kinds)])
