"""Status pages are written whenever what stands on them is another."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tocsin.api import Clock, Timer, Tocsin, TocsinError, Transaction
from tocsin_reminders.audience import Audience
from tocsin_reminders.audiences import PAGE, Audiences, heard
from tocsin_reminders.events import Stage
from tocsin_reminders.promise import promise_of
from tocsin_reminders.statuspage import Shown, Update, as_html, as_json

AGAIN = "reminders.page_again"

SHOWN_FOR = timedelta(days=7)
"""So long an incident stands there after its end."""

AGAIN_AFTER = timedelta(hours=1)
"""So often it is looked whether what is over can go."""


class Unwritten(TocsinError):
    """A status page could not be written."""


@dataclass(frozen=True)
class Publishing:
    audiences: Audiences

    async def write(self, timer: Timer, tocsin: Tocsin) -> None:  # noqa: ARG002 (one timer for all pages)
        """Write all pages as they should be now. Raises Unwritten."""
        pages = await tocsin.turn(self._pages)
        now = tocsin.clock.now()
        failed = list[str]()
        for folder, shown in pages.items():
            files = {"status.json": as_json(shown, now), "index.html": as_html(shown, now)}
            try:
                await asyncio.to_thread(_write, folder, files)
            except OSError as error:
                failed.append(f"{folder}: can't be written: {error.strerror or type(error).__name__}")
        if failed:
            raise Unwritten("; ".join(failed))
        if any(one.over_at is not None for shown in pages.values() for one in shown):
            await tocsin.must(lambda tx: tx.set_timer(AGAIN, "", after=AGAIN_AFTER))

    def again(self, timer: Timer, tx: Transaction) -> None:  # noqa: ARG002 (one timer for all pages)
        """What has been over for long goes."""
        tx.set_timer(PAGE, "", after=timedelta(0))

    def _pages(self, tx: Transaction) -> Mapping[Path, list[Shown]]:
        return {
            audience.page: list(_shown(name, audience, tx))
            for name, audience in self.audiences.all.items()
            if audience.page is not None
        }


def _shown(name: str, audience: Audience, tx: Transaction) -> Iterator[Shown]:
    """What stands on an audience's page: the newest first."""
    for incident in reversed(list(tx.incidents_since(tx.now - SHOWN_FOR))):
        over_at = incident.clocks.get(Clock.RESOLVED)
        if incident.drill and not audience.drills:
            continue
        if over_at is not None and tx.now - over_at > SHOWN_FOR:
            continue
        told = heard(incident.number, name, tx)
        if told and incident.declared_at is not None:
            last = told[-1].next_at if incident.active else None
            following = last if last is not None and last > tx.now else None
            is_late = incident.active and Stage.AUDIENCES in promise_of(incident.number, tx).told
            yield Shown(
                number=incident.number,
                severity=incident.severity,
                state=incident.stands,
                drill=incident.drill,
                began_at=incident.declared_at,
                over_at=over_at,
                next_at=following,
                late=is_late and following is None,
                updates=[Update(one.at, one.text) for one in reversed(told)],
            )


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Each file is there as a whole, before and after: whoever reads it sees no half of one. Raises OSError."""
    for name, text in files.items():
        handle, path = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(path, 0o644)  # noqa: PTH101 (all the world may read it)
            os.replace(path, folder / name)  # noqa: PTH105
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108
            raise
