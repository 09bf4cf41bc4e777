"""`!note`: what somebody saw or did, at the time at which it was."""

import re
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from tocsin.api import (
    Call,
    Message,
    Transaction,
    UsageError,
    meant_incident,
    of_incident,
    parse_past,
    written,
)
from tocsin_timeline.events import Noted
from tocsin_timeline.telling import tell_others

NOTE = "note [INCIDENT] [14:05|5m ago] TEXT\u2026"

_TIME = re.compile(r"(?:at\s+)?[0-9]{1,2}:[0-9]{2}(?:am|pm)?\b", re.IGNORECASE)
_OF_DAY = re.compile(r"[0-9]:[0-9]{2}|[0-9][ap]m\b|\bago\b|T[0-9]", re.IGNORECASE)


def note(call: Call, tx: Transaction) -> Message:
    """`!note 14:05 restarted the queue`; it may lie before the incident was declared, and follow its end."""
    incident, words = meant_incident(call, tx, ended=True)
    zone = tx.person(call.by).timezone
    at, taken = _when(words.split(), tx.now, zone)
    text = " ".join(words.split()[taken:])
    if not text:
        raise UsageError(f"what happened? say {tx.typed(NOTE)}")
    tx.record(Noted(subject=incident.number, at=at, by=call.by, text=text))
    # Who reads it where it was typed knows; the others may be on another network.
    tell_others(call, incident, f"note by {call.by}: {text}", tx)
    return of_incident(incident, f"noted at {written(at, zone, tx.now)}" if taken else "noted", brief="noted")


def _when(words: Sequence[str], now: datetime, zone: ZoneInfo) -> tuple[datetime, int]:
    """The time with which a note begins, and of how many words it is; now if it begins with none.

    Only what says a time of day is one: `today it is slow` and `5xx everywhere` are notes. Raises UsageError.
    """
    try:
        at, taken = parse_past(words, now, zone)
    except ValueError as error:
        line = " ".join(words)
        if _TIME.match(line) or (
            line and str(error).endswith("is yet to come") and _OF_DAY.search(str(error))
        ):
            raise UsageError(f"{error}: a note is of what has happened") from None
        return now, 0
    return (at, taken) if _OF_DAY.search(" ".join(words[:taken])) else (now, 0)
