"""How fast we talk: below what servers take before they slow a client down, or throw it out."""

from collections.abc import Callable
from datetime import timedelta


class Pace:
    """So many lines at once, then one each so often, as the generic cell rate algorithm counts them (ITU-T I.371)."""

    def __init__(self, burst: int, every: timedelta, now: Callable[[], float]) -> None:
        """now: in seconds, steady."""
        self._every = every.total_seconds()
        self._ahead = (burst - 1) * self._every
        self._now = now
        self._due = 0.0

    def spend(self) -> None:
        """A line goes out, allowed or not."""
        self._due = max(self._due, self._now()) + self._every

    def wait(self) -> float:
        """How many seconds until the next line may go out."""
        return max(0.0, self._due - self._now() - self._ahead)
