"""The line that stands where an alert was told, and how it is kept right.

Where a network can put right what was said, the newest line about an alert shows how it stands. A change of owner or
state is shown at once, and said besides; what is being done is only shown, once a minute at most.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tocsin.domain.group import AlertGroup
from tocsin.domain.lateness import late_as
from tocsin.domain.message import Message, Place
from tocsin.domain.words import listed
from tocsin.facts import Facts
from tocsin.store import edits, outbox, seen
from tocsin.store.outbox import Row, Sending

EDIT_EVERY = timedelta(minutes=1)
"""What is being done is shown so often at most."""

LOOK_AGAIN = timedelta(seconds=1)
"""How long an edit waits for the line that it puts right, or for pages, before it looks again."""

YIELD_FOR = timedelta(seconds=30)
"""So long at most an edit waits for the pages on its network: one of them may wait for hours."""


def show_state(facts: Facts, place: Place, subject: str, since: datetime | None, message: Message) -> bool:
    """Show in the line of a group or an incident how it stands now; False if no line of it stands there since that time."""
    line = _line(facts, place, subject, since)
    if line is None:
        return False
    edits.put(facts.connection, line, message, facts.time, timedelta(0))
    return True


def show_progress(facts: Facts, place: Place, group: AlertGroup, told: str) -> bool:
    """Show in the line of a group that rings what is being done; False if none stands there since it does.

    told: as in `Message`.
    """
    line = _line(facts, place, group.id, group.rang_at)
    if line is None:
        return False
    _show(facts, line, group, told)
    return True


def show_seen(facts: Facts, place: Place, group: AlertGroup) -> bool:
    """Show in the line of a group that rings who has seen it; False if none stands there since it rings."""
    line = _line(facts, place, group.id, group.rang_at)
    if line is None:
        return False
    _show(facts, line, group, _shown(facts, line).told or "")
    return True


def claimed(facts: Facts, edit: Row) -> Row | None:
    """An edit with what it is to be sent with; None if it is not to be said now, or never will be."""
    line = outbox.find(facts.connection, edit.amends) if edit.amends is not None else None
    waits = line is not None and line.state in (Sending.PENDING, Sending.SENDING, Sending.UNKNOWN)
    stands = line is not None and line.state is Sending.CONFIRMED and line.carried_by is None
    if line is None or not (waits or stands) or not facts.edits(edit.place):
        outbox.settle(facts.connection, edit.id, Sending.CANCELLED, facts.time)
        return None
    if waits or _yields(facts, edit):
        outbox.put_off(facts.connection, edit.id, edit.state, facts.time, LOOK_AGAIN)
        return None
    edits.supersede(facts.connection, edit, facts.time)
    return replace(edit, replaces=line.receipt, message=late_as(edit.message, line.message))


def _yields(facts: Facts, edit: Row) -> bool:
    """Whether a page is to go first: in other places too, since a network takes only so much at a time."""
    waited = (facts.time.boot - edit.said_boot) * timedelta(microseconds=1)
    return waited < YIELD_FOR and edits.pages_wait(facts.connection, edit.place.network, facts.time)


def _line(facts: Facts, place: Place, subject: str, since: datetime | None) -> Row | None:
    if since is None or not facts.edits(place):
        return None
    return edits.stands(facts.connection, place, subject, since)


def _shown(facts: Facts, line: Row) -> Message:
    """What a line shows, or will once what waits is said."""
    newest = next(iter(edits.edits(facts.connection, line.id)), None)
    row = outbox.find(facts.connection, newest.id) if newest else None
    return (row or line).message


def _show(facts: Facts, line: Row, group: AlertGroup, told: str) -> None:
    """Say what is done, and who has seen it and not answered."""
    shown = _shown(facts, line)
    before = _with_seen(facts, group, told)
    about = facts.about(group, f"{before}: " if before else "", command="ack", lines=shown.lines)
    message = replace(
        about, command=shown.command and about.command, brief_lines=shown.brief_lines, told=told
    )
    if message != shown:
        edits.put(facts.connection, line, message, facts.time, _pause(facts, line))


def _with_seen(facts: Facts, group: AlertGroup, told: str) -> str:
    """`paging alice (seen by alice 03:02 UTC, not acked)`."""
    seen_by = seen.seen_by(facts.connection, group.id, group.rang_at) if group.rang_at else {}
    people = listed([f"{person} {at.astimezone(UTC):%H:%M}" for person, at in seen_by.items()])
    noted = f"seen by {people} UTC, not acked" if people else ""
    return f"{told} ({noted})" if told and noted else told or noted


def _pause(facts: Facts, line: Row) -> timedelta:
    """How long until what is being done may be shown in a line again."""
    for edit in edits.edits(facts.connection, line.id):
        if edit.state is Sending.PENDING:
            continue
        since = facts.time.at - edit.settled_at if edit.settled_at else timedelta(0)
        return min(max(EDIT_EVERY - since, timedelta(0)), EDIT_EVERY)  # the clock may have been set
    return timedelta(0)
