"""What is kept for the timeline is told where the incident is talked about elsewhere."""

from tocsin.api import Call, Incident, Transaction, of_incident, tell_incident


def tell_others(call: Call, incident: Incident, text: str, tx: Transaction) -> None:
    """Say it in the incident's own rooms, but not where it was just said."""
    if incident.own_rooms and incident.active:
        tell_incident(incident, of_incident(incident, text, brief="noted"), tx, but_not=call.place)
