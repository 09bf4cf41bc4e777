"""People on Matrix, who ask a homeserver by its bare HTTP API and keep all that it tells them. They don't encrypt."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from tests.processes import PATIENCE
from tests.servers.synapse import Account, Refused, Synapse

_AT_ONCE = 1000
_FILTER = json.dumps({"room": {"timeline": {"limit": _AT_ONCE}}})

Found = TypeVar("Found")


@dataclass(frozen=True)
class Event:
    """What happened in a room. raw: as the homeserver tells it."""

    room: str
    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.raw["event_id"])

    @property
    def type(self) -> str:
        return str(self.raw["type"])

    @property
    def sender(self) -> str:
        return str(self.raw["sender"])

    @property
    def content(self) -> Mapping[str, Any]:
        content: Mapping[str, Any] = self.raw["content"]
        return content

    @property
    def body(self) -> str:
        """The plain text; of an edit, the text as it is from now on."""
        content = self.content.get("m.new_content", self.content)
        return str(content.get("body", ""))

    @property
    def relation(self) -> tuple[str, str]:
        """How it relates to another event (`m.replace`, `m.thread`, `m.annotation`), and to which; else empty."""
        relates = self.content.get("m.relates_to", {})
        return relates.get("rel_type", ""), relates.get("event_id", "")

    @property
    def answers(self) -> str:
        """The event that it is a reply to; else empty."""
        return str(self.content.get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id", ""))

    def shows(self, what: "str | Callable[[Self], object]") -> bool:
        """Whether it is a message that contains a text, or something is true of it."""
        if isinstance(what, str):
            return self.type == "m.room.message" and what in self.body
        return bool(what(self))

    @property
    def redacts(self) -> str:
        """The event that it takes back; else empty."""
        return str(self.raw.get("redacts") or self.content.get("redacts", ""))


def room_options(
    name: str = "",
    *,
    invite: Sequence[str] = (),
    public: bool = False,
    encrypted: bool = False,
    direct: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """What room to make. more: what else the API takes, such as `room_version`."""
    algorithm = {"algorithm": "m.megolm.v1.aes-sha2"}
    encryption = {"type": "m.room.encryption", "state_key": "", "content": algorithm}
    return {
        "preset": "public_chat" if public else "private_chat",
        "invite": list(invite),
        "initial_state": [encryption] if encrypted else [],
        "is_direct": direct,
        **({"name": name} if name else {}),
        **more,
    }


def text(body: str, *, kind: str = "m.text", html: str = "") -> dict[str, Any]:
    """The content of a message."""
    formatted = {"format": "org.matrix.custom.html", "formatted_body": html}
    return {"msgtype": kind, "body": body, **(formatted if html else {})}


def replying(event_id: str) -> dict[str, Any]:
    """What the content of a reply has beside its text."""
    return {"m.relates_to": {"m.in_reply_to": {"event_id": event_id}}}


def threading(root: str, answers: str = "") -> dict[str, Any]:
    """What the content of a message in a thread has beside its text. answers: to which event there it is a reply."""
    relation = {"rel_type": "m.thread", "event_id": root, "is_falling_back": not answers}
    return {"m.relates_to": {**relation, "m.in_reply_to": {"event_id": answers or root}}}


def editing(event_id: str, new: Mapping[str, Any]) -> dict[str, Any]:
    """What the content of an edit has beside its text. new: the content from now on."""
    return {"m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": event_id}}


class User:
    """Somebody who is signed in on one device.

    They learn of nothing by themselves: `sync`, `sees` and `knows` ask the homeserver what is new.
    events: all that they were told of, in each room in its order. invites: the rooms that they may join, each with who
    invited them. left: the rooms where they were, each with the event by which they are there no more.
    receipts: who has read up to which event: of each room, event and kind (`m.read`), the user ids.
    """

    def __init__(self, url: str, account: Account) -> None:
        self.account = account
        self.events: list[Event] = []
        self.invites: dict[str, str] = {}
        self.left: dict[str, Event | None] = {}
        self.receipts: dict[tuple[str, str, str], set[str]] = {}
        self._url = url
        self._since = ""
        self._barrier = asyncio.Lock()
        self._seen: set[str] = set()
        self._txn_ids = (f"{account.device_id}-{number}" for number in itertools.count(1))

    @property
    def id(self) -> str:
        return self.account.user_id

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self.account.token}"},
            timeout=aiohttp.ClientTimeout(2 * PATIENCE),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def call(
        self, method: str, *path: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """Ask for something of the client API, and wait for the answer. Raises Refused."""
        url = f"{self._url}/_matrix/client/v3/{'/'.join(quote(part, safe='') for part in path)}"
        json_body = {} if body is None and method != "GET" else body
        async with self._http.request(method, URL(url, encoded=True), json=json_body, params=query) as answer:
            found = await answer.json()
            if answer.status != 200:
                raise Refused(answer.status, found)
            return found

    # Rooms.

    async def create(self, name: str = "", **options: Any) -> str:
        """Make a room; its id. options: as of `room_options`."""
        room: str = (await self.call("POST", "createRoom", body=room_options(name, **options)))["room_id"]
        return room

    async def join(self, room: str) -> None:
        """Go into a room, by its id or its alias."""
        await self.call("POST", "join", room)

    async def leave(self, room: str) -> None:
        await self.call("POST", "rooms", room, "leave")

    async def invite(self, room: str, user_id: str) -> None:
        await self.call("POST", "rooms", room, "invite", body={"user_id": user_id})

    async def kick(self, room: str, user_id: str, reason: str = "") -> None:
        await self.call("POST", "rooms", room, "kick", body={"user_id": user_id, "reason": reason})

    async def ban(self, room: str, user_id: str, reason: str = "") -> None:
        await self.call("POST", "rooms", room, "ban", body={"user_id": user_id, "reason": reason})

    async def unban(self, room: str, user_id: str) -> None:
        await self.call("POST", "rooms", room, "unban", body={"user_id": user_id})

    async def upgrade(self, room: str, version: str = "12") -> str:
        """Replace a room by one of another version, where nobody else is yet; its id."""
        answer = await self.call("POST", "rooms", room, "upgrade", body={"new_version": version})
        replacement: str = answer["replacement_room"]
        return replacement

    async def state(self, room: str, kind: str, key: str = "") -> dict[str, Any]:
        found: dict[str, Any] = await self.call("GET", "rooms", room, "state", kind, key)
        return found

    async def set_state(self, room: str, kind: str, content: object, key: str = "") -> str:
        answer = await self.call("PUT", "rooms", room, "state", kind, key, body=content)
        event: str = answer["event_id"]
        return event

    async def set_power(self, room: str, user_id: str, level: int) -> None:
        """Say how much somebody may do in a room: 50 to moderate, 100 for everything."""
        levels = await self.state(room, "m.room.power_levels")
        await self.set_levels(room, users={**levels.get("users", {}), user_id: level})

    async def set_levels(self, room: str, **levels: Any) -> None:
        """Say how much it takes to do something in a room, such as `events_default`."""
        content = {**await self.state(room, "m.room.power_levels"), **levels}
        await self.set_state(room, "m.room.power_levels", content)

    async def members(self, room: str) -> set[str]:
        """The user ids of all who are there now."""
        return set((await self.call("GET", "rooms", room, "joined_members"))["joined"])

    async def set_name(self, name: str) -> None:
        """Be called something else, in all rooms."""
        await self.call("PUT", "profile", self.id, "displayname", body={"displayname": name})

    # What they say there: all but `has_read` return the id of the event.

    async def send(self, room: str, kind: str, content: object) -> str:
        """Send any event."""
        answer = await self.call("PUT", "rooms", room, "send", kind, next(self._txn_ids), body=content)
        event: str = answer["event_id"]
        return event

    async def says(
        self, room: str, body: str, *, kind: str = "m.text", html: str = "", also: Mapping[str, Any] = {}
    ) -> str:
        """Say something. kind: or `m.notice`, `m.emote`. html: the same, formatted. also: more content."""
        return await self.send(room, "m.room.message", {**text(body, kind=kind, html=html), **also})

    async def replies(self, event: Event, body: str, *, quoting: bool = False, html: str = "") -> str:
        """Reply to an event. quoting: as clients did it once, its text goes before, each line behind a `> `."""
        if quoting:
            quote_of = "\n> ".join(event.body.splitlines())
            body = f"> <{event.sender}> {quote_of}\n\n{body}"
        return await self.says(event.room, body, html=html, also=replying(event.id))

    async def threads(self, event: Event, body: str, *, answers: str = "") -> str:
        """Say something in the thread of an event. answers: which event in it this is a reply to."""
        return await self.says(event.room, body, also=threading(event.id, answers))

    async def edits(self, event: Event, body: str, *, html: str = "") -> str:
        """Change what they said."""
        return await self.says(event.room, f"* {body}", also=editing(event.id, text(body, html=html)))

    async def reacts(self, event: Event, emoji: str) -> str:
        relation = {"rel_type": "m.annotation", "event_id": event.id, "key": emoji}
        return await self.send(event.room, "m.reaction", {"m.relates_to": relation})

    async def redacts(self, room: str, event_id: str, reason: str = "") -> str:
        """Take back an event, such as a reaction."""
        answer = await self.call(
            "PUT", "rooms", room, "redact", event_id, next(self._txn_ids), body={"reason": reason}
        )
        event: str = answer["event_id"]
        return event

    async def has_read(self, event: Event, *, kind: str = "m.read") -> None:
        """Let others know that they have read up to an event. kind: or `m.read.private`."""
        await self.call("POST", "rooms", event.room, "receipt", kind, event.id)

    # What they see.

    async def sync(self) -> None:
        """Learn of all that the homeserver knows by now."""
        async with self._barrier:  # it answers once who asks the same twice at a time
            await self._ask_for_news(wait=0)

    async def sees(
        self, what: str | Callable[[Event], object], times: int = 1, *, patience: float = PATIENCE
    ) -> list[Event]:
        """Wait for so many messages that contain a text, or events of which something is true; all of them."""

        def found() -> list[Event] | None:
            events = [event for event in self.events if event.shows(what)]
            return events if len(events) >= times else None

        return await self.knows(found, patience)

    async def invited(self) -> str:
        """Wait for an invitation that they have not accepted; the room."""
        return await self.knows(lambda: next(iter(self.invites), None))

    async def knows(self, found: Callable[[], Found | None], patience: float = PATIENCE) -> Found:
        """Wait until something is found in what they were told. The homeserver may be away meanwhile."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while not (result := found()):
            if (left := deadline - loop.time()) <= 0:
                last = "\n".join(json.dumps(event.raw) for event in self.events[-10:])
                raise AssertionError(f"{self.id} waited in vain; the last events:\n{last}")
            try:
                await self._ask_for_news(wait=left)
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
        return result

    def messages(self, room: str, sender: str = "") -> list[Event]:
        """What was said in a room, by somebody or by all, in order; edits are none, as nobody sees a new message."""
        return [
            event
            for event in self.events
            if (event.room, event.type) == (room, "m.room.message")
            and sender in {"", event.sender}
            and event.relation[0] != "m.replace"
        ]

    def said_by(self, sender: str, room: str) -> list[str]:
        """The texts of what somebody has said there, in order, each as it came first."""
        return [event.body for event in self.messages(room, sender)]

    def related(self, event_id: str, relation: str = "m.replace") -> list[Event]:
        """The edits of an event, in order; or its `m.annotation`s, or what is in its `m.thread`."""
        return [event for event in self.events if event.relation == (relation, event_id)]

    def now(self, event: Event) -> str:
        """The text of a message as it is after its edits. Those of others do not count."""
        return [event, *(edit for edit in self.related(event.id) if edit.sender == event.sender)][-1].body

    def taken_back(self, event_id: str) -> bool:
        return any(event.type == "m.room.redaction" and event.redacts == event_id for event in self.events)

    async def upload(self, data: bytes, kind: str = "application/octet-stream") -> str:
        """Let the homeserver keep a file; its `mxc:` URI."""
        url = f"{self._url}/_matrix/media/v3/upload"
        async with self._http.post(url, data=data, headers={"Content-Type": kind}) as answer:
            answer.raise_for_status()
            uri: str = (await answer.json())["content_uri"]
            return uri

    async def media(self, uri: str) -> bytes:
        """What was uploaded, by its `mxc:` URI."""
        url = f"{self._url}/_matrix/client/v1/media/download/{uri.removeprefix('mxc://')}"
        async with self._http.get(url) as answer:
            answer.raise_for_status()
            return await answer.read()

    async def _ask_for_news(self, *, wait: float) -> None:
        """wait: how long the homeserver may wait until there is something, in seconds."""
        since = self._since
        query = {"filter": _FILTER, "timeout": str(int(wait * 1000)), **({"since": since} if since else {})}
        news = await self.call("GET", "sync", query=query)
        rooms = news.get("rooms", {})
        for room, told in rooms.get("join", {}).items():
            self.invites.pop(room, None)
            self.left.pop(room, None)
            self._take(room, told)
            for each in told["ephemeral"]["events"]:
                if each["type"] == "m.receipt":
                    self._take_receipts(room, each["content"])
        for room, told in rooms.get("invite", {}).items():
            events = told["invite_state"]["events"]
            self.invites[room] = next(each["sender"] for each in events if each.get("state_key") == self.id)
        for room, told in rooms.get("leave", {}).items():
            self.invites.pop(room, None)
            self._take(room, told)
            ours = [
                each for each in self.events if each.room == room and each.raw.get("state_key") == self.id
            ]
            self.left[room] = ours[-1] if ours else None
        if self._since == since:  # else somebody who asked at the same time was faster
            self._since = news["next_batch"]

    def _take(self, room: str, told: Mapping[str, Any]) -> None:
        events = told["timeline"]["events"]
        assert len(events) < _AT_ONCE, f"{self.id} was away for too long: there are events between"
        for raw in events:
            if raw["event_id"] not in self._seen:  # what is asked for twice at the same time comes twice
                self._seen.add(raw["event_id"])
                self.events.append(Event(room, raw))

    def _take_receipts(self, room: str, content: Mapping[str, Any]) -> None:
        for event_id, kinds in content.items():
            for kind, users in kinds.items():
                self.receipts.setdefault((room, event_id, kind), set()).update(users)


@contextlib.asynccontextmanager
async def people(synapse: Synapse, *names: str) -> AsyncIterator[Sequence[User]]:
    """Some who are new on a homeserver. Whatever its limits, they are never slowed down."""
    accounts = [synapse.register(name) for name in names]
    if synapse.limits:
        for account in accounts:
            synapse.lift_limit(account)
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(User(synapse.url, account)) for account in accounts]
