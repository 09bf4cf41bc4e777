"""What was measured, as JSON and as a table for people."""

import json
import math
import os
import platform
import sqlite3
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from benchmarks.figures import number
from benchmarks.peers import tables


@dataclass(frozen=True)
class Row:
    """One thing that was measured.

    measured: each figure by what it is. unit: of all of them. goal: what we hold ourselves to, if anything.
    direct, durable: how many times as much as that floor in the same run; less is better. beside: which figure of
    others (`peers.py`) it is to be read beside, if any.
    """

    what: str
    measured: Mapping[str, float]
    unit: str
    goal: str = ""
    direct: float | None = None
    durable: float | None = None
    beside: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class About:
    """When, and on what. sync_ms: how long the disk takes to keep 4 KiB, at the median."""

    date: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())  # noqa: TID251 (no clock runs here)
    python: str = field(default_factory=platform.python_version)
    sqlite: str = sqlite3.sqlite_version
    processors: int = field(default_factory=lambda: os.cpu_count() or 0)
    sync_ms: float = field(default_factory=lambda: round(_sync() * 1000, 2))


def _sync() -> float:
    """How long the disk takes, in seconds."""
    took = []
    with TemporaryFile(buffering=0) as file:
        for _ in range(200):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def percentile(values: Sequence[float], percent: float) -> float:
    """The least value that so many per cent do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def middle(values: Sequence[float]) -> float:
    """The median of the rounds."""
    return statistics.median(values)


def ratio(rounds: Sequence[float], floor: Sequence[float]) -> float:
    """How many times as much as the floor: the median of the rounds, each beside the floor of its own round."""
    return middle([mine / its for mine, its in zip(rounds, floor, strict=True)])


def write(folder: Path, about: About, rows: Sequence[Row]) -> None:
    """Write `results.json`, and `RESULTS.md` from it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    path.write_text(
        json.dumps({"about": asdict(about), "rows": [asdict(row) for row in rows]}, indent=2) + "\n"
    )
    (folder / "RESULTS.md").write_text(render(json.loads(path.read_text())))


def render(results: Mapping[str, Any]) -> str:
    """The table, and how it came about."""
    about = results["about"]
    lines = [
        "# How fast Tocsin is",
        "",
        _ON.format(**about),
        "",
        *_HOW,
        "",
        "| what | goal | measured | times direct | times durable |",
        "|---|---|---|---|---|",
        *(_line(row) for row in results["rows"]),
        "",
        *_NOT_YET,
        "",
        *tables(results["rows"]),
    ]
    return "\n".join(lines) + "\n"


_ON = (
    "Measured on {date} by `make bench`: Python {python}, SQLite {sqlite}, {processors} processors, a disk that takes "
    "{sync_ms} ms to keep 4 KiB."
)
_HOW = [
    "A real `tocsin run` with the escalation of two people pages on its console, which is a pipe, and tells each alert",
    "alone (`digests = false`), as the floors do; whoever posts is another process on the same processors. Beside it,",
    "in the same rounds, run two floors (`floors.py`): *direct* takes the post and says it at once, storing nothing;",
    "*durable* keeps it in SQLite before it answers. Absolute figures are this machine's; the ratios say how many times",
    "as long as the floor it takes. Medians of the rounds.",
    "",
    "On IRC the server is a real one, and alice, a plain client, notes what she sees: Tocsin pages her in private and",
    'tells the room, a floor tells the room alone. *Each told alone*: `pace = "0s"` as well, and the server punishes',
    "nobody. *As it comes*: nothing of that is set, and the server limits who is too fast, as it does if nobody says",
    "otherwise. An alert counts once it is named in a line of its own, or counted in a digest.",
    "",
    "On Matrix the homeserver is a real Synapse on SQLite, and alice's client a plain one that syncs. Beside Tocsin, about",
    "a second apart, somebody puts a bare event into another room of hers; *times direct* is times that. Whoever wakes",
    "her, as a page does, and listens, as who is to hear answers must, has the homeserver do more at each event, and",
    "answer two: that, too, is measured.",
    "",
    "Schedules are in eight zones, with turns of 12 hours, days, weeks and months, hours, priorities and single shifts;",
    "*times direct* is times as many bare conversions from the wall clock of the zone as shifts come out, or as there are layers.",
    "",
    "Of incidents each command is asked for by a line from chat, until its answer is in the outbox; of each incident in turn.",
    "",
    "Checks are read from a real Prometheus on the same processors, which scrapes all their metrics four times a minute; *times direct*",
    "is times as much as plain aiohttp takes to ask for the same, with as many questions at once, and to do nothing with it.",
    "Memory is the daemon's. A look begins when it is due and ends when all that it found is kept.",
]
_NOT_YET = [
    "Nothing was lost or refused, or there would be no such file. Not measured yet: outages of a chat server,",
    "pages begun after an acknowledgement, and kills under load (the tests kill, but count no time).",
]


def _line(row: Mapping[str, Any]) -> str:
    figures = ", ".join(f"{name} {number(value)}".strip() for name, value in row["measured"].items())
    cells = [row["what"], row["goal"], f"{figures} {row['unit']}".strip()]
    cells += ["" if row[floor] is None else number(row[floor]) for floor in ("direct", "durable")]
    return f"| {' | '.join(cells)} |"
