"""`!status`: telling everybody where an incident stands, or asking."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from tocsin.api import (
    Call,
    Incident,
    Message,
    NotAllowed,
    Place,
    Refused,
    StatusUpdated,
    Transaction,
    first_few,
    meant_incident,
    of_incident,
    spelled,
    tell_incident,
)
from tocsin_reminders.asked import Asked
from tocsin_reminders.events import BystanderPointed
from tocsin_reminders.overdue import Overdue
from tocsin_reminders.promise import due_after, late, promise_of
from tocsin_reminders.telling import DOT, clock, with_next

MOST_NAMED = 5

NOTHING_NEXT = "no next update: it is over"


@dataclass(frozen=True)
class Updating:
    """overdue: how often updates come, and what follows if one does not."""

    overdue: Overdue

    def status(self, call: Call, tx: Transaction) -> Message | None:
        """`!status 42 half of the disks are back next 30m`; alone it says how it stands."""
        if not call.by:
            return self._to_stranger(call, tx)
        incident, words = meant_incident(call, tx, ended=True)
        if not words:
            self._show(incident, call, tx)
            return None
        asked = Asked.read(words, tx.now, tx.person(call.by).timezone)
        next_at = self._next(incident, asked, tx)
        update = tx.record(incident.tell(asked.text, next_at, call.by, tx.now))
        tell_incident(incident, _told(incident, update, None, tx), tx, but_not=call.place, team=True)
        return _told(incident, update, call.place, tx)

    def _next(self, incident: Incident, asked: Asked, tx: Transaction) -> datetime | None:
        if incident.active:
            return asked.next_at or due_after(self.overdue.every.of(incident.severity), incident, tx.now)
        if asked.next_at is not None:
            raise Refused(f"{incident.number} is {incident.stands}: no next update comes, so leave it out")
        return None

    def _show(self, incident: Incident, call: Call, tx: Transaction) -> None:
        """Say in private how it stands, so that those who work are not disturbed."""
        place = call.place
        if not place.private:
            place = replace(place, name=call.line.account or call.line.claimed, private=True)
        lines = list(_last(incident, call.by, place, tx))
        if call.place in incident.rooms and incident.active and incident.role_of(call.by) is None:
            lines += self._point(incident, call, tx)
        text = f"{incident.severity} {incident.title}: {incident.stands}"
        command = tx.typed(f"status {incident.number} TEXT") if incident.active else ""
        tx.say(place, of_incident(incident, text, lines=lines, command=command), about=incident.number)

    def _point(self, incident: Incident, call: Call, tx: Transaction) -> Iterator[str]:
        """Tell somebody who has no part in it, once, where all updates are."""
        room = self.overdue.audiences.open_room(incident, call.place, tx)
        pointed = (entry.event for entry in tx.story(incident.number, (BystanderPointed,)))
        if room is None or any(
            isinstance(one, BystanderPointed) and one.person == call.by for one in pointed
        ):
            return
        tx.record(BystanderPointed(subject=incident.number, at=tx.now, person=call.by))
        yield f"all updates are told in {tx.whom(room)}: please ask there, so that those who work on it can"

    def _to_stranger(self, call: Call, tx: Transaction) -> Message:
        """What anybody may know: what all the world was told, or how severe it is and how it stands; when more is said."""
        try:
            incident, words = meant_incident(call, tx, ended=True)
        except Refused:  # which names what they are called
            return _which(tx)
        if words:
            raise NotAllowed(
                f"only people that I know tell how it stands; {tx.typed(f'status {incident.number}')} asks"
            )
        audiences = self.overdue.audiences
        said = audiences.public_text(incident, tx)
        text = said or f"{incident.severity} incident: {incident.stands}{DOT}{_following(incident, tx)}"
        room = audiences.open_room(incident, call.place, tx)
        where = (
            f"{DOT}all updates are told in {tx.whom(room)}" if room is not None and room != call.place else ""
        )
        return of_incident(incident, f"{text}{where}", brief=f"{text}{where}")


def _told(incident: Incident, update: StatusUpdated, place: Place | None, tx: Transaction) -> Message:
    """An update as it is said in a place; None is any room."""
    following = f"next by {clock(update.next_at, tx, place, update.by)}" if update.next_at else NOTHING_NEXT
    head = f"{incident.severity} status by {update.by}"
    return with_next(incident, f"{head}: {update.text}", head, following)


def _last(incident: Incident, reader: str, place: Place, tx: Transaction) -> Iterator[str]:
    if incident.update is not None:
        said = incident.update
        yield f"last update {clock(said.at, tx, place, reader)} by {said.by}: {said.text}"
    else:
        yield "no update yet"
    yield _following(incident, tx, place, reader)


def _following(incident: Incident, tx: Transaction, place: Place | None = None, reader: str = "") -> str:
    next_at = promise_of(incident.number, tx).next_at
    if not incident.active:
        return NOTHING_NEXT
    if next_at is None:
        return "no next update is promised"
    passed = late(next_at, tx.now)
    overdue = f", {spelled(passed)} late" if passed else ""
    return f"next by {clock(next_at, tx, place, reader)}{overdue}"


def _which(tx: Transaction) -> Message:
    there = [one for one in tx.open_incidents() if one.active]
    if not there:
        return Message("no incident is open")
    some = first_few([f"{one.number} ({one.severity})" for one in there], MOST_NAMED)
    return Message(f"which one, {some}?", command=tx.typed(f"status {there[0].number}"))
