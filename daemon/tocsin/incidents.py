"""Which incident a command means, and where it is told what became of one."""

import re
from collections.abc import Sequence
from datetime import datetime

from tocsin.commands import Call
from tocsin.domain.group import AlertGroup
from tocsin.domain.incident import Incident
from tocsin.domain.incident_events import INCIDENT, AlertsAttached, IncidentDeclared
from tocsin.domain.message import Message, Place
from tocsin.domain.words import first_few
from tocsin.errors import Refused
from tocsin.facts import Facts
from tocsin.store import subjects
from tocsin.store.outbox import Lane
from tocsin.transaction import Transaction

MOST_NAMED = 5

_NUMBER = re.compile(r"(?P<sure>#?(?:inc-?|incident-)|#)?(?P<number>[0-9]{1,9})", re.IGNORECASE)


def number_first(words: str, place: Place, tx: Facts) -> tuple[str, str]:
    """The number of an incident with which words begin, whether there is one or not, and the words behind it; empty if
    they begin with none. In an incident's own room a number that begins a text is part of that, unless `#` stands before it.
    """
    first, _, rest = words.partition(" ")
    named = _NUMBER.fullmatch(first.strip(".,:;"))
    if named is None:
        return "", words
    number = named["number"].lstrip("0") or "0"
    here = incident_in(place, tx)
    if named["sure"] or here is None or not rest or number == here.number:
        return number, rest.strip()
    return "", words


def meant_incident(call: Call, tx: Transaction, *, ended: bool = False) -> tuple[Incident, str]:
    """The incident that a call means, and the words behind its number, if it begins with one.

    It is named, or what the line replies to is about it, or it is said in its own room, or it is the only one that is
    talked about there.
    ended: whether one that is closed can be meant too, if it is named. Raises Refused if it is not clear which.
    """
    number, words = number_first(call["WORDS"], call.place, tx)
    if number:
        return _named(number, ended=ended, tx=tx), words
    if call.about is not None:
        for subject in call.about.subjects:
            incident = tx.find_incident(subject) or tx.incident_of(subject)
            if incident is not None:
                return incident, words
    here = incident_in(call.place, tx)
    if here is not None:
        return _named(here.number, ended=ended, tx=tx), words
    there = _candidates(call, tx)
    if not there:
        way = f"{call.name} NUMBER" if ended else "declare TEXT"
        means = "means one that is closed" if ended else "declares one"
        raise Refused(f"there is no open incident: {tx.typed(way)} {means}")
    if len(there) > 1:
        # What people typed is not for strangers, who may ask in whatever room we are.
        names = [f"{one.number} ({one.title})" if call.by else one.number for one in there]
        some = first_few(names, MOST_NAMED)
        raise Refused(f"which one, {some}? Say {tx.typed(f'{call.name} {there[-1].number}')} \u2026")
    return there[0], words


def incident_in(place: Place, tx: Facts) -> Incident | None:
    """The incident whose own room that is, for as long as we are there; also one that is closed."""
    return tx.find_incident(tx.made_rooms.get(place, ""))


def groups_of(incident: Incident, tx: Facts) -> Sequence[AlertGroup]:
    """The alert groups that it is about."""
    return [group for group in map(tx.find_group, incident.groups) if group is not None]


def incidents_with(group: str, since: datetime, tx: Facts) -> Sequence[Incident]:
    """The incidents that an alert group belongs to, and that are open or were closed after that time, the oldest first.

    What is closed is not replayed to find that out.
    """
    found = [incident for incident in tx.open_incidents() if group in incident.groups]
    for subject in subjects.closed_since(tx.connection, INCIDENT, since):
        attached = (entry.event for entry in tx.story(subject.id, (IncidentDeclared, AlertsAttached)))
        if any(
            isinstance(one, IncidentDeclared | AlertsAttached) and group in one.groups for one in attached
        ):
            found.append(tx.incident(subject.id))
    return sorted(found, key=lambda one: int(one.number))


def group_before(group: str, since: datetime, tx: Facts) -> str:
    """The alert group with the same key that ended last before this one was opened; empty if that was before that time."""
    kept = subjects.find(tx.connection, group)
    before = kept and subjects.last_closed(tx.connection, kept.kind, kept.key, since)
    return before.id if before and before.id != group else ""


def _named(number: str, *, ended: bool, tx: Transaction) -> Incident:
    incident = tx.incident(number)
    if not incident.open and not ended:
        raise Refused(f"{number} is closed: {tx.typed(f'reopen {number}')} opens it again")
    return incident


def _candidates(call: Call, tx: Transaction) -> Sequence[Incident]:
    """Those that may be meant where nothing says which: of several those that are not over, and there those of the
    speaker, or of that room.
    """
    there = list(tx.open_incidents())
    for fits in (
        lambda one: one.active,
        lambda one: call.by in one.people if call.place.private else call.place in one.team_rooms,
    ):
        there = [one for one in there if fits(one)] or there
    return there


def of_incident(
    incident: Incident, text: str, *, brief: str = "", command: str = "", lines: Sequence[str] = ()
) -> Message:
    """A message about an incident. brief: what of it is said where all the world may read; without one, how severe it is
    and how it stands, for the rest may hold what people typed.
    """
    drill = "drill " * incident.drill
    return Message(
        f"{drill}{text}",
        subject=incident.number,
        command=command,
        lines=tuple(lines),
        brief=f"{drill}{brief or f'{incident.severity} incident: {incident.stands}'}",
    )


def incident_rooms(incident: Incident, tx: Facts, *, team: bool = False) -> Sequence[Place]:
    """Where an incident is talked about; where all alerts are told, if that is nowhere.

    team: the team's rooms too, if it has others of its own.
    """
    own = [room for room in incident.own_rooms if room in tx.made_rooms]  # some may have been left
    rooms = [*own, *(incident.team_rooms if team or not own else ())]
    found = dict.fromkeys(rooms or tx.default_rooms())
    return [room for room in found if room.network in tx.config.networks]


def tell_incident(
    incident: Incident, message: Message, tx: Transaction, *, but_not: Place | None = None, team: bool = False
) -> None:
    """Say something where an incident is talked about. team: as for `incident_rooms`."""
    for room in incident_rooms(incident, tx, team=team):
        if room != but_not:
            tx.say(room, message, about=incident.number)


def answer_there(
    call: Call, incident: Incident, message: Message, tx: Transaction, *, team: bool = False
) -> None:
    """Tell what somebody did: where they said it, as the answer, and wherever else the incident is talked about.

    team: as for `tell_incident`.
    """
    tx.say(call.place, message, about=incident.number, lane=Lane.ANSWER)
    tell_incident(incident, message, tx, but_not=call.place, team=team)
