"""How many kills of a campaign counted, and what they hit."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Tally:
    """The kills that counted, by what was under way then.

    idle: those that hit nothing. away: those that counted while people could see and say nothing. lost: how often
    that came about. did: what else came about, which is told for the figures alone.
    """

    wanted: int
    kills: int = 0
    idle: int = 0
    away: int = 0
    lost: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    did: Counter[str] = field(default_factory=Counter)

    def enough(self) -> bool:
        return self.kills >= self.wanted or self.idle > 3 * self.wanted + 30

    def add(self, phases: Iterable[str], *, away: bool) -> None:
        """A kill counts if anything was under way; where next to none does, the daemon has come to a stop."""
        found = set(phases)
        if found:
            self.kills += 1
            self.away += away
            self.phases.update(found)
        else:
            self.idle += 1
