"""The command line about incidents."""

from pathlib import Path
from typing import Any

import click

from tocsin import clock, control, daemon, plugins
from tocsin.cli.parts import config_option, fail, opened
from tocsin.config import Config
from tocsin.errors import NotRunning, Refused, StateError
from tocsin.exports import FORMS, from_database
from tocsin.plugins import Declared
from tocsin.postmortems import Sections
from tocsin.store.state import DATABASE
from tocsin.store.timers import Now


@click.command(short_help="Write an incident down: its postmortem, or all as JSON.")
@config_option
@click.argument("number")
@click.option(
    "--format", "form", type=click.Choice(FORMS), default="md", show_default=True, help="What is written."
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file; without it, here.")
def export(path: Path, number: str, form: str, out: Path | None) -> None:
    """Write incident NUMBER down: its postmortem as Markdown or HTML, or all that is known of it as JSON.

    Asks the daemon that runs with this configuration; if none does, reads its database. Nobody is named unless
    plugins.postmortem.names says so.
    """
    number = number.lstrip("#").lstrip("0") or "0"
    try:
        text = _written(path, number, form)
        if out is None:
            click.echo(text, nl=False)
        else:
            out.write_text(text, encoding="utf-8")
    except (StateError, Refused) as error:
        fail(error)
    except OSError as error:
        fail(f"{out}: can't be written: {error.strerror}")


@click.command(short_help="Have a person say a command, as if typed in chat.")
@config_option
@click.option(
    "--as", "by", required=True, metavar="PERSON", help="Who says it; the name in the configuration."
)
@click.argument("words", nargs=-1, required=True)
def say(path: Path, by: str, words: tuple[str, ...]) -> None:
    """Have a person say WORDS, such as: tocsin say --as alice declare sev2 the queue stands still

    The daemon that runs with this configuration does what it would do if they had typed that to it in private, and
    answers here. It is written down as said at the command line.
    """
    _, config = opened(path, daemon.read)
    text = " ".join(words).removeprefix(config.prefix)
    try:
        answer: dict[str, Any] = control.ask(daemon.state_folder(config), "say", by=by, text=text)
    except StateError as error:
        fail(error)
    click.echo(answer["told"] or "done", err=not answer["done"])
    if not answer["done"]:
        raise click.exceptions.Exit(1)


def _written(path: Path, number: str, form: str) -> str:
    """Raises StateError, and Refused."""
    _, (config, declared) = opened(path, _declared)
    folder = daemon.state_folder(config)
    try:
        answer: dict[str, Any] = control.ask(folder, "export", number=number, form=form)
    except NotRunning:
        kinds, sections = daemon.known_events(declared), Sections(declared.sections)
        time = Now(clock.now(), 0, "")
        return from_database(folder / DATABASE, config, kinds, sections, time, number=number, form=form)
    if "refused" in answer:
        raise Refused(answer["refused"])
    return str(answer["text"])


def _declared(document: Any) -> tuple[Config, Declared]:
    """Without the secrets, which may not be to be had here."""
    config = daemon.read(document)
    return config, plugins.Plugins(config.plugins).declared()
