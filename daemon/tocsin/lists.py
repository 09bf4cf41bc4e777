"""What is open, and all that happened to an alert."""

from collections.abc import Sequence
from datetime import UTC, datetime

from tocsin.alerts import MOST_LISTED, listing
from tocsin.commands import Call, Command
from tocsin.domain.alert import rank
from tocsin.domain.group import AlertGroup, GroupState
from tocsin.domain.message import Message
from tocsin.domain.words import counted, time_of_day
from tocsin.transaction import Transaction


def commands() -> Sequence[Command]:
    """The words that change nothing."""
    return [
        Command("alerts", list_open, "what is open", anyone=True, often=True),
        Command("why ALERT", why, "all that happened to it", anyone=True, often=True),
    ]


def list_open(call: Call, tx: Transaction) -> Message:
    """What rings first, then what somebody has; of either the most severe first, since the list has an end."""
    order = tx.config.severities
    groups = sorted(tx.open_groups(), key=lambda group: (not group.rings, rank(group.severity(order), order)))
    if not groups:
        return Message("nothing is open")
    ringing = sum(group.rings for group in groups)

    def stands(group: AlertGroup) -> str:
        return f" (since {_clock(group.opened_at or tx.now, call, tx)}; {_who(group)})"

    text = f"{counted(len(groups), 'alert')} open, {ringing} without an answer"
    return listing(tx, text, groups, most=MOST_LISTED, end=stands)


def _who(group: AlertGroup) -> str:
    if group.state is GroupState.SILENCED:
        return f"silenced by {group.silenced_by}"
    return "nobody has answered" if group.rings else f"{group.acknowledged_by} has it"


def _clock(at: datetime, call: Call, tx: Transaction) -> str:
    """A time as whoever asks reads it; the others in a room may live elsewhere."""
    if call.place.private:
        return time_of_day(at, tx.person(call.by).timezone, tx.now)
    return f"{time_of_day(at, UTC, tx.now)} UTC"


def why(call: Call, tx: Transaction) -> Message:
    """All that happened to an alert, in order."""
    group = tx.group(call["ALERT"].strip("#").lower())
    lines = [f"{_clock(entry.at, call, tx)} {entry.headline}" for entry in tx.story(group.id)]
    if len(lines) > MOST_LISTED:
        left_out = len(lines) - MOST_LISTED + 1
        lines = [*lines[:3], f"… {left_out} more …", *lines[3 + left_out :]]
    order = tx.config.severities
    return Message(
        f"{group.state}: {group.describe(order)}",
        subject=group.id,
        link=group.link,
        lines=tuple(lines),
        brief=f"{group.state}: {group.brief(order)}",
    )
