"""How far an incident reaches: a few questions, each answered once, by whoever knows; and who is on it."""

from datetime import timedelta

from tocsin.api import (
    Call,
    Event,
    Incident,
    Message,
    ScopeAnswered,
    Timer,
    Transaction,
    UsageError,
    answer_there,
    bare,
    listed,
    meant_incident,
    of_incident,
    tell_incident,
)
from tocsin_incidents.events import ScopeAsked
from tocsin_incidents.telling import plainly, who_leads

QUESTIONS = {
    "heard": "how did we hear of it?",
    "verified": "who, or which probe, has seen it besides?",
    "hit": "who is hit, all or a part?",
    "since": "since when?",
    "systems": "which systems?",
}
"""The word that people type -> what it answers."""

ASK = "incidents.ask"

SCOPE = "scope [INCIDENT] [heard|verified|hit|since|systems ANSWER\u2026]"

LONGEST_ANSWER = 300


def answer(call: Call, tx: Transaction) -> Message | None:
    """`!scope hit all customers in Europe`; alone it says what is known, and what nobody has said yet."""
    incident, words = meant_incident(call, tx)
    first, _, text = words.partition(" ")
    question = bare(first)
    if not question:
        return stands(incident, tx)
    if question not in QUESTIONS or not text.strip():
        raise UsageError(f"say {tx.typed(SCOPE)}")
    said = text.strip()[:LONGEST_ANSWER]
    tx.record(ScopeAnswered(subject=incident.number, at=tx.now, by=call.by, question=question, answer=said))
    missing = [name for name in QUESTIONS if name not in incident.scope]
    still = f"; not said yet: {listed(missing)}" if missing else ""
    answer_there(call, incident, of_incident(incident, f"{question}: {said}{still}"), tx)
    return None


def stands(incident: Incident, tx: Transaction) -> Message:
    """What was answered, and what was not."""
    lines = [
        f"{name}: {incident.scope.get(name, f'not said yet ({ask})')}" for name, ask in QUESTIONS.items()
    ]
    known = len(incident.scope.keys() & QUESTIONS.keys())
    command = tx.typed(f"scope {incident.number} hit ANSWER") if known < len(QUESTIONS) else ""
    return of_incident(incident, f"scope: {known} of {len(QUESTIONS)} answered", command=command, lines=lines)


def took_part(event: Event, tx: Transaction) -> None:
    """As soon as it is more than one person's work, or severe, it is asked once who leads and how far it reaches."""
    incident = tx.find_incident(event.subject)
    if incident is None or incident.solo or not incident.active:
        return
    if tx.last(incident.number, ScopeAsked) is None:
        # In a turn of its own, so that whoever did what led to it reads the answer first.
        tx.set_timer(ASK, incident.number, after=timedelta(0))


def ask(timer: Timer, tx: Transaction) -> None:
    """Ask it, unless somebody has."""
    incident = tx.find_incident(timer.key)
    if incident is None or not incident.active or tx.last(incident.number, ScopeAsked) is not None:
        return
    tx.record(ScopeAsked(subject=incident.number, at=tx.now))
    people = listed(list(incident.people)) or "nobody"
    take = f"hat pass {incident.number} NAME" if incident.commander else f"lead {incident.number}"
    missing = [name for name in QUESTIONS if name not in incident.scope]
    form = f"who knows? {tx.typed(f'scope {incident.number}')} " + " | ".join(
        f"{name} \u2026" for name in missing
    )
    tell_incident(
        incident,
        plainly(
            incident,
            f"{who_leads(incident)}; here: {people}",
            command=tx.typed(take),
            lines=[form] if missing else [],
        ),
        tx,
    )
