"""What is over comes back: the same incident goes on in the same room, and whoever led it last is paged."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.api import (
    AlertFired,
    AlertResolved,
    AlertsAttached,
    Clock,
    GroupFiredAgain,
    GroupOpened,
    GroupReopened,
    Incident,
    IncidentReopened,
    IncidentResolved,
    PageAsked,
    PageUnneeded,
    Timer,
    Transaction,
    group_before,
    incidents_with,
    of_incident,
    spelled,
    tell_incident,
)

PAGE = "verification.relapse_page"

PAGE_KEY = "relapse"

LONGEST = timedelta(days=1)
"""What comes back after that is something new, or should be looked at as such."""

_AT_ONCE = timedelta(0)

Fires = GroupOpened | GroupReopened | GroupFiredAgain | AlertFired

FIRES: tuple[type[Fires], ...] = (GroupOpened, GroupReopened, GroupFiredAgain, AlertFired)


@dataclass(frozen=True)
class Watch:
    """For how long after its end a relapse of an incident is one. explained: if its cause is known. unexplained: if not."""

    explained: timedelta
    unexplained: timedelta

    def check(self) -> None:
        """Raises ValueError for one that is too long."""
        for name, length in (("watch", self.explained), ("watch_unexplained", self.unexplained)):
            if length > LONGEST:
                raise ValueError(f"{name} must be at most {spelled(LONGEST)}")

    def until(self, incident: Incident) -> datetime | None:
        """When it ends; None of an incident that is not over."""
        resolved_at = incident.clocks.get(Clock.RESOLVED)
        if resolved_at is None:
            return None
        return resolved_at + (self.explained if incident.cause else self.unexplained)

    @property
    def longest(self) -> timedelta:
        return max(self.explained, self.unexplained)


def relapsed(tx: Transaction, incident: Incident, because: str) -> bool:
    """Open an incident again that is over, tell that where it is talked about, and have whoever led it paged.

    because: what shows that it is back, with figures. False if it goes on already: then nothing is done.
    """
    if incident.active:
        return False
    tx.record(incident.reopen(because, "", tx.now))
    lead = whom(incident, tx)
    if incident.drill:
        then = f"in earnest {lead or 'nobody'} would be paged now"
    else:
        then = f"{lead} is paged" if lead else "there is nobody to page for it"
    message = of_incident(
        incident,
        f"reopened: {because}; {then}",
        brief=f"reopened: it is back; {then}",
        command=tx.typed(f"incident {incident.number}"),
    )
    tell_incident(incident, message, tx, team=True)
    # In a turn of its own: whatever else pages for it has begun by then.
    tx.set_timer(PAGE, incident.number, after=_AT_ONCE)
    return True


def page(timer: Timer, tx: Transaction) -> None:
    """Page whoever led it last, unless an alert of it has paged them already since it is back."""
    incident = tx.find_incident(timer.key)
    if incident is None or not incident.active or not incident.reopened or incident.drill:
        return
    lead, since = whom(incident, tx), incident.began_at or tx.now
    if not lead:
        tx.fall_back(
            of_incident(incident, f"{incident.called} is back, and there is nobody to page"),
            about=incident.number,
        )
        return
    called = {*tx.callees(lead)}
    of_it = {*incident.groups, *incident.pages}
    if any(person in called and subject in of_it for person, subject, _ in tx.pages_since(since)):
        return
    text = f"{incident.called} is back: {_because(incident, tx)}"
    tx.record(PageAsked(subject=incident.number, at=tx.now, name=lead, text=text, key=PAGE_KEY))


def settle(event: IncidentResolved, tx: Transaction) -> None:
    """It is over again: nobody need be paged, and the next relapse pages anew."""
    tx.cancel_timer(PAGE, event.subject)
    incident = tx.incident(event.subject)
    rings = [group for group, key in incident.pages.items() if key == PAGE_KEY]
    if rings and tx.group(rings[-1]).open:
        tx.record(PageUnneeded(subject=incident.number, at=tx.now, key=PAGE_KEY, because="it is resolved"))


def whom(incident: Incident, tx: Transaction) -> str:
    """Whoever led it last; else who said that it is over, who declared it, or took part in it; else who is on call.

    Of these the first that can be paged; empty if nobody can.
    """
    return next((name for name in _candidates(incident, tx) if _is_reached(name, tx)), "")


def _candidates(incident: Incident, tx: Transaction) -> Iterator[str]:
    yield incident.commander
    resolved = tx.last(incident.number, IncidentResolved)
    if resolved is not None:
        yield resolved.by
    yield incident.declared_by
    yield from reversed(incident.people)
    yield from tx.config.schedules


def _is_reached(name: str, tx: Transaction) -> bool:
    known = name in tx.config.people or name in tx.config.schedules
    return known and any(tx.private_places(person) for person in tx.callees(name))


def _because(incident: Incident, tx: Transaction) -> str:
    reopened = tx.last(incident.number, IncidentReopened)
    return reopened.because if reopened is not None else ""


@dataclass(frozen=True)
class Alerts:
    """Alerts of an incident that fire again while a relapse of it is watched for."""

    watch: Watch

    def fires(self, event: Fires, tx: Transaction) -> None:
        """An alert fires: see whether something is back by it that was over. Early: a rule would make a new incident of it."""
        group = tx.group(event.subject)
        if not group.receiver:  # somebody is paged by name
            return
        same = group.id
        if isinstance(event, GroupOpened):
            same = group_before(group.id, tx.now - self.watch.longest, tx)
        if not same or (isinstance(event, AlertFired) and not _has_ended(event, tx)):
            return
        incident = self._of(same, tx)
        if incident is None:
            return
        because = f"alert {group.id} fires again: {group.describe(tx.config.severities)}"
        relapsed(tx, incident, because)
        if group.id not in incident.groups:
            tx.record(AlertsAttached(subject=incident.number, at=tx.now, groups=(group.id,)))

    def _of(self, group: str, tx: Transaction) -> Incident | None:
        """The incident that an alert group belonged to: one that is watched, or that was reopened and goes on."""
        for incident in reversed(list(incidents_with(group, tx.now - self.watch.longest, tx))):
            until = self.watch.until(incident)
            if tx.now < until if until is not None else incident.reopened:
                return incident
        return None


def _has_ended(event: AlertFired, tx: Transaction) -> bool:
    """Whether that alert had fired before, in a group that went on without it."""
    ended = (entry.event for entry in tx.story(event.subject, (AlertResolved,)))
    return any(isinstance(one, AlertResolved) and one.fingerprint == event.alert.fingerprint for one in ended)
