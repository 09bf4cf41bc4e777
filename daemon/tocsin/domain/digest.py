"""Digests: many alerts in one message, under an id by which all of them are answered."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tocsin.domain.event import Event
from tocsin.domain.words import counted, listed

DIGEST = "digest"
"""The kind of subject that a digest is; it is never closed."""

MOST_TOLD = 3
"""So many different things are said of the alerts at most."""


@dataclass(frozen=True, kw_only=True)
class DigestSaid(Event):
    """These alerts are told together from now on; wherever the same ones are, it is the same digest.

    groups: their ids.
    """

    kind: ClassVar[str] = "digest.said"
    groups: tuple[str, ...]

    def headline(self) -> str:
        return f"{counted(len(self.groups), 'alert')} told together"


EVENTS: Sequence[type[Event]] = (DigestSaid,)


def told_of(sayings: Iterable[str]) -> str:
    """What is said of several alerts, each thing once: `alice paged (990) and bob paged (8)`."""
    found = Counter(saying for saying in sayings if saying)
    total = found.total()
    some = found.most_common(MOST_TOLD)
    words = [saying if number == total else f"{saying} ({number:,})" for saying, number in some]
    left = total - sum(number for _, number in some)
    return listed([*words, f"{left:,} more"] if left else words)
