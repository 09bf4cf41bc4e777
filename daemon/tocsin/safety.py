"""What the core does by itself when a page or a plugin fails, so that no fault ends in silence."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from tocsin import ways
from tocsin.domain.group import GroupResolved
from tocsin.domain.message import Message
from tocsin.domain.page import PageDelivered, PageFailed
from tocsin.domain.words import listed
from tocsin.failpoints import reach
from tocsin.rules import Owned, owned
from tocsin.store import codes, inbox, intake, journal, outbox, timers
from tocsin.store.outbox import Row, Sending
from tocsin.store.timers import Timer
from tocsin.transaction import (
    FALLBACK,
    NEXT_WAY,
    PAGE_DEADLINE_TIMER,
    SILENCE_GRACE,
    SILENCE_OVER,
    WATCH_AGAIN,
    Transaction,
)

KEEP_BODIES = timedelta(days=30)
"""How long what was posted, heard and said is kept; events are kept until they are pruned."""

FIRST_PRUNE = timedelta(minutes=1)
PRUNE_EVERY = timedelta(hours=1)


_NO_TEXT = "an alert, whose text could not be sent"

PAGE_DELIVERED = "core.page_delivered"
PAGE_ABSENT = "core.page_absent"
"""What became of a digest becomes of each page that it carried; each in a turn of its own, since they may be
thousands.
"""

_WAITING = (Sending.PENDING, Sending.SENDING, Sending.CARRIED, Sending.UNKNOWN)

HELD_FOR = timedelta(seconds=15)
LONGEST_HELD = timedelta(minutes=2)
"""So long a page may wait for a digest while its place takes others."""


def timer_kinds() -> Mapping[str, Owned]:
    """The core's own timers."""
    return {
        PAGE_DEADLINE_TIMER: owned("core", page_deadline),
        NEXT_WAY: owned("core", ways.next_way),
        PAGE_DELIVERED: owned("core", delivered_with_others),
        PAGE_ABSENT: owned("core", absent_with_others),
        "core.reaction": owned("core", react_again),
        "core.watch": owned("core", watch, pages=True),
        SILENCE_OVER: owned("core", silence_over),
        "core.prune": owned("core", prune),
    }


def page_deadline(timer: Timer, tx: Transaction) -> None:
    """A page was not taken in time: ring by what is not chat. It stays on its way nonetheless."""
    row = outbox.find(tx.connection, int(timer.key))
    if row is None:
        return
    rows = [row] if row.way_of is None else outbox.ways(tx.connection, row.id)
    waiting = [one for one in rows if one.state in _WAITING]
    if not waiting or any(one.state is Sending.CONFIRMED for one in rows):
        return
    if any(_is_held(one, tx) for one in waiting):
        tx.set_timer(PAGE_DEADLINE_TIMER, timer.key, after=HELD_FOR)
    else:
        page_failed(tx, row, "not taken within a minute", rows)


def _is_held(row: Row, tx: Transaction) -> bool:
    """Whether a page only waits for its turn in a storm: nobody tried yet, and its place takes what is said."""
    waits = (tx.time.boot - row.said_boot) * timedelta(microseconds=1)
    untried = row.state is Sending.PENDING and row.folds and row.failed_at is None
    return untried and waits < LONGEST_HELD and outbox.accepted_since(tx.connection, row.place, row.said_at)


def page_delivered(row: Row, tx: Transaction) -> None:
    """A network took a page."""
    page = ways.page_of(row)
    tx.cancel_timer(PAGE_DEADLINE_TIMER, str(page))
    if row.subject and (row.way_of is None or ways.delivered_first(row, tx)):
        tx.record(
            PageDelivered(subject=row.subject, at=tx.now, page=page, person=row.person, place=str(row.place))
        )


def page_lost(row: Row, why: str, tx: Transaction) -> None:
    """Whom a page calls is not there, or it is given up: no need to wait for its deadline."""
    if row.way_of is None or ways.lost(row, tx):
        tx.cancel_timer(PAGE_DEADLINE_TIMER, str(ways.page_of(row)))
        page_failed(tx, row, why, absent=True)


def page_given_up(row: Row, why: str, tx: Transaction, *, permanent: bool) -> None:
    """What was to be said can't be, there or ever. Losing the text is allowed, losing the page is not."""
    group = tx.find_group(row.subject)
    plainly = not permanent and (group is None or group.unanswered)
    if row.way_of is not None:
        if plainly:
            ways.plainly(row, _NO_TEXT, tx)
        page_lost(row, why, tx)
        return
    tx.cancel_timer(PAGE_DEADLINE_TIMER, str(row.id))
    page_failed(tx, row, why, absent=permanent)
    if plainly:
        text = Message(_NO_TEXT, row.subject, row.message.command)
        tx.page(row.place, text, about=row.subject, person=row.person)


def delivered_with_others(timer: Timer, tx: Transaction) -> None:
    """A digest that said this page was taken."""
    reach("before-delivered")
    row = outbox.find(tx.connection, int(timer.key))
    if row is not None and row.state is Sending.CONFIRMED:
        page_delivered(row, tx)


def absent_with_others(timer: Timer, tx: Transaction) -> None:
    """Nobody was there to hear the digest that said this page, or it can never be sent."""
    row = outbox.find(tx.connection, int(timer.key))
    if row is not None and row.state not in (Sending.CONFIRMED, Sending.CANCELLED):
        page_lost(row, row.error, tx)


def page_failed(
    tx: Transaction, row: Row, why: str, rows: Sequence[Row] = (), *, absent: bool = False
) -> None:
    """Record it, ring the fallback if nobody has answered, and say so where chat still works.

    rows: all the ways that it went, if this is not the only one. absent: whom it calls is not there, or it is given up.
    """
    group = tx.find_group(row.subject)
    if group is not None and group.unanswered:
        lines = (f"{listed(dict.fromkeys(tx.whom(one.place) for one in rows or [row]))}: {why}",)
        message = replace(row.message, subject=row.subject, link="", lines=lines, brief_lines=lines)
        rang = row.place != FALLBACK and tx.fall_back(message, about=row.subject)
        end = "the fallback rings" if rang else "nothing else will ring"
        failed = f"page to {row.person or tx.whom(row.place)} failed: {why}; {end}"
        for room in tx.default_rooms():
            if room != row.place:
                news = Message(failed, subject=row.subject, told=failed)
                tx.news(room, news, about=row.subject, anew=True)
    if row.subject:
        tx.record(
            PageFailed(
                subject=row.subject,
                at=tx.now,
                page=ways.page_of(row),
                person=row.person,
                place=str(row.place),
                why=why,
                absent=absent,
            )
        )


def react_again(timer: Timer, tx: Transaction) -> None:
    """Try a reaction again that failed; the ringer comes back for as long as it fails."""
    _, seq, name = timer.key.split("/", 2)
    entry = journal.read_one(tx.connection, tx.kinds, int(seq))
    reaction = entry and entry.event and tx.rules.reaction(entry.event, name)
    if not entry or not entry.event or not reaction:
        return
    if left_out_for := tx.rules.breaker.left_out_for(reaction.owner, tx.time.boot):
        tx.set_timer("core.reaction", timer.key, after=left_out_for)
        return
    tx.react(reaction, entry.event)


def watch(timer: Timer, tx: Transaction) -> None:
    """Say again that nothing pages for an alert, if that is still so."""
    group = tx.find_group(timer.key)
    if group is not None and group.rings and not timers.any_for(tx.connection, timer.key, tx.rules.steps):
        tx.alarm(timer.key, "Still no plugin pages anybody for it.")
        tx.set_timer("core.watch", timer.key, after=WATCH_AGAIN)


def silence_over(timer: Timer, tx: Transaction) -> None:
    """A silence should have been over by now: whoever was to end it runs no more."""
    group = tx.find_group(timer.key)
    if group is None or group.silenced_until is None:
        return
    if group.silenced_until > tx.now:
        tx.set_timer(SILENCE_OVER, group.id, after=group.silenced_until - tx.now + SILENCE_GRACE)
    else:
        event = tx.record(group.end_silence(tx.now, because="the silence is over"))
        if isinstance(event, GroupResolved):
            tx.tell(
                replace(tx.about(group, "silence over: it had stopped firing: "), link=""), about=group.id
            )


def prune(_: Timer, tx: Transaction) -> None:
    """Forget what was settled long ago."""
    before = tx.now - KEEP_BODIES
    for table in (intake, inbox, outbox, codes):
        table.forget(tx.connection, before)
    tx.set_timer("core.prune", "", after=PRUNE_EVERY)
