"""Paging somebody by name: by hand, `!page bob the queue stands still`, or since an incident needs them."""

import secrets
from datetime import timedelta

from tocsin.api import (
    GROUP,
    Alert,
    Call,
    GroupOpened,
    PageAsked,
    PageBegun,
    PageUnneeded,
    Refused,
    Transaction,
    announce,
    did_you_mean,
)
from tocsin_escalation.events import EscalationStarted
from tocsin_escalation.plan import NO_TIME, FrozenStep, Plan

EVERY = timedelta(minutes=5)
TIMES = 4


def page(call: Call, tx: Transaction) -> str | None:
    """Open a group for what somebody has to say, and page whom they name, again and again until there is an answer."""
    name = call["NAME"].lower().strip("@:,")
    _refuse_unless_reached(name, tx)
    alert = Alert("by hand", {"alertname": f"page from {call.by}"}, call["TEXT"])
    subject = _open("by hand", name, alert, f"asked for by {call.by}", tx, by=call.by)
    return None if call.place in tx.places else f"{subject}: paging {name}"


def asked(event: PageAsked, tx: Transaction) -> None:
    """Page whom something asks for, unless that rings already. Where nobody can be paged the fallback rings."""
    if _open_for(event.subject, event.key, tx) is not None:
        return
    labels = {"alertname": f"incident {event.subject}", "severity": tx.config.severities[0]}
    group = _open("asked", event.name, Alert("asked", labels, event.text), f"for {event.subject}", tx)
    tx.record(PageBegun(subject=event.subject, at=tx.now, name=event.name, key=event.key, group=group))


def unneeded(event: PageUnneeded, tx: Transaction) -> None:
    """What was asked for rings no more; who has answered knows, and all others were told then."""
    group = _open_for(event.subject, event.key, tx)
    if group is None:
        return
    rang = tx.group(group).unanswered
    resolved = tx.record(tx.group(group).resolve(event.by, tx.now))
    if rang:
        announce(tx, resolved, said=f"over: {event.because}")


def _open_for(subject: str, key: str, tx: Transaction) -> str | None:
    """The group that was opened last for that, if it is still open."""
    for entry in reversed(tx.story(subject, (PageBegun,))):
        begun = entry.event
        if isinstance(begun, PageBegun) and begun.key == key:
            return begun.group if tx.group(begun.group).open else None
    return None


def _open(how: str, name: str, alert: Alert, because: str, tx: Transaction, *, by: str = "") -> str:
    subject = tx.open(GROUP, f"{how}\n{secrets.token_hex(8)}")  # no receiver can be called so
    plan = Plan("by hand", (FrozenStep((name,), (), NO_TIME),), TIMES, EVERY)
    # The plan first: whoever reacts to a group that opens chooses one if there is none.
    tx.record(EscalationStarted(subject=subject, at=tx.now, by=by, plan=plan, because=because))
    tx.record(GroupOpened(subject=subject, at=tx.now, by=by, key=subject, receiver="", alerts=(alert,)))
    return subject


def _refuse_unless_reached(name: str, tx: Transaction) -> None:
    known = [*tx.config.people, *tx.config.schedules, *tx.config.teams]
    if name not in known:
        raise Refused(f"no person, schedule or team is called {name!r}{did_you_mean(name, known)}")
    people = tx.callees(name)
    if not people:
        raise Refused(f"{name} is nobody at the moment: page somebody else")
    if not any(tx.private_places(person) for person in people):
        raise Refused(f"{name} can't be paged: no account on any network; page somebody else")
