"""The command line about backups."""

import os
from pathlib import Path
from time import perf_counter

import click

from tocsin import backups, clock, daemon
from tocsin.cli.parts import config_option, fail, opened
from tocsin.errors import StateError
from tocsin.store import State, backup, restore
from tocsin.store.state import DATABASE


@click.command(name="backup", short_help="Make a backup now.")
@config_option
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    help="The file; without it, one beside those that the daemon makes.",
)
def make_backup(path: Path, target: Path | None) -> None:
    """Copy the database as it is now, beside a daemon that runs or without one, and open the copy to see that it is good.

    Exits with 1 if there is none then, and says why.
    """
    _, config = opened(path, daemon.read)  # root has no systemd credentials
    folder, now = daemon.state_folder(config), clock.now()
    target = target or backup.path_in(backups.folder_of(config, folder), now)
    if os.path.lexists(target):
        fail(f"{target}: is there already: name another file")
    begun = perf_counter()
    try:
        made = backup.make(folder, target.absolute(), now)
    except StateError as error:
        fail(error)
    click.echo(f"{target}: {backup.described(made)}; made and verified in {perf_counter() - begun:.1f} s")


@click.command(name="restore", short_help="Bring back a backup.")
@config_option
@click.argument("source", required=False, metavar="FILE", type=click.Path(path_type=Path))
@click.option("--newest", is_flag=True, help="The newest of those that the daemon has made.")
def bring_back(path: Path, source: Path | None, *, newest: bool) -> None:
    """Put the backup FILE in the place of the database, which is set aside and not lost. No daemon may run with it.

    Exits with 1 if all is as it was, and says why.
    """
    if (source is None) is not newest:
        raise click.UsageError("say which one: a FILE, or --newest")
    _, config = opened(path, daemon.read)
    folder = daemon.state_folder(config)
    try:
        source = source or _newest(backups.folder_of(config, folder))
        state = State.hold(folder, root_too=True)
        try:
            done = restore.restore(state, source.absolute(), clock.now())
        finally:
            state.release()
    except StateError as error:
        fail(error)
    click.echo(f"{folder / DATABASE} is the backup {source} now: {backup.described(done.backup)}")
    if done.aside:
        click.echo(f"what it was before is {folder / done.aside}")
    for name in done.beside:
        click.echo(f"{folder / name}: was gone, and is from the backup as well")
    click.echo(
        "start Tocsin next: it tells people. What still fires Alertmanager posts again after its repeat_interval"
    )


def _newest(folder: Path) -> Path:
    for found in backup.found(folder):
        return found
    raise StateError(f"{folder}: there is no backup: name a FILE")
