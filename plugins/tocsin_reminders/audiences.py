"""Who is told beside those who work on an incident: in rooms, by mail and on a page, each in words of their own."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tocsin.api import (
    AllClearGiven,
    AllClearWithdrawn,
    Event,
    Incident,
    IncidentClosed,
    IncidentDeclared,
    IncidentMitigated,
    IncidentReopened,
    IncidentResolved,
    Place,
    SeverityChanged,
    StatusUpdated,
    Timer,
    Transaction,
    full_minute,
    of_incident,
    safe_link,
)
from tocsin_reminders.audience import Audience
from tocsin_reminders.events import AudienceTold, Moment, Stage
from tocsin_reminders.promise import promise_of
from tocsin_reminders.telling import DOT, clock
from tocsin_reminders.wording import rendered

LATE = "reminders.audience_late"
MAIL = "reminders.mail"
PAGE = "reminders.page"

MOST_REMEMBERED = 50
"""Of what an audience was told of one incident."""

_AT_ONCE = timedelta(0)

_MOMENTS: Mapping[type[Event], Moment] = {
    IncidentDeclared: Moment.DECLARED,
    SeverityChanged: Moment.DECLARED,
    StatusUpdated: Moment.UPDATED,
    IncidentMitigated: Moment.MITIGATED,
    AllClearGiven: Moment.ALL_CLEAR,
    AllClearWithdrawn: Moment.WITHDRAWN,
    IncidentResolved: Moment.RESOLVED,
    IncidentClosed: Moment.CLOSED,
    IncidentReopened: Moment.REOPENED,
}
_ON_THE_WAY = (Moment.MITIGATED, Moment.ALL_CLEAR, Moment.WITHDRAWN)

MOMENTS = tuple(_MOMENTS)
"""The events by which audiences are told."""


@dataclass(frozen=True)
class Audiences:
    """all: by name."""

    all: Mapping[str, Audience]

    def tell(self, event: Event, tx: Transaction) -> None:
        """Something happened of which audiences are told."""
        incident = tx.incident(event.subject)
        moment = _MOMENTS[type(event)]
        if moment in _ON_THE_WAY and not incident.active:
            return  # only when that was is put right: they were told that it is over
        for name, audience in self.all.items():
            if last_told(incident.number, name, tx) is not None:
                # Who was told that it began is told how it ends, whatever it is by then.
                due = not isinstance(event, SeverityChanged) and _is_news(moment, incident.number, name, tx)
            else:
                due = incident.active and audience.wants(incident)
            if due:
                self._tell(name, incident, moment, _text(event), tx)

    def expected(self, incident: Incident, tx: Transaction) -> bool:
        """Whether anybody was promised an update who would have to be told that it is late."""
        return any(told is not None and told.next_at is not None for _, _, told in self._told(incident, tx))

    def late(self, incident: Incident, tx: Transaction) -> None:
        """The update that they were promised is late; who was promised it for later, hears of it then."""
        for name, _, told in self._told(incident, tx):
            if told is None or told.next_at is None:
                continue
            if told.next_at > tx.now:
                # As the promise of the update itself: people read it on their clocks.
                tx.set_timer(LATE, f"{incident.number}/{name}", at=told.next_at)
            else:
                self._tell(name, incident, Moment.LATE, "", tx)

    def late_later(self, timer: Timer, tx: Transaction) -> None:
        """The time is here that an audience was promised."""
        incident = tx.find_incident(timer.key.partition("/")[0])
        if (
            incident is not None
            and incident.active
            and Stage.AUDIENCES in promise_of(incident.number, tx).told
        ):
            self.late(incident, tx)

    def open_room(self, incident: Incident, place: Place, tx: Transaction) -> Place | None:
        """Where whoever has no part in it finds all updates: on the network of a place, if there is such a room."""
        rooms = [
            room
            for _, audience, told in self._told(incident, tx)
            if audience.bystanders and told is not None
            for room in audience.rooms(incident, tx)
        ]
        return next((room for room in rooms if room.network == place.network), rooms[0] if rooms else None)

    def public_text(self, incident: Incident, tx: Transaction) -> str:
        """What all the world was told last; empty if it was told nothing."""
        texts = (
            told.text
            for _, audience, told in self._told(incident, tx)
            if audience.page is not None and told is not None
        )
        return next(texts, "")

    def _told(
        self, incident: Incident, tx: Transaction
    ) -> Iterator[tuple[str, Audience, AudienceTold | None]]:
        for name, audience in self.all.items():
            yield name, audience, last_told(incident.number, name, tx)

    def _tell(self, name: str, incident: Incident, moment: Moment, text: str, tx: Transaction) -> None:
        audience = self.all[name]
        first = last_told(incident.number, name, tx) is None
        next_at = self._next(audience, incident, moment, tx)
        link = safe_link(audience.link_of(incident.number))
        # A time that has passed is kept, so that they can be told that it has; it is no time to wait for.
        following = clock(next_at, tx) if next_at and next_at > tx.now else ""
        said = rendered(
            audience.template(moment),
            {
                "number": incident.number,
                "severity": incident.severity,
                "title": incident.title,
                "state": incident.stands,
                "text": text,
                "next": following,
                "link": link,
                "drill": incident.drill,
            },
        )
        told = AudienceTold(
            subject=incident.number, at=tx.now, audience=name, moment=moment, text=said, next_at=next_at
        )
        tx.record(told)
        brief = f"{incident.severity} incident: {'update late' if moment is Moment.LATE else incident.stands}"
        message = of_incident(
            incident, said, brief=f"{brief}{DOT}next by {following}" if following else brief
        )
        message = replace(message, link=link)
        for room in audience.rooms(incident, tx):
            if first:
                tx.news(room, message, about=incident.number, anew=True)
            else:
                # The line by which they learned of it says how it stands, where the network can put that right.
                tx.amend(room, message, about=incident.number)
                tx.say(room, message, about=incident.number)
        if incident.drill and not audience.drills:
            return
        for address in audience.mail:
            tx.set_timer(MAIL, f"{incident.number}/{name}/{address}", after=_AT_ONCE)
        if audience.page is not None:
            tx.set_timer(PAGE, "", after=_AT_ONCE)

    def _next(
        self, audience: Audience, incident: Incident, moment: Moment, tx: Transaction
    ) -> datetime | None:
        """When they are told more: not before somebody has promised to say more."""
        promised = promise_of(incident.number, tx).next_at
        if promised is None or not incident.active or moment is Moment.LATE:
            return None
        return max(promised, full_minute(tx.now + audience.every)) if audience.every else promised


class Heard:
    """What the audiences of an incident were told, by all that happened to it; of each the last few."""

    def __init__(self) -> None:
        """Before anything happened."""
        self.of: dict[str, deque[AudienceTold]] = {}

    def apply(self, event: Event) -> None:
        """Go on by one event; those of others are passed over."""
        if isinstance(event, AudienceTold):
            self.of.setdefault(event.audience, deque(maxlen=MOST_REMEMBERED)).append(event)


def heard(number: str, audience: str, tx: Transaction) -> Sequence[AudienceTold]:
    """What an audience was told of an incident, the last few."""
    return tuple(tx.replay(number, Heard, (AudienceTold,)).of.get(audience, ()))


def last_told(number: str, audience: str, tx: Transaction) -> AudienceTold | None:
    """What an audience was told last of an incident."""
    return next(reversed(heard(number, audience, tx)), None)


def _is_news(moment: Moment, number: str, audience: str, tx: Transaction) -> bool:
    """Whether they were not told so already: said once more it only puts right when that was."""
    match moment:
        case Moment.MITIGATED:
            turns = {Moment.MITIGATED, Moment.REOPENED}
        case Moment.ALL_CLEAR | Moment.WITHDRAWN:
            turns = {Moment.ALL_CLEAR, Moment.WITHDRAWN, Moment.REOPENED}
        case _:
            return True
    told = (one.moment for one in reversed(heard(number, audience, tx)))
    last = next((one for one in told if one in turns), None)
    return last is Moment.ALL_CLEAR if moment is Moment.WITHDRAWN else last is not moment


def _text(event: Event) -> str:
    """What somebody said of it."""
    match event:
        case StatusUpdated() | IncidentClosed():
            return event.text
        case IncidentMitigated():
            return event.how
        case IncidentReopened() | AllClearGiven() | AllClearWithdrawn():
            return event.because
    return ""
