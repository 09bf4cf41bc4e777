"""Rings what is due. A timer rings at least once; its handler looks at the facts again.

Most are rung in a turn, one commit with all that they do. One whose handler is a coroutine function does I/O: an
errand, run as a task beside all else, and its row stays until it has ended.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from tocsin.core import MOST_BEGUN, Nudge, Tocsin, until_kept
from tocsin.domain.message import Message
from tocsin.errors import StoreUnavailable, TocsinError
from tocsin.facts import GROUP
from tocsin.logs import about
from tocsin.safety import PAGE_ABSENT, PAGE_DELIVERED
from tocsin.seen import PAGE_UNSEEN
from tocsin.store import subjects, timers
from tocsin.store.timers import Timer
from tocsin.store.writer import MOST_TURNS
from tocsin.transaction import NEXT_WAY, Transaction

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=1)
"""The ringer looks so often whatever the alarm says: a clock may have been stepped, the machine may have slept."""

_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=5)
MOST_ATTEMPTS = 3
"""After so many failures people are told; it is tried on all the same."""

MANY = {PAGE_DELIVERED, PAGE_ABSENT, PAGE_UNSEEN, NEXT_WAY}
"""Of these thousands may be due after a storm: rung singly they would keep the daemon away for as many seconds."""

MOST_ERRANDS = 16
"""So many are run at a time."""

LONGEST_ERRAND = timedelta(minutes=5)
"""One that takes longer has failed: it must not keep its place from others for ever."""


class Ringer:
    """Rings the due timers, each in a turn of its own, and sends those that do I/O on their errands."""

    def __init__(self, tocsin: Tocsin, *, careful: bool) -> None:
        """Prepare to ring all timers that somebody declared.

        careful: the daemon did not stop in order, so each timer that is due at the start is rung alone, and that
        it was begun is kept first: one that brings the daemon down is found out.
        """
        self._tocsin = tocsin
        self._careful = careful
        self._rung_singly: set[tuple[str, str]] = set()
        self.nudge = Nudge()
        self._errands = Errands(tocsin, singly=careful, on_end=self.nudge.give)

    @property
    def idle(self) -> bool:
        """Whether nothing is due, and no errand under way."""
        return self.nudge.idle and not self._errands.running

    @property
    def _kinds(self) -> set[str]:
        """The kinds that are rung in a turn."""
        return {kind for kind, one in self._tocsin.rules.timers.items() if not one.waits}

    async def run(self) -> None:
        """Ring until cancelled; errands that are under way then are begun again by the next daemon."""
        self._tocsin.on_timer = self.nudge.give
        self._tocsin.clock.every("ringer", LOOK_EVERY, self.nudge.give)
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    await self._ring_all(tasks)
                except StoreUnavailable:
                    log.warning("timers wait: the store is not available")
                await self.nudge.wait()

    async def take_over(self) -> None:
        """Go on from where an earlier daemon stopped: its delays, what rings and has no next step, what is due."""

        def begin(tx: Transaction) -> Sequence[str]:
            timers.after_start(tx.connection, tx.time)
            if not self._careful:
                timers.forgive(tx.connection)
            for kind in sorted(timers.all_kinds(tx.connection) - set(tx.rules.timers)):
                log.warning("timers of kind %s are left alone: no plugin that runs knows them", kind)
            for kind, timer in tx.rules.timers.items():
                if timer.at_start:
                    tx.set_timer(kind, "", after=timedelta(0))
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
        singly = self._kinds - MANY
        while fresh := [
            one for one in await self._due(singly) if (one.kind, one.key) not in self._rung_singly
        ]:
            for timer in fresh:
                goes_on = await self._tocsin.turn(partial(_begin, timer, MOST_BEGUN))
                self._rung_singly.add((timer.kind, timer.key))
                if goes_on:
                    await self._ring(timer)

    async def _ring_all(self, tasks: asyncio.TaskGroup) -> None:
        kinds = self._kinds
        # In one turn, since at a start long ones stand before it.
        (errands, errand_at), due = await self._tocsin.turn(
            lambda tx: (self._errands.look(tx), timers.due(tx.connection, tx.time, kinds, MOST_TURNS))
        )
        await self._errands.begin(errands, tasks)
        while due:
            await asyncio.gather(*map(self._ring, due))
            self.nudge.step()
            due = await self._due(self._kinds)
        kinds = self._kinds
        at = await self._tocsin.turn(lambda tx: timers.next_due(tx.connection, tx.time, kinds))
        if next_at := min(filter(None, (at, errand_at)), default=None):
            self._tocsin.clock.wake_at("ringer", next_at, self.nudge.give)

    async def _due(self, kinds: Iterable[str]) -> Sequence[Timer]:
        return await self._tocsin.turn(lambda tx: timers.due(tx.connection, tx.time, kinds, MOST_TURNS))

    async def _ring(self, timer: Timer) -> None:
        try:
            await self._tocsin.turn(partial(self._take, timer))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 (logged where its reason is found)
            why = _reason(timer, error)

            def put_off(tx: Transaction) -> None:
                # Unless somebody has set it anew, or cancelled it.
                if timers.still_due(tx.connection, timer.kind, timer.key, tx.time) is not None:
                    _put_off(timer, why, tx)

            await self._tocsin.turn(put_off)

    def _take(self, timer: Timer, tx: Transaction) -> None:
        due = timers.still_due(tx.connection, timer.kind, timer.key, tx.time)
        owned = tx.rules.timers.get(timer.kind)  # nobody's any more, it is left alone
        if due is not None and owned is not None:
            tx.cancel_timer(timer.kind, timer.key)
            owned.call(due, tx)
            tx.look_after(timer.key)


class Errands:
    """Runs the due timers that do I/O, each as a task, and the same one never twice at once.

    running: by kind and key.
    """

    def __init__(self, tocsin: Tocsin, *, singly: bool, on_end: Callable[[], None]) -> None:
        """singly: one at a time until none is due, so that one that brings the daemon down is found out; each is
        kept to have begun in any case. on_end: called when there may be a place for another.
        """
        self._tocsin = tocsin
        self._singly = singly
        self._on_end = on_end
        self.running: set[tuple[str, str]] = set()

    def look(self, tx: Transaction) -> tuple[Sequence[Timer], datetime | None]:
        """Those that are due, as far as there are places; when the next will be due."""
        kinds = {kind for kind, one in tx.rules.timers.items() if one.waits}
        due = timers.due(tx.connection, tx.time, kinds, MOST_ERRANDS + len(self.running))
        return due, timers.next_due(tx.connection, tx.time, kinds, but_not_due=True)

    async def begin(self, due: Sequence[Timer], tasks: asyncio.TaskGroup) -> None:
        """Begin those of them that are not under way."""
        fresh = [one for one in due if (one.kind, one.key) not in self.running]
        self._singly = self._singly and bool(due)
        places = (1 if self._singly else MOST_ERRANDS) - len(self.running)
        for one in fresh[: max(0, places)]:
            timer = await self._tocsin.turn(partial(_begin_errand, one))
            if timer is None:
                self._on_end()
                continue
            self.running.add((timer.kind, timer.key))
            tasks.create_task(self._run(timer), name=f"{timer.kind} {timer.key}")

    async def _run(self, timer: Timer) -> None:
        why = ""
        try:
            async with asyncio.timeout(LONGEST_ERRAND.total_seconds()):
                await self._tocsin.rules.timers[timer.kind].call(timer, self._tocsin)
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # we stop; else something that it waited for was cancelled, and it has failed
            why = _reason(timer, error)
        try:
            await self._tocsin.must(partial(_end_errand, timer, why))
        finally:
            self.running.discard((timer.kind, timer.key))
            self._on_end()


def _begin_errand(found: Timer, tx: Transaction) -> Timer | None:
    """Keep that an errand begins; None if it does not."""
    timer = timers.still_due(tx.connection, found.kind, found.key, tx.time)
    # What is begun is counted from the first on, not only after an unclean stop.
    return timer if timer is not None and _begin(timer, MOST_BEGUN + 1, tx) else None


def _end_errand(timer: Timer, why: str, tx: Transaction) -> None:
    """An errand has ended, or failed; nothing of it is left to do unless it was set anew meanwhile.

    why: it failed.
    """
    if timers.is_begun(tx.connection, timer):
        if why:
            _put_off(timer, why, tx)
        else:
            tx.cancel_timer(timer.kind, timer.key)
    tx.look_after(timer.key)


def _begin(timer: Timer, most: int, tx: Transaction) -> bool:
    """Keep that a timer is about to ring; False if it rings no more, since the daemon went down each time."""
    if timer.begun < most:
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
    attempts = timer.attempts + 1
    pause = min(_FIRST_PAUSE * 4 ** min(timer.attempts, 10), _LONGEST_PAUSE)
    timers.set_after(tx.connection, timer.kind, timer.key, pause, tx.time, attempts=attempts)
    tx.timers_changed = True
    if attempts in (1, MOST_ATTEMPTS):
        often = f" {attempts} times" if attempts > 1 else ""
        failed = f"{timer.kind} failed{often}"
        _say(timer, f"{failed} ({why}). It is tried again.", tx, brief=f"{failed}. It is tried again.")


def _reason(timer: Timer, error: BaseException) -> str:
    """What is said of a failure; the rest is logged."""
    if isinstance(error, TocsinError):
        log.error("%s: timer %s failed: %s", timer.key, timer.kind, error, extra=about(_subject(timer)))
        return str(error)
    log.error("%s: timer %s failed", timer.key, timer.kind, exc_info=error, extra=about(_subject(timer)))
    return type(error).__name__


def _say(timer: Timer, text: str, tx: Transaction, *, brief: str = "") -> None:
    """As an alarm for the alert that it is about, if that rings; else the log is enough the first time.

    brief: what all the world may read of it, if it holds what another server said.
    """
    group = tx.find_group(_subject(timer))
    if group is not None and group.rings:
        tx.alarm(group.id, text, brief=brief)
    elif timer.attempts or timer.begun:
        see = "See the log."
        told = Message(f"{text} {see}", subject=_subject(timer), brief=f"{brief} {see}" if brief else "")
        tx.tell(told)


def _subject(timer: Timer) -> str:
    """The id of what a timer is about: its key, or what stands before the first slash."""
    return timer.key.partition("/")[0]
