"""The channels that we are to be in: what keeps us out of each, and when to try again."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tocsin.config.values import SecretSource
from tocsin.networks.irc.lines import fold
from tocsin.networks.irc.settings import Detail

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0

NOT_THERE = {"403", "442"}
NO_ENTRY = {
    "403": "there is no such channel",
    "405": "we are in too many channels",
    "437": "it can't be joined for now",
    "470": "it sends us to another one",
    "471": "it is full",
    "473": "it lets in only who is invited",
    "474": "we are banned there",
    "475": "its key is wrong or missing: networks.NAME.keys",
    "476": "that is no channel's name",
    "479": "that is no channel's name",
    "480": "it lets in only some, or nobody for now",
    "477": "it lets in only who has an account: networks.NAME.sasl",
    "489": "it lets in only who uses TLS",
    "520": "it lets in only operators",
}
"""What a server answers to a JOIN."""

LASTING = {"403", "405", "476", "479"}
"""Of these the ones that will hardly be otherwise in a few seconds."""

MANY = 10
"""After so many tries in vain the pause before the next grows no more."""


@dataclass
class Room:
    """joined: whether we are there. seen: whether we know who else is. why: what keeps us out.

    tries: how often that was so. at: when to try again. since: when we came to be there.
    made: whether we made it; then op is whether we are its operator, so that nobody else can have opened it to others.
    detail: how much is said there, if the configuration says so. closing: its modes that keep strangers out; None
    while they are not known. told: what was logged last of whether all may be said there. decided: set once they are, or are
    no matter any more.
    """

    name: str
    key: SecretSource | None
    detail: Detail | None = None
    made: bool = False
    op: bool = False
    joined: bool = False
    seen: bool = False
    why: str = "not joined yet"
    tries: int = 0
    at: float = 0.0
    since: float = 0.0
    closing: frozenset[str] | None = None
    told: bool | None = None
    decided: asyncio.Event = field(default_factory=asyncio.Event, compare=False)

    @property
    def full(self) -> bool:
        """Whether all may be said there, and not only what all the world may know."""
        if self.detail is not None:
            return self.detail is Detail.FULL
        return bool(self.closing) and (self.op or not self.made)

    @property
    def undecided(self) -> bool:
        """Whether it may yet turn out that all may be said there."""
        return self.detail is None and self.closing is None

    def learn(self, closing: frozenset[str] | None) -> None:
        """Its modes were told; None if it is not known any more what they are."""
        self.closing = closing
        if closing is not None:
            self.decided.set()

    def enter(self, now: float) -> None:
        """We are there."""
        self.joined, self.since, self.closing, self.op = True, now, None, False
        self.decided.clear()

    def stay_out(self, why: str, now: float) -> bool:
        """We are not, or no longer, there; whether that is news.

        Where we never stay for long we come back less and less often.
        """
        if self.joined and now - self.since > LONGEST_PAUSE:
            self.why, self.tries = "", 0
        news = self.why != why
        self.joined, self.seen, self.closing, self.why = False, False, None, why
        self.decided.set()  # who waits need not any longer
        self.at = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2**self.tries)
        self.tries = min(self.tries + 1, MANY)
        return news


class Rooms:
    """All of them, by name."""

    def __init__(
        self, names: Iterable[str], keys: Mapping[str, SecretSource], details: Mapping[str, Detail]
    ) -> None:
        """keys, details: of rooms, however these are spelt."""
        key_of = {fold(name): key for name, key in keys.items()}
        detail_of = {fold(name): detail for name, detail in details.items()}
        self._rooms = {
            fold(name): Room(name, key_of.get(fold(name)), detail_of.get(fold(name))) for name in names
        }

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def find(self, name: str) -> Room | None:
        """The room that is meant, however it is spelt."""
        return self._rooms.get(fold(name))

    def add(self, name: str) -> Room:
        """One that we make, or made; it is joined by and by."""
        return self._rooms.setdefault(fold(name), Room(name, None, made=True))

    def remove(self, name: str) -> None:
        """One that we made, and are to be in no more."""
        self._rooms.pop(fold(name), None)

    def beyond(self, features: Mapping[str, str]) -> Iterator[Room]:
        """Those for which the server has no place, as far as it tells how many it allows (CHANLIMIT)."""
        for part in features.get("CHANLIMIT", "").split(","):
            prefixes, _, count = part.partition(":")
            if count.isdecimal():
                yield from [room for room in self if room.name[0] in prefixes][int(count) :]

    def leave_all(self) -> None:
        """The link is gone."""
        self._rooms = {
            key: Room(room.name, room.key, room.detail, room.made) for key, room in self._rooms.items()
        }
