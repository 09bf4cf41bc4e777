"""A line that is said no more: whoever acknowledged by it, and takes that back at once, has nothing any more."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.digests import alerts_of
from tocsin.domain.group import AlertGroup
from tocsin.domain.message import Line
from tocsin.domain.words import first_few
from tocsin.listing import MOST_LISTED
from tocsin.store import inbox
from tocsin.store.inbox import Taken
from tocsin.transaction import Transaction

AT_ONCE = timedelta(seconds=30)
"""So soon a line is taken back because it was said by mistake."""

_ACK = "ack "


@dataclass(frozen=True)
class Back:
    """ids: of the alerts that a line took, and that whoever said it still has since then.

    late: what they are told instead of its being undone, if it was too long ago.
    """

    ids: tuple[str, ...]
    late: str = ""


def remember(line: Line, ids: tuple[str, ...], tx: Transaction) -> None:
    """This line acknowledged these. ids: of alerts, or of a digest that stands for them."""
    inbox.did(tx.connection, line.place.network, line.id, _ACK + " ".join(ids))


def acks(line: Line, said_at: datetime | None, by: str, tx: Transaction) -> Back | None:
    """What is undone by taking back another line, or would be; None if nothing would.

    by: who takes it back. said_at: when, by the network's clock; None if that does not tell.
    """
    taken = inbox.find(tx.connection, line.place.network, line.takes_back)
    if taken is None or not by or not taken.did.startswith(_ACK):
        return None
    named = taken.did.split()[1:]
    ids = tuple(group.id for group in _groups(named, tx) if _has_it_since(group, by, taken))
    if not ids:
        return None
    if _between(taken, said_at, tx) <= AT_ONCE:
        return Back(ids)
    typed = tx.typed(" ".join(["unack", *named])) if len(named) <= MOST_LISTED else tx.typed("unack")
    return Back(
        ids, late=f"you still have {first_few(ids, MOST_LISTED)}: if you don't want it any more, type {typed}"
    )


def _groups(named: list[str], tx: Transaction) -> list[AlertGroup]:
    found = list[AlertGroup]()
    for one in named:
        group = tx.find_group(one)
        found += [group] if group is not None else alerts_of(one, tx) or ()
    return found


def _has_it_since(group: AlertGroup, by: str, taken: Taken) -> bool:
    """Whether they have it by that very line, and did not take it anew meanwhile."""
    return group.acknowledged_by == by and group.acknowledged_at == taken.received_at


def _between(taken: Taken, said_at: datetime | None, tx: Transaction) -> timedelta:
    """How long after it was said: by the network's clock if that tells, else by ours."""
    if taken.said_at is not None and said_at is not None:
        return said_at - taken.said_at
    return tx.now - taken.received_at
