"""A backup takes the place of the database, whole or not at all; people know what that means for them."""

import json
import os
import shutil
import signal
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from tocsin.config.tables import Backup
from tocsin.errors import Damaged, StateError
from tocsin.store import Database, State, backup, restore
from tocsin.store.schema import HEAD
from tocsin.testing import HandClock

from tests.conftest import RUNNABLE
from tests.engine import Start, fires
from tests.killed import killed_at
from tests.posted import payload
from tests.processes import PATIENCE, started, tocsin, until
from tests.typed import typed

NOW = HandClock().now()
LATER = NOW + timedelta(hours=1)
NAME = "tocsin-20261121T030000Z.db"
ASIDE = "tocsin.db.replaced-20261121T040000Z"


def write(path: Path, position: str) -> None:
    """Something by which a database is known again."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT OR REPLACE INTO positions VALUES ('irc', ?)", [position])


def read(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return str(connection.execute("SELECT position FROM positions").fetchone()[0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder of a daemon that was killed: what is new stands in the log alone. Beside it a backup of before."""
    made = tmp_path / "made"
    state = State.open(made, NOW)
    state.key()
    Database(state).close()
    write(made / "tocsin.db", "before")
    backup.make(made, made / "backups" / NAME, NOW)
    folder = tmp_path / "state"
    with closing(sqlite3.connect(made / "tocsin.db", isolation_level=None)) as beside:
        beside.execute("UPDATE positions SET position = 'now'")
        shutil.copytree(made, folder)
    state.close(in_order=False)
    assert (folder / "tocsin.db-wal").stat().st_size
    return folder


def bring_back(folder: Path) -> restore.Outcome:
    state = State.hold(folder)
    try:
        return restore.restore(state, folder / "backups" / NAME, LATER)
    finally:
        state.release()


def opens(folder: Path) -> str:
    """What the next daemon finds."""
    state = State.open(folder, LATER)
    database = Database(state)
    with database.writer.connect() as connection:
        found = connection.exec_driver_sql("SELECT position FROM positions").scalar()
    database.close()
    state.close(in_order=True)
    return str(found)


def run(path: Path, *words: str | Path) -> Result:
    return typed("restore", "--config", path, *words)


@pytest.fixture
def path(write_config: Callable[..., Path]) -> Path:
    return write_config(RUNNABLE)


def test_the_backup_is_there_and_the_former_one_beside_it(path: Path, folder: Path) -> None:
    ran = run(path, "--newest")
    assert ran.exit_code == 0, ran.output
    restored, aside, then = ran.stdout.splitlines()
    assert restored.startswith(
        f"{folder}/tocsin.db is the backup {folder}/backups/{NAME} now: 2026-11-21 03:00:00 UTC, "
    )
    assert aside.startswith(f"what it was before is {folder}/tocsin.db.replaced-20")
    assert then.startswith("start Tocsin next")
    assert opens(folder) == "before"
    (former,) = (path for path in folder.glob("tocsin.db.replaced-*Z"))
    assert read(former) == "now"
    # And back again: what was set aside is as good.
    ran = run(path, former)
    assert ran.exit_code == 0, ran.output
    assert opens(folder) == "now"


@pytest.mark.parametrize(
    ("point", "found"),
    [
        ("backup-copied", "now"),
        ("restore-ready", "now"),
        ("restore-meant", "before"),
        ("restore-aside", "before"),
        ("restore-aside:2", "before"),
        ("restore-aside:3", "before"),
        ("restore-all-aside", "before"),
        ("restore-in-place", "before"),
    ],
)
def test_killed_anywhere_one_of_the_two_is_there_whole(folder: Path, point: str, found: str) -> None:
    if point == "backup-copied":
        killed_at(point, backup.make, folder, folder / "backups" / "other.db", LATER)
    else:
        killed_at(point, bring_back, folder)
    (folder / "tocsin.db.restoring-journal").touch()  # as of one that was killed while it was copied
    assert opens(folder) == found
    assert not (folder / "tocsin.db.restoring").exists()
    if found == "before":
        assert read(folder / ASIDE) == "now"


def test_killed_twice_it_is_finished_all_the_same(folder: Path) -> None:
    killed_at("restore-aside", bring_back, folder)
    killed_at("restore-all-aside", opens, folder)
    assert opens(folder) == "before"
    assert read(folder / ASIDE) == "now"


def test_it_is_refused_while_a_daemon_runs_and_nothing_is_touched(path: Path) -> None:
    with started(path) as running:
        made = tocsin("backup", path)
        before = sorted(path.name for path in running.folder.iterdir())
        ran = tocsin("restore", path, "--newest")
        assert (made.returncode, ran.returncode, ran.stdout) == (0, 1, "")
        assert f"another Tocsin uses it (pid {running.popen.pid}): stop that one first" in ran.stderr
        assert sorted(path.name for path in running.folder.iterdir()) == before
        assert running.ready()


def test_what_is_no_good_backup_is_refused_and_all_is_as_it_was(path: Path, folder: Path) -> None:
    with (folder / "backups" / NAME).open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 50_000)
    lock = (folder / "lock").read_bytes()
    before = sorted(path.name for path in folder.iterdir())
    ran = run(path, "--newest")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert f"{NAME}: " in ran.stderr
    assert sorted(path.name for path in folder.iterdir()) == before
    assert (folder / "lock").read_bytes() == lock
    assert opens(folder) == "now"


def test_of_a_newer_version_it_is_refused_of_an_older_one_it_is_brought_up_to_date(folder: Path) -> None:
    path = folder / "backups" / NAME
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE schema_core SET version_num = '9999'")
    with pytest.raises(StateError, match="was written by a newer version"):
        bring_back(folder)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP INDEX ix_events_pages")
        connection.execute("DROP TABLE pruned")
        connection.execute("DROP TABLE pruning")
        connection.execute("UPDATE schema_core SET version_num = '0006'")
    bring_back(folder)
    assert opens(folder) == "before"
    with closing(sqlite3.connect(folder / "tocsin.db")) as connection:
        assert connection.execute("SELECT version_num FROM schema_core").fetchone() == (HEAD,)


def test_on_another_machine_it_brings_what_can_be_used_there(
    path: Path, folder: Path, tmp_path: Path
) -> None:
    matrix = folder / "matrix-hs"
    matrix.mkdir(mode=0o700)
    for name in ("account.json", "pins.json", "cross-signing.json"):
        (matrix / name).write_text(f"the {name}")
    made = backup.make(folder, tmp_path / "usb.db", NOW)
    key = (folder / "key").read_bytes()
    shutil.rmtree(folder)
    ran = run(path, made.path)
    assert ran.exit_code == 0, ran.output
    assert "what it was before" not in ran.output
    assert f"{folder}/key: was gone, and is from the backup as well" in ran.stdout
    assert (folder / "key").read_bytes() == key
    assert sorted(path.name for path in matrix.iterdir()) == ["cross-signing.json", "pins.json"]
    assert (matrix / "pins.json").read_text() == "the pins.json"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (matrix, folder)} == {0o700}
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert opens(folder) == "now"


def test_what_is_there_is_not_replaced_nor_what_a_backup_has_no_business_with(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "backups" / NAME, isolation_level=None)) as connection:
        for name in (
            "../evil",
            "matrix-x/../../pins.json",
            "matrix-x/a/pins.json",
            "config.toml",
            "matrix-x/account.json",
        ):
            connection.execute("INSERT INTO backup_files VALUES (?, 'evil')", [name])
        connection.execute("UPDATE backup_files SET body = 'other' WHERE name = 'key'")
    key = (folder / "key").read_bytes()
    assert bring_back(folder).beside == []
    assert (folder / "key").read_bytes() == key
    assert "evil" not in "".join(path.name for path in folder.parent.iterdir())
    assert not list(folder.glob("matrix-*"))
    with closing(sqlite3.connect(folder / "tocsin.db")) as connection:
        query = "SELECT name FROM sqlite_master WHERE name LIKE 'backup%'"
        assert connection.execute(query).fetchall() == []


@pytest.mark.parametrize("words", [(), ("--newest", "x.db")])
def test_which_one_has_to_be_said(path: Path, words: tuple[str, ...]) -> None:
    ran = run(path, *words)
    assert ran.exit_code == 2
    assert "say which one: a FILE, or --newest" in ran.stderr


def test_there_has_to_be_one(path: Path, tmp_path: Path) -> None:
    assert f"{tmp_path}/state/backups: there is no backup" in run(path, "--newest").stderr
    assert "there is no such file" in run(path, tmp_path / "none.db").stderr


# ── A database that is damaged at the start ─────────────────────────────────────────────────────────────────


def spoil(path: Path) -> None:
    """Nothing of it can be read any more."""
    with path.open("r+b") as file:
        file.write(b"\xff" * 4096)


def truncate(path: Path) -> None:
    os.truncate(path, 0)


def test_the_newest_good_one_takes_its_place_and_the_log_says_so(path: Path) -> None:
    """By real processes, one of which is killed; after that no daemon has to be asked."""
    with started(path) as running:
        made = tocsin("backup", path).stdout.partition(": ")[0]
        state = running.folder
    shutil.copy(made, state / "backups" / "tocsin-20990101T000000Z.db")
    spoil(state / "backups" / "tocsin-20990101T000000Z.db")
    spoil(state / "tocsin.db")
    for log in state.glob("tocsin.db-*"):
        log.unlink()
    with started(path) as running:
        until(lambda: "Look at the disk, and at the log." in running.shown())
        shown = running.shown()
    assert f"CRITICAL tocsin.store.restore: {state}/tocsin.db: is damaged: file is not a database" in shown
    assert f"ERROR tocsin.store.restore: {state}/backups/tocsin-20990101T000000Z.db: can't be used" in shown
    assert f"CRITICAL tocsin.store.restore: {made} is in its place: the backup of " in shown
    assert "The database was damaged: Tocsin goes on with the backup of " in shown
    (aside,) = state.glob("tocsin.db.damaged-*Z")
    assert f"The damaged one is {aside.name}." in shown
    assert aside.read_bytes()[:4096] == b"\xff" * 4096


def test_damage_that_is_found_while_it_runs_comes_to_the_same_at_the_next_start(path: Path) -> None:
    """After a stop in order nothing is looked at but what is needed."""
    with started(path) as running:
        assert tocsin("backup", path).returncode == 0
        assert running.ends(signal.SIGTERM) == 0
    database = running.folder / "tocsin.db"
    with closing(sqlite3.connect(database)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'audit'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with started(path) as running:
        running.says("!alerts")  # which is written down where the damage is
        assert running.popen.wait(PATIENCE) == 74
    with started(path) as running:
        until(lambda: "The database was damaged" in running.shown())
        assert running.post("alertmanager/prod", payload("DiskFull", "firing")) == 202


@pytest.mark.parametrize("damage", [spoil, truncate])
async def test_people_are_told_first_and_what_was_answered_since_rings_again(
    start: Start, damage: Callable[[Path], None]
) -> None:
    async with start() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=1)
        await engine.says("alice", f"!ack {subject}", room="#ops")
        lost = [await engine.report(fires(key=key)) for key in ("lost", "lost too")]
        await engine.advance(minutes=30)
    damage(start.folder / "tocsin.db")
    start.chat.said.clear()
    async with start() as engine:
        await engine.advance(seconds=5)
        told = engine.chat.texts("room/#ops")
        first = (
            "The database was damaged: Tocsin goes on with the backup of 21 Nov 03:01 UTC, 30m old · !alerts"
        )
        assert told[0].splitlines()[0] == first
        assert len([text for text in told if "was damaged" in text]) == 1
        rows = await engine.sql("select id, place from outbox order by id")
        queued = [place for number, place in rows if number > restore.SKIP]
        assert queued[0] == "console/room/#ops"  # before the page that it explains
        assert await engine.state(subject) == "triggered"
        assert len(engine.chat.texts("person/bob")) == 1  # one step, however many would have come
        # Heard once more, as from a stream that goes back, and again: it does no harm.
        for _ in range(2):
            await engine.chat.hears("alice", f"!ack {subject}", room="#ops", line_id="heard-before")
            await engine.run.settled()
        assert await engine.state(subject) == "acknowledged"
        acked = [text for text in engine.chat.texts("room/#ops") if "acknowledged by alice" in text]
        assert len(acked) == 1
        again = await engine.report(fires(key="lost"))
        assert again not in (subject, *lost)  # ids that people have before their eyes mean nothing else
    start.chat.said.clear()
    async with start() as engine:
        assert not [text for text in engine.chat.texts() if "damaged" in text]


async def test_a_crash_before_it_was_told_loses_nothing_of_it(start: Start) -> None:
    async with start() as engine:
        await engine.advance(minutes=1)
    spoil(start.folder / "tocsin.db")
    state = State.open(start.folder, LATER)
    restore.opened(state, start.folder / "backups", LATER).close()
    state.close(in_order=False)
    async with start() as engine:
        assert [text[:24] for text in engine.chat.texts("room/#ops")] == ["The database was damaged"]


async def test_what_was_answered_since_holds_again_where_a_network_tells_it_again(start: Start) -> None:
    """As Matrix does, whose stream goes on from where it stood at the backup; what expires is refused as ever."""
    async with start() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=1)
        said_at = start.clock.now()
        await engine.chat.hears("alice", f"!ack {subject}", room="#ops", at=said_at, line_id="acks")
        await engine.advance(minutes=20)
    spoil(start.folder / "tocsin.db")
    async with start() as engine:
        assert await engine.state(subject) == "triggered"
        await engine.chat.hears("alice", f"!ack {subject}", room="#ops", at=said_at, line_id="acks")
        await engine.run.settled()
        assert await engine.state(subject) == "acknowledged"
        paged = len(engine.chat.texts("person/bob"))
        await engine.advance(minutes=30)
        assert len(engine.chat.texts("person/bob")) == paged


def test_after_three_within_an_hour_the_disk_is_given_no_more(folder: Path) -> None:
    backups = folder / "backups"
    for minutes in range(3):
        spoil(folder / "tocsin.db")
        (folder / "tocsin.db-wal").unlink(missing_ok=True)
        state = State.open(folder, LATER)
        restore.opened(state, backups, LATER + timedelta(minutes=minutes)).close()
        state.close(in_order=False)
    assert len(list(folder.glob("tocsin.db.damaged-*Z"))) == 3
    spoil(folder / "tocsin.db")
    state = State.open(folder, LATER)
    with pytest.raises(Damaged, match=r"3 were damaged within an hour.*look at the disk.*restore --newest"):
        restore.opened(state, backups, LATER + timedelta(minutes=5))
    restore.opened(state, backups, LATER + timedelta(minutes=61)).close()
    state.close(in_order=True)
    assert opens(folder) == "before"


def test_where_there_is_no_room_for_it_nothing_is_touched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Disk:
        f_blocks, f_frsize, f_bavail = 100_000, 2**20, 256

    spoil(folder / "tocsin.db")
    (folder / "tocsin.db-wal").unlink()
    state = State.open(folder, LATER)
    monkeypatch.setattr("tocsin.store.backup.os.statvfs", lambda _: Disk)
    with pytest.raises(Damaged, match=r"no good backup in .*: a copy takes up to .* make room"):
        restore.opened(state, folder / "backups", LATER)
    state.close(in_order=False)
    assert (folder / "tocsin.db").read_bytes()[:4096] == b"\xff" * 4096
    assert not (folder / "tocsin.db.restoring").exists()


async def test_only_damage_counts(start: Start) -> None:
    async with start() as engine:
        await engine.advance(minutes=1)
    with closing(sqlite3.connect(start.folder / "tocsin.db", isolation_level=None)) as connection:
        connection.execute("UPDATE schema_core SET version_num = '9999'")
    with pytest.raises(StateError, match="newer version"):
        async with start():
            pass
    assert not list(start.folder.glob("*.damaged-*"))


async def test_backups_of_another_folder_are_taken_too(start: Start, tmp_path: Path) -> None:
    start.config = replace(start.config, backup=Backup(directory=tmp_path / "elsewhere"))
    async with start() as engine:
        await engine.advance(minutes=1)
    spoil(start.folder / "tocsin.db")
    async with start() as engine:
        assert "was damaged" in engine.chat.texts("room/#ops")[0]
    assert json.loads((start.folder / "lock").read_text())["stopped"] is True
