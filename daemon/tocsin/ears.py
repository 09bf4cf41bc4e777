"""What networks tell: the lines that are said, how the networks stand, and what people must know of that."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from tocsin import alerts, echoes, seen
from tocsin.core import Tocsin
from tocsin.courier import Courier
from tocsin.domain.message import Line, Place, clean
from tocsin.echoes import Echoes
from tocsin.hearing import Commands
from tocsin.logs import about
from tocsin.networks.base import Network
from tocsin.store import inbox
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)

SEEN_EARLY = [timedelta(seconds=0.2), timedelta(seconds=1), timedelta(seconds=5)]
"""After so long it is looked again for a message that was seen before the network's receipt for it came."""

ORIGINAL_WITHIN = timedelta(seconds=2)
"""So long after a bridge repeated what somebody typed elsewhere that is heard there."""

MOST_PUT_OFF = 20
"""So many lines at most wait for that; who says more is answered at once, or not at all."""


class Ears:
    """The one listener of all networks."""

    def __init__(
        self,
        tocsin: Tocsin,
        commands: Commands,
        courier: Courier,
        echoes: Echoes,
        networks: Mapping[str, Network],
    ) -> None:
        """Every network is down until it says that it is up."""
        self._tocsin = tocsin
        self._commands = commands
        self._courier = courier
        self._echoes = echoes
        self._put_off = set[str]()
        self._networks = networks
        self._deaf = {name for name, network in networks.items() if network.deaf_while_away}
        self._away_since = dict[str, datetime | None].fromkeys(networks)
        self._tasks: asyncio.TaskGroup | None = None
        self._told = set[str]()
        self.standing = dict.fromkeys(networks, "not connected yet")
        """Network -> why it is down; empty if it is up."""
        self.heard_at = dict[str, datetime]()
        """Network -> when something was heard there last."""

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
        self.heard_at[line.place.network] = self._tocsin.clock.now()
        if line.tapped or line.takes_back or line.place.private:
            await self._commands.heard(line)
        elif self._known(line):
            if self._asks(line):
                self._echoes.asked(line)
            await self._commands.heard(line)
        elif ours := self._echoes.of_ours(line):
            await self._tocsin.must(partial(echoes.heard, line, ours))
            await self._commands.heard(replace(line, notice=True))
        elif self._asks(line) and self._echoes.may_come_before(line) and len(self._put_off) < MOST_PUT_OFF:
            await self._commands.heard(replace(line, notice=True))
            self._wait_for_original(line)
        elif not self._asks(line) or not self._echoes.of_others(line):
            await self._commands.heard(line)

    def _known(self, line: Line) -> bool:
        """Whether somebody whom we know says it, or claims to be one."""
        person_of, network = self._tocsin.people.person_of, line.place.network
        return (person_of(network, line.account) or person_of(network, line.claimed)) is not None

    def _asks(self, line: Line) -> bool:
        return not line.notice and self.wants(line.text, private=False, us=line.us)

    def _wait_for_original(self, line: Line) -> None:
        """Take what a stranger asks for in a bridged room, unless that was typed on the other side by somebody else: there
        it is answered, and a bridge proves nothing of who typed it. The line is not kept meanwhile.
        """
        name = f"{line.place.network} {line.id}"

        async def wait() -> None:
            clock, over = self._tocsin.clock, asyncio.Event()
            clock.wake_at(name, clock.now() + ORIGINAL_WITHIN, over.set)
            await over.wait()
            self._put_off.remove(name)
            if not self._echoes.of_others(line):
                await self._commands.heard(replace(line, id=f"{line.id} later", position=""))

        if self._tasks is not None and name not in self._put_off:  # a network may bring a line twice
            self._put_off.add(name)
            self._tasks.create_task(wait(), name="wait for what a bridge repeats")

    async def position(self, network: str) -> str:
        """Where the network's stream stood."""
        return await self._tocsin.must(lambda tx: inbox.position(tx.connection, network))

    async def moved(self, network: str, position: str) -> None:
        """Go on from there after a stop."""
        self.heard_at[network] = self._tocsin.clock.now()
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

    def came(self, place: Place, account: str) -> None:
        """Take it down, if we know them."""
        if self._tasks is not None:
            self._tasks.create_task(self._tocsin.came(place, account), name="take down who came")

    def up(self, network: str) -> None:
        """What waited for it is carried on; what was said meanwhile may be lost."""
        if self.standing[network] and network in self._deaf:
            since = self._away_since[network]
            self._turn(lambda tx: alerts.was_away(tx, network, since))
        self.heard_at[network] = self._tocsin.clock.now()
        log.info("%s: takes messages", network, extra=about(network=network))
        self.standing[network] = ""
        self._told.add(network)
        self._courier.up(network)

    def down(self, network: str, reason: str) -> None:
        """Remember why, and since when."""
        reason = clean(reason)
        if not self.standing[network]:
            self._away_since[network] = self._tocsin.clock.now()
        if self.standing[network] != reason:
            log.warning("%s: takes no messages: %s", network, reason, extra=about(network=network))
        self.standing[network] = reason
        self._told.add(network)

    def _turn(self, turn: Callable[[Transaction], None]) -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._tocsin.must(turn), name="say what a network tells")
