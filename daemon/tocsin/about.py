"""What a line answers: the message of ours that somebody replied to, or tapped."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tocsin.digests import alerts_of
from tocsin.domain.group import AlertGroup
from tocsin.domain.message import Line
from tocsin.domain.taps import Tap
from tocsin.store import outbox, receipts, subjects
from tocsin.store.outbox import Lane
from tocsin.transaction import Transaction

_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class About:
    """A message of ours that a line answers.

    subjects: the ids that are meant where the line names none. said_at: when the message was to be said. asks: whether
    it asked for an answer, and did not merely tell what became of something. word: that of the command which it offered.
    """

    subjects: tuple[str, ...]
    said_at: datetime
    asks: bool
    word: str = ""


def answered(line: Line, tx: Transaction) -> About | None:
    """What the message is about that a line answers; None if it is about nothing, or none of ours in that very place."""
    row = receipts.find(tx.connection, line.place, line.about)
    row = row or receipts.being_said(tx.connection, line.place, line.about_id)
    if row is not None and row.amends is not None:
        row = outbox.find(tx.connection, row.amends)  # what was put right is the same message still
    if row is None:
        return None
    subject = row.subject or row.message.subject
    if subjects.find(tx.connection, subject) is None:
        return None
    word = row.message.command.removeprefix(tx.config.prefix).partition(" ")[0]
    return About((subject,), row.said_at, asks=row.lane in (Lane.PAGE, Lane.NEWS) or word == "ack", word=word)


_NO_TO = {"accept": "decline", "yes": "no"}
"""What a question offers -> its opposite."""


def word_of_tap(tap: Tap, about: About | None) -> str:
    """The command that a tap gives: on a question its yes or its no, elsewhere what it says; empty if that is nothing."""
    if about is not None and about.word in _NO_TO:
        if tap.only_if_paged:
            return ""  # it may as well mean `I have seen it`
        return {"ack": about.word, "no": _NO_TO[about.word]}.get(tap.word, "")
    return "" if tap.word == "no" else tap.word


def tapped(tap: Tap, about: About, line: Line, by: str, tx: Transaction) -> About | None:
    """What a tap answers; None if it is left alone, as when it may as well be meant for the others who read it.

    by: who taps; empty for a stranger.
    """
    (subject,) = about.subjects
    if about.word in _NO_TO:
        return about if by and word_of_tap(tap, about) else None
    group = tx.find_group(subject)
    groups = [group] if group is not None else alerts_of(subject, tx)
    if groups is None:
        return None
    if tap.only_if_paged:
        theirs = tuple(one.id for one in groups if by and _is_for(one, line, by, tx))
        return replace(about, subjects=theirs) if theirs else None
    if about.asks:
        is_open = any(one.open for one in groups)
        # In private it was meant for us, and whoever tapped must know that it did nothing.
        return about if is_open or line.place.private else None
    return about if by and any(one.unanswered for one in groups) else None


def _is_for(group: AlertGroup, line: Line, by: str, tx: Transaction) -> bool:
    """Whether somebody has it, or nobody has and they were paged for it since it opened last."""
    if group.acknowledged_by:
        return group.acknowledged_by == by
    since = began(group, tx)
    return group.unanswered and tx.was_paged(group.id, by, line.place, _EVER, since=since)


def began(group: AlertGroup, tx: Transaction) -> datetime | None:
    """When it opened last; None if the clock was set back since, so that it can't be compared."""
    return group.began_at if group.began_at is not None and group.began_at <= tx.now else None
