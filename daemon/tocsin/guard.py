"""Looks after the store: a hung turn, a full disk, a disk that fails. People are told past the store if need be."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from tocsin.core import Tocsin
from tocsin.distress import cry
from tocsin.errors import StoreUnavailable
from tocsin.networks.base import Network
from tocsin.safety import FIRST_PRUNE
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=1)

DISTRESS_AFTER = 10
"""How many seconds nothing could be kept before people are told past the store."""


class Guard:
    """Looks once a second."""

    def __init__(self, tocsin: Tocsin, networks: Mapping[str, Network]) -> None:
        """networks: by name, the fallback among them."""
        self._tocsin = tocsin
        self._networks = networks
        self._failing_for = 0
        self._told_of_room = False
        self._told_low = False

    async def run(self) -> None:
        """Look until cancelled."""
        # By itself, since all that follows waits for turns, and so for the one that hangs.
        self._tocsin.clock.every("hung turn", LOOK_EVERY, self._tocsin.writer.look)
        await self._tocsin.must(lambda tx: tx.set_timer("core.prune", "", after=FIRST_PRUNE))
        tick = asyncio.Event()
        self._tocsin.clock.every("guard", LOOK_EVERY, tick.set)
        while True:
            await tick.wait()
            tick.clear()
            await self._look_at_store()
            await self._look_at_room()

    async def _look_at_store(self) -> None:
        if not self._tocsin.writer.failing:
            return
        try:
            await self._tocsin.keep_something()
        except StoreUnavailable as error:
            self._failing_for += 1
            if self._failing_for == DISTRESS_AFTER:
                await self._distress(str(error))
            return
        if self._failing_for >= DISTRESS_AFTER:
            await self._tocsin.turn(lambda tx: tx.tell("what is said and posted can be kept again"))
        self._failing_for = 0

    async def _look_at_room(self) -> None:
        state = self._tocsin.state
        if state.short_of_room and not self._told_of_room:
            self._told_of_room = await self._tell(
                "disk full: new alerts are refused (503), paging goes on. Make room!"
            )
        elif state.short_of_room:
            state.keep_ballast()
        elif self._told_of_room:
            self._told_of_room = not await self._tell("there is room on the disk again: alerts are taken")
        elif left := state.low_room():
            self._told_low = self._told_low or await self._tell(
                f"the disk has {left // 2**20} MiB left: once it is full, new alerts are refused. Make room!"
            )
        else:
            self._told_low = False

    async def _tell(self, text: str) -> bool:
        log.error("%s: %s", self._tocsin.state.folder, text)

        def tell(tx: Transaction) -> None:
            tx.tell(text)

        try:
            await self._tocsin.turn(tell)
        except StoreUnavailable:
            return False
        return True

    async def _distress(self, why: str) -> None:
        """Nothing can be kept, so nothing can be put into the outbox: say it at once, to whoever can hear it."""
        log.critical("nothing can be kept: telling people past the store")
        text = f"Tocsin can't keep anything for {DISTRESS_AFTER} s now ({why}): pages may be held up. Look at its disk!"
        await cry(text, self._networks, self._tocsin.config)
