"""The command line's look at everything."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import click

from tocsin import clock, daemon, doctor
from tocsin.cli.parts import config_option
from tocsin.config import Config, Document, spelled_out
from tocsin.doctor import OnDuty
from tocsin.domain.finding import Finding, Level, green, red, yellow
from tocsin.errors import ConfigError, PluginError
from tocsin.status import first_address

_COLOURS = {Level.GREEN: "green", Level.YELLOW: "yellow", Level.RED: "red"}


@click.command(name="doctor", short_help="Look whether all is well that must be.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def look(path: Path, *, as_json: bool) -> None:
    """Look at the configuration, what is kept, the daemon, its networks, its receivers and what watches it: a line each,
    green, yellow or red, with what to do. Nobody is paged.

    Exits with 0 if all is green, with 1 if something is yellow, with 2 if something is red.
    """
    found = list(_found(path))
    if as_json:
        click.echo(json.dumps([one.spelled() for one in found], indent=2, ensure_ascii=False))
    else:
        for one in found:
            level = click.style(f"{one.level.name.lower():6}", fg=_COLOURS[one.level], bold=True)
            click.echo(f"{level}  {one.about}: {one.text}")
            if one.todo:
                click.echo(f"        {one.todo}")
    raise click.exceptions.Exit(max((one.level.value for one in found), default=0))


def _found(path: Path) -> Iterator[Finding]:
    document = None
    try:
        document = Document.open(path)
        prepared = daemon.prepare(document)
    except ConfigError as error:
        faults = [problem for problem in error.problems if problem.fatal]
        for line in spelled_out(faults, path, document):
            yield red("configuration", line, "mend it, and see: tocsin check-config")
        return
    except PluginError as error:
        yield red("configuration", str(error), "mend it, and see: tocsin check-config")
        return
    warnings = [
        one for one in prepared.warnings if one.at[:1] != ("fallback",)
    ]  # which has a line of its own
    for line in spelled_out(warnings, path, document):
        yield yellow("configuration", line, "mend it if it is not meant so")
    if not warnings:
        yield green("configuration", f"{path}: good")
    yield from _of(prepared.config)


def _of(config: Config) -> Iterator[Finding]:
    folder = daemon.state_folder(config)
    try:
        yield from doctor.of_state(folder)
    except OSError as error:
        yield red("state", f"{folder}: can't be looked at: {error.strerror}", "do this as root")
    yield doctor.of_backups(config, folder, clock.now())
    of_daemon, said = doctor.of_daemon(folder)
    of_inside, duty = doctor.of_inside(folder) if said else ([], OnDuty())
    yield from (*of_daemon, *of_inside)
    yield from asyncio.run(doctor.of_outside(config, first_address(said), clock.now))
    yield doctor.of_clock()
    yield from doctor.of_people(config, duty, clock.now())
    yield doctor.of_fallback(config)
