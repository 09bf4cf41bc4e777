"""How the daemon stands, for the command line."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from tocsin.core import Tocsin
from tocsin.facts import GROUP
from tocsin.store.schema import intake, outbox, subjects, timers


async def status(
    tocsin: Tocsin, networks: Mapping[str, str], listening: str, complaint: str
) -> Mapping[str, Any]:
    """Counts of what is open and what waits, read beside the writer.

    networks: name -> why it is down, or empty. listening: where alerts come in, or empty. complaint: what the self-check
    found, or empty.
    """
    waiting = outbox.c.settled_at.is_(None)
    counts = {
        "open alerts": select(func.count()).where(subjects.c.closed_at.is_(None), subjects.c.kind == GROUP),
        "timers": select(func.count()).select_from(timers),
        "bodies waiting": select(func.count()).where(intake.c.outcome.in_(["waiting", "fault"])),
        "messages waiting": select(func.count()).where(waiting),
        "oldest message": select(func.min(outbox.c.said_at)).where(waiting),
    }
    async with tocsin.reader.connect() as connection:  # in one statement, so that all of it is of one moment
        row = (await connection.execute(select(*(one.scalar_subquery() for one in counts.values())))).one()
    found = dict(zip(counts, row, strict=True))
    oldest = found["oldest message"]
    return {
        "networks": dict(networks),
        "listening on": listening or "nothing yet",
        **found,
        "oldest message": f"{oldest:%F %T} UTC" if oldest else "",
        "self-check": complaint or "all is well",
        "disk": "full" if tocsin.state.short_of_room else "has room",
    }
