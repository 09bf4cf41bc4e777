"""Whoever will be on call is told before: a day, and an hour."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from tocsin.api import Event, Shift, Timer, Transaction, spelled
from tocsin_handoff import edited
from tocsin_handoff.offering import LOOK_AHEAD
from tocsin_handoff.telling import tell_person, when

PLAN = "handoff.plan"
WARN = "handoff.warn"

PLAN_EVERY = timedelta(hours=1)
"""So often it is seen who is to be told next; and at once when an override changes that."""


@dataclass(frozen=True)
class Ahead:
    """before: how long before a shift begins its people are told."""

    before: Sequence[timedelta]

    def changed(self, _: Event, tx: Transaction) -> None:
        """Others may be on call than it was planned."""
        tx.set_timer(PLAN, "", after=timedelta(0))

    def plan(self, _: Timer, tx: Transaction) -> None:
        """Set a timer for all that is to be told before this is looked at again."""
        tx.set_timer(PLAN, "", after=PLAN_EVERY)
        edited.look(tx)
        if not self.before:
            return
        for name in tx.config.schedules:
            until = tx.now + max(self.before) + 2 * PLAN_EVERY
            for person, start in _begins(_planned(name, tx.now, until, tx)):
                for length in self.before:
                    if tx.now < start - length <= tx.now + PLAN_EVERY:
                        tx.set_timer(WARN, f"{name}/{person}/{start.isoformat()}", at=start - length)

    def warn(self, timer: Timer, tx: Transaction) -> None:
        """Tell them, if it is still so."""
        name, person, text = timer.key.split("/", 2)
        start = datetime.fromisoformat(text)
        if name not in tx.config.schedules or start <= tx.now:
            return
        before, *then = _planned(name, start - timedelta(minutes=1), start + LOOK_AHEAD, tx)
        if not then or then[0].start != start or person not in then[0].people or person in before.people:
            return
        left = start - tx.now
        soon = spelled(left - left % timedelta(minutes=1) or left)
        until = f" to {when(then[0].end, person, tx)}" if len(then) > 1 else ""
        said = f"in {soon} you are on call in {name}: {when(start, person, tx)}{until}"
        tell_person(person, said, "", tx)


def _planned(name: str, since: datetime, until: datetime, tx: Transaction) -> Sequence[Shift]:
    """Who will be on call, without those who only stay until somebody has accepted."""
    planned = [one for one in tx.overrides_of(name) if one.leaves]
    return list(tx.config.schedules[name].rota.shifts(since, until, planned))


def _begins(shifts: Sequence[Shift]) -> Iterator[tuple[str, datetime]]:
    """Who comes on call, and when."""
    for before, shift in pairwise(shifts):
        for person in shift.people:
            if person not in before.people:
                yield person, shift.start
