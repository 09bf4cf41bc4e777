"""The postmortem of an incident: sections that plugins write, with roles in place of names."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tocsin.domain.document import (
    Bar,
    Blank,
    Block,
    Bullets,
    Chapter,
    Chart,
    Document,
    Paragraph,
    Table,
)
from tocsin.domain.timeline import Moment
from tocsin.domain.veil import Veil
from tocsin.facts import Facts
from tocsin.timelines import timeline

log = logging.getLogger(__name__)

DRILL = "drill"


class Reading:
    """An incident as it is read back: what happened, and who it was in words that anybody may read.

    incident: how it stands. moments: all that happened to it and to its alerts, the oldest first. facts: what else can
    be asked; nothing of that is changed. end: when the last of it happened. named: people are named after all.
    """

    def __init__(self, number: str, facts: Facts, *, named: bool = False) -> None:
        """Raises UnknownSubject."""
        self.incident = facts.incident(number)
        self.moments: Sequence[Moment] = timeline(self.incident, facts)
        self.facts = facts
        self.end = max(one.at for one in self.moments)
        self.named = named
        known = {name: tuple(person.accounts.values()) for name, person in facts.people.by_name.items()}
        self.veil = Veil(known, self.moments, off=named, ordinary=facts.config.severities)

    def who(self, person: str, at: datetime) -> str:
        """What somebody was at a time: `the commander`, `responder 2`; with names their name."""
        return self.veil.who(person, at)

    def text(self, text: str, at: datetime | None = None) -> str:
        """What somebody typed or a sender sent, with roles in place of names. at: when; without it, at the end."""
        return self.veil.text(text, at or self.end)

    def told(self, moment: Moment) -> str:
        """What happened, in one line, and who did it."""
        return self.veil.told(moment)

    @property
    def title(self) -> str:
        return self.text(self.incident.title, self.incident.declared_at)


Write = Callable[[Reading], Iterable[Block | str]]


@dataclass(frozen=True)
class Section:
    """A part of the postmortem.

    order: where it stands among the others; those of Tocsin are 10, 20, 30 and so on. write: gets a `Reading`, changes
    nothing, and returns blocks; a plain text is a paragraph. Without any the section is left out. Whatever comes from people
    or senders it passes through the reading; what it forgets is replaced behind it.
    names: the operator wants people named, in the whole postmortem.
    """

    title: str
    order: int
    write: Write
    names: bool = False


@dataclass(frozen=True)
class Sections:
    """All that there are, each with the name of its plugin, in their order."""

    declared: Sequence[tuple[str, Section]] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "declared", sorted(self.declared, key=lambda one: one[1].order))

    @property
    def named(self) -> bool:
        return any(section.names for _, section in self.declared)

    def read(self, number: str, facts: Facts) -> Reading:
        """Raises UnknownSubject."""
        return Reading(number, facts, named=self.named)

    def write(self, reading: Reading) -> Document:
        """The postmortem. A section that fails is told as such, and keeps no other from being written."""
        chapters = [Chapter(section.title, blocks) for section, blocks in self._written(reading) if blocks]
        incident = reading.incident
        mark = DRILL if incident.drill else ""
        return Document(f"Incident {incident.number}: {reading.title}", chapters, mark)

    def _written(self, reading: Reading) -> Iterator[tuple[Section, list[Block]]]:
        for owner, section in self.declared:
            try:
                blocks = [_block(one) for one in section.write(reading)]
            except Exception:
                log.exception("%s: the section %r can't be written", owner, section.title)
                blocks = [Paragraph("This section can't be written: see the log.")]
            yield section, [_veiled(one, reading) for one in blocks]


def _block(one: Block | str) -> Block:
    return Paragraph(one) if isinstance(one, str) else one


def _veiled(block: Block, reading: Reading) -> Block:
    """What a section forgot to replace."""
    text = reading.text
    match block:
        case Paragraph():
            return Paragraph(text(block.text))
        case Bullets():
            return Bullets(tuple(map(text, block.items)))
        case Table():
            return Table(block.head, tuple(tuple(map(text, row)) for row in block.rows))
        case Chart():
            return replace(
                block,
                title=text(block.title),
                marks=tuple((text(label), at) for label, at in block.marks),
                bars=tuple(Bar(text(bar.label), bar.spans) for bar in block.bars),
                ticks=tuple((text(label), times) for label, times in block.ticks),
            )
        case Blank():
            return Blank(text(block.ask))
