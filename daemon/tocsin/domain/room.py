"""Rooms of our own, which were made for something that happens: what becomes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tocsin.domain.event import Event
from tocsin.domain.message import Place

ROOMS = "rooms"
"""The subject of all that happens to such rooms, which nothing else can be called."""


@dataclass(frozen=True, kw_only=True)
class RoomMade(Event):
    """A network made a room for us. about: the subject that it was made for."""

    kind: ClassVar[str] = "room.made"
    network: str
    room: str
    about: str

    def headline(self) -> str:
        return f"{self.room} on {self.network} was made for {self.about}"

    @property
    def place(self) -> Place:
        return Place(self.network, self.room)


@dataclass(frozen=True, kw_only=True)
class RoomLeft(Event):
    """We are in a room of our own no more."""

    kind: ClassVar[str] = "room.left"
    network: str
    room: str

    def headline(self) -> str:
        return f"{self.room} on {self.network} was left"

    @property
    def place(self) -> Place:
        return Place(self.network, self.room)


@dataclass(frozen=True, kw_only=True)
class PersonCame(Event):
    """Somebody came to a room that was made for this. place: which one, as `Place` writes it."""

    kind: ClassVar[str] = "room.person_came"
    person: str
    place: str

    def headline(self) -> str:
        return f"{self.person} came to {Place.parse(self.place).called}"


@dataclass(frozen=True)
class Rooms:
    """Those that were made and not left. about: place -> the subject that it was made for, in that order."""

    about: Mapping[Place, str] = field(default_factory=dict)

    def after(self, event: Event) -> "Rooms":
        """As it is after an event; those of others change nothing."""
        match event:
            case RoomMade():
                return Rooms({**self.about, event.place: event.about})
            case RoomLeft():
                return Rooms({place: about for place, about in self.about.items() if place != event.place})
        return self


EVENTS: Sequence[type[Event]] = (RoomMade, RoomLeft, PersonCame)
