"""Questions that are answered from what is kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Protocol, TypeVar, cast

from sqlalchemy import Connection

from tocsin.config import Config
from tocsin.domain.bridge import BRIDGES, Bridges, RoomsApart, RoomsBridged
from tocsin.domain.duty import HANDOFF, OnCallChanged, OverrideEnded, OverrideSet, duty_of
from tocsin.domain.event import Event
from tocsin.domain.group import AlertGroup, GroupOpened, GroupReopened
from tocsin.domain.incident import Incident
from tocsin.domain.incident_events import INCIDENT, IncidentDeclared
from tocsin.domain.message import Message, Place
from tocsin.domain.oncall import Responder
from tocsin.domain.pruning import PruneBegun
from tocsin.domain.room import ROOMS, RoomLeft, RoomMade, Rooms
from tocsin.domain.rota import Override, Shift, Span
from tocsin.domain.signing import signed
from tocsin.errors import UnknownSubject
from tocsin.people import People
from tocsin.store import journal, paged, profiles, subjects, timers
from tocsin.store.timers import Now

GROUP = "group"
"""The kind of subject that an alert group is."""


@dataclass
class Known:
    """What all turns share: the configuration, the events that are known, and what was replayed already.

    A group is replayed once and then goes on by each event as it is recorded, which only the writer's thread does.
    groups, incidents: those that are open, and during a turn those that it asked about. on_call: schedule -> whom it
    meant last. overrides: those that are not over, in the order in which they were set, once they were looked for.
    people: everybody, as they say. replays: what else was made of the events of these groups.
    bridges: the rooms that are known as bridged, once that was found out. rooms: those of our own, likewise.
    edits, sees: the networks where what was said can be put right, and those that tell when it is seen.
    reaches: whether what is said in a place now would be taken, as far as is known; it is asked in the writer's thread.
    key: what this daemon signs with.
    """

    config: Config
    kinds: Mapping[str, type[Event]]
    key: bytes = field(default=b"", repr=False)
    groups: dict[str, AlertGroup] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    on_call: dict[str, OnCallChanged] = field(default_factory=dict)
    overrides: dict[str, OverrideSet] | None = None
    people: People | None = None
    bridges: Bridges | None = None
    rooms: Rooms | None = None
    replays: dict[str, dict[type["Replay"], "Replay"]] = field(default_factory=dict)
    edits: frozenset[str] = frozenset()
    sees: frozenset[str] = frozenset()
    reaches: Callable[[Place], bool] = lambda _: True


class Replay(Protocol):
    """What somebody makes of all that happened to an alert group, one event after another."""

    def apply(self, event: Event) -> None:
        """Go on by one event; those of others are passed over."""


R = TypeVar("R", bound=Replay)
V = TypeVar("V", bound=Event)


class Facts:
    """What is known at this moment, inside a turn."""

    def __init__(self, connection: Connection, known: Known, time: Now) -> None:
        """Made by the daemon for each turn."""
        self.connection = connection
        self.time = time
        self._known = known
        self._seen: set[str] = set()
        self.people_changed = False
        self.new_people: People | None = None
        """Everybody, at the end of a turn in which that changed."""
        self.rooms_changed = False
        self.new_rooms: Mapping[Place, str] | None = None
        """The rooms of our own, at the end of a turn in which these changed."""

    @property
    def config(self) -> Config:
        return self._known.config

    @property
    def kinds(self) -> Mapping[str, type[Event]]:
        """The events that are known."""
        return self._known.kinds

    def group(self, subject: str) -> AlertGroup:
        """The alert group with this id. Raises UnknownSubject."""
        if (found := self.find_group(subject)) is None:
            raise UnknownSubject(self.no_alert(subject))
        return found

    def no_alert(self, subject: str) -> str:
        """What is said of an id that nothing bears."""
        none = f"there is no alert {subject!r}: {self.typed('alerts')} lists what is open"
        return self.pruned(subject) or none

    def pruned(self, subject: str) -> str:
        """What is said of what bore an id until it was pruned; empty if nothing did."""
        prune = subjects.pruned_by(self.connection, subject)
        entry = journal.read_one(self.connection, self.kinds, prune) if prune else None
        return entry.event.told(subject) if entry and isinstance(entry.event, PruneBegun) else ""

    def find_group(self, subject: str) -> AlertGroup | None:
        """The alert group with this id, if there is one."""
        known = self._known.groups.get(subject)
        if known is not None:
            return known
        kept = subjects.find(self.connection, subject) if subject else None
        if kept is None or kept.kind != GROUP:
            return None
        group = AlertGroup(subject)
        for entry in self.story(subject):
            if entry.event is not None:
                group.apply(entry.event)
        self._seen.add(subject)
        self._known.groups[subject] = group
        return group

    def incident(self, number: str) -> Incident:
        """The incident with this number. Raises UnknownSubject."""
        found = self.find_incident(number)
        if found is None:
            none = f"there is no incident {number}: {self.typed('incidents')} lists what is open"
            raise UnknownSubject(self.pruned(number) or none)
        return found

    def find_incident(self, number: str) -> Incident | None:
        """The incident with this number, if there is one."""
        known = self._known.incidents.get(number)
        if known is not None:
            return known
        kept = subjects.find(self.connection, number) if number else None
        if kept is None or kept.kind != INCIDENT:
            return None
        incident = Incident(number)
        for entry in self.story(number):
            if entry.event is not None:
                incident.apply(entry.event)
        self._seen.add(number)
        self._known.incidents[number] = incident
        return incident

    def open_incidents(self) -> Iterator[Incident]:
        """Every incident that is not closed, the oldest first."""
        for number in self.all_open(INCIDENT):
            yield self.incident(number)

    def incidents_since(self, since: datetime) -> Iterator[Incident]:
        """Every incident that is open, or was closed after that time, the oldest first."""
        closed = (subject.id for subject in subjects.closed_since(self.connection, INCIDENT, since))
        for number in sorted({*self.all_open(INCIDENT), *closed}, key=int):
            yield self.incident(number)

    def incident_of(self, group: str) -> Incident | None:
        """The open incident that an alert group belongs to."""
        return next((one for one in self.open_incidents() if group in one.groups), None)

    def follow(self, event: Event) -> None:
        """What is remembered goes on by an event that was recorded."""
        if self._follow_what_is_one(event):
            self._seen.add(event.subject)
            return
        for replay in self._known.replays.get(event.subject, {}).values():
            self._seen.add(event.subject)
            replay.apply(event)
        if isinstance(event, IncidentDeclared):
            self._known.incidents[event.subject] = Incident(event.subject)
        elif isinstance(event, GroupOpened):
            self._known.groups.setdefault(event.subject, AlertGroup(event.subject))
        elif isinstance(event, GroupReopened) and event.subject not in self._known.groups:
            self.find_group(event.subject)  # remembers it, this event included
            return
        one = self._known.incidents.get(event.subject) or self._known.groups.get(event.subject)
        if one is not None:
            self._seen.add(event.subject)
            one.apply(event)

    def _follow_what_is_one(self, event: Event) -> bool:
        """As `follow`, of what there is one of for all, or for a name; False if it is something else that happened."""
        match event:
            case OnCallChanged():
                self._seen.add(event.schedule)
                self._known.on_call[event.schedule] = event
            case OverrideSet() | OverrideEnded():
                self._known.overrides = None
            case RoomsBridged() | RoomsApart():
                self._known.bridges = self.bridges.after(event)
            case RoomMade() | RoomLeft():
                self._known.rooms = self._rooms.after(event)
                self.rooms_changed = True
            case _:
                return False
        return True

    def open_groups(self) -> Iterator[AlertGroup]:
        """Every open alert group, the oldest first."""
        for subject in self.all_open(GROUP):
            yield self.group(subject)

    def all_open(self, kind: str) -> Sequence[str]:
        """The ids of the open subjects of a kind, the oldest first."""
        return [subject.id for subject in subjects.all_open(self.connection, kind)]

    def story(
        self, subject: str, only: Iterable[type[Event]] = (), *, after: int = 0
    ) -> Sequence[journal.Entry]:
        """All that happened to a subject, in order.

        only: what is one of these alone; whatever looks often says so, for a group's alerts may come and go for
        weeks. after: what stands behind that place of the journal alone.
        """
        kinds = tuple(kind.kind for kind in only)
        return list(journal.read(self.connection, self._known.kinds, subject, kinds, after=after))

    def last(self, subject: str, kind: type[V]) -> V | None:
        """The last event of a kind that happened to a subject."""
        entry = journal.read_last(self.connection, self._known.kinds, subject, kind.kind)
        return cast("V | None", entry.event) if entry is not None else None

    def replay(self, subject: str, make: type[R], only: Iterable[type[Event]]) -> R:
        """What is made of all that happened to an alert group or an incident. Like these it is remembered, and goes on by
        each event that is recorded: whoever keeps what it says now takes a copy.

        make: without arguments, as it is before anything happened. only: as for `story`.
        """
        of_subject = self._known.replays.setdefault(subject, {})
        if make not in of_subject:
            replay = make()
            for entry in self.story(subject, only):
                if entry.event is not None:
                    replay.apply(entry.event)
            self._seen.add(subject)
            of_subject[make] = replay
        return cast("R", of_subject[make])

    def paged(self, subject: str) -> set[str]:
        """Everybody who was paged for a subject, or may have been."""
        return {person for person, _ in paged.whom(self.connection, subject) if person}

    def was_paged(
        self, subject: str, person: str, place: Place, before: datetime, *, since: datetime | None = None
    ) -> bool:
        """Whether a page of a subject to a person, or to all in a place, may have been seen before that time.

        since: older ones don't count.
        """
        return paged.was(self.connection, subject, person, place, before=before, since=since)

    def paged_places(self, subject: str) -> set[Place]:
        """Where a subject was paged in chat, or may have been; not where it calls nobody any more."""
        places = {place for _, place in paged.whom(self.connection, subject)} - self._left(subject)
        return {place for place in places if place.network in self.config.networks}

    def told_places(self, subject: str) -> set[Place]:
        """Where a subject was paged or told of in chat, or may have been; not where it calls nobody any more."""
        places = paged.told(self.connection, subject) - self._left(subject)
        return {place for place in places if place.network in self.config.networks}

    def _left(self, subject: str) -> set[Place]:
        """The own places of those who were called and are no more."""
        return {place for person in self.released(subject) for place in self.private_places(person)}

    def pages_since(self, since: datetime) -> Iterator[tuple[str, str, datetime]]:
        """Each time somebody was called from then on: who, for which subject, and when."""
        return journal.pages(self.connection, since)

    def timer_is_set(self, kind: str, key: str) -> bool:
        """Whether such a timer is still to ring."""
        return timers.any_for(self.connection, key, [kind])

    def timer_left(self, kind: str, key: str) -> timedelta | None:
        """How long until such a timer rings; None if it is not set."""
        return timers.left(self.connection, kind, key, self.time)

    def signed(self, path: str, text: str) -> str:
        """What a `Button` of that path takes, behind the path: `act/TEXT.SIGNATURE`. text: fit for an address."""
        return f"{path}/{signed(self._known.key, path, text)}"

    def edits(self, place: Place) -> bool:
        """Whether what was said in a place can be put right."""
        return place.network in self._known.edits

    def sees(self, place: Place) -> bool:
        """Whether it is told when somebody has seen what was said to them there."""
        return place.private and place.network in self._known.sees

    def typed(self, command: str) -> str:
        """A command as people type it in a room."""
        return f"{self.config.prefix}{command}"

    def about(
        self, group: AlertGroup, before: str = "", *, command: str = "", lines: Sequence[str] = ()
    ) -> Message:
        """A message that says which alerts a group is; among many it may be counted in a digest.

        before: what stands before them. command: the word that people may type next on it. lines: further lines,
        which hold nothing from outside.
        """
        order = self.config.severities
        return Message(
            f"{before}{group.describe(order)}",
            subject=group.id,
            command=self.typed(f"{command} {group.id}") if command else "",
            link=group.link,
            lines=tuple(lines),
            brief=f"{before}{group.brief(order)}",
            brief_lines=tuple(lines),
            told=before.strip(" :"),
        )

    @property
    def people(self) -> People:
        """Everybody, with what they said of themselves."""
        if self._known.people is None:
            kept = profiles.everybody(self.connection), profiles.links(self.connection)
            self._known.people = People.of(self.config, *kept)
        return self._known.people

    def change_people(self) -> None:
        """What people say of themselves is another from now on; networks are told once this turn is kept."""
        self._known.people = None
        self.people_changed = True

    def whom(self, place: Place) -> str:
        """A place as people call it: `alice on matrix`, or `#ops on irc`."""
        person = self.person_of(place.network, place.name) if place.private else None
        return f"{person or place.name} on {place.network}"

    def person_of(self, network: str, account: str) -> str | None:
        """Whose account that is."""
        return self.people.person_of(network, account)

    def callees(self, name: str, at: datetime | None = None) -> Sequence[str]:
        """The people that a person's, schedule's or team's name stands for, with all overrides. at: when, if not now."""
        at = at or self.time.at
        if name in self.config.schedules:
            return self.config.schedules[name].rota.on_call(at, self.overrides_of(name))
        people = self.config.teams[name].members if name in self.config.teams else (name,)
        for one in self.overrides_of():
            if one.start <= at < one.end:
                people = one.applied(people)
        return people

    def shifts(self, schedule: str, since: datetime, until: datetime) -> Iterator[Shift]:
        """Who is on call in that time, one shift after another, with all overrides; gaps have nobody.

        It is worked out as it is read, which may be after the turn.
        """
        events: Iterable[OverrideSet] = self.overrides.values()
        if past := self.past_overrides(since):
            events = sorted([*past, *events], key=lambda one: one.at)
        return self.config.schedules[schedule].rota.shifts(since, until, self._known_here(schedule, events))

    def gaps(self, schedule: str, since: datetime, until: datetime) -> Iterator[Span]:
        """When in that time nobody is on call, with all overrides, though somebody need be."""
        return self.config.schedules[schedule].rota.gaps(self.shifts(schedule, since, until))

    @property
    def overrides(self) -> Mapping[str, OverrideSet]:
        """Those that are not over, by id, in the order in which they were set."""
        if self._known.overrides is None:
            found = list[OverrideSet]()
            for subject in self.all_open(HANDOFF):
                story = [entry.event for entry in self.story(subject, (OverrideSet, OverrideEnded))]
                if story and isinstance(story[-1], OverrideSet):
                    found.append(story[-1])
            self._known.overrides = {one.subject: one for one in sorted(found, key=lambda one: one.at)}
        return self._known.overrides

    def overrides_of(self, schedule: str = "") -> Sequence[Override]:
        """The overrides that count for a schedule; without one, those that count wherever somebody is meant.

        By whoever is no longer in the configuration nobody would be reached: they stand in for nobody.
        """
        return self._known_here(schedule, self.overrides.values())

    def past_overrides(self, since: datetime) -> Sequence[OverrideSet]:
        """Those that were in force after that time and are no more, or not in that form, each as far as it came."""
        if since >= self.time.at:
            return ()
        found = list[OverrideSet]()
        ended = (subject.id for subject in subjects.closed_since(self.connection, HANDOFF, since))
        for subject in (*self.all_open(HANDOFF), *ended):
            story = [entry.event for entry in self.story(subject, (OverrideSet, OverrideEnded))]
            for begun, then in pairwise(story):
                if isinstance(begun, OverrideSet) and then is not None:
                    cut = (replace(one, end=min(one.end, then.at)) for one in begun.overrides)
                    found.append(replace(begun, overrides=tuple(one for one in cut if one.start < one.end)))
        return found

    def _known_here(self, schedule: str, events: Iterable[OverrideSet]) -> Sequence[Override]:
        every = (one for event in events for one in event.overrides)
        theirs = (one for one in every if one.schedule in ("", schedule))
        return [one for one in theirs if not one.comes or one.comes in self.config.people]

    def released(self, subject: str) -> frozenset[str]:
        """Who was called for an alert and is no more, since another has the pager."""
        group = self.find_group(subject)
        return group.released if group is not None else frozenset()

    def on_call_before(self, schedule: str) -> OnCallChanged | None:
        """Whom a schedule meant when that changed last; None if nobody ever looked."""
        if schedule not in self._known.on_call:
            last = self.last(duty_of(schedule), OnCallChanged)
            if last is not None:
                self.follow(last)
        return self._known.on_call.get(schedule)

    @property
    def bridges(self) -> Bridges:
        """The rooms that are known as bridged."""
        if self._known.bridges is None:
            bridges = Bridges()
            for entry in self.story(BRIDGES):
                if entry.event is not None:
                    bridges = bridges.after(entry.event)
            self._known.bridges = bridges
        return self._known.bridges

    @property
    def _rooms(self) -> Rooms:
        if self._known.rooms is None:
            rooms = Rooms()
            for entry in self.story(ROOMS):
                if entry.event is not None:
                    rooms = rooms.after(entry.event)
            self._known.rooms = rooms
        return self._known.rooms

    @property
    def made_rooms(self) -> Mapping[Place, str]:
        """The rooms of our own that were made and not left, and the id of what each was made for."""
        return self._rooms.about

    def rooms_for(self, about: str) -> list[Place]:
        """The rooms of our own that were made for something, and not left."""
        return [place for place, subject in self.made_rooms.items() if subject == about]

    def person(self, name: str) -> Responder:
        """The person with this name; one who is no longer in the configuration has no accounts."""
        return self.people.by_name.get(name, Responder())

    def private_places(self, person: str) -> list[Place]:
        """Where a person is reached in private, in the order in which they want to be."""
        accounts = self.person(person).accounts
        return [Place(network, account, private=True) for network, account in accounts.items()]

    def reaches(self, place: Place) -> bool:
        """Whether what is said there now would be taken, as far as is known."""
        return self._known.reaches(place)

    def default_rooms(self) -> list[Place]:
        """The room of each network where all alerts are told."""
        return [Place(name, network.room) for name, network in self.config.networks.items()]

    def rooms(self, name: str) -> list[Place]:
        """The rooms of a team, or of a network."""
        if name in self.config.teams:
            return [Place(network, room) for network, room in self.config.teams[name].rooms.items()]
        return [Place(name, self.config.networks[name].room)] if name in self.config.networks else []

    def forget_closed(self) -> None:
        """The turn is over: what has ended is asked about no more."""
        for subject in self._seen:
            group, incident = self._known.groups.get(subject), self._known.incidents.get(subject)
            if incident is not None and not incident.open:
                self._known.incidents.pop(subject)
            if group is None or not group.open:
                self._known.groups.pop(subject, None)
            # What was made of an incident goes on with it, and only with it, since it is found again by that alone.
            if subject not in self._known.groups and subject not in self._known.incidents:
                self._known.replays.pop(subject, None)

    def forget_replayed(self) -> None:
        """What this turn replayed or changed may have been undone."""
        self._known.people = None
        if BRIDGES in self._seen:
            self._known.bridges = None
        if ROOMS in self._seen:
            self._known.rooms = None
        for subject in self._seen:
            self._known.groups.pop(subject, None)
            self._known.incidents.pop(subject, None)
            self._known.replays.pop(subject, None)
            self._known.on_call.pop(subject, None)
        self._known.overrides = None
