"""How we come to be in rooms: in those of the configuration, and where our people invite us."""

import logging
from collections.abc import Callable, Container, Coroutine
from typing import Any

from tocsin.errors import NetworkError
from tocsin.networks.matrix.client import Client
from tocsin.networks.matrix.replies import LoggedOut, MatrixError
from tocsin.networks.matrix.rooms import AGAIN_AFTER, Room, World
from tocsin.networks.matrix.wire import at

log = logging.getLogger(__name__)

SOON = 5.0
"""After so many seconds it is tried again where the homeserver gave no real answer."""


class Joining:
    """Finds out what to join next, and joins it."""

    def __init__(
        self,
        name: str,
        client: Client,
        world: World,
        people: Container[str],
        tell: Callable[[str], None],
    ) -> None:
        """people: the accounts that may invite us; it may change."""
        self._name = name
        self._client = client
        self._world = world
        self._people = people
        self._tell = tell
        self._invited: dict[str, float] = {}
        self._noticed: set[str] = set()
        self._closed: set[str] = set()

    async def resolve(self) -> None:
        """Find out which rooms the aliases mean now, as far as that can be. Raises LoggedOut."""
        for room in self._world.ours:
            if not room.name.startswith("#"):
                continue
            try:
                found = await self._client.call("GET", at("directory", "room", room.name))
            except LoggedOut:
                raise
            except MatrixError as error:
                if room.id or not error.code:  # it was one already, or the server is in trouble
                    log.warning("%s: %s can't be looked up: %s", self._name, room.name, error)
                    continue
                room.id = ""
                continue
            except NetworkError as error:  # the homeserver that has it may be away: all other rooms are not
                log.warning("%s: %s can't be looked up: %s", self._name, room.name, error)
                continue
            if isinstance(found.get("room_id"), str):
                room.id = found["room_id"]
                self._world.follow(room)

    def due(self, now: float) -> Coroutine[Any, Any, None] | None:
        """What to join now, if anything."""
        for room in self._world.ours:
            if not self._world.joined(room):
                if room.at <= now:
                    return self._enter(room, now)
            elif self._world.rooms[room.id].successor and room.at <= now:
                return self._go_on(room, now)
        for room_id, by in self._world.invites.items():
            if by in self._people and self._invited.get(room_id, 0.0) <= now:
                return self._accept(room_id, now)
        return None

    async def _enter(self, room: Room, now: float) -> None:
        room.at = now + AGAIN_AFTER  # unless it comes with a sync before
        invited = room.id in self._world.invites
        try:
            found = await self._client.call("POST", at("join", room.id if invited else room.name), {})
        except LoggedOut:
            raise
        except NetworkError as error:
            self.out(room, why_out(error), now, _wait(error))
            return
        if isinstance(found.get("room_id"), str):
            room.id = found["room_id"]

    def out(self, room: Room, why: str, now: float, wait: float = AGAIN_AFTER) -> None:
        """We are not in one of our rooms; it is told once."""
        if room.stay_out(why, now, wait):
            log.warning("%s: not in %s: %s", self._name, room.name, why)
            self._tell(f"I am not in {room.name} on {self._name}: {why}")

    async def _go_on(self, room: Room, now: float) -> None:
        """A room was replaced by another one, where we are not yet."""
        room.at = now + AGAIN_AFTER
        successor = self._world.rooms[room.id].successor
        try:
            await self._client.call("POST", at("join", successor), {})
        except LoggedOut:
            raise
        except NetworkError as error:
            text = f"{room.name} on {self._name} was replaced by another room, and I can't go there: {why_out(error)}"
            if room.silent != text:
                room.silent = text
                self._tell(text)
            return
        room.silent, room.at = "", 0.0
        self._tell(f"{room.name} on {self._name} was replaced by another room: I went there")

    async def _accept(self, room_id: str, now: float) -> None:
        self._invited[room_id] = now + AGAIN_AFTER
        try:
            await self._client.call("POST", at("join", room_id), {})
        except LoggedOut:
            raise
        except MatrixError as error:
            log.warning("%s: can't accept an invitation to %s: %s", self._name, room_id, error)
            self._closed.add(room_id)
            if error.status in {403, 404}:  # it was taken back
                self._world.invites.pop(room_id, None)
        else:
            log.info("%s: joined %s, invited by %s", self._name, room_id, self._world.invites.get(room_id))

    def expects(self) -> bool:
        """Whether our people have invited us to where we are not yet, and may soon be: one of them in private, perhaps."""
        return any(
            by in self._people and room not in self._closed for room, by in self._world.invites.items()
        )

    def invited(self) -> None:
        """One of our rooms may be open to us now."""
        new = self._world.invites.keys() - self._noticed
        self._noticed = set(self._world.invites)
        for room in self._world.ours:
            seen = self._world.rooms.get(room.id)
            if {room.id, seen.successor if seen is not None else ""} & new:
                room.at = 0.0


def why_out(error: NetworkError) -> str:
    """Why we were not let into a room, in words."""
    code = error.code if isinstance(error, MatrixError) else ""
    if code == "M_FORBIDDEN":
        return f"it lets in only who is invited: invite me there ({error})"
    return "there is no such room" if code == "M_NOT_FOUND" else str(error)


def _wait(error: NetworkError) -> float:
    """How long a room is left alone after that, in seconds."""
    if error.retry_after is not None:
        return max(error.retry_after.total_seconds(), 1.0)
    decided = isinstance(error, MatrixError) and bool(error.code) and error.status < 500
    return AGAIN_AFTER if decided else SOON
