"""A backup is a whole copy of the database, or there is none; it is made every hour, and people know when it is not."""

import asyncio
import json
import os
import sqlite3
import stat
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from tocsin.config.tables import Backup
from tocsin.errors import Damaged, StateError
from tocsin.store import Database, State, backup, intake
from tocsin.store.schema import HEAD
from tocsin.testing import HandClock

from tests.conftest import RUNNABLE
from tests.engine import Engine, Start, alert, fires
from tests.killed import killed_at
from tests.posted import payload
from tests.processes import PATIENCE, Process, started, tocsin, until
from tests.tower import TWO_STEPS, Tower, asks
from tests.typed import typed

NOW = HandClock().now()
NAME = "tocsin-20261121T030000Z.db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder with a megabyte in its database, and what is kept beside that."""
    folder = tmp_path / "state"
    state = State.open(folder, NOW)
    state.key()
    database = Database(state)
    with database.writer.connect() as connection, connection.begin():
        for _ in range(20):
            intake.add(connection, route="post", receiver="prod", body=os.urandom(50_000), at=NOW)
        connection.exec_driver_sql("INSERT INTO positions VALUES ('irc', '7')")
        for number in range(2000):
            connection.exec_driver_sql("INSERT INTO links VALUES ('irc', ?, 'alice', '')", (str(number),))
    database.close()
    state.close(in_order=True)
    matrix = folder / "matrix-hs"
    matrix.mkdir(mode=0o700)
    for name in ("account.json", "store.key", "crypto.db", "pins.json", "cross-signing.json"):
        (matrix / name).write_text(f"the {name}")
    return folder


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def make(folder: Path) -> backup.Backup:
    return backup.make(folder, folder / "backups" / NAME, NOW)


def test_a_backup_holds_the_database_and_what_another_machine_can_use(folder: Path) -> None:
    made = make(folder)
    assert made.path == folder / "backups" / NAME
    assert (made.taken_at, made.revision, made.size) == (NOW, HEAD, made.path.stat().st_size)
    assert ask(made.path, "SELECT position FROM positions") == [("7",)]
    assert ask(made.path, "SELECT count(*), sum(length(body)) FROM intake") == [(20, 1_000_000)]
    assert [name for (name,) in ask(made.path, "SELECT name FROM backup_files ORDER BY name")] == [
        "key",
        "matrix-hs/cross-signing.json",
        "matrix-hs/pins.json",
    ]
    assert backup.read(made.path) == made


def test_it_is_for_nobody_else(folder: Path) -> None:
    made = make(folder)
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.path.parent.stat().st_mode) == 0o700


def test_what_stands_in_the_log_alone_is_in_it_and_the_database_is_not_written(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "tocsin.db", isolation_level=None)) as writer:
        writer.execute("UPDATE positions SET position = '8'")
        before = (folder / "tocsin.db").read_bytes()
        made = make(folder)
        assert (folder / "tocsin.db").read_bytes() == before
    assert ask(made.path, "SELECT position FROM positions") == [("8",)]


def test_one_that_is_stopped_or_fails_leaves_nothing(folder: Path) -> None:
    with pytest.raises(StateError, match="stopped"):
        backup.make(folder, folder / "backups" / NAME, NOW, stopped=lambda: True)
    assert names(folder / "backups") == []
    with (folder / "tocsin.db").open("r+b") as file:
        file.seek(100_000)
        file.write(b"\xff" * 100_000)
    with pytest.raises(Damaged, match=r"tocsin\.db: is damaged"):
        make(folder)
    assert names(folder / "backups") == []


def test_one_is_made_at_a_time(folder: Path) -> None:
    def another() -> bool:
        with pytest.raises(StateError, match="another backup is being made") as refused:
            make(folder)
        assert refused.value.transient
        return True

    with pytest.raises(StateError, match="stopped"):
        backup.make(folder, folder / "backups" / NAME, NOW, stopped=another)
    make(folder)


@pytest.mark.parametrize("point", ["backup-copied", "backup-verified"])
def test_killed_anywhere_it_leaves_no_half_one_and_the_next_clears_up(point: str, folder: Path) -> None:
    there = folder / "backups"
    killed_at(point, backup.make, folder, there / NAME, NOW)
    assert len(names(there)) == 1
    assert backup.found(there) == []
    made = backup.make(folder, backup.path_in(there, NOW + timedelta(hours=1)), NOW)
    assert names(there) == [made.path.name]


def test_it_leaves_room_on_the_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Disk:
        f_blocks, f_frsize, f_bavail = 100_000, 2**20, 256

    monkeypatch.setattr("tocsin.store.backup.os.statvfs", lambda _: Disk)
    with pytest.raises(
        StateError, match=r"takes up to 1\.\d MB and is to leave 268\.4 MB, but there are 268\.4 MB"
    ):
        make(folder)
    assert names(folder / "backups") == []
    Disk.f_bavail = 260
    make(folder)
    Disk.f_blocks, Disk.f_bavail = 1000, 53
    make(folder)


def spoiled(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(500_000)
        file.write(b"\xff" * 100_000)


def shortened(path: Path) -> None:
    os.truncate(path, 300_000)


def from_the_future(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE schema_core SET version_num = '9999'")


def another_program_s(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE shopping (what TEXT)")


def no_database(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (spoiled, "is damaged"),
        (shortened, "malformed|is damaged"),
        (no_database, "file is not a database"),
        (another_program_s, "is no database of Tocsin"),
        (from_the_future, f"newer version .core tables at revision 9999, this version knows {HEAD}"),
        (Path.unlink, "there is no such file"),
    ],
)
def test_what_is_no_good_backup_is_found_out(folder: Path, spoil: Callable[[Path], None], why: str) -> None:
    made = make(folder)
    spoil(made.path)
    with pytest.raises(StateError, match=why):
        backup.read(made.path)


def test_beside_a_daemon_it_is_made_by_hand_to_wherever_one_wants(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    config, target = write_config(RUNNABLE), tmp_path / "usb" / "mine.db"
    with started(config) as running:
        assert running.post("alertmanager/prod", payload("DiskFull", "firing")) == 202
        until(lambda: "paging alice" in running.shown())
        made = tocsin("backup", config, "--to", target)
        assert (made.returncode, made.stderr) == (0, "")
        assert made.stdout.startswith(f"{target}: 20")
        assert ", 1 alert, 0 incidents, " in made.stdout
        again = tocsin("backup", config, "--to", target)
        assert (again.returncode, again.stdout) == (1, "")
        assert again.stderr == f"{target}: is there already: name another file\n"
        assert "none yet in" in last_backup(running)
        assert tocsin("backup", config).returncode == 0
        assert ", 1 alert, 0 incidents, " in last_backup(running)
    assert backup.read(target).counts["alerts"] == 1


def last_backup(running: Process) -> str:
    status = running.status()
    assert status is not None
    return str(status["last backup"])


def test_without_a_database_there_is_nothing_to_back_up(write_config: Callable[..., Path]) -> None:
    ran = typed("backup", "--config", str(write_config(RUNNABLE)))
    assert ran.exit_code == 1
    assert "has Tocsin ever run with this configuration, as this user?" in ran.stderr


# ── The daemon's own ────────────────────────────────────────────────────────────────────────────────────────


def taken(start: Start) -> list[str]:
    found = backup.found(start.folder / "backups")
    return [f"{at:%d %H:%M}" for path in found if (at := backup.taken_at(path))]


async def status(engine: Engine) -> Mapping[str, object]:
    return await engine.run.daemon._status({})  # noqa: SLF001 (as the command line asks)


async def test_the_first_comes_a_minute_after_the_start_and_then_one_each_hour(start: Start) -> None:
    async with start() as engine:
        assert (await status(engine))["last backup"] == f"none yet in {start.folder}/backups"
        await engine.advance(minutes=1)
        assert taken(start) == ["21 03:01"]
        await engine.report(fires())
        await engine.advance(minutes=59)
        assert taken(start) == ["21 03:01"]
        await engine.advance(minutes=1)
        assert taken(start) == ["21 04:01", "21 03:01"]
        told = str((await status(engine))["last backup"])
        assert told.startswith("2026-11-21 04:01 UTC, ")
        assert ", 1 alert, 0 incidents, " in told
    async with start() as engine:
        await engine.advance(minutes=58)
        assert len(taken(start)) == 2  # a restart neither hastens nor delays it
        await engine.advance(minutes=3)
        assert taken(start)[0] == "21 05:01"


async def test_the_old_ones_go(start: Start) -> None:
    start.config = replace(start.config, backup=Backup(keep_last=3, keep_days=2))
    async with start() as engine:
        await engine.advance(hours=30)
    assert taken(start) == ["22 08:01", "22 07:01", "22 06:01", "21 23:01"]


async def test_another_folder_and_length_hold_and_none_is_made_without(start: Start, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    start.config = replace(start.config, backup=Backup(directory=elsewhere, every=timedelta(minutes=10)))
    async with start() as engine:
        await engine.advance(minutes=11)
    assert len(backup.found(elsewhere)) == 2
    start.config = replace(start.config, backup=Backup(enabled=False))
    async with start() as engine:
        await engine.advance(hours=3)
        assert (await status(engine))["last backup"] == "none: backup.enabled is false"
    assert taken(start) == []


async def test_a_reload_holds_for_the_next_one(write_config: Callable[..., Path], tmp_path: Path) -> None:
    tower = Tower(write_config, tmp_path / "state")
    async with tower() as engine:
        await engine.advance(minutes=2)
        tower.edit(TWO_STEPS, '[backup]\nevery = "5m"')
        assert await asks(engine, "alice", "!reload") == [
            "configuration reloaded by alice: backup.every changed"
        ]
        await engine.advance(minutes=5)
        assert len(backup.found(tower.folder / "backups")) == 2
        tower.edit(TWO_STEPS, "[backup]\nenabled = false")
        await asks(engine, "alice", "!reload")
        await engine.advance(minutes=15)
        assert len(backup.found(tower.folder / "backups")) == 2


async def test_a_daemon_that_stops_does_not_wait_for_one(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = Event(), Event()

    def make(*_: object, stopped: Callable[[], bool]) -> None:
        begun.set()
        until(stopped)
        ended.set()
        raise StateError("stopped")

    monkeypatch.setattr("tocsin.backups.backup.make", make)
    async with start() as engine:
        engine.run.clock.move(timedelta(minutes=1))
        assert await asyncio.to_thread(begun.wait, PATIENCE)
    assert await asyncio.to_thread(ended.wait, PATIENCE)


async def test_people_are_told_once_that_none_is_made_and_when_it_is_well_again(start: Start) -> None:
    folder = start.folder / "backups"
    async with start() as engine:
        await engine.advance(minutes=2)
        (good,) = taken(start)
        for path in backup.found(folder):
            path.rename(start.folder / path.name)
        folder.rmdir()
        folder.write_text("in its way")
        await engine.advance(hours=3)
        (told,) = engine.chat.texts("room/#ops")
        assert told.startswith("no backup is made: ")
        assert told.endswith(". It is tried again.")
        folder.unlink()
        folder.mkdir()
        (start.folder / NAME.replace("0300", "0301")).rename(folder / NAME.replace("0300", "0301"))
        assert str((await status(engine))["last backup"]).endswith(f"overdue: look at {folder}")
        await engine.advance(minutes=10)
        assert engine.chat.texts("room/#ops")[1:] == ["backups are made again"]
        assert taken(start) == ["21 06:11", good]


async def test_a_database_found_damaged_is_told_and_looked_at_by_the_next_daemon(start: Start) -> None:
    async with start() as engine:
        for number in range(100):
            await engine.report(fires(alert(f"Alert{number}"), key=str(number)))
        path = start.folder / "tocsin.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'audit'").fetchone()[0]
            size = connection.execute("PRAGMA page_size").fetchone()[0]
        with path.open("r+b") as file:
            file.seek((root - 1) * size)
            file.write(b"\xff" * size)
        await engine.advance(minutes=1)
        assert any(
            "the database is damaged: restart Tocsin" in text for text in engine.chat.texts("room/#ops")
        )
    assert json.loads((start.folder / "lock").read_text())["stopped"] is False


def test_names_say_when() -> None:
    at = datetime(2026, 11, 23, 4, 15, 7, 9, tzinfo=UTC)
    path = backup.path_in(Path("/b"), at)
    assert path == Path("/b/tocsin-20261123T041507Z.db")
    assert backup.taken_at(path) == at.replace(microsecond=0)
    for other in ("tocsin-20261123T041507Z.db.part", "tocsin-20261399T041507Z.db", "tocsin.db", "notes"):
        assert backup.taken_at(Path(other)) is None
