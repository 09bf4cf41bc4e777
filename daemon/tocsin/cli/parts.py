"""What all commands of the command line share: the configuration, and how they end."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from tocsin import daemon
from tocsin.config import Document, spelled_out
from tocsin.config.names import OF_SERVICE
from tocsin.domain.words import counted, parse_duration
from tocsin.errors import ConfigError, PluginError, Problem

T = TypeVar("T")

UNUSABLE = 2
"""The exit code when the configuration, or a plugin, can't be used."""

SERVICE = OF_SERVICE / "config.toml"
"""The configuration that the unit runs with."""

config_option = click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    envvar="TOCSIN_CONFIG",
    default=SERVICE,
    show_default=True,
    help="The configuration file.",
)


def prepare(path: Path, *, warn: bool = True) -> daemon.Prepared:
    """Read the configuration, warnings told; a bad one ends the command."""
    document, prepared = opened(path, daemon.prepare)
    if warn:
        tell(prepared.warnings, path, document)
    return prepared


def opened(path: Path, read: Callable[[Document], T]) -> tuple[Document, T]:
    """The configuration, as far as `read` reads it; a bad one ends the command."""
    document = None
    try:
        document = Document.open(path)
        return document, read(document)
    except ConfigError as error:
        tell(error.problems, path, document)
        faults = [problem for problem in error.problems if problem.fatal]
        refuse(f"{path}: can't be used: {counted(len(faults), 'error')}")
    except PluginError as error:
        refuse(f"{path}: {error}")


def tell(problems: Iterable[Problem], path: Path, document: Document | None) -> None:
    for line in spelled_out(problems, path, document):
        click.echo(line, err=True)


def refuse(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise click.exceptions.Exit(UNUSABLE)


def fail(error: object) -> NoReturn:
    """It could not be done, and that is why."""
    click.echo(str(error), err=True)
    raise click.exceptions.Exit(1) from None


def label(text: str) -> tuple[str, str]:
    """An alert's label as people type one. Raises ValueError."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"{text!r} is no label: they are written NAME=VALUE, as in severity=critical")
    return name, value


def length(_: click.Context, option: click.Parameter, text: str) -> timedelta:
    """A length of time as the value of an option."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None
