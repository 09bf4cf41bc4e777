"""What happened in an incident, one moment after another: a reading of the journal, and no second record. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tocsin.domain import page
from tocsin.domain.event import Event

LEAD = timedelta(hours=1)
"""What its alerts did so long before an incident was declared may be a part of it."""


_OF_PAGES = tuple(page.EVENTS)


class Recorded(Protocol):
    """An event as the journal holds it. event: None if nothing that runs knows its kind."""

    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def recorded_at(self) -> datetime: ...
    @property
    def kind(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def by(self) -> str: ...
    @property
    def headline(self) -> str: ...
    @property
    def event(self) -> Event | None: ...


@dataclass(frozen=True)
class Moment:
    """Something that happened.

    at: when; recorded_at: when it was written down, which may be later. by: who did it; empty for Tocsin. kind: the event's. text: what, in one line.
    source: what it happened to, the incident's number or an alert's id. seq: its place in the journal.
    """

    at: datetime
    recorded_at: datetime
    by: str
    kind: str
    text: str
    source: str
    seq: int
    event: Event | None

    @property
    def told(self) -> str:
        """What happened, and who did it, where the text does not say so."""
        return f"{self.text} ({self.by})" if self.by and self.by not in self.text else self.text


def merged(own: Iterable[Recorded], of_alerts: Iterable[Recorded]) -> Sequence[Moment]:
    """All of it, each at the time at which it happened; what happened at once in the order in which it was recorded.

    own: what happened to the incident. of_alerts: what happened to its alerts, as far as it is part of it.
    """
    rows = [one for one in own if not isinstance(one.event, _OF_PAGES) or one.event.matters]
    rows += _without_echoes([one for one in of_alerts if one.event is not None and one.event.matters])
    rows.sort(key=lambda one: (one.at, one.seq))
    return [
        Moment(one.at, one.recorded_at, one.by, one.kind, one.headline, one.subject, one.seq, one.event)
        for one in rows
    ]


def _without_echoes(rows: Sequence[Recorded]) -> list[Recorded]:
    """That somebody is paged is left out where whoever pages has said it in words of their own."""
    said: dict[tuple[str, datetime], str] = {}
    for one in rows:
        if not isinstance(one.event, page.PersonPaged):
            key = (one.subject, one.at)
            said[key] = f"{said.get(key, '')} {one.headline}"
    return [
        one
        for one in rows
        if not isinstance(one.event, page.PersonPaged)
        or one.event.person not in said.get((one.subject, one.at), "")
    ]
