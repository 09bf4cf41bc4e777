"""What networks tell: the lines that are said, how the networks stand, and what people must know of that."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from tocsin import alerts, seen
from tocsin.core import Tocsin
from tocsin.courier import Courier
from tocsin.domain.message import Line, Place, clean
from tocsin.hearing import Commands
from tocsin.networks.base import Network
from tocsin.store import inbox
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)

SEEN_EARLY = [timedelta(seconds=0.2), timedelta(seconds=1), timedelta(seconds=5)]
"""After so long it is looked again for a message that was seen before the network's receipt for it came."""


class Ears:
    """The one listener of all networks."""

    def __init__(
        self,
        tocsin: Tocsin,
        commands: Commands,
        courier: Courier,
        networks: Mapping[str, Network],
    ) -> None:
        """Every network is down until it says that it is up."""
        self._tocsin = tocsin
        self._commands = commands
        self._courier = courier
        self._networks = networks
        self._deaf = {name for name, network in networks.items() if network.deaf_while_away}
        self._away_since = dict[str, datetime | None].fromkeys(networks)
        self._tasks: asyncio.TaskGroup | None = None
        self._told = set[str]()
        self.standing = dict.fromkeys(networks, "not connected yet")
        """Network -> why it is down; empty if it is up."""

    async def run(self) -> None:
        """Say what people must know, until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            await asyncio.Event().wait()

    def reaches(self, place: Place) -> bool:
        """Whether what is said there now would be taken, as far as is known: before a network has told how it stands,
        nothing is. Asked in the writer's thread.
        """
        network = self._networks.get(place.network)
        if network is None or place.network not in self._told:
            return network is not None
        return not self.standing[place.network] and (not place.private or network.reaches(place.name))

    async def heard(self, line: Line) -> None:
        """Take a line; it is kept when this returns, however long that takes."""
        await self._commands.heard(line)

    async def position(self, network: str) -> str:
        """Where the network's stream stood."""
        return await self._tocsin.must(lambda tx: inbox.position(tx.connection, network))

    async def moved(self, network: str, position: str) -> None:
        """Go on from there after a stop."""
        await self._tocsin.must(lambda tx: inbox.move(tx.connection, network, position))

    def wants(self, text: str, *, private: bool, us: str = "") -> bool:
        """Whether that is a command: only then it matters who gives it."""
        return self._commands.wants(text, private=private, us=us)

    def tell(self, text: str) -> None:
        """Say it in the rooms where all alerts are told."""
        self._turn(lambda tx: tx.tell(text))

    def seen(self, place: Place, receipt: str, at: datetime) -> None:
        """Whoever is called there need not be taken for away."""
        if self._tasks is not None:
            self._tasks.create_task(self._see(place, receipt, at), name="take down what was seen")

    async def _see(self, place: Place, receipt: str, at: datetime) -> None:
        for pause in SEEN_EARLY:
            if not await self._tocsin.must(partial(seen.is_early, place, receipt)):
                break
            await asyncio.sleep(pause.total_seconds())
        while await self._tocsin.must(partial(seen.take, place, receipt, at)):
            pass

    def up(self, network: str) -> None:
        """What waited for it is carried on; what was said meanwhile may be lost."""
        if self.standing[network] and network in self._deaf:
            since = self._away_since[network]
            self._turn(lambda tx: alerts.was_away(tx, network, since))
        log.info("%s: takes messages", network)
        self.standing[network] = ""
        self._told.add(network)
        self._courier.up(network)

    def down(self, network: str, reason: str) -> None:
        """Remember why, and since when."""
        reason = clean(reason)
        if not self.standing[network]:
            self._away_since[network] = self._tocsin.clock.now()
        if self.standing[network] != reason:
            log.warning("%s: takes no messages: %s", network, reason)
        self.standing[network] = reason
        self._told.add(network)

    def _turn(self, turn: Callable[[Transaction], None]) -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._tocsin.must(turn), name="say what a network tells")
