"""The sections of a postmortem: each sentence is something that happened, or a blank to fill."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from tocsin.api import (
    AlertGroup,
    AlertsAttached,
    AllClearGiven,
    AllClearWithdrawn,
    Blank,
    Block,
    Bullets,
    CauseFound,
    Clock,
    ClockCorrected,
    GroupOpened,
    GroupReopened,
    Incident,
    IncidentClosed,
    IncidentDeclared,
    IncidentMitigated,
    IncidentReopened,
    IncidentResolved,
    Moment,
    Reading,
    Role,
    RoleAssigned,
    ScopeAnswered,
    SeverityChanged,
    Table,
    TitleChanged,
    counted,
)
from tocsin_postmortem import picture
from tocsin_postmortem.hints import went_badly, went_well
from tocsin_postmortem.times import between, clock_of, declared, recovery, utc

NOT_RECORDED = "not recorded"
NOTED = "timeline.noted"
"""The kind of what people wrote down."""

_TRIAGE = (SeverityChanged, TitleChanged, AlertsAttached)
_END = (AllClearGiven, AllClearWithdrawn, IncidentResolved, CauseFound, IncidentReopened)


def description(reading: Reading) -> Iterator[Block | str]:
    incident = reading.incident
    began = declared(incident)
    who = f" by {reading.who(incident.declared_by, began)}" if incident.declared_by else ""
    because = f" ({reading.text(incident.because, began)})" if incident.because else ""
    yield f"{'Drill. ' * incident.drill}{reading.title}"
    yield f"Declared at {utc(began)}{who}{because}; {_state(incident)}."
    if incident.update is not None:
        yield f"The last status update: {reading.text(incident.update.text, incident.update.at)}"
    for moment in _all(reading, IncidentClosed):
        if isinstance(moment.event, IncidentClosed) and moment.event.text:
            yield f"The closing message: {reading.text(moment.event.text, moment.at)}"
    yield Blank("What happened, in a few sentences that somebody who was not there understands?")


def impact(reading: Reading) -> Iterator[Block | str]:
    [first, *_] = _all(reading, IncidentDeclared)
    severity = (
        first.event.severity if isinstance(first.event, IncidentDeclared) else reading.incident.severity
    )
    yield f"Declared as {severity}; it is {reading.incident.severity} now."
    changes = [_line(moment, reading) for moment in _all(reading, SeverityChanged)]
    if changes:
        yield Bullets(tuple(changes))
    scope = {
        moment.event.question: reading.text(moment.event.answer, moment.at)
        for moment in _all(reading, ScopeAnswered)
        if isinstance(moment.event, ScopeAnswered)
    }
    if scope:
        yield Bullets(tuple(f"{reading.text(question)}: {answer}" for question, answer in scope.items()))
    yield Blank("Who was hit, how badly, and for how long?")


def clocks(reading: Reading) -> Iterator[Block | str]:
    incident = reading.incident
    before = began = declared(incident)
    rows = [("declared", clock_of(began, reading), "", "")]
    for clock in Clock:
        at = incident.clocks.get(clock)
        if at is None:
            rows.append((clock.value, NOT_RECORDED, "", ""))
            continue
        rows.append((clock.value, clock_of(at, reading), between(began, at), between(before, at)))
        before = at
    yield _times(reading)
    yield Table(("clock", "time", "from start", "from last"), tuple(rows))
    if recovered := recovery(reading):
        yield recovered
    again = [_line(moment, reading) for moment in _all(reading, IncidentReopened)]
    if again:
        yield "All but the first are those since it was reopened last:"
        yield Bullets(tuple(again))


def story(reading: Reading) -> Iterator[Block | str]:
    yield picture.chart(reading)
    number = reading.incident.number
    rows = tuple(
        (clock_of(one.at, reading), "" if one.source == number else one.source, reading.told(one))
        for one in reading.moments
    )
    yield _times(reading)
    yield Table(("time", "alert", "what happened"), rows)


def handling(reading: Reading) -> Iterator[Block | str]:
    """Before it was mitigated, until then, and after that."""
    incident = reading.incident
    mitigated = incident.clocks.get(Clock.MITIGATED)
    triage = [one for one in reading.moments if _of(one, _TRIAGE) and _before(one.at, mitigated)]
    early = {one.seq for one in triage}
    end = [one for one in reading.moments if _of(one, _END + _TRIAGE) and one.seq not in early]
    yield "Triage:"
    yield Bullets(tuple(_line(one, reading) for one in triage) or (NOT_RECORDED,))
    yield "Mitigation:"
    how = [_line(one, reading) for one in reading.moments if _mitigates(one)]
    yield Bullets(tuple(how) or (NOT_RECORDED,))
    yield "Resolution:"
    lines = [_line(one, reading) for one in end]
    if not incident.cause:
        lines.append(f"cause: {cause(incident)}")
    yield Bullets(tuple(lines))


def people(reading: Reading) -> Iterator[Block | str]:
    held: dict[Role, dict[str, datetime]] = {role: {} for role in Role if role is not Role.RESPONDER}
    for moment in _all(reading, RoleAssigned):
        if isinstance(moment.event, RoleAssigned) and moment.event.role in held and moment.event.person:
            held[moment.event.role].setdefault(moment.event.person, moment.at)
    lines = [_holders(role, who, reading) for role, who in held.items() if who]
    if not held[Role.COMMANDER]:
        lines.insert(0, "commander: nobody")
    with_role = {person for who in held.values() for person in who}
    took_part = [*reading.incident.people, *(one.by for one in reading.moments)]
    others = dict.fromkeys(person for person in took_part if person and person not in with_role)
    if others:
        count = counted(len(others), "person", "people")
        lines.append(f"responders: {', '.join(others) if reading.named else count}")
    yield Bullets(tuple(lines))


def _holders(role: Role, who: Mapping[str, datetime], reading: Reading) -> str:
    if reading.named:
        return (
            f"{role}: {', '.join(f'{person} (from {clock_of(at, reading)})' for person, at in who.items())}"
        )
    times = ", ".join(clock_of(at, reading) for at in who.values())
    turns = ", one after the other" if len(who) > 1 else ""
    return f"{role}: {counted(len(who), 'person', 'people')}{turns} (from {times})"


def well(reading: Reading) -> Iterator[Block | str]:
    yield from _hinted(went_well(reading))
    yield Blank("What went well?")


def badly(reading: Reading) -> Iterator[Block | str]:
    yield from _hinted(went_badly(reading))
    yield Blank("What went badly? Of the work and the tools, not of people.")


def _hinted(hints: Iterable[str]) -> Iterator[Block | str]:
    found = tuple(hints)
    if found:
        yield "What Tocsin knows:"
        yield Bullets(found)


def issues(reading: Reading) -> Iterator[Block | str]:  # noqa: ARG001 (they are to be filled)
    yield Table(("Issue", "Improvement", "Owner", "Until when"), (("", "", "", ""),) * 3)


def first_alert(reading: Reading) -> Iterator[Block | str]:
    [first, *_] = _all(reading, IncidentDeclared)
    ids = first.event.groups if isinstance(first.event, IncidentDeclared) else ()
    groups = [group for group in map(reading.facts.find_group, ids) if group is not None]
    if groups:
        yield Bullets(tuple(_fired(group, reading) for group in groups))
    else:
        yield "It was declared without an alert."
        later = [one for one in reading.incident.groups if one not in ids]
        if later:
            yield f"Attached later: {', '.join(later)}."
    yield Blank("When did the first user notice, and was the alert before that?")
    yield Blank(
        "Was it useful: did it lead to what was at the heart of it? Should it be another one, or none?"
    )


def _fired(group: AlertGroup, reading: Reading) -> str:
    """Which, and how long before the declaration it fired last."""
    began = declared(reading.incident)
    fired = [
        one.at
        for one in reading.moments
        if one.source == group.id and isinstance(one.event, GroupOpened | GroupReopened) and one.at <= began
    ]
    what = f"{group.id} {reading.text(group.describe(reading.facts.config.severities), began)}"
    if not fired:
        return f"{what}: when it fired is {NOT_RECORDED}"
    return (
        f"{what}: fired at {clock_of(fired[-1], reading)}, {between(fired[-1], began)} before it was declared"
    )


SECTIONS: Mapping[str, Callable[[Reading], Iterable[Block | str]]] = {
    "Description": description,
    "Severity and impact": impact,
    "The five clocks": clocks,
    "Timeline": story,
    "How it was triaged, mitigated and resolved": handling,
    "Who took part": people,
    "What went well": well,
    "What went badly": badly,
    "Issues and improvements": issues,
    "The alert that started it": first_alert,
}
"""In their order."""


def _times(reading: Reading) -> str:
    return f"Times are in UTC, of {declared(reading.incident):%Y-%m-%d} where no day is named."


def _state(incident: Incident) -> str:
    return f"it is not over yet ({incident.stands})" if incident.active else f"it is {incident.stands}"


def cause(incident: Incident) -> str:
    """Why it happened; of one that is not over nobody need know it."""
    return incident.cause or (NOT_RECORDED if incident.active else "unexplained")


def _mitigates(moment: Moment) -> bool:
    event = moment.event
    return isinstance(event, IncidentMitigated) or (
        isinstance(event, ClockCorrected) and event.clock is Clock.MITIGATED
    )


def _all(reading: Reading, kind: type) -> list[Moment]:
    return [one for one in reading.moments if isinstance(one.event, kind)]


def _of(moment: Moment, kinds: tuple[type, ...]) -> bool:
    """Of these kinds, or what people wrote down."""
    return isinstance(moment.event, kinds) or moment.kind == NOTED


def _before(at: datetime, end: datetime | None) -> bool:
    return end is None or at < end


def _line(moment: Moment, reading: Reading) -> str:
    return f"{clock_of(moment.at, reading)} {reading.told(moment)}"
