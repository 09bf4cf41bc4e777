"""What is known of people's devices: asked of the homeserver when it may have changed, as far as it answers."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any

from nio import KeysQueryResponse

from tocsin.domain.words import listed
from tocsin.errors import NetworkError
from tocsin.networks.matrix.fence import Fenced
from tocsin.networks.matrix.signing import Published
from tocsin.networks.matrix.trust import Trust
from tocsin.networks.matrix.wire import REMOTE_WITHIN, Wire

log = logging.getLogger(__name__)

SILENT_FOR = 60.0
"""For how many seconds one that said nothing of somebody is not asked of them again: pages don't wait for it.

Nor do they after a request that failed, though it is made again meanwhile.
"""

QUERIED_WITHIN = timedelta(seconds=6)
PAGES_WAIT = 5.0
"""So many seconds; the homeserver asks other ones for no longer than `REMOTE_WITHIN`."""


class Devices:
    """unknown: of whom no devices could be had when they were asked for last, and why.

    news: gets what people must be told of trust.
    """

    def __init__(self, nio: Fenced, wire: Wire, trust: Trust, news: list[str]) -> None:
        self.unknown: dict[str, str] = {}
        self._news = news
        self._nio = nio
        self._wire = wire
        self._trust = trust
        self._querying = asyncio.Lock()
        self._under_way: AbstractSet[str] = frozenset()
        self._silent: dict[str, float] = {}
        self._fails_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def learned(self, user: str) -> bool:
        """Whether the homeserver has told us all of their devices since we are there, as far as we know."""
        olm = self._nio.olm
        return user in olm.tracked_users and user not in olm.users_for_key_query | self._under_way

    async def learn_in_time(self, users: AbstractSet[str]) -> None:
        """As `learn`, but after a few seconds what is known from before has to do."""
        if asyncio.get_running_loop().time() < self._fails_until:
            return
        task = asyncio.create_task(self._learn_somehow(users))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait({task}, timeout=PAGES_WAIT)
        if not done:
            self._failed(users | self._under_way, "the homeserver does not answer in time")

    async def _learn_somehow(self, users: AbstractSet[str]) -> None:
        try:
            await self.learn(users)
        except (
            NetworkError
        ) as error:  # told already; if nobody is logged in any more, what is sent next says so
            log.debug("devices: %s", error)
        except Exception:
            log.exception("the devices of people can't be had")

    async def learn(self, users: AbstractSet[str]) -> None:
        """Learn the devices of these, if they may have changed, and how far they are to be trusted.

        Raises LoggedOut, NetworkError.
        """
        async with self._querying:
            asked = self._nio.olm.users_for_key_query
            now = asyncio.get_running_loop().time()
            wanted = {user for user in users if user in asked and self._silent.get(user, now) <= now}
            if not wanted:
                return
            asked -= wanted  # who changes meanwhile is put in again
            self._under_way = wanted
            try:
                answer = await self._wire.call(
                    "POST",
                    f"/keys/query?timeout={REMOTE_WITHIN}",
                    {"device_keys": {user: [] for user in wanted}, "timeout": REMOTE_WITHIN},
                    within=QUERIED_WITHIN,
                )
                by_user = answer.get("device_keys")
                found = {
                    user: Published.of(answer, user)
                    for user in wanted
                    if isinstance(by_user, dict) and user in by_user
                }
                self._news += await asyncio.to_thread(self._trust.take, found)
            except BaseException as error:
                asked |= wanted
                if isinstance(error, NetworkError):
                    self._failed(wanted, str(error))
                raise
            finally:
                self._under_way = frozenset()
            changed = wanted & asked
            with self._nio.store.database.atomic():
                for user, published in found.items():
                    await self._take(user, published, answer["device_keys"][user])
            asked |= changed | (wanted - found.keys())
            self._fails_until = 0.0
            for user in found:
                self.unknown.pop(user, None)
            if silent := wanted - found.keys():
                self._silent |= dict.fromkeys(silent, now + SILENT_FOR)
                self._not_had(silent, "their homeserver does not answer")

    def _failed(self, users: Iterable[str], why: str) -> None:
        self._fails_until = asyncio.get_running_loop().time() + SILENT_FOR
        self._not_had(users, why)

    def _not_had(self, users: Iterable[str], why: str) -> None:
        fresh = [user for user in users if self.unknown.get(user) != why]
        self.unknown |= dict.fromkeys(fresh, why)
        if fresh:
            log.warning(
                "what is known of their devices has to do for %s: the keys can't be had: %s",
                listed(sorted(fresh)),
                why,
            )

    async def _take(self, user: str, published: Published, raw: Mapping[str, Any]) -> None:
        """Only what is as it should be reaches nio; in one go, so that no device is ever there without its trust."""
        stored = self._nio.device_store[user]
        for device in published.devices.values():
            known = stored.get(device.id)
            if known is not None and known.deleted and known.ed25519 == device.ed25519:
                known.deleted = False
        good = {name: raw[name] for name in published.devices}
        try:
            await self._nio.receive_response(KeysQueryResponse({user: good}, {}))
            self._trust.apply(self._nio, user)
        except Exception:
            log.exception("the devices of %s can't be taken", user)
