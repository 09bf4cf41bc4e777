"""One short incident, played in a process of its own that is killed and started again until it is over.

What was accepted and what could be seen is written to a file as it happens: that file alone is judged.
"""

import asyncio
import json
import multiprocessing
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401 (so that the parent has it)

from tocsin import failpoints
from tocsin.alerts import report
from tocsin.config import Config
from tocsin.domain.message import Message, Place
from tocsin.domain.words import parse_duration
from tocsin.intake import Route
from tocsin.networks.base import Rank
from tocsin.testing import HandClock, Loudspeaker, Running, running

from tests.engine import Pager, alert, fires, over

ALERTS = ("acked", "resolved", "ignored")

# A parent that has imported all of this, so that a start takes milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.crash", "tests.crash_storm"])

Story = Callable[[Config, Path, "Record"], Coroutine[Any, Any, None]]
"""Plays an incident from wherever it stands to its end."""


@dataclass(frozen=True)
class Record:
    """The file of the observer, outside of the daemon."""

    path: Path

    def write(self, **what: Any) -> None:
        """One line, which is there even if the process is killed right after."""
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, json.dumps(what).encode() + b"\n")
        os.close(file)

    def read(self) -> list[Mapping[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def accepted(self) -> set[str]:
        return {one["accepted"] for one in self.read() if "accepted" in one}

    def said(self) -> list[Mapping[str, Any]]:
        return [one for one in self.read() if "said" in one]

    def pages(self, name: str, person: str = "") -> Iterator[Mapping[str, Any]]:
        for one in self.said():
            if "!ack" in one["said"] and f" {name} " in one["said"] and person in one["place"]:
                yield one


class Wire(Loudspeaker):
    """A network whose every word can be seen from outside."""

    record: Record

    async def send(
        self,
        place: Place,
        message: Message,
        txn_id: str,
        *,
        tried: datetime | None,
        rank: Rank,
        amends: str = "",
    ) -> str:
        self.record.write(
            said="\n".join(message.all_lines()), place=str(place), txn_id=txn_id, again=tried is not None
        )
        return await super().send(place, message, txn_id, tried=tried, rank=rank, amends=amends)


def play(story: Story, config: Config, folder: Path, failpoint: str) -> None:
    """Play the incident from wherever it stands; killed where the failpoint says."""
    failpoints.arm(failpoint)
    asyncio.run(story(config, folder, Record(folder / "seen")))


async def three_alerts(config: Config, folder: Path, record: Record) -> None:
    """One of them is answered, one ends by itself, one is left alone."""
    wire = Wire("console", {"alice": "alice", "bob": "bob"})
    wire.record = record
    route = Route("", lambda _, body: body.decode(), _take)
    declared = replace(Pager().declared(), routes={"test": route})
    clock = HandClock()
    async with running(
        config, folder / "state", declared=declared, networks={"console": wire}, clock=clock
    ) as run:
        for name in ALERTS:
            await _post(run, record, name)
        (page,) = {one["said"].split()[0] for one in record.pages("acked")}
        if not any("acknowledged by alice" in one["said"] for one in record.said()):
            await wire.hears("alice", f"!ack {page}", line_id="ack")
            await run.settled()
        await run.advance(parse_duration("6m"))
        await _post(run, record, "over")
        await run.advance(timedelta(seconds=1))
    record.write(done=True)


async def _post(run: Running, record: Record, name: str) -> None:
    """Post until it is accepted, as any sender does."""
    if name not in record.accepted():
        await run.daemon.intake.keep("test", "prod", name.encode())
        record.write(accepted=name)
    await run.settled()


def _take(name: str, tx: Any) -> None:
    report(tx, over("resolved") if name == "over" else fires(alert(name), key=name))


def played(story: Story, config: Config, folder: Path, failpoint: str) -> bool:
    """Play the incident to its end, however often that takes; whether the failpoint was reached."""
    killed = False
    for attempt in range(5):
        process = _CONTEXT.Process(
            target=play, args=(story, config, folder, failpoint if attempt == 0 else "")
        )
        process.start()
        process.join(60)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"{failpoint}: it hangs")
        if process.exitcode == 0:
            return killed
        if process.exitcode > 0:
            raise AssertionError(f"{failpoint}: it failed; its traceback stands above")
        killed = True
    raise AssertionError(f"{failpoint}: it never comes to an end")


def judge(record: Record) -> None:
    """Nothing that was accepted is lost, nothing is said twice as two, no page begins after an answer."""
    for name in ALERTS:
        pages = list(record.pages(name, "alice"))
        assert pages, f"{name} was accepted, and nobody was paged"
        assert len({page["txn_id"] for page in pages}) == 1, f"{name}: two pages where one was meant"
        assert all(page["again"] for page in pages[1:]), (
            f"{name}: a second page that can't be told from the first"
        )
    said = [one["said"] for one in record.said()]
    answered = next(n for n, text in enumerate(said) if "acknowledged by alice" in text)
    assert not any("!ack" in text and " acked " in text for text in said[answered:]), (
        "a page after the answer"
    )
    assert not list(record.pages("acked", "bob")), "the tree climbed after an answer"
    for name in ("resolved", "ignored"):
        assert len({page["txn_id"] for page in record.pages(name, "bob")}) == 1, (
            f"{name}: the tree did not climb"
        )
    assert any("resolved by its source" in text for text in said), "nobody was told that it is over"
