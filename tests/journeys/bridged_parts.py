"""What journeys through a bridge share: who reads what on which side."""

import asyncio

from tests.servers.irc_user import User as Chatter
from tests.servers.matrix_user import User

ROOM = "#ops"

AFTERWARDS = 12.0
"""What waits in vain for the bridge would be said within so many seconds."""


def read_on_irc(chatter: Chatter, text: str) -> list[str]:
    """Who said that in the channel."""
    return [
        line.nick
        for line in chatter.lines
        if line.command in {"PRIVMSG", "NOTICE"} and line.params[0] == ROOM and text in line.params[-1]
    ]


def read_on_matrix(user: User, room: str, text: str) -> list[str]:
    """Who said that in the room, and not in place of something else."""
    return [
        event.sender
        for event in user.messages(room)
        if text in event.body and event.relation[0] != "m.replace"
    ]


async def until_read(reader: Chatter, text: str) -> None:
    """Wait until it was said in the channel."""
    while not read_on_irc(reader, text):
        await asyncio.sleep(0.02)
