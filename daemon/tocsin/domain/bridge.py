"""Rooms of two networks between which a bridge carries what is said: what is known of them, and what it makes of a line."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar

from tocsin.domain.event import Event
from tocsin.domain.grammar import first_line
from tocsin.domain.message import Message, Place, clean

BRIDGES = "rooms/bridged"
"""The subject of all that happens to bridges, which no alert can be called."""

AGAIN_AFTER = timedelta(minutes=10)
"""What did not bring a line is believed to be a bridge again only after so long."""

NEVER_CUT = 300
"""So many bytes of a line at least every bridge and every network carries in one."""

MOST_AT_ONCE = 20
"""So many lines of one message of a bridge are looked at."""

Pair = tuple[Place, Place]
"""Where something is said, and where it is repeated."""


@dataclass(frozen=True, kw_only=True)
class RoomsBridged(Event):
    """What we say in one room was heard in another one. by: what is called there who repeats it."""

    kind: ClassVar[str] = "rooms.bridged"
    source: str
    target: str
    by: str

    def headline(self) -> str:
        return f"{self.by} repeats in {self.target} what is said in {self.source}"


@dataclass(frozen=True, kw_only=True)
class RoomsApart(Event):
    """What we said in a room was not heard in the one where such lines are repeated."""

    kind: ClassVar[str] = "rooms.apart"
    source: str
    target: str

    def headline(self) -> str:
        return f"what is said in {self.source} does not come to {self.target} any more"


@dataclass(frozen=True)
class Bridges:
    """Which rooms are known as bridged, each direction by itself. apart_at: when a pair last was not any more."""

    pairs: frozenset[Pair] = frozenset()
    apart_at: dict[Pair, datetime] = field(default_factory=dict)

    def after(self, event: Event) -> "Bridges":
        """As it is after an event; those of others change nothing."""
        match event:
            case RoomsBridged():
                return replace(self, pairs=self.pairs | {_pair(event)})
            case RoomsApart():
                apart_at = {**self.apart_at, _pair(event): event.at}
                return Bridges(self.pairs - {_pair(event)}, apart_at)
        return self

    def learns(self, source: Place, target: Place, now: datetime) -> bool:
        """Whether they are bridged from now on, if that was just heard."""
        pair = source, target
        return pair not in self.pairs and not (
            pair in self.apart_at and now - self.apart_at[pair] < AGAIN_AFTER
        )

    def joins(self, one: Place, other: Place) -> bool:
        """Whether anything is carried between these, in whatever direction."""
        return (one, other) in self.pairs or (other, one) in self.pairs

    def leads(self, place: Place) -> bool:
        """Whether what is said there is repeated elsewhere."""
        return any(source == place for source, _ in self.pairs)


def _pair(event: RoomsBridged | RoomsApart) -> Pair:
    return Place.parse(event.source), Place.parse(event.target)


# What a bridge makes of text that is set apart, which differs with each.
_MARKUP = re.compile("[*_`~\"'\u00b7\\\\]+")
_NETWORK = r"[\[(][^\[\]()]{1,40}[\])] ?"
_SPEAKER = r"(?:<[^<>]{1,110}>|[^\s:<>]{1,110}:) ?"
_BEFORE = [re.compile(sort) for sort in (_NETWORK, _SPEAKER, _NETWORK + _SPEAKER)]


@dataclass(frozen=True)
class Spoken:
    """A line as it can be recognised. ends: whether nothing may stand behind it, such as a link in another form."""

    text: str
    ends: bool = True

    @classmethod
    def ways(cls, message: Message) -> "tuple[Spoken, ...]":
        """A message's first line, as it is said to whoever is in a room or where all the world may read."""
        forms = (message, message.summary())
        return tuple(
            dict.fromkeys(
                cls(folded(replace(form, link="").first_line()), ends=not form.link) for form in forms
            )
        )

    def is_in(self, text: str) -> bool:
        """Whether that line says all of it; text: folded, without what stands before it."""
        ends = text.startswith(f"{self.text} ") and not self.ends
        return bool(self.text) and (text == self.text or ends)

    def begins_in(self, text: str) -> bool:
        """Whether that line says so much of it that it was cut; text: as for `is_in`."""
        begins = text.partition("\u2026")[0].removesuffix("...").rstrip()
        return len(begins.encode()) >= NEVER_CUT // 2 and self.text.startswith(begins)


def folded(text: str) -> str:
    """A line without what bridges change in it."""
    return clean(_MARKUP.sub(" ", clean(text)))


def said_there(text: str) -> Iterator[str]:
    """What somebody may have said elsewhere if this is said by a bridge: without the name that it puts before it.

    Several lines that are said there at nearly the same time may come as those of one message.
    """
    for said in text.splitlines()[:MOST_AT_ONCE]:
        line = clean(said)
        yield folded(line)
        for before in _BEFORE:
            if found := before.match(line):
                yield folded(line[found.end() :])


def is_same(text: str, other: str) -> bool:
    """Whether what one asks for is what the other one does, repeated by a bridge: only a first line asks."""
    return folded(first_line(other)) in said_there(first_line(text))


def may_be_cut(message: Message) -> bool:
    """Whether a bridge might carry less of it than all: further lines, or the end of a long one."""
    longest = max(len(form.first_line().encode()) for form in (message, message.summary()))
    return bool(message.lines) or longest > NEVER_CUT


EVENTS: Sequence[type[Event]] = (RoomsBridged, RoomsApart)
