"""How fast something may go: so much at once, and then so much each so often."""

from collections.abc import Callable
from datetime import timedelta


class Pace:
    """So many at once, then one each so often, as the generic cell rate algorithm counts them (ITU-T I.371)."""

    def __init__(self, burst: int, every: timedelta, now: Callable[[], float]) -> None:
        """now: in seconds, steady."""
        self._every = every.total_seconds()
        self._burst = burst
        self._now = now
        self._due = 0.0

    def spend(self, amount: float = 1) -> None:
        """One goes out, or more, allowed or not."""
        self._due = max(self._due, self._now()) + amount * self._every

    def wait(self, amount: int = 1) -> float:
        """How many seconds until so many may go out at once, or as many as ever may."""
        ahead = max(self._burst - amount, 0) * self._every
        return max(0.0, self._due - self._now() - ahead)
