"""How updates and times are said to whoever reads them."""

from datetime import datetime
from zoneinfo import ZoneInfo

from tocsin.api import Incident, Message, Place, Transaction, of_incident, written

_UTC = ZoneInfo("UTC")

DOT = " \u00b7 "

LONG = 200
"""Behind a longer text what stands there could be cut off where lines are short: it gets a line of its own."""


def clock(at: datetime, tx: Transaction, place: Place | None = None, person: str = "") -> str:
    """`14:30 UTC`, which is the same for all who read it; to somebody in private as their own clock shows it."""
    private = place is not None and place.private and person
    return written(at, tx.person(person).timezone if private else _UTC, tx.now)


def with_next(incident: Incident, text: str, brief: str, following: str) -> Message:
    """A message that ends in when the next update comes, whatever else is cut."""
    lines = [following] if len(text) > LONG else []
    return of_incident(
        incident, text if lines else f"{text}{DOT}{following}", brief=f"{brief}{DOT}{following}", lines=lines
    )


def tell_privately(incident: Incident, person: str, message: Message, tx: Transaction) -> bool:
    """Tell somebody in private, by chat alone; False if they are nowhere reached."""
    places = [place for place in tx.private_places(person) if tx.reaches(place)]
    for place in places:
        tx.say(place, message, about=incident.number)
    return bool(places)
