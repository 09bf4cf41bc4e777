"""Backups: whole copies of the database, one file each, made beside the writer and opened before they count."""

import contextlib
import fcntl
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tocsin.errors import Damaged, StateError
from tocsin.failpoints import reach
from tocsin.store.database import CORE, DAMAGE, revisions
from tocsin.store.schema import HEAD
from tocsin.store.state import DATABASE

KEPT_BESIDE = ("key", "matrix-*/cross-signing*.json", "matrix-*/pins.json")
"""The files of the state folder that go with the database: small, and good on another machine too.

Not the keys of a Matrix device and its token: of keys that are used up one by one, an old copy would begin anew with those
that were used since, and two machines that are one device read nothing. There somebody logs in once more.
"""

LEAVE = 256 * 1024 * 1024
"""So many bytes a backup leaves on its disk, or a twentieth of a small one."""

_COUNTS = {
    "alerts": "SELECT count(*) FROM subjects WHERE kind = 'group'",
    "incidents": "SELECT count(*) FROM subjects WHERE kind = 'incident'",
    "events": "SELECT count(*) FROM events",
}
_NAME = re.compile(r"tocsin-(\d{8}T\d{6})Z\.db")
_STAMP = "%Y%m%dT%H%M%S"
_PART = ".part"
_STEPS = 1000  # of SQLite's own machine, between two looks at whether it is to stop
_LONGEST_WAIT = 5.0


@dataclass(frozen=True)
class Backup:
    """A copy that was found good.

    taken_at: of which moment it is. size: in bytes. revision: of its tables. counts: what is in it, as people read it.
    """

    path: Path
    taken_at: datetime
    size: int
    revision: str
    counts: Mapping[str, int]


def stamp(at: datetime) -> str:
    """A time as it stands in names of files."""
    return f"{at.astimezone(UTC):{_STAMP}}Z"


def path_in(folder: Path, at: datetime) -> Path:
    """What a backup of that time is called there."""
    return folder / f"tocsin-{stamp(at)}.db"


def taken_at(path: Path) -> datetime | None:
    """Of when a backup is, by its name; None if it is called otherwise."""
    found = _NAME.fullmatch(path.name)
    with contextlib.suppress(ValueError):
        return datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC) if found else None
    return None


def found(folder: Path) -> Sequence[Path]:
    """The backups there, the newest first. Raises StateError."""
    try:
        return sorted((path for path in folder.iterdir() if taken_at(path)), reverse=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(f"{folder}: can't be read: {error.strerror}") from None


def make(folder: Path, target: Path, at: datetime, *, stopped: Callable[[], bool] = lambda: False) -> Backup:
    """Copy the database of a state folder, as it is at some moment of this call; it takes its time.

    Beside a daemon that runs or without one: it can't write there, and no turn waits for it. Under its name stands a whole
    copy, or nothing. stopped: asked again and again; with True nothing comes of it. Raises StateError, and Damaged if it is
    the database that can't be copied.
    """
    database, part = folder / DATABASE, target.with_name(target.name + _PART)
    if not os.access(folder, os.X_OK | os.W_OK) or not database.exists():
        raise StateError(
            f"{database}: there is no database, or it is not yours: has Tocsin ever run with this configuration, as this "
            "user?"
        )
    with _alone(folder):
        try:
            make_folder(target.parent, like=folder)
            for left in target.parent.glob(f"tocsin-*.db{_PART}*"):  # by one that was killed
                left.unlink(missing_ok=True)
            refuse_if_full(target.parent, database)
            counts = copy(database, part, stopped=stopped)
            reach("backup-copied")
            _complete(part, folder, at, counts)
            sync(part)
            made = read(part, stopped=stopped)
            if any(made.counts[name] < number for name, number in counts.items()):
                raise StateError(f"{target}: has less in it than the database: {_told(made.counts)}")
            reach("backup-verified")
            part.replace(target)
            give(target, like=folder)
            sync(target.parent)
        except OSError as error:
            raise StateError(f"{target}: can't be written: {error.strerror or error}") from None
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
    return Backup(target, made.taken_at, made.size, made.revision, made.counts)


def read(path: Path, *, stopped: Callable[[], bool] = lambda: False) -> Backup:
    """Open a backup, or any database of Tocsin, and look at all of it. Raises StateError if it is not good."""
    try:
        if not path.is_file():
            raise StateError(f"{path}: there is no such file")
        with closing(_read_only(path, stopped)) as connection:
            if (why := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise StateError(f"{path}: is damaged ({' '.join(str(why).split())}): take another one")
            if not _has_table(connection, "schema_core"):
                raise StateError(f"{path}: is no database of Tocsin")
            revision = str(connection.execute("SELECT version_num FROM schema_core").fetchone()[0])
            if revision not in revisions(CORE):
                raise StateError(
                    f"{path}: was written by a newer version (core tables at revision {revision}, this version knows "
                    f"{HEAD}): upgrade, or take an older one"
                )
            return Backup(path, _taken_at(connection), path.stat().st_size, revision, _counts(connection))
    except (sqlite3.Error, OSError) as error:
        raise StateError(f"{path}: can't be used: {error}") from None


def last(folder: Path) -> str:
    """The newest backup there in a line, as it says of itself; empty if there is none. Raises StateError."""
    for path in found(folder):
        try:
            with closing(_read_only(path)) as connection:
                about = _about(connection)
        except sqlite3.Error as error:
            return f"{path.name}: can't be read: {error}"
        return f"{taken_at(path):%F %H:%M} UTC, {spelled_size(path.stat().st_size)}, {_told(about.get('counts', {}))}"
    return ""


def described(backup: Backup) -> str:
    """Of when it is, and what is in it, in a line."""
    return f"{backup.taken_at:%F %H:%M:%S} UTC, {spelled_size(backup.size)}, {_told(backup.counts)}"


def spelled_size(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / 1e6:,.1f} MB"


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name if number != 1 else name[:-1]}" for name, number in counts.items())


# What making one and bringing one back have in common.


def copy(source: Path, target: Path, *, stopped: Callable[[], bool] = lambda: False) -> Mapping[str, int]:
    """Copy a database whole, with what stands in its log beside it, over a connection that can't write to it.

    What was in it before that; the copy has as much at least. The copy is for its owner alone, and not yet synced. Raises
    StateError; what was written of the copy is left then. Raises Damaged if it is the source.
    """
    for end in ("", "-journal"):  # by one that was killed
        target.with_name(f"{target.name}{end}").unlink(missing_ok=True)
    target.touch(mode=0o600)
    try:
        with closing(_read_only(source, stopped)) as connection:
            counts = _counts(connection)
            connection.execute("VACUUM INTO ?", [str(target)])
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in DAMAGE:
            raise Damaged(f"{source}: is damaged: {error}") from None
        why = "stopped" if code == sqlite3.SQLITE_INTERRUPT else error
        raise StateError(f"{source}: can't be copied to {target}: {why}") from None
    return counts


def refuse_if_full(folder: Path, source: Path) -> None:
    """Raises StateError if a copy of that database would leave too little room there."""
    log = source.with_name(f"{source.name}-wal")
    needed = sum(path.stat().st_size for path in (source, log) if path.exists())
    disk = os.statvfs(folder)
    room, leave = disk.f_bavail * disk.f_frsize, min(LEAVE, disk.f_blocks * disk.f_frsize // 20)
    if room < needed + leave:
        raise StateError(
            f"{folder}: a copy takes up to {spelled_size(needed)} and is to leave {spelled_size(leave)}, but there are "
            f"{spelled_size(room)}: make room"
        )


def sync(path: Path) -> None:
    """Let a file, or what a folder lists, outlast a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, *, like: Path) -> None:
    """Make it, for its owner alone."""
    if not folder.exists():
        make_folder(folder.parent, like=like)
        folder.mkdir(mode=0o700, exist_ok=True)
        give(folder, like=like)


def give(path: Path, *, like: Path) -> None:
    """What root makes belongs to whom the state folder belongs to: the daemon is to use it."""
    owner = like.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def files_in(connection: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    """What was kept beside the database: the path in the state folder, and the content."""
    if _has_table(connection, "backup_files"):
        yield from connection.execute("SELECT name, body FROM backup_files")


def drop_own_tables(connection: sqlite3.Connection) -> None:
    """Leave nothing of what makes a backup of a database."""
    for table in ("backup", "backup_files"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")


def last_number(connection: sqlite3.Connection) -> int:
    """The highest number that anything was ever given, -1 if nothing was; also of what was pruned since."""
    tables = [name for name in ("subjects", "pruned") if _has_table(connection, name)]
    found = [connection.execute(f"SELECT max(number) FROM {name}").fetchone()[0] for name in tables]  # noqa: S608 (two names of ours)
    return max((int(number) for number in found if number is not None), default=-1)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One backup of a state folder is made at a time: what others have left half done may be removed."""
    try:
        path = folder / "backup.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"{folder}: can't be used: {error.strerror}") from None
    try:
        give(path, like=folder)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise StateError("another backup is being made: try again when it is done", transient=True) from None
    try:
        yield
    finally:
        os.close(lock)


def _read_only(path: Path, stopped: Callable[[], bool] = lambda: False) -> sqlite3.Connection:
    # Not query_only, which forbids VACUUM INTO as well.
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=_LONGEST_WAIT, isolation_level=None)
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.set_progress_handler(stopped, _STEPS)
    return connection


def _complete(part: Path, folder: Path, at: datetime, counts: Mapping[str, int]) -> None:
    """Add to a copy what it says of itself, and what is kept beside the database."""
    kept = sorted(path for pattern in KEPT_BESIDE for path in folder.glob(pattern))
    about = json.dumps({"taken_at": at.isoformat(), "counts": counts})
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=OFF")  # it counts once it is whole
            connection.execute("PRAGMA synchronous=OFF")
            drop_own_tables(connection)
            connection.execute("CREATE TABLE backup (about TEXT NOT NULL)")
            connection.execute("CREATE TABLE backup_files (name TEXT PRIMARY KEY, body BLOB NOT NULL)")
            connection.execute("INSERT INTO backup VALUES (?)", [about])
            for path in kept:
                row = [str(path.relative_to(folder)), path.read_bytes()]
                connection.execute("INSERT INTO backup_files VALUES (?, ?)", row)
    except sqlite3.Error as error:
        raise StateError(f"{part}: can't be written: {error}") from None


def _counts(connection: sqlite3.Connection) -> Mapping[str, int]:
    return {name: int(connection.execute(query).fetchone()[0]) for name, query in _COUNTS.items()}


def _about(connection: sqlite3.Connection) -> Mapping[str, Any]:
    if not _has_table(connection, "backup"):
        return {}
    about: Mapping[str, Any] = json.loads(connection.execute("SELECT about FROM backup").fetchone()[0])
    return about


def _taken_at(connection: sqlite3.Connection) -> datetime:
    """As it says of itself; of a database that is no backup, when something happened last."""
    at = _about(connection).get("taken_at")
    at = at or _newest(connection)
    return datetime.fromisoformat(at)


def _newest(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT recorded_at FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    return str(row[0]) if row else datetime.fromtimestamp(0, UTC).isoformat()


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
    return bool(connection.execute(query, [name]).fetchone()[0])
