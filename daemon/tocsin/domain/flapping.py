"""A group that comes and goes: when it flaps, and what happens to it then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from tocsin.domain.alert import Alert, first_of
from tocsin.domain.event import Event
from tocsin.domain.words import counted, spelled

MOST_STARTS = 50
"""How many times a group is remembered to have begun to fire."""

SHORTEST_HOLD = timedelta(minutes=1)


@dataclass(frozen=True)
class FlapRule:
    """When a group flaps, and when that is over.

    after: how often it has to fire again within that time; 0 for never. hold: how long it has to stay as it is.
    """

    after: int = 3
    within: timedelta = timedelta(minutes=30)
    hold: timedelta = timedelta(minutes=15)

    def __post_init__(self) -> None:
        if self.after >= MOST_STARTS:
            raise ValueError(f"after is {self.after}: it must be less than {MOST_STARTS}")
        if self.hold < SHORTEST_HOLD:
            raise ValueError(
                f"hold is {spelled(self.hold)}: it must be at least {spelled(SHORTEST_HOLD)}; "
                "after = 0 lets nothing be flapping"
            )

    def flaps(self, starts: Sequence[datetime]) -> Sequence[datetime]:
        """Those of the times at which it began to fire, the last being now, by which it flaps; none if it doesn't.

        One that is still to come says nothing: the clock was set back since.
        """
        now = starts[-1]
        lately = [at for at in starts if now - self.within < at <= now]
        return lately if 0 < self.after < len(lately) else []


@dataclass(frozen=True, kw_only=True)
class FlappingBegan(Event):
    """It fired so often that its changes are told no more, and it is open until it stays quiet.

    times: how often, since when. hold: how long it has to stay as it is until that is over.
    """

    kind: ClassVar[str] = "group.flapping_began"
    matters: ClassVar[bool] = True
    times: int
    since: datetime
    hold: timedelta

    def headline(self) -> str:
        return f"flapping: fired {counted(self.times, 'time')} in {spelled(self.at - self.since)}"

    def said(self) -> str:
        """What people are told of it."""
        until = f"until it has been quiet or firing for {spelled(self.hold)}"
        return f"{self.headline()}; I say no more of each change {until}"


@dataclass(frozen=True, kw_only=True)
class GroupQuieted(Event):
    """While it flaps, all of it stopped firing: it is not over before it has stayed so."""

    kind: ClassVar[str] = "group.quieted"

    def headline(self) -> str:
        return "quiet, but flapping"


@dataclass(frozen=True, kw_only=True)
class GroupFiredAgain(Event):
    """While it flaps, it fires after it was quiet. alerts, unlisted: as for `GroupOpened`. times: how often by now."""

    kind: ClassVar[str] = "group.fired_again"
    alerts: tuple[Alert, ...]
    unlisted: int = 0
    times: int

    def headline(self) -> str:
        return f"fires again ({counted(self.times, 'time')}): {first_of(self.alerts, self.unlisted)}"


@dataclass(frozen=True, kw_only=True)
class FlappingEnded(Event):
    """It fires, and has for so long without a break. times: how often it fired while it flapped."""

    kind: ClassVar[str] = "group.flapping_ended"
    matters: ClassVar[bool] = True
    times: int
    fired_for: timedelta

    def headline(self) -> str:
        often = f"after flapping {counted(self.times, 'time')}"
        return f"fires without a break for {spelled(self.fired_for)} {often}"


Flap = GroupQuieted | GroupFiredAgain
"""A change of a group that flaps, which is told nobody."""
