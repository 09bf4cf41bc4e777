"""Keeps the noise budget: chooses what a place hears next, and makes one digest of what would be too many lines."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import groupby

from tocsin.digests import digest_of
from tocsin.domain.alert import rank
from tocsin.domain.budget import PRIVATE, ROOM, Budget, Limits, Sort, Waiting
from tocsin.domain.digest import told_of
from tocsin.domain.group import AlertGroup
from tocsin.domain.message import Message, Place
from tocsin.domain.page import warned
from tocsin.domain.tally import named
from tocsin.domain.words import counted
from tocsin.failpoints import reach
from tocsin.store import carried, outbox
from tocsin.store.outbox import Folding, Lane, Row, Sending
from tocsin.transaction import FALLBACK, Transaction
from tocsin.ways import UNTIL_ANSWERED, superseded

SETTLE_FOR = timedelta(seconds=5)
"""How long an answer waits for pages under way before it is given with a warning."""

MOST_ENDED = 1000
"""So many a digest says at most of what may have ended: each is replayed for it, and thousands of them in one turn would
take long enough to pass for hung.
"""

LOOK_AGAIN = timedelta(seconds=0.5)
"""However fast alerts come in, what waits is counted so often at most."""

TOGETHER, MOST_TOGETHER = 3, 100
"""So many pages, or news, that one deed brings to a place are one message, such as all that goes with the pager. More are
a storm, and gathered: to fold thousands takes seconds, which must not be the first of a start, when all seem said at once.
"""

_NO_NAMES = "whose names could not be sent"

_NEVER_WORSE: Sort = (1, "")
"""What came to an end, or is only asked, is never worse than something else; nothing is looked up for it, since what
has ended would be replayed each time.
"""


@dataclass(frozen=True)
class Noise:
    """What one place has heard of alerts, by lane. held_until: what waits is not counted again before that time."""

    limits: Limits
    budgets: Mapping[Lane, Budget] = field(default_factory=dict)
    held_until: timedelta = timedelta(0)

    @classmethod
    def of(cls, place: Place) -> "Noise":
        """Nothing was heard there lately."""
        return cls(PRIVATE if place.private or place == FALLBACK else ROOM)

    def budget(self, lane: Lane) -> Budget:
        return self.budgets.get(lane) or Budget(self.limits)


@dataclass(frozen=True)
class Choice:
    """What a place hears next: the message, claimed by nobody yet; if there is none now, when to look again, on the
    boot clock. noise: as it is after that. hurried: an answer waits for it.
    """

    row: Row | None
    noise: Noise
    at: timedelta | None = None
    hurried: bool = False


def choose(place: Place, noise: Noise, tx: Transaction, *, knock: bool = False) -> Choice:
    """The next message for a place, or when there may be one.

    knock: its link was down a moment ago. One message tries it, since to make a digest of thousands each time takes long.
    """
    now = tx.time.boot * timedelta(microseconds=1)
    if not tx.config.digests:
        row = outbox.next_for(tx.connection, place, tx.time)
        return Choice(row, noise, None if row else next_try(place, tx))
    alone = outbox.next_for(tx.connection, place, tx.time, alone=True)
    if now < noise.held_until:
        return Choice(alone, noise, noise.held_until)
    dues = []
    for lane, some in groupby(outbox.folding(tx.connection, place, tx.time), lambda one: one.lane):
        if alone is not None and alone.lane <= lane:
            break
        waiting = _Lane.of(lane, some, tx)
        if not waiting.sorts:
            continue
        budget = noise.budget(lane)
        counts = waiting.counted()
        due = budget.due(counts, now)
        if due > now:
            dues.append(due)
            continue
        overtakes = budget.in_turn(counts, now) > now
        if overtakes:
            waiting = waiting.only(budget.worse(counts))
        many = overtakes or waiting.together or budget.folds(len(waiting.sorts), now)
        fold = not knock and len(waiting.sorts) > 1 and many
        row, said = _say(place, waiting, tx, fold=fold)
        if row is None:
            dues.append(now + LOOK_AGAIN)
            continue
        sorts = (waiting.sorts[one] for one in said)
        after = budget.after(sorts, now, digest=row.carries, overtook=overtakes)
        return Choice(row, replace(noise, budgets={**noise.budgets, lane: after}))
    held = replace(noise, held_until=now + LOOK_AGAIN) if dues else noise
    at = min(filter(None, [*dues, next_try(place, tx)]), default=None)
    return Choice(alone, held, at)


def next_try(place: Place, tx: Transaction) -> timedelta | None:
    """When the next message that waits for another try is to be tried, on the boot clock."""
    at = outbox.next_try(tx.connection, place, tx.time)
    return None if at is None else at * timedelta(microseconds=1)


@dataclass(frozen=True)
class _Lane:
    """What waits in a lane. sorts: of each message. since: when it was said, on the boot clock."""

    lane: Lane
    sorts: Mapping[int, Sort]
    since: Mapping[int, int]

    @classmethod
    def of(cls, lane: Lane, some: Iterable[Folding], tx: Transaction) -> "_Lane":
        """What waits, and is still to be said."""
        sorts, since = {}, {}
        waits = list(some)
        last = {one.subject: one.id for one in waits}
        newest = dict[str, Row | None]()
        for one in waits:
            if lane in UNTIL_ANSWERED and one.id != last[one.subject]:
                row = outbox.find(tx.connection, one.id)
                by = superseded(row, tx, newest.get(one.subject)) if row is not None else None
                newest[one.subject] = by or newest.get(one.subject)
                if by is not None:
                    outbox.settle(tx.connection, one.id, Sending.CANCELLED, tx.time)
                    continue
            sort = _NEVER_WORSE
            if lane in UNTIL_ANSWERED and (group := tx.find_group(one.subject)) is not None:
                if not group.unanswered:
                    outbox.settle(tx.connection, one.id, Sending.CANCELLED, tx.time)
                    continue
                severity, name = group.called(tx.config.severities)
                sort = (rank(severity, tx.config.severities), name)
            sorts[one.id] = sort
            since[one.id] = one.said_boot
        return cls(lane, sorts, since)

    def counted(self) -> Waiting:
        """As the budget sees it."""
        first = dict[Sort, int]()
        for one, sort in self.sorts.items():
            first[sort] = min(first.get(sort, self.since[one]), self.since[one])
        micro = timedelta(microseconds=1)
        oldest, newest = min(self.since.values()), max(self.since.values())
        since = {sort: at * micro for sort, at in first.items()}
        return Waiting(len(self.sorts), oldest * micro, newest * micro, since)

    def only(self, sorts: Collection[Sort]) -> "_Lane":
        """What is of these sorts."""
        some = {one: sort for one, sort in self.sorts.items() if sort in sorts}
        return _Lane(self.lane, some, self.since)

    @property
    def together(self) -> bool:
        """Whether so many of them come of one and the same deed: these were said at one instant."""
        if self.lane not in UNTIL_ANSWERED or len(self.sorts) > MOST_TOGETHER:
            return False
        return max(Counter(self.since[one] for one in self.sorts).values()) >= TOGETHER

    def worst(self) -> int:
        return min(self.sorts, key=lambda one: (self.sorts[one][0], one))


def _say(place: Place, waiting: _Lane, tx: Transaction, *, fold: bool) -> tuple[Row | None, Sequence[int]]:
    """The message to say, alone or as a digest, and which of those that wait it says; none if it must wait."""
    first = outbox.find(tx.connection, waiting.worst())
    if first is None or not fold:
        return first, [waiting.worst()]
    most = None if waiting.lane in UNTIL_ANSWERED else MOST_ENDED
    waits = outbox.folded(tx.connection, place, waiting.lane, tx.time, most=most)
    rows = [row for row in waits if row.id in waiting.sorts]
    alike = [row for row in rows if _word(row) == _word(first)]
    if len({row.subject for row in alike}) == 1:
        return first, [first.id]
    called = _under_way(alike, tx) if any(row.settle for row in alike) else []
    # By what waits longest: while more and more comes, the newest is never old enough.
    longest = (tx.time.boot - min(row.said_boot for row in alike)) * timedelta(microseconds=1)
    if called and longest < SETTLE_FOR:
        return None, []
    return _fold(place, alike, called, tx), [row.id for row in alike]


def _word(row: Row) -> str:
    """The word that people may type next."""
    return row.message.command.partition(" ")[0]


def _under_way(rows: Sequence[Row], tx: Transaction) -> Sequence[str]:
    """Whom a page of any of these may reach any moment."""
    found = carried.under_way(tx.connection)
    pages = [page for row in rows for page in found.get(row.subject, ())]
    return list(dict.fromkeys(person or Place.parse(place).name for person, place in pages))


def _fold(place: Place, rows: Sequence[Row], called: Sequence[str], tx: Transaction) -> Row:
    """One digest in place of all these."""
    groups = [group for one in dict.fromkeys(row.subject for row in rows) if (group := tx.find_group(one))]
    subject = digest_of(groups, tx)
    person = rows[0].person or (place.private and tx.person_of(place.network, place.name)) or ""
    message = warned(_message(subject, groups, rows, tx), called)
    message = tx.proven(place, message, about=subject, person=person)
    number = outbox.add(
        tx.connection,
        place,
        message,
        tx.time,
        lane=rows[0].lane,
        subject=subject,
        person=person,
        carries=True,
        attempts=max(row.attempts for row in rows),
    )
    carried.take(tx.connection, (row.id for row in rows), number)
    reach("digest-made")
    row = outbox.find(tx.connection, number)
    assert row is not None  # noqa: S101 (it was added a moment ago)
    return row


def _message(subject: str, groups: Sequence[AlertGroup], rows: Sequence[Row], tx: Transaction) -> Message:
    """`d4k2 alice paged: 998 alerts: 200 critical DiskFull, … · !ack d4k2`."""
    what = told_of(row.message.told or "" for row in rows)
    text = f"{counted(len(groups), 'alert')}: {named(groups, tx.config.severities)}"
    command = _word(rows[0])
    first = rows[0].message
    alike = all(row.message.lines == first.lines for row in rows)
    text = f"{what}: {text}" if what else text
    return Message(
        text,
        subject=subject,
        command=f"{command} {subject}" if command else "",
        lines=first.lines if alike else (),
        brief=text,
        brief_lines=first.brief_lines if alike else (),
    )


def plain(row: Row, tx: Transaction) -> None:
    """Say a digest whose text can't pass anew, without the names of its alerts."""
    count = len(carried.numbers(tx.connection, row.id))
    number = outbox.add(
        tx.connection,
        row.place,
        Message(f"{counted(count, 'alert')}, {_NO_NAMES}", row.subject, row.message.command),
        tx.time,
        lane=row.lane,
        subject=row.subject,
        person=row.person,
        carries=True,
    )
    carried.hand_over(tx.connection, row.id, number)


def is_plain(row: Row) -> bool:
    """Whether a digest goes without names."""
    return row.message.text.endswith(_NO_NAMES)
