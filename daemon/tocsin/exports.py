"""An incident as a file: for people as Markdown or HTML, for programs as JSON."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tocsin.config import Config
from tocsin.domain.document import LONGEST
from tocsin.domain.event import Event
from tocsin.domain.html_page import html_page
from tocsin.domain.incident_events import Clock, Role, RoleAssigned
from tocsin.domain.markdown import markdown
from tocsin.domain.message import clean
from tocsin.domain.timeline import Moment
from tocsin.errors import Refused
from tocsin.facts import Facts, Known
from tocsin.postmortems import Reading, Sections
from tocsin.store import journal
from tocsin.store.database import read_only
from tocsin.store.timers import Now

FORMS = ("md", "html", "json")

VERSION = 1
"""Of the JSON: another one only if something of it means something else. What is new is added."""


def export(number: str, form: str, facts: Facts, sections: Sections) -> str:
    """The whole incident in one of `FORMS`. Raises Refused for a number that is none, or if nothing writes postmortems."""
    if form not in FORMS:
        raise Refused(f"there is no form {form!r}: say {', '.join(FORMS)}")
    reading = sections.read(number, facts)
    if form == "json":
        return json.dumps(data(reading), indent=2, ensure_ascii=False) + "\n"
    if not sections.declared:
        raise Refused("no plugin writes postmortems: add [plugins.postmortem]; json works without")
    document = sections.write(reading)
    return html_page(document) if form == "html" else markdown(document)


def from_database(
    path: Path,
    config: Config,
    kinds: Mapping[str, type[Event]],
    sections: Sections,
    time: Now,
    *,
    number: str,
    form: str,
) -> str:
    """As `export`, read beside the writer, or without one; it takes its time. Raises StateError besides."""
    with read_only(path) as connection:
        return export(number, form, Facts(connection, Known(config, kinds), time), sections)


def data(reading: Reading) -> Mapping[str, Any]:
    """All that is known of an incident, as JSON holds it; times in ISO 8601, in UTC."""
    incident = reading.incident
    declared = incident.declared_at or reading.end
    return {
        "format": "tocsin.incident",
        "version": VERSION,
        "number": incident.number,
        "title": reading.title,
        "severity": incident.severity,
        "drill": incident.drill,
        "state": incident.stands,
        "declared_at": _time(declared),
        "declared_by": reading.who(incident.declared_by, declared),
        "because": reading.text(incident.because, declared),
        "clocks": {clock.value: _time(incident.clocks.get(clock)) for clock in Clock},
        "recovered_at": _time(incident.recovered_at),
        "reopened": incident.reopened,
        "how": reading.text(incident.how),
        "cause": reading.text(incident.cause),
        "scope": {
            reading.text(question): reading.text(answer) for question, answer in incident.scope.items()
        },
        "people": [
            {"who": reading.who(person, at), "since": _time(at)} for person, at in incident.people.items()
        ],
        "roles": _roles(reading),
        "alerts": _alerts(reading),
        "timeline": [_moment(one, reading) for one in reading.moments],
    }


def _roles(reading: Reading) -> list[Mapping[str, Any]]:
    """Who had which role from when to when; of those who have it still the end is null."""
    held = list[dict[str, Any]]()
    for moment in reading.moments:
        event = moment.event
        if not isinstance(event, RoleAssigned) or event.role is Role.RESPONDER:
            continue
        for one in held:
            if one["role"] == event.role.value and one["until"] is None:
                one["until"] = _time(event.at)
        if event.person:
            who = reading.who(event.person, event.at)
            held.append({"role": event.role.value, "who": who, "since": _time(event.at), "until": None})
    return list(held)


def _alerts(reading: Reading) -> list[Mapping[str, Any]]:
    found = (reading.facts.find_group(one) for one in reading.incident.groups)
    order = reading.facts.config.severities
    return [
        {
            "id": group.id,
            "text": reading.text(group.describe(order)),
            "severity": group.severity(order),
            "state": group.state.value,
            "opened_at": _time(group.opened_at),
        }
        for group in found
        if group is not None
    ]


def _moment(moment: Moment, reading: Reading) -> Mapping[str, Any]:
    """data: the event's own fields; null if nothing that runs knows its kind, or it refuses roles in place of names."""
    return {
        "seq": moment.seq,
        "at": _time(moment.at),
        "recorded_at": _time(moment.recorded_at),
        "kind": moment.kind,
        "source": moment.source,
        "by": reading.who(moment.by, moment.at),
        "text": reading.told(moment),
        "data": _fields(moment, reading),
    }


def _fields(moment: Moment, reading: Reading) -> Any:
    if moment.event is None:
        return None
    try:
        return _clean(journal.fields(reading.veil.event(moment.event)))
    except (TypeError, ValueError):
        return None


def _clean(value: Any) -> Any:
    """As it is, but for what could break out of a line, hide in it or turn it around."""
    match value:
        case str():
            return clean(value, LONGEST)
        case list():
            return [_clean(one) for one in value]
        case dict():
            return {clean(key): _clean(one) for key, one in value.items()}
    return value


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
