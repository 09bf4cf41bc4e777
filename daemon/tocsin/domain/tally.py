"""Many groups in few words: counted by severity and name, and every one of them in some number. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tocsin.domain.alert import rank
from tocsin.domain.group import AlertGroup
from tocsin.domain.message import clean
from tocsin.domain.words import counted, listed

LONGEST_NAME = 40
"""Of an alert's name where several are counted, in characters."""

_NO_WORD = re.compile(r"[\s,;'\"]")
_QUOTES = re.compile("['\"]")


@dataclass(frozen=True)
class Tally:
    """The groups whose worst alerts have one severity and one name.

    severity: as people read it, or nothing. shown: the name as it stands between words of ours: cut, and in quotes if
    it is more than a word, so that what stands in it passes for no number of ours. groups: in the order in which they
    were given.
    """

    severity: str
    name: str
    shown: str
    groups: tuple[AlertGroup, ...]

    @property
    def kind(self) -> str:
        """`critical DiskFull`."""
        return f"{self.severity} {self.shown}".strip()

    @property
    def ringing(self) -> int:
        return sum(group.rings for group in self.groups)

    def bears(self, name: str) -> bool:
        """Whether that is its name, as somebody types it or copies it from a list."""
        ours = (self.name, clean(self.name, LONGEST_NAME), self.shown.strip("'"))
        return name.casefold() in map(str.casefold, ours)


def tallies(groups: Iterable[AlertGroup], order: Sequence[str]) -> list[Tally]:
    """Each group in one of them; the most severe first, then what is many. order: the severities, the worst first."""
    found = defaultdict[tuple[str, str, str], list[AlertGroup]](list)
    for group in groups:
        severity, name = group.called(order)
        found[severity, *_clean(name, ours=bool(group.opened_by))].append(group)
    counts = [Tally(*kind, tuple(alike)) for kind, alike in found.items()]
    return sorted(counts, key=lambda tally: (rank(tally.severity, order), -len(tally.groups), tally.kind))


@lru_cache(maxsize=1000)  # a thousand alerts bear few names
def _clean(name: str, *, ours: bool) -> tuple[str, str]:
    """A name, and how it is shown. ours: it holds no word from outside."""
    name = clean(name) or "alert"
    shown = clean(name, LONGEST_NAME)
    return name, shown if ours or not _NO_WORD.search(shown) else f"'{_QUOTES.sub('', shown)}'"


def named(groups: Iterable[AlertGroup], order: Sequence[str], *, most: int = 3) -> str:
    """`200 critical DiskFull, 750 warning HighLoad and 48 of 3 other names`: the most severe first.

    order: the severities, the worst first. most: so many names at most, and one more if that is all; the same
    name at another severity is another.
    """
    found = tallies(groups, order)
    if len(found) == most + 1 > 1:
        most += 1  # to name the last takes no more room than to count it
    words = [f"{len(tally.groups):,} {tally.kind}" for tally in found[:most]]
    rest = found[most:]
    if rest:
        left = sum(len(tally.groups) for tally in rest)
        words.append(f"{left:,} of {counted(len(rest), 'other name' if words else 'name')}")
    return listed(words)
