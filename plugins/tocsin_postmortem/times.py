"""How long what took: the clocks of an incident, promises kept and missed, and when nobody led. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tocsin.api import (
    Clock,
    GroupAcknowledged,
    GroupOpened,
    GroupReopened,
    Incident,
    IncidentResolved,
    Moment,
    Reading,
    Role,
    RoleAssigned,
    StatusUpdated,
    spelled,
    time_of_day,
)

SOON = timedelta(minutes=5)
"""So soon after it was declared somebody should have it, and somebody should lead."""

GRACE = timedelta(minutes=1)


def utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock_of(at: datetime, reading: Reading) -> str:
    """A time of the incident in UTC, with its day unless that is the one on which it was declared."""
    return time_of_day(at, UTC, declared(reading.incident))


def declared(incident: Incident) -> datetime:
    if incident.declared_at is None:
        raise ValueError(f"{incident.number} was never declared")
    return incident.declared_at


def between(since: datetime, until: datetime) -> str:
    """A length of time; one that ends before it begins is said so."""
    return spelled(until - since) if until >= since else f"{spelled(since - until)} before"


def recovery(reading: Reading) -> str:
    """When all that is measured was as before, and how long that took; empty if nobody measured it."""
    incident, at = reading.incident, reading.incident.recovered_at
    if at is None:
        return ""
    times = [f"{took(declared(incident), at)} it was declared"]
    if (mitigated := incident.clocks.get(Clock.MITIGATED)) is not None:
        times.append(f"{took(mitigated, at)} it was mitigated")
    return f"What is measured was as before from {clock_of(at, reading)} on, {' and '.join(times)}."


def took(since: datetime, until: datetime) -> str:
    """`5m after`, or `5m before`."""
    return f"{spelled(abs(until - since))} {'after' if until >= since else 'before'}"


def over_at(reading: Reading) -> datetime:
    """When it was over; if it is not, when something of it happened last."""
    return reading.incident.clocks.get(Clock.RESOLVED, reading.end)


@dataclass(frozen=True)
class Promises:
    """How many of the updates that were promised came in time, and late or never."""

    kept: int
    late: int


def promises(reading: Reading) -> Promises:
    """A promise is kept by the next update, up to the minute; the end of the incident leaves none open."""
    kept = late = 0
    promised: datetime | None = None
    for moment in reading.moments:
        updated = isinstance(moment.event, StatusUpdated)
        if promised is not None and (updated or moment.at >= promised + GRACE):
            kept += moment.at < promised + GRACE
            late += moment.at >= promised + GRACE
            promised = None
        if isinstance(moment.event, IncidentResolved):
            promised = None
        promised = getattr(moment.event, "next_at", None) or promised
    return Promises(kept, late)


def answered_after(reading: Reading) -> timedelta | None:
    """How long its first alert fired before somebody had it; None if nobody ever did, or it has none."""
    first = reading.incident.groups[:1]
    of_alert = [one for one in reading.moments if one.source in first]
    fired = [one.at for one in of_alert if isinstance(one.event, GroupOpened | GroupReopened)]
    acked = [one.at for one in of_alert if isinstance(one.event, GroupAcknowledged)]
    return acked[0] - fired[0] if acked and fired and acked[0] >= fired[0] else None


def unled(reading: Reading) -> timedelta:
    """For how long nobody led, from its declaration until it was over."""
    since, until = declared(reading.incident), over_at(reading)
    total, begin, led = timedelta(0), since, False
    for moment in _commands(reading.moments):
        at = min(max(moment.at, since), until)
        if not led:
            total += at - begin
        led, begin = bool(moment.person), at
    return total if led else total + max(until - begin, timedelta(0))


def _commands(moments: Sequence[Moment]) -> Iterator[RoleAssigned]:
    for moment in moments:
        if isinstance(moment.event, RoleAssigned) and moment.event.role is Role.COMMANDER:
            yield moment.event
