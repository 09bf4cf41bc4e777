"""Whose shifts became others by an edit of the configuration is told which."""

import hashlib
from datetime import timedelta

from tocsin.api import Shift, Transaction
from tocsin_handoff.events import ShiftsKnown, shifts_of
from tocsin_handoff.setting import tell_differences
from tocsin_handoff.shifts import cut, differences

KNOWN_FOR = timedelta(weeks=5)
"""So far ahead it is told what has changed."""

KNOWN_AGAIN = timedelta(weeks=1)


def look(tx: Transaction) -> None:
    """See of each schedule whether it is the one that people know."""
    for name, schedule in tx.config.schedules.items():
        digest = hashlib.sha256(repr(schedule.rota).encode()).hexdigest()
        known = tx.last(shifts_of(name), ShiftsKnown)
        if known is not None and known.digest == digest and tx.now - known.at < KNOWN_AGAIN:
            continue
        shifts = tuple(schedule.rota.shifts(tx.now, tx.now + KNOWN_FOR))
        if known is not None and known.digest != digest:
            _tell(name, known, shifts, tx)
        tx.record(ShiftsKnown(subject=shifts_of(name), at=tx.now, digest=digest, shifts=shifts))


def _tell(name: str, known: ShiftsKnown, shifts: tuple[Shift, ...], tx: Transaction) -> None:
    """Of the weeks that both are about."""
    since, until = tx.now, known.shifts[-1].end
    found = differences(cut(known.shifts, since, until), cut(shifts, since, until))
    tell_differences(name, found, "", tx, horizon=until)
