"""People on Matrix whose client encrypts: matrix-js-sdk on Node, which has nothing in common with ours."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tests.processes import PATIENCE
from tests.servers.js_program import Program
from tests.servers.matrix_user import Event, editing, replying, room_options, text, threading
from tests.servers.synapse import Account, Synapse


@dataclass(frozen=True)
class Heard(Event):
    """What happened in a room, as the client shows it: decrypted, if it could.

    encrypted: as it was sent. failure: why it could not be decrypted, such as `UNSIGNED_SENDER_DEVICE`; else empty.
    shield: what the client warns of, a number of its `EventShieldReason`; 0 if it is of nothing that it knows.
    notifies, highlights: what the phone does, by the push rules.
    """

    encrypted: bool
    failure: str
    shield: int | None
    notifies: bool
    highlights: bool


class Client(Program):
    """Somebody who is signed in on a device where no client was before. As a context, it is running and in sync.

    heard: what others sent, and happened, in each room in its order. memberships: how they stand in each room.
    """

    def __init__(self, url: str, account: Account) -> None:
        super().__init__("client.mjs")
        self.account = account
        self.memberships: dict[str, str] = {}
        self._url = url
        self._heard: dict[str, Heard] = {}

    @property
    def id(self) -> str:
        return self.account.user_id

    @property
    def heard(self) -> list[Heard]:
        return list(self._heard.values())

    async def __aenter__(self) -> Self:
        account = self.account
        words = {
            "url": self._url,
            "user": account.user_id,
            "device": account.device_id,
            "token": account.token,
            "password": account.password,
        }
        await self.run(words)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Trust.

    async def bootstrap(self, *, anew: bool = False) -> None:
        """Make an identity that signs this device. anew: even if there is one already, whose signatures end then."""
        await self.does("bootstrap", anew=anew)

    async def keep_secrets(self) -> str:
        """Keep the identity's secrets on the homeserver, encrypted; the recovery key that opens them."""
        key: str = await self.does("keepSecrets")
        return key

    async def exclude_insecure_devices(self, *, exclude: bool = True) -> None:
        """Neither read what devices send that their owner has not signed, nor let them read anything (MSC4153)."""
        await self.does("exclude", insecure=exclude)

    async def devices(self, user_id: str) -> dict[str, bool]:
        """All devices of somebody in an encrypted room with them, and whether the owner's identity has signed each."""
        devices: dict[str, bool] = await self.does("devices", user=user_id)
        return devices

    async def sees_devices(self, user_id: str, expected: Mapping[str, bool]) -> None:
        """Wait until `devices` is this: a homeserver tells of them when it comes to it."""
        devices = await self.devices(user_id)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while devices != expected:
                    await asyncio.sleep(0.05)
                    devices = await self.devices(user_id)
        assert devices == expected

    # Rooms, and what they say there: each that sends something returns the id of the event.

    async def create(self, name: str = "", **options: Any) -> str:
        """Make a room, by default an encrypted one; its id. options: as of `room_options`."""
        room: str = await self.does("create", options=room_options(name, **{"encrypted": True, **options}))
        return room

    async def join(self, room: str) -> None:
        await self.does("join", room=room)

    async def send(self, room: str, kind: str, content: object) -> str:
        """Send any event, encrypted where the room is."""
        event: str = await self.does("send", room=room, type=kind, content=content)
        return event

    async def says(self, room: str, body: str, *, html: str = "", also: Mapping[str, Any] = {}) -> str:
        """Say something. html: the same, formatted. also: more content, such as `m.mentions`."""
        return await self.send(room, "m.room.message", {**text(body, html=html), **also})

    async def replies(self, event: Event, body: str) -> str:
        return await self.says(event.room, body, also=replying(event.id))

    async def threads(self, event: Event, body: str, *, answers: str = "") -> str:
        """Say something in the thread of an event. answers: which event in it this is a reply to."""
        return await self.says(event.room, body, also=threading(event.id, answers))

    async def edits(self, room: str, event_id: str, body: str) -> str:
        """Change what they said."""
        return await self.says(room, f"* {body}", also=editing(event_id, text(body)))

    async def reacts(self, event: Event, emoji: str) -> str:
        relation = {"rel_type": "m.annotation", "event_id": event.id, "key": emoji}
        return await self.send(event.room, "m.reaction", {"m.relates_to": relation})

    async def redacts(self, room: str, event_id: str) -> str:
        """Take back an event, such as a reaction."""
        event: str = await self.does("redact", room=room, event=event_id)
        return event

    async def has_read(self, event: Event) -> None:
        """Let others know that they have read up to an event."""
        await self.does("read", room=event.room, event=event.id)

    async def media(self, event: Event) -> bytes:
        """The file that a message brings, decrypted if need be, and compared with its hash."""
        return base64.b64decode(await self.does("media", room=event.room, event=event.id))

    # What they see.

    async def sees(self, what: str | Callable[[Heard], object], times: int = 1) -> list[Heard]:
        """Wait for so many messages that contain a text, or events of which something is true; all of them."""

        def found() -> list[Heard] | None:
            events = [event for event in self.heard if event.shows(what)]
            return events if len(events) >= times else None

        return await self.knows(found, f"{times} of {what}")

    async def invited(self, room: str = "") -> str:
        """Wait for an invitation; the room."""

        def found() -> str | None:
            rooms = [each for each, standing in self.memberships.items() if standing == "invite"]
            return next((each for each in rooms if room in {"", each}), None)

        return await self.knows(found, "an invitation")

    def last(self) -> str:
        return "\n".join([super().last(), *(str(event) for event in self.heard[-10:])])

    def takes(self, told: dict[str, Any]) -> None:
        if "membership" in told:
            self.memberships[told["room"]] = told["membership"]
        else:
            event = Heard(raw=told.pop("event"), **{**told, "failure": told["failure"] or ""})
            self._heard[event.id] = event


@contextlib.asynccontextmanager
async def clients(synapse: Synapse, *names: str, signed: bool = True) -> AsyncIterator[Sequence[Client]]:
    """Some who are new on a homeserver. signed: whether they have an identity, which signs their device."""
    accounts = [synapse.register(name) for name in names]
    if synapse.limits:
        for account in accounts:
            synapse.lift_limit(account)
    async with contextlib.AsyncExitStack() as stack:
        entering = (stack.enter_async_context(Client(synapse.url, account)) for account in accounts)
        users = await asyncio.gather(*entering)
        if signed:
            await asyncio.gather(*(user.bootstrap() for user in users))
        yield users
