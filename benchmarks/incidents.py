"""Many incidents at once, with many people and events each: how long it takes until somebody has an answer."""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from benchmarks.engine import engine
from benchmarks.results import Row, percentile
from benchmarks.servers import Lost
from benchmarks.size import Size
from tocsin.alerts import report
from tocsin.api import (
    Event,
    IncidentAcknowledged,
    IncidentDeclared,
    ResponderJoined,
    Role,
    RoleAssigned,
    ScopeAnswered,
    SeverityChanged,
    StatusUpdated,
    Transaction,
)
from tocsin.daemon import Daemon
from tocsin.domain.alert import Alert, Report
from tocsin.domain.message import Line, Place

TABLES = "[plugins.incidents]\n[plugins.timeline]\n[plugins.postmortem]\n"
ASKED = (
    "incidents",
    "incident {}",
    "catchup {}",
    "timeline {}",
    "timeline {} 3",
    "postmortem {}",
    "note {} 5m ago it broke",
)
GOAL = "≤ 100 ms at p99"


async def measure(size: Size) -> AsyncIterator[Row]:
    """Each command about each incident, one after another."""
    what = f"{size.incidents} incidents of {size.members} people and {size.happened} events: "
    async with engine(run=False, tables=TABLES) as daemon:
        for number in range(size.incidents):
            await daemon.tocsin.turn(partial(_declare, number, size))
        for command in ASKED:
            took = [
                await _asked(daemon, command.format(number + 1))
                for _ in range(size.asked)
                for number in range(size.incidents)
            ]
            await daemon.tocsin.turn(_all_answered)
            figures = {"p50": percentile(took, 50), "p99": percentile(took, 99)}
            yield Row(f"{what}!{command.format('N')}", figures, "ms", GOAL)
            what = "… "


def _declare(number: int, size: Size, tx: Transaction) -> None:
    labels = {"alertname": f"Load{number}", "instance": "db1", "severity": "critical"}
    group = report(tx, Report("prod", str(number), [Alert(str(number), labels, "the load is above 40")]))
    incident = tx.open_incident()
    for event in _story(incident, group, size, tx):
        tx.record(event)


def _story(incident: str, group: str, size: Size, tx: Transaction) -> Iterator[Event]:
    """As many events as it shall have, by so many people in turn."""
    people = [f"person{number}" for number in range(size.members)]
    begin = tx.now - timedelta(hours=1)
    yield IncidentDeclared(
        subject=incident,
        at=begin,
        by=people[0],
        title="the queue stands still",
        severity="sev2",
        groups=(group,),
    )
    yield IncidentAcknowledged(subject=incident, at=begin, by=people[0])
    for person in people:
        yield ResponderJoined(subject=incident, at=begin, person=person)
    yield RoleAssigned(subject=incident, at=begin, role=Role.COMMANDER, person=people[0])
    for number in range(size.happened - size.members - 3):
        who, at = people[number % len(people)], begin + timedelta(seconds=number)
        yield _something(number, {"subject": incident, "at": at, "by": who})


def _something(number: int, common: dict[str, Any]) -> Event:
    shapes: Sequence[Event] = (
        StatusUpdated(text=f"step {number} of the repair is done", **common),
        ScopeAnswered(question="who", answer=f"{number} customers", **common),
        SeverityChanged(severity="sev1", before="sev2", because="it spreads", **common),
    )
    return shapes[number % len(shapes)]


def _all_answered(tx: Transaction) -> None:
    """Raises Lost if somebody was refused."""
    refused = tx.connection.exec_driver_sql(
        "select count(*) from audit where verdict not like 'done%'"
    ).scalar()
    if refused:
        raise Lost(f"{refused} commands were refused")


async def _asked(daemon: Daemon, text: str) -> float:
    """How long it takes from the line to its answer in the outbox, in milliseconds."""
    place = Place("console", "alice", private=True)
    line = Line(f"{text} {time.perf_counter_ns()}", place, "alice", text)
    began = time.perf_counter()
    await daemon.ears.heard(line)
    return (time.perf_counter() - began) * 1000
