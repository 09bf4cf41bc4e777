"""What became of a page on its way to somebody."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tocsin.domain.event import Event


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
        return f"page {f'to {self.person} ' if self.person else ''}delivered: {self.place}"


@dataclass(frozen=True, kw_only=True)
class PageFailed(Event):
    """A page could not be delivered, or not in time; it may still come through."""

    kind: ClassVar[str] = "page.failed"
    page: int
    person: str
    place: str
    why: str

    def headline(self) -> str:
        return f"page {f'to {self.person} ' if self.person else ''}not delivered: {self.place}: {self.why}"


EVENTS: Sequence[type[Event]] = (PageDelivered, PageFailed)
