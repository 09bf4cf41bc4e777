"""Rings a person's ways: one lane for each, on which one ring at a time stands for all that calls them there.

When it rings is looked up anew each time from what happened; a lane's timer only says when to look.
"""

import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile

from tocsin.api import (
    AlertGroup,
    Event,
    GroupFiredAgain,
    GroupState,
    Message,
    NetworkError,
    PageFailed,
    PageUnseen,
    PersonPaged,
    PersonReleased,
    Timer,
    Tocsin,
    Transaction,
    first_few,
)
from tocsin_notify.calls import TELLING, Called, Calls
from tocsin_notify.events import Rang, RingSent, lane_of
from tocsin_notify.ring import Ring, Wording, worst_first
from tocsin_notify.sending import send
from tocsin_notify.settings import Person, Reach, Way

log = logging.getLogger(__name__)

RING = "notify.ring"
CALM = "notify.calm"

GAP = timedelta(seconds=10)
"""A lane rings no sooner than this after it did: what begins meanwhile rings with the next."""

GATHER = timedelta(seconds=1)
"""That it is over is told once for what is answered within so long."""

LONGEST_PAUSE = timedelta(minutes=2)
FOR_GOOD_PAUSE = timedelta(minutes=5)
"""What can't help by itself may have been mended by hand."""

TELL_AFTER = 3
"""After so many failures in a row people are told."""

MOST_KEPT = 100


@dataclass(frozen=True)
class Waiting:
    """An alert that calls a person on a lane. at: when it is to ring next; None if it has, and need not again."""

    group: AlertGroup
    called: Called
    at: datetime | None


@dataclass(frozen=True)
class Lane:
    """What was sent to a way lately: today and the day before, the oldest first."""

    sent: Sequence[RingSent]

    @property
    def last(self) -> RingSent | None:
        """The last ring, taken or not."""
        return next((one for one in reversed(self.sent) if not one.calm), None)

    @property
    def heard(self) -> RingSent | None:
        """The last that was taken, be it that it is over."""
        return next((one for one in reversed(self.sent) if not one.why), None)

    @property
    def failing(self) -> Sequence[RingSent]:
        """The rings that were not taken since one was, the last first."""
        rings = (one for one in reversed(self.sent) if not one.calm)
        return list(takewhile(lambda one: one.why, rings))

    def tries_again(self, now: datetime, *, urgent: bool) -> datetime | None:
        """When what was not taken is tried again; now if that was before all that is known here."""
        last = self.last
        if last is None:
            return now
        if last.for_good:
            return last.at + FOR_GOOD_PAUSE if urgent else None
        return last.at + max(last.wait, min(GAP * (1 << min(len(self.failing), 10) - 1), LONGEST_PAUSE))

    def told(self) -> bool:
        """Whether people know that it fails."""
        failing = self.failing
        return len(failing) >= TELL_AFTER or any(one.for_good for one in failing)


@dataclass(frozen=True)
class Due:
    """A ring that is to be sent. said: what it says; way: to what."""

    key: str
    way: Way
    said: Ring
    groups: Sequence[str]


@dataclass(frozen=True)
class Outcome:
    """What came of it. why: empty if it was taken."""

    why: str = ""
    for_good: bool = False
    unsent: bool = False
    wait: timedelta = timedelta(0)


async def attempt(way: Way, said: Ring, reach: Reach) -> Outcome:
    """Send it."""
    try:
        await send(way, said, reach)
    except NetworkError as error:
        log.warning("%s of %s: %s", way.kind, said.person, error)
        return Outcome(str(error), error.permanent, error.unsent, error.retry_after or timedelta(0))
    return Outcome()


@dataclass(frozen=True)
class Lanes:
    """All lanes. repeat: how often what is urgent rings until somebody answers."""

    people: Mapping[str, Person]
    repeat: timedelta
    reach: Reach
    wording: Wording

    # What happens to alerts.

    def page(self, event: PersonPaged, tx: Transaction) -> None:
        """Somebody is called: see when each of their ways is to ring."""
        person = self.people.get(event.person)
        for step in person.steps(urgent=event.urgent) if person else ():
            _look(f"{event.person}/{step.way}", step.after, tx)

    def hasten(self, event: PageUnseen | PageFailed | Rang, tx: Transaction) -> None:
        """What was tried does not reach somebody: see whether another of their ways is due by that."""
        if isinstance(event, Rang) and not event.why:
            return
        name = event.person
        called = _calls(event.subject, tx).people.get(name)
        if called is None or name not in self.people:
            return
        due = called.due(self.people[name].steps(urgent=called.urgent))
        for way, at in due.items():
            if at <= tx.now and way not in called.rang:
                _look(f"{name}/{way}", timedelta(0), tx)

    def go_on(self, event: GroupFiredAgain, tx: Transaction) -> None:
        """What was quiet for a while rings on."""
        for name in _calls(event.subject, tx).people:
            for way in self.people[name].ways if name in self.people else ():
                _look(f"{name}/{way}", timedelta(0), tx)

    def answered(self, event: Event, tx: Transaction) -> None:
        """Nothing of it rings any more: whoever it rang for may learn of that, where it makes no noise."""
        self._calm({name for name, _ in _calls(event.subject, tx).rung}, event, tx)

    def released(self, event: PersonReleased, tx: Transaction) -> None:
        """It rings for somebody else: on theirs it is over."""
        self._calm({event.person}, event, tx)

    def _calm(self, people: Collection[str], event: Event, tx: Transaction) -> None:
        for name, way in _calls(event.subject, tx).rung:
            theirs = self.people[name].ways.get(way) if name in people and name in self.people else None
            if theirs and theirs.ntfy:
                tx.set_timer(CALM, f"{name}/{way}", after=GATHER)

    # What time brings.

    async def ring(self, timer: Timer, tocsin: Tocsin) -> None:
        """Ring a lane, if anything is due on it."""
        due = await tocsin.turn(partial(self._due, timer))
        if due is not None:
            outcome = await attempt(due.way, due.said, self.reach)
            await tocsin.must(partial(self._sent, due, outcome))

    async def calm(self, timer: Timer, tocsin: Tocsin) -> None:
        """Let a lane say that what it rang for is over."""
        due = await tocsin.turn(partial(self._over, timer))
        if due is not None:
            outcome = await attempt(due.way, due.said, self.reach)
            await tocsin.must(partial(_record, due, outcome))

    def _due(self, timer: Timer, tx: Transaction) -> Due | None:
        name, _, way = timer.key.partition("/")
        settings = self._settings(name, way)
        if settings is None:
            return None
        lane = _lane(name, way, tx)
        waiting = self._waiting(name, way, lane, tx)
        if not any(one.at is not None and one.at <= tx.now for one in waiting):
            _look_at_next(timer.key, waiting, tx)
            return None
        last = lane.last
        if last is not None and tx.now - last.at < GAP:
            tx.set_timer(RING, timer.key, after=last.at + GAP - tx.now)
            return None
        now = [one for one in waiting if one.at is None or one.at <= tx.now or way in one.called.rang]
        groups = worst_first([one.group for one in now], tx)
        heard = lane.heard
        said = self.wording.of(
            groups,
            _ring_id(name, way, lane, tx),
            name,
            way,
            tx,
            urgent=any(one.called.urgent for one in now),
            since=min(one.called.at for one in now),
            again=timer.begun > 0 or (last is not None and bool(last.why) and not last.unsent),
            replaces=heard.ring if heard is not None else "",
        )
        return Due(timer.key, settings, said, [group.id for group in groups])

    def _sent(self, due: Due, outcome: Outcome, tx: Transaction) -> None:
        """Keep what came of a ring, and see when the lane rings next."""
        name, _, way = due.key.partition("/")
        before = _lane(name, way, tx)
        after = Lane([*before.sent, _record(due, outcome, tx)])
        if after.told() and not before.told():
            tx.tell(f"{way} of {name} does not ring: {outcome.why}")
        elif before.told() and not after.told():
            tx.tell(f"{way} of {name} rings again")
        still = False
        for subject in due.groups:
            called = _calls(subject, tx).people.get(name)
            if called is None:
                continue  # somebody has answered meanwhile
            still = True
            known = called.rang.get(way)
            if known is None or (bool(known.why), known.for_good) != (bool(outcome.why), outcome.for_good):
                tx.record(
                    Rang(
                        subject=subject,
                        at=tx.now,
                        person=name,
                        way=way,
                        why=outcome.why,
                        for_good=outcome.for_good,
                    )
                )
        if not still and due.way.ntfy:
            tx.set_timer(CALM, due.key, after=GATHER)
        _look_at_next(due.key, self._waiting(name, way, after, tx), tx)

    def _over(self, timer: Timer, tx: Transaction) -> Due | None:
        name, _, way = timer.key.partition("/")
        settings = self._settings(name, way)
        heard = _lane(name, way, tx).heard
        if settings is None or heard is None or heard.calm:
            return None
        if any(name in _calls(one, tx).people for one in heard.alerts):
            return None
        groups = [group for one in heard.alerts if (group := tx.find_group(one)) is not None]
        said = Message(over(groups))
        ring = Ring(heard.ring, name, said.text, (said.text,), said.text, tx.now, calm=True)
        return Due(timer.key, settings, ring, list(heard.alerts))

    def _settings(self, name: str, way: str) -> Way | None:
        return self.people[name].ways.get(way) if name in self.people else None

    def _waiting(self, name: str, way: str, lane: Lane, tx: Transaction) -> Sequence[Waiting]:
        """All alerts that call somebody on this lane."""
        found = []
        for group in tx.open_groups():
            called = _calls(group.id, tx).people.get(name) if group.rings else None
            if called is None:
                continue
            due = called.due(self.people[name].steps(urgent=called.urgent))
            if way not in due:
                continue
            at: datetime | None = due[way]
            rang = called.rang.get(way)
            if rang is not None and rang.why:
                at = lane.tries_again(tx.now, urgent=called.urgent)
            elif rang is not None and called.urgent:
                at = lane.last.at + self.repeat if lane.last else tx.now
            elif rang is not None:
                at = None
            found.append(Waiting(group, called, at))
        return found


def over(groups: Iterable[AlertGroup]) -> str:
    """How alerts stand that nobody is called for any more: `k7f3: acknowledged by bob`."""
    found = list(groups)
    words = list(dict.fromkeys(_stands(group) for group in found))
    if len(words) == 1:
        return f"{first_few([group.id for group in found], 5)}: {words[0]}"
    return f"{first_few([group.id for group in found], 5)}: all answered"


def _stands(group: AlertGroup) -> str:
    match group.state:
        case GroupState.ACKNOWLEDGED:
            return f"acknowledged by {group.acknowledged_by}"
        case GroupState.SILENCED:
            return f"silenced by {group.silenced_by}"
        case GroupState.RESOLVED:
            return "resolved"
        case GroupState.TRIGGERED:
            return "quiet" if group.quiet else "rings for somebody else"


def _record(due: Due, outcome: Outcome, tx: Transaction) -> RingSent:
    name, _, way = due.key.partition("/")
    return tx.record(
        RingSent(
            subject=lane_of(name, way, tx.now),
            at=tx.now,
            ring=due.said.id,
            alerts=tuple(due.groups[:MOST_KEPT]),
            why=outcome.why,
            for_good=outcome.for_good,
            unsent=outcome.unsent,
            wait=outcome.wait,
            calm=due.said.calm,
        )
    )


def _calls(subject: str, tx: Transaction) -> Calls:
    return tx.replay(subject, Calls, TELLING)


def _lane(name: str, way: str, tx: Transaction) -> Lane:
    days = (tx.now - timedelta(days=1), tx.now)
    entries = [entry for day in days for entry in tx.story(lane_of(name, way, day), (RingSent,))]
    return Lane([entry.event for entry in entries if isinstance(entry.event, RingSent)])


def _ring_id(name: str, way: str, lane: Lane, tx: Transaction) -> str:
    """The same until a ring was taken, also after a crash: whoever carries it can make two tries one."""
    taken = sum(not one.why and not one.calm for one in lane.sent)
    return hashlib.sha256(f"{lane_of(name, way, tx.now)}/{taken}".encode()).hexdigest()[:20]


def _look(key: str, after: timedelta, tx: Transaction) -> None:
    """Look at a lane then, unless that is done sooner."""
    left = tx.timer_left(RING, key)
    if left is None or after < left:
        tx.set_timer(RING, key, after=max(after, timedelta(0)))


def _look_at_next(key: str, waiting: Iterable[Waiting], tx: Transaction) -> None:
    at = min((one.at for one in waiting if one.at is not None), default=None)
    if at is not None:
        tx.set_timer(RING, key, after=max(at - tx.now, timedelta(0)))
