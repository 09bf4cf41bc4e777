"""The daemon's own backups: made every hour, kept for a while; and what people are told after a restore."""

import asyncio
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter

from tocsin.clock import Clock
from tocsin.config import Config
from tocsin.core import Tocsin
from tocsin.domain.message import Message
from tocsin.domain.retention import needless
from tocsin.domain.words import spelled
from tocsin.errors import Damaged, StateError
from tocsin.rules import Owned, owned
from tocsin.store import Database, State, backup, timers
from tocsin.store.backup import Backup
from tocsin.store.restore import RESTORED, Restored, opened
from tocsin.store.timers import Timer
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)

BACKUP = "core.backup"

SOON = timedelta(minutes=1)
"""So long after its start a daemon without a backup makes the first."""

TRY_AGAIN = timedelta(minutes=10)
"""One that failed is tried again as soon as this."""

PAUSE = 0.0005
REST_FOR = 60.0
"""So many seconds it rests again and again, so that who posts alerts meanwhile need not wait for the machine: 200 MB take some
seconds more by that. Of a very large database it has rested enough after so many.
"""

OVERDUE = 2
"""After so many times the usual length without a backup it is said that one is overdue."""


def folder_of(config: Config, state: Path) -> Path:
    """Where backups are. state: the state folder."""
    return config.backup.directory or state / "backups"


def open_database(state: State, config: Config, clock: Clock) -> Database:
    """The database; if it is damaged, the newest good backup in its place. Raises StateError if there is none."""
    return opened(state, folder_of(config, state.folder), clock.now())


class Backups:
    """Makes one whenever its timer rings."""

    def __init__(self) -> None:
        self._failing = False  # and people know

    def timer_kinds(self) -> Mapping[str, Owned]:
        """The errand on which a backup is made."""
        return {BACKUP: owned("core", self.errand)}

    async def errand(self, _: Timer, tocsin: Tocsin) -> None:
        """Make one; whatever comes of it, the next one is due in time."""
        settings = tocsin.config.backup
        if not settings.enabled:
            return
        folder = folder_of(tocsin.config, tocsin.state.folder)
        try:
            made = await _apart(tocsin, folder)
        except StateError as error:
            log.error("no backup was made: %s", error)  # noqa: TRY400 (it says all)
            tocsin.state.doubted |= isinstance(error, Damaged)
            told = None if self._failing or error.transient else _failed(error)
            again = min(settings.every, TRY_AGAIN)
            await tocsin.must(partial(_then, told, again))
            self._failing |= not error.transient
        else:
            log.info("backup %s: %s", made.path, backup.described(made))
            told = Message("backups are made again") if self._failing else None
            await tocsin.must(partial(_then, told, settings.every))
            self._failing = False


def begin(tx: Transaction) -> None:
    """See that the next one is due in time, as soon as the configuration that holds wants it."""
    settings = tx.config.backup
    if not settings.enabled:
        tx.cancel_timer(BACKUP, "")
        return
    left = timers.left(tx.connection, BACKUP, "", tx.time)
    if left is None:
        tx.set_timer(BACKUP, "", after=min(settings.every, SOON))
    elif left > settings.every:
        tx.set_timer(BACKUP, "", after=settings.every)


@dataclass(frozen=True)
class Newest:
    """How the newest backup is, in words; due: whether there should be another one."""

    text: str
    due: bool


def newest(config: Config, state: Path, now: datetime) -> Newest:
    """For who asks how all stands. It reads files: for a thread."""
    settings, folder = config.backup, folder_of(config, state)
    if not settings.enabled:
        return Newest("none: backup.enabled is false", due=True)
    try:
        path = next(iter(backup.found(folder)), None)
        if path is None:
            return Newest(f"none yet in {folder}", due=True)
        text = backup.last(folder)
        if now - (backup.taken_at(path) or now) > OVERDUE * settings.every:
            return Newest(f"{text}, overdue: look at {folder}", due=True)
        return Newest(text, due=False)
    except StateError as error:
        return Newest(str(error), due=True)


async def _apart(tocsin: Tocsin, folder: Path) -> Backup:
    """Make one in a thread of its own, which ends with us. Raises StateError."""
    stop = threading.Event()
    config, at = tocsin.config.backup, tocsin.clock.now()
    kept = partial(_forget, folder, last=config.keep_last, days=config.keep_days)
    try:
        return await asyncio.to_thread(_make, tocsin.state.folder, folder, at, stop, kept)
    except asyncio.CancelledError:
        stop.set()
        raise


def _make(state: Path, folder: Path, at: datetime, stop: threading.Event, kept: partial[None]) -> Backup:
    rested_at = perf_counter() + REST_FOR

    def stopped() -> bool:
        return stop.wait(PAUSE if perf_counter() < rested_at else 0)

    made = backup.make(state, backup.path_in(folder, at), at, stopped=stopped)
    kept(made)
    return made


def _forget(folder: Path, made: Backup, *, last: int, days: int) -> None:
    """Remove what is kept no longer; never the one that was just made."""
    by_time = {at: path for path in backup.found(folder) if (at := backup.taken_at(path))}
    for at in needless(by_time, last=last, days=days):
        if by_time[at] != made.path:
            by_time[at].unlink(missing_ok=True)


def _failed(error: StateError) -> Message:
    text = "no backup is made"
    if isinstance(error, Damaged):
        todo = "restart Tocsin: then it looks at all of it, and goes on with the last good backup if it must"
        return Message(f"{text}, the database is damaged: {todo}. See the log.")
    return Message(f"{text}: {error}. It is tried again.", brief=f"{text}: see the log. It is tried again.")


def _then(told: Message | None, again: timedelta, tx: Transaction) -> None:
    if told is not None:
        tx.tell(told)
    if tx.config.backup.enabled:
        tx.set_timer(BACKUP, "", after=again)


def tell_of_restore(tx: Transaction) -> None:
    """Tell people, before anything else is said, that a backup holds now: once for each restore, whatever crashes."""
    for key in sorted(timers.keys(tx.connection, [RESTORED])):
        told = _restored(Restored.read(key), tx.typed("alerts"))
        for room in tx.default_rooms():
            tx.page(room, told, about="")  # it explains the pages that come
        tx.cancel_timer(RESTORED, key)


def _restored(what: Restored, command: str) -> Message:
    at, taken_at = (datetime.fromisoformat(text) for text in (what.at, what.taken_at))
    lost = spelled(max(timedelta(0), at - taken_at))
    why = "The database was damaged" if what.damaged else "The database was replaced"
    first = f"{why}: Tocsin goes on with the backup of {taken_at:%d %b %H:%M} UTC, {lost} old"
    lines = (
        "What was said and done since may be missing, alerts and incidents too; numbers of incidents may be given again.",
        "What was acknowledged, or was over, since then may ring again: answer it once more.",
        "What still fires Alertmanager posts again after its repeat_interval: compare with its own page until then.",
    )
    aside = f"The {'damaged' if what.damaged else 'former'} one is {what.aside}." if what.aside else ""
    look = " Look at the disk, and at the log." if what.damaged else ""
    private = (f"{aside}{look}".strip(),) if aside or look else ()
    return Message(first, command=command, lines=(*lines, *private), brief=first, brief_lines=lines)
