"""What somebody said in a room, kept for the timeline: a tap with \U0001f4cc, or `!pin`."""

from tocsin.api import Call, Refused, Transaction, incident_in, meant_incident
from tocsin_timeline.events import Noted
from tocsin_timeline.telling import tell_others

PIN = "pin [INCIDENT] [NICK]"

LONGEST = 500


def pin(call: Call, tx: Transaction) -> str | None:
    """Keep it, with who said it and when; said twice it is kept once."""
    if call.about is not None:
        raise Refused("what I said is in the timeline already")
    try:
        incident = incident_in(call.place, tx) or meant_incident(call, tx)[0]
    except Refused:
        if call.line.tapped:  # people pin things for reasons of their own
            return None
        raise
    said = call.quoted
    if said is None:
        raise Refused(f"I know nothing of that any more: {tx.typed('note TEXT')} keeps what you type")
    author = tx.person_of(said.place.network, said.account) or said.called
    text = said.text[:LONGEST]
    at = min(said.at or tx.now, tx.now)
    event = Noted(subject=incident.number, at=at, by=call.by, text=text, author=author)
    for entry in tx.story(incident.number, (Noted,)):
        known = entry.event
        if isinstance(known, Noted) and (known.at, known.author, known.text) == (at, author, text):
            return None if call.line.tapped else f"{incident.number} has that already"
    tx.record(event)
    tell_others(call, incident, f"noted by {call.by}: {author} said {text!r}", tx)
    return f"{incident.number} noted: {author} said {text!r}"
