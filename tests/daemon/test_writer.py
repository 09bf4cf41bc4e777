"""A turn is kept whole or leaves no trace, whatever else its commit holds and whatever the disk does."""

import asyncio
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import Mock

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from tocsin.config import Config
from tocsin.daemon import Daemon
from tocsin.errors import Refused, StoreUnavailable
from tocsin.plugins import Declared
from tocsin.store import Database, State, Writer, intake
from tocsin.store.writer import EXIT_BROKEN, MOST_TURNS, savepoint
from tocsin.testing import HandClock, Running

from tests.conftest import RUNNABLE
from tests.processes import PATIENCE, tocsin

NOW = HandClock().now()
LARGE = [f"large {n}" for n in range(5)]
T = TypeVar("T")


class Work:
    """The least that a turn can be given."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def undone(self) -> None:
        pass

    def keep(self, name: str, size: int = 10) -> int:
        return intake.add(self.connection, route="post", receiver=name, body=bytes(size), at=NOW)

    def keep_much(self) -> None:
        for name in LARGE:
            self.keep(name, 100_000)

    def sql(self, query: str) -> Any:
        return self.connection.exec_driver_sql(query).scalar()


class Store:
    """A writer on a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.engine = Database(State.open(folder, NOW)).writer
        self.make_room: Callable[[], bool] = lambda: False
        self.committed: Callable[[object], None] = lambda _: None
        self.writer = Writer(self.engine, Work, committed=self._committed, make_room=self._make_room)

    async def turn(self, run: Callable[[Work], T]) -> T:
        async with asyncio.timeout(PATIENCE):
            return await self.writer.turn(run)

    async def together(self, *turns: Callable[[Work], object]) -> list[Any]:
        """What turns that wait at the same time return or raise."""
        async with self.busy():
            waiting = [asyncio.create_task(self.turn(turn)) for turn in turns]
        return await asyncio.gather(*waiting, return_exceptions=True)

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """The writer is in a turn: what it is asked for in the meantime waits."""
        gate = threading.Barrier(2, timeout=PATIENCE)
        turn = asyncio.create_task(self.turn(lambda _: (gate.wait(), gate.wait())))
        await asyncio.to_thread(gate.wait)
        yield
        await asyncio.sleep(0)  # so that whoever asks has asked
        await asyncio.to_thread(gate.wait)
        await asyncio.gather(turn, return_exceptions=True)  # how it ends is no matter here

    def kept(self) -> list[str]:
        """What somebody else finds in the file."""
        with closing(sqlite3.connect(str(self.engine.url.database))) as connection:
            return [name for (name,) in connection.execute("select receiver from intake order by id")]

    def _make_room(self) -> bool:
        return self.make_room()

    def _committed(self, works: object) -> None:
        self.committed(works)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "state")
    yield store
    await store.writer.close()
    store.engine.dispose()


def keeps(name: str) -> Callable[[Work], int]:
    return lambda work: work.keep(name)


def disk_is_full(work: Work) -> None:
    work.sql("PRAGMA max_page_count = 1")  # it may always stay as it is


def disk_has_room(work: Work) -> None:
    work.sql("PRAGMA max_page_count = 1000000")


def deaf(work: Work) -> None:
    """Do what is to be done, whatever the store says."""
    for step in (keeps("before"), Work.keep_much, keeps("after"), keeps("at last")):
        with suppress(Exception):
            step(work)


@contextmanager
def no_sync(engine: Engine) -> Iterator[None]:
    """The disk fails at each commit; as SQLite does, the transaction is undone."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC

    def fail(connection: Any) -> None:
        connection.connection.rollback()
        raise OperationalError("COMMIT", None, error)

    event.listen(engine, "commit", fail)
    yield
    event.remove(engine, "commit", fail)


async def test_turns_that_wait_together_share_commits(store: Store) -> None:
    commits: list[Connection] = []
    event.listen(store.engine, "commit", commits.append)
    names = [str(n) for n in range(3 * MOST_TURNS)]
    assert await store.together(*map(keeps, names)) == list(range(1, len(names) + 1))
    assert store.kept() == names
    assert len(commits) == 1 + 3  # the first is of the turn that they waited for


async def test_a_turn_that_raises_leaves_no_trace_and_its_neighbours_are_kept(store: Store) -> None:
    def refuses(work: Work) -> None:
        raise Refused(f"kept as {work.keep('refused')}")

    first, refused, last = await store.together(keeps("first"), refuses, keeps("last"))
    assert (first, repr(refused), last) == (1, "Refused('kept as 2')", 2)
    assert store.kept() == ["first", "last"]


async def test_a_turn_that_exits_does_not_take_the_writer_along(store: Store) -> None:
    _, left, _ = await store.together(keeps("first"), lambda work: sys.exit(work.keep("left")), keeps("last"))
    assert repr(left) == "RuntimeError('raised SystemExit(2)')"
    await store.turn(keeps("later"))
    assert store.kept() == ["first", "last", "later"]


async def test_a_turn_that_raises_what_no_future_can_hold_is_answered(store: Store) -> None:
    def runs_out(work: Work) -> None:
        next(iter([work.keep("lost")][1:]))

    _, error, _ = await store.together(keeps("first"), runs_out, keeps("last"))
    assert repr(error) == "RuntimeError('raised StopIteration()')"
    assert store.kept() == ["first", "last"]


async def test_whoever_else_fails_those_who_asked_are_answered(store: Store) -> None:
    store.committed = Mock(side_effect=ValueError)
    await store.turn(keeps("kept"))
    store.committed = Mock()
    store.make_room = Mock(side_effect=ValueError)
    await store.turn(disk_is_full)
    with pytest.raises(StoreUnavailable):
        await store.turn(Work.keep_much)
    await store.turn(disk_has_room)
    await store.turn(keeps("later"))
    assert store.kept() == ["kept", "later"]


async def test_part_of_a_turn_can_be_undone_by_itself(store: Store) -> None:
    def fails(work: Work) -> None:
        raise ZeroDivisionError(work.keep("failed"))

    def turn(work: Work) -> None:
        work.keep("outer")
        with savepoint(work.connection) as middle:
            work.keep("middle")
            with savepoint(work.connection) as inner:
                fails(work)
            work.keep("still middle")
        with savepoint(work.connection) as whole:
            with savepoint(work.connection):
                work.keep("kept in what is not")
            fails(work)
        work.keep("after")
        assert middle.error is None
        assert (type(inner.error), type(whole.error)) == (ZeroDivisionError, ZeroDivisionError)

    await store.turn(turn)
    assert store.kept() == ["outer", "middle", "still middle", "after"]


@pytest.mark.parametrize("turn", [Work.keep_much, deaf])
async def test_a_full_disk_fails_every_turn_of_a_commit(store: Store, turn: Callable[[Work], None]) -> None:
    await store.turn(disk_is_full)
    errors = await store.together(keeps("first"), turn, keeps("last"))
    assert [type(error) for error in errors] == [StoreUnavailable] * 3
    assert (store.kept(), store.writer.failing) == ([], True)
    await store.turn(disk_has_room)
    await store.together(keeps("first"), turn, keeps("last"))
    assert [name for name in store.kept() if name in ("first", *LARGE, "last")] == ["first", *LARGE, "last"]
    assert await store.turn(lambda work: work.sql("PRAGMA integrity_check")) == "ok"
    assert not store.writer.failing


async def test_where_room_can_be_made_the_whole_commit_is_tried_again(store: Store) -> None:
    calls: list[str] = []

    def make_room() -> bool:
        calls.append("room")
        with store.engine.connect() as connection:
            disk_has_room(Work(connection))
        return True

    def first(work: Work) -> int:
        calls.append("first")
        return work.keep("first")

    store.make_room = make_room
    await store.turn(disk_is_full)
    assert await store.together(first, Work.keep_much, keeps("last")) == [1, None, 7]
    assert calls == ["first", "room", "first"]
    assert store.kept() == ["first", *LARGE, "last"]


async def test_a_turn_is_run_though_who_asked_for_it_is_gone(store: Store) -> None:
    async with store.busy():
        asked = [asyncio.create_task(store.turn(keeps(name))) for name in ("first", "second", "third")]
        await asyncio.sleep(0)
        asked[1].cancel()
    first, gone, third = await asyncio.gather(*asked, return_exceptions=True)
    assert (first, type(gone), third) == (1, asyncio.CancelledError, 3)
    assert store.kept() == ["first", "second", "third"]


async def test_closing_runs_what_waits_and_takes_no_more(store: Store) -> None:
    async with store.busy():
        waiting = asyncio.create_task(store.turn(keeps("waiting")))
        closing = asyncio.create_task(store.writer.close())
        await asyncio.sleep(0)
        assert not closing.done()
    await closing
    assert await waiting == 1
    with pytest.raises(StoreUnavailable, match="shut"):
        await store.turn(keeps("late"))
    assert store.kept() == ["waiting"]


async def test_after_a_sync_that_failed_nothing_is_trusted_any_more(store: Store) -> None:
    await store.turn(keeps("before"))
    with no_sync(store.engine), pytest.raises(StoreUnavailable, match="disk I/O error"):
        await store.turn(keeps("lost"))
    assert await asyncio.wait_for(store.writer.broken, PATIENCE) == "disk I/O error"
    with pytest.raises(StoreUnavailable, match="shut"):
        await store.turn(keeps("after"))
    assert store.kept() == ["before"]


async def test_what_already_waits_after_a_failed_sync_is_not_kept_either(store: Store) -> None:
    with no_sync(store.engine):
        many = await store.together(*[keeps(str(number)) for number in range(3 * MOST_TURNS)])
    assert {type(answer) for answer in many} == {StoreUnavailable}
    assert store.kept() == []


async def test_a_daemon_whose_disk_fails_a_sync_leaves(config: Config, tmp_path: Path) -> None:
    state, clock = State.open(tmp_path / "state", NOW), HandClock()
    database = Database(state)
    daemon = Daemon(config, Declared(), clock=clock, state=state, database=database, networks={})
    running = asyncio.create_task(daemon.run())
    await Running(daemon, clock).settled()
    with no_sync(database.writer):
        with pytest.raises(StoreUnavailable):
            await daemon.tocsin.turn(lambda _: None)
        assert await asyncio.wait_for(running, PATIENCE) == EXIT_BROKEN == 74


@pytest.mark.parametrize(
    "what", ["inbox.take", "timers.set_after"]
)  # in the daily run, and at the very start
def test_a_daemon_in_which_a_turn_hangs_says_where_and_leaves(
    what: str, write_config: Callable[..., Path]
) -> None:
    config = write_config(RUNNABLE)
    script = config.with_name("hangs.py")
    script.write_text(
        "import threading; from tocsin import cli; from tocsin.store import inbox, timers, writer\n"
        "writer.LONGEST_TURN = 0.3\n"
        f"{what} = lambda *_, **__: threading.Event().wait()\n"
        "cli.main()\n"
    )
    ran = tocsin("run", config, script=script, typed="!alerts\n")
    assert ran.returncode == EXIT_BROKEN
    assert "a turn hangs" in ran.stderr
    assert f'File "{script}", line 3 in <lambda>' in ran.stderr
