"""The promise of a next update: until when, of whom, and who was told that it was not kept."""

from datetime import datetime, timedelta

from tocsin.api import (
    Event,
    Incident,
    IncidentClosed,
    IncidentReopened,
    IncidentResolved,
    PageAsked,
    PageUnneeded,
    Role,
    StatusUpdated,
    Transaction,
    full_minute,
)
from tocsin_reminders.events import OverdueTold, Stage, UpdatePromised

PAGE_KEY = "overdue"
"""By which the page for an update that does not come is asked for."""

MAKING = (
    UpdatePromised,
    OverdueTold,
    StatusUpdated,
    IncidentResolved,
    IncidentClosed,
    IncidentReopened,
    PageAsked,
    PageUnneeded,
)
"""The events that a promise is made of."""


class Promise:
    """What is promised of an incident's next update, by all that happened to it.

    next_at: until when; None if no update is to come. given: whether somebody said that time, who is taken at their word.
    told: the stages that have come since it passed, in their order. paging: whether a page for it was asked for.
    """

    def __init__(self) -> None:
        """Before anything happened."""
        self.next_at: datetime | None = None
        self.given = False
        self.told: list[Stage] = []
        self.paging = False

    def apply(self, event: Event) -> None:
        """Go on by one event; those of others are passed over."""
        match event:
            case UpdatePromised() | StatusUpdated():
                self.next_at = event.next_at
                self.given = isinstance(event, StatusUpdated)
                self.told = []
            case IncidentResolved() | IncidentClosed() | IncidentReopened():
                self.next_at = None
                self.told = []
            case OverdueTold():
                self.told.append(event.stage)
            case PageAsked(key=key) | PageUnneeded(key=key) if key == PAGE_KEY:
                self.paging = isinstance(event, PageAsked)


def promise_of(number: str, tx: Transaction) -> Promise:
    """What is promised of an incident's next update."""
    return tx.replay(number, Promise, MAKING)


def owner(incident: Incident) -> str:
    """Who answers for the next update; empty if nobody takes part."""
    last = incident.update.by if incident.update is not None else ""
    return incident.roles.get(Role.COMMS, "") or incident.commander or last or incident.declared_by


def due_after(every: timedelta, incident: Incident, now: datetime) -> datetime:
    """When the next update is due if nobody says: who does all of it alone has twice as long."""
    return full_minute(now + every * (2 if incident.solo else 1))


def late(promised: datetime, now: datetime) -> timedelta:
    """By how much, in whole minutes."""
    passed = max(now - promised, timedelta(0))
    return passed - passed % timedelta(minutes=1)
