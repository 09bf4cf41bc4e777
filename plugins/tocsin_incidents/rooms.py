"""A room of its own for each severe incident, in which those are who work on it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

from tocsin.api import (
    Call,
    GroupReopened,
    GroupResolved,
    Incident,
    IncidentDeclared,
    IncidentReopened,
    Message,
    NetworkError,
    PersonCame,
    Place,
    Refused,
    ResponderJoined,
    RoleAssigned,
    RoomMade,
    RoomOpened,
    SeverityChanged,
    Timer,
    Tocsin,
    Transaction,
    listed,
    meant_incident,
    of_incident,
    tell_incident,
)
from tocsin_incidents.showing import caught_up
from tocsin_incidents.telling import UTC, has_updates, plainly

MAKE = "incidents.room"
INVITE = "incidents.invite"
ENTITLE = "incidents.entitle"

NOW = timedelta(0)

LONGEST_TOPIC = 200


@dataclass(frozen=True)
class Rooms:
    """networks: where rooms are made. severities: of which incidents; of others on request alone. links: what is to be at
    hand there, such as the call, by what it is called; may hold {number}.
    """

    networks: Sequence[str]
    severities: Sequence[str]
    links: Iterable[tuple[str, str]]

    def want(self, event: IncidentDeclared | SeverityChanged | IncidentReopened, tx: Transaction) -> None:
        """See whether it gets one, if it has none."""
        incident = tx.incident(event.subject)
        if incident.severity in self.severities and incident.active:
            self._make(incident, tx)
        if tx.rooms_for(incident.number):
            tx.set_timer(ENTITLE, incident.number, after=NOW)

    def ask(self, call: Call, tx: Transaction) -> Message:
        """`!room 42`: it is to have one, however severe it is."""
        incident, _ = meant_incident(call, tx)
        incident.refuse_if_closed()
        rooms = tx.rooms_for(incident.number)
        if rooms:
            tx.set_timer(INVITE, f"{incident.number}/{call.by}", after=NOW)
            return plainly(incident, f"it is in {listed(room.called for room in rooms)}: I invite you")
        if not self.networks:
            raise Refused("no network makes rooms: name one in plugins.incidents.rooms")
        self._make(incident, tx)
        return plainly(incident, f"it gets a room of its own on {listed(self.networks)}")

    def _make(self, incident: Incident, tx: Transaction) -> None:
        there = {place.network for place in tx.rooms_for(incident.number)}
        for network in self.networks:
            if network not in there:
                tx.set_timer(MAKE, f"{incident.number}/{network}", after=NOW)

    async def make(self, timer: Timer, tocsin: Tocsin) -> None:
        """Ask the network for it; tried again for as long as that may help."""
        number, _, network = timer.key.partition("/")

        def look(tx: Transaction) -> tuple[str, list[str]] | None:
            incident = tx.find_incident(number)
            if incident is None or not incident.open:
                return None
            return topic(incident), invited(incident, tx)

        found = await tocsin.turn(look)
        if found is None:
            return
        title, people = found
        try:
            await tocsin.make_room(network, f"inc-{number}", title, people, number)
        except NetworkError as error:
            if not error.permanent:
                raise
            why = f"it has no room of its own on {network}: {error}"
            await tocsin.must(partial(_tell, number, why))

    def made(self, event: RoomMade, tx: Transaction) -> None:
        """From now on it is talked about there."""
        incident = tx.find_incident(event.about)
        if incident is None:
            return
        room = event.place.called
        if event.place not in incident.own_rooms:  # else it was left at the end, and it goes on after all
            tx.record(RoomOpened(subject=incident.number, at=tx.now, place=str(event.place)))
        told = of_incident(
            incident, f"{incident.title}: talked about in {room}", command=tx.typed(f"room {incident.number}")
        )
        for place in incident.team_rooms:
            tx.say(place, told, about=incident.number)
        tx.say(event.place, self.opening(incident, tx), about=incident.number)

    def opening(self, incident: Incident, tx: Transaction, zone: ZoneInfo = UTC) -> Message:
        """The first that is said there: how it stands, what is at hand, what to type."""
        first = caught_up(incident, tx, zone)
        links = [f"{name}: {link.replace('{number}', incident.number)}" for name, link in self.links]
        words = ["role ROLE NAME", "mitigated", "done CAUSE"]
        if "timeline" in tx.config.plugins:
            words.insert(0, "note TEXT")
        if has_updates(tx):
            words.insert(0, "status TEXT")
        typed = " \u00b7 ".join(tx.typed(one) for one in words)
        return replace(first, lines=(*first.lines, *links, typed))

    def invite_them(self, event: ResponderJoined | RoleAssigned, tx: Transaction) -> None:
        """Whoever takes part is to be there."""
        if event.person and tx.rooms_for(event.subject):
            tx.set_timer(INVITE, f"{event.subject}/{event.person}", after=NOW)

    async def invite(self, timer: Timer, tocsin: Tocsin) -> None:
        number, _, person = timer.key.partition("/")
        for place in await tocsin.turn(lambda tx: tx.rooms_for(number)):
            try:
                await tocsin.invite(place, person)
            except NetworkError as error:
                if not error.permanent:
                    raise
                why = f"{person} can't be invited to {place.called}: {error}"
                await tocsin.must(partial(_tell, number, why))

    async def entitle(self, timer: Timer, tocsin: Tocsin) -> None:
        """What it is about is another than when it was made."""

        def look(tx: Transaction) -> tuple[list[Place], str]:
            incident = tx.find_incident(timer.key)
            return (tx.rooms_for(timer.key), topic(incident)) if incident is not None else ([], "")

        places, title = await tocsin.turn(look)
        for place in places:
            await tocsin.entitle(place, title)

    def alert_changed(self, event: GroupResolved | GroupReopened, tx: Transaction) -> None:
        """What becomes of its alerts is told where they were; its own rooms are others."""
        incident = tx.incident_of(event.subject)
        if incident is None or not incident.own_rooms or not incident.active:
            return
        group, order = tx.group(event.subject), tx.config.severities
        text = f"alert {group.id} {event.headline()}: {group.describe(order)}"
        tell_incident(incident, of_incident(incident, text, brief=f"alert {group.id} {event.headline()}"), tx)

    def came(self, event: PersonCame, tx: Transaction) -> None:
        """Who comes takes part, and reads in private what they missed, each once; where nothing of what was said before
        stays to be read, as on IRC, that is the opening with its links too. Who declared it has missed no more than that.
        """
        incident = tx.find_incident(event.subject)
        if incident is None or not incident.open:
            return
        if event.person not in incident.people:
            tx.record(
                ResponderJoined(subject=incident.number, at=tx.now, by=event.person, person=event.person)
            )
        came = [entry.by for entry in tx.story(event.subject, (PersonCame,))]
        stays = tx.edits(Place.parse(event.place))
        if came.count(event.person) > 1 or (stays and event.person == incident.declared_by):
            return
        zone = tx.person(event.person).timezone
        missed = caught_up(incident, tx, zone) if stays else self.opening(incident, tx, zone)
        for place in tx.private_places(event.person):
            tx.say(place, missed, about=incident.number)


def topic(incident: Incident) -> str:
    """What the room is about, in a line."""
    return f"{incident.number} {incident.called}"[:LONGEST_TOPIC]


def invited(incident: Incident, tx: Transaction) -> list[str]:
    """Who is to be there from the beginning: who is on it already, and who was called for its alerts."""
    called = [person for group in (*incident.groups, *incident.pages) for person in sorted(tx.paged(group))]
    return list(dict.fromkeys([*incident.people, *called]))


def _tell(number: str, text: str, tx: Transaction) -> None:
    incident = tx.find_incident(number)
    if incident is not None:
        tell_incident(incident, of_incident(incident, text), tx)
