"""What we or others say in one room and a bridge repeats in another one: who repeats us is nobody, and asks for nothing.

One line of ours that is repeated is enough to take two rooms for bridged, one that is not to take them for two again. So
whoever repeats us without being a bridge keeps from a room only what they say there themselves.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from tocsin.bridged import ECHO_WITHIN, HELD
from tocsin.core import Tocsin
from tocsin.domain.bridge import BRIDGES, RoomsApart, RoomsBridged, Spoken, is_same, said_there
from tocsin.domain.message import Line, Place, clean
from tocsin.store import held, outbox
from tocsin.store.outbox import Row, Sending
from tocsin.transaction import Transaction

HEARD_WITHIN = timedelta(seconds=30)
"""A bridge repeats a line within so long."""

LEADS_WITHIN = timedelta(seconds=30)
"""So long a message waits for the one that is to be heard in its place to be taken."""

LOOK_AGAIN = timedelta(seconds=1)

LATE = timedelta(seconds=13)
"""Who looks so late may have been away, or deaf, meanwhile: that says nothing of a bridge."""

MOST_KNOWN = 200
"""So many lines are compared at most with each that a stranger says in a room."""


@dataclass(frozen=True)
class Ours:
    """A line that we say in a room. at: when, on the boot clock."""

    row: Row
    spoken: Sequence[Spoken]
    at: timedelta


@dataclass(frozen=True)
class Echo:
    """That a line of ours was heard elsewhere. whole: and not only its beginning."""

    row: Row
    whole: bool


class Echoes:
    """Knows what was said in rooms a moment ago."""

    def __init__(self, tocsin: Tocsin) -> None:
        """Nothing was said."""
        self._tocsin = tocsin
        self._ours = deque[Ours](maxlen=MOST_KNOWN)
        self._asked = deque[tuple[timedelta, Place, str]](maxlen=MOST_KNOWN)

    async def begin(self) -> None:
        """Go on from what was said as the last daemon stopped."""
        for row in await self._tocsin.must(_lately):
            self.saying(row)

    def saying(self, row: Row) -> None:
        """That is being said: it may be repeated before the network has answered."""
        if not row.place.private:
            self._ours.append(Ours(row, Spoken.ways(row.message), self._tocsin.clock.boot()))

    def asked(self, line: Line) -> None:
        """Somebody whom we know asks for something in a room."""
        self._asked.append((self._tocsin.clock.boot(), line.place, line.text))

    def of_ours(self, line: Line) -> list["Echo"]:
        """Which of our lines a stranger repeats there."""
        since = self._tocsin.clock.boot() - HEARD_WITHIN
        ours = [one for one in self._ours if one.at >= since and one.row.place.network != line.place.network]
        texts = list(said_there(line.text)) if ours else []
        echoes = []
        for one in ours:
            both = [(way, text) for way in one.spoken for text in texts]
            whole = any(way.is_in(text) for way, text in both)
            if whole or any(way.begins_in(text) for way, text in both):
                echoes.append(Echo(one.row, whole))
        return echoes

    def of_others(self, line: Line) -> bool:
        """Whether a stranger repeats what somebody whom we know asked for on the other side of a bridge."""
        since = self._tocsin.clock.boot() - HEARD_WITHIN
        return any(
            at >= since and self._joins(line.place, place) and is_same(line.text, text)
            for at, place, text in self._asked
        )

    def may_come_before(self, line: Line) -> bool:
        """Whether a bridge may have been faster than the network from which it brings a line."""
        bridges = self._tocsin.known.bridges
        return bridges is not None and any(line.place == target for _, target in bridges.pairs)

    def _joins(self, one: Place, other: Place) -> bool:
        bridges = self._tocsin.known.bridges
        return bridges is not None and bridges.joins(one, other)


def heard(line: Line, echoes: Sequence[Echo], tx: Transaction) -> None:
    """Somebody repeats there what we said elsewhere: what waits to be said there was heard, and need not be."""
    for echo in echoes:
        row = echo.row
        if echo.whole:
            held.drop(tx.connection, row.id, line.place, tx.time)
        elif held.free_of(tx.connection, row.id, line.place, tx.time):
            tx.places.add(line.place)
        if row.lane in HELD and tx.bridges.learns(row.place, line.place, tx.now):
            by = clean(line.called, 100)
            source, target = str(row.place), str(line.place)
            tx.record(RoomsBridged(subject=BRIDGES, at=tx.now, source=source, target=target, by=by))
            tx.say(
                row.place,
                f"{by} repeats in {_named(line.place)} what I say here: from now on I say there only what does not"
                f" come through within {ECHO_WITHIN.seconds} s",
            )


def release(place: Place, tx: Transaction) -> None:
    """Of what waits in a room to be heard there, let that be said now which does not come."""
    for one in held.due(tx.connection, place, tx.time) if not place.private else ():
        leader = outbox.find(tx.connection, one.leader)
        waits = _waits(one, leader, place, tx) if leader is not None else timedelta(0)
        if waits:
            outbox.put_off(tx.connection, one.id, Sending.PENDING, tx.time, waits)
        else:
            held.free(tx.connection, one.id)


def _waits(one: held.Held, leader: Row, place: Place, tx: Transaction) -> timedelta:
    """How long a message still waits for another one to be heard in its place."""
    if (leader.place, place) not in tx.bridges.pairs or not tx.reaches(leader.place):
        return timedelta(0)
    if leader.state in (Sending.DEAD, Sending.CANCELLED):
        return timedelta(0)
    if leader.state is not Sending.CONFIRMED or leader.settled_at is None:
        waited = (tx.time.boot - one.said_boot) * timedelta(microseconds=1)
        return LOOK_AGAIN if waited < LEADS_WITHIN else timedelta(0)
    since = tx.now - leader.settled_at
    if since < -ECHO_WITHIN:  # the clock was set back: nothing tells how long it is waited for by now
        return timedelta(0)
    if since < ECHO_WITHIN:
        return ECHO_WITHIN - max(since, timedelta(0))
    if since < LATE:
        _apart(leader.place, place, tx)
    return timedelta(0)


def _apart(source: Place, target: Place, tx: Transaction) -> None:
    tx.record(RoomsApart(subject=BRIDGES, at=tx.now, source=str(source), target=str(target)))
    held.free_all(tx.connection, target, tx.time)
    tx.say(target, f"what I say in {_named(source)} does not come here any more: I say it here again")


def _named(place: Place) -> str:
    return f"{place.name} on {place.network}"


def _lately(tx: Transaction) -> Sequence[Row]:
    """What was said in the last moments, and may be repeated yet; the bridges that are known are found out for it."""
    rows = held.said_since(tx.connection, tx.now - HEARD_WITHIN) if tx.bridges.pairs else ()
    return [row for row in rows if not row.place.private]
