"""Where numbers are read: sources of metrics, which plugins bring, each under the name that its settings say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tocsin.errors import TocsinError


class Unreadable(TocsinError):
    """Nothing could be read; the text says why and at which source, and holds neither a credential nor an address.

    down: it is the source that does not answer as it should, and so nothing else can be read there now; else it may be the
    expression.
    """

    def __init__(self, text: str, *, down: bool = False) -> None:
        self.down = down
        super().__init__(text)


@dataclass(frozen=True)
class Series:
    """What was measured of one thing. at: seconds since 1970, ascending; values: as many, all of them finite."""

    labels: Mapping[str, str]
    at: Sequence[float]
    values: Sequence[float]


class Source(Protocol):
    """Something that metrics can be read from. It holds nothing open between two reads, so there is no end to it."""

    async def read(self, expression: str, start: float, end: float, step: float) -> Sequence[Series]:
        """What an expression, in the source's own language, gave from start to end, about every `step` seconds.

        A sample stands at a multiple of `step` since 1970 where the source can do so, and at `start` if that is the end too;
        what was not measured is left out,
        and a series with no samples is not there. Called from the event loop, by many at once. Raises Unreadable, and is
        ended from outside if it takes too long.
        """
        ...


class Sources(dict[str, Source]):
    """All sources, by name."""
