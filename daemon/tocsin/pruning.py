"""What is old is taken out for good, in small parts: by a daemon that runs, in turns of their own, or without one."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from tocsin import control
from tocsin.config import Config
from tocsin.core import Tocsin
from tocsin.domain.event import Event
from tocsin.domain.incident_events import INCIDENT
from tocsin.domain.pruning import PRUNING, PruneBegun, PruneEnded
from tocsin.errors import StateError
from tocsin.facts import GROUP, Facts, Known
from tocsin.failpoints import reach
from tocsin.store import Database, journal, old, prune
from tocsin.store.database import read_only
from tocsin.store.old import Plan
from tocsin.store.prune import Part, Taken
from tocsin.store.timers import Now
from tocsin.transaction import Transaction

QUESTION = "prune"

LONGEST_PART = 0.003
"""So many seconds a turn of a daemon that runs goes on with it, and one statement more; and so long it rests at least."""

LONGEST_ALONE = 0.2
"""The same where nobody waits."""

BUSY_FOR = 0.02
"""So many seconds it rests while turns wait that others asked for."""

ANSWER_AFTER = 2.0
"""After so many seconds a daemon says how far it came: who asked goes on from there, or not."""

MOST_PARTS = 400
MOST_BYTES = control.LONGEST_QUESTION // 2
"""What is asked of a daemon at once."""


def found(path: Path, config: Config, kinds: Mapping[str, type[Event]], at: Now, before: datetime) -> Plan:
    """What can go of a database, read beside whoever writes to it. Raises StateError."""
    with read_only(path) as connection:
        rooms = Facts(connection, Known(config, kinds), at).made_rooms
        return old.plan(connection, before, kinds, held=set(rooms.values()))


# ── Who does it ─────────────────────────────────────────────────────────────────────────────────────────────


class Hand(Protocol):
    """What takes parts out."""

    def begin(self, before: datetime, who: str) -> int:
        """It is written down that this is done; where in the journal. Raises StateError, as do the others."""

    def take(self, begun: int, before: datetime, parts: Sequence[Part]) -> Taken:
        """Take out some of these, the first ones."""

    def end(self, counts: Mapping[str, int]) -> None:
        """It is written down what was taken out."""


def taken_out(hand: Hand, plan: Plan, who: str) -> Mapping[str, int]:
    """Take out all that was found; how much that was. Raises StateError: what is gone by then stays gone."""
    begun, counts, at = hand.begin(plan.before, who), Counter[str](), 0
    try:
        while at < len(plan.parts):
            taken = hand.take(begun, plan.before, _next(plan.parts, at))
            counts.update(taken.counts)
            at += taken.parts
    except BaseException:
        with suppress(StateError):
            hand.end(counts)
        raise
    hand.end(counts)
    return counts


def _next(parts: Sequence[Part], at: int) -> Sequence[Part]:
    some, size = list[Part](), 0
    for part in parts[at : at + MOST_PARTS]:
        size += 80 + sum(len(one) + 4 for one in part.ids) + 20 * len(part.events)
        if some and size > MOST_BYTES:
            break
        some.append(part)
    return some


class ByDaemon:
    """A daemon that runs does it."""

    def __init__(self, folder: Path) -> None:
        """folder: of its state."""
        self._ask = partial(control.ask, folder, QUESTION)

    def begin(self, before: datetime, who: str) -> int:
        return int(self._answer(do="begin", before=before.isoformat(), who=who)["begun"])

    def take(self, begun: int, before: datetime, parts: Sequence[Part]) -> Taken:
        answer = self._answer(
            do="take", begun=begun, before=before.isoformat(), parts=[asdict(part) for part in parts]
        )
        return Taken(answer["parts"], answer["counts"])

    def end(self, counts: Mapping[str, int]) -> None:
        self._answer(do="end", counts=counts)

    def _answer(self, **asked: Any) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._ask(**asked)
        return answer


class Alone:
    """No daemon runs: it is done here, by whoever holds the state folder."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def begin(self, before: datetime, who: str) -> int:
        return self._record(PruneBegun(subject=PRUNING, at=self._now(), before=before, who=who))

    def take(self, begun: int, before: datetime, parts: Sequence[Part]) -> Taken:
        with self._database.writer.connect() as connection, connection.begin():
            taken = prune.take(connection, begun, before, parts, _enough(LONGEST_ALONE))
        reach("pruned-part")
        return taken

    def end(self, counts: Mapping[str, int]) -> None:
        self._record(_ended(counts, self._now()))

    def _record(self, event: Event) -> int:
        with self._database.writer.connect() as connection, connection.begin():
            return journal.add(connection, event, self._now())


# ── In the daemon ───────────────────────────────────────────────────────────────────────────────────────────


async def asked(tocsin: Tocsin, question: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `ByDaemon` asks for."""
    match question["do"]:
        case "begin":
            before, who = datetime.fromisoformat(question["before"]), str(question["who"])
            return {"begun": await tocsin.turn(partial(_begin, before, who))}
        case "take":
            parts = [Part(**part) for part in question["parts"]]
            before, begun = datetime.fromisoformat(question["before"]), int(question["begun"])
            taken = await _take(tocsin, begun, before, parts)
            return {"parts": taken.parts, "counts": taken.counts}
        case _:
            await tocsin.turn(lambda tx: tx.record(_ended(question["counts"], tx.now)))
            return {}


def _begin(before: datetime, who: str, tx: Transaction) -> int:
    tx.record(PruneBegun(subject=PRUNING, at=tx.now, before=before, who=who))
    entry = journal.read_last(tx.connection, tx.kinds, PRUNING, PruneBegun.kind)
    if entry is None:
        raise StateError("what was written down a moment ago is not there")
    return entry.seq


async def _take(tocsin: Tocsin, begun: int, before: datetime, parts: Sequence[Part]) -> Taken:
    at, counts, until = 0, Counter[str](), perf_counter() + ANSWER_AFTER
    while at < len(parts) and perf_counter() < until:
        began = perf_counter()
        some = parts[at : at + MOST_PARTS]

        def turn(tx: Transaction, some: Sequence[Part] = some) -> Taken:
            return prune.take(tx.connection, begun, before, some, _enough(LONGEST_PART))

        taken = await tocsin.turn(turn)
        reach("pruned-turn")
        counts.update(taken.counts)
        at += taken.parts
        await _rest(tocsin, perf_counter() - began)
    return Taken(at, counts)


async def _rest(tocsin: Tocsin, took: float) -> None:
    """Whoever else waits for the writer goes first, and the machine has as long for others as this took."""
    await asyncio.sleep(max(took, BUSY_FOR if tocsin.writer.waiting else LONGEST_PART))


def _enough(after: float) -> Callable[[], bool]:
    until = perf_counter() + after
    return lambda: perf_counter() > until


def _ended(counts: Mapping[str, int], at: datetime) -> PruneEnded:
    of = Counter(counts)
    others = of.total() - of[GROUP] - of[INCIDENT] - of["events"] - of["audit"]
    return PruneEnded(
        subject=PRUNING,
        at=at,
        alerts=of[GROUP],
        incidents=of[INCIDENT],
        others=others,
        events=of["events"],
        audit=of["audit"],
    )
