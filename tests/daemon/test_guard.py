"""When nothing can be kept, people are told past the store."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
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


@dataclass
class Disk:
    """What statvfs says, in blocks of 1 MiB."""

    f_bavail: int
    f_blocks: int = 100_000
    f_frsize: int = 2**20


async def test_people_are_warned_once_before_the_disk_is_full(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(2048)
    async with start() as engine:
        monkeypatch.setattr("tocsin.store.state.os.statvfs", lambda _: disk)
        await engine.advance(seconds=2)
        assert engine.chat.texts() == []
        for left in (2047, 1500):
            disk.f_bavail = left
            await engine.advance(seconds=1)
        told = "the disk has {} MiB left: once it is full, new alerts are refused. Make room!"
        assert engine.chat.texts("room/#ops") == [told.format(2047)]
        for left in (2559, 900, 2560, 2048):
            disk.f_bavail = left
            await engine.advance(seconds=1)
        assert len(engine.chat.texts("room/#ops")) == 1
        disk.f_bavail = 2000
        await engine.advance(seconds=1)
        assert engine.chat.texts("room/#ops")[1:] == [told.format(2000)]
        disk.f_bavail, disk.f_blocks = 500, 10_000
        await engine.advance(seconds=1)
        disk.f_bavail = 625
        await engine.advance(seconds=1)
        disk.f_bavail = 499
        await engine.advance(seconds=1)
        assert engine.chat.texts("room/#ops")[2:] == [told.format(499)]
