"""Carries the outbox to the networks: in order in each place, pages first, until each message is settled.

What a place hears next `noise` chooses; how it is sent, and what becomes of it, stands here.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from tocsin.core import Tocsin
from tocsin.digests import find_digest
from tocsin.domain.message import Message, Place
from tocsin.domain.page import warned
from tocsin.echoes import Echoes, release
from tocsin.edits import claimed
from tocsin.errors import NetworkError
from tocsin.failpoints import reach
from tocsin.logs import about
from tocsin.networks.base import Network, Rank
from tocsin.noise import SETTLE_FOR, Choice, Noise, choose, is_plain, next_try, plain
from tocsin.safety import PAGE_ABSENT, PAGE_DELIVERED, page_delivered, page_given_up, page_lost
from tocsin.store import carried, late, outbox, paged
from tocsin.store.outbox import Lane, Row, Sending
from tocsin.transaction import Transaction
from tocsin.ways import UNTIL_ANSWERED, aged, closed, superseded

log = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(seconds=0.5)
LONGEST_PAUSE = {
    Lane.FIRST: timedelta(seconds=15),
    Lane.PAGE: timedelta(seconds=15),
    Lane.ANSWER: timedelta(seconds=60),
    Lane.STATUS: timedelta(seconds=60),
    Lane.NEWS: timedelta(seconds=60),
    Lane.EDIT: timedelta(seconds=60),
}

RANKS = {
    Lane.FIRST: Rank.PAGE,  # behind it a page may wait
    Lane.PAGE: Rank.PAGE,
    Lane.ANSWER: Rank.ANSWER,
    Lane.STATUS: Rank.STATUS,
    Lane.NEWS: Rank.NEWS,
    Lane.EDIT: Rank.EDIT,
}

LOOK_EVERY = timedelta(seconds=1)

COMPLETED_FOR = timedelta(minutes=30)
"""After a start, what goes with a page is put there again for so long: the daemon may have been killed before it was."""

POISON = 5
"""A message that failed so often while its place took others will never pass."""


@dataclass(frozen=True)
class Taken:
    """The network took it, and this is its receipt."""

    receipt: str


Outcome = Taken | NetworkError
T = TypeVar("T")


class Courier:
    """One carrier for each place that has something to hear."""

    def __init__(
        self,
        tocsin: Tocsin,
        networks: Mapping[str, Network],
        echoes: Echoes,
        *,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Prepare to carry what is to be said to these networks, by name."""
        self._tocsin = tocsin
        self._echoes = echoes
        self._networks = networks
        self._jitter = jitter
        self._carriers: dict[Place, asyncio.Task[None]] = {}
        self._again: set[Place] = set()
        self._paused: dict[Place, _Pause] = {}
        self._later: dict[Place, timedelta] = {}
        self._noise: dict[Place, Noise] = {}
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is under way; messages may wait for another try."""
        return not self._carriers

    async def run(self) -> None:
        """Carry until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                self._tocsin.on_say = self.carry
                self._tocsin.clock.every("courier", LOOK_EVERY, self._look)
                self.carry(await self._tocsin.must(lambda tx: outbox.after_start(tx.connection, tx.time)))
                for row in await self._tocsin.must(_ringing):
                    if (network := self._networks.get(row.place.network)) is not None:
                        network.complete(row.place, row.message, row.txn_id, row.receipt)
                await asyncio.Event().wait()
            finally:
                self._tasks = None  # what is said from now on is carried after the next start

    async def drain(self, longest: timedelta) -> None:
        """Finish what is under way, for so long at most."""
        if self._carriers:
            await asyncio.wait(list(self._carriers.values()), timeout=longest.total_seconds())

    def carry(self, places: Iterable[Place]) -> None:
        """There is something to say in these places."""
        for place in sorted(places, key=lambda place: not place.private):  # pages go there, and first
            paused = self._paused.get(place)
            if paused is not None and paused.until > self._tocsin.clock.boot():
                continue
            if place in self._carriers:
                self._again.add(place)
            elif self._tasks is not None:
                self._carriers[place] = self._tasks.create_task(self._carry(place), name=f"carry to {place}")

    def up(self, network: str) -> None:
        """A network takes messages again: what waits for it need not wait longer."""
        for place in [place for place in self._paused if place.network == network]:
            del self._paused[place]
        if self._tasks is not None:
            self._tasks.create_task(self._hasten(network), name=f"hasten {network}")

    async def _hasten(self, network: str) -> None:
        self.carry(await self._tocsin.must(lambda tx: outbox.hasten(tx.connection, network)))

    async def _carry(self, place: Place) -> None:
        try:
            await self._carry_all(place)
        finally:
            del self._carriers[place]
        if place in self._again:
            self.carry({place})

    async def _carry_all(self, place: Place) -> None:
        """Say what waits for a place, one at a time; ends when nothing is to be said now."""
        while True:
            self._again.discard(place)
            choice = await self._tocsin.must(
                partial(_claim, place, self._heard(place), knock=place in self._paused)
            )
            while (row := choice.row) is not None:
                outcome = await self._send(row, Rank.ANSWER if choice.hurried else RANKS[row.lane])
                if not (isinstance(outcome, NetworkError) and outcome.unsent):
                    self._noise[place] = choice.noise
                # Settled and the next one claimed in one commit, unless the place wants to be left alone.
                rest = self._rest(row, outcome)
                choice = await self._tocsin.must(partial(self._settle, row, outcome, go_on=rest is None))
                if rest is not None:
                    self._come_back(place, rest)
                    return
            self._noise[place] = choice.noise
            if place not in self._again:
                break
        if choice.at is not None:
            self._come_back(place, choice.at - self._tocsin.clock.boot())

    def _heard(self, place: Place) -> Noise:
        """What a place heard lately."""
        return self._noise.get(place) or Noise.of(place)

    def _come_back(self, place: Place, wait: timedelta) -> None:
        """Carry on after a while."""
        wait = max(wait, timedelta(0))
        self._later[place] = self._tocsin.clock.boot() + wait
        self._tocsin.clock.wake_at(f"carry to {place}", self._tocsin.clock.now() + wait, self._look)

    def _look(self) -> None:
        """Carry on where the time has come; the alarm may be wrong after the wall clock was set."""
        now = self._tocsin.clock.boot()
        due = [place for place, at in self._later.items() if at <= now]
        for place in due:
            del self._later[place]
        self.carry(due)

    def _rest(self, row: Row, outcome: Outcome) -> timedelta | None:
        """How long the whole place is left alone after that, if at all: its link is down, or it asks for it."""
        if (
            isinstance(outcome, NetworkError)
            and not (outcome.permanent or outcome.absent)
            and (outcome.unsent or outcome.retry_after)
            and not (
                row.lane is Lane.EDIT and outcome.retry_after
            )  # what is said anew need not wait for that
        ):
            failures = self._paused[row.place].failures + 1 if row.place in self._paused else 1
            wait = max(self._backoff(failures, Lane.PAGE), outcome.retry_after or timedelta(0))
            self._paused[row.place] = _Pause(self._tocsin.clock.boot() + wait, failures)
            return wait
        self._paused.pop(row.place, None)
        return None

    def _backoff(self, failures: int, lane: Lane) -> timedelta:
        longest = min(FIRST_PAUSE * 2 ** min(failures, 20), LONGEST_PAUSE[lane])
        return timedelta(seconds=self._jitter(0, longest.total_seconds()))

    async def _send(self, row: Row, rank: Rank) -> Outcome:
        network = self._networks.get(row.place.network)
        if network is None:
            return NetworkError(
                f"no network {row.place.network!r} is configured", permanent=True, unsent=True
            )
        try:
            async with asyncio.timeout(network.send_for.total_seconds()):
                reach("before-send")
                self._echoes.saying(row)
                receipt = await network.send(
                    row.place,
                    row.message,
                    row.txn_id,
                    tried=row.said_at if row.state is Sending.UNKNOWN else None,
                    rank=rank,
                    amends=row.replaces,
                )
                reach("after-send")
                return Taken(receipt)
        except NetworkError as error:
            return error
        except TimeoutError:
            return NetworkError(f"no answer within {network.send_for.total_seconds():.0f} s")
        except Exception as error:
            log.exception("message %d to %s failed", row.id, row.place, extra=_about(row))
            return NetworkError(f"{type(error).__name__} (see the log)")

    def _settle(self, row: Row, outcome: Outcome, tx: Transaction, *, go_on: bool) -> Choice:
        """Write down what became of a message, and claim the next one for its place."""
        became = "put_off"
        if isinstance(outcome, Taken):
            became = "taken"
            _taken(row, outcome, tx)
        elif outcome.absent and row.lane is Lane.PAGE:
            became = "absent"
            self._wait_for(row, outcome, tx)
        elif outcome.permanent or outcome.absent or _is_poison(row, outcome, tx):
            became = "given_up"
            log.error("message %d to %s is given up: %s", row.id, row.place, outcome, extra=_about(row))
            _given_up(row, outcome, tx)
        else:
            log.warning("message %d to %s is tried again: %s", row.id, row.place, outcome, extra=_about(row))
            wait = timedelta(0)  # else the place waits
            if go_on:
                wait = max(self._backoff(row.attempts + 1, row.lane), outcome.retry_after or timedelta(0))
            _put_off(row, outcome, wait, tx, link_down=outcome.unsent and not go_on)
            if row.lane is Lane.PAGE and outcome.unsent:
                closed(row.place, tx)
        tx.sent.append((row.place.network, became))
        if row.lane is Lane.PAGE:
            tx.places |= outbox.release(tx.connection, row.subject, tx.time)
        if row.lane is Lane.PAGE and row.carries:
            tx.places |= carried.release(tx.connection, row.id, tx.time)
        noise = self._heard(row.place)
        return _claim(row.place, noise, tx) if go_on else Choice(None, noise)

    def _wait_for(self, row: Row, outcome: NetworkError, tx: Transaction) -> None:
        """Whoever else can be called is called at once; the page stays on its way in case that they come."""
        log.warning("message %d to %s waits: %s", row.id, row.place, outcome, extra=_about(row))
        wait = self._backoff(row.attempts + 1, row.lane)
        if row.carries:
            for number in carried.numbers(tx.connection, row.id, new_faults=True):
                tx.set_timer(PAGE_ABSENT, str(number), after=timedelta(0))
        _put_off(row, outcome, wait, tx)
        if not row.carries and (row.failed_at is None or row.way_of is not None):
            page_lost(row, str(outcome), tx)


@dataclass(frozen=True)
class _Pause:
    until: timedelta
    failures: int


def _claim(place: Place, noise: Noise, tx: Transaction, *, knock: bool = False) -> Choice:
    """The next message for a place; from now on it may be seen. knock: as for `choose`."""
    release(place, tx)
    while (choice := _chosen(place, noise, tx, knock=knock)).row is not None:
        row = choice.row
        if row.lane is Lane.ANSWER and (before := late.before(tx.connection, row, tx.time)) is not None:
            row = before  # else an older state would be told after a newer one
            choice = replace(choice, row=row, hurried=True)
        if row.state is Sending.PENDING and row.lane in UNTIL_ANSWERED and not _rings(row, tx):
            outbox.settle(tx.connection, row.id, Sending.CANCELLED, tx.time)
            # What of a digest rings nonetheless waits by itself again.
            carried.put_back(tx.connection, row.id, tx.time, timedelta(0))
            continue
        if superseded(row, tx) is not None:
            outbox.settle(tx.connection, row.id, Sending.CANCELLED, tx.time)
            continue
        if row.lane is Lane.EDIT:
            edit = claimed(tx, row)
            if edit is None:
                continue
            outbox.claim(tx.connection, row.id)
            return replace(choice, row=edit)
        under_way = (
            outbox.under_way(tx.connection, row.subject)
            if row.settle and row.state is Sending.PENDING
            else []
        )
        if under_way:
            left = SETTLE_FOR - (tx.time.boot - row.said_boot) * timedelta(microseconds=1)
            if left > timedelta(0):
                outbox.put_off(tx.connection, row.id, Sending.PENDING, tx.time, left)
                continue
        row = _worded(row, warned(_with_code(row, tx), under_way), tx)
        outbox.claim(tx.connection, row.id)
        return replace(choice, row=row)
    return choice


def _chosen(place: Place, noise: Noise, tx: Transaction, *, knock: bool) -> Choice:
    """What the place hears next; whatever is wrong with a digest, nothing that waits stays unsaid."""
    with tx.part() as part:
        return choose(place, noise, tx, knock=knock)
    log.error("no digest can be made for %s: each alert is said alone", place, exc_info=part.error)
    row = outbox.next_for(tx.connection, place, tx.time)
    return Choice(row, noise, None if row else next_try(place, tx))


def _with_code(row: Row, tx: Transaction) -> Message:
    """A page as it is said to whoever proves by a code that they have read it."""
    message = aged(row, tx)
    names_it = row.message.command.split()[1:] == [row.subject]
    if row.state is Sending.UNKNOWN or row.lane is not Lane.PAGE or not names_it:
        return message
    return tx.proven(row.place, message, about=row.subject, person=row.person)


def _worded(row: Row, message: Message, tx: Transaction) -> Row:
    """The row, with other words if need be."""
    if message == row.message:
        return row
    return replace(row, message=message, txn_id=outbox.reword(tx.connection, row.id, message))


def _taken(row: Row, outcome: Taken, tx: Transaction) -> None:
    """A network took it, and so each of those that it said."""
    outbox.settle(tx.connection, row.id, Sending.CONFIRMED, tx.time, receipt=outcome.receipt)
    if row.carries:
        carried.settle(tx.connection, row.id, Sending.CONFIRMED, tx.time, receipt=outcome.receipt)
    if row.lane is Lane.PAGE and row.carries:
        for number in carried.numbers(tx.connection, row.id):
            tx.set_timer(PAGE_DELIVERED, str(number), after=timedelta(0))
    elif row.lane is Lane.PAGE:
        page_delivered(row, tx)


def _put_off(
    row: Row, outcome: NetworkError, wait: timedelta, tx: Transaction, *, link_down: bool = False
) -> None:
    """Try it later; what a digest said that surely nobody has seen waits by itself again.

    link_down: nothing at all could be sent, which says nothing of this message.
    """
    state = _after(row, outcome)
    if row.carries:
        carried.failed(tx.connection, row.id, tx.time, error=str(outcome))
    if row.carries and state is Sending.PENDING:
        outbox.settle(tx.connection, row.id, Sending.CANCELLED, tx.time, error=str(outcome))
        carried.put_back(tx.connection, row.id, tx.time, wait, link_down=link_down)
    else:
        outbox.put_off(tx.connection, row.id, state, tx.time, wait, error=str(outcome), link_down=link_down)


def _after(row: Row, outcome: NetworkError) -> Sending:
    """Where a message stands that is tried again: once it may have been seen, that is never unlearned."""
    return Sending.UNKNOWN if row.state is Sending.UNKNOWN or not outcome.unsent else Sending.PENDING


def _rings(row: Row, tx: Transaction) -> bool:
    """Whether what a message is about rings, all of it if it is a digest."""
    said = find_digest(row.subject, tx) if row.carries else None
    groups = map(tx.find_group, said.event.groups if said else [row.subject])
    return all(group is None or group.unanswered for group in groups)


def _ringing(tx: Transaction) -> list[Row]:
    """The pages that were said lately and are still to be answered."""
    rows = paged.lately(tx.connection, tx.now - COMPLETED_FOR)
    return [row for row in rows if _rings(row, tx)]


def _is_poison(row: Row, outcome: NetworkError, tx: Transaction) -> bool:
    if outcome.unsent or row.attempts + 1 < POISON:
        return False
    if row.lane is Lane.EDIT:
        return True  # whoever needs to know was told besides
    return row.failed_at is not None and outbox.accepted_since(tx.connection, row.place, row.failed_at)


def _given_up(row: Row, outcome: NetworkError, tx: Transaction) -> None:
    """People are told of a page or an answer that never comes; of anything else, or a stranger's, the log is enough."""
    outbox.settle(tx.connection, row.id, Sending.DEAD, tx.time, error=str(outcome))
    if row.carries:
        _digest_given_up(row, outcome, tx)
    elif row.lane is Lane.PAGE:
        page_given_up(row, str(outcome), tx, permanent=outcome.permanent)
    elif row.lane is Lane.ANSWER and not _to_a_stranger(row.place, tx):
        whom = f"{'' if row.place.private else 'in '}{tx.whom(row.place)}"
        tx.tell(f"could not answer {whom}: {outcome}", but_not=row.place)


def _digest_given_up(row: Row, outcome: NetworkError, tx: Transaction) -> None:
    if not (outcome.permanent or outcome.absent or is_plain(row)):
        plain(row, tx)
        return
    carried.settle(tx.connection, row.id, Sending.DEAD, tx.time, error=str(outcome))
    for number in carried.numbers(tx.connection, row.id) if row.lane is Lane.PAGE else ():
        tx.set_timer(PAGE_ABSENT, str(number), after=timedelta(0))


def _about(row: Row) -> Mapping[str, Any]:
    return about(row.subject, network=row.place.network)


def _to_a_stranger(place: Place, tx: Transaction) -> bool:
    return place.private and tx.person_of(place.network, place.name) is None
