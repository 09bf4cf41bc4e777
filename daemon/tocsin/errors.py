"""What Tocsin refuses, sorted by who can mend it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

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


class Refused(TocsinError):
    """What a person asked for is not done; the message is said where they asked."""


class UsageError(Refused):
    """The words of a command can't be read."""


class UnknownSubject(Refused):
    """Nothing bears the id that was named."""


class NotAllowed(Refused):
    """Who asked may not have this."""


class BadPayload(TocsinError):
    """What a sender posted can't be read; the message says why, and quotes nothing of it."""


class NetworkError(TocsinError):
    """A chat network did not take what was said.

    permanent: trying again can't help.
    unsent: it surely never left us, so that nobody can have seen it.
    absent: whom it is for is not there to take it now; they may come.
    retry_after: how long the far side asks us to wait.
    """

    def __init__(
        self,
        text: str,
        *,
        permanent: bool = False,
        unsent: bool = False,
        absent: bool = False,
        retry_after: timedelta | None = None,
    ) -> None:
        self.permanent = permanent
        self.unsent = unsent
        self.absent = absent
        self.retry_after = retry_after
        super().__init__(text)


class StoreUnavailable(TocsinError):
    """Nothing of what was asked was kept: the disk is full, fails, or the store is shut."""


class StateError(TocsinError):
    """The daemon's state can't be used; the operator can mend it.

    transient: it may mend itself, so that starting again later is worth it.
    """

    def __init__(self, text: str, *, transient: bool = False) -> None:
        self.transient = transient
        super().__init__(text)


class Damaged(StateError):
    """What the database holds can't be read any more: a backup can take its place."""


class NotRunning(StateError):
    """No daemon runs with that state."""
