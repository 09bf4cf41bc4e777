"""A page that goes several ways: to somebody who has accounts on several networks.

Each way is a message of its own, and bears the number of the first as the page's. The next way is taken when this one
can't be, or was not confirmed in time. The others stay on their way nonetheless: what still rings when a network is back
is said there too, with its age.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import chain

from tocsin.domain.lateness import ageless, of_age
from tocsin.domain.message import Message, Place
from tocsin.domain.page import PageDelivered, PageUnseen
from tocsin.store import carried, late, outbox, timers
from tocsin.store.outbox import Lane, Row, Sending
from tocsin.store.timers import Timer
from tocsin.transaction import (
    FALLBACK,
    NEXT_WAY,
    NEXT_WAY_AFTER,
    PAGE_DEADLINE,
    PAGE_DEADLINE_TIMER,
    Transaction,
)

IN_TURN_FOR = timedelta(seconds=15)
"""A page that only waits for its place's turn in a storm is looked at again after so long."""

OLD = timedelta(minutes=2)
"""A page that is said so late is marked with its age."""

UNTIL_ANSWERED = (Lane.PAGE, Lane.NEWS)
"""What is not said any more once somebody has answered."""


def page_of(row: Row) -> int:
    """The number of the page that a message is, or is a way of."""
    return row.id if row.way_of is None else row.way_of


def next_way(timer: Timer, tx: Transaction) -> None:
    """A page was not taken in time, or it is known that it won't be: say it by the next way besides."""
    go_on(int(timer.key), tx)


def go_on(page: int, tx: Transaction) -> None:
    """Take the next way of a page that still calls somebody, and more of them until one may be open."""
    rows = outbox.ways(tx.connection, page)
    tx.cancel_timer(NEXT_WAY, str(page))
    if not rows or _is_over(rows, tx):
        return
    group = tx.find_group(rows[0].subject)
    if group is not None and not group.unanswered:
        return
    if rows[0].person in tx.released(rows[0].subject):
        return
    if _waits_its_turn(rows[-1], tx):
        tx.set_timer(NEXT_WAY, str(page), after=IN_TURN_FOR)
        return
    taken = {row.place for row in rows}
    left = [place for place in tx.private_places(rows[0].person) if place not in taken]
    while left:
        following = left.pop(0)
        _take(rows[0], following, tx)
        if left and tx.reaches(following):
            tx.set_timer(NEXT_WAY, str(page), after=NEXT_WAY_AFTER)
            return


def _take(first: Row, place: Place, tx: Transaction, *, text: str = "") -> None:
    """Say a page in a further place, in the words of the first. text: in place of these."""
    message = ageless(first.message)
    if message.command:  # it may be the first one's own by now, with a code
        word = message.command.split()[0].removeprefix(tx.config.prefix)
        message = replace(message, command=tx.typed(f"{word} {first.subject}"))
    if text:
        message = Message(text, first.subject, message.command, told="")
    outbox.add(
        tx.connection,
        place,
        message,
        replace(tx.time, at=first.said_at),
        lane=Lane.PAGE,
        subject=first.subject,
        person=first.person,
        way_of=first.id,
    )
    tx.places.add(place)


def plainly(row: Row, text: str, tx: Transaction) -> None:
    """Its words can't pass there: say them elsewhere, and others there."""
    go_on(page_of(row), tx)
    first = outbox.find(tx.connection, page_of(row))
    if first is not None:
        _take(first, row.place, tx, text=text)


def closed(place: Place, tx: Transaction) -> None:
    """Nothing could be sent there: if it is known that nothing can, all pages that wait take their next way now."""
    if not tx.reaches(place) and timers.hasten_ways(tx.connection, NEXT_WAY, place, tx.time):
        tx.timers_changed = True


def lost(row: Row, tx: Transaction) -> bool:
    """Whoever is called is not there, or this way is given up: go on. Whether by that the page is, and was not before."""
    page = page_of(row)
    if tx.timer_is_set(NEXT_WAY, str(page)):
        go_on(page, tx)
    if not tx.timer_is_set(PAGE_DEADLINE_TIMER, str(page)):
        return False  # what became of it is known
    others = [one for one in outbox.ways(tx.connection, page) if one.id != row.id]
    return all(_is_lost(one, tx) for one in others)


def delivered_first(row: Row, tx: Transaction) -> bool:
    """Whether it is the first of the ways of a page on which that was taken."""
    tx.cancel_timer(NEXT_WAY, str(row.way_of))
    story = tx.story(row.subject, (PageDelivered,))
    return not any(
        isinstance(entry.event, PageDelivered) and entry.event.page == row.way_of for entry in story
    )


def aged(row: Row, tx: Transaction) -> Message:
    """A page or news as it is said now, if it can still have other words: with its age if it comes late."""
    if row.lane not in UNTIL_ANSWERED or row.state is not Sending.PENDING or row.place == FALLBACK:
        return row.message
    since = carried.oldest(tx.connection, row.id) if row.carries else row.said_at
    age = tx.now - (since or row.said_at)
    return row.message if age < OLD else of_age(row.message, age, at_most=row.carries)


def superseded(row: Row, tx: Transaction, by: Row | None = None) -> Row | None:
    """The newer page or news about the same that waits behind one that waits still, which need not be said for that.

    Only once it is known that it comes too late, and what that means: till then it is waited for. What says what to type
    is never left out for what does not. by: which one that was for another one.
    """
    if row.lane not in UNTIL_ANSWERED or row.state is not Sending.PENDING or row.carries or not row.subject:
        return None
    if tx.now - row.said_at < PAGE_DEADLINE or tx.timer_is_set(PAGE_DEADLINE_TIMER, str(page_of(row))):
        return None
    known = [by] if by and by.person == row.person and (by.said_at, by.id) > (row.said_at, row.id) else []
    newer = chain(known, late.newer(tx.connection, row.id))
    return next((one for one in newer if one.message.command or not row.message.command), None)


def _is_over(rows: Sequence[Row], tx: Transaction) -> bool:
    """Whether no further way is to be taken: who does not look where it was taken is to be paged elsewhere."""
    states = {row.state for row in rows}
    if Sending.CANCELLED in states or Sending.CONFIRMED not in states:
        return Sending.CANCELLED in states
    unseen = (entry.event for entry in tx.story(rows[0].subject, (PageUnseen,)))
    return not any(isinstance(event, PageUnseen) and event.page == rows[0].way_of for event in unseen)


def _is_lost(row: Row, tx: Transaction) -> bool:
    """Whether nobody need wait for it now; a link that is down is no attempt."""
    refused = row.state is Sending.PENDING and (row.attempts > 0 or not tx.reaches(row.place))
    return refused or row.state is Sending.DEAD


def _waits_its_turn(row: Row, tx: Transaction) -> bool:
    """Whether it waits because of the noise budget of its place alone."""
    untried = row.state is Sending.PENDING and row.folds and row.failed_at is None
    return untried and tx.reaches(row.place) and not outbox.troubled(tx.connection, row.place)
