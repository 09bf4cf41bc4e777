"""How people and times are named to whoever reads it."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from tocsin.api import AlertGroup, Call, Incident, Message, Transaction, of_incident, written

UTC = ZoneInfo("UTC")

DOT = " \u00b7 "


def utc(at: datetime, tx: Transaction) -> str:
    """`14:05 UTC`, for readers who live in many places."""
    return written(at, UTC, tx.now)


def zone_of(call: Call, tx: Transaction) -> ZoneInfo:
    """In which zone whoever asks reads it; the others in a room may live elsewhere."""
    return tx.person(call.by).timezone if call.place.private and call.by else UTC


def has_updates(tx: Transaction) -> bool:
    """Whether people can tell how an incident stands by `!status`, so that it can be offered."""
    return "reminders" in tx.config.plugins


def alert_line(group: AlertGroup, tx: Transaction, stands: str = "") -> str:
    """An alert in a line, with where to look. stands: how it does."""
    described = f"alert {group.id}: {group.describe(tx.config.severities)}{stands}"
    return DOT.join(filter(None, (described, group.link)))


def who_leads(incident: Incident) -> str:
    return f"{incident.commander} leads" if incident.commander else "nobody leads yet"


def plainly(incident: Incident, text: str, *, command: str = "", lines: Sequence[str] = ()) -> Message:
    """A message that holds nothing that somebody typed, and so is said as it is where all the world may read."""
    return of_incident(incident, text, brief=text, command=command, lines=lines)


def tell_person(incident: Incident, person: str, text: str, tx: Transaction, *, command: str = "") -> None:
    """Tell somebody in private, wherever they are."""
    message = of_incident(incident, text, command=tx.typed(command) if command else "")
    for place in tx.private_places(person):
        tx.say(place, message, about=incident.number)
