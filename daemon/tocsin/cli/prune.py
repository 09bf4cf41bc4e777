"""The command line about what is old."""

import os
import pwd
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from tocsin import backups, clock, control, daemon, plugins, pruning
from tocsin.cli.parts import config_option, fail, opened
from tocsin.config import Config
from tocsin.domain.incident_events import INCIDENT
from tocsin.domain.pruning import parse_before
from tocsin.domain.words import counted, listed
from tocsin.errors import NotRunning, StateError
from tocsin.facts import GROUP
from tocsin.plugins import Declared
from tocsin.store import Database, State, backup
from tocsin.store.database import read_only
from tocsin.store.old import Plan
from tocsin.store.state import DATABASE
from tocsin.store.timers import Now

UNTOLD = 2
"""The exit code where somebody has to say yes, and nobody is there."""


@click.command(short_help="Take what is old out of the database.")
@config_option
@click.option(
    "--before",
    required=True,
    metavar="AGE|DAY",
    help="What is old: so long ago, as '2y' or '180d', or before a day, as '2024-12-31'; at least 90 days.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--no-backup", is_flag=True, help="Make no backup before.")
@click.option("--shrink", is_flag=True, help="Make the file smaller too; Tocsin must be stopped.")
def prune(path: Path, before: str, *, dry_run: bool, yes: bool, no_backup: bool, shrink: bool) -> None:
    """Take out for good what ended long ago: alerts and incidents with all that happened to them, and old lines of the audit.

    What goes on, or is still needed, stays. Beside a daemon that runs, in small parts, or without one. Exits with 1 if
    something stopped it, and says why; then the next one goes on.
    """
    try:
        since = parse_before(before, clock.now())
    except ValueError as error:
        raise click.UsageError(f"--before {error}") from None
    _, (config, declared) = opened(path, _declared)  # root has no systemd credentials
    folder = daemon.state_folder(config)
    try:
        if shrink and not dry_run and _runs(folder):
            fail(f"Tocsin runs with its state in {folder}: stop it, or leave out --shrink")
        plan = _plan(folder, config, declared, since)
        for line in _shown(plan, folder):
            click.echo(line)
        if dry_run:
            click.echo("nothing was changed: without --dry-run it goes")
            return
        if plan.parts:
            _agree(yes=yes)
            if not no_backup:
                _back_up(folder, config)
            _take(folder, plan)
            click.echo(_held_by(folder, config))
        if shrink:
            _shrink(folder)
    except StateError as error:
        fail(error)


def _declared(document: Any) -> tuple[Config, Declared]:
    """Without the secrets, which may not be to be had here."""
    config = daemon.read(document)
    return config, plugins.Plugins(config.plugins).declared()


def _plan(folder: Path, config: Config, declared: Declared, before: datetime) -> Plan:
    now = Now(clock.now(), 0, "")
    plan = pruning.found(folder / DATABASE, config, daemon.known_events(declared), now, before)
    if plan.newest is not None and plan.newest < before:
        raise StateError(
            f"{folder / DATABASE}: all that is in it is older, the newest of {plan.newest:%F}: is the clock right? "
            "Nothing was changed"
        )
    return plan


def _shown(plan: Plan, folder: Path) -> Iterator[str]:
    what = f"{folder / DATABASE}, what ended before {plan.before:%F %H:%M} UTC"
    if not plan.parts:
        yield f"{what}: there is nothing to take out"
    else:
        since = f", since {plan.since:%F}" if plan.since else ""
        yield f"{what}:"
        yield f"  {_told(plan.counts)}{since}; about {backup.spelled_size(plan.size)}"
    if plan.kept:
        kept = _told({**plan.kept, "events": 0, "audit": 0})
        yield f"  {kept} stay: something of them goes on, or waits"


def _told(counts: Mapping[str, int]) -> str:
    others = sum(
        number for name, number in counts.items() if name not in (GROUP, INCIDENT, "events", "audit")
    )
    found = [
        counted(counts.get(GROUP, 0), "alert"),
        counted(counts.get(INCIDENT, 0), "incident"),
        counted(others, "handoff, offer or digest", "handoffs, offers and digests"),
        counted(counts.get("events", 0), "event"),
        counted(counts.get("audit", 0), "line of the audit", "lines of the audit"),
    ]
    return listed([one for one in found if not one.startswith("0 ")]) or "nothing"


def _agree(*, yes: bool) -> None:
    if yes:
        return
    if not _asks():
        click.echo("nothing was changed: say --yes, since nobody is there to be asked", err=True)
        raise click.exceptions.Exit(UNTOLD)
    if not click.confirm("Take it out? Only a backup brings it back", err=True):
        fail("nothing was changed")


def _asks() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty()


def _back_up(folder: Path, config: Config) -> None:
    now, begun = clock.now(), perf_counter()
    target = backup.path_in(backups.folder_of(config, folder), now)
    try:
        made = backup.make(folder, target.absolute(), now)
    except StateError as error:
        raise StateError(f"nothing was changed, for there is no backup: {error}") from None
    click.echo(
        f"backup {target}: {backup.described(made)}; made and verified in {perf_counter() - begun:.1f} s"
    )


def _take(folder: Path, plan: Plan) -> None:
    begun = perf_counter()
    try:
        counts = _by_daemon(folder, plan)
    except NotRunning:
        counts = _alone(folder, plan)
    except StateError as error:
        raise StateError(f"{error}. What is gone by now stays gone: say the same again to go on") from None
    free = _free(folder / DATABASE)
    click.echo(
        f"pruned {_told(counts)} in {perf_counter() - begun:.0f} s: {backup.spelled_size(free)} of the file are free, "
        "and used for what comes"
    )


def _by_daemon(folder: Path, plan: Plan) -> Mapping[str, int]:
    if not _runs(folder):
        raise NotRunning("")
    return pruning.taken_out(pruning.ByDaemon(folder), plan, _who())


def _alone(folder: Path, plan: Plan) -> Mapping[str, int]:
    state = State.hold(folder, root_too=True)
    try:
        database = Database(state)
        try:
            return pruning.taken_out(pruning.Alone(database, clock.now), plan, _who())
        finally:
            database.close()
    finally:
        state.release()


def _runs(folder: Path) -> bool:
    try:
        control.ask(folder, "status")
    except NotRunning:
        return False
    return True


def _who() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _held_by(folder: Path, config: Config) -> str:
    """Where what is gone can still be read."""
    settings, where = config.backup, backups.folder_of(config, folder)
    until = clock.now() + max(timedelta(days=settings.keep_days), settings.keep_last * settings.every)
    own = (
        f"those that Tocsin makes in {where} until {until:%F}"
        if settings.enabled
        else f"those in {where} until you remove them, for backup.enabled is false"
    )
    aside = [found.name for found in sorted(folder.glob(f"{DATABASE}.*Z"))]
    more = f"; {listed(aside)} in {folder} too" if aside else ""
    return f"backups still hold it: {own}, copies elsewhere for as long as you keep them{more}"


def _free(path: Path) -> int:
    """How many bytes of the file nothing uses."""
    with read_only(path) as connection:
        pages, size = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0)
            for name in ("freelist_count", "page_size")
        )
    return pages * size


def _shrink(folder: Path) -> None:
    """Write the file anew without what is free in it."""
    path = folder / DATABASE
    state = State.hold(folder, root_too=True)
    try:
        before = path.stat().st_size
        backup.refuse_if_full(folder, path)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        freed = before - path.stat().st_size
    except sqlite3.Error as error:
        raise StateError(f"{path}: can't be made smaller, and is as it was: {error}") from None
    finally:
        state.release()
    click.echo(f"{path}: {backup.spelled_size(freed)} smaller, {backup.spelled_size(before - freed)} now")
