"""`!oncall load`: how much each person has carried lately, from what truly was: overrides, and pages by hand, included."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from tocsin.commands import Call
from tocsin.domain.duty import OnCallChanged, duty_of
from tocsin.domain.load import Load, Page, loads
from tocsin.domain.message import Message
from tocsin.domain.moments import parse_length, written
from tocsin.domain.pruning import PRUNING, PruneBegun
from tocsin.domain.rota import Shift
from tocsin.domain.words import counted, spelled
from tocsin.errors import NotAllowed, UsageError
from tocsin.store import journal
from tocsin.transaction import Transaction

WORD = "load"
LOOK_BACK = timedelta(days=30)
LONGEST = timedelta(days=731)


def load(call: Call, words: Sequence[str], tx: Transaction) -> Message:
    """Say who was on call for how long, and paged how often. words: how far back, if that is said."""
    if not call.by:
        raise NotAllowed("who carried how much is told to the people in it alone")
    length = _length(words, tx)
    since = tx.now - length
    shifts = [shift for name in tx.config.schedules for shift in held(name, since, tx)]
    pages = (Page(*found) for found in tx.pages_since(since))
    roster = (name for schedule in tx.config.schedules.values() for name in schedule.people)
    found = loads({name: tx.person(name) for name in roster}, shifts, pages)
    start = written(since, tx.person(call.by).timezone, tx.now)
    text = f"on call in {spelled(length)}, since {start}; an alert is one page to somebody, however often it called them"
    return Message(text, lines=(*map(_line, found), *_nights(found), *_pruned(since, tx)))


def _length(words: Sequence[str], tx: Transaction) -> timedelta:
    try:
        length, taken = parse_length(words)
    except ValueError as error:
        raise UsageError(f"how far back {error}") from None
    if words[taken:]:
        raise UsageError(f"{words[taken]!r} is too much: say {tx.typed('oncall load [30d]')}")
    if taken and not timedelta(0) < length <= LONGEST:
        raise UsageError("look back from a minute to two years")
    return length or LOOK_BACK


def held(schedule: str, since: datetime, tx: Transaction) -> Iterator[Shift]:
    """Who was on call by a schedule from then until now, as it was recorded: the journal is read from there alone."""
    subject = duty_of(schedule)
    before = journal.last_before(tx.connection, subject, since)
    people, start = tuple[str, ...](), since
    for entry in tx.story(subject, (OnCallChanged,), after=max(0, before - 1)):
        if isinstance(entry.event, OnCallChanged):
            at = max(since, entry.at)
            if start < at:
                yield Shift(start, at, people)
            people, start = entry.event.people, at
    if start < tx.now:
        yield Shift(start, tx.now, people)


def _pruned(since: datetime, tx: Transaction) -> Iterator[str]:
    """From when on that counts, if what was before is not kept."""
    prunes = (entry.event for entry in tx.story(PRUNING, (PruneBegun,)))
    kept = max((one.before for one in prunes if isinstance(one, PruneBegun)), default=since)
    if kept > since:
        yield f"counted from {kept:%F} on: what was before is pruned, as far as it had ended"


def _line(one: Load) -> str:
    """No columns: networks leave no two blanks beside each other, and phones have no letters of one width."""
    hours = f"{counted(one.shifts, 'shift')} {one.on_call / timedelta(hours=1):,.0f}h"
    return f"{one.person}: {hours}, {counted(one.pages, 'page')}, {one.at_night} at night"


def _nights(found: Sequence[Load]) -> Iterator[str]:
    """Who had most of what wakes, and who fewest, if that is not the same."""
    most, fewest = (pick(found, key=lambda one: one.at_night, default=None) for pick in (max, min))
    if most and fewest and most.at_night > fewest.at_night:
        yield f"nights: most {most.person} {most.at_night}, fewest {fewest.person} {fewest.at_night}"
