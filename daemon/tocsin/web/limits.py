"""How much a receiver may post: at once, so that others have room; and in the long run."""

from collections.abc import Callable
from datetime import timedelta

from tocsin.domain.pace import Pace
from tocsin.domain.words import counted, spelled

BURST_OF = timedelta(seconds=100)
"""What may come in so long, may come at once."""

KIB_EACH = 32
"""How large a post is that counts as one: what Alertmanager says of some thirty alerts."""

CALM_AFTER = timedelta(minutes=5)
"""After so long in which nothing was put off, people are told that it is over."""


class Shares:
    """Room for all, and some for each alone: whatever the others take, that much is left for it."""

    def __init__(self, common: int, own: int) -> None:
        """common: for whoever has used up their own."""
        self._common = common
        self._own = own
        self._taken: dict[str, int] = {}
        self._of_common = 0

    def take(self, who: str, amount: int = 1) -> bool:
        """Take that much, or nothing if there is no room for it."""
        before = self._taken.get(who, 0)
        more = self._beyond(before + amount) - self._beyond(before)
        if more and self._of_common + more > self._common:
            return False
        self._taken[who] = before + amount
        self._of_common += more
        return True

    def give_back(self, who: str, amount: int = 1) -> None:
        """Give back what was taken, or a part of it."""
        before = self._taken[who]
        self._taken[who] = before - amount
        self._of_common -= self._beyond(before) - self._beyond(before - amount)

    def _beyond(self, amount: int) -> int:
        return max(0, amount - self._own)


class Limit:
    """How much a receiver may post in the long run, what was put off because of it, and what people know of that."""

    def __init__(self, receiver: str, per_second: int, now: Callable[[], float]) -> None:
        """now: in seconds, steady."""
        self._receiver = receiver
        self._per_second = 0
        self._now = now
        self._put_off = 0
        self._began = self._last = 0.0
        self._told = False
        self.allow(per_second)

    def allow(self, per_second: int) -> None:
        """So many may be posted from now on; where that is another number, what was posted before counts no more."""
        if per_second == self._per_second:
            return
        self._per_second = per_second
        every, burst = timedelta(seconds=1) / per_second, per_second * BURST_OF.seconds
        self._posts = Pace(burst, every, self._now)
        self._kib = Pace(burst * KIB_EACH, every / KIB_EACH, self._now)

    def wait(self) -> float:
        """How many seconds until a post is let in; none if it is now. A body of any size is paid for afterwards."""
        return max(self._posts.wait(), self._kib.wait())

    def lets_in(self) -> bool:
        """Whether a post is let in; if it isn't, that is counted."""
        if not self.wait():
            self._posts.spend()
            return True
        self._last = self._now()
        if not self._put_off:
            self._began = self._last
        self._put_off += 1
        return False

    def read(self, size: int) -> None:
        """So many bytes of a body were read."""
        self._kib.spend(size / 1024)

    def begins(self) -> str:
        """What people are to be told now that posts are put off; nothing if they know, or none is."""
        if self._told or not self._put_off:
            return ""
        self._told = True
        return (
            f"{self._receiver} posts more than it may, which is {self._per_second} a second: what is beyond is put off, "
            f"and comes late. If it needs all of that, raise receivers.{self._receiver}.limit."
        )

    def ends(self) -> str:
        """What people are to be told once none was put off for a while; nothing before that."""
        if not self._told or self._now() - self._last < CALM_AFTER.total_seconds():
            return ""
        lasted = timedelta(seconds=max(1, round(self._last - self._began)))
        text = f"{self._receiver} posts no more than it may again: {counted(self._put_off, 'post')} put off in {spelled(lasted)}"
        self._put_off, self._told = 0, False
        return text
