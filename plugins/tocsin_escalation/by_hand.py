"""Paging somebody by hand: `!page bob the queue stands still`."""

import secrets
from datetime import timedelta

from tocsin.api import (
    GROUP,
    Alert,
    Call,
    GroupOpened,
    Refused,
    Transaction,
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
    subject = tx.open(GROUP, f"by hand\n{secrets.token_hex(8)}")  # no receiver can be called so
    alert = Alert("by hand", {"alertname": f"page from {call.by}"}, call["TEXT"])
    # The plan first: whoever reacts to a group that opens chooses one if there is none.
    tx.record(
        EscalationStarted(
            subject=subject,
            at=tx.now,
            by=call.by,
            plan=Plan("by hand", (FrozenStep((name,), (), NO_TIME),), TIMES, EVERY),
            because=f"asked for by {call.by}",
        )
    )
    tx.record(GroupOpened(subject=subject, at=tx.now, by=call.by, key=subject, receiver="", alerts=(alert,)))
    return None if call.place in tx.places else f"{subject}: paging {name}"


def _refuse_unless_reached(name: str, tx: Transaction) -> None:
    known = [*tx.config.people, *tx.config.schedules, *tx.config.teams]
    if name not in known:
        raise Refused(f"no person, schedule or team is called {name!r}{did_you_mean(name, known)}")
    people = tx.callees(name)
    if not people:
        raise Refused(f"{name} is nobody at the moment: page somebody else")
    if not any(tx.private_places(person) for person in people):
        raise Refused(f"{name} can't be paged: no account on any network; page somebody else")
