"""How soon a server is tried again that can't be reached, or does not let us stay."""

from collections.abc import Callable
from datetime import timedelta

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
KNOCK_EVERY = 1.5
MOST_KNOCKS = 200
"""How many seconds lie between two tries at most where nobody answers at all; after so many tries, ten times as many."""


class Knocking:
    """Counts the tries in vain."""

    def __init__(self, jitter: Callable[[float, float], float], *, least: float = 0.0) -> None:
        """least: how many seconds lie between two tries in any case."""
        self._jitter = jitter
        self._least = least
        self._knocks = 0
        self._turned_away = 0

    def pause(self, asked: timedelta | None) -> float:
        """How many seconds to wait before the next try.

        asked: the first time that we were turned away; None if nobody was there at all, which costs a server nothing.
        """
        if asked is None:
            self._knocks += 1
            often = self._knocks < MOST_KNOCKS
            return (
                self._jitter(max(FIRST_PAUSE, self._least), KNOCK_EVERY)
                if often
                else self._jitter(5 * KNOCK_EVERY, 10 * KNOCK_EVERY)
            )
        self._knocks = 0
        if not asked:
            self._turned_away = 0
            return self._jitter(self._least, self._least + FIRST_PAUSE)
        longest = min(LONGEST_PAUSE, asked.total_seconds() * 2 ** min(self._turned_away, 10))
        self._turned_away += 1
        return self._jitter(max(longest / 2, self._least), max(longest, self._least))
