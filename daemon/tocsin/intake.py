"""Gives each body that was kept its turn; one that can't be taken is kept, tried again, and told to people."""

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from tocsin.core import MOST_BEGUN, Nudge, Tocsin, until_kept
from tocsin.domain.message import Message
from tocsin.errors import BadPayload, StoreUnavailable, TocsinError
from tocsin.failpoints import reach
from tocsin.rules import Owned, owned
from tocsin.store import intake
from tocsin.store.intake import TRY_AGAIN, Body, Outcome
from tocsin.store.timers import Timer
from tocsin.store.writer import MOST_TURNS
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=1)

READ_AHEAD = 1000
"""Of so many more bodies than can be taken at a time it is looked whose they are."""

CROWD = 8
PORTION = 16
GIVE_WAY = timedelta(seconds=0.05)
MOST_GIVEN_WAY = 20
"""While such a crowd of posts waits to be kept, they come first: bodies are taken in so many at once, with a pause
after them. They are safe once they are kept, and their senders wait for it. So often at most, one second in all:
else a crowd without end would keep everybody from being paged.
"""

MOST_READ = 2**20
"""Of so many bytes of bodies it is remembered what was read in them until they are taken in; others are read again."""

MOST_ATTEMPTS = 3
"""After so many failures a body is given up, and people are told."""

FIRST_PAUSE = timedelta(seconds=10)

TELL_EVERY = timedelta(minutes=10)
"""How often people are told of one receiver's bodies that can't be read; each of them is kept."""


@dataclass(frozen=True)
class Route:
    """Takes what is posted to `/hooks/PLUGIN/PATH/RECEIVER`, or `/hooks/PLUGIN/RECEIVER` if the path is empty.

    parse: the receiver's name and the body into anything; pure. Raises BadPayload.
    take: what came of it, later, in a turn; it is not changed by that, since a turn may be run twice.
    """

    path: str
    parse: Callable[[str, bytes], Any]
    take: Callable[[Any, Transaction], None]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_-]*", self.path):
            raise ValueError(
                f"a route's path is one word of a-z, 0-9, '-' and '_', or empty; not {self.path!r}"
            )


class Routes(dict[str, Route]):
    """All of them, by `PLUGIN` or `PLUGIN/PATH`, which is what stands in a body's row."""


class Lines:
    """Bodies that wait, one line for each receiver, so that nobody waits behind all that another has posted.

    seen: every body up to this id was seen; one that waits again stands in no line, or not yet.
    """

    def __init__(self) -> None:
        """Nothing waits."""
        self.seen = 0
        self._lines: dict[str, deque[int]] = {}
        self._waiting: set[int] = set()

    def add(self, bodies: Iterable[tuple[int, str]]) -> None:
        """They wait, if they don't already."""
        for one, receiver in bodies:
            self.seen = max(self.seen, one)
            if one not in self._waiting:
                self._waiting.add(one)
                self._lines.setdefault(receiver, deque()).append(one)

    def next(self, most: int) -> Sequence[int]:
        """The first of each line, then the second of each …; they wait no more."""
        taken: list[int] = []
        while self._lines and len(taken) < most:
            receiver, line = next(iter(self._lines.items()))
            del self._lines[receiver]  # and to the end, so that the next time begins with another
            taken.append(line.popleft())
            if line:
                self._lines[receiver] = line
        self._waiting.difference_update(taken)
        return taken


@dataclass(frozen=True)
class Read:
    """What its plugin read in a body of so many bytes."""

    size: int
    parsed: Any


class Intake:
    """The worker that takes kept bodies in: of each receiver in the order in which they came, and of all in turn."""

    def __init__(self, tocsin: Tocsin, *, careful: bool) -> None:
        """careful: as for the ringer."""
        self._tocsin = tocsin
        self._careful = careful
        self._taken_singly: set[int] = set()
        self._lines = Lines()
        self._told: dict[str, timedelta] = {}
        self._keeping = 0
        self._read: dict[int, Read] = {}
        self._bytes_read = 0
        self.nudge = Nudge()

    async def keep(self, route: str, receiver: str, body: bytes, read: Read | None = None) -> int:
        """Keep a body; when this returns, it is never lost. Raises StoreUnavailable."""
        self._refuse_if_full()

        def keep(tx: Transaction) -> int:
            tx.bodies_kept = True
            return intake.add(tx.connection, route=route, receiver=receiver, body=body, at=tx.now)

        self._keeping += 1
        try:
            kept = await self._tocsin.turn(keep)
        finally:
            self._keeping -= 1
        if read is not None and self._bytes_read + read.size <= MOST_READ:
            self._read[kept] = read
            self._bytes_read += read.size
        return kept

    async def refuse(self, route: str, receiver: str, body: bytes, why: str) -> int:
        """Keep a body that can't be read, and tell people now and then. Raises StoreUnavailable."""
        self._refuse_if_full()
        now = self._tocsin.clock.boot()
        tell = receiver not in self._told or now - self._told[receiver] >= TELL_EVERY
        log.error("%s posted something that can't be read: %s", receiver, why)

        def refuse(tx: Transaction) -> int:
            kept = intake.add(
                tx.connection,
                route=route,
                receiver=receiver,
                body=body,
                at=tx.now,
                outcome=Outcome.UNREADABLE,
                detail=why,
            )
            if tell:
                _sound(tx, f"{receiver} posted something that can't be read: {why}. Body {kept} is kept.")
            return kept

        if tell:
            self._told[receiver] = now
        try:
            return await self._tocsin.turn(refuse)
        except StoreUnavailable:
            if tell:
                del self._told[receiver]
            raise

    def _refuse_if_full(self) -> None:
        if self._tocsin.state.short_of_room:
            raise StoreUnavailable("the disk is full")

    async def run(self) -> None:
        """Take bodies in until cancelled."""
        self._tocsin.on_body = self.nudge.give
        self._tocsin.clock.every("intake", LOOK_EVERY, self.nudge.give)
        while True:
            try:
                await self._take_all()
            except StoreUnavailable:
                log.warning("what was posted waits: the store is not available")
                self._lines = Lines()  # some that were next still wait, before those that stand in line
            await self.nudge.wait()

    async def _take_all(self) -> None:
        """Take in all that waits, and give way to what is to be kept."""
        left = MOST_GIVEN_WAY
        while waiting := await self._waiting(PORTION if self._is_crowded and left else MOST_TURNS):
            await asyncio.gather(*map(self._take, waiting))
            self.nudge.step()
            if self._is_crowded and left:
                left -= 1
                await asyncio.sleep(GIVE_WAY.total_seconds())

    @property
    def _is_crowded(self) -> bool:
        return self._keeping >= CROWD

    async def _waiting(self, most: int = MOST_TURNS) -> Sequence[int]:
        """Whose turn it is; the oldest are looked at each time, since among them are those that wait again."""

        def look(tx: Transaction) -> Sequence[tuple[int, str]]:
            oldest = intake.waiting(tx.connection, MOST_TURNS)
            if len(oldest) < MOST_TURNS:
                return oldest
            seen = max(self._lines.seen, oldest[-1][0])
            return [*oldest, *intake.waiting(tx.connection, READ_AHEAD, beyond=seen)]

        self._lines.add(await self._tocsin.turn(look))
        return self._lines.next(most)

    async def take_over(self) -> None:
        """Take the bodies that waited when an earlier daemon stopped."""
        if self._careful:
            await until_kept(self._take_singly)

    async def _take_singly(self) -> None:
        """Take the bodies that waited while the daemon went down, perhaps because of one of them."""
        self._lines = Lines()
        while fresh := [one for one in await self._waiting() if one not in self._taken_singly]:
            for one in fresh:
                goes_on = await self._tocsin.turn(partial(_begin, one))
                self._taken_singly.add(one)
                if goes_on:
                    await self._take(one)

    async def _take(self, one: int) -> None:
        read = self._read.pop(one, None)
        self._bytes_read -= read.size if read else 0
        try:
            await self._tocsin.turn(partial(self._take_in, one, read))
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("body %d can't be taken in", one)
            why = str(error) if isinstance(error, TocsinError) else type(error).__name__
            await self._tocsin.turn(partial(_failed, one, why))

    def _take_in(self, one: int, read: Read | None, tx: Transaction) -> None:
        reach("before-take")
        body = intake.find(tx.connection, one)
        if body is None:
            return
        tx.accepted_at = body.received_at
        route = tx.rules.of(Routes).get(body.route)
        if route is None:
            raise BadPayload(f"no plugin that runs takes {body.route}")
        route.take(read.parsed if read else route.parse(body.receiver, body.body), tx)
        intake.settle(tx.connection, one, Outcome.TAKEN, attempts=body.attempts, detail="; ".join(tx.faults))


def timer_kinds() -> Mapping[str, Owned]:
    """The timer by which a body is tried again."""
    return {TRY_AGAIN: owned("core", _take_again)}


def _take_again(timer: Timer, tx: Transaction) -> None:
    intake.again(tx.connection, int(timer.key))
    tx.bodies_kept = True


def _begin(one: int, tx: Transaction) -> bool:
    """Keep that a body is about to be taken; False if it is taken no more, since the daemon went down each time."""
    body = intake.find(tx.connection, one)
    if body is None:
        return False
    if body.begun < MOST_BEGUN:
        intake.begin(tx.connection, one)
        return True
    _park(body, f"the daemon went down with it {MOST_BEGUN + 1} times", tx)
    return False


def _failed(one: int, why: str, tx: Transaction) -> None:
    body = intake.find(tx.connection, one)
    if body is None:
        return
    attempts = body.attempts + 1
    if attempts >= MOST_ATTEMPTS:
        _park(body, why, tx)
        return
    intake.settle(tx.connection, one, Outcome.FAULT, attempts=attempts, detail=why)
    tx.set_timer(TRY_AGAIN, str(one), after=FIRST_PAUSE * 6 ** (attempts - 1))
    if attempts == 1:
        text = f"{body.receiver} posted an alert that could not be taken in ({why})"
        _sound(tx, f"{text}. Body {one} is kept and tried again.")


def _park(body: Body, why: str, tx: Transaction) -> None:
    intake.settle(tx.connection, body.id, Outcome.PARKED, attempts=body.attempts + 1, detail=why)
    _sound(
        tx,
        f"{body.receiver} posted an alert that can't be taken in ({why}). Body {body.id} is kept and given up.",
    )


def _sound(tx: Transaction, text: str) -> None:
    """An alert came, and nobody can be paged for it as they should be: say so wherever somebody may see it."""
    message = Message(text)
    for room in tx.default_rooms():
        tx.page(room, message, about="")
    tx.fall_back(message, about="")
