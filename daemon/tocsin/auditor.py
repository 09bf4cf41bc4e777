"""Looks whether what must always hold does hold: by the database alone, beside the parts that should see to it.

No open alert without a next step, no timer that should have rung, no message that nobody sends, no page of which nobody
knows what became. What it finds is told past the outbox, if that may be what stands still, and put right where that is safe.
"""

import asyncio
import logging
import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import partial

from sqlalchemy import Connection

from tocsin.alerts import FLAPPING_OVER
from tocsin.core import Tocsin
from tocsin.distress import cry
from tocsin.domain.message import Place
from tocsin.domain.words import first_few, spelled
from tocsin.engine import Engine
from tocsin.errors import StateError, StoreUnavailable
from tocsin.facts import GROUP
from tocsin.networks.base import Network
from tocsin.ringer import LONGEST_ERRAND
from tocsin.rules import Rules
from tocsin.safety import LONGEST_HELD, PAGE_ABSENT, PAGE_DELIVERED
from tocsin.store import invariants
from tocsin.store.database import read_only
from tocsin.store.invariants import Late, NextSteps, Stranded, Unsettled
from tocsin.store.outbox import Sending
from tocsin.store.timers import Now
from tocsin.store.writer import MOST_TURNS
from tocsin.transaction import FALLBACK, PAGE_DEADLINE_TIMER, SILENCE_OVER, Transaction

log = logging.getLogger(__name__)

TICK = timedelta(seconds=1)
LOOK_EVERY = timedelta(minutes=1)
BLIND_AFTER = 3 * LOOK_EVERY
"""A self-check that ended so long ago says nothing of now."""

LATE = timedelta(minutes=1)
"""A timer that is late by so much has been forgotten: the ringer looks once a second."""

LATE_ERRAND = 2 * LONGEST_ERRAND
"""One that does I/O may run as long as an errand may, and wait as long for its place."""

SETTLED_LATELY = timedelta(minutes=10)

TELL_AGAIN = timedelta(minutes=30)
"""What goes on is told again so often."""

MOST_NAMED = 3

RESTART = "Restart Tocsin, and look at its log."


def looks(length: timedelta) -> int:
    """At how many looks in a row something must be seen to last for so long.

    The time between the first two does not count: the machine may have slept in it.
    """
    return 2 + math.ceil(length / LOOK_EVERY)


class Sort(Enum):
    """What can be wrong: in words, and what is said when it no longer is. cries: messages may be what stands still."""

    NO_STEP = "rang with no next step: each is told in the rooms", "every alert has a next step", False
    ASLEEP = "in a silence that nothing would have ended: put right", "every silence has an end", False
    QUIET = "flapping, which nothing would have ended: put right", "every flapping alert has an end", False
    OVERDUE = (
        f"should have rung long ago: next steps may not come. {RESTART}",
        "all timers ring in time",
        True,
    )
    WAITING = (
        f"waited for by pages that nobody sends, though the network is up. {RESTART}",
        "pages are sent",
        True,
    )
    SENDING = (
        f"being sent something that has no end: what is said there waits. {RESTART}",
        "messages are sent",
        True,
    )
    UNKNOWN = (
        "paged, and nobody knows what became of that: taken up again",
        "what became of each page is known",
        True,
    )
    HANGS = f"so no page may come. {RESTART}", "the engine turns", True
    BLIND = f"so nobody knows how things stand. {RESTART}", "the database can be read", True

    def __init__(self, text: str, over: str, cries: bool) -> None:  # noqa: FBT001 (written as a table)
        self.text = text
        self.over = over
        self.cries = cries


@dataclass(frozen=True)
class Suspect:
    """Something that should not be so, and is one for certain once it was seen at so many looks in a row.

    key: what says that it is the same one still.
    """

    sort: Sort
    key: Hashable
    words: str
    looks: int = 1


@dataclass(frozen=True)
class Found:
    """What the database said at one moment."""

    stranded: Stranded
    late: Sequence[Late]
    waiting: Mapping[Place, int]
    sending: Mapping[tuple[int, int], Place]
    unsettled: Sequence[Unsettled]

    def suspects(self, standing: Mapping[str, str], send_for: Mapping[str, timedelta]) -> list[Suspect]:
        """All that should not be so. standing: network -> why it is down; empty if it is up. send_for: how long one
        message may take there.
        """
        alerts = {
            Sort.NO_STEP: self.stranded.rings,
            Sort.ASLEEP: self.stranded.silenced,
            Sort.QUIET: self.stranded.quiet,
        }
        some = [Suspect(sort, one, one) for sort, ids in alerts.items() for one in ids]
        some += [
            Suspect(Sort.OVERDUE, (one.kind, one.key, one.due), f"{one.kind} {one.key}".strip(), looks=2)
            for one in self.late
        ]
        held = looks(LONGEST_HELD)
        some += [
            Suspect(Sort.WAITING, (place, first), str(place), held)
            for place, first in self.waiting.items()
            if not standing.get(place.network)
        ]
        some += [
            Suspect(Sort.SENDING, one, str(place), looks(send_for.get(place.network, timedelta(0))))
            for one, place in self.sending.items()
        ]
        return some + [Suspect(Sort.UNKNOWN, one.id, one.subject) for one in self.unsettled]


@dataclass
class _Told:
    """What people were told of, and when last, on the boot clock."""

    since: timedelta
    at: timedelta


class Auditor:
    """Looks once a minute. What it found and told is not kept: a daemon that starts finds it anew.

    complaints: what is wrong, in words, as of the last look.
    """

    def __init__(
        self, tocsin: Tocsin, engine: Engine, standing: Mapping[str, str], networks: Mapping[str, Network]
    ) -> None:
        """standing: network -> why it is down; empty if it is up. networks: by name, the fallback among them."""
        self._tocsin = tocsin
        self._engine = engine
        self._standing = standing
        self._networks = networks
        self._tick = asyncio.Event()
        self._looking = False
        self._seen = dict[tuple[Sort, Hashable], int]()
        self._told = dict[Sort, _Told]()
        self._since = tocsin.clock.now()
        self._began = self._ended = tocsin.clock.boot()
        self._wrong: Collection[Sort] = ()
        self.complaints: Sequence[str] = ()

    @property
    def idle(self) -> bool:
        """Whether it is not looking, nor about to."""
        return not (self._looking or self._tick.is_set())

    def complaint(self) -> str:
        """What is wrong, as far as is known; empty if nothing is."""
        silent_for = self._tocsin.clock.boot() - self._ended
        if silent_for > BLIND_AFTER:
            return f"the self-check has not ended for {spelled(silent_for)}"
        return "; ".join(self.complaints)

    def told_outside(self) -> str:
        """The same for whoever is not one of us: with nobody's name, and no alert's id."""
        found = "; ".join(sort.over for sort in Sort if sort in self._wrong)
        return f"no longer so: {found}" if found else self.complaint()

    async def run(self) -> None:
        """Look until cancelled."""
        self._began = self._ended = self._tocsin.clock.boot()
        self._since = self._tocsin.clock.now()
        self._tocsin.clock.every("auditor", TICK, self._tick.set)
        while True:
            await self._tick.wait()
            self._tick.clear()
            if self._tocsin.clock.boot() - self._began >= LOOK_EVERY:
                self._looking = True
                await self._look()
                self._looking = False

    async def _look(self) -> None:
        self._began = self._tocsin.clock.boot()
        suspects, found = list[Suspect](), None
        if hangs := await self._engine.hangs():  # what was due when the machine slept has rung after that
            suspects.append(Suspect(Sort.HANGS, "", hangs, looks=3))
        now, rules = self._tocsin.time(), self._tocsin.rules
        try:
            read = partial(_read, now=now, since=self._since, rules=rules)
            found = await asyncio.to_thread(self._beside, read)
            send_for = {name: network.send_for for name, network in self._networks.items()}
            suspects += found.suspects(self._standing, send_for)
        except StateError as error:
            suspects.append(Suspect(Sort.BLIND, "", str(error), looks=3))
        except Exception as error:
            log.exception("the self-check failed")
            suspects.append(Suspect(Sort.BLIND, "", type(error).__name__, looks=3))
        self._since = now.at
        self._seen = {(one.sort, one.key): self._seen.get((one.sort, one.key), 0) + 1 for one in suspects}
        certain = [one for one in suspects if self._seen[one.sort, one.key] >= one.looks]
        self._wrong = {one.sort for one in certain}
        self.complaints = [text for sort in Sort if (text := _told_of(sort, certain))]
        self._ended = self._tocsin.clock.boot()
        try:
            if found is not None:
                await self._heal(found, certain)
            await self._tell(certain)
        except StoreUnavailable:
            log.error("what the self-check found can't be kept: %s", "; ".join(self.complaints))  # noqa: TRY400 (no traceback helps)

    def _beside(self, read: "partial[Found]") -> Found:
        """In a thread."""
        with read_only(self._tocsin.state.database) as connection:
            return read(connection)

    async def _heal(self, found: Found, certain: Sequence[Suspect]) -> None:
        """Put right what can be by what exists for that anyway; each looks at the facts again."""
        rings, silenced, quiet = found.stranded.rings, found.stranded.silenced, found.stranded.quiet
        for at in range(0, len(rings), MOST_TURNS):
            await self._tocsin.turn(partial(_look_after, rings[at : at + MOST_TURNS]))
        if silenced or quiet:
            await self._tocsin.turn(partial(_end_some_day, silenced, quiet))
        if found.unsettled:
            await self._tocsin.turn(partial(_settle, found.unsettled))
        waiting = {
            place for place, first in found.waiting.items() if _is(Sort.WAITING, (place, first), certain)
        }
        if waiting:
            self._tocsin.on_say(waiting)

    async def _tell(self, certain: Sequence[Suspect]) -> None:
        """Say what is wrong when it begins, now and then while it goes on, and when it is over."""
        boot = self._tocsin.clock.boot()
        for sort in Sort:
            text, told = _told_of(sort, certain), self._told.get(sort)
            if text and (told is None or boot - told.at >= TELL_AGAIN):
                since = told.since if told is not None else boot
                lasts = f" (for {spelled(boot - since)} now)" if told is not None else ""
                await self._say(sort, f"self-check{lasts}: {text}")
                self._told[sort] = _Told(since, boot)
            elif told is not None and not text:
                log.warning("self-check: %s again", sort.over)
                await self._tocsin.turn(partial(_tell, f"self-check: {sort.over} again"))
                del self._told[sort]

    async def _say(self, sort: Sort, text: str) -> None:
        log.error(text)
        if not sort.cries:
            await self._tocsin.turn(partial(_tell, text))
        elif not (sort is Sort.HANGS and self._tocsin.writer.failing):  # of that the guard tells
            await cry(text, self._networks, self._tocsin.config)


def _told_of(sort: Sort, certain: Collection[Suspect]) -> str:
    """`escalation.step k7f3 and 2 more should have …`; empty if nothing is wrong."""
    words = list(dict.fromkeys(one.words for one in certain if one.sort is sort))
    return f"{first_few(words, MOST_NAMED)}: {sort.text}" if words else ""


def _is(sort: Sort, key: Hashable, certain: Collection[Suspect]) -> bool:
    return any(one.sort is sort and one.key == key for one in certain)


def _read(connection: Connection, now: Now, since: datetime, rules: Rules) -> Found:
    """All that the database says, at one moment. since: when it was asked last."""
    quick = [kind for kind, timer in rules.timers.items() if not timer.waits]
    errands = [kind for kind, timer in rules.timers.items() if timer.waits]
    steps = NextSteps(tuple(rules.steps), SILENCE_OVER, FLAPPING_OVER)
    return Found(
        stranded=invariants.stranded(connection, GROUP, steps),
        late=[
            *invariants.overdue(connection, now, quick, LATE),
            *invariants.overdue(connection, now, errands, LATE_ERRAND),
        ],
        waiting=invariants.waiting_pages(connection, now, since),
        sending=invariants.sending(connection),
        unsettled=invariants.unsettled(
            connection, PAGE_DEADLINE_TIMER, (PAGE_DELIVERED, PAGE_ABSENT), FALLBACK, now.at - SETTLED_LATELY
        ),
    )


def _tell(text: str, tx: Transaction) -> None:
    tx.tell(text)


def _look_after(groups: Sequence[str], tx: Transaction) -> None:
    for one in groups:
        tx.look_after(one)


def _end_some_day(silenced: Sequence[str], quiet: Sequence[str], tx: Transaction) -> None:
    for one in silenced:
        tx.set_timer(SILENCE_OVER, one, after=timedelta(0))
    for one in quiet:
        group = tx.find_group(one)
        if group is not None and group.flapping is not None:
            tx.set_timer(FLAPPING_OVER, one, after=group.flapping.hold)


def _settle(pages: Sequence[Unsettled], tx: Transaction) -> None:
    outcome = {Sending.CONFIRMED: PAGE_DELIVERED, Sending.DEAD: PAGE_ABSENT}
    for one in pages:
        kind = outcome.get(one.state, PAGE_DEADLINE_TIMER)
        tx.set_timer(kind, str(one.page if kind == PAGE_DEADLINE_TIMER else one.id), after=timedelta(0))
