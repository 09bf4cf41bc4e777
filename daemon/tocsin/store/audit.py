"""The audit: who asked for what, from where, and what came of it. Rows are only ever added."""

from datetime import datetime

from sqlalchemy import Connection, insert

from tocsin.store.schema import audit
from tocsin.store.statement import Statement

_ADD = Statement(insert(audit))


def add(
    connection: Connection, *, at: datetime, place: str, account: str, person: str, what: str, verdict: str
) -> None:
    """Write down one request. verdict: `done`, or why not."""
    values = {
        "at": at,
        "place": place,
        "account": account,
        "person": person,
        "what": what,
        "verdict": verdict,
    }
    _ADD.run(connection, **values)
