"""The command line about backups."""

import os
from pathlib import Path
from time import perf_counter
from typing import NoReturn

import click

from tocsin import backups, clock, daemon
from tocsin.cli_parts import config_option, opened
from tocsin.errors import StateError
from tocsin.store import backup


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
        _fail(f"{target}: is there already: name another file")
    begun = perf_counter()
    try:
        made = backup.make(folder, target.absolute(), now)
    except StateError as error:
        _fail(error)
    click.echo(f"{target}: {backup.described(made)}; made and verified in {perf_counter() - begun:.1f} s")


def _fail(error: object) -> NoReturn:
    click.echo(str(error), err=True)
    raise click.exceptions.Exit(1) from None
