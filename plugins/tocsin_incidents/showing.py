"""What there is: all incidents, one of them, and what somebody needs to know who comes to one late."""

from collections.abc import Iterator
from dataclasses import replace
from zoneinfo import ZoneInfo

from tocsin.api import (
    Call,
    Clock,
    Incident,
    Message,
    Role,
    Transaction,
    counted,
    groups_of,
    listed,
    meant_incident,
    of_incident,
    rank,
    spelled,
    written,
)
from tocsin_incidents.telling import DOT, UTC, alert_line, has_updates, who_leads, zone_of

MOST_LISTED = 10
MOST_ALERTS = 5


def incidents(call: Call, tx: Transaction) -> Message:
    """Those that are open, those that are not over first."""
    there = sorted(tx.open_incidents(), key=lambda one: (not one.active, one.severity, int(one.number)))
    if not there:
        return Message("no incident is open", command=tx.typed("declare TEXT"))
    active = sum(one.active for one in there)
    lines, brief = list[str](), list[str]()
    for one in there[:MOST_LISTED]:
        since = written(one.declared_at or tx.now, zone_of(call, tx), tx.now)
        lead = f", {one.commander} leads" if one.commander else ""
        lines.append(f"{one.number} {one.called} ({one.stands}, since {since}{lead})")
        brief.append(f"{one.number} {one.severity} ({one.stands}, since {since})")
    if len(there) > MOST_LISTED:
        more = f"\u2026 and {len(there) - MOST_LISTED:,} more"
        lines.append(more)
        brief.append(more)
    text = f"{counted(len(there), 'incident')} open, {active} not over"
    if not call.by:
        lines = brief
    return Message(text, lines=tuple(lines), brief=text, brief_lines=tuple(brief))


def show(call: Call, tx: Transaction) -> Message:
    """`!incident 42`: how one stands; strangers, who may ask in whatever room we are, read what all may know."""
    shown = call["WORDS"].removeprefix("show").strip()  # `!incident show 42` says the same
    incident, _ = meant_incident(replace(call, words={"WORDS": shown}), tx, ended=True)
    if not call.by:
        return of_incident(incident, f"{incident.severity}: {incident.stands}")
    return of_incident(
        incident, f"{incident.called}: {incident.stands}", lines=list(_facts(incident, zone_of(call, tx), tx))
    )


def catch_up(call: Call, tx: Transaction) -> Message:
    """`!catchup 42`: what is known, who leads, what is open, when the next update comes."""
    incident, _ = meant_incident(call, tx, ended=True)
    return caught_up(incident, tx, zone_of(call, tx))


def caught_up(incident: Incident, tx: Transaction, zone: ZoneInfo = UTC) -> Message:
    """How it stands, to be read in that zone."""
    text = f"{incident.called}: {incident.stands}; {who_leads(incident)}"
    return of_incident(incident, text, lines=list(_facts(incident, zone, tx)))


def _facts(incident: Incident, zone: ZoneInfo, tx: Transaction) -> Iterator[str]:
    yield DOT.join(_times(incident, zone, tx))
    if incident.update is not None:
        following = incident.update.next_at
        promised = f" (next by {written(following, zone, tx.now)})" if following and incident.active else ""
        yield f"last update {written(incident.update.at, zone, tx.now)}: {incident.update.text}{promised}"
    elif has_updates(tx):
        yield f"no status update yet{DOT}{tx.typed(f'status {incident.number} TEXT')}"
    roles = [f"{role} {incident.roles[role]}" for role in Role if role in incident.roles]
    others = [person for person in incident.people if incident.role_of(person) is Role.RESPONDER]
    if roles or others:
        yield DOT.join([*roles, *([f"also {', '.join(others)}"] if others else [])])
    if incident.scope:
        yield DOT.join(f"{question}: {answer}" for question, answer in incident.scope.items())
    yield from _alerts(incident, tx)
    if Clock.RESOLVED in incident.clocks:
        yield f"cause: {incident.cause or 'unexplained'}"
    if incident.own_rooms:
        yield f"talked about in {listed(room.called for room in incident.own_rooms)}"


def _times(incident: Incident, zone: ZoneInfo, tx: Transaction) -> Iterator[str]:
    declared = incident.declared_at or tx.now
    yield f"declared {written(declared, zone, tx.now)}"
    for clock in Clock:
        if (at := incident.clocks.get(clock)) is not None:
            yield f"{clock} {written(at, zone, tx.now)} (+{spelled(max(at - declared, at - at))})"
    if incident.recovered_at is not None:
        yield f"as before since {written(incident.recovered_at, zone, tx.now)}"


def _alerts(incident: Incident, tx: Transaction) -> Iterator[str]:
    """What rings first, then the most severe; in a storm they are thousands."""
    order = tx.config.severities
    there = sorted(
        groups_of(incident, tx), key=lambda group: (not group.rings, rank(group.severity(order), order))
    )
    for group in there[:MOST_ALERTS]:
        yield alert_line(group, tx, f" ({group.state})")
    if len(there) > MOST_ALERTS:
        yield f"\u2026 and {counted(len(there) - MOST_ALERTS, 'more alert')}{DOT}{tx.typed('alerts')}"
