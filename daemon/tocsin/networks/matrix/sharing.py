"""Who can read what is said next in an encrypted room: its key is shared with every device of those who are there.

nio does this too, but a request that fails in the middle leaves it unable to say anything in that room, one device
with odd keys takes the key from all others, and who came or went meanwhile is not looked at.
"""

import asyncio
import logging
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from uuid import uuid4

from nio import KeysClaimResponse

from tocsin.domain.words import listed
from tocsin.errors import NetworkError
from tocsin.networks.matrix.fence import Fenced
from tocsin.networks.matrix.replies import LoggedOut
from tocsin.networks.matrix.wire import REMOTE_WITHIN, Wire, at

log = logging.getLogger(__name__)

Device = tuple[str, str]
"""A user and the name of one of their devices."""

ROUNDS = 5
"""So often it begins again because somebody came or went meanwhile."""

AGAIN_AFTER = 60.0
"""Whoever could not be given a key is tried again with the first message after so many seconds."""


class Sharing:
    """The keys of rooms, shared over one wire."""

    def __init__(self, nio: Fenced, wire: Wire) -> None:
        self._nio = nio
        self._wire = wire
        self._again: dict[str, float] = {}
        self._lacking: dict[str, set[Device]] = {}

    async def share(self, room_id: str, unknown: AbstractSet[str]) -> None:
        """Make sure that what is said next can be read, as far as can be. Raises NetworkError: nothing was said.

        unknown: whose devices could not be had. What nobody could read fails the first time, and is said on the
        next try.
        """
        olm, now = self._nio.olm, asyncio.get_running_loop().time()
        session = olm.outbound_group_sessions.get(room_id)
        first = now >= self._again.get(room_id, 0)
        lacking = self.keyless(room_id)
        if session and session.shared and lacking and (first or lacking - self._lacking.get(room_id, set())):
            session.shared = False  # it is shared on, with who lacks it
        if not olm.should_share_group_session(room_id):
            return
        self._again[room_id] = now + AGAIN_AFTER
        for _ in range(ROUNDS):
            await self._share_once(room_id, whole=first)
            if not olm.should_share_group_session(room_id):
                break
        else:
            raise NetworkError("people come and go too fast to give them a key", unsent=True)
        if first and self._readers(room_id) & unknown and not self._given(room_id):
            olm.outbound_group_sessions[room_id].shared = False
            raise NetworkError(f"nobody in {room_id} could read it: their keys can't be had", unsent=True)
        self._lacking[room_id] = missing = self.keyless(room_id)
        if missing:
            log.warning(
                "%s: these devices got no key: %s",
                room_id,
                listed(" ".join(each) for each in sorted(missing)),
            )

    async def _share_once(self, room_id: str, *, whole: bool) -> None:
        """whole: it fails if the homeserver gives no keys; else those have to do who have given us one before."""
        nio, olm = self._nio, self._nio.olm
        there = set(nio.rooms[room_id].users)
        if missing := nio.get_missing_sessions(room_id):
            try:
                await self.claim(missing)
            except NetworkError as error:
                if whole or isinstance(error, LoggedOut):
                    raise
                log.warning("%s: said without new one-time keys: %s", room_id, error)
        with olm.store.database.atomic():
            parcels = list(
                olm.share_group_session_parallel(room_id, list(there), ignore_unverified_devices=True)
            )
        session = olm.outbound_group_sessions[room_id]
        for devices, messages in parcels:
            await self._wire.call("PUT", at("sendToDevice", "m.room.encrypted", str(uuid4())), messages)
            session.users_shared_with.update(devices)
        now = set(nio.rooms[room_id].users) if room_id in nio.rooms else set()
        if now != there or olm.outbound_group_sessions.get(room_id) is not session:
            olm.outbound_group_sessions.pop(room_id, None)
        else:
            session.shared = True

    async def claim(self, devices: Mapping[str, list[str]]) -> None:
        """Take a one-time key of each device, so that something can be sent to it. Raises NetworkError."""
        wanted = {user: dict.fromkeys(names, "signed_curve25519") for user, names in devices.items()}
        body = {"one_time_keys": wanted, "timeout": REMOTE_WITHIN}
        answer = await self._wire.call("POST", f"/keys/claim?timeout={REMOTE_WITHIN}", body)
        found = answer.get("one_time_keys")
        for user, theirs in found.items() if isinstance(found, dict) else ():
            for name, keys in theirs.items() if isinstance(theirs, dict) else ():
                try:
                    self._nio.olm.handle_response(KeysClaimResponse({user: {name: keys}}, {}))
                except Exception as error:  # noqa: BLE001 (whatever one device publishes, others get theirs)
                    log.warning("%s: the one-time key of %s is none: %s", user, name, type(error).__name__)

    def _readers(self, room_id: str) -> set[str]:
        """Who is there, beside us."""
        room = self._nio.rooms[room_id]
        return set(room.users.keys() - room.invited_users.keys() - {self._nio.user_id})

    def _given(self, room_id: str) -> bool:
        """Whether anybody there has the key of what is said next."""
        given = self._nio.olm.outbound_group_sessions[room_id].users_shared_with
        return any(
            (user, device.id) in given
            for user in self._readers(room_id)
            for device in self._nio.device_store.active_user_devices(user)
        )

    def shared(self, room_id: str) -> bool:
        """Whether something was said there that whoever could be given a key can read."""
        session = self._nio.olm.outbound_group_sessions.get(room_id)
        return session is not None and bool(session.shared)

    def lacking(self, room_id: str, user: str) -> set[str]:
        """The devices of somebody there that could not be given the key when something was said last."""
        lacking = {(who, device) for who, device in self._lacking.get(room_id, ()) if who == user}
        return {device for _, device in lacking & self.keyless(room_id)} if lacking else set()

    def keyless(self, room_id: str) -> set[Device]:
        """Devices of people who are there that can't read what was said last."""
        session = self._nio.olm.outbound_group_sessions.get(room_id)
        room = self._nio.rooms.get(room_id)
        if room is None or session is None:
            return set()
        return {
            (user, device.id)
            for user in room.users
            for device in self._nio.device_store.active_user_devices(user)
            if device.id != self._nio.device_id  # nio takes those for ours, whoever has them
            and (user, device.id) not in session.users_shared_with
            and not device.blacklisted
        }
