"""What became of a page on its way to somebody, and what is said of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from tocsin.domain.event import Event
from tocsin.domain.message import Message, Place
from tocsin.domain.words import listed


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


@dataclass(frozen=True, kw_only=True)
class PersonPaged(Event):
    """Somebody is called, by whatever ways they have; recorded as it begins.

    page: its number, which is that of its first way. urgent: whether it may wake and disturb them in every way.
    """

    kind: ClassVar[str] = "page.begun"
    matters: ClassVar[bool] = True
    page: int
    person: str
    urgent: bool = False

    def headline(self) -> str:
        return f"{self.person} paged"


@dataclass(frozen=True, kw_only=True)
class PageSeen(Event):
    """Whoever a page calls has seen it, as their chat client says. It is no answer.

    page, person, place: as in `PageDelivered`. at: when they saw it.
    """

    kind: ClassVar[str] = "page.seen"
    page: int
    person: str
    place: str

    def headline(self) -> str:
        return f"page {_to(self.person, self.place)}: seen"


@dataclass(frozen=True, kw_only=True)
class PageUnseen(Event):
    """A page was delivered, and nobody has looked at it for so long that other ways should not wait.

    page, person, place: as in `PageDelivered`.
    """

    kind: ClassVar[str] = "page.unseen"
    page: int
    person: str
    place: str

    def headline(self) -> str:
        return f"page {_to(self.person, self.place)}: not seen"


@dataclass(frozen=True, kw_only=True)
class PersonReleased(Event):
    """Somebody is called no more for what rings on: another has the pager. No page to them for it begins any more."""

    kind: ClassVar[str] = "page.released"
    person: str

    def headline(self) -> str:
        return f"{self.person} no longer paged"


@dataclass(frozen=True, kw_only=True)
class PageAsked(Event):
    """Somebody is needed, and whoever pages shall page them until there is an answer.

    name: a person, schedule or team. text: what for. key: what is asked for by the same is one page; `PageUnneeded` with it
    ends that.
    """

    kind: ClassVar[str] = "page.asked"
    matters: ClassVar[bool] = True
    name: str
    text: str
    key: str

    def headline(self) -> str:
        return f"{self.name} is to be paged: {self.text}"


@dataclass(frozen=True, kw_only=True)
class PageBegun(Event):
    """Somebody is being paged for what was asked for by that key. group: the alert group that rings for it."""

    kind: ClassVar[str] = "page.begun_for"
    name: str
    key: str
    group: str

    def headline(self) -> str:
        return f"paging {self.name} ({self.group})"


@dataclass(frozen=True, kw_only=True)
class PageUnneeded(Event):
    """What was asked for by that key is needed no more."""

    kind: ClassVar[str] = "page.unneeded"
    matters: ClassVar[bool] = True
    key: str
    because: str

    def headline(self) -> str:
        return f"page not needed any more: {self.because}"


EVENTS: Sequence[type[Event]] = (
    PersonPaged,
    PersonReleased,
    PageDelivered,
    PageSeen,
    PageUnseen,
    PageFailed,
    PageAsked,
    PageBegun,
    PageUnneeded,
)


def warned(message: Message, called: Collection[str]) -> Message:
    """The message, and that pages to these may be seen after it, if there are any."""
    if not called:
        return message
    text = f"A page to {listed(called)} may still arrive."
    return replace(message, lines=(*message.lines, text), brief_lines=(*message.brief_lines, text))


def _to(person: str, place: str) -> str:
    """To whom, and on which network."""
    where = Place.parse(place)
    return f"to {person or where.name} on {where.network}"
