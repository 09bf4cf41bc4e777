"""A document as what it says, in no format's own form. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

LONGEST = 20_000
"""Of one text, in characters: the long message with which an incident ends is one."""


@dataclass(frozen=True)
class Paragraph:
    """A text of its own."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """Several texts, one below the other."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells below their heads; an empty cell is there to be filled."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Blank:
    """Something that only people know. ask: what they are to write here."""

    ask: str


@dataclass(frozen=True)
class Bar:
    """Something that lasted. until: None if it still does."""

    label: str
    spans: tuple[tuple[datetime, datetime | None], ...]


@dataclass(frozen=True)
class Chart:
    """A picture of times.

    title: what it shows. marks: single times, each with its label. bars: what lasted. ticks: times of one sort, by the label
    of all of them.
    """

    title: str
    marks: tuple[tuple[str, datetime], ...]
    bars: tuple[Bar, ...] = ()
    ticks: tuple[tuple[str, tuple[datetime, ...]], ...] = ()


Block = Paragraph | Bullets | Table | Blank | Chart
"""What a section is made of. A format without pictures leaves a `Chart` out."""


@dataclass(frozen=True)
class Chapter:
    """A section as it was written."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """mark: what stands above all and beside each title, such as that it is only a drill."""

    title: str
    chapters: Sequence[Chapter]
    mark: str = ""
