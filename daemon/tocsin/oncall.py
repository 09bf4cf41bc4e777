"""Looks once a minute who is on call, and records it when that has changed."""

from collections.abc import Mapping
from datetime import timedelta

from tocsin.domain.duty import OnCallChanged, duty_of
from tocsin.store.timers import Timer
from tocsin.transaction import Owned, Transaction, owned

LOOK = "core.on_call"


def timer_kinds() -> Mapping[str, Owned]:
    """The timer by which it looks again."""
    return {LOOK: owned("core", look)}


def begin(tx: Transaction) -> None:
    """Look at once, if there is anything to look at."""
    if tx.config.schedules:
        tx.set_timer(LOOK, "", after=timedelta(0))


def look(_: Timer, tx: Transaction) -> None:
    """See who is on call now, and again when the next minute begins: that is when people take over."""
    for schedule in tx.config.schedules:
        people = tuple(tx.callees(schedule))
        before = tx.on_call_before(schedule)
        if people != before:
            before = people if before is None else before
            tx.record(OnCallChanged(subject=duty_of(schedule), at=tx.now, people=people, before=before))
    if tx.config.schedules:
        # By length: set back by a day, the wall clock would show the next minute only then.
        begun = timedelta(seconds=tx.now.second, microseconds=tx.now.microsecond)
        tx.set_timer(LOOK, "", after=timedelta(minutes=1) - begun)
