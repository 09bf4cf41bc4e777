"""The noise budget: how often a place hears of alerts, so that a thousand at once are told in a few lines."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

MINUTE = timedelta(minutes=1)

SOON = timedelta(seconds=3)
"""What comes so soon after something was said may be the beginning of a storm."""

CALM = timedelta(seconds=1)
STORM_CALM = timedelta(seconds=2.5)
FIRST = timedelta(seconds=0.3)
"""What may be a storm is gathered until nothing has come for CALM, or if it is one for STORM_CALM, so that all of it is
in one digest; not longer than `Limits.longest`, and where nothing was said before than FIRST."""

WORSE = timedelta(seconds=1.5)
"""So long at most waits what is worse than all that was said."""

MOST_NEW = 4
"""With more names of the worst severity than so many another one is nothing new."""

Sort = tuple[int, str]
"""What an alert is: how severe, 0 being the worst, and its name."""


@dataclass(frozen=True)
class Limits:
    """How many messages a minute: as long as each alert is said alone, and once there was a digest. apart: how long
    after a digest the next message comes at the earliest. longest: how long something is gathered at most.
    """

    alone: int
    storm: int
    apart: timedelta
    longest: timedelta


PRIVATE = Limits(alone=4, storm=2, apart=timedelta(0), longest=timedelta(seconds=20))
ROOM = Limits(alone=6, storm=4, apart=timedelta(seconds=15), longest=timedelta(seconds=10))


@dataclass(frozen=True)
class Waiting:
    """What waits to be said in one place, on the boot clock.

    oldest, newest: since when the first and the last of it waits. sorts: since when the first of each sort does.
    """

    count: int
    oldest: timedelta
    newest: timedelta
    sorts: Mapping[Sort, timedelta]


@dataclass(frozen=True)
class Budget:
    """What was said in one place, and so when the next may be.

    said: when, in the last minute. overtook: when something was said only because it was worse; it counts for nothing.
    digest_at: when the last digest was. sorts: what was told since the last quiet minute.
    """

    limits: Limits
    said: tuple[timedelta, ...] = ()
    overtook: frozenset[timedelta] = frozenset()
    digest_at: timedelta | None = None
    sorts: frozenset[Sort] = frozenset()

    def due(self, waiting: Waiting, now: timedelta) -> timedelta:
        """When something of what waits is to be said, as things stand."""
        in_turn, said = self.in_turn(waiting, now), self._recent(now)
        worse = [waiting.sorts[sort] for sort in self.worse(waiting)]
        if not (said and worse):
            return in_turn
        return min(in_turn, now if said[-1] + SOON <= now else min(worse) + WORSE)

    def in_turn(self, waiting: Waiting, now: timedelta) -> timedelta:
        """As `due`, if none of it were worse than what was told."""
        said = self._recent(now)
        calm = waiting.newest + (STORM_CALM if self.folds(waiting.count, now) else CALM)
        if not said:
            return now if waiting.count <= 2 else min(calm, waiting.oldest + FIRST)
        gathered = min(calm, waiting.oldest + self.limits.longest)
        alone = said[-1] + SOON <= now
        most, storm = self._most(now), self._is_storm(now)
        earliest = now if alone and waiting.count == 1 and not storm else gathered
        spent = self._spent(now)
        if storm and spent:
            earliest = max(earliest, spent[-1] + self.limits.apart)
        if len(spent) >= most:
            earliest = max(earliest, spent[-most] + MINUTE)
        return earliest

    def folds(self, count: int, now: timedelta) -> bool:
        """Whether so many are said in a digest, if they are said now."""
        return count > 1 and (self._is_storm(now) or count > self._most(now) - len(self._spent(now)))

    def after(
        self, sorts: Iterable[Sort], now: timedelta, *, digest: bool, overtook: bool = False
    ) -> "Budget":
        """What it is once these were said. overtook: before it was their turn."""
        said = self._recent(now)
        return replace(
            self,
            said=(*said, now),
            overtook=self.overtook.intersection(said) | ({now} if overtook else frozenset()),
            digest_at=now if digest else self.digest_at,
            sorts=frozenset(sorts) | (self.sorts if said else frozenset()),
        )

    def _recent(self, now: timedelta) -> tuple[timedelta, ...]:
        return tuple(at for at in self.said if at > now - MINUTE)

    def _spent(self, now: timedelta) -> tuple[timedelta, ...]:
        return tuple(at for at in self._recent(now) if at not in self.overtook)

    def _is_storm(self, now: timedelta) -> bool:
        return self.digest_at is not None and self.digest_at > now - MINUTE

    def _most(self, now: timedelta) -> int:
        return self.limits.storm if self._is_storm(now) else self.limits.alone

    def worse(self, waiting: Waiting) -> frozenset[Sort]:
        """What of that is worse than all that was told: by severity, or as bad as can be and something else."""
        told = min((rank for rank, _ in self.sorts), default=0)
        severer = {sort for sort in waiting.sorts if sort[0] < told}
        worst = {sort for sort in (*self.sorts, *waiting.sorts) if sort[0] == 0}
        return frozenset(severer | (worst - self.sorts if len(worst) <= MOST_NEW else set()))
