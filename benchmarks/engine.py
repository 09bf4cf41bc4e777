"""Tocsin's engine in this process, for what can't be asked over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.servers import write_config
from tocsin import daemon
from tocsin.clock import SystemClock
from tocsin.config import Document, Schedule
from tocsin.plugins import Declared
from tocsin.store import Database, State
from tocsin.testing import Loudspeaker


@asynccontextmanager
async def engine(
    *,
    more: Declared | None = None,
    schedules: Mapping[str, Schedule] | None = None,
    run: bool,
    folder: Path | None = None,
    tables: str = "",
) -> AsyncIterator[daemon.Daemon]:
    """A daemon with the real plugins and clock, whose network says nothing.

    more: events and timers beside those of the plugins. schedules: of alice and bob. run: all its parts; if not, it
    takes turns and that is all. folder: where it leaves its state. tables: further ones of its configuration.
    """
    more = more or Declared()
    with TemporaryDirectory() as own:
        folder = folder or Path(own)
        prepared = daemon.prepare(Document.open(write_config(folder, tables=tables)))
        clock = SystemClock()
        state = State.open(folder / "state", clock.now())
        found = daemon.Daemon(
            replace(prepared.config, schedules=schedules or {}),
            replace(
                prepared.declared,
                events={**prepared.declared.events, **more.events},
                timers={**prepared.declared.timers, **more.timers},
            ),
            clock=clock,
            state=state,
            database=Database(state),
            networks={"console": Loudspeaker("console", {"alice": "alice", "bob": "bob"})},
        )
        running = asyncio.create_task(found.run()) if run else None
        try:
            yield found
        finally:
            if running:
                found.stop()
                await running
            else:
                await found.tocsin.close()
            clock.close()
            state.close(in_order=True)
