"""Whether whoever is paged has seen it, where their chat client tells. It is no answer."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tocsin.domain.message import Place
from tocsin.domain.page import PageDelivered, PageSeen, PageUnseen
from tocsin.edits import show_seen
from tocsin.rules import Owned, Reaction, on, owned
from tocsin.store import outbox, seen
from tocsin.store.outbox import Sending
from tocsin.store.timers import Timer
from tocsin.transaction import Transaction
from tocsin.ways import go_on, page_of

PAGE_UNSEEN = "core.page_unseen"
UNSEEN_AFTER = timedelta(seconds=60)
"""Who has not even looked at a page for so long is not looking at that screen."""

MOST_SEEN = 500
"""So many pages are taken down at a time: a digest may stand for thousands."""

MOST_SHOWN = 20
"""In so many lines of a room it is shown at most what was seen at one time."""


def timer_kinds() -> Mapping[str, Owned]:
    """The timer of each page that was delivered where it is told who sees it."""
    return {PAGE_UNSEEN: owned("core", page_unseen)}


def reactions() -> Sequence[tuple[str, Reaction[Any]]]:
    """What the core does by itself when a page is delivered."""
    return [("core", on(PageDelivered, look_later))]


def look_later(event: PageDelivered, tx: Transaction) -> None:
    """See in a while whether it was seen."""
    if event.person and tx.sees(Place.parse(event.place)):
        tx.set_timer(PAGE_UNSEEN, str(event.page), after=UNSEEN_AFTER)


def page_unseen(timer: Timer, tx: Transaction) -> None:
    """Nobody has looked at a page, and nobody has answered."""
    page = int(timer.key)
    rows = outbox.ways(tx.connection, page) or [*filter(None, [outbox.find(tx.connection, page)])]
    taken = [row for row in rows if row.state is Sending.CONFIRMED and tx.sees(row.place)]
    if not taken or any(row.seen_at is not None for row in rows):
        return
    (row, *_) = taken
    group = tx.find_group(row.subject)
    if group is not None and group.unanswered:
        tx.record(PageUnseen(subject=group.id, at=tx.now, page=page, person=row.person, place=str(row.place)))
        go_on(page, tx)


def is_early(place: Place, receipt: str, tx: Transaction) -> bool:
    """Whether a message may be seen before it is known to be taken: its receipt is then known in a moment."""
    unknown = seen.said_at(tx.connection, place, receipt) is None
    return unknown and seen.is_sending(tx.connection, place)


def take(place: Place, receipt: str, at: datetime, tx: Transaction) -> bool:
    """All that was said in a private place up to the message with that receipt was seen; whether more is to be taken."""
    until = seen.said_at(tx.connection, place, receipt)
    pages = seen.unseen(tx.connection, place, until, MOST_SEEN) if until is not None else []
    groups = {}
    at = min(at, tx.now)
    for page in pages:
        seen.see(tx.connection, page.id, at)
        group = tx.find_group(page.subject)
        if group is not None and group.unanswered:
            groups[group.id] = group
            tx.record(
                PageSeen(
                    subject=group.id, at=at, page=page_of(page), person=page.person, place=str(page.place)
                )
            )
    shown = dict[Place, int]()
    for group in groups.values():
        for room in sorted(tx.told_places(group.id), key=str):
            if not room.private and shown.get(room, 0) < MOST_SHOWN and show_seen(tx, room, group):
                shown[room] = shown.get(room, 0) + 1
                tx.amended.add(room)
    return len(pages) == MOST_SEEN
