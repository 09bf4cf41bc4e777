"""Whose turn it is among all that is to be said by one account, in whatever room: homeservers count by account."""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta

from tocsin.domain.pace import Pace
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank

MOST_AT_ONCE = 8
"""So many requests are under way at a time: of more, a homeserver gets none done sooner."""

KEPT_FOR_PAGES = 2
"""Of what may go out at once, and of what may be under way at a time, so much only pages take."""

PAGE_ALONE = 1.0
"""For so many seconds a page under way has the homeserver to itself, and until it is on its way to its readers.

A homeserver does one thing at a time: a line that it is given together with a page makes the page twice as late.
"""

PASSED_ON = 0.1
"""So many seconds a homeserver needs at most to pass a page on that it took."""

WAIT_AT_MOST = 20.0
"""How many seconds a message waits for its turn before the courier has it back."""


class Gate:
    """Lets out the best rank first, no faster than the homeserver takes it.

    refusals: how often the homeserver said that it was too fast.
    """

    def __init__(self, burst: int, every: timedelta) -> None:
        self._pace = Pace(burst, every, _now)
        self._burst = burst
        self._every = every.total_seconds()
        self._waiting: list[tuple[Rank, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._under_way = 0
        self._pages = 0
        self._only_pages_until = 0.0
        self._shut_until = 0.0
        self.refusals = 0
        self._alarm: asyncio.TimerHandle | None = None

    @contextlib.asynccontextmanager
    async def turn(self, rank: Rank) -> AsyncIterator[None]:
        """Wait for a turn, and have it while this lasts. Raises NetworkError if none comes in time."""
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._numbers), turn))
        self._let_out()
        try:
            await asyncio.wait([turn], timeout=WAIT_AT_MOST)
            if not turn.done():
                raise NetworkError("too much is being said", unsent=True)
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._ended(rank)
            turn.cancel()
            self._let_out()

    def shut(self, wait: timedelta) -> None:
        """The homeserver takes nothing for so long, and then what comes steadily, but no more at once."""
        self.refusals += 1
        self._shut_until = max(self._shut_until, _now() + wait.total_seconds())
        if self._every:
            self._pace.spend(max(0.0, self._burst - self._pace.wait(self._burst) / self._every))
        self._let_out()

    def free(self, rank: Rank) -> bool:
        """Whether something of that rank would go out at once."""
        return not self._waiting and not self._full(rank) and self._wait(rank) <= 0

    def _let_out(self) -> None:
        """Give turns to all who may have one now."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._waiting:
            rank, _, turn = self._waiting[0]
            if turn.done():
                heapq.heappop(self._waiting)
                continue
            if self._full(rank):
                return
            if (wait := self._wait(rank)) > 0:
                self._alarm = asyncio.get_running_loop().call_later(wait, self._let_out)
                return
            heapq.heappop(self._waiting)
            self._pace.spend()
            self._began(rank)
            turn.set_result(None)

    def _began(self, rank: Rank) -> None:
        self._under_way += 1
        if rank == Rank.PAGE:
            self._pages += 1
            self._only_pages_until = _now() + PAGE_ALONE

    def _ended(self, rank: Rank) -> None:
        self._under_way -= 1
        if rank == Rank.PAGE:
            self._pages -= 1
            if not self._pages:
                self._only_pages_until = min(self._only_pages_until, _now() + PASSED_ON)

    def _full(self, rank: Rank) -> bool:
        """Whether so much is under way that somebody of that rank waits: a page waits for nothing that hangs."""
        kept = 0 if rank == Rank.PAGE else KEPT_FOR_PAGES
        return self._under_way >= max(1, MOST_AT_ONCE - kept)

    def _wait(self, rank: Rank) -> float:
        """How many seconds somebody of that rank waits, if nobody else goes out meanwhile."""
        if rank == Rank.PAGE:
            return max(self._pace.wait(1), self._shut_until - _now())
        needed = 1 + KEPT_FOR_PAGES
        if rank == Rank.EDIT:
            needed = max(needed, self._burst // 2)
        return max(self._pace.wait(needed), self._shut_until - _now(), self._only_pages_until - _now())


def _now() -> float:
    return asyncio.get_running_loop().time()
