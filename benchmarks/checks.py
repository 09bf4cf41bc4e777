"""Many checks of many incidents, looked at each minute at a real Prometheus: what that takes of the daemon and of it."""

import asyncio
import json
import math
import random
import re
import sqlite3
import sys
import time
from array import array
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import pytest

from benchmarks.bursts import Watch
from benchmarks.client import PATIENCE, burst, post
from benchmarks.ircds import NotThere
from benchmarks.results import Row, middle, percentile, ratio
from benchmarks.servers import ROOT, Lost, Server, serving
from benchmarks.size import Size

from tests.servers.programs import running
from tests.servers.prometheus import Past, Prometheus

SCRAPED = 15
"""Seconds between two scrapes."""

BAD, WORSE = 10, 3
"""For so many minutes all metrics were bad before anybody noticed, and so many times as high as ever."""

GOAL = "< 100 ms"
LABELS = {"job": "app", "instance": "app:80"}

_COUNTED = re.compile(r"^prometheus_http_requests_total\{.*query_range.*\} (\S+)$", re.MULTILINE)

_TABLES = """\
[plugins.incidents]
[plugins.verification]
every = "{every}s"
own_alerts = false
[plugins.verification.sources.main]
kind = "prometheus"
url = "{url}"
"""
_RULE = """\
[[plugins.incidents.rules]]
match = 'alertname="Load{incident}"'
severity = "sev2"
"""
_CHECK = """\
[plugins.verification.checks.{name}]
expression = '{expression}'
match = 'alertname="Load{incident}"'
"""


async def measure(size: Size) -> AsyncIterator[Row]:
    """Of a minute in which all incidents begin, and of those after it. Raises Lost."""
    with TemporaryDirectory() as own, _prometheus(Path(own), size) as prometheus:
        folder = Path(own) / "tocsin"
        folder.mkdir()
        async with serving("tocsin", folder, tables=_tables(size, prometheus)) as server:
            changing = asyncio.create_task(_change(prometheus, size))
            try:
                async for row in _rows(size, prometheus, server, Looks(folder, size.looked_every)):
                    yield row
            finally:
                changing.cancel()


async def _rows(size: Size, prometheus: Prometheus, server: Server, looks: "Looks") -> AsyncIterator[Row]:
    many = size.incidents * size.checks
    what = f"{many} checks of {size.incidents} incidents, {size.history} days of history, all begun at once: "
    before, now = server.memory(), time.time()  # noqa: TID251 (no clock runs here)
    past = [
        (now - size.history * 86400, now - size.history * 43200, 300),
        (now - size.history * 43200, now - 2 * 86400, 300),
        (now - 2 * 86400, now, 60),
    ]
    floor = await _floor(prometheus, size, past)
    async with Watch(server.port) as watch:
        began, cpu = time.perf_counter(), server.cpu()
        outcome = await burst(server.port, [post(number) for number in range(size.incidents)])
        if outcome.refused:
            raise Lost(f"{outcome.refused} posts were refused")
        await looks.all_once(size.incidents)
        took, cpu = time.perf_counter() - began, server.cpu() - cpu
        stall = await watch.longest()
    yield Row(f"{what}until all are told", {"": took}, "s", "", took / floor["took"])
    yield Row("… CPU", {"": cpu}, "s", "", cpu / floor["cpu"])
    yield Row("… event loop stalls, at most", {"": stall * 1000}, "ms", GOAL)
    figures = {"before": before, "after": server.memory(), "peak": server.peak()}
    yield Row("… memory", figures, "MB")
    await asyncio.sleep(size.looked_every)
    looks.forget()
    floors, mine, shares, asked = [], [], [], []
    for _ in range(size.rounds):
        now = time.time()  # noqa: TID251
        floors.append((await _floor(prometheus, size, [(now - 360, now, 60)]))["cpu"])
        began, cpu, questions = time.perf_counter(), server.cpu(), _asked(prometheus)
        await looks.watch(size.looked_every)
        took = time.perf_counter() - began
        share = (server.cpu() - cpu) / took
        mine.append(share * size.looked_every)
        shares.append(share * 100)
        asked.append((_asked(prometheus) - questions) * 60 / took)
    async with Watch(
        server.port
    ) as watch:  # in a minute of its own, since its questions take time of the daemon too
        await looks.watch(size.looked_every)
        stall = await watch.longest()
    yield Row(
        "… each minute after that: CPU of one processor", {"": middle(shares)}, "%", "", ratio(mine, floors)
    )
    yield Row("… questions to Prometheus", {"": middle(asked)}, "a minute")
    figures = {"p50": percentile(looks.lengths, 50), "p99": percentile(looks.lengths, 99)}
    yield Row("… an incident's look, from when it is due until it is kept", figures, "s")
    yield Row("… event loop stalls, at most", {"": stall * 1000}, "ms", GOAL)
    yield Row("… memory", {"": server.memory(), "peak": server.peak()}, "MB")


@dataclass
class Looks:
    """What is seen of looks in the state of the daemon: their timers, each set anew when a look is kept."""

    folder: Path
    every: float
    lengths: list[float] = field(default_factory=list)
    _due: dict[str, float] = field(default_factory=dict)
    _looked: set[str] = field(default_factory=set)

    def forget(self) -> None:
        self.lengths.clear()

    async def all_once(self, incidents: int) -> None:
        """Wait until each was looked at. Raises Lost."""
        began = time.perf_counter()
        while len(self._looked) < incidents:
            if time.perf_counter() - began > 5 * PATIENCE:
                raise Lost(f"of {incidents} incidents {len(self._looked)} were looked at")
            await asyncio.sleep(0.2)
            self._note()

    async def watch(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            await asyncio.sleep(0.5)
            self._note()

    def _note(self) -> None:
        path = self.folder / "state" / "tocsin.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            rows = database.execute(
                "select key, due_at from timers where kind = 'verification.look'"
            ).fetchall()
        for key, due_at in rows:
            due, last = datetime.fromisoformat(due_at).timestamp(), self._due.get(key)
            if due > time.time():  # noqa: TID251
                self._looked.add(key)
            if last is not None and due > last + 1:
                self.lengths.append(due - self.every - last)
            self._due[key] = due


def _asked(prometheus: Prometheus) -> float:
    with urlopen(f"{prometheus.url}/metrics") as answer:  # noqa: S310 (our own)
        return sum(map(float, _COUNTED.findall(answer.read().decode())))


async def _floor(
    prometheus: Prometheus, size: Size, ranges: Sequence[tuple[float, float, float]]
) -> dict[str, float]:
    """What the same costs who does nothing else, in seconds."""
    asked = json.dumps([prometheus.url, [_expression(number) for number in range(_many(size))], ranges])
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "benchmarks.reading"]
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=ROOT)
    out, _ = await process.communicate(asked.encode())
    found: dict[str, float] = json.loads(out)
    return found


@contextmanager
def _prometheus(folder: Path, size: Size) -> Iterator[Prometheus]:
    """One that has the history, and scrapes on."""
    try:
        prometheus = Prometheus(folder / "prometheus", every=f"{SCRAPED}s")
        now = time.time() // 60 * 60  # noqa: TID251
        at = [now - 60 * minute for minute in range(size.history * 1440, 0, -1)]
        prometheus.backfill(*(_past(number, at) for number in range(_many(size))))
    except pytest.skip.Exception as missing:
        raise NotThere(str(missing)) from None
    with running(prometheus):
        yield prometheus


def _past(number: int, at: Sequence[float]) -> Past:
    bad = at[-BAD]
    values = array("d", (_value(number, one) * (WORSE if one >= bad else 1) for one in at))
    return Past("load", at, values, {"check": str(number), **LABELS})


def _value(number: int, at: float) -> float:
    """Of a metric that goes up and down with the hour, and trembles."""
    return round(100 * (1 + 0.3 * math.sin(at / 86400 * math.tau + number)) * random.gauss(1, 0.03), 2)


async def _change(prometheus: Prometheus, size: Size) -> None:
    """All metrics are bad from now on, and tremble."""
    while True:
        now = time.time()  # noqa: TID251
        for number in range(_many(size)):
            prometheus.target.set("load", WORSE * _value(number, now), check=str(number))
        await asyncio.sleep(SCRAPED)


def _many(size: Size) -> int:
    return size.incidents * size.checks


def _expression(number: int) -> str:
    return f'load{{check="{number}"}}'


def _tables(size: Size, prometheus: Prometheus) -> str:
    rules = [_RULE.format(incident=incident) for incident in range(size.incidents)]
    checks = [
        _CHECK.format(name=f"check{number}", expression=_expression(number), incident=number // size.checks)
        for number in range(_many(size))
    ]
    return _TABLES.format(every=size.looked_every, url=prometheus.url) + "".join(rules + checks)
