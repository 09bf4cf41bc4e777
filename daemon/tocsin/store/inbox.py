"""The inbox: every line from chat takes effect once, and each network goes on where it was."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from tocsin.store.schema import inbox, positions, upsert
from tocsin.store.statement import Statement, given


@dataclass(frozen=True)
class Taken:
    """A line that was taken.

    said_at: when it was said, by the network's clock; None if it didn't tell. did: what came of it that can be taken
    back: a command's word, and the ids of what it was done to; else empty.
    """

    received_at: datetime
    said_at: datetime | None
    did: str


_ADD = Statement(upsert(inbox).on_conflict_do_nothing())
_ONE = (inbox.c.network == given("one_network"), inbox.c.id == given("one_id"))
_FIND = Statement(select(inbox).where(*_ONE))
_DID = Statement(update(inbox).where(*_ONE).values(did=given("what")))
_INSERT = upsert(positions)
_MOVE = Statement(
    _INSERT.on_conflict_do_update(index_elements=["network"], set_={"position": _INSERT.excluded.position})
)
_POSITION = Statement(select(positions.c.position).where(positions.c.network == given("network")))


def take(
    connection: Connection, network: str, line: str, at: datetime, *, said_at: datetime | None = None
) -> bool:
    """Remember a line by its id; False if it was taken before. said_at: by the network's clock."""
    values = {"received_at": at, "said_at": said_at, "did": ""}
    return _ADD.run(connection, network=network, id=line, **values).rowcount == 1


def did(connection: Connection, network: str, line: str, what: str) -> None:
    """Remember what came of a line that was taken, for whoever takes it back."""
    _DID.run(connection, one_network=network, one_id=line, what=what)


def find(connection: Connection, network: str, line: str) -> Taken | None:
    """A line that was taken, by its id."""
    row = _FIND.run(connection, one_network=network, one_id=line).first()
    return None if row is None else Taken(row.received_at, row.said_at, row.did)


def move(connection: Connection, network: str, position: str) -> None:
    """Remember where the network's stream stands."""
    _MOVE.run(connection, network=network, position=position)


def position(connection: Connection, network: str) -> str:
    """Where the network's stream stood; empty at first."""
    return _POSITION.run(connection, network=network).value() or ""


def forget(connection: Connection, before: datetime) -> None:
    """Forget lines that can't come again."""
    connection.execute(delete(inbox).where(inbox.c.received_at < before))
