"""What is said on Matrix: in which room, when it is its turn, and whether it was said before."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from tocsin.domain.message import Message, Picture, Place
from tocsin.domain.taps import emoji_of
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.networks.matrix import bodies
from tocsin.networks.matrix.client import Client
from tocsin.networks.matrix.gate import Gate
from tocsin.networks.matrix.parts import MESSAGE, part, text_of
from tocsin.networks.matrix.pictures import upload
from tocsin.networks.matrix.reading import opened
from tocsin.networks.matrix.replies import MatrixError
from tocsin.networks.matrix.rooms import Room, World
from tocsin.networks.matrix.wire import at

log = logging.getLogger(__name__)

KNOWN_FOR = timedelta(hours=23)
"""For so long homeservers surely know a transaction id; Synapse forgets it after a day."""

LEEWAY = timedelta(minutes=1)
"""By so much our clock and the homeserver's may differ."""

MOST_PAGES = 100
PAGE = 100

MOST_TEXTS = 200
"""Of so many pages in rooms it is remembered that they are no notices, and so are no notices once they are put right."""

TAPS = ("ack", "up")
"""The words for which one tap on a page is enough."""


class Sending:
    """Says it."""

    def __init__(
        self,
        name: str,
        client: Client,
        world: World,
        gate: Gate,
        *,
        tell: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._name = name
        self._client = client
        self._world = world
        self._gate = gate
        self._tell = tell
        self._now = now
        self._texts = deque[str](maxlen=MOST_TEXTS)

    async def say(
        self, place: Place, message: Message, txn_id: str, *, tried: datetime | None, rank: Rank, amends: str
    ) -> str:
        """Say it, and return the event's id. Raises NetworkError."""
        room_id = self._where(place)
        wakes = rank is Rank.PAGE and not amends
        content = bodies.content(
            message,
            kind="text" if wakes or self._is_text(place, amends) else "notice",
            mentions=[place.name] if wakes and place.private else [],
            amends=amends,
            txn_id=txn_id,
        )
        if tried is not None and self._now() - tried > KNOWN_FOR:
            event_id = await self._find(room_id, txn_id, tried - LEEWAY)
            if event_id:
                return event_id
        try:
            event_id = await self.put(partial(self._where, place), MESSAGE, content, txn_id, rank)
        except MatrixError as error:
            if error.code == "M_FORBIDDEN":
                self._forbidden(place, error)
            raise
        if (room := self._world.named(place.name)) is not None and not place.private:
            room.silent = ""
        if wakes and not place.private:
            self._texts.append(event_id)
        return event_id

    def _is_text(self, place: Place, amends: str) -> bool:
        """Whether what is put right was said as a text, and not as a notice, as far as is known."""
        return amends in self._texts or (place.private and bool(amends))  # there only pages are put right

    async def put(
        self, where: Callable[[], str], kind: str, content: Mapping[str, Any], txn_id: str, rank: Rank
    ) -> str:
        """Send an event when it is its turn. Raises NetworkError.

        where: the room, asked only then: meanwhile somebody may have come who is not to read it. Raises NetworkError.
        """
        async with self._gate.turn(rank):
            try:
                return await self._client.send(where(), kind, content, txn_id)
            except NetworkError as error:
                if error.retry_after is not None:
                    self._gate.shut(error.retry_after)
                raise

    async def answer(self, room_id: str, text: str, event_id: str, txn_id: str) -> None:
        """Reply to an event by ourselves."""
        content = bodies.content(Message(text), kind="notice", answers=event_id, txn_id=txn_id)
        await self.put(lambda: room_id, MESSAGE, content, txn_id, Rank.ANSWER)

    async def put_taps(self, place: Place, event_id: str, txn_id: str) -> None:
        """Put the emojis on a page that need only be tapped."""
        room_id = self._where(place)
        for word in TAPS:
            relation = {"rel_type": "m.annotation", "event_id": event_id, "key": emoji_of(word)}
            content = {"m.relates_to": relation}
            where = partial(self._where, place, room_id)
            try:
                await self.put(where, "m.reaction", content, f"{txn_id}-{word}", Rank.EDIT)
            except MatrixError as error:
                if (
                    error.code != "M_DUPLICATE_ANNOTATION"
                ):  # it stands there, and the homeserver forgot by which try
                    raise

    async def show(self, place: Place, picture: Picture, txn_id: str) -> None:
        """Show what goes with a message that was said. Raises NetworkError."""
        room_id = self._where(place)
        kept = await upload(self._client, picture.png, encrypted=self._client.encrypted(room_id))
        txn_id = f"{txn_id}-picture"
        content = bodies.picture_content(picture, url=kept.url, keys=kept.keys, txn_id=txn_id)
        await self.put(partial(self._where, place, room_id), MESSAGE, content, txn_id, Rank.NEWS)

    def _where(self, place: Place, only: str = "") -> str:
        """The room that is that place now. only: and no other than this. Raises NetworkError."""
        room_id = self._private(place.name) if place.private else self._room(place.name).id
        if only and room_id != only:
            raise NetworkError(f"{place.name} is in another room by now", unsent=True)
        return room_id

    def _private(self, account: str) -> str:
        """The room for what is said to somebody alone. Raises NetworkError."""
        room = self._world.private(account)
        if room is None:
            why = f"{account} has no private room with me yet: they have to accept my invitation"
            raise NetworkError(why, unsent=True, absent=True)
        if room.members.get(account) != "join":
            why = f"{account} is not in our private room yet: they have to accept my invitation"
            raise NetworkError(why, unsent=True, absent=True)
        return room.id

    def _room(self, name: str) -> Room:
        """Raises NetworkError if we are not there."""
        room = self._world.named(name)
        if room is None or not self._world.joined(room):
            why = "it is none of our rooms" if room is None else room.why
            raise NetworkError(f"not in {name}: {why}", unsent=True)
        return room

    def _forbidden(self, place: Place, error: MatrixError) -> None:
        """A room does not take what we say; that is told once. Raises NetworkError where it is somebody's own."""
        if place.private:
            raise NetworkError(f"{place.name} can't be reached: {error}", unsent=True, absent=True) from None
        room = self._world.named(place.name)
        if room is not None and room.silent != str(error):
            room.silent = str(error)
            self._tell(f"I can't speak in {room.name} on {self._name}: {error}")

    async def _find(self, room_id: str, txn_id: str, since: datetime) -> str:
        """The event by which a message was said, if it was. Raises NetworkError."""
        start = ""
        for _ in range(MOST_PAGES):
            query = {"dir": "b", "limit": PAGE} | ({"from": start} if start else {})
            path = f"{at('rooms', room_id, 'messages')}?{urlencode(query)}"
            answer = await self._client.call("GET", path)
            events = [event for event in answer.get("chunk", ()) if isinstance(event, Mapping)]
            for event in events:
                if self._is_it(room_id, event, txn_id):
                    return text_of(event, "event_id")
            start = text_of(answer, "end")
            oldest = events[-1].get("origin_server_ts") if events else None
            if not start or not isinstance(oldest, int) or datetime.fromtimestamp(oldest / 1000, UTC) < since:
                return ""
        log.warning("%s: whether %s was said long ago can't be found out", self._name, txn_id)
        return ""

    def _is_it(self, room_id: str, event: Mapping[str, Any], txn_id: str) -> bool:
        if event.get("sender") != self._world.us:
            return False
        if part(event, "unsigned").get("transaction_id") == txn_id:
            return True
        found = opened(self._client, room_id, event)
        return found is not None and found.kind == MESSAGE and found.content.get(bodies.TXN) == txn_id
