"""Tells people on the other networks that one is down, and when it is back: who reads only there hears nothing here."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tocsin.core import Tocsin
from tocsin.domain.message import Message, Place
from tocsin.transaction import Transaction

LOOK_EVERY = timedelta(seconds=1)

LASTS = timedelta(seconds=20)
"""A network that is down, or back, for less is not worth a word."""


class Outages:
    """Looks once a second. What it told is not kept: a daemon that starts in an outage tells it anew."""

    def __init__(self, tocsin: Tocsin, standing: Mapping[str, str]) -> None:
        """standing: network -> why it is down; empty if it is up."""
        self._tocsin = tocsin
        self._standing = standing
        self._down = dict[str, datetime]()  # of which that was told, and since when
        self._changed = dict[
            str, tuple[timedelta, datetime]
        ]()  # which stand otherwise by now, and since when

    async def run(self) -> None:
        """Look until cancelled."""
        tick = asyncio.Event()
        self._tocsin.clock.every("outages", LOOK_EVERY, tick.set)
        while True:
            for name, why in list(self._standing.items()):
                await self._look(name, why)
            await tick.wait()
            tick.clear()

    async def _look(self, name: str, why: str) -> None:
        clock = self._tocsin.clock
        if bool(why) is (name in self._down):
            self._changed.pop(name, None)
            return
        began, at = self._changed.setdefault(name, (clock.boot(), clock.now()))
        rooms = [
            Place(other, network.room)
            for other, network in self._tocsin.config.networks.items()
            if other != name and not self._standing.get(other, "?")
        ]
        if clock.boot() - began < LASTS or not rooms:
            return
        del self._changed[name]
        if why:
            self._down[name] = at
            begins = f"{name} has been down since {_clock(at)} UTC"
            ends = "who has an account elsewhere is paged there"
            message = Message(f"{begins} ({why}): {ends}", brief=f"{begins}: {ends}")
        else:
            since = self._down.pop(name)
            message = Message(f"{name} is back: it was down from {_clock(since)} to {_clock(at)} UTC")

        def tell(tx: Transaction) -> None:
            for room in rooms:
                tx.say(room, message)

        await self._tocsin.must(tell)


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M}"
