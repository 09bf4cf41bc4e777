"""Who is called for an alert at this moment, on which of their ways it rang, and when each is due: pure rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tocsin.api import (
    Event,
    GroupAcknowledged,
    GroupOpened,
    GroupReopened,
    GroupResolved,
    GroupSilenced,
    GroupUnacknowledged,
    PageFailed,
    PageUnseen,
    PersonPaged,
    PersonReleased,
    SilenceEnded,
)
from tocsin_notify.events import Rang
from tocsin_notify.settings import Step

TELLING: Sequence[type[Event]] = (
    GroupOpened,
    GroupReopened,
    GroupAcknowledged,
    GroupUnacknowledged,
    GroupSilenced,
    SilenceEnded,
    GroupResolved,
    PersonPaged,
    PersonReleased,
    PageUnseen,
    PageFailed,
    Rang,
)
"""All that these rules look at."""


@dataclass
class Called:
    """Somebody who is called for an alert.

    at: since when. hastened: when it turned out that what was tried does not reach them, or not in time.
    rang: way -> what came of it last.
    """

    at: datetime
    urgent: bool
    hastened: list[datetime] = field(default_factory=list)
    rang: dict[str, Rang] = field(default_factory=dict)

    def due(self, steps: Sequence[Step]) -> Mapping[str, datetime]:
        """When each way is to ring for the first time. What fails or is not seen brings the next one at once."""
        due = {step.way: self.at + step.after for step in steps}
        for at in sorted(self.hastened):
            later = next((way for way, then in due.items() if then > at), None)
            if later is not None:
                due[later] = at
        return due


@dataclass
class Calls:
    """What became of an alert's calls, as its events tell.

    people: whom it calls now. rung: on whose ways it rang before somebody answered, which should learn of that.
    """

    people: dict[str, Called] = field(default_factory=dict)
    rung: set[tuple[str, str]] = field(default_factory=set)

    def apply(self, event: Event) -> None:
        match event:
            case PersonPaged():
                self._page(event)
            case PersonReleased(person=person):
                self.people.pop(person, None)
            case PageUnseen() | PageFailed():
                if event.person in self.people:
                    self.people[event.person].hastened.append(event.at)
            case Rang():
                self._ring(event)
            case GroupOpened() | GroupReopened() | GroupUnacknowledged() | SilenceEnded():
                self.people, self.rung = {}, set()
            case GroupAcknowledged() | GroupSilenced() | GroupResolved():
                self.people = {}
            case _:
                pass

    def _page(self, event: PersonPaged) -> None:
        before = self.people.get(event.person)
        if before is not None and before.urgent:
            return  # it rings on
        if before is not None and event.urgent:
            before.urgent, before.at = True, event.at
            return
        self.people[event.person] = Called(event.at, event.urgent)

    def _ring(self, event: Rang) -> None:
        called = self.people.get(event.person)
        if called is not None:
            before = called.rang.get(event.way)
            if event.why and (before is None or not before.why):
                called.hastened.append(event.at)
            called.rang[event.way] = event
        if not event.why:
            self.rung.add((event.person, event.way))
