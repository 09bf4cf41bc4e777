"""One Matrix account, as the rest of Tocsin has it: nio, fenced in.

All that is asked of the homeserver goes through here and either brings what was asked or raises NetworkError.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any

import aiohttp
from nio import ErrorResponse, LocalProtocolError, MegolmEvent

from tocsin.domain.words import listed
from tocsin.errors import NetworkError
from tocsin.networks.matrix import identity
from tocsin.networks.matrix.account import LOG_IN, Account
from tocsin.networks.matrix.devices import Devices
from tocsin.networks.matrix.fence import Fenced
from tocsin.networks.matrix.keys import Keys
from tocsin.networks.matrix.replies import LoggedOut, MatrixError, problem, trouble
from tocsin.networks.matrix.sharing import Sharing
from tocsin.networks.matrix.signing import Published
from tocsin.networks.matrix.trust import Trust
from tocsin.networks.matrix.wire import ANSWERED_WITHIN, Wire, at, tls_context

log = logging.getLogger(__name__)

MEGOLM = "m.megolm.v1.aes-sha2"

LONGEST_CONTENT = 64_000
"""In bytes: an event with all around it has 65,536, and some homeservers hang up on what is more."""


class Client:
    """What we ask of a homeserver.

    nio: for its rooms, its devices and its parsers; requests are made by the methods here.
    insecure: why people's programs may warn of us, or hide what we say; empty if our identity vouches for our device.
    news: what people must be told of trust, oldest first; whoever tells it takes it out.
    """

    nio: Fenced

    def __init__(self, account: Account) -> None:
        self.account = account
        self.insecure = "not connected yet"
        self.news: list[str] = []
        settings = account.settings
        self._trust = Trust(account.pins, us=settings.user, everyone=settings.unverified)
        self._wire: Wire | None = None
        self._rooms: dict[str, asyncio.Lock] = {}
        self._sends: set[asyncio.Task[str]] = set()
        self._strange: dict[str, str] = {}

    async def open(self) -> None:
        """Take the account's credentials and its keys; again after a login. No request is made.

        Raises LoggedOut if nobody has logged in, NetworkError if the keys can't be used.
        """
        account = self.account
        found = await asyncio.to_thread(account.credentials)
        if self._wire is None:
            key = await asyncio.to_thread(account.store_key)
            tls = await asyncio.to_thread(tls_context, account.settings.tls_ca)
            wire = Wire(account.settings.homeserver, tls)
            try:
                self.nio = Fenced(wire, found, account.database, key=key)
                self._keys = Keys(self.nio.olm, wire)
            except Exception as error:
                await wire.close()
                log.exception("%s: the keys can't be used", account.database)
                text = (
                    f"{account.database}: can't be used ({type(error).__name__}): bring it back from a backup"
                )
                raise NetworkError(text, unsent=True) from None
            self._wire = wire
            self._devices = Devices(self.nio, wire, self._trust, self.news)
            self._sharing = Sharing(self.nio, wire)
        self._wire.token = self.nio.access_token = found.token

    async def close(self) -> None:
        """End all connections; what is being sent has failed."""
        for task in self._sends:
            task.cancel()
        await asyncio.gather(*self._sends, return_exceptions=True)
        if self._wire is not None:
            await self._devices.close()
            await self._wire.close()
            self.nio.close_store()
            self._wire = None

    @property
    def wire(self) -> Wire:
        if self._wire is None:
            raise NetworkError("not connected", unsent=True)
        return self._wire

    async def ready(self) -> None:
        """After each (re)connect, before the first sync: see that the server has our device, signed by our identity.

        Raises LoggedOut, NetworkError.
        """
        user, device = self.nio.user_id, self.nio.device_id
        await self._is_us(user, device)
        published, devices = await identity.published(self.wire, user)
        if device not in devices:
            await self._keys.publish()
            published, devices = await identity.published(self.wire, user)
        ours = published.devices.get(device)
        if ours is None or (ours.ed25519, ours.curve25519) != (self._keys.ed25519, self._keys.curve25519):
            raise NetworkError(
                f"the homeserver holds other keys for the device {device} than {self.account.folder}: bring that "
                "folder back from a backup, or set another 'device' and type tocsin matrix login",
                unsent=True,
            )
        self.nio.olm.account.shared = True  # it may have been uploaded without our living to see it
        await self._keys.count()
        await self._keys.refill()
        self.insecure = await self._vouch(published, devices[device])
        if self.insecure:
            log.warning("%s: %s", self.account.name, self.insecure)

    async def _is_us(self, user: str, device: str) -> None:
        answer = await self.call("GET", "/account/whoami")
        found = (answer.get("user_id"), answer.get("device_id"))
        if found != (user, device):
            text = f"the access token is that of {found[0]} on device {found[1]}, not of {user} on {device}"
            raise NetworkError(
                f"{text}: set 'user' and 'device' so, or type tocsin matrix login", unsent=True
            )

    async def _vouch(self, published: Published, keys: Mapping[str, Any]) -> str:
        """Put our identity's signature under our device; why that can't be, else empty."""
        user, device = self.nio.user_id, self.nio.device_id
        ours = await asyncio.to_thread(self.account.identity, published.master)
        try:
            if not published.master:
                ours = await identity.create(self.wire, self.account)
            if ours is None:
                return f"our account's identity is not the one whose secrets are here: {LOG_IN}"
            if published.self_signing != ours.self_signing.public or not published.devices[device].vouched:
                await identity.sign_device(self.wire, user, device, keys, ours.self_signing)
        except MatrixError as error:
            if isinstance(error, LoggedOut):
                raise
            return f"our identity can't vouch for our device: {error}: {LOG_IN}"
        return ""

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        within: timedelta = ANSWERED_WITHIN,
    ) -> dict[str, Any]:
        """A request by itself; path: behind `/_matrix/client/v3`, as `at` makes one. The JSON of the answer.

        Raises LoggedOut, MatrixError, NetworkError.
        """
        return await self.wire.call(method, path, body, within=within)

    async def sync(
        self, since: str, *, wait: timedelta, sync_filter: Mapping[str, Any], full_state: bool = False
    ) -> Any:
        """One sync: nio's SyncResponse, events decrypted as far as we can, its JSON as `.source`.

        Keeps no position: whoever calls passes `since`, and asks again with it when the effect could not be kept.
        Raises LoggedOut, NetworkError.
        """
        self.nio.next_batch = (
            ""  # it skips what brings it no further, such as all rooms when nothing has happened
        )
        async with _in_words():
            response = await self.nio.sync(
                timeout=int(wait.total_seconds() * 1000),
                sync_filter=dict(sync_filter),
                since=since or None,
                full_state=full_state or None,
            )
        if isinstance(response, ErrorResponse):
            raise problem(response)
        self._keys.counted(response.source)
        self._look_at_encryption(response.source)
        await self._meet_senders(response)
        return response

    def _look_at_encryption(self, source: Mapping[str, Any]) -> None:
        """A room that is encrypted in a way that is not ours, or not as it should be, is never written to."""
        for room, info in source.get("rooms", {}).get("join", {}).items():
            for part in ("state", "timeline"):
                for event in info.get(part, {}).get("events", ()):
                    if event.get("type") == "m.room.encryption" and event.get("state_key") == "":
                        algorithm = event.get("content", {}).get("algorithm")
                        self._strange.pop(room, None)
                        if algorithm != MEGOLM:
                            self._strange[room] = str(algorithm)

    async def _meet_senders(self, response: Any) -> None:
        """Get to know the devices that something was encrypted on, before anybody asks whom they speak for."""
        events = [event for info in response.rooms.join.values() for event in info.timeline.events]
        await self.meet(
            event.sender
            for event in events
            if isinstance(event, MegolmEvent) or (_sealed(event) and not self.speaks_for(event))
        )

    async def meet(self, users: Iterable[str]) -> None:
        """Get to know the devices of these now, as far as `settle` would: one of theirs has sent what nobody knew."""
        try:
            await self._devices.learn(set(users))
        except NetworkError as error:
            log.warning("%s: the keys of those who speak can't be had: %s", self.account.name, error)

    async def settle(self) -> None:
        """After each sync was kept: what encryption has to do then (keys, devices, trust, what others asked for).

        Raises LoggedOut, NetworkError; what could not be done is done next time.
        """
        await self._keys.refill()
        await self._devices.learn(self.nio.users_for_key_query)
        if self.nio.should_claim_keys:
            await self._sharing.claim(self.nio.get_users_for_key_claiming())
            self.nio.olm.collect_key_requests()
        async with _in_words():
            for response in await self.nio.send_to_device_messages():
                if isinstance(response, ErrorResponse):
                    raise problem(response)

    # What is said.

    async def send_to_ourselves(self, kind: str, content: Mapping[str, Any]) -> None:
        """Send this very device something, in the clear: it holds nothing. Raises LoggedOut, NetworkError."""
        messages = {self.nio.user_id: {self.nio.device_id: content}}
        await self.call("PUT", at("sendToDevice", kind, secrets.token_hex(16)), {"messages": messages})

    async def send(self, room: str, kind: str, content: Mapping[str, Any], txn_id: str) -> str:
        """Send an event, encrypted where the room is, and return its id. The same `txn_id` is the same event.

        Never writes in the clear to a room that is encrypted, or was. Cancelled, it goes on by itself to its end.
        Raises LoggedOut, NetworkError: `unsent` if surely nobody can see it.
        """
        task = asyncio.create_task(self._send(room, kind, content, txn_id))
        self._sends.add(task)
        task.add_done_callback(self._sent)
        return await asyncio.shield(task)

    def _sent(self, task: asyncio.Task[str]) -> None:
        self._sends.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may wait for it any more

    async def _send(self, room: str, kind: str, content: Mapping[str, Any], txn_id: str) -> str:
        if room not in self.nio.rooms:  # so that nobody knows whether it is encrypted
            raise NetworkError(f"not in {room}", unsent=True)
        try:
            json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, TypeError) as error:
            raise NetworkError(f"the text can't be sent: {error}", permanent=True, unsent=True) from None
        if self.encrypted(room) and kind != "m.reaction":  # which clients look for in the clear
            kind, content = await self._seal(room, kind, content)
        if len(json.dumps(content, ensure_ascii=False).encode()) > LONGEST_CONTENT:
            raise NetworkError("the text is too long for Matrix", permanent=True, unsent=True)
        answer = await self.call("PUT", at("rooms", room, "send", kind, txn_id), content)
        return str(answer["event_id"])

    async def _seal(
        self, room_id: str, kind: str, content: Mapping[str, Any]
    ) -> tuple[str, Mapping[str, Any]]:
        async with self._rooms.setdefault(room_id, asyncio.Lock()):
            try:
                await self._prepare(room_id)
                sealed: tuple[str, Mapping[str, Any]] = self.nio.encrypt(room_id, kind, dict(content))
            except NetworkError as error:
                error.unsent = True  # nothing of the message has left us
                raise
            except Exception as error:
                log.exception("%s: can't be encrypted for", room_id)
                self.nio.olm.outbound_group_sessions.pop(room_id, None)
                raise NetworkError(f"can't be encrypted: {type(error).__name__} (see the log)") from None
            return sealed

    async def _prepare(self, room_id: str) -> None:
        room = self.nio.rooms[room_id]
        room.encrypted = True  # it was so once
        if algorithm := self._strange.get(room_id):
            raise NetworkError(
                f"{room_id} is encrypted in a way that is not known here: {algorithm}", unsent=True
            )
        if not room.members_synced:
            async with _in_words():
                response = await self.nio.joined_members(room_id)
            if isinstance(response, ErrorResponse):
                raise problem(response)
        await self._devices.learn_in_time(self.nio.users_for_key_query & room.users.keys())
        await self._sharing.share(room_id, self._devices.unknown.keys())

    def keyless(self, room: str) -> AbstractSet[tuple[str, str]]:
        """The devices, as (user, device), that can't read what was last said in an encrypted room."""
        return self._sharing.keyless(room)

    def blind(self, users: AbstractSet[str]) -> dict[str, str]:
        """Which of these can't read what is said in encrypted rooms where they are, as far as is known, and why."""
        if self._wire is None:
            return {}
        found: dict[str, str] = {}
        for room_id, room in self.nio.rooms.items():
            if self.encrypted(room_id):
                for user in room.users.keys() & users - room.invited_users.keys() - {self.nio.user_id}:
                    if user not in found and (why := self._blind(room_id, user)):
                        found[user] = why
        return found

    def _blind(self, room_id: str, user: str) -> str:
        devices = list(self.nio.device_store.active_user_devices(user))
        known = {device.id for device in devices}
        if not known and self._devices.learned(user):
            return (
                "they have no device that reads encrypted messages, and have to sign in with a client that does, "
                "such as Element"
            )
        if known and all(device.blacklisted for device in devices):
            return "none of their devices is verified: they have to verify one in their client"
        if known and known == self._sharing.lacking(room_id, user):
            return f"none of their devices ({listed(sorted(known))}) has a key for me: they have to open their client"
        if not known and user in self._devices.unknown and self._sharing.shared(room_id):
            return (
                f"I know none of their devices and can't have their keys now: {self._devices.unknown[user]}"
            )
        return ""

    def encrypted(self, room: str) -> bool:
        """Whether the room is encrypted, or ever was."""
        found = self.nio.rooms.get(room)
        return (
            (found is not None and bool(found.encrypted))
            or room in self.nio.encrypted_rooms
            or room in self._strange
        )

    # Who speaks.

    def speaks_for(self, event: Any) -> bool:
        """Whether an event was surely said by its sender: not encrypted, or from a known device of exactly them.

        With `unverified = false`, from one that their identity vouches for.
        """
        if not _sealed(event):
            return True
        return self._trust.speaks_for(self.nio, event.sender, event.sender_key)

    def knows(self, event: Any) -> bool:
        """Whether we have heard of the device that an event was encrypted on; if not, that may still come."""
        return not _sealed(event) or self._trust.knows(self.nio, event.sender, event.sender_key)

    def standing(self, user: str) -> str:
        """What somebody is told of how far their devices are verified, such as "your device ABC is not verified"."""
        return self._trust.standing(self.nio, user)


def _sealed(event: Any) -> bool:
    return bool(getattr(event, "decrypted", False))


@contextlib.asynccontextmanager
async def _in_words() -> AsyncIterator[None]:
    """What nio lets through, as NetworkError."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise trouble(error) from None
    except LocalProtocolError as error:
        raise NetworkError(str(error), unsent=True) from None
