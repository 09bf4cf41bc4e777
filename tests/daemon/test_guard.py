"""When nothing can be kept, people are told past the store."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from tests.engine import Engine, Start


@contextmanager
def every_commit_fails(engine: Engine) -> Iterator[None]:
    """As on a disk that is full even of what was kept back; turns that change nothing fail as well."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL

    def fail(_: Any) -> None:
        raise OperationalError("COMMIT", None, error)

    database = engine.run.tocsin.writer._engine  # noqa: SLF001 (there is no other way to break a disk at will)
    event.listen(database, "commit", fail)
    try:
        yield
    finally:
        event.remove(database, "commit", fail)


async def test_people_are_told_within_seconds_that_nothing_can_be_kept(start: Start) -> None:
    async with start() as engine:
        with every_commit_fails(engine):
            for _ in range(12):
                await engine.advance(seconds=1)
            (told,) = engine.chat.texts("room/#ops")
            assert told.startswith(
                "Tocsin can't keep anything for 10 s now (the store is not available: database or disk is full)"
            )
            for _ in range(5):
                await engine.advance(seconds=1)
            assert len(engine.chat.texts()) == 1
        await engine.advance(seconds=1)
        assert "what is said and posted can be kept again" in engine.chat.texts("room/#ops")
