"""The rooms in which we are alone with one person each: what is private is said there."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from datetime import timedelta
from typing import Any

from tocsin.errors import NetworkError
from tocsin.networks.base import Rank
from tocsin.networks.matrix.client import MEGOLM, Client
from tocsin.networks.matrix.gate import Gate
from tocsin.networks.matrix.replies import LoggedOut, MatrixError
from tocsin.networks.matrix.rooms import MARK, Seen, World
from tocsin.networks.matrix.wire import at

log = logging.getLogger(__name__)

NAME = "Tocsin"

AGAIN_AFTER = 600.0
"""Nobody is invited again before so many seconds are over."""

IN_DOUBT = 60.0
"""For so many seconds a room may still come that was asked for."""

CREATED_WITHIN = timedelta(seconds=60)
"""It takes a dozen events, and where the invited one's homeserver is away as long as that lets it wait."""


class Inviting:
    """Sees to it that everybody has one, and never two of ours."""

    def __init__(
        self, name: str, client: Client, world: World, gate: Gate, *, people: Callable[[], Collection[str]]
    ) -> None:
        """gate: homeservers count rooms that are made like messages."""
        self._name = name
        self._gate = gate
        self._client = client
        self._world = world
        self._people = people
        self._at: dict[str, float] = {}
        self._first: list[str] = []
        self._quiet_until = 0.0

    def wanted(self, account: str) -> None:
        """Something is to be said to them: they come before all others."""
        if account in self._people() and account not in self._first:
            self._first.append(account)

    def due(self, now: float) -> Coroutine[Any, Any, None] | None:
        """What to do next, if anything."""
        if now < self._quiet_until:
            return None
        for account in dict.fromkeys((*self._first, *self._people())):
            if account == self._world.us or self._world.private(account) is not None:
                self._first = [other for other in self._first if other != account]
                continue
            rank = Rank.ANSWER if account in self._first else Rank.EDIT
            if self._at.get(account, 0.0) <= now and self._gate.free(rank):
                left = self._world.left_alone(account)
                return (
                    self._create(account, rank, now)
                    if left is None
                    else self._invite(account, left, rank, now)
                )
        return None

    async def _create(self, account: str, rank: Rank, now: float) -> None:
        """Make a room for them. That it is theirs stands in it from the beginning, so that no crash leads to a second."""
        self._at[account] = now + IN_DOUBT
        options = {
            "preset": "trusted_private_chat",
            "is_direct": True,
            "name": NAME,
            "invite": [account],
            "initial_state": [
                {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": MEGOLM}},
                {"type": MARK, "state_key": "", "content": {"account": account}},
            ],
        }
        try:
            async with self._gate.turn(rank):
                answer = await self._client.call("POST", at("createRoom"), options, within=CREATED_WITHIN)
        except LoggedOut:
            raise
        except NetworkError as error:
            self._failed(account, error)
            return
        log.info("%s: invited %s to talk in private", self._name, account)
        await self._list(account, str(answer.get("room_id")))

    async def _invite(self, account: str, room: Seen, rank: Rank, now: float) -> None:
        """Invite them, again perhaps, to the room that we made for them."""
        self._at[account] = now + AGAIN_AFTER
        try:
            async with self._gate.turn(rank):
                await self._client.call("POST", at("rooms", room.id, "invite"), {"user_id": account})
        except LoggedOut:
            raise
        except NetworkError as error:
            self._failed(account, error)

    def _failed(self, account: str, error: NetworkError) -> None:
        now = asyncio.get_running_loop().time()
        self._at[account] = now + IN_DOUBT
        log.warning("%s: can't invite %s: %s", self._name, account, error)
        if error.retry_after is not None:
            self._at[account] = self._quiet_until = now + max(error.retry_after.total_seconds(), 1.0)
        elif isinstance(error, MatrixError) and error.status < 500:
            self._at[account] = now + AGAIN_AFTER

    async def _list(self, account: str, room_id: str) -> None:
        """Let programs that show our account know that it is a private talk; no matter if that fails."""
        path = at("user", self._world.us, "account_data", "m.direct")
        direct = {user: rooms for user, rooms in self._world.direct.items() if isinstance(rooms, list)}
        direct[account] = [*direct.get(account, []), room_id]
        self._world.direct = direct
        try:
            await self._client.call("PUT", path, direct)
        except LoggedOut:
            raise
        except NetworkError as error:
            log.info("%s: the list of private talks was not kept: %s", self._name, error)
