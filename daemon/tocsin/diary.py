"""A line in the log for what happens to alerts and incidents, once it is kept: what somebody looks for at night.

The words are ours, and names that the configuration holds: what alerts say, and what people type, stands in no log.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from tocsin.clock import Clock
from tocsin.domain import incident_events
from tocsin.domain.event import Event
from tocsin.domain.group import (
    AlertFired,
    AlertResolved,
    GroupAcknowledged,
    GroupOpened,
    GroupReopened,
    GroupResolved,
    GroupSilenced,
    GroupUnacknowledged,
    SilenceEnded,
)
from tocsin.domain.incident_events import INCIDENT
from tocsin.domain.message import Place
from tocsin.domain.pace import Pace
from tocsin.domain.page import PageDelivered, PageFailed, PersonPaged
from tocsin.logs import about
from tocsin.transaction import Standing, Transaction

log = logging.getLogger(__name__)

BURST = 2000
EVERY = timedelta(seconds=0.01)
"""So many lines at once, then one each so often: 5,000 in 30 s at most. Of a service's lines the journal takes 10,000 in
that time, and drops all that come then: in a storm what is not written here must not cost us those that say why.
"""

_ALWAYS = (PageDelivered, PageFailed, *incident_events.EVENTS)
_TOO_MANY = (AlertFired, AlertResolved)


class Diary:
    """Writes down what was kept."""

    def __init__(self, clock: Clock) -> None:
        """clock: for how much is written in which time."""
        self._pace = Pace(BURST, EVERY, lambda: clock.boot().total_seconds())
        self._left_out = 0
        self._groups = dict[str, tuple[str, ...]]()  # of each open incident
        self._incidents = dict[str, str]()

    def kept(self, turns: Sequence[Transaction]) -> None:
        """These turns were kept."""
        for tx in turns:
            for subject, standing in tx.standing.items():
                if standing.kind == INCIDENT:
                    self._learn(subject, standing)
            for recorded in tx.recorded:
                if _matters(recorded.event):
                    self._write(recorded.event, tx.standing.get(recorded.event.subject))

    def _learn(self, incident: str, standing: Standing) -> None:
        for group in self._groups.pop(incident, ()):
            self._incidents.pop(group, None)
        if standing.open:
            self._groups[incident] = standing.groups
            self._incidents.update(dict.fromkeys(standing.groups, incident))

    def _write(self, event: Event, standing: Standing | None) -> None:
        if self._pace.wait():
            self._left_out += 1
            return
        if self._left_out:
            log.warning("%d events were too many for this log: the database has them all", self._left_out)
            self._left_out = 0
        self._pace.spend()
        place = Place.parse(event.place) if isinstance(event, PageDelivered | PageFailed) else None
        fields = about(
            event.subject,
            network=place.network if place else "",
            incident=self._incidents.get(event.subject, ""),
            event=event.kind,
        )
        log.info("%s: %s", event.subject, _told(event, standing), extra=fields)


def _matters(event: Event) -> bool:
    return isinstance(event, _ALWAYS) or (event.matters and not isinstance(event, _TOO_MANY))


def _told(event: Event, standing: Standing | None) -> str:
    by = f" by {event.by}" if event.by else ""
    told = f"{event.kind}{by}"
    match event:
        case GroupOpened():
            severity = f" ({standing.severity})" if standing else ""
            told = f"opened by {event.receiver or event.by}{severity}"
        case GroupReopened():
            told = "fires again"
        case GroupUnacknowledged() | SilenceEnded():
            told = f"rings again{by}"
        case GroupSilenced():
            told = f"silenced{by} until {event.until:%F %H:%M} UTC"
        case GroupAcknowledged() | GroupResolved() | PageDelivered() | PersonPaged():
            told = event.headline()
        case PageFailed():
            place = Place.parse(event.place)
            told = f"page to {event.person or place.name} on {place.network}: not delivered"
        case _:
            pass
    return told
