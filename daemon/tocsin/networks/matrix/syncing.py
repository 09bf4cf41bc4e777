"""The homeserver's stream: where we stand in it, what it told, and what it left out."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from tocsin.domain.message import Line
from tocsin.errors import NetworkError
from tocsin.networks.base import Listener
from tocsin.networks.matrix.arrivals import Arrivals
from tocsin.networks.matrix.client import Client
from tocsin.networks.matrix.hearing import Hearing, Raw
from tocsin.networks.matrix.parts import events_of, part, text_of
from tocsin.networks.matrix.replies import LoggedOut, MatrixError
from tocsin.networks.matrix.rooms import World
from tocsin.networks.matrix.wire import at

log = logging.getLogger(__name__)

WAIT = timedelta(seconds=20)
"""How long the homeserver may wait until there is something to tell; if nothing came 15 s later, it stands still."""

SETTLE_AGAIN = 5.0
"""After so many seconds it is tried again what encryption has to do."""

MOST_TRIES = 3
"""So often it is tried to fetch what was missed in a room; one that is broken keeps us from hearing no other."""

KEEP_EVERY = 10.0
"""Where nothing is heard, the position is kept once in so many seconds."""

INVITES_WITHIN = timedelta(seconds=30)
"""It takes a homeserver long to tell of all rooms there are."""

MOST_MISSED = 1000
"""So many events of one room are fetched that a sync left out; what is before them is lost."""

PAGE = 100

PROOF = "tocsin.proof"
"""The kind of what we send our own device to see that it comes back."""

FILTER: Mapping[str, Any] = {
    "presence": {"types": []},
    "account_data": {"types": ["m.direct"]},
    "room": {
        "timeline": {"limit": 500},
        "state": {"lazy_load_members": False},
        "ephemeral": {"types": ["m.receipt"]},
        "account_data": {"types": []},
    },
}

_INVITES_ALONE: Mapping[str, Any] = {
    "presence": {"types": []},
    "account_data": {"types": []},
    "room": {
        "timeline": {"limit": 1, "types": []},
        "state": {"types": []},
        "ephemeral": {"types": []},
        "account_data": {"types": []},
    },
}


class Stream:
    """Follows the stream; what it tells is heard first, and then the position is kept."""

    def __init__(
        self,
        name: str,
        client: Client,
        world: World,
        hearing: Hearing,
        *,
        arrivals: Arrivals,
        on_left: Callable[[str, str], None],
    ) -> None:
        """on_left: told of each room where we are no more, and why."""
        self._name = name
        self._client = client
        self._world = world
        self._hearing = hearing
        self._arrivals = arrivals
        self._on_left = on_left
        self._since: str | None = None
        self._begun = False
        self._kept = ""
        self._kept_at = 0.0
        self._settle_at = 0.0
        self._failed: dict[str, int] = {}
        self._proofs = dict[str, asyncio.Event]()

    async def connect(self, listener: Listener) -> None:
        """Take what there is after a connect, at once. Raises LoggedOut, NetworkError."""
        if self._since is None:
            self._since = self._kept = await listener.position(self._name)
        await self._once(listener, timedelta(milliseconds=1) if self._begun else timedelta(0))

    async def go_on(self, listener: Listener) -> None:
        """Wait for what comes next, and take it. Raises LoggedOut, NetworkError."""
        await self._once(listener, WAIT)

    async def prove(self, text: str) -> None:
        """Send our own device something, and wait until the stream tells it. Raises NetworkError."""
        back = self._proofs[text] = asyncio.Event()
        try:
            await self._client.send_to_ourselves(PROOF, {"text": text})
            await back.wait()
        finally:
            del self._proofs[text]

    def _take_proofs(self, source: Mapping[str, Any]) -> None:
        for event in events_of(source, "to_device"):
            if text_of(event, "type") == PROOF:
                back = self._proofs.get(text_of(part(event, "content"), "text"))
                if back is not None and text_of(event, "sender") == self._client.nio.user_id:
                    back.set()

    async def stop(self, listener: Listener) -> None:
        """Keep where we stand; after this it begins from there."""
        self._begun = False
        if self._since and self._since != self._kept and not self._hearing.waits:
            await self._keep(listener, self._since)

    async def _once(self, listener: Listener, wait: timedelta) -> None:
        since, whole = self._since or "", not self._begun
        try:
            response = await self._client.sync(since, wait=wait, sync_filter=FILTER, full_state=whole)
        except LoggedOut:
            raise
        except MatrixError as error:
            if error.status == 400 and since:  # the homeserver does not know where that is
                log.warning("%s: the stream begins anew: %s", self._name, error)
                listener.tell(
                    f"the homeserver of {self._name} lost its place: what was said there lately may not be heard"
                )
                self._since, self._begun = "", False
            raise
        source = response.source
        self._take_proofs(source)
        if whole and since:
            await self._ask_for_invites()
        missed, lost = await self._missed(source, since) if since else ({}, set())
        for room_id, why in self._world.take(source, whole=whole):
            self._on_left(room_id, why)
        for place in filter(None, map(self._world.place, sorted(lost))):
            listener.tell(
                f"not all that was said to me on {self._name} in {place.name} can be fetched: what was said there "
                "lately may not be heard"
            )
        lines = await self._read(response, missed, listener, old=not since)
        self._arrivals.tell(listener)
        stands_at = str(response.next_batch)
        await self._hear(lines, stands_at, listener)
        self._since, self._begun = stands_at, True  # whoever ended us before that hears the same lines again
        for room_id, info in part(source, "rooms", "join").items():
            self._hearing.receipts(room_id, events_of(info, "ephemeral"), listener)
        await self._settle()
        lines = await self._hearing.again(listener)
        await self._hear(lines, stands_at, listener)
        self._hearing.taken(lines)
        late = asyncio.get_running_loop().time() > self._kept_at + KEEP_EVERY
        if stands_at != self._kept and late and not self._hearing.waits:
            await self._keep(listener, stands_at)

    async def _settle(self) -> None:
        """What encryption has to do; where that fails, all else goes on. Raises LoggedOut."""
        now = asyncio.get_running_loop().time()
        if now < self._settle_at:
            return
        try:
            await self._client.settle()
        except LoggedOut:
            raise
        except NetworkError as error:
            wait = error.retry_after.total_seconds() if error.retry_after else 0.0
            self._settle_at = now + max(wait, SETTLE_AGAIN)
            log.warning("%s: what encryption needs can't be done now: %s", self._name, error)

    async def _keep(self, listener: Listener, stands_at: str) -> None:
        await listener.moved(self._name, stands_at)
        self._kept, self._kept_at = stands_at, asyncio.get_running_loop().time()

    async def _hear(self, lines: list[Line], stands_at: str, listener: Listener) -> None:
        """Hand lines on; the last one brings where we stand, unless something before it can still be read."""
        for number, line in enumerate(lines, 1):
            last = number == len(lines) and not self._hearing.waits
            try:
                await listener.heard(replace(line, position=stands_at) if last else line)
            except Exception:
                log.exception("%s: a line was not taken", self._name)
            else:
                if last:
                    self._kept, self._kept_at = stands_at, asyncio.get_running_loop().time()

    async def _read(
        self, response: Any, missed: Mapping[str, list[Raw]], listener: Listener, *, old: bool
    ) -> list[Line]:
        lines = []
        for room_id, info in part(response.source, "rooms", "join").items():
            nio_room = response.rooms.join.get(room_id)
            theirs = {event.event_id: event for event in nio_room.timeline.events} if nio_room else {}
            events = [*missed.get(room_id, ()), *events_of(info, "timeline")]
            events = self._since_we_came(events)
            places = self._world.places(room_id, events)
            if not old:
                self._arrivals.take(events, places)
            told = [
                (event, theirs.get(text_of(event, "event_id")), place)
                for event, place in zip(events, places, strict=True)
            ]
            lines += await self._hearing.read(room_id, told, listener, old=old)
        return lines

    def _since_we_came(self, events: list[Raw]) -> list[Raw]:
        """What was said before we were there was not said to us."""
        for number in range(len(events) - 1, -1, -1):
            event = events[number]
            if event.get("type") == "m.room.member" and event.get("state_key") == self._world.us:
                before = part(event, "unsigned", "prev_content").get("membership")
                if part(event, "content").get("membership") == "join" and before != "join":
                    return events[number:]
        return events

    async def _missed(self, source: Raw, since: str) -> tuple[dict[str, list[Raw]], set[str]]:
        """What was said between that position and what a sync tells, of each room, oldest first.

        And the rooms where not all of that can be had.
        """
        missed: dict[str, list[Raw]] = {}
        lost: set[str] = set()
        again: NetworkError | None = None
        for room_id, info in part(source, "rooms", "join").items():
            timeline = part(info, "timeline")
            start = text_of(timeline, "prev_batch")
            if timeline.get("limited") is True and start:
                try:
                    missed[room_id], whole = await self._between(room_id, start, since)
                except LoggedOut:
                    raise
                except NetworkError as error:
                    self._failed[room_id] = self._failed.get(room_id, 0) + 1
                    if self._failed[room_id] < MOST_TRIES:
                        again = error
                    else:
                        log.warning("%s: what was missed in %s can't be had: %s", self._name, room_id, error)
                        lost.add(room_id)
                else:
                    lost |= set() if whole else {room_id}
        if again is not None:
            raise again
        self._failed.clear()
        return missed, lost

    async def _between(self, room_id: str, start: str, since: str) -> tuple[list[Raw], bool]:
        """Going back from one position to an earlier one, as far as we go back at all; whether that is all."""
        found: list[Raw] = []
        while start and len(found) < MOST_MISSED:
            query = urlencode({"dir": "b", "from": start, "to": since, "limit": PAGE})
            answer = await self._client.call("GET", f"{at('rooms', room_id, 'messages')}?{query}")
            chunk = [event for event in answer.get("chunk", ()) if isinstance(event, Mapping)]
            found += chunk
            start = text_of(answer, "end") if chunk else ""
        if start:
            log.warning("%s: more was said in %s than can be fetched", self._name, room_id)
        return found[::-1], not start

    async def _ask_for_invites(self) -> None:
        """Those that came before where we stand are not told again."""
        query = urlencode({"filter": json.dumps(_INVITES_ALONE), "timeout": 0})
        try:
            self._world.learn_invites(await self._client.call("GET", f"/sync?{query}", within=INVITES_WITHIN))
        except LoggedOut:
            raise
        except NetworkError as error:
            log.warning("%s: who invites us can't be found out: %s", self._name, error)
