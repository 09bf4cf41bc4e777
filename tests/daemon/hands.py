"""What people do who are too tired to type an id, as tests do it."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.engine import Engine
from tests.tower import FACT

ROOM = "#ops"
CHECK, UP, THUMB = "\u2705", "\u23eb", "\U0001f44d"
ACKED = f"{{}} acknowledged by {{}}, paging stops: {FACT}"


@dataclass
class Hands:
    """Answers what an engine said."""

    engine: Engine

    def receipt(self, begins: str, place: str) -> str:
        """Of the message said last in a place that begins so."""
        said = self.engine.chat.said
        found = [
            at
            for at, one in enumerate(said, 1)
            if str(one.place) == f"console/{place}" and begins in str(one)
        ]
        return str(found[-1])

    async def reply(self, account: str, text: str, to: str, *, room: str = "", **line: object) -> str:
        """Answers a message with a text; what is said there then."""
        return await self._hears(account, text, room, {"about": to, **line})

    async def tap(self, account: str, emoji: str, on: str, *, room: str = "", **line: object) -> str:
        """Puts an emoji under a message; what is said there then."""
        return await self._hears(account, emoji, room, {"about": on, "tapped": True, **line})

    async def take_back(self, account: str, line: str, *, room: str = "", **more: object) -> str:
        """Says no more what was said; what is said there then."""
        return await self._hears(account, "", room, {"takes_back": line, **more})

    async def _hears(self, account: str, text: str, room: str, line: Mapping[str, object]) -> str:
        place = f"room/{room}" if room else f"person/{account}"
        before = len(self.engine.chat.texts(place))
        await self.engine.chat.hears(account, text, room=room, **line)  # type: ignore[arg-type] # of many kinds
        await self.engine.run.settled()
        return "\n".join(self.engine.chat.texts(place)[before:])


async def audit(engine: Engine) -> list[tuple[str, str]]:
    return [(what, verdict) for what, verdict in await engine.sql("select what, verdict from audit")]
