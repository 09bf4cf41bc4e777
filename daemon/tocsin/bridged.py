"""Where rooms are bridged one side posts: the message of the other one waits, and is said if it does not come through."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from tocsin.domain.bridge import may_be_cut
from tocsin.facts import Facts
from tocsin.store import held, outbox
from tocsin.store.outbox import Lane, Row, Sending

ECHO_WITHIN = timedelta(seconds=10)
"""So long after a line was taken it is heard in the bridged room, or it is said there."""

HELD = (Lane.STATUS, Lane.NEWS)
"""What may wait. A page never does, nor an answer, which is given where it was asked for."""


def hold(facts: Facts, said: Iterable[int]) -> None:
    """Of what a turn says in several rooms at once, let that wait which a bridge brings from one of the others."""
    pairs = facts.bridges.pairs
    if not pairs:
        return
    alike = defaultdict[tuple[str, str], list[Row]](list)
    for number in dict.fromkeys(said):
        row = outbox.find(facts.connection, number)  # it may have been undone
        if row is not None and row.state is Sending.PENDING and facts.reaches(row.place):
            alike[row.subject, row.message.text].append(row)
    for rows in alike.values():
        leaders = list[Row]()
        for row in sorted(rows, key=partial(_turn, facts, rows)):
            found = (one for one in leaders if (one.place, row.place) in pairs)
            leader = next(found, None) if row.lane in HELD and not may_be_cut(row.message) else None
            if leader is None:
                leaders.append(row)
            else:
                held.hold(facts.connection, row.id, leader.id, facts.time, ECHO_WITHIN)


def _turn(facts: Facts, rows: Iterable[Row], row: Row) -> tuple[bool, int, bool, int]:
    """First what is said in any case, then what is repeated in most of the rooms, then what can be put right."""
    repeated = sum((row.place, one.place) in facts.bridges.pairs for one in rows)
    return row.lane in HELD, -repeated, not facts.edits(row.place), row.id
