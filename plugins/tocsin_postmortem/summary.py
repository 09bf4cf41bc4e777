"""`!postmortem`: the essential of it, and where the whole is."""

from collections.abc import Iterator

from tocsin.api import (
    Call,
    Clock,
    Message,
    Reading,
    Transaction,
    counted,
    meant_incident,
    of_incident,
    spelled,
)
from tocsin_postmortem.hints import went_badly, went_well
from tocsin_postmortem.sections import cause
from tocsin_postmortem.times import declared, took, utc

POSTMORTEM = "postmortem [INCIDENT]"

DOT = " \u00b7 "


def summary(call: Call, tx: Transaction, *, names: bool) -> Message:
    """In few lines; the whole is written by the command line, which whoever runs Tocsin can type."""
    incident, _ = meant_incident(call, tx, ended=True)
    reading = Reading(incident.number, tx, named=names)
    return of_incident(
        incident,
        f"postmortem: {incident.severity} {reading.title}: {incident.stands}",
        lines=[*_lines(reading), f"the whole: tocsin export {incident.number} --format md|html|json"],
    )


def _lines(reading: Reading) -> Iterator[str]:
    incident = reading.incident
    began = declared(incident)
    times = [
        f"{clock} +{spelled(max(incident.clocks[clock] - began, began - began))}"
        if clock in incident.clocks
        else f"{clock} not recorded"
        for clock in Clock
    ]
    if incident.recovered_at is not None:
        times.append(f"as before {took(began, incident.recovered_at)} it was declared")
    yield DOT.join([f"declared {utc(began)}", *times])
    yield f"cause: {reading.text(cause(incident))}"
    for title, hints in (("well", went_well(reading)), ("badly", went_badly(reading))):
        if found := list(hints):
            yield f"{title}: {'; '.join(found)}"
    yield f"timeline: {counted(len(reading.moments), 'entry', 'entries')}{DOT}{_timeline(reading)}"


def _timeline(reading: Reading) -> str:
    return reading.facts.typed(f"timeline {reading.incident.number}")
