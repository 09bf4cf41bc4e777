"""How the daemon stands, for the command line."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from tocsin.core import Tocsin
from tocsin.facts import GROUP
from tocsin.store.schema import intake, outbox, subjects, timers


async def status(tocsin: Tocsin, networks: Mapping[str, str]) -> Mapping[str, Any]:
    """Counts of what is open and what waits, read beside the writer.

    networks: name -> why it is down, or empty.
    """
    async with tocsin.reader.connect() as connection:
        open_groups = select(func.count()).where(subjects.c.closed_at.is_(None), subjects.c.kind == GROUP)
        waiting = select(func.count(), func.min(outbox.c.said_at)).where(outbox.c.settled_at.is_(None))
        said, oldest = (await connection.execute(waiting)).one()
        return {
            "networks": dict(networks),
            "open alerts": (await connection.execute(open_groups)).scalar(),
            "timers": (await connection.execute(select(func.count()).select_from(timers))).scalar(),
            "bodies waiting": (
                await connection.execute(
                    select(func.count()).where(intake.c.outcome.in_(["waiting", "fault"]))
                )
            ).scalar(),
            "messages waiting": said,
            "oldest message": oldest or "",
            "disk": "full" if tocsin.state.short_of_room else "has room",
        }
