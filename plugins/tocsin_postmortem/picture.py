"""The timeline as a picture: clocks as marks, alerts as bars, updates and notes as ticks."""

from collections.abc import Sequence
from datetime import datetime

from tocsin.api import (
    Bar,
    Chart,
    Clock,
    GroupOpened,
    GroupReopened,
    Moment,
    Reading,
    StatusUpdated,
)
from tocsin_postmortem.times import declared

_RESOLVED = "group.resolved"
_NOTED = "timeline.noted"


def chart(reading: Reading) -> Chart:
    incident = reading.incident
    marks = [("declared", declared(incident))]
    marks += [(clock.value, incident.clocks[clock]) for clock in Clock if clock in incident.clocks]
    if incident.recovered_at is not None:
        marks.append(("as before", incident.recovered_at))
    updates = tuple(one.at for one in reading.moments if isinstance(one.event, StatusUpdated))
    notes = tuple(one.at for one in reading.moments if one.kind == _NOTED)
    ticks = (("status updates", updates), ("notes", notes))
    return Chart(
        f"{'Drill: ' * incident.drill}when what happened in incident {incident.number}",
        tuple(marks),
        tuple(bar for group in incident.groups if (bar := _bar(group, reading)).spans),
        tuple((label, times) for label, times in ticks if times),
    )


def _bar(group: str, reading: Reading) -> Bar:
    """From when to when an alert was open."""
    known = reading.facts.find_group(group)
    text = known.describe(reading.facts.config.severities) if known is not None else ""
    return Bar(f"{group} {reading.text(text, reading.end)}".strip(), tuple(_spans(group, reading.moments)))


def _spans(group: str, moments: Sequence[Moment]) -> list[tuple[datetime, datetime | None]]:
    spans = list[tuple[datetime, datetime | None]]()
    for one in moments:
        if one.source != group:
            continue
        if isinstance(one.event, GroupOpened | GroupReopened):
            spans.append((one.at, None))
        elif one.kind == _RESOLVED and spans:
            spans[-1] = (spans[-1][0], one.at)
    return spans
