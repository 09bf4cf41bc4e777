"""Whose turn it is among all that is to be said on one link, in whatever place."""

import heapq
import itertools
from collections.abc import Iterator

from tocsin.networks.base import Rank
from tocsin.networks.irc.lines import fold
from tocsin.networks.irc.receipts import Spoken


class Turns:
    """What waits: by rank, and within a rank in its order.

    What outranks a message that has been begun goes between two lines of it, but never to the same target: whoever
    reads there sees the lines of one message one behind the other.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Rank, int, Spoken]] = []
        self._numbers = itertools.count()
        self._begun: dict[str, Spoken] = {}

    def __iter__(self) -> Iterator[Spoken]:
        """All that is not over, in no order."""
        return (spoken for _, _, spoken in self._waiting if not spoken.over)

    def add(self, spoken: Spoken, rank: Rank) -> None:
        """It waits from now on."""
        heapq.heappush(self._waiting, (rank, next(self._numbers), spoken))

    def first(self) -> tuple[Spoken, Rank] | None:
        """Of what the next line is to be, and how urgent that is."""
        while self._waiting and self._waiting[0][2].over:
            heapq.heappop(self._waiting)
        if not self._waiting:
            return None
        rank, _, spoken = self._waiting[0]
        return self._begun.get(fold(spoken.target), spoken), rank  # what is in its way is as urgent as it is

    def begin(self, spoken: Spoken) -> None:
        """Its first line goes out."""
        self._begun[fold(spoken.target)] = spoken

    def end(self, spoken: Spoken) -> None:
        """No more of it goes out."""
        spoken.out = len(spoken.lines)
        if self._begun.get(fold(spoken.target)) is spoken:
            del self._begun[fold(spoken.target)]
