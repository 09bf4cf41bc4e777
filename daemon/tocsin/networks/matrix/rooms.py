"""The rooms where we are, as the homeserver tells of them, and those where we are to be."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tocsin.domain.message import Place, clean
from tocsin.networks.matrix.parts import Event, events_of, part, text_of

MARK = "org.tocsin.private"
"""The state event by which we know a room again that we made for one person."""

MADE = "org.tocsin.room"
"""Where a room's very first event has the short name of the one matter that we made it for.

Nobody can change that event, and no room is ever told of without it.
"""

AGAIN_AFTER = 60.0
"""After so many seconds a room is tried again that keeps us out."""

LETS_NOBODY_IN = {"invite", "private", "knock"}
"""The rules of rooms into which nobody comes who is not invited; with `restricted` all of some other room may."""

_ANYBODYS = {
    "m.room.tombstone": ("successor", "replacement_room"),
    "m.room.join_rules": ("_lets_in", "join_rule"),
    "m.room.history_visibility": ("_shows", "history_visibility"),
    "m.room.topic": ("topic", "topic"),
    "m.room.encryption": ("algorithm", "algorithm"),
}
"""State events of which one thing is kept: in which field of `Seen`, and where it stands."""

_OURS = {MARK: ("made_for", "account"), "m.room.create": ("made_as", MADE)}
"""The same of those that count if we sent them."""

LONGEST_REASON = 200
MOST_UPGRADES = 20
MOST_INVITES = 1000


@dataclass
class Seen:
    """A room where we are.

    members: who is there, or is invited: user -> `join` or `invite`. called: our own name there.
    made_for: for whom we made it. made_as: by which short name we made it. algorithm: how it is encrypted. successor: the
    room that it was replaced by.
    """

    id: str
    us: str
    members: dict[str, str] = field(default_factory=dict)
    called: str = ""
    made_for: str = ""
    made_as: str = ""
    topic: str = ""
    algorithm: str = ""
    successor: str = ""
    _lets_in: str = "invite"
    _shows: str = "shared"

    def take(self, event: Event) -> None:
        """A state event of it."""
        if event.get("state_key") is None:
            return
        kind, key, content = text_of(event, "type"), text_of(event, "state_key"), part(event, "content")
        if kind == "m.room.member":
            membership = text_of(content, "membership")
            self.members.pop(key, None)
            if membership in {"join", "invite"}:
                self.members[key] = membership
            if key == self.us:
                self.called = clean(text_of(content, "displayname"), 100)
        elif not key:
            ours = _OURS if event.get("sender") == self.us else {}
            if (stands := _ANYBODYS.get(kind) or ours.get(kind)) is not None:
                field_name, where = stands
                setattr(self, field_name, text_of(content, where))

    def undo(self, event: Event) -> None:
        """It is as it was before that event, if the homeserver says how that was."""
        unsigned = part(event, "unsigned")
        if "prev_content" in unsigned or "replaces_state" not in unsigned:
            self.take({**event, "content": part(unsigned, "prev_content")})

    @property
    def shown_to_all(self) -> bool:
        """Whether all the world can read it without being there."""
        return self._shows == "world_readable"

    @property
    def alone_with(self) -> str:
        """Who is there with us, and nobody else, nor can anybody come or read by themselves; else empty.

        Where we made it for one matter nobody is: what was said there, others may yet read.
        """
        if self.made_as or self._lets_in not in LETS_NOBODY_IN or self.shown_to_all:
            return ""
        if len(self.members) != 2 or self.us not in self.members:
            return ""
        return next(user for user in self.members if user != self.us)


@dataclass
class Room:
    """A room where we are to be.

    name: as the configuration has it, by id or alias. id: empty while it is not known. why: what keeps us out; tries: how
    often that was so. at: when to try again. silent: why we can't speak there, as it was told. made: it is one of our own;
    fresh: made just now, and `be_in` has not named it yet.
    """

    name: str
    id: str = ""
    why: str = "not joined yet"
    tries: int = 0
    at: float = 0.0
    silent: str = ""
    made: bool = False
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.name.startswith("!"):
            self.id = self.name

    def stay_out(self, why: str, now: float, wait: float = AGAIN_AFTER) -> bool:
        """We are not, or no longer, there; whether that is news."""
        news = self.why != why
        self.why, self.at, self.tries = why, now + wait, self.tries + 1
        return news


class World:
    """All of them.

    rooms: where we are, by id. ours: where we are to be. invites: room -> who invited us there.
    direct: the account's own list of private rooms, as people's programs keep it.
    """

    def __init__(self, network: str, us: str, names: Iterable[str]) -> None:
        self.us = us
        self.rooms: dict[str, Seen] = {}
        self.ours = [Room(name) for name in dict.fromkeys(names)]
        self.invites: dict[str, str] = {}
        self.direct: Mapping[str, Any] = {}
        self._network = network

    def take(self, source: Mapping[str, Any], *, whole: bool) -> list[tuple[str, str]]:
        """What a sync tells; the rooms where we are no more, and why. whole: it tells of all rooms."""
        joined = part(source, "rooms", "join")
        if whole:
            self.rooms.clear()
        for room_id, info in joined.items():
            room = self.rooms.setdefault(room_id, Seen(room_id, self.us))
            for event in (*events_of(info, "state"), *events_of(info, "timeline")):
                room.take(event)
            room.members.setdefault(self.us, "join")
            self.invites.pop(room_id, None)
        self.learn_invites(source)
        for event in events_of(source, "account_data"):
            if event.get("type") == "m.direct":
                self.direct = part(event, "content")
        left = []
        for room_id, info in part(source, "rooms", "leave").items():
            self.invites.pop(room_id, None)
            if self.rooms.pop(room_id, None) is not None:
                left.append((room_id, self._why(info)))
        return left

    def learn_invites(self, source: Mapping[str, Any]) -> None:
        """Who invites us to which rooms."""
        for room_id, info in part(source, "rooms", "invite").items():
            for event in events_of(info, "invite_state"):
                if event.get("type") == "m.room.member" and event.get("state_key") == self.us:
                    if len(self.invites) >= MOST_INVITES:
                        self.invites.pop(next(iter(self.invites)))
                    self.invites[room_id] = text_of(event, "sender")  # nio has taken its content out

    def _why(self, info: Any) -> str:
        """How we came to be outside."""
        for event in reversed([*events_of(info, "state"), *events_of(info, "timeline")]):
            if event.get("type") != "m.room.member" or event.get("state_key") != self.us:
                continue
            content, sender = part(event, "content"), text_of(event, "sender")
            if sender == self.us:
                return "I left"
            did = "banned me" if content.get("membership") == "ban" else "kicked me out"
            reason = clean(text_of(content, "reason"), LONGEST_REASON)
            return clean(f"{sender} {did}") + (f" ({reason})" if reason else "")
        return "I was sent away"

    # Where we are to be.

    def joined(self, room: Room) -> bool:
        """Whether we are there."""
        return room.id in self.rooms

    def be_in(self, names: Collection[str]) -> None:
        """These are the rooms of our own where we are to be, and those that are fresh."""
        self.ours = [room for room in self.ours if not room.made or room.fresh or room.name in names]
        for name in dict.fromkeys(names):
            if (room := self.named(name)) is None:
                self.ours.append(Room(name, made=True))
            else:
                room.fresh = False

    def made(self, name: str) -> Seen | None:
        """The room that we made by that short name; one where we listen, if there are several."""
        rooms = (room for room in self.rooms.values() if room.made_as == name and room.algorithm)
        return min(rooms, key=lambda room: (self.found(room.id) is None, room.id), default=None)

    def half_made(self, name: str) -> bool:
        """Whether there is one of which the end is missing: it may yet be told, or was never made."""
        return any(room.made_as == name and not room.algorithm for room in self.rooms.values())

    def follow(self, room: Room) -> None:
        """Where a room was replaced by others, and we are in those, it is the last of them that is meant."""
        for _ in range(MOST_UPGRADES):
            seen = self.rooms.get(room.id)
            if seen is None or seen.successor not in self.rooms:
                break
            room.id = seen.successor

    def named(self, name: str) -> Room | None:
        return next((room for room in self.ours if room.name == name), None)

    def found(self, room_id: str) -> Room | None:
        """Which of our rooms that is."""
        return next((room for room in self.ours if room.id == room_id), None)

    # Who is where.

    def place(self, room_id: str) -> Place | None:
        """Where that is, if it is anywhere that we listen."""
        return self._place(room_id, self.rooms.get(room_id))

    def places(self, room_id: str, events: Sequence[Event]) -> list[Place | None]:
        """Where each of these was said, by who was there then: who leaves, or comes, later changes nothing of it.

        events: the last of that room, all of them up to now, oldest first.
        """
        seen = self.rooms.get(room_id)
        then = replace(seen, members=dict(seen.members)) if seen is not None else None
        found = []
        for event in reversed(events):
            found.append(self._place(room_id, then))
            if then is not None:
                then.undo(event)
        return found[::-1]

    def _place(self, room_id: str, seen: Seen | None) -> Place | None:
        room = self.found(room_id)
        if room is not None:
            return Place(self._network, room.name)
        other = seen.alone_with if seen is not None and not seen.successor else ""
        return Place(self._network, other, private=True) if other else None

    def private(self, account: str) -> Seen | None:
        """The room for what is said to somebody alone: where they are, if there is one."""
        rooms = [
            room
            for room in self.rooms.values()
            if room.alone_with == account and not room.successor and self.found(room.id) is None
        ]
        return min(rooms, key=lambda room: _rank(room, account), default=None)

    def left_alone(self, account: str) -> Seen | None:
        """The room that we made for somebody who is not there, and not invited."""
        rooms = (room for room in self.rooms.values() if room.made_for == account and not room.successor)
        return next((room for room in rooms if set(room.members) <= {self.us}), None)

    def reached(self, account: str) -> bool:
        """Whether they are in their private room."""
        room = self.private(account)
        return room is not None and room.members.get(account) == "join"


def _rank(room: Seen, account: str) -> tuple[bool, bool, str]:
    return room.members.get(account) != "join", room.made_for != account, room.id
