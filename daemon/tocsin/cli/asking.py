"""Questions at a terminal, each of which an option of the command line can answer instead."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from tocsin.cli.parts import UNUSABLE, refuse
from tocsin.config.values import SecretSource

Check = Callable[[str], object]
"""Raises ValueError for an answer that can't be used: what is wrong with it, and how it is written."""

NOTHING = "-"
"""What is typed for no answer where there is a default."""


def _anything(_: str) -> None:
    pass


class Asking:
    """Takes each answer from its option, or asks for it; what was answered once is not asked again, but by `again`."""

    def __init__(self, given: Mapping[str, Any], *, asks: bool) -> None:
        """given: the options by their names, with '_'; None for those that nobody typed. asks: whether there is anybody to ask."""
        self._typed = {name: value for name, value in given.items() if value is not None}
        self._answered = dict[str, str]()
        self._defaults = dict[str, str]()
        self._kept = dict[str, Path]()
        self.asks = asks

    def given(self, option: str) -> bool:
        """Whether that option was typed."""
        return option in self._typed

    def text(
        self, option: str, question: str, default: str = "", *, check: Check = _anything, empty: bool = False
    ) -> str:
        """An answer that `check` takes. empty: whether there may be none."""
        if option in self._answered:
            return self._answered[option]
        if option in self._typed:
            found = self._must(option, str(self._typed[option]), check, empty=empty)
        elif not self.asks:
            if not default and not empty:
                self.missing(option)
            found = self._must(option, default, check, empty=empty)
        else:
            default = self._defaults.get(option, default)
            found = self._asked(question, check, default=default, empty=empty)
        self._answered[option] = found
        return found

    def secret(
        self,
        option: str,
        question: str,
        kept: Path | None = None,
        *,
        check: Check = _anything,
        empty: bool = False,
    ) -> str:
        """The same of a secret, which is not shown. option: names a file that holds it. kept: where it is to be; what is there
        already is the answer, since nothing is overwritten.
        """
        if option in self._answered:
            return self._answered[option]
        if kept is not None and kept.exists():
            self._kept[option] = kept
            click.echo(f"{question}: {kept} is there already, and is taken")
            found = self._must(option, _read(option, kept), check, empty=False)
        elif option in self._typed:
            found = self._must(option, _read(option, Path(self._typed[option])), check, empty=False)
        elif not self.asks:
            if not empty:
                self.missing(option)
            found = ""
        else:
            found = self._asked(question, check, default="", empty=empty, hidden=True)
        self._answered[option] = found
        return found

    def yes(self, option: str, question: str, *, default: bool, unasked: bool) -> bool:
        """Whether to. unasked: what holds where nobody can be asked."""
        if option in self._typed:
            return bool(self._typed[option])
        return click.confirm(question, default=default) if self.asks else unasked

    def again(self, error: object, *options: str) -> None:
        """With these answers it does not work: they are asked for again, or the command ends."""
        named = f"{', '.join(map(flag, options))}: " if not self.asks else ""
        click.echo(f"  {named}{error}", err=True)
        for option in options:
            if (kept := self._kept.get(option)) and option in self._answered:
                click.echo(
                    f"  {kept} is never overwritten: move it away if it is what is wrong, and begin again",
                    err=True,
                )
                raise click.exceptions.Exit(1)
        if not self.asks:
            raise click.exceptions.Exit(1)
        for option in options:
            self._typed.pop(option, None)
            if answer := self._answered.pop(option, ""):
                self._defaults[option] = answer

    def missing(self, *options: str) -> NoReturn:
        """There is no answer to these, and nobody to ask."""
        click.echo(f"missing: {', '.join(map(flag, options))}", err=True)
        raise click.exceptions.Exit(UNUSABLE)

    def _asked(self, question: str, check: Check, *, default: str, empty: bool, hidden: bool = False) -> str:
        text = question
        if empty:
            text += f" ({NOTHING} for none)" if default else " (empty for none)"
        while True:
            typed = click.prompt(
                text,
                default=default or ("" if empty else None),
                show_default=bool(default),
                hide_input=hidden,
            )
            answer = str(typed) if hidden else str(typed).strip()
            if empty and answer == NOTHING:
                answer = ""
            try:
                _look(answer, check, empty=empty)
            except ValueError as error:
                click.echo(f"  {error}", err=True)
            else:
                return answer

    def _must(self, option: str, answer: str, check: Check, *, empty: bool) -> str:
        try:
            _look(answer, check, empty=empty)
        except ValueError as error:
            refuse(f"{flag(option)}: {error}")
        return answer


def _look(answer: str, check: Check, *, empty: bool) -> None:
    """Raises ValueError for what can't be the answer."""
    if not answer.isprintable():
        raise ValueError("that holds control characters")
    if answer or not empty:
        check(answer)


def _read(option: str, path: Path) -> str:
    try:
        return SecretSource(file=path.absolute()).reveal()
    except ValueError as error:
        refuse(f"{flag(option)}: {error}")


def flag(option: str) -> str:
    """An option as it is typed."""
    return f"--{option.replace('_', '-')}"
