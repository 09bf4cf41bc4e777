"""What is wrong with schedules is told when the daemon starts and each day, once a day while it lasts."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from functools import partial

from tocsin.api import Message, Timer, Tocsin, Transaction, on_the_wall
from tocsin_schedules.events import SUBJECT, FaultsTold
from tocsin_schedules.faults import AHEAD, Plan, reached, unreachable

LOOK = "schedules.look"

AT = time(10)
"""When, where the schedule is: an hour at which something can be done about it."""

TOLD_LATELY = timedelta(hours=20)
"""For so long what was told is not told again: a day is 23 hours once a year, and a start may come in between."""

MOST_LINES = 6


async def look(timer: Timer, tocsin: Tocsin) -> None:
    """Look at the schedules of the zone that the timer's key names, and again tomorrow; at the start at all.

    Hundreds of schedules take longer than what pages should wait for, so they are looked at between two turns.
    """
    seen = await tocsin.turn(partial(_begin, timer.key))
    faults = await asyncio.to_thread(seen.faults)
    await tocsin.must(partial(_tell, faults))


@dataclass(frozen=True)
class _Seen:
    """What is looked at. reached: whom some network knows. prefix, override: as for `Plan.in_short`."""

    plans: Sequence[Plan]
    reached: Collection[str]
    prefix: str
    override: bool

    def faults(self) -> Sequence[str]:
        gaps = (line for plan in self.plans for line in plan.in_short(self.prefix, override=self.override))
        layers = (line for plan in self.plans for line in plan.empty_layers(planned=False))
        return [*gaps, *unreachable(self.plans, self.reached), *layers]


def _begin(key: str, tx: Transaction) -> _Seen:
    zones = {schedule.timezone.key: schedule.timezone for schedule in tx.config.schedules.values()}
    if key:
        zones = {each: zone for each, zone in zones.items() if each == key}
    for each, zone in zones.items():
        if key or not tx.timer_is_set(LOOK, each):
            today = tx.now.astimezone(zone).date()
            days = (on_the_wall(today + timedelta(days=more), AT, zone) for more in (0, 1, 2))
            tx.set_timer(LOOK, each, at=next(at for at in days if at > tx.now))
    names = [name for name, schedule in tx.config.schedules.items() if schedule.timezone.key in zones]
    plans = [Plan.of(name, AHEAD, tx) for name in names]
    return _Seen(plans, reached(tx), tx.typed(""), override="handoff" in tx.config.plugins)


def _tell(faults: Sequence[str], tx: Transaction) -> None:
    lately = {
        fault
        for entry in tx.story(SUBJECT, (FaultsTold,))
        if isinstance(entry.event, FaultsTold) and tx.now - entry.at < TOLD_LATELY
        for fault in entry.event.faults
    }
    new = [fault for fault in faults if fault not in lately]
    if new:
        tx.record(FaultsTold(subject=SUBJECT, at=tx.now, faults=tuple(new)))
        lines = new if len(new) <= MOST_LINES else [*new[: MOST_LINES - 1], _more(new, tx)]
        tx.tell(Message(lines[0], lines=tuple(lines[1:])))


def _more(faults: Sequence[str], tx: Transaction) -> str:
    return f"\u2026 and {len(faults) - MOST_LINES + 1} more: {tx.typed('schedule gaps')}"
