"""Who does what in an incident: taken, given, offered and missed."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from tocsin.api import (
    SEVERITIES,
    Call,
    GroupAcknowledged,
    Incident,
    IncidentAcknowledged,
    IncidentDeclared,
    IncidentReopened,
    IncidentResolved,
    Message,
    NotAllowed,
    PageAsked,
    PageUnneeded,
    Refused,
    ResponderJoined,
    Role,
    RoleAssigned,
    SeverityChanged,
    Timer,
    Transaction,
    UsageError,
    answer_there,
    bare,
    did_you_mean,
    incident_in,
    meant_incident,
    spelled,
    tell_incident,
)
from tocsin_incidents.events import HAT, LeadMissed, LeadOffered, OfferAnswered, ScopeAsked
from tocsin_incidents.scope import ASK
from tocsin_incidents.telling import plainly, tell_person

ROLE = "role [INCIDENT] commander|deputy|scribe|comms|responder PERSON|me|nobody"
PASS = "hat pass [INCIDENT] PERSON"  # noqa: S105 (a hat is no secret)

NAG = "incidents.lead"
OFFER = "incidents.offer"
SECOND = "incidents.second"

NAG_EVERY = timedelta(minutes=2)
NAG_TIMES = 5
"""Short and early, then quiet: who has not led by then is not reached this way."""

ANSWER_WITHIN = timedelta(minutes=5)
"""So long somebody has to take a role that they were offered, and the coordinator before the second one is asked."""

COORDINATOR = "coordinator"
"""The key of the page to whoever is to lead."""

DOES = {
    Role.COMMANDER: "you decide who does what, and debug nothing yourself",
    Role.DEPUTY: "you keep track, and step in for the commander",
    Role.SCRIBE: "you write down what happens: !note",
    Role.COMMS: "you tell the others where it stands: !status",
    Role.RESPONDER: "you find out and mend",
}


@dataclass(frozen=True)
class Roles:
    """coordinators, deputies: the schedules of those who lead the severe ones; empty if there are none."""

    coordinators: str
    deputies: str

    # By command.

    def role(self, call: Call, tx: Transaction) -> Message | None:
        """`!role commander alice`; alone who has which."""
        incident, words = meant_incident(call, tx)
        asked, _, who = words.partition(" ")
        if not asked:
            return self.shown(incident, tx)
        try:
            role = Role(bare(asked))
        except ValueError:
            near = did_you_mean(asked, map(str, Role))
            raise UsageError(f"{asked!r} is no role: say {tx.typed(ROLE)}{near}") from None
        if not who.strip():
            raise UsageError(f"who? say {tx.typed(ROLE)}")
        self._give(call, incident, role, _person(who, call, tx), tx)
        return None

    def lead(self, call: Call, tx: Transaction) -> None:
        """`!lead`: I do."""
        incident, _ = meant_incident(call, tx)
        self._give(call, incident, Role.COMMANDER, call.by, tx)

    def shown(self, incident: Incident, tx: Transaction) -> Message:
        has = [f"{role} {incident.roles[role]}" for role in Role if role in incident.roles]
        command = "" if incident.commander else tx.typed(f"lead {incident.number}")
        return plainly(incident, ", ".join(has) or "nobody has a role yet", command=command)

    def _give(self, call: Call, incident: Incident, role: Role, person: str, tx: Transaction) -> None:
        tx.record(incident.assign(role, person, call.by, tx.now))
        by = f" (by {call.by})" if call.by != person else ""
        answer_there(call, incident, plainly(incident, f"{_has(role, person)}{by}"), tx)
        if person and person != call.by:
            tell_person(incident, person, f"you are {role} of {incident.called}: {DOES[role]}", tx)

    # An offer, which they accept or not.

    def hat(self, call: Call, tx: Transaction) -> Message:
        """`!hat pass bob`: the commander asks somebody to lead."""
        words = call["WORDS"].split()
        if not words:
            incident, _ = meant_incident(call, tx)
            return self.shown(incident, tx)
        if bare(words[0]) != "pass" or len(words) < 2:
            raise UsageError(f"say {tx.typed(PASS)}")
        incident, who = meant_incident(replace(call, words={"WORDS": " ".join(words[1:])}), tx)
        incident.refuse_if_over()
        if incident.commander not in ("", call.by):
            lead = tx.typed(f"lead {incident.number}")
            raise NotAllowed(f"{incident.commander} leads {incident.number}, not you; {lead} takes it")
        to = _person(who, call, tx)
        if not to or to == incident.commander:
            raise Refused(f"to whom? {incident.commander or 'nobody'} leads {incident.number}")
        subject = self._offer(incident, to, call.by, tx)
        lead = f"; {incident.commander} leads until then" if incident.commander else ""
        return plainly(
            incident, f"asked {to} to lead ({subject}), who has {spelled(ANSWER_WITHIN)} to accept{lead}"
        )

    def _offer(self, incident: Incident, to: str, by: str, tx: Transaction) -> str:
        subject = tx.open(HAT, secrets.token_hex(8))
        tx.record(LeadOffered(subject=subject, at=tx.now, by=by, incident=incident.number, to=to))
        tx.set_timer(OFFER, subject, after=ANSWER_WITHIN)
        asks = f"{by} asks you" if by else "you are asked"
        text = f"{asks} to lead incident {incident.number}, {incident.called}"
        message = Message(text, subject=subject, command=tx.typed(f"accept {subject}"))
        for place in tx.private_places(to):
            tx.say(place, tx.proven(place, message, about=subject, person=to), about=subject)
        return subject

    def accept(self, call: Call, ids: Sequence[str], tx: Transaction) -> str:
        """They have it from now on."""
        said = list[str]()
        for offered in [_offered(subject, call.by, tx) for subject in ids]:
            incident = tx.incident(offered.incident)
            if said and incident.commander == call.by:  # they were asked more than once
                continue
            self._answer(offered, call.by, tx, accepted=True)
            tx.record(incident.assign(Role.COMMANDER, call.by, call.by, tx.now))
            message = plainly(incident, _has(Role.COMMANDER, call.by))
            tell_incident(incident, message, tx, but_not=call.place)
            said.append(f"you lead {incident.number}: {DOES[Role.COMMANDER]}")
        return "; ".join(said)

    def decline(self, call: Call, ids: Sequence[str], tx: Transaction) -> str:
        """They can't."""
        said = []
        for subject in ids:
            offered = _offered(subject, call.by, tx)
            self._answer(offered, call.by, tx, accepted=False)
            message = _not_taken(offered, f"{call.by} can't lead", tx)
            if message is None:
                said.append(f"{subject}: declined")
            elif message.first_line() not in said:
                tell_incident(tx.incident(offered.incident), message, tx, but_not=call.place)
                said.append(message.first_line())
        return "; ".join(said)

    def here(self, call: Call, tx: Transaction) -> Sequence[str]:
        """In an incident's own room an answer that names nothing is to the offer of that one."""
        incident = incident_in(call.place, tx)
        if incident is None or call["ALERT"].strip() or call.about is not None:
            return []
        return [one.subject for one in _offers(tx, to=call.by) if one.incident == incident.number]

    def waiting(self, call: Call, tx: Transaction) -> Sequence[str]:
        """What the speaker was asked and has not answered. Raises Refused if that is nothing."""
        theirs = [one.subject for one in _offers(tx, to=call.by)]
        if not theirs:
            raise Refused("nothing waits for your answer")
        return theirs

    def lapse(self, timer: Timer, tx: Transaction) -> None:
        """Nobody answered in time."""
        offered = offer_of(timer.key, tx)
        if offered is not None:
            self._answer(offered, "", tx, accepted=False)
            message = _not_taken(offered, f"{offered.to} gave no answer", tx)
            if message is not None:
                tell_incident(tx.incident(offered.incident), message, tx)

    def _answer(self, offered: LeadOffered, by: str, tx: Transaction, *, accepted: bool) -> None:
        tx.record(OfferAnswered(subject=offered.subject, at=tx.now, by=by, accepted=accepted))
        tx.cancel_timer(OFFER, offered.subject)
        tx.close(offered.subject)

    # By what happens.

    def declared(self, event: IncidentDeclared | SeverityChanged | IncidentReopened, tx: Transaction) -> None:
        """Whoever is alone with it leads; for what is severe the coordinator is paged."""
        incident = tx.incident(event.subject)
        by_hand = isinstance(event, IncidentDeclared) and bool(event.by)
        may = incident.solo or not self.coordinators or event.by in tx.callees(self.coordinators)
        if by_hand and may:
            tx.record(incident.assign(Role.COMMANDER, event.by, "", tx.now))
        self._call_coordinator(incident, tx)
        self._watch(incident, tx)

    def _call_coordinator(self, incident: Incident, tx: Transaction) -> None:
        """Not for a drill, which wakes nobody; and once."""
        severe = incident.severity in SEVERITIES[:2] and not incident.drill
        if not self.coordinators or not severe or COORDINATOR in incident.pages.values():
            return
        if incident.commander in tx.callees(self.coordinators):
            return
        text = f"{incident.called}: lead it"
        page = PageAsked(
            subject=incident.number, at=tx.now, name=self.coordinators, text=text, key=COORDINATOR
        )
        tx.record(page)
        if self.deputies:
            tx.set_timer(SECOND, incident.number, after=ANSWER_WITHIN)

    def answered(self, event: GroupAcknowledged, tx: Transaction) -> None:
        """Who answers an alert of it has it; who answers the page to the coordinator leads."""
        incident = _rings_for(event.subject, tx)
        if incident is None or not incident.active:
            return
        if event.by not in incident.people:
            tx.record(ResponderJoined(subject=incident.number, at=tx.now, by=event.by, person=event.by))
        if not incident.clocks:
            tx.record(IncidentAcknowledged(subject=incident.number, at=tx.now, by=event.by))
        leads = incident.pages.get(event.subject) == COORDINATOR
        if (leads and incident.commander != event.by) or (not incident.commander and incident.solo):
            tx.record(incident.assign(Role.COMMANDER, event.by, event.by if leads else "", tx.now))
            if not tx.timer_is_set(ASK, incident.number):  # which says it in a moment, with who is there
                tell_incident(incident, plainly(incident, _has(Role.COMMANDER, event.by)), tx)

    def assigned(self, event: RoleAssigned, tx: Transaction) -> None:
        """Somebody leads now, or nobody any more."""
        if event.role is not Role.COMMANDER:
            return
        incident = tx.incident(event.subject)
        if event.person and event.by:
            self._found(incident, f"{event.person} leads", tx)
        self._watch(incident, tx)

    def _found(self, incident: Incident, why: str, tx: Transaction) -> None:
        """Nobody else need be asked to lead it."""
        if any(key == COORDINATOR and tx.group(group).open for group, key in incident.pages.items()):
            tx.record(PageUnneeded(subject=incident.number, at=tx.now, key=COORDINATOR, because=why))
        tx.cancel_timer(SECOND, incident.number)
        tx.cancel_timer(NAG, incident.number)
        for offered in _offers(tx):
            if offered.incident == incident.number:
                self._answer(offered, "", tx, accepted=False)
                if offered.to != incident.commander:
                    tell_person(incident, offered.to, f"{why}: you need not", tx)

    def over(self, event: IncidentResolved, tx: Transaction) -> None:
        """Nobody need lead it any more."""
        incident = tx.incident(event.subject)
        self._found(incident, "it is resolved", tx)

    def ask_second(self, timer: Timer, tx: Transaction) -> None:
        """The coordinator has not answered: the hat is offered to the second one."""
        incident = tx.find_incident(timer.key)
        if incident is None or not incident.active:
            return
        people = [one for one in tx.callees(self.deputies) if one != incident.commander]
        if not people:
            return
        self._offer(incident, people[0], "", tx)
        text = f"the coordinator has not answered: {people[0]} is asked to lead"
        tell_incident(incident, plainly(incident, text), tx)

    # Nobody leads.

    def _watch(self, incident: Incident, tx: Transaction) -> None:
        if incident.commander or incident.solo or not incident.active:
            tx.cancel_timer(NAG, incident.number)
        elif not tx.timer_is_set(NAG, incident.number):
            tx.set_timer(NAG, incident.number, after=NAG_EVERY)

    def joined(self, event: ScopeAsked, tx: Transaction) -> None:
        """It is more than one person's from now on."""
        self._watch(tx.incident(event.subject), tx)

    def nag(self, timer: Timer, tx: Transaction) -> None:
        """Say so, a few times."""
        incident = tx.find_incident(timer.key)
        if incident is None or incident.commander or incident.solo or not incident.active:
            return
        times = 1
        for entry in tx.story(incident.number, (LeadMissed, RoleAssigned)):
            match entry.event:
                case LeadMissed():
                    times = entry.event.times + 1
                case RoleAssigned(role=Role.COMMANDER):
                    times = 1
        if times > NAG_TIMES:
            return
        tx.record(LeadMissed(subject=incident.number, at=tx.now, times=times))
        for_so_long = spelled(times * NAG_EVERY)
        text = f"nobody leads for {for_so_long}"
        if times == NAG_TIMES:
            text = f"{text}; I say so no more"
        message = plainly(incident, text, command=tx.typed(f"lead {incident.number}"))
        tell_incident(incident, message, tx)
        if times < NAG_TIMES:
            tx.set_timer(NAG, incident.number, after=NAG_EVERY)


def offer_of(subject: str, tx: Transaction) -> LeadOffered | None:
    """What was offered by that id, if nobody has answered yet."""
    story = [entry.event for entry in tx.story(subject, (LeadOffered, OfferAnswered))]
    return story[0] if len(story) == 1 and isinstance(story[0], LeadOffered) else None


def _offers(tx: Transaction, *, to: str = "") -> list[LeadOffered]:
    """What was offered and nobody has answered yet. to: to that person alone."""
    offers = [offer_of(subject, tx) for subject in tx.all_open(HAT)]
    return [one for one in offers if one is not None and to in ("", one.to)]


def _offered(subject: str, person: str, tx: Transaction) -> LeadOffered:
    offered = offer_of(subject, tx)
    if offered is None:
        raise Refused(f"{subject}: nobody waits for an answer to that any more")
    if offered.to != person:
        raise NotAllowed(f"{subject} asks {offered.to}, not you")
    return offered


def _not_taken(offered: LeadOffered, why: str, tx: Transaction) -> Message | None:
    """What is told of an offer that comes to nothing; None if the incident is over."""
    incident = tx.incident(offered.incident)
    if not incident.active:
        return None
    lead = f"{incident.commander} leads on" if incident.commander else "nobody leads"
    return plainly(incident, f"{why}: {lead}", command=tx.typed(f"lead {incident.number}"))


def _rings_for(group: str, tx: Transaction) -> Incident | None:
    """The open incident that an alert belongs to, or that somebody is paged for by it."""
    return tx.incident_of(group) or next((one for one in tx.open_incidents() if group in one.pages), None)


def _person(text: str, call: Call, tx: Transaction) -> str:
    """Whom somebody names; empty for nobody. Raises Refused."""
    name = bare(text).removeprefix("@").removeprefix("to ").strip()
    if name in ("me", "i"):
        return call.by
    if name == "nobody":
        return ""
    if name not in tx.config.people:
        raise Refused(f"nobody is called {name!r}{did_you_mean(name, tx.config.people)}")
    return name


def _has(role: Role, person: str) -> str:
    if role is Role.COMMANDER:
        return f"{person or 'nobody'} leads"
    return f"{person or 'nobody'} is {role}"
