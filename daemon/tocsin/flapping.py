"""A group that flaps: when it has stayed quiet, or firing, for long enough, that is over."""

from collections.abc import Mapping
from datetime import timedelta

from tocsin.alerts import FLAPPING_OVER, announce
from tocsin.rules import Owned, owned
from tocsin.store import timers
from tocsin.store.timers import Timer
from tocsin.transaction import Transaction

LATE = timedelta(minutes=1)
"""If it is rung so much later than it should have been, nobody was there to hear whether it stayed so."""


def timer_kinds() -> Mapping[str, Owned]:
    """The timer that each of its changes sets anew."""
    return {FLAPPING_OVER: owned("core", over)}


def begin(tx: Transaction) -> None:
    """The daemon starts: nobody heard what was reported since the last one stopped, so the time begins anew."""
    timers.begin_anew(tx.connection, FLAPPING_OVER, tx.time)


def over(timer: Timer, tx: Transaction) -> None:
    """Nothing has changed: say in one line how it stands."""
    group = tx.find_group(timer.key)
    if group is None or group.flapping is None:
        return
    if tx.now - timer.due_at > LATE:
        tx.set_timer(FLAPPING_OVER, group.id, after=group.flapping.hold)
    else:
        announce(tx, tx.record(group.settle(tx.now)))
