"""The state folder belongs to one daemon at a time, and is never begun anew or used in doubt."""

import os
import signal
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import perf_counter

import pytest
from sqlalchemy.exc import OperationalError

from tocsin.errors import StateError
from tocsin.store import Database, State, intake
from tocsin.store.schema import HEAD
from tocsin.testing import HandClock

from tests.conftest import MINIMAL, RUNNABLE
from tests.processes import PATIENCE, command, started, tocsin, until

NOW = HandClock().now()


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def unclean(folder: Path) -> bool:
    """Whether the last daemon did not stop in order; that is left as it was."""
    state = State.open(folder, NOW)
    state.close(in_order=not state.unclean)
    return state.unclean


@pytest.fixture
def config(write_config: Callable[..., Path]) -> Path:
    return write_config(RUNNABLE)


@pytest.fixture
def folder(config: Path) -> Path:
    """A state folder whose daemon stopped in order, with some megabytes in its database."""
    folder = config.with_name("state")
    state = State.open(folder, NOW)
    database = Database(state)
    with database.writer.connect() as connection, connection.begin():
        for _ in range(20):
            intake.add(connection, route="post", receiver="prod", body=os.urandom(50_000), at=NOW)
    database.close()
    state.close(in_order=True)
    return folder


@pytest.mark.alone
def test_one_daemon_at_a_time_and_a_killed_one_leaves_no_lock_behind(config: Path) -> None:
    begun = perf_counter()
    assert tocsin("check-config", config).returncode == 0
    usual = perf_counter() - begun
    with started(config) as first:
        begun = perf_counter()
        second = tocsin("run", config)
        assert perf_counter() - begun < usual + 2
        assert second.returncode == 75
        assert f"another Tocsin uses it (pid {first.popen.pid})" in second.stderr.splitlines()[-1]
        assert first.ready()
        assert first.ends(signal.SIGKILL) == -signal.SIGKILL
    assert unclean(first.folder)
    with started(config) as third:
        assert third.ends(signal.SIGTERM) == 0
    assert not unclean(first.folder)


def test_what_a_daemon_keeps_is_for_nobody_else(config: Path) -> None:
    with started(config) as running:
        files = modes(running.folder)
        assert {"control.sock", "lock", "tocsin.db", "tocsin.db-wal"} <= set(files)
        assert set(files.values()) == {0o600}
        assert stat.S_IMODE(running.folder.stat().st_mode) == 0o700
        assert running.ends(signal.SIGTERM) == 0
    assert set(modes(running.folder)) == {"ballast", "lock", "tocsin.db"}
    assert set(modes(running.folder).values()) == {0o600}


def open_to_others(folder: Path) -> None:
    folder.chmod(0o755)


def from_the_future(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "tocsin.db", isolation_level=None)) as connection:
        connection.execute("UPDATE schema_core SET version_num = '9999'")


def gone(folder: Path) -> None:
    (folder / "tocsin.db").unlink()


def emptied(folder: Path) -> None:
    (folder / "tocsin.db").write_bytes(b"")


def no_database(folder: Path) -> None:
    (folder / "tocsin.db").write_text("Dear diary, " * 1000)


def damaged(folder: Path, at: int = 500_000, size: int = 100_000) -> None:
    """Overwrite a part of the database, as a disk may when the power fails."""
    State.open(folder, NOW).close(in_order=False)
    with (folder / "tocsin.db").open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * size)


def damaged_at_its_beginning(folder: Path) -> None:
    damaged(folder, at=100, size=4000)


NO_BACKUP = [
    "there is no good backup in {folder}/backups",
    "bring back the last backup from elsewhere with tocsin restore FILE",
    "remove {folder}/lock",
]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (open_to_others, ["{folder}: others may look into it: chmod 700 {folder}"]),
        (
            from_the_future,
            ["newer version", "core tables at revision 9999", f"this version knows {HEAD}", "upgrade"],
        ),
        (gone, ["tocsin.db: is gone", "tocsin restore --newest", "remove {folder}/lock"]),
        (emptied, ["tocsin.db: is damaged: it is empty", *NO_BACKUP]),
        (no_database, ["tocsin.db: is damaged: file is not a database", *NO_BACKUP]),
        (damaged, ["tocsin.db: is damaged: ", *NO_BACKUP]),
        (damaged_at_its_beginning, ["tocsin.db: is damaged: database disk image is malformed", *NO_BACKUP]),
    ],
)
def test_a_state_that_cannot_be_used_is_told_in_a_sentence(
    config: Path, folder: Path, spoil: Callable[[Path], None], words: list[str]
) -> None:
    spoil(folder)
    ran = tocsin("run", config)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    for part in words:
        assert part.format(folder=folder) in ran.stderr


@pytest.mark.parametrize("torn", [b"", bytes(512), b'{"pid": 1, "stop'])
def test_a_lock_that_was_torn_counts_as_an_unclean_stop(folder: Path, torn: bytes) -> None:
    (folder / "lock").write_bytes(torn)
    assert unclean(folder)
    gone(folder)
    with pytest.raises(StateError, match="is gone, though it was there"):
        State.open(folder, NOW)


def test_a_path_too_long_for_a_socket_is_no_reason_not_to_run(write_config: Callable[..., Path]) -> None:
    config = write_config(f'{MINIMAL}[store]\ndirectory = "{"long" * 30}"\n')
    log = config.parent / "log"
    with log.open("wb") as file:
        running = subprocess.Popen(
            command("run", config), stdin=subprocess.DEVNULL, stdout=file, stderr=file, env={}
        )
    try:
        until(lambda: "takes messages" in log.read_text())
        assert "can't be made, so the command line can't ask" in log.read_text()
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE) == 0
    finally:
        running.kill()
        running.wait(PATIENCE)


def test_a_folder_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateError, match="state: can't be used: File exists"):
        State.open(tmp_path / "state", NOW)


@pytest.mark.parametrize(
    ("mounts", "sort"),
    [
        ({"/": "ext4"}, None),
        ({"/": "ext4", "{folder}": "nfs4"}, "nfs4"),
        ({"/": "nfs", "{parent}": "cifs"}, "cifs"),
        ({"{parent}": "xfs", "/": "nfs"}, None),
        ({"/": "ext4", "{parent}/sta": "nfs"}, None),
        ({"/": "ext4", "{parent}": "nfs", "{folder}": "tmpfs"}, None),
        ({"{folder}": "ext4", "{folder} ": "nfs"}, None),
    ],
)
def test_a_folder_over_the_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounts: dict[str, str], sort: str | None
) -> None:
    """What /proc/self/mountinfo says is made up, in the form that proc(5) gives."""
    parent = tmp_path / "of the team"
    lines = []
    for place, kind in mounts.items():
        mount = place.format(parent=parent, folder=parent / "state").replace(" ", "\\040")
        lines.append(f"36 35 98:0 / {mount} rw,noatime master:1 - {kind} server:/export rw,errors=continue\n")
    monkeypatch.setattr(Path, "read_text", lambda _: "".join(lines))
    if sort:
        with pytest.raises(StateError, match=rf"network file system \({sort}\).*use a local disk"):
            State.open(parent / "state", NOW)
    else:
        State.open(parent / "state", NOW).close(in_order=True)


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("trusted_schema", 0)],
)
def test_the_writer_is_set_to_lose_nothing(database: Database, pragma: str, value: object) -> None:
    with database.writer.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


async def test_the_reader_reads_what_is_kept_and_cannot_write(database: Database) -> None:
    with database.writer.connect() as connection, connection.begin():
        connection.exec_driver_sql("INSERT INTO positions VALUES ('irc', '7')")
    reader = database.reader()
    async with reader.connect() as beside:
        assert (await beside.exec_driver_sql("SELECT position FROM positions")).scalar() == "7"
        with pytest.raises(OperationalError, match="readonly"):
            await beside.exec_driver_sql("DELETE FROM positions")
    await reader.dispose()
