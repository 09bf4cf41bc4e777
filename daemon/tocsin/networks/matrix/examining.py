"""Looks whether a Matrix account is as it must be: may it speak in each room, is that encrypted, who can read it."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from tocsin.domain.finding import Finding, green, red, yellow
from tocsin.domain.words import counted, first_few
from tocsin.networks.matrix.client import Client
from tocsin.networks.matrix.gate import Gate
from tocsin.networks.matrix.parts import part
from tocsin.networks.matrix.replies import MatrixError
from tocsin.networks.matrix.rooms import Room, Seen, World
from tocsin.networks.matrix.settings import MatrixSettings
from tocsin.networks.matrix.wire import at

MOST_NAMED = 5

_ENCRYPTED, _PLAIN = "m.room.encrypted", "m.room.message"


class Examining:
    """Asks the homeserver, and says nothing."""

    def __init__(
        self,
        name: str,
        settings: MatrixSettings,
        client: Client,
        world: World,
        gate: Gate,
        *,
        people: AbstractSet[str],
    ) -> None:
        """people: the accounts of the people; it may change."""
        self._name = name
        self._settings = settings
        self._client = client
        self._world = world
        self._gate = gate
        self._people = people

    async def examine(self) -> list[Finding]:
        """A few lines for each room, and for the account. Raises NetworkError."""
        rooms = [one for room in self._world.ours for one in await self._room(room)]
        return [*rooms, *self._identity(), *self._private(), *self._limit()]

    async def _room(self, room: Room) -> list[Finding]:
        about, seen = f"{self._name} {room.name}", self._world.rooms.get(room.id)
        if seen is None:
            return [red(about, f"Tocsin is not in it: {room.why}", f"invite {self._settings.user}")]
        try:
            if lacks := await self._lacks(seen):
                return [red(about, *lacks)]
        except MatrixError as error:
            return [
                yellow(about, f"its power levels can't be read: {error}", "see whether Tocsin speaks there")
            ]
        return list(self._who_reads(about, seen))

    async def _lacks(self, seen: Seen) -> tuple[str, str] | None:
        """What we may not do there and must, and what to do."""
        if seen.made_as:
            return None  # it is ours
        try:
            levels = await self._client.call("GET", at("rooms", seen.id, "state", "m.room.power_levels", ""))
        except MatrixError as error:
            if error.code != "M_NOT_FOUND":
                raise
            return None  # without them everybody may speak
        kind = _ENCRYPTED if self._client.encrypted(seen.id) else _PLAIN
        ours, needed = _level(levels, self._settings.user), _needed(levels, kind)
        if ours >= needed:
            return None
        return (
            f"Tocsin may not speak in it: its power level is {ours}, and {needed} is needed",
            f"give {self._settings.user} the power level {needed} in the room's settings",
        )

    def _who_reads(self, about: str, seen: Seen) -> Iterator[Finding]:
        if seen.shown_to_all:
            text = "anybody in the world can read it, without joining"
            yield yellow(about, text, "set its history to be read by members alone, in the room's settings")
        there = sum(seen.members.get(user) == "join" for user in self._people)
        if not there:
            yield yellow(about, "none of the people is in it", "invite them")
        if not self._client.encrypted(seen.id):
            text = "is not encrypted: whoever runs a homeserver that is in it can read it"
            yield yellow(
                about, text, "turn on encryption in the room's settings (it can't be turned off again)"
            )
        else:
            yield green(
                about, f"Tocsin may speak in it; it is encrypted; {counted(there, 'person', 'people')} there"
            )

    def _identity(self) -> Iterator[Finding]:
        about = f"{self._name} identity"
        if self._client.insecure:
            yield yellow(about, self._client.insecure, "until then clients warn of Tocsin's messages")
        else:
            yield green(about, "the device is signed by the account's own identity (cross-signing)")
        for user, why in sorted(self._client.blind(self._people).items()):
            yield yellow(about, f"{user} can't read what is encrypted: {why}", "see docs/matrix.md")

    def _private(self) -> Iterator[Finding]:
        """Pages go to a room that each shares with us alone."""
        outside = sorted(user for user in self._people if not self._world.reached(user))
        if outside:
            text = f"{first_few(outside, MOST_NAMED)} {'has' if len(outside) == 1 else 'have'} not joined the room for pages"
            yield yellow(f"{self._name} pages", text, "accept Tocsin's invitation in your client")

    def _limit(self) -> Iterator[Finding]:
        about, settings = f"{self._name} rate limit", self._settings
        if self._gate.refusals:
            text = f"the homeserver slowed Tocsin down {counted(self._gate.refusals, 'time')} since the start"
            yield yellow(about, text, "let it have none for this account: docs/matrix.md, 'burst' and 'pace'")
        else:
            pace = f"{settings.burst} at once, then one each {settings.pace.total_seconds():g} s"
            yield green(about, f"never met since the start, by {pace}")


def _level(levels: Mapping[str, Any], user: str) -> int:
    return _number(part(levels, "users").get(user, levels.get("users_default", 0)))


def _needed(levels: Mapping[str, Any], kind: str) -> int:
    return _number(part(levels, "events").get(kind, levels.get("events_default", 0)))


def _number(level: Any) -> int:
    return level if isinstance(level, int) else 0
