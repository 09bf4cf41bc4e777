"""The rooms that we make for one matter each: made once, and only who was invited comes in."""

import asyncio
import logging
import re
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from tocsin.domain.message import clean
from tocsin.domain.words import listed
from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.networks.matrix.client import MEGOLM, Client
from tocsin.networks.matrix.gate import Gate
from tocsin.networks.matrix.parts import part
from tocsin.networks.matrix.replies import SHUT_OUT, LoggedOut, MatrixError
from tocsin.networks.matrix.rooms import MADE, Room, Seen, World
from tocsin.networks.matrix.wire import ANSWERED_WITHIN, at

log = logging.getLogger(__name__)

Found = TypeVar("Found")

_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,40}")

LONGEST_NAME = 60
"""In characters: lists of rooms show no more of a name."""

LONGEST_TOPIC = 500

PEOPLE = 50
"""How much people of ours may do there: invite others, set the topic, put out who is none of them. We may do all (100)."""

_LEVELS: Mapping[str, Any] = {"invite": PEOPLE, "state_default": 100, "events": {"m.room.topic": PEOPLE}}

MOST_INVITED = 10
"""So many come with the making itself, which homeservers count once; Synapse makes no room with more."""

CREATED_WITHIN = timedelta(seconds=60)
"""It takes a dozen events, and where somebody's homeserver is away as long as that lets it wait."""

IN_DOUBT = 60.0
"""For so many seconds a room may still come that was asked for."""

TOLD_WITHIN = 5.0
"""So many seconds the homeserver has to tell of what it did."""

PATIENCE = 60.0
"""Where it goes too fast for the homeserver, the rest is tried for so many seconds once there is a room."""


class Making:
    """Makes them, and invites people there."""

    def __init__(
        self, name: str, client: Client, world: World, gate: Gate, *, tell: Callable[[str], None]
    ) -> None:
        self._name = name
        self._client = client
        self._world = world
        self._gate = gate
        self._tell = tell
        self._in_doubt: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._looked = asyncio.Event()

    def looked(self) -> None:
        """The homeserver told something."""
        self._looked.set()

    async def make(self, name: str, title: str, accounts: Collection[str]) -> str:
        """Make one, or find the one that we made by that name; its id. Those invited may be fewer: that is told.

        name: of letters, digits, `_`, `.` and `-`. Raises NetworkError.
        """
        if not _NAME.fullmatch(name):
            raise NetworkError(f"no room can be asked for by {name!r}", permanent=True, unsent=True)
        async with self._locks.setdefault(name, asyncio.Lock()):
            wanted = [account for account in dict.fromkeys(accounts) if account != self._world.us]
            room = self._world.made(name) or await self._made_unheard(name)
            if room is None:
                await self._create(name, title, wanted)
                room = await self._until(lambda: self._world.made(name), TOLD_WITHIN)
            if room is None:  # so that nobody knows yet that what is said there is to be encrypted
                raise NetworkError(f"the homeserver made the room for {name}, and has not told of it yet")
            found, now = room, self._listen(room.id)
            await _patiently(lambda: self.entitle(found.id, title))
            await _patiently(lambda: self._empower(now, wanted))
            await self._invite_all(name, now, wanted)
            return found.id

    async def _made_unheard(self, name: str) -> Seen | None:
        """The room that we made by that name, once we were told of all rooms where we are.

        Whoever comes back soon may be told first how things stood minutes ago: Synapse keeps its answers for so long.
        """
        answer = await self._client.call("GET", at("joined_rooms"))
        found = answer.get("joined_rooms")
        joined = {str(room) for room in found} if isinstance(found, list) else set()
        world = self._world
        await self._until(
            lambda: (joined <= world.rooms.keys() and not world.half_made(name)) or None, TOLD_WITHIN
        )
        return world.made(name)

    def _listen(self, room_id: str) -> str:
        """Hear who comes at once; which room it is by now, if it was upgraded."""
        room = self._world.named(room_id)
        if room is None:
            room = Room(room_id, made=True, fresh=True)
            self._world.ours.append(room)
        self._world.follow(room)
        return room.id

    async def _create(self, name: str, title: str, accounts: Sequence[str]) -> None:
        """Have a new one made. What it is stands in it from the beginning, so that no crash leads to a second."""
        left = self._in_doubt.get(name, 0.0) - _now()
        if left > 0:
            why = f"whether the room for {name} was made is not known yet"
            raise NetworkError(why, retry_after=timedelta(seconds=left))
        first = accounts[:MOST_INVITED]
        try:
            await self._post(name, title, first)
        except NetworkError as error:
            if _never_tried(error):
                raise
            log.warning("%s: making the room for %s brought: %s", self._name, name, error)
            # Where somebody can't be invited, the homeserver says so once the room is made.
            if await self._until(lambda: self._world.made(name), TOLD_WITHIN) is not None:
                return
            if not _refused(error):
                raise
            if not first:
                raise _for_good(f"the homeserver makes no room for {name}", error) from None
        else:
            return
        try:
            await self._post(name, title, ())
        except MatrixError as error:
            if _refused(error):
                raise _for_good(f"the homeserver makes no room for {name}", error) from None
            raise

    async def _post(self, name: str, title: str, invited: Sequence[str]) -> None:
        options = {
            "creation_content": {MADE: name},
            "preset": "private_chat",
            "name": clean(title, LONGEST_NAME) or name,
            "topic": _topic(title),
            "invite": invited,
            "power_level_content_override": _LEVELS,
            "initial_state": [
                {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": MEGOLM}},
                {
                    "type": "m.room.history_visibility",
                    "state_key": "",
                    "content": {"history_visibility": "invited"},
                },
            ],
        }
        self._in_doubt[name] = _now() + IN_DOUBT + CREATED_WITHIN.total_seconds()
        try:
            answer = await self._ask("POST", at("createRoom"), options, within=CREATED_WITHIN)
        except NetworkError as error:
            if _never_tried(error) or _refused(error):
                self._in_doubt.pop(name)
            else:
                self._in_doubt[name] = _now() + IN_DOUBT
            raise
        self._in_doubt[name] = _now() + IN_DOUBT  # until we were told of it
        log.info("%s: made the room for %s: %s", self._name, name, answer.get("room_id"))

    async def _invite_all(self, name: str, room_id: str, accounts: Sequence[str]) -> None:
        """Invite who is not there; it fails only if nobody could be."""
        deadline = _now() + PATIENCE
        failed: dict[str, NetworkError] = {}
        invited = []
        for account in accounts:
            if not self._has(room_id, account):
                try:
                    await _patiently(partial(self._invite, room_id, account), deadline)
                except NetworkError as error:
                    if isinstance(error, MatrixError) and _about_us(error):
                        raise
                    failed[account] = error
                else:
                    invited.append(account)
        if failed and len(failed) == len(accounts) and not all(each.permanent for each in failed.values()):
            raise next(each for each in failed.values() if not each.permanent)
        if failed:
            names = listed(f"{account} ({error})" for account, error in failed.items())
            self._tell(f"I can't invite to the room for {name} on {self._name}: {names}")
        for account in invited:
            await self._until_known(room_id, account)

    async def invite(self, room: str, account: str) -> None:
        """Invite somebody, unless they are there or invited. Raises NetworkError."""
        room_id = self._own(room).id
        if account != self._world.us and not self._has(room_id, account):
            await self._empower(room_id, [account])
            await self._invite(room_id, account)
            await self._until_known(room_id, account)

    async def _invite(self, room_id: str, account: str) -> None:
        if await self._is_there_by_now(room_id, account):
            return
        try:
            await self._ask("POST", at("rooms", room_id, "invite"), {"user_id": account})
        except MatrixError as error:
            if _refused(error):
                raise _for_good(f"{account} can't be invited", error) from None
            raise

    async def _is_there_by_now(self, room_id: str, account: str) -> bool:
        """Whether they came, or were invited, and we were not told yet."""
        try:
            member = await self._client.call("GET", at("rooms", room_id, "state", "m.room.member", account))
        except MatrixError as error:
            if error.code == "M_NOT_FOUND":
                return False
            raise
        return member.get("membership") in {"join", "invite"}

    async def _empower(self, room_id: str, accounts: Sequence[str]) -> None:
        """Let them do there what people of ours may."""
        path = at("rooms", room_id, "state", "m.room.power_levels")
        async with self._locks.setdefault(room_id, asyncio.Lock()):
            levels = await self._client.call("GET", path)
            users = part(levels, "users")
            new = {account: PEOPLE for account in accounts if account not in users}
            if new:
                await self._put(path, {**levels, "users": {**users, **new}})

    async def entitle(self, room: str, title: str) -> None:
        """Say there what it is about, unless that stands there. Raises NetworkError."""
        found = self._own(room)
        topic = _topic(title)
        if found.topic != topic:
            await self._put(at("rooms", found.id, "state", "m.room.topic"), {"topic": topic})
            found.topic = topic

    async def _put(self, path: str, content: Mapping[str, Any]) -> None:
        try:
            await self._ask("PUT", path, content)
        except NetworkError as error:
            if error.retry_after is not None:
                self._gate.shut(error.retry_after)  # this is counted like what is said
            raise

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any], *, within: timedelta = ANSWERED_WITHIN
    ) -> dict[str, Any]:
        async with self._gate.turn(Rank.ANSWER):
            return await self._client.call(method, path, body, within=within)

    def _own(self, name: str) -> Seen:
        """A room that we made, where it is now. Raises NetworkError."""
        room = self._world.named(name)
        made, found = (self._world.rooms.get(each) for each in (name, room.id if room is not None else name))
        if found is None:
            raise NetworkError(f"not in {name}", unsent=True)
        if not found.made_as and (made is None or not made.made_as):
            raise NetworkError(f"{name}: it is none of the rooms that I made", permanent=True, unsent=True)
        return found

    def _has(self, room_id: str, account: str) -> bool:
        room = self._world.rooms.get(room_id)
        return room is not None and account in room.members

    async def _until_known(self, room_id: str, account: str) -> None:
        """Wait until we were told of somebody: what is said from then on is encrypted for them too."""
        await self._until(lambda: self._has(room_id, account) or None, TOLD_WITHIN)

    async def _until(self, found: Callable[[], Found | None], within: float) -> Found | None:
        """Wait for what the homeserver tells of; None if that does not come in time."""
        try:
            async with asyncio.timeout(within):
                while (result := found()) is None:
                    self._looked.clear()
                    await self._looked.wait()
        except TimeoutError:
            return found()
        return result


async def _patiently(ask: Callable[[], Coroutine[Any, Any, None]], deadline: float | None = None) -> None:
    """Ask again where that went too fast and there is still time. Raises NetworkError."""
    deadline = _now() + PATIENCE if deadline is None else deadline
    while True:
        try:
            await ask()
        except NetworkError as error:
            if error.retry_after is None:
                raise
            wait = max(error.retry_after.total_seconds(), 1.0)
            if _now() + wait > deadline:
                raise
            await asyncio.sleep(wait)
        else:
            return


def _now() -> float:
    return asyncio.get_running_loop().time()


def _topic(title: str) -> str:
    return clean(title, LONGEST_TOPIC)


def _about_us(error: MatrixError) -> bool:
    return isinstance(error, LoggedOut) or error.code in SHUT_OUT


def _never_tried(error: NetworkError) -> bool:
    """Whether surely nothing was begun."""
    if isinstance(error, MatrixError):
        return _about_us(error) or error.retry_after is not None
    return error.unsent


def _refused(error: NetworkError) -> bool:
    """Whether the homeserver will say so again."""
    return (
        isinstance(error, MatrixError)
        and error.status in {400, 403, 404}
        and error.retry_after is None
        and not _about_us(error)
    )


def _for_good(text: str, error: NetworkError) -> NetworkError:
    return NetworkError(f"{text}: {error}", permanent=True, unsent=True)
