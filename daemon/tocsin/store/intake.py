"""The intake: every body that a sender was told is accepted, as it came, and what became of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, literal_column, select, update

from tocsin.store.schema import intake
from tocsin.store.statement import Statement, given

TRY_AGAIN = "core.intake"
"""The timer by which a body is tried again; its key is the body's id."""


class Outcome(StrEnum):
    """What became of a body.

    WAITING: nothing yet. TAKEN: it took effect. FAULT: taking it failed; it is tried again. PARKED: it failed
    too often, people were told. UNREADABLE: it was refused, people were told.
    """

    WAITING = "waiting"
    TAKEN = "taken"
    FAULT = "fault"
    PARKED = "parked"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Body:
    """A body that was kept.

    route: what reads it. attempts: how often taking it failed. begun: how often it was begun since, and the
    daemon went down before it ended.
    """

    id: int
    route: str
    receiver: str
    received_at: datetime
    body: bytes
    attempts: int
    begun: int


_ADD = Statement(insert(intake))
_FIND = Statement(select(intake).where(intake.c.id == given("one_id")))
_WAITING = Statement(
    select(intake.c.id, intake.c.receiver)
    .where(intake.c.outcome == literal_column("'waiting'"), intake.c.id > given("beyond"))
    .order_by(intake.c.id)
    .limit(given("most"))
)
_AGAIN = Statement(update(intake).where(intake.c.id == given("one_id")).values(outcome=Outcome.WAITING))
_SETTLE = Statement(
    update(intake)
    .where(intake.c.id == given("one_id"))
    .values(outcome=given("to"), detail=given("why"), attempts=given("tries"), begun=0)
)
_BEGIN = Statement(update(intake).where(intake.c.id == given("one_id")).values(begun=intake.c.begun + 1))


def add(
    connection: Connection,
    *,
    route: str,
    receiver: str,
    body: bytes,
    at: datetime,
    outcome: Outcome = Outcome.WAITING,
    detail: str = "",
) -> int:
    """Keep a body, and return its id."""
    values = {
        "route": route,
        "receiver": receiver,
        "sha256": hashlib.sha256(body).hexdigest(),
        "received_at": at,
        "body": body,
        "outcome": outcome,
        "attempts": 0,
        "begun": 0,
        "detail": detail,
    }
    return _ADD.run(connection, **values).key


def find(connection: Connection, body: int) -> Body | None:
    """The body with this id, unless it was forgotten."""
    row = _FIND.run(connection, one_id=body).first()
    if row is None:
        return None
    return Body(row.id, row.route, row.receiver, row.received_at, row.body, row.attempts, row.begun)


def waiting(connection: Connection, most: int, *, beyond: int = 0) -> Sequence[tuple[int, str]]:
    """The bodies that wait, the oldest first: their ids, and who posted them. beyond: only those after this id."""
    return [(row.id, row.receiver) for row in _WAITING.run(connection, most=most, beyond=beyond)]


def begin(connection: Connection, body: int) -> None:
    """Remember that a body is about to be taken."""
    _BEGIN.run(connection, one_id=body)


def again(connection: Connection, body: int) -> None:
    """Let a body wait once more."""
    _AGAIN.run(connection, one_id=body)


def settle(connection: Connection, body: int, outcome: Outcome, *, attempts: int, detail: str = "") -> None:
    """Say what became of a body."""
    _SETTLE.run(connection, one_id=body, to=outcome, why=detail, tries=attempts)


def forget(connection: Connection, before: datetime) -> None:
    """Forget bodies that are long settled."""
    settled = intake.c.outcome.in_([Outcome.TAKEN, Outcome.UNREADABLE, Outcome.PARKED])
    connection.execute(delete(intake).where(intake.c.received_at < before, settled))
