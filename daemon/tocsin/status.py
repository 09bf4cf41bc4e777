"""How the daemon stands, for the command line and for whoever measures."""

import asyncio
from collections.abc import Mapping
from typing import Any

from tocsin import backups
from tocsin.core import Tocsin
from tocsin.facts import GROUP
from tocsin.store import counts
from tocsin.store.counts import Counts
from tocsin.store.database import read_only

ALL_IS_WELL = "all is well"
"""What the self-check says if it finds nothing."""


def first_address(said: Mapping[str, Any]) -> str:
    """Where alerts come in, of the answer to `status`: of several addresses the first; empty as long as there is none."""
    listening = str(said.get("listening on", ""))
    return listening.split(maxsplit=1)[0].rstrip(",") if ":" in listening else ""


def count(tocsin: Tocsin) -> Counts:
    """All that is open and all that waits, read beside the writer; for a thread. Raises StateError.

    A timer that does I/O stays until it has done that, and so is none that can be late.
    """
    rung = [kind for kind, timer in tocsin.rules.timers.items() if not timer.waits]
    with read_only(tocsin.state.database) as connection:
        return counts.count(connection, tocsin.time(), subjects=[GROUP], rung=rung)


async def status(
    tocsin: Tocsin, networks: Mapping[str, str], listening: str, complaint: str
) -> Mapping[str, Any]:
    """What is open and what waits.

    networks: name -> why it is down, or empty. listening: where alerts come in, or empty. complaint: what the self-check
    found, or empty.
    """
    found = await asyncio.to_thread(count, tocsin)
    folder, now = tocsin.state.folder, tocsin.clock.now()
    newest = await asyncio.to_thread(backups.newest, tocsin.config, folder, now)
    oldest = min((waiting.since for waiting in found.messages.values()), default=None)
    return {
        "networks": dict(networks),
        "listening on": listening or "nothing yet",
        "open alerts": found.open[GROUP],
        "timers": sum(found.timers.values()),
        "bodies waiting": found.bodies,
        "messages waiting": sum(waiting.count for waiting in found.messages.values()),
        "oldest message": f"{oldest:%F %T} UTC" if oldest else "",
        "self-check": complaint or ALL_IS_WELL,
        "last backup": newest.text,
        "disk": "full" if tocsin.state.short_of_room else "has room",
    }
