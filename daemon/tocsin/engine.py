"""Whether the engine turns: something is kept, timers and bodies are looked at."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from tocsin.core import Nudge, Tocsin
from tocsin.errors import StoreUnavailable

CYCLE_WITHIN = timedelta(seconds=5)
"""A whole cycle of a healthy engine takes less."""


class Engine:
    """The parts that nothing goes on without.

    stuck: the last cycle came to no end in time; a store that refuses, as one on a full disk does, is not stuck.
    """

    def __init__(self, tocsin: Tocsin, nudges: Sequence[Nudge]) -> None:
        """nudges: of the parts that cycle."""
        self._tocsin = tocsin
        self._nudges = nudges
        self._cycle: asyncio.Task[str] | None = None
        self.stuck = False

    async def hangs(self) -> str:
        """Let each part do all its work once more, or get on with it; what hangs, if that takes too long. One cycle answers
        all who ask meanwhile.
        """
        if self._cycle is None or self._cycle.done():
            self._cycle = asyncio.create_task(self._whole_cycle())
        return await asyncio.shield(self._cycle)

    async def _whole_cycle(self) -> str:
        self.stuck, hangs = False, "the store takes nothing"
        try:
            async with asyncio.timeout(CYCLE_WITHIN.total_seconds()):
                await self._tocsin.keep_something()
                hangs = "timers or bodies are not looked at"
                for nudge in self._nudges:
                    await nudge.whole_pass(or_step=True)
        except StoreUnavailable:
            return hangs
        except TimeoutError:
            self.stuck = True
            return hangs
        return ""
