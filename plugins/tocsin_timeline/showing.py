"""`!timeline`: what happened in an incident."""

import re

from tocsin.api import (
    MOST_LISTED,
    Call,
    Message,
    Refused,
    Transaction,
    UsageError,
    counted,
    meant_incident,
    of_incident,
    timeline,
)

TIMELINE = "timeline [INCIDENT] [PAGE]"

_PAGE = re.compile(r"(?:page\s*)?([0-9]{1,6})?", re.IGNORECASE)


def show(call: Call, tx: Transaction) -> Message:
    """A page of it, the oldest first; the first page holds what happened last."""
    incident, words = meant_incident(call, tx, ended=True)
    asked = _PAGE.fullmatch(words)
    if asked is None:
        raise UsageError(f"say {tx.typed(TIMELINE)}")
    page = int(asked[1] or 1)
    moments = timeline(incident, tx)
    pages = -(-len(moments) // MOST_LISTED)
    if not 1 <= page <= pages:
        raise Refused(f"{incident.number} has {counted(pages, 'page')} of its timeline")
    end = len(moments) - (page - 1) * MOST_LISTED
    begin = max(0, end - MOST_LISTED)
    lines = [
        f"{call.clock(one.at, tx)} {_source(one.source, incident.number)}{one.told}"
        for one in moments[begin:end]
    ]
    title = f"{incident.called}: {incident.stands}; {counted(len(moments), 'entry', 'entries')}"
    if pages > 1:
        title += f", page {page} of {pages}"
    return of_incident(
        incident,
        title,
        lines=lines,
        command=tx.typed(f"timeline {incident.number} {page + 1}") if begin else "",
    )


def _source(source: str, number: str) -> str:
    return "" if source == number else f"{source} "
