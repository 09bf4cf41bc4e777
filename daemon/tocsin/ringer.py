"""Rings what is due. A timer rings at least once; its handler looks at the facts again."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from tocsin.core import MOST_BEGUN, Nudge, Tocsin, until_kept
from tocsin.domain.message import Message
from tocsin.errors import StoreUnavailable
from tocsin.facts import GROUP
from tocsin.store import subjects, timers
from tocsin.store.timers import Timer
from tocsin.store.writer import MOST_TURNS
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=1)
"""The ringer looks so often whatever the alarm says: a clock may have been stepped, the machine may have slept."""

_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=5)
MOST_ATTEMPTS = 3
"""After so many failures people are told; it is tried on all the same."""


class Ringer:
    """Rings the due timers, each in a turn of its own."""

    def __init__(self, tocsin: Tocsin, *, careful: bool) -> None:
        """Prepare to ring all timers that somebody declared.

        careful: the daemon did not stop in order, so each timer that is due at the start is rung alone, and that
        it was begun is kept first: one that brings the daemon down is found out.
        """
        self._tocsin = tocsin
        self._kinds = tocsin.rules.timers
        self._careful = careful
        self._rung_singly: set[tuple[str, str]] = set()
        self.nudge = Nudge()

    async def run(self) -> None:
        """Ring until cancelled."""
        self._tocsin.on_timer = self.nudge.give
        self._tocsin.clock.every("ringer", LOOK_EVERY, self.nudge.give)
        while True:
            try:
                await self._ring_all()
            except StoreUnavailable:
                log.warning("timers wait: the store is not available")
            await self.nudge.wait()

    async def take_over(self) -> None:
        """Go on from where an earlier daemon stopped: its delays, what rings and has no next step, what is due."""

        def begin(tx: Transaction) -> Sequence[str]:
            timers.after_start(tx.connection, tx.time)
            for kind in sorted(timers.all_kinds(tx.connection) - set(self._kinds)):
                log.warning("timers of kind %s are left alone: no plugin that runs knows them", kind)
            have_one = timers.keys(tx.connection, tx.rules.steps)
            return [one.id for one in subjects.all_open(tx.connection, GROUP) if one.id not in have_one]

        def look_after(some: Sequence[str], tx: Transaction) -> None:
            for subject in some:
                tx.look_after(subject)

        found = await self._tocsin.must(begin)
        for at in range(0, len(found), MOST_TURNS):  # all in one turn would take long enough to pass for hung
            await self._tocsin.must(partial(look_after, found[at : at + MOST_TURNS]))
        if self._careful:
            await until_kept(self._ring_singly)

    async def _ring_singly(self) -> None:
        """Ring what was due when the daemon went down, perhaps because of one of them."""
        while fresh := [one for one in await self._due() if (one.kind, one.key) not in self._rung_singly]:
            for timer in fresh:
                goes_on = await self._tocsin.turn(partial(_begin, timer))
                self._rung_singly.add((timer.kind, timer.key))
                if goes_on:
                    await self._ring(timer)

    async def _ring_all(self) -> None:
        while due := await self._due():
            await asyncio.gather(*map(self._ring, due))
        at = await self._tocsin.turn(lambda tx: timers.next_due(tx.connection, tx.time, self._kinds))
        if at is not None:
            self._tocsin.clock.wake_at("ringer", at, self.nudge.give)

    async def _due(self) -> Sequence[Timer]:
        return await self._tocsin.turn(lambda tx: timers.due(tx.connection, tx.time, self._kinds, MOST_TURNS))

    async def _ring(self, timer: Timer) -> None:
        try:
            await self._tocsin.turn(partial(self._take, timer))
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("%s: timer %s failed", timer.key, timer.kind)
            await self._tocsin.turn(partial(_put_off, timer, type(error).__name__))

    def _take(self, timer: Timer, tx: Transaction) -> None:
        due = timers.still_due(tx.connection, timer.kind, timer.key, tx.time)
        if due is not None:
            tx.cancel_timer(timer.kind, timer.key)
            self._kinds[timer.kind].call(due, tx)
            tx.look_after(timer.key)


def _begin(timer: Timer, tx: Transaction) -> bool:
    """Keep that a timer is about to ring; False if it rings no more, since the daemon went down each time."""
    if timer.begun < MOST_BEGUN:
        timers.begin(tx.connection, timer)
        return True
    tx.cancel_timer(timer.kind, timer.key)
    log.error("%s: timer %s is given up", timer.key, timer.kind)
    why = f"{timer.kind} is given up: the daemon went down with it {MOST_BEGUN + 1} times"
    _say(timer, f"{why}.", tx)
    tx.look_after(_subject(timer))
    return False


def _put_off(timer: Timer, why: str, tx: Transaction) -> None:
    """Try a timer again later, longer each time, and tell people if that does not help."""
    if timers.still_due(tx.connection, timer.kind, timer.key, tx.time) is None:
        return  # somebody has set it anew, or cancelled it
    attempts = timer.attempts + 1
    pause = min(_FIRST_PAUSE * 4 ** min(timer.attempts, 10), _LONGEST_PAUSE)
    timers.set_after(tx.connection, timer.kind, timer.key, pause, tx.time, attempts=attempts)
    tx.timers_changed = True
    if attempts in (1, MOST_ATTEMPTS):
        often = f" {attempts} times" if attempts > 1 else ""
        _say(timer, f"{timer.kind} failed{often} ({why}). It is tried again.", tx)


def _say(timer: Timer, text: str, tx: Transaction) -> None:
    """As an alarm for the alert that it is about, if that rings; else the log is enough the first time."""
    group = tx.find_group(_subject(timer))
    if group is not None and group.rings:
        tx.alarm(group.id, text)
    elif timer.attempts or timer.begun:
        tx.tell(Message(f"{text} See the log.", subject=_subject(timer)))


def _subject(timer: Timer) -> str:
    """The id of what a timer is about: its key, or what stands before the first slash."""
    return timer.key.partition("/")[0]
