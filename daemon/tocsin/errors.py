"""What Tocsin refuses, sorted by who can mend it."""

from collections.abc import Sequence
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""Where a setting stands in the configuration: `("people", "alice", "accounts")`."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the configuration.

    at: the setting, as the keys that lead to it.
    text: what is wrong and how to mend it; says nothing of where. Never holds a secret.
    fatal: False for what works but is probably not meant; it is told, and the daemon starts.
    """

    at: KeyPath
    text: str
    fatal: bool = True

    def below(self, *prefix: str | int) -> "Problem":
        """The same problem, told from a table further up."""
        return Problem((*prefix, *self.at), self.text, self.fatal)


class TocsinError(Exception):
    """Anything that Tocsin refuses to do; the message says why and what to do."""


class ConfigError(TocsinError):
    """The configuration can't be used; the operator can mend it.

    problems: everything that was found, so that one look at the file mends it all.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(p.text for p in self.problems))


class PluginError(TocsinError):
    """A plugin breaks its contract; its author can mend it."""

    def __init__(self, plugin: str, text: str) -> None:
        self.plugin = plugin
        self.text = text
        super().__init__(f"plugin {plugin!r}: {text}")
