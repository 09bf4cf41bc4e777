"""What became of a page on its way to somebody."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tocsin.domain.event import Event
from tocsin.domain.message import Place


@dataclass(frozen=True, kw_only=True)
class PageDelivered(Event):
    """A network took a page. Whether anybody saw it, only an answer tells.

    page: its number. person: whom it calls; empty for a room. place: where it was said.
    """

    kind: ClassVar[str] = "page.delivered"
    page: int
    person: str
    place: str

    def headline(self) -> str:
        return f"page {_to(self.person, self.place)}: delivered"


@dataclass(frozen=True, kw_only=True)
class PageFailed(Event):
    """A page could not be delivered, or not in time.

    absent: whom it calls is not there, or can never be reached, so nobody need wait for an answer of theirs. It may
    come through later nonetheless.
    """

    kind: ClassVar[str] = "page.failed"
    page: int
    person: str
    place: str
    why: str
    absent: bool = False

    def headline(self) -> str:
        return f"page {_to(self.person, self.place)}: not delivered: {self.why}"


EVENTS: Sequence[type[Event]] = (PageDelivered, PageFailed)


def _to(person: str, place: str) -> str:
    """To whom, and on which network."""
    where = Place.parse(place)
    return f"to {person or where.name} on {where.network}"
