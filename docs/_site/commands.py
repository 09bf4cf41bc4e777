"""What people type: in chat, and on the command line."""

import inspect
from collections.abc import Iterator

import click
from docs._site.declared import everything, of_each

from tocsin.cli import main
from tocsin.commands import Command
from tocsin.daemon import vocabulary
from tocsin.domain.words import listed


def in_chat() -> str:
    """Every command, with a heading for each plugin that brings some."""
    left = dict(vocabulary(everything(), "!").commands)
    of_plugins = {
        name: [left.pop(command.name) for command in declared.commands]
        for name, declared in of_each().items()
    }
    parts = ["## What is always there", "", *map(_said, left.values())]
    for name, commands in sorted(of_plugins.items()):
        if commands:
            parts += [f"## `[plugins.{name}]`", "", *map(_said, commands)]
    return "\n".join(parts)


def _said(command: Command) -> str:
    who = "anybody in a room" if command.anyone else "people of the configuration"
    if command.strangers:
        who += f"; with {listed(f'`{word}`' for word in command.strangers)} anybody, in private too"
    more = [f"Who may: {who}."]
    if command.also:
        more.append(f"Also {listed(f'`!{word}`' for word in command.also)}.")
    if command.expires:
        more.append("Not done if it was said more than ten minutes ago.")
    if command.secret:
        more.append("What stands behind the word is not written down.")
    return f"`!{command.usage}`{{#{command.name}}}\n: {command.help}. {' '.join(more)}\n"


def on_the_command_line() -> str:
    """Every subcommand of `tocsin`."""
    return "\n".join(_explained(command, ["tocsin"]) for _, command in sorted(main.commands.items()))


def _explained(command: click.Command, above: list[str]) -> str:
    words = [*above, str(command.name)]
    if isinstance(command, click.Group):
        return "\n".join(_explained(each, words) for _, each in sorted(command.commands.items()))
    context = click.Context(command, info_name=" ".join(words))
    lines = [f"## {' '.join(words)}", "", "```sh"]
    lines += [" ".join([*words, *command.collect_usage_pieces(context)]), "```", ""]
    lines += [inspect.cleandoc(command.help or ""), "", *_options(command, context)]
    return "\n".join(lines)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if record is not None and "--help" not in option.opts:
            names, meaning = record
            yield f"`{names}`\n: {meaning or 'a folder or a file'}\n"
