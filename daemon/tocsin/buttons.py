"""Buttons: what people are given to press outside of chat, on a phone's lock screen or in a mail.

Each is an address that `tx.signed` made. Who has it may press it, and nobody else gets as far as a plugin: the
signature is looked at before anything else. To look at one does nothing, since programs look at links too.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tocsin.domain.event import Event
from tocsin.errors import Refused
from tocsin.hearing import Commands
from tocsin.transaction import Transaction

TAKEN_PATHS = ("healthz", "hooks")


@dataclass(frozen=True)
class Asked:
    """What somebody asks for by pressing a button: the same as if they had typed it.

    by: the person, who is proven by the button. command: without what stands before it in a room: `ack k7f3`.
    how: by which way the button came to them; the audit holds it. done: the answer, if the command itself says nothing.
    used: what is recorded once it was done, such as that the button is used up: what is refused can be pressed again.
    """

    by: str
    command: str
    how: str
    done: str
    used: Event | None = None


@dataclass(frozen=True)
class Button:
    """What people may press at `/PATH/TEXT.SIGNATURE`.

    path: one word. ask: gets the text that was signed, and a turn in which it changes nothing; what stands on the
    button. press: gets the same; what is answered, or what the person asks for by it, which is done in the same turn.
    Both raise Refused for one that is good no more.
    """

    path: str
    ask: Callable[[str, Transaction], str]
    press: Callable[[str, Transaction], Asked | str]


class ButtonsByPath(dict[str, Button]):
    """All of them."""


@dataclass(frozen=True)
class Pressed:
    """What is answered to who pressed a button, or looks at it. good: whether it did what it should, or can."""

    text: str
    good: bool


def ask(path: str, text: str, tx: Transaction) -> Pressed:
    """What stands on a button."""
    try:
        return Pressed(_button(path, tx).ask(text, tx), good=True)
    except Refused as error:
        return Pressed(str(error), good=False)


def press(path: str, text: str, commands: Commands, tx: Transaction) -> Pressed:
    """Do what a button stands for."""
    try:
        asked = _button(path, tx).press(text, tx)
    except Refused as error:
        return Pressed(str(error), good=False)
    if isinstance(asked, str):
        return Pressed(asked, good=True)
    answer, good = commands.asked(asked.by, asked.command, f"button/{asked.how}", tx)
    if good and asked.used is not None:
        tx.record(asked.used)
    return Pressed((answer.splitlines() or [asked.done])[0], good)


def _button(path: str, tx: Transaction) -> Button:
    found = tx.rules.of(ButtonsByPath).get(path)
    if found is None:
        raise Refused("there is no such button any more")
    return found
