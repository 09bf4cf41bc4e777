"""A fault never ends in silence: the alert is said, people are told, and it is tried again."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from sqlalchemy.exc import OperationalError

from tocsin import daemon
from tocsin.config import Document
from tocsin.domain.group import GroupOpened
from tocsin.domain.message import Place
from tocsin.errors import StoreUnavailable
from tocsin.intake import Route
from tocsin.plugins import Declared
from tocsin.rules import on, owned
from tocsin.transaction import Transaction

from tests.conftest import ROOT
from tests.engine import Engine, Pager, Start, fires

FACT = "critical DiskFull db1: 97 % of / used"
Rung = Callable[[], list[str]]
OUTCOME = "select outcome, body from intake"


def fails() -> Mock:
    return Mock(side_effect=ZeroDivisionError)


@dataclass
class Frail(Pager):
    """A pager whose reaction can be broken, beside a plugin that says each alert in a room of its own."""

    breaks: Mock = field(default_factory=Mock)

    def declared(self) -> Declared:
        reactions = [("pager", on(GroupOpened, self.react)), ("notes", on(GroupOpened, note))]
        return replace(super().declared(), reactions=reactions)

    def react(self, event: GroupOpened, tx: Transaction) -> None:
        self.opened(event, tx)
        self.breaks(event, tx)


def note(event: GroupOpened, tx: Transaction) -> None:
    tx.say(Place("console", "#notes"), event.subject)


@dataclass
class Post:
    """A receiver whose parsing and taking can be broken."""

    parse: Callable[[str, bytes], object] = lambda _, body: body.decode()
    breaks: Mock = field(default_factory=Mock)

    def declared(self) -> Declared:
        return Declared(routes={"post": Route("", self.parse, self.take)})

    def take(self, text: str, tx: Transaction) -> None:
        tx.tell(text)
        self.breaks()


@pytest.fixture
def rung(start: Start, tmp_path: Path) -> Rung:
    """Configures a fallback; the lines that it was given."""
    program, heard = tmp_path / "ring", tmp_path / "heard"
    program.write_text(f"#!/bin/sh\ncat >> {heard}\n")
    program.chmod(0o755)
    start.config = replace(start.config, fallback=replace(start.config.fallback, command=(str(program),)))
    return lambda: heard.read_text().splitlines() if heard.exists() else []


async def post(engine: Engine, body: bytes = b"an alert") -> None:
    await engine.run.daemon.intake.keep("post", "prod", body)
    await engine.run.settled()


async def test_an_alert_whose_pager_fails_is_said_and_tried_again(start: Start, rung: Rung) -> None:
    pager = Frail(breaks=fails())
    async with start(pager.declared()) as engine:
        subject = await engine.report(fires())
        page, why = f"{subject} {FACT} · !ack {subject}", "pager.react failed: ZeroDivisionError."
        assert engine.chat.texts("room/#ops") == [f"{page}\n{why} It is tried again."]
        assert engine.chat.texts("person/alice") == []  # what it had done before is undone
        assert rung() == [page, f"{why} It is tried again."]
        assert engine.chat.texts("room/#notes") == [subject]
        assert await engine.sql("select distinct lane from outbox where place like '%#ops'") == [(0,)]
        await engine.advance(seconds=9)
        assert pager.breaks.call_count == 1
    pager.breaks.side_effect = None
    async with start(pager.declared()) as engine:
        await engine.advance(seconds=1)
        assert engine.chat.texts("person/alice") == [page]
        await engine.says("alice", "!ack")
        await engine.advance(hours=1)
    assert pager.breaks.call_count == 2


async def test_five_faults_in_a_minute_leave_the_plugin_out_for_a_while(start: Start) -> None:
    pager = Frail(breaks=fails())
    told = "plugin pager fails again and again: it is left out for a minute. See the log."
    why = "pager is left out: it failed 5 times within a minute. It is tried again."
    async with start(pager.declared()) as engine:
        for number in range(5):
            assert told not in engine.chat.texts()
            await engine.report(fires(key=str(number)))
        assert engine.chat.texts().count(told) == 1
        subjects = [await engine.report(fires(key=key)) for key in ("six", "seven")]
        assert pager.breaks.call_count == 5
        pages = [f"{subject} {FACT} · !ack {subject}\n{why}" for subject in subjects]
        assert engine.chat.texts("room/#ops")[-2:] == pages
        assert len(engine.chat.texts("room/#notes")) == 7
        pager.breaks.side_effect = None
        await engine.advance(minutes=1)
        assert len(engine.chat.texts("person/alice")) == 7
        await engine.report(fires(key="eight"))
        assert len(engine.chat.texts("person/alice")) == 8
        assert engine.chat.texts("room/#ops")[-1] == pages[-1]
        assert engine.chat.texts().count(told) == 1


async def test_a_reaction_that_goes_round_in_circles_is_ended_and_told(start: Start) -> None:
    pager = Frail(breaks=Mock(side_effect=lambda event, tx: tx.record(replace(event))))
    async with start(pager.declared()) as engine:
        subject = await engine.report(fires())
        why = "pager.react failed: Endless. It is tried again."
        assert engine.chat.texts("room/#ops") == [f"{subject} {FACT} · !ack {subject}\n{why}"]
        assert (await engine.sql("select count(*) from events where kind = 'group.opened'"))[0][0] <= 50
        pager.breaks.side_effect = None
        await engine.advance(seconds=10)
        assert len(engine.chat.texts("room/#ops")) == 1


async def test_a_store_that_fails_is_not_the_plugins_fault(start: Start) -> None:
    disk = sqlite3.OperationalError("disk I/O error")
    disk.sqlite_errorcode = sqlite3.SQLITE_IOERR
    errors = [StoreUnavailable("gone"), OperationalError("insert", {}, disk)]
    pager = Frail(breaks=Mock(side_effect=[*errors, None]))
    async with start(pager.declared()) as engine:
        for _ in errors:
            with pytest.raises(StoreUnavailable):
                await engine.report(fires())
            await engine.run.settled()
            assert (engine.chat.texts(), await engine.sql("select id from subjects")) == ([], [])
        await engine.report(fires())
        assert len(engine.chat.texts("person/alice")) == 1


async def test_a_table_that_is_missing_is_the_plugins_fault(start: Start) -> None:
    pager = Frail(breaks=Mock(side_effect=lambda _, tx: tx.connection.exec_driver_sql("select x from y")))
    async with start(pager.declared()) as engine:
        await engine.report(fires())
        assert "pager.react failed: OperationalError." in engine.chat.texts("room/#ops")[0]


async def test_an_alert_that_nobody_pages_for_is_said_until_somebody_has_it(start: Start, rung: Rung) -> None:
    async with start(Declared()) as engine:
        subject = await engine.report(fires())
        page = f"{subject} {FACT} · !ack {subject}"
        first = f"{page}\nNo plugin will page anybody for it."
        again = f"{page}\nStill no plugin pages anybody for it."
        await engine.advance(minutes=4, seconds=59)
        assert engine.chat.texts() == [first]
        await engine.advance(seconds=1)
        assert engine.chat.texts() == [first, again]
        await engine.advance(minutes=5)
        assert engine.chat.texts() == [first, again, again]
        await engine.says("bob", "!ack", room="#ops")
        await engine.advance(hours=1)
        assert len(engine.chat.texts()) == 4
        assert rung().count(page) == 3


@pytest.mark.parametrize("part", ["parse", "take"])
async def test_a_body_that_fails_three_times_is_given_up(start: Start, part: str, rung: Rung) -> None:
    broken = Post(parse=fails()) if part == "parse" else Post(breaks=fails())
    async with start(broken.declared()) as engine:
        await post(engine)
        why = "taken in (ZeroDivisionError). Body 1 is kept and"
        tried = f"prod posted an alert that could not be {why} tried again."
        given_up = f"prod posted an alert that can't be {why} given up."
        assert await engine.sql(OUTCOME) == [("fault", b"an alert")]
        assert engine.chat.texts() == rung() == [tried]
        await engine.advance(minutes=2)
        assert await engine.sql(OUTCOME) == [("parked", b"an alert")]
        assert engine.chat.texts() == rung() == [tried, given_up]


async def test_a_body_that_was_accepted_is_taken_once_after_a_crash_and_a_fault(start: Start) -> None:
    down, broken = Post(), Post(breaks=fails())
    async with start(down.declared(), crash=True) as engine:
        await engine.run.daemon.intake.keep("post", "prod", b"an alert")
    async with start(broken.declared(), crash=True) as engine:
        assert await engine.sql(OUTCOME) == [("fault", b"an alert")]
        broken.breaks.side_effect = None
        await post(engine, b"in between")
        await engine.advance(minutes=10)
    async with start(broken.declared()) as engine:
        assert await engine.sql(OUTCOME) == [("taken", b"an alert"), ("taken", b"in between")]
    assert not down.breaks.called
    assert [text for text in start.chat.texts() if "prod" not in text] == ["in between", "an alert"]


async def test_a_body_that_cannot_be_read_is_kept_and_told(start: Start, rung: Rung) -> None:
    async with start(Post().declared()) as engine:
        await engine.run.daemon.intake.refuse("post", "prod", b"{", "it ends too soon")
        await engine.run.settled()
        told = "prod posted something that can't be read: it ends too soon. Body 1 is kept."
        assert engine.chat.texts() == rung() == [told]
        assert await engine.sql(OUTCOME) == [("unreadable", b"{")]


async def live(folder: Path, what: str) -> list[str]:
    """A daemon that goes down at once, as often as it is started; until it has learnt to live."""
    start = Start(daemon.prepare(Document.open(folder / "config.toml")).config, folder / "state")
    deadly = Post(breaks=Mock(side_effect=lambda: os._exit(9)))
    timers = {"bell.ring": owned("bell", lambda *_: os._exit(9))}
    async with start(replace(deadly.declared(), timers=timers)) as engine:
        if not await engine.sql("select 1 from subjects"):
            subject = await engine.report(fires())
            if what == "body":
                await post(engine)
            await engine.run.tocsin.turn(lambda tx: tx.set_timer("bell.ring", subject, at=tx.now))
            await engine.run.settled()
        return engine.chat.texts()


STARTS = """
import asyncio, os, pathlib, sys
from tests.daemon.test_faults import live

for deaths in range(9):
    if not (pid := os.fork()):
        sys.exit(print(*asyncio.run(live(pathlib.Path(sys.argv[1]), sys.argv[2])), sep="\\n"))
    if os.waitpid(pid, 0)[1] == 0:
        break
print(deaths)
"""


@pytest.mark.parametrize("what", ["body", "timer"])
async def test_what_brings_the_daemon_down_is_given_up_and_told(start: Start, what: str) -> None:
    command = [sys.executable, "-c", STARTS, str(start.folder.parent), what]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    *said, deaths = ran.stdout.splitlines()
    assert 3 <= int(deaths) <= 4
    assert all(words in said[-1] for words in ("given up", "the daemon went down with it"))
    async with start(Declared()) as engine:
        assert await engine.sql(OUTCOME) == ([("parked", b"an alert")] if what == "body" else [])
        assert await engine.sql("select 1 from timers where kind = 'bell.ring'") == []
        await engine.advance(minutes=5)
        assert "Still no plugin pages anybody for it." in engine.chat.texts()[-1]
