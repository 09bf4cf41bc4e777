"""The one writer: a thread that owns the one writing connection and runs turns, many to a commit."""

import asyncio
import contextlib
import faulthandler
import logging
import os
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, Self, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from tocsin.errors import StoreUnavailable
from tocsin.failpoints import reach

log = logging.getLogger(__name__)

MOST_TURNS = 64
"""How many turns one commit may hold."""

LONGEST_TURN = 10.0
"""After so many seconds a turn is taken for hung, and the process leaves: nothing else could be kept."""

EXIT_BROKEN = 74
"""The exit code after the disk failed a sync, or a turn hung (EX_IOERR)."""

_LOST = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
}
# After a failed sync the kernel may have dropped what it could not write, and says so only once.
_NEVER_AGAIN = {
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_DIR_FSYNC,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
}

_OF_THE_STORE = (StoreUnavailable, DBAPIError, sqlite3.Error)


class Work(Protocol):
    """What a turn is given; made anew for each try of each turn."""

    def undone(self) -> None:
        """All that was done in this turn was rolled back."""


W = TypeVar("W", bound=Work)
T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """What became of the turns that were to be kept in one commit.

    wrote: whether any of them changed anything. took: how long keeping it took, in seconds, without the turns themselves.
    """

    kept: bool
    wrote: bool
    took: float


@dataclass
class _Turn(Generic[W]):
    run: Callable[[W], Any]
    answer: "asyncio.Future[Any]"
    work: W | None = None
    result: Any = None
    error: BaseException | None = field(default=None)


class Writer(Generic[W]):
    """Runs turns. A turn is a plain function; it is committed whole, or leaves no trace.

    A turn may be run a second time if the first could not be committed, so it touches nothing but what it is
    given.
    """

    def __init__(
        self,
        engine: Engine,
        begin: Callable[[Connection], W],
        *,
        committed: Callable[[Sequence[W]], None],
        make_room: Callable[[], bool] = lambda: False,
    ) -> None:
        """Start the thread.

        begin: makes what a turn is given. committed: called in the event loop with what was committed, before
        those who asked are answered. make_room: called when the disk is full; True if there is room now.
        """
        self._engine = engine
        self._begin = begin
        self._committed = committed
        self._make_room = make_room
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Turn[W] | None] = queue.SimpleQueue()
        self._closed = False
        self._shut = False
        self._asked = 0
        self._turn_began: float | None = None
        self.broken: asyncio.Future[str] = self._loop.create_future()
        """Done, with the reason, once nothing can be kept any more: the process should leave."""
        self.failing = False
        """Whether the last commit failed."""
        self.on_batch: Callable[[Batch], None] = lambda _: None
        """Called in the event loop after each, once all who asked are answered."""
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many turns were asked for and are not answered yet."""
        return self._asked

    async def turn(self, run: Callable[[W], T]) -> T:
        """Run a turn, and return what it returned once that is committed.

        Raises what the turn raised, or StoreUnavailable; in both cases nothing of it was kept. Cancelled, the
        turn runs nonetheless.
        """
        if self._closed or self.broken.done():
            raise StoreUnavailable("the store is shut")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._asked += 1
        self._queue.put(_Turn(run, answer))
        return await answer

    async def close(self) -> None:
        """Run the turns that wait, then stop."""
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def look(self) -> None:
        """Leave the process if a turn hangs; called now and then from the event loop."""
        began = self._turn_began
        if began is not None and time.perf_counter() - began > LONGEST_TURN:
            log.critical(
                "a turn hangs for more than %.0f s: leaving, so that the daemon is started anew", LONGEST_TURN
            )
            faulthandler.dump_traceback(sys.stderr, all_threads=True)
            os._exit(EXIT_BROKEN)

    # In the writer's thread from here on.

    def _run(self) -> None:
        with self._engine.connect() as connection:
            while (first := self._queue.get()) is not None:
                batch, last = self._gather(first)
                self._commit(connection, batch)
                if last:
                    return

    def _gather(self, first: _Turn[W]) -> tuple[list[_Turn[W]], bool]:
        batch = [first]
        while len(batch) < MOST_TURNS:
            try:
                turn = self._queue.get_nowait()
            except queue.Empty:
                break
            if turn is None:
                return batch, True
            batch.append(turn)
        return batch, False

    def _commit(self, connection: Connection, batch: list[_Turn[W]]) -> None:
        batched = Batch(kept=False, wrote=True, took=0)
        for may_try_again in (True, False):
            try:
                batched = self._try(connection, batch)
                break
            except Exception as error:  # whatever it is, this thread must go on, and nobody be left waiting
                if not isinstance(error, _OF_THE_STORE):
                    log.exception("the writer stumbled")
                codes = _codes(error)
                for turn in batch:
                    turn.error = StoreUnavailable(f"the store is not available: {_reason(error)}")
                    if turn.work is not None:
                        turn.work.undone()
                _end_transaction(connection)
                if codes & _NEVER_AGAIN:
                    self._shut = True
                    self._tell(self._break, _reason(error))
                elif may_try_again and sqlite3.SQLITE_FULL in codes and self._made_room():
                    log.warning("the disk is full: the room that was kept back is used now")
                    continue
                log.error("nothing of %d turns was kept: %s", len(batch), _reason(error))  # noqa: TRY400 (no traceback helps)
                break
        self._tell(partial(self._answer, batch, batched))

    def _made_room(self) -> bool:
        try:
            return self._make_room()
        except Exception:
            log.exception("no room could be made")
            return False

    def _try(self, connection: Connection, batch: list[_Turn[W]]) -> Batch:
        if self._shut:
            raise StoreUnavailable("the store is shut")
        with connection.begin():
            before = _changes(connection)
            for turn in batch:
                self._turn_began = time.perf_counter()
                try:
                    self._take(connection, turn)
                finally:
                    self._turn_began = None
            if not in_transaction(connection):
                raise StoreUnavailable("the transaction is gone")
            writes = _changes(connection) != before
            if writes:
                reach("before-commit")
            began = time.perf_counter()
        took = time.perf_counter() - began
        if writes:
            reach("after-commit")
        return Batch(kept=True, wrote=writes, took=took)

    def _take(self, connection: Connection, turn: _Turn[W]) -> None:
        turn.work = work = self._begin(connection)
        turn.error = None
        with savepoint(connection) as kept:
            turn.result = turn.run(work)
        if kept.error is not None:
            turn.error = kept.error
            work.undone()

    def _tell(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is gone, and with it all who could be told
            log.warning("the event loop ended before the writer did")

    # In the event loop again.

    def _break(self, reason: str) -> None:
        if not self.broken.done():
            self.broken.set_result(reason)

    def _answer(self, batch: list[_Turn[W]], batched: Batch) -> None:
        self.failing = not batched.kept
        self._asked -= len(batch)
        try:
            self._committed([turn.work for turn in batch if turn.error is None and turn.work is not None])
        except Exception:
            log.exception("what was kept could not be passed on")
        for turn in batch:
            if turn.answer.done():  # who asked was cancelled
                continue
            if turn.error is None:
                turn.answer.set_result(turn.result)
            else:
                turn.answer.set_exception(turn.error)
        self.on_batch(batched)


class savepoint:  # noqa: N801 (read as a word of the language: with savepoint(connection))
    """A part of a transaction that is kept whole or undone; what it raised is in `error`.

    Raises StoreUnavailable if the whole transaction is lost: then nothing inside it may go on.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        self._say("SAVEPOINT part")
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        if error is None:
            self._say("RELEASE part")
            return False
        lost = isinstance(error, StoreUnavailable) or not in_transaction(self._connection)
        if lost or {code & 0xFF for code in _codes(error)} & _LOST:
            if isinstance(error, _OF_THE_STORE):
                return False
            raise StoreUnavailable("the transaction is gone") from error
        self._say("ROLLBACK TO part")
        self._say("RELEASE part")
        # A handler that calls sys.exit() must not end the writer.
        # Nor can a future hold a StopIteration.
        if isinstance(error, Exception) and not isinstance(error, StopIteration):
            self.error = error
        else:
            self.error = RuntimeError(f"raised {error!r}")
        return True

    def _say(self, statement: str) -> None:
        """To the driver itself: every turn and every reaction says two of these."""
        if not in_transaction(self._connection):  # else a savepoint would begin one
            raise StoreUnavailable("the transaction is gone")
        cast("sqlite3.Connection", self._connection.connection.dbapi_connection).execute(statement)


def in_transaction(connection: Connection) -> bool:
    """Whether the database itself still has the transaction open that we began."""
    raw = connection.connection.dbapi_connection
    return raw is not None and raw.in_transaction


def _end_transaction(connection: Connection) -> None:
    """A commit that failed may have left it open."""
    raw = connection.connection.dbapi_connection
    if raw is not None and raw.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            raw.rollback()


def _changes(connection: Connection) -> int:
    """How many rows were ever changed over this connection."""
    return getattr(connection.connection.dbapi_connection, "total_changes", 0)


def _codes(error: BaseException) -> set[int]:
    """SQLite's code of what went wrong, plain and extended, however deep it is wrapped."""
    cause: BaseException | None = error
    while cause is not None:
        code = getattr(getattr(cause, "orig", cause), "sqlite_errorcode", None)
        if code is not None:
            return {code, code & 0xFF}
        cause = cause.__cause__
    return set()


def _reason(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error)
