"""A bridge between a Matrix room and an IRC channel, of two clients: it repeats on each side what the other one says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.servers.irc_user import User as Chatter
from tests.servers.matrix_user import User

EVERY = 0.02
"""How often, in seconds, it looks on each side."""


@dataclass
class Relay:
    """It is one account on each side. passes: whether it carries anything."""

    matrix: User
    room: str
    irc: Chatter
    channel: str
    passes: bool = True

    async def carry(self) -> None:
        """Carry what is said from now on, until cancelled."""
        await self.matrix.sync()
        events, lines = len(self.matrix.messages(self.room)), len(self.irc.lines)
        while True:
            await self.matrix.sync()
            for event in self.matrix.messages(self.room)[events:]:
                events += 1
                if event.sender != self.matrix.id and self.passes:
                    # As heisenbridge and matrix-appservice-irc do.
                    word = "NOTICE" if event.content["msgtype"] == "m.notice" else "PRIVMSG"
                    who = event.sender[1:].partition(":")[0]
                    first, *more = event.body.splitlines()
                    for text in (f"<{who}> {first}", *more):
                        self.irc.send(f"{word} {self.channel} :{text}")
            for line in self.irc.lines[lines:]:
                lines += 1
                said = line.command == "PRIVMSG" and line.params[0] == self.channel
                if said and line.nick != self.irc.nick and self.passes:
                    await self.matrix.says(self.room, f"<{line.nick}> {line.params[-1]}")
            await asyncio.sleep(EVERY)


@asynccontextmanager
async def carrying(relay: Relay) -> AsyncIterator[Relay]:
    """It carries until the end."""
    task = asyncio.create_task(relay.carry())
    try:
        yield relay
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
