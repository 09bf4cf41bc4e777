"""The inbox: every line from chat takes effect once, and each network goes on where it was."""

from datetime import datetime

from sqlalchemy import Connection, delete, select

from tocsin.store.schema import inbox, positions, upsert
from tocsin.store.statement import Statement, given

_ADD = Statement(upsert(inbox).on_conflict_do_nothing())
_INSERT = upsert(positions)
_MOVE = Statement(
    _INSERT.on_conflict_do_update(index_elements=["network"], set_={"position": _INSERT.excluded.position})
)
_POSITION = Statement(select(positions.c.position).where(positions.c.network == given("network")))


def take(connection: Connection, network: str, line: str, at: datetime) -> bool:
    """Remember a line by its id; False if it was taken before."""
    return _ADD.run(connection, network=network, id=line, received_at=at).rowcount == 1


def move(connection: Connection, network: str, position: str) -> None:
    """Remember where the network's stream stands."""
    _MOVE.run(connection, network=network, position=position)


def position(connection: Connection, network: str) -> str:
    """Where the network's stream stood; empty at first."""
    return _POSITION.run(connection, network=network).value() or ""


def forget(connection: Connection, before: datetime) -> None:
    """Forget lines that can't come again."""
    connection.execute(delete(inbox).where(inbox.c.received_at < before))
