"""What tests of the settings of a network share."""

from collections.abc import Callable
from pathlib import Path

from tocsin import daemon
from tocsin.config import Document
from tocsin.errors import ConfigError

from tests.conftest import MINIMAL


def complaints(write_config: Callable[..., Path], kind: str, settings: str, *accounts: str) -> list[str]:
    """What is wrong with the settings of a network, and with the accounts that carol and dave have there."""
    people = "".join(
        f'[people.{name}]\naccounts.{kind} = "{account}"\n'
        for name, account in zip(("carol", "dave"), accounts, strict=False)
    )
    text = f"{MINIMAL}\n[networks.{kind}]\n{settings}\n{people}"
    try:
        found = daemon.prepare(Document.open(write_config(text))).warnings
    except ConfigError as error:
        found = error.problems
    return [f"{'.'.join(map(str, each.at))}: {each.text}" for each in found if each.at[0] != "fallback"]
