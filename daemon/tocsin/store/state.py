"""The folder of the daemon's state: its own alone, used by one daemon at a time."""

import contextlib
import fcntl
import json
import os
import re
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from tocsin.errors import StateError
from tocsin.failpoints import reach

# File locks and shared memory, on which SQLite relies, do not hold over these.
_NETWORK_FILE_SYSTEMS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "9p",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "fuse.glusterfs",
}

DATABASE = "tocsin.db"

RESTORING = "tocsin.db.restoring"
"""A database that is to take the place of that one, while it is made ready."""

_WITH_LOG = ("-wal", "-shm", "")
"""What belongs to a database: its log, what is shared of that, and the file itself."""

_KEY_BYTES = 32

BALLAST = 8 * 1024 * 1024
"""How much of the disk is kept back for the time when it is full, in bytes."""

LOW = 2 * 1024**3
"""With less room than this, and than a twentieth of the disk, people are warned: what a receiver may post in the long
run (32 KiB fifty times a second) takes some twenty minutes to fill it."""


class State:
    """The state folder, held for as long as this object is open.

    unclean: the daemon that held it last did not stop in order. doubted: somebody found the database damaged; the next
    daemon looks at all of it.
    """

    def __init__(self, folder: Path, lock: int, record: dict[str, Any]) -> None:
        """`State.open` makes these."""
        self.folder = folder
        self.unclean = not record.get("stopped", True)
        self.doubted = False
        self.short_of_room = False
        """Whether what was kept of the disk had to be given back."""
        self._lock = lock
        self._record = record
        self._low = False

    @property
    def database(self) -> Path:
        return self.folder / DATABASE

    @property
    def emptied(self) -> bool:
        """Whether there was something in the database, and nothing is left of it."""
        return bool(self._record.get("database")) and self.database.stat().st_size == 0

    @classmethod
    def open(cls, folder: Path, now: datetime) -> Self:
        """Make the folder if need be, and hold it, for a daemon.

        Raises StateError if another daemon holds it, others may look into it, it can't be written, or the
        database that was in it is gone.
        """
        state = cls.hold(folder)
        state.begin(now)
        return state

    def begin(self, now: datetime) -> None:
        """A daemon uses it from now on. Raises StateError, and lets go of it, if the database is gone."""
        if self._record.get("database") and not self.database.exists():
            self.release()
            raise StateError(
                f"{self.database}: is gone, though it was there: bring it back from a backup (tocsin restore --newest), "
                f"or remove {self.folder / 'lock'} to begin with nothing"
            )
        self._write(pid=os.getpid(), started_at=now.isoformat(), stopped=False)
        self.keep_ballast()

    @classmethod
    def hold(cls, folder: Path, *, root_too: bool = False) -> Self:
        """The same for whoever only puts something into it, and lets go with `release`.

        root_too: root may hold that of another user.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
            if status.st_mode & 0o077:
                raise StateError(f"{folder}: others may look into it: chmod 700 {folder}")
            if status.st_uid != os.geteuid() and not (root_too and os.geteuid() == 0):
                raise StateError(
                    f"{folder}: belongs to another user (uid {status.st_uid}): chown it, or run as that user"
                )
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if status.st_uid != os.geteuid():
                os.fchown(lock, status.st_uid, status.st_gid)
        except OSError as error:
            raise StateError(f"{folder}: can't be used: {error.strerror}") from None
        if sort := _network_file_system(folder):
            os.close(lock)
            raise StateError(
                f"{folder}: is on a network file system ({sort}), where SQLite's locks do not hold: use a local disk"
            )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _read(lock).get("pid", "unknown")
            os.close(lock)
            raise StateError(
                f"{folder}: another Tocsin uses it (pid {holder}): stop that one first", transient=True
            ) from None
        record = _read(lock)
        if not record and (folder / DATABASE).exists():  # torn, by a power cut perhaps
            record = {"database": True, "stopped": False}
        state = cls(folder, lock, record)
        try:
            state._finish_replacing()
        except OSError as error:
            state.release()
            raise StateError(f"{state.database}: can't be replaced: {error.strerror}") from None
        return state

    def replace_database(self, aside: str) -> None:
        """Let `RESTORING`, which is ready and synced, take the place of the database. That is set aside with its log.

        aside: what it is called from then on. Killed anywhere, the one or the other is there, whole, for whoever holds the
        folder next. Raises StateError.
        """
        try:
            self._write(replacing=aside)
            reach("restore-meant")
            self._finish_replacing()
        except OSError as error:
            raise StateError(f"{self.database}: can't be replaced: {error.strerror}") from None

    def _finish_replacing(self) -> None:
        new, aside = self.folder / RESTORING, self._record.get("replacing")
        if not aside:
            for left in self.folder.glob(f"{RESTORING}*"):  # it never became ready
                left.unlink()
            return
        if new.exists():
            for end in _WITH_LOG:
                with contextlib.suppress(FileNotFoundError):
                    (self.folder / f"{DATABASE}{end}").rename(self.folder / f"{aside}{end}")
                reach("restore-aside")
            self._sync()
            reach("restore-all-aside")
            new.rename(self.database)
            self._sync()
            reach("restore-in-place")
        self.unclean = True  # whatever it was: this one is looked at
        self._write(replacing="", database=True, stopped=False)

    def _sync(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Let the folder go as it is."""
        os.close(self._lock)

    def has_database(self) -> None:
        """Remember that there is a database, so that it is never silently begun anew."""
        self._write(database=True)

    def close(self, *, in_order: bool) -> None:
        """Let the folder go; in_order: all that was begun is settled."""
        self._write(stopped=in_order and not self.doubted)
        self.release()

    def key(self) -> bytes:
        """What this daemon signs with; made when it is asked for first. Raises StateError.

        Without it what was signed before is good no more: whoever removes the file takes all of it back.
        """
        path = self.folder / "key"
        try:
            if not path.exists():
                new = path.with_suffix(".new")
                new.unlink(missing_ok=True)
                new.touch(mode=0o600)
                with new.open("wb") as file:
                    file.write(secrets.token_bytes(_KEY_BYTES))
                    file.flush()
                    os.fsync(file.fileno())  # a torn one would keep the next daemon from starting
                new.rename(path)
            status, key = path.stat(), path.read_bytes()
        except OSError as error:
            raise StateError(f"{path}: can't be used: {error.strerror}") from None
        if status.st_mode & 0o077:
            raise StateError(
                f"{path}: others may read it: rm {path} (what it has signed is good no more then)"
            )
        if len(key) != _KEY_BYTES:
            raise StateError(f"{path}: is torn: rm {path} (what it has signed is good no more then)")
        return key

    def keep_ballast(self) -> None:
        """Keep some of the disk back, if there is room for that and as much again."""
        path = self.folder / "ballast"
        try:
            if not path.exists() or path.stat().st_size < BALLAST:
                disk = os.statvfs(self.folder)
                self.short_of_room = disk.f_bavail * disk.f_frsize < 2 * BALLAST
                if not self.short_of_room:
                    path.touch(mode=0o600)
                    with path.open("r+b") as file:
                        os.posix_fallocate(file.fileno(), 0, BALLAST)
        except OSError:
            path.unlink(missing_ok=True)
            self.short_of_room = True

    def low_room(self) -> int:
        """How many bytes the disk has left, if those are so few that people are to make room; else 0."""
        try:
            disk = os.statvfs(self.folder)
        except OSError:
            return 0
        left, few = disk.f_bavail * disk.f_frsize, min(LOW, disk.f_blocks * disk.f_frsize // 20)
        self._low = left < (
            few * 5 // 4 if self._low else few
        )  # a disk that hovers there is one thing to tell
        return left if self._low else 0

    def drop_ballast(self) -> bool:
        """Give back what was kept of the disk; False if it was given back before."""
        path = self.folder / "ballast"
        self.short_of_room = True
        try:
            path.unlink()
        except OSError:
            return False
        return True

    def _write(self, **changes: Any) -> None:
        self._record |= changes
        # Of one length and written over in place, so that it can be written on a full disk too.
        os.pwrite(self._lock, json.dumps(self._record).ljust(511).encode() + b"\n", 0)
        os.fsync(self._lock)


def _read(lock: int) -> dict[str, Any]:
    try:
        record = json.loads(os.pread(lock, 512, 0))
    except ValueError:  # new, or torn by a power cut
        return {}
    return record if isinstance(record, dict) else {}


def _network_file_system(folder: Path) -> str | None:
    """The kind of file system that the folder is on, if it is one that is shared over a network."""
    kind, longest = None, -1
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        mount = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields.split()[4])
        if folder.resolve().is_relative_to(mount) and len(mount) >= longest:
            kind, longest = rest.split()[0], len(mount)
    return kind if kind in _NETWORK_FILE_SYSTEMS else None
