"""The standing test of each network: what we say to ourselves there, which nobody else sees, comes back over what we read.

A link may look well and carry nothing: a server that takes all and hands on nothing, a stream that stands still.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from tocsin.core import Tocsin
from tocsin.errors import NetworkError, StoreUnavailable
from tocsin.networks.base import Network, Proves
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)

TICK = timedelta(seconds=1)
EVERY = timedelta(minutes=5)
AGAIN = timedelta(minutes=1)
"""After one that did not come back it is tried again so soon."""

BACK_WITHIN = timedelta(seconds=45)
"""A homeserver tells what is new at once, or after the 20 s for which it may wait."""

MISSES = 3
"""So many in a row, and what is said there is not taken for heard."""


@dataclass
class _Course:
    """How it goes on one network. due: when it is tried next, on the boot clock. since: when it last came back, or the first
    was sent. told: that it does not.
    """

    due: timedelta
    since: datetime
    misses: int = 0
    told: bool = False


class Proving:
    """Tries each network that can be; one that is down is not, and begins anew when it is up."""

    def __init__(self, tocsin: Tocsin, standing: Mapping[str, str], networks: Mapping[str, Network]) -> None:
        """standing: network -> why it is down; empty if it is up. networks: by name."""
        self._tocsin = tocsin
        self._standing = standing
        self._networks = {name: one for name, one in networks.items() if isinstance(one, Proves)}
        self._courses = dict[str, _Course]()

    def doubt(self, name: str) -> str:
        """Why nobody may rely on a network that seems to be up; empty if they may."""
        course = self._courses.get(name)
        if course is None or course.misses < MISSES:
            return ""
        return f"nothing that is said there has come back since {_clock(course.since)} UTC"

    async def run(self) -> None:
        """Try until cancelled."""
        tick = asyncio.Event()
        self._tocsin.clock.every("proving", TICK, tick.set)
        while True:
            await tick.wait()
            tick.clear()
            due = [name for name in self._networks if self._is_due(name)]
            await asyncio.gather(*map(self._prove, due))

    def _is_due(self, name: str) -> bool:
        boot, now = self._tocsin.clock.boot(), self._tocsin.clock.now()
        course = self._courses.get(name)
        if self._standing[name]:
            if course is not None and not course.told:
                del self._courses[name]
            return False
        if course is None:
            course = self._courses[name] = _Course(boot + AGAIN, now)
        return boot >= course.due

    async def _prove(self, name: str) -> None:
        course = self._courses[name]
        why = await self._problem(name)
        boot = self._tocsin.clock.boot()
        if why and not self._standing[name]:
            course.misses += 1
            course.due = boot + AGAIN
            log.warning("%s: what is said there does not come back: %s", name, why)
        elif not why:
            course.misses, course.since, course.due = 0, self._tocsin.clock.now(), boot + EVERY
        if course.told is not bool(self.doubt(name)):
            await self._tell(name, course)

    async def _problem(self, name: str) -> str:
        try:
            async with asyncio.timeout(BACK_WITHIN.total_seconds()):
                await self._networks[name].prove()
        except TimeoutError:
            return f"not within {BACK_WITHIN.seconds} s"
        except NetworkError as error:
            return str(error)
        except Exception as error:
            log.exception("%s: it could not be tried", name)
            return type(error).__name__
        return ""

    async def _tell(self, name: str, course: _Course) -> None:
        doubt = self.doubt(name)
        text = f"{name}: {doubt}: it may carry no page. See its server, and Tocsin's log"
        back = f"{name}: what is said there comes back again"
        try:
            await self._tocsin.turn(partial(_say, text if doubt else back))
        except StoreUnavailable:
            return  # tried again with the next
        course.told = bool(doubt)


def _say(text: str, tx: Transaction) -> None:
    tx.tell(text)


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M}"
