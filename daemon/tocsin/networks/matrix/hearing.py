"""What people say on Matrix: which events are lines, who says them, and what they answer."""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tocsin.domain.message import Line, Place, identity
from tocsin.domain.taps import word_of
from tocsin.errors import NetworkError
from tocsin.networks.base import Listener
from tocsin.networks.matrix import bodies
from tocsin.networks.matrix.client import Client
from tocsin.networks.matrix.parts import MESSAGE, part, text_of
from tocsin.networks.matrix.reading import ENCRYPTED, Opened, opened
from tocsin.networks.matrix.replies import LoggedOut, MatrixError
from tocsin.networks.matrix.rooms import World
from tocsin.networks.matrix.wire import at

log = logging.getLogger(__name__)

MOST_KNOWN = 20_000
"""Of so many events it is remembered who said them."""

MOST_IN_ORDER = 500
"""So many messages of a private room are known in their order."""

KEY_WITHIN = 60.0
"""For so many seconds the key to an event may still come."""

PATIENCE = 5.0
"""After so many seconds without the key people are told."""

TELL_EVERY = 600.0
MOST_UNREAD = 1000

Raw = Mapping[str, Any]
Say = Callable[[str, str, str, str], None]


@dataclass
class _Unread:
    """An event to which there is no key yet. place: where it was said. told: whether people know."""

    room_id: str
    place: Place
    raw: Raw
    since: float
    told: bool = False


class Hearing:
    """Makes lines of events."""

    def __init__(
        self,
        name: str,
        client: Client,
        world: World,
        people: Container[str],
        *,
        say: Say,
        now: Callable[[], datetime],
    ) -> None:
        """people: accounts; they may change. say: says something in a room, as a reply to an event, by a transaction id."""
        self._name = name
        self._client = client
        self._world = world
        self._people = people
        self._say = say
        self._now = now
        self._reactions = client.account.settings.reactions
        self._ours: OrderedDict[str, str | None] = OrderedDict()  # by which id we said it; None: others did
        self._order: dict[str, deque[tuple[str, bool]]] = {}
        self._unread: dict[str, _Unread] = {}
        self._told: dict[tuple[str, str], float] = {}

    @property
    def waits(self) -> bool:
        """Whether there is something to which a key may still come."""
        return bool(self._unread)

    async def read(
        self,
        room_id: str,
        events: Iterable[tuple[Raw, Any, Place | None]],
        listener: Listener,
        *,
        old: bool = False,
    ) -> list[Line]:
        """The lines among these, in their order. With each event come nio's own form of it, or None, and where it was said.

        old: they are known from now on, and are no lines.
        """
        lines = []
        for raw, event, place in events:
            try:
                self._remember(room_id, place, raw, event)
                if old or place is None or text_of(raw, "sender") == self._world.us or "state_key" in raw:
                    continue
                found = opened(self._client, room_id, raw, event)
                if found is None:
                    self._can_not_read(room_id, place, raw)
                elif not found.known and text_of(raw, "sender") in self._people:
                    self._can_not_read(room_id, place, raw, told=True)  # whose it is comes with their devices
                elif (line := await self._line(room_id, place, raw, found, listener)) is not None:
                    lines.append(line)
            except LoggedOut:
                raise
            except Exception:
                log.exception("%s: an event was not read", self._name)
        return lines

    def _remember(self, room_id: str, place: Place | None, raw: Raw, event: Any) -> None:
        event_id, ours = text_of(raw, "event_id"), text_of(raw, "sender") == self._world.us
        self._know(room_id, raw, event)
        if "state_key" not in raw and place is not None and place.private:
            order = self._order.setdefault(room_id, deque(maxlen=MOST_IN_ORDER))
            order.append((event_id, ours and raw.get("type") in {MESSAGE, ENCRYPTED}))

    def _know(self, room_id: str, raw: Raw, event: Any = None) -> None:
        """Whether an event is ours, and by which id we said it."""
        txn_id = None
        if text_of(raw, "sender") == self._world.us:
            found = (
                opened(self._client, room_id, raw, event) if raw.get("type") in {MESSAGE, ENCRYPTED} else None
            )
            txn_id = text_of(found.content, bodies.TXN) if found is not None else ""
        self._ours[text_of(raw, "event_id")] = txn_id
        if len(self._ours) > MOST_KNOWN:
            self._ours.popitem(last=False)

    async def _line(
        self, room_id: str, place: Place, raw: Raw, found: Opened, listener: Listener
    ) -> Line | None:
        """What that event says to us, if anything."""
        sender, event_id = text_of(raw, "sender"), text_of(raw, "event_id")
        if not sender or not event_id or (place.private and sender != place.name):
            return None
        account = sender if found.proven else ""
        if not found.proven:
            log.warning("%s: nothing proves that %s said %s in %s", self._name, sender, event_id, room_id)
        said_at = self._said_at(raw.get("origin_server_ts"))
        line = Line(event_id, place, account, "", called=sender, at=said_at)
        match found.kind:
            case "m.reaction" if self._reactions:
                return await self._tap(room_id, found, line)
            case "m.room.redaction":
                gone = text_of(raw, "redacts") or text_of(found.content, "redacts")
                return replace(line, takes_back=gone)
            case kind if kind == MESSAGE:
                return await self._words(room_id, bodies.said(found.content), line, listener)
        return None

    async def _tap(self, room_id: str, found: Opened, line: Line) -> Line | None:
        tap = bodies.reaction(found.content)
        if tap is None:
            return None
        said = word_of(tap[1])
        if not (said is not None and said.of_others) and not await self._is_ours(
            room_id, tap[0], line.called
        ):
            return None
        return replace(line, text=tap[1], about=tap[0], about_id=self._ours.get(tap[0]) or "", tapped=True)

    async def _words(self, room_id: str, said: bodies.Said, line: Line, listener: Listener) -> Line | None:
        if said.ignored_because:
            return None
        us = self._called(room_id, said.text)
        if said.edits:
            wanted = listener.wants(said.text, private=line.place.private, us=us)
            if wanted and line.called in self._people:
                self._say(room_id, "I don't read edits: send it again", line.id, f"edit-{said.edits}")
            return None
        about = ""
        for answered in filter(None, (said.in_thread, said.answers_event)):
            about = about or (answered if await self._is_ours(room_id, answered, line.called) else "")
        return replace(line, text=said.text, us=us, about=about, about_id=self._ours.get(about) or "")

    def _said_at(self, stamp: object) -> datetime:
        """When it was said, as the sender's homeserver has it, but never later than now."""
        now = self._now()
        if not isinstance(stamp, int | float):
            return now
        try:
            return min(now, datetime.fromtimestamp(stamp / 1000, UTC))
        except (ValueError, OverflowError, OSError):
            return now

    def _called(self, room_id: str, text: str) -> str:
        """By which of our names a text begins; the plain one if by none."""
        plain = self._world.us[1:].partition(":")[0]
        room = self._world.rooms.get(room_id)
        names = (self._world.us, room.called if room is not None else "")
        begun = (name for name in names if name and text.lower().startswith(name.lower()))
        return next(begun, plain)

    async def _is_ours(self, room_id: str, event_id: str, asker: str) -> bool:
        """Whether we said that; for our people the homeserver is asked if need be.

        If that can't be found out, it may be so: whoever hears it knows what we said.
        """
        if event_id in self._ours or asker not in self._people:
            return self._ours.get(event_id) is not None
        try:
            raw = await self._client.call("GET", at("rooms", room_id, "event", event_id))
        except LoggedOut:
            raise
        except NetworkError as error:
            log.warning("%s: what %s answers can't be found: %s", self._name, asker, error)
            return not (isinstance(error, MatrixError) and error.status in {403, 404})
        self._know(room_id, raw)
        return self._ours.get(event_id) is not None

    # What is encrypted, and not for us.

    def _can_not_read(self, room_id: str, place: Place, raw: Raw, *, told: bool = False) -> None:
        sender = text_of(raw, "sender")
        if sender not in self._people:
            return
        if len(self._unread) < MOST_UNREAD:
            now = asyncio.get_running_loop().time()
            self._unread.setdefault(text_of(raw, "event_id"), _Unread(room_id, place, raw, now, told))

    async def again(self, listener: Listener) -> list[Line]:
        """What can be read by now of what could not be; it comes again until it is `taken`."""
        now, lines = asyncio.get_running_loop().time(), []
        for event_id, unread in list(self._unread.items()):
            over = now > unread.since + KEY_WITHIN
            found = opened(self._client, unread.room_id, unread.raw)
            line = None
            if found is not None and (over or found.proven):
                line = await self._line(unread.room_id, unread.place, unread.raw, found, listener)
            if line is not None:
                lines.append(line)
            elif over or (found is not None and found.proven):
                del self._unread[event_id]
        return lines

    def taken(self, lines: Iterable[Line]) -> None:
        """These were handed on."""
        for line in lines:
            self._unread.pop(line.id, None)

    def complain(self) -> None:
        """Tell whoever said what can't be read; once in a while."""
        now = asyncio.get_running_loop().time()
        for event_id, unread in self._unread.items():
            if unread.told or now < unread.since + PATIENCE:
                continue
            unread.told = True
            sender = text_of(unread.raw, "sender")
            if now < self._told.get((unread.room_id, sender), -TELL_EVERY) + TELL_EVERY:
                continue
            self._told[unread.room_id, sender] = now
            todo = self._client.insecure or "send it again, or restart your app if that does not help"
            self._say(
                unread.room_id,
                f"I can't read {sender}'s message, since no key to it came: {todo}",
                event_id,
                f"unread-{event_id}",
            )

    # What people have seen.

    def receipts(self, room_id: str, events: Iterable[Raw], listener: Listener) -> None:
        """Tell up to which message of ours somebody has read in their private room."""
        place = self._world.place(room_id)
        if place is None or not place.private:
            return
        for event in events:
            if event.get("type") != "m.receipt":
                continue
            for event_id, kinds in part(event, "content").items():
                read = part(kinds, "m.read").get(place.name)
                if isinstance(read, Mapping):
                    self._seen(place, room_id, event_id, self._said_at(read.get("ts")), listener)

    def _seen(self, place: Place, room_id: str, event_id: str, seen_at: datetime, listener: Listener) -> None:
        last, known = event_id, False
        for other, ours in self._order.get(room_id, ()):
            last = other if ours else last
            if other == event_id:
                known = True
                break
        listener.seen(place, identity(last if known else event_id), seen_at)
