"""What people have seen, before its receipt is known."""

from tocsin.domain.message import Place
from tocsin.store import seen
from tocsin.transaction import Transaction


def is_early(place: Place, receipt: str, tx: Transaction) -> bool:
    """Whether a message may be seen before it is known to be taken: its receipt is then known in a moment."""
    unknown = seen.said_at(tx.connection, place, receipt) is None
    return unknown and seen.is_sending(tx.connection, place)
