"""Which message of ours a network means by a receipt."""

from sqlalchemy import Connection, select

from tocsin.domain.message import Place
from tocsin.store import outbox
from tocsin.store.outbox import Row
from tocsin.store.schema import outbox as rows
from tocsin.store.statement import Statement, given

# What a digest carries bears the digest's receipt too.
_FIND = Statement(
    select(rows.c.id)
    .where(
        rows.c.receipt == given("one_receipt"),
        rows.c.place == given("one_place"),
        rows.c.carried_by.is_(None),
    )
    .order_by(rows.c.id)
    .limit(1)
)

_BEING_SAID = Statement(
    select(rows.c.id).where(
        rows.c.place == given("one_place"),
        rows.c.settled_at.is_(None),
        rows.c.txn_id == given("one_txn"),
    )
)


def find(connection: Connection, place: Place, receipt: str) -> Row | None:
    """The message that was taken there with that receipt; of those that a digest says, the digest."""
    if not receipt:
        return None
    number = _FIND.run(connection, one_receipt=receipt, one_place=str(place)).value()
    return None if number is None else outbox.find(connection, number)


def being_said(connection: Connection, place: Place, txn_id: str) -> Row | None:
    """The message that is to be sent there by that id, or was and nobody knows it yet."""
    if not txn_id:
        return None
    number = _BEING_SAID.run(connection, one_place=str(place), one_txn=txn_id).value()
    return None if number is None else outbox.find(connection, number)
