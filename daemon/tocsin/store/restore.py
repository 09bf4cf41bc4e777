"""A backup takes the place of the database: because somebody says so, or because the database is damaged at the start."""

import json
import logging
import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from tocsin.domain.event import short_id
from tocsin.errors import Damaged, StateError
from tocsin.failpoints import reach
from tocsin.store import backup
from tocsin.store.backup import Backup
from tocsin.store.database import Database
from tocsin.store.state import DATABASE, RESTORING, State

log = logging.getLogger(__name__)

RESTORED = "core.restored"
"""The kind of the timer that stands in a restored database until people have been told; its key is a `Restored`."""

SKIP = 10_000
"""So many ids are given to nobody after a restore: others bore them since the backup, and people still have those before
their eyes, and networks their lines.
"""

MOST_DAMAGED = 3
DAMAGED_WITHIN = timedelta(hours=1)
"""A disk that damages so many databases in that time is not given another one."""

_DAMAGED = f"{DATABASE}.damaged-"
_REPLACED = f"{DATABASE}.replaced-"


@dataclass(frozen=True)
class Restored:
    """What became of the database, in times of ISO 8601.

    at: when it was replaced. taken_at: of when the backup is. source: its file. aside: the file that the former database is
    now, if there was one. damaged: why it was replaced; empty if somebody wanted it.
    """

    at: str
    taken_at: str
    source: str
    aside: str
    damaged: str

    @classmethod
    def read(cls, key: str) -> "Restored":
        """What a timer's key says."""
        return cls(**json.loads(key))


@dataclass(frozen=True)
class Outcome:
    """What a restore has done. beside: the further files of the state folder that were gone, and are there again."""

    backup: Backup
    aside: str
    beside: Sequence[str]


def restore(state: State, source: Path, at: datetime, *, damaged: str = "") -> Outcome:
    """Put a backup, or any database of Tocsin, in the place of the database, which is set aside.

    damaged: as in `Restored`. Raises StateError; then all is as it was, but for further files that were gone.
    """
    found = backup.read(source)
    folder = state.folder
    new = folder / RESTORING
    try:
        backup.refuse_if_full(folder, source)
        backup.copy(source, new)
        aside = _aside(folder, _DAMAGED if damaged else _REPLACED, at)
        told = Restored(
            at.isoformat(),
            found.taken_at.isoformat(),
            str(source),
            aside if state.database.exists() else "",
            damaged,
        )
        beside = _make_ready(new, folder, at, told)
        backup.give(new, like=folder)
        backup.sync(new)
        reach("restore-ready")
    except (OSError, sqlite3.Error, StateError) as error:
        new.unlink(missing_ok=True)
        if isinstance(error, StateError):
            raise
        raise StateError(f"{new}: can't be written: {error}") from None
    state.replace_database(aside)
    return Outcome(found, told.aside, beside)


def opened(state: State, backups: Path, at: datetime) -> Database:
    """The database of a state folder; if it is damaged, the newest good backup in its place.

    backups: where those are. Raises StateError, as if there is no good one.
    """
    try:
        return Database(state)
    except Damaged as error:
        log.critical("%s", error)
        _replace_damaged(state, backups, at, str(error))
    return Database(state)


def _replace_damaged(state: State, backups: Path, at: datetime, why: str) -> None:
    log.info("%s: looking for the newest good backup", backups)
    before = [path for path in state.folder.glob(f"{_DAMAGED}*Z") if abs(at - _when(path)) < DAMAGED_WITHIN]
    if len(before) >= MOST_DAMAGED:
        raise Damaged(
            f"{why}: {len(before)} were damaged within an hour, so none is put there again: look at the disk, then bring "
            f"back the last backup with tocsin restore --newest"
        )
    problems = list[str]()
    for path in backup.found(backups):
        try:
            done = restore(state, path, at, damaged=why)
        except StateError as error:
            log.error("%s", error)  # noqa: TRY400 (it says all)
            problems.append(str(error))
            continue
        log.critical(
            "%s is in its place: the backup of %s. The damaged one is %s",
            path,
            backup.described(done.backup),
            state.folder / done.aside,
        )
        return
    found = f"; {problems[0]}" if problems else ""
    raise Damaged(
        f"{why}: there is no good backup in {backups}{found}: bring back the last backup from elsewhere with tocsin restore "
        f"FILE, or move it aside and remove {state.folder / 'lock'} to begin with nothing"
    )


def _aside(folder: Path, begins: str, at: datetime) -> str:
    """A name that nothing bears yet."""
    while (folder / f"{begins}{backup.stamp(at)}").exists():
        at += timedelta(seconds=1)
    return f"{begins}{backup.stamp(at)}"


def _when(path: Path) -> datetime:
    found = re.search(r"-(\d{8}T\d{6})Z$", path.name)
    return (
        datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        if found
        else datetime.min.replace(tzinfo=UTC)
    )


def _make_ready(new: Path, folder: Path, at: datetime, told: Restored) -> Sequence[str]:
    """Make a database that goes on of a backup; the further files that were put into the folder."""
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=OFF")  # it is nothing yet
        connection.execute("PRAGMA synchronous=OFF")
        beside = [name for name, body in backup.files_in(connection) if _put_back(folder, name, body)]
        backup.drop_own_tables(connection)
        number = backup.last_number(connection) + SKIP
        now = at.astimezone(UTC).isoformat(timespec="microseconds")
        row = [number, short_id(number), RESTORED, now, now, now]
        connection.execute("INSERT INTO subjects VALUES (?, ?, ?, ?, ?, ?)", row)
        connection.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'outbox'", [SKIP])
        connection.execute("DELETE FROM timers WHERE kind = ?", [RESTORED])  # of a restore before, never told
        timer = [RESTORED, json.dumps(asdict(told)), now]
        connection.execute(
            "INSERT INTO timers (kind, key, due_at, attempts, begun) VALUES (?, ?, ?, 0, 0)", timer
        )
    return beside


def _put_back(folder: Path, name: str, body: bytes) -> bool:
    """Put a further file where it was, if it is gone; whether it was."""
    path = folder / name
    kept = any(fnmatchcase(name, pattern) for pattern in backup.KEPT_BESIDE)
    if not kept or name.count("/") > 1 or ".." in name or path.exists():
        return False
    backup.make_folder(path.parent, like=folder)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    backup.give(new, like=folder)
    new.replace(path)
    backup.sync(path.parent)
    return True
