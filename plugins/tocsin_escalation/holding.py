"""When somebody will be on call, where nobody is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin_escalation.sight import Sight

LOOKS_AHEAD = (timedelta(days=1), timedelta(days=8), timedelta(days=92))
"""So far it is looked, one after the other: most gaps are short. Who would have to wait for longer waits for nobody."""


@dataclass(frozen=True)
class Comes:
    """These people will be on call by a schedule from an instant on."""

    at: datetime
    schedule: str
    people: Sequence[str]


def comes_on_call(names: Iterable[str], sight: Sight) -> Comes | None:
    """Who is on call first by those of these names that are schedules; None if somebody is now, or nobody ever will be."""
    schedules = [name for name in names if name in sight.config.schedules]
    if any(sight.callees(name) for name in schedules):
        return None
    for ahead in LOOKS_AHEAD:
        found = [comes for name in schedules if (comes := _first(name, ahead, sight)) is not None]
        if found:
            return min(found, key=lambda comes: comes.at)
    return None


def _first(name: str, ahead: timedelta, sight: Sight) -> Comes | None:
    for shift in sight.shifts(name, sight.now, sight.now + ahead):
        if shift.people:
            return Comes(shift.start, name, shift.people)
    return None
