"""The command line's way to ring what is not chat, whatever else is broken."""

import asyncio
from pathlib import Path

import click

from tocsin.cli.parts import config_option, fail, opened, refuse
from tocsin.config import Document
from tocsin.config.reading import read
from tocsin.config.tables import Fallback
from tocsin.errors import NetworkError
from tocsin.programs import run_program


@click.command(short_help="Ring the fallback.")
@config_option
@click.argument("text")
def ring(path: Path, text: str) -> None:
    """Give TEXT to `fallback.command`, as a page that no chat takes is given to it.

    It needs no daemon, and of the configuration that one table alone: systemd rings with it when Tocsin has failed. Try
    yours with: tocsin ring "this is a test"

    Exits with 0 if the program did, with 1 if not, with 2 if there is none.
    """
    _, fallback = opened(path, _fallback)
    if not fallback.command:
        refuse(f"{path}: fallback.command: is not set: nothing rings")
    try:
        asyncio.run(run_program(fallback.command, f"{text}\n", fallback.timeout))
    except NetworkError as error:
        fail(error)
    click.echo(f"{fallback.command[0]} has taken it")


def _fallback(document: Document) -> Fallback:
    return read(Fallback, document.tables.get("fallback", {}), at=("fallback",), folder=document.folder)
