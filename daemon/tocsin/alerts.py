"""Alert groups: how reports become groups, and the words by which people answer them."""

import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from tocsin.commands import Call, Command
from tocsin.domain.event import Event
from tocsin.domain.group import AlertGroup, GroupResolved, GroupState, Report
from tocsin.domain.message import Message, Place
from tocsin.domain.words import counted, listed, time_of_day
from tocsin.errors import Refused
from tocsin.facts import GROUP
from tocsin.store import subjects
from tocsin.store.outbox import Lane
from tocsin.transaction import Transaction

MOST_LISTED = 12
"""How many lines `!why` and `!alerts` give at most."""


def report(tx: Transaction, news: Report) -> str:
    """Take what a sender says of one group of alerts: open it, go on with it, or close it.

    Saying the same thing twice changes nothing. The group's id, or nothing if none is concerned.
    """
    key = f"{news.receiver}\n{news.key}"
    known = subjects.open_for(tx.connection, GROUP, key)
    fires = news.firing or (news.unlisted and not news.over)
    if known is None and not fires:
        return ""
    if known is None:
        subject = tx.open(GROUP, key)
        events = list(AlertGroup.opening(subject, news, tx.now))
    else:
        subject = known.id
        events = tx.group(subject).news(news, tx.now)
    for event in events:
        tx.record(event)
        if isinstance(event, GroupResolved):
            _announce(tx, event)
    return subject


def commands() -> Sequence[Command]:
    """The words that are about alert groups."""
    return [
        Command("ack [ALERT…]", acknowledge, "I have it, stop paging", also=("acknowledge", "acked")),
        Command("unack [ALERT…]", unacknowledge, "I don't, page again"),
        Command("done [ALERT…]", resolve, "it is over", also=("resolve", "resolved")),
        Command("alerts", list_open, "what is open", anyone=True),
        Command("why ALERT", why, "all that happened to it", anyone=True),
    ]


def acknowledge(call: Call, tx: Transaction) -> Message | None:
    return _answer_each(call, tx, {GroupState.TRIGGERED}, AlertGroup.acknowledge)


def unacknowledge(call: Call, tx: Transaction) -> Message | None:
    return _answer_each(call, tx, {GroupState.ACKNOWLEDGED}, AlertGroup.unacknowledge)


def resolve(call: Call, tx: Transaction) -> Message | None:
    return _answer_each(call, tx, {GroupState.TRIGGERED, GroupState.ACKNOWLEDGED}, AlertGroup.resolve)


def list_open(call: Call, tx: Transaction) -> Message:
    """What rings first, then what somebody has."""
    groups = sorted(tx.open_groups(), key=lambda group: not group.rings)
    if not groups:
        return Message("nothing is open")
    ringing = sum(group.rings for group in groups)
    lines = [_summary(group, call, tx) for group in groups[:MOST_LISTED]]
    if len(groups) > MOST_LISTED:
        lines.append(f"… and {len(groups) - MOST_LISTED} more")
    return Message(f"{counted(len(groups), 'alert')} open, {ringing} without an answer", lines=tuple(lines))


def why(call: Call, tx: Transaction) -> Message:
    """All that happened to an alert, in order."""
    group = tx.group(_id(call["ALERT"]))
    zone = tx.person(call.by).timezone
    lines = [f"{time_of_day(entry.at, zone, tx.now)} {entry.headline}" for entry in tx.story(group.id)]
    if len(lines) > MOST_LISTED:
        left_out = len(lines) - MOST_LISTED + 1
        lines = [*lines[:3], f"… {left_out} more …", *lines[3 + left_out :]]
    text = f"{group.state}: {group.describe(tx.config.severities)}"
    return Message(text, subject=group.id, link=group.link, lines=tuple(lines))


def was_away(tx: Transaction, network: str, since: datetime | None) -> None:
    """A network is back that heard nothing while it was down: whoever answered there meanwhile must know.

    since: when it went down; None if that was before the daemon came up.
    """
    groups = list(tx.open_groups())
    ringing = [group.id for group in groups if group.rings]
    if not groups:
        return
    began = f"{since.astimezone(UTC):%H:%M}\u2013" if since else "until "
    text = f"I was away {began}{tx.now.astimezone(UTC):%H:%M} UTC and heard nothing"
    paged = [(name, place) for name in ringing for place in tx.paged_places(name) if place.network == network]
    tx.take_back_first(network)
    room = Place(network, tx.config.networks[network].room)
    for place in dict.fromkeys([room, *(place for _, place in paged)]):
        ids = ringing if place == room else [name for name, there in paged if there == place]
        more = len(ids) - MOST_LISTED
        shown = [*ids[:MOST_LISTED], *([f"{more} more"] if more > 0 else [])]
        still = f"; {listed(shown)} still {'rings' if len(ids) == 1 else 'ring'}" if ids else ""
        command = f"!ack {ids[0]}" if len(ids) == 1 else "!alerts" if ids else ""
        tx.say(place, Message(f"{text}{still}", command=command), lane=Lane.FIRST)


def _answer_each(
    call: Call,
    tx: Transaction,
    fitting: set[GroupState],
    decide: Callable[[AlertGroup, str, datetime], Event],
) -> Message | None:
    """Decide on each group that was named; all are told of what was decided, the caller of what was refused."""
    refused = []
    for named in meant(call, tx, fitting):
        try:
            group = tx.group(named)
            event = decide(group, call.by, tx.now)
        except Refused as error:
            refused.append(str(error))
            continue
        tx.record(event)
        _announce(tx, event, also=call.place)
    return Message(refused[0], lines=tuple(refused[1:])) if refused else None


def meant(call: Call, tx: Transaction, fitting: Collection[GroupState]) -> Sequence[str]:
    """The ids of the alerts that a call's `[ALERT…]` means: those it names, or all that are open and fitting, or,
    if it names none, the only one that can be meant.

    fitting: the states in which an alert can be meant. Raises Refused if none is, or it is not clear which.
    """
    ids = list(dict.fromkeys(filter(None, map(_id, re.split(r"[\s,;]+", call["ALERT"])))))
    if ids and "all" not in ids:
        return ids
    groups = [group for group in tx.open_groups() if group.state in fitting]
    own = [group for group in groups if call.by in tx.paged(group.id) or group.acknowledged_by == call.by]
    if not groups:
        raise Refused("there is none: !alerts lists what is open")
    if ids:
        return [group.id for group in groups]
    for likely in (groups, own):
        if len(likely) == 1:
            return [likely[0].id]
    raise Refused(f"which one? {listed([group.id for group in groups[:MOST_LISTED]])}, or all")


def _announce(tx: Transaction, event: Event, also: Place | None = None) -> None:
    """Tell everybody who was paged, the default rooms and the one who asked; never before a page under way."""
    group = tx.group(event.subject)
    message = Message(f"{event.headline()}: {group.describe(tx.config.severities)}", subject=group.id)
    places = tx.paged_places(group.id) | set(tx.default_rooms()) | ({also} if also else set())
    for place in sorted(places, key=str):
        lane = Lane.ANSWER if place == also else Lane.STATUS
        tx.say(place, message, about=group.id, lane=lane, settle=True)


def _summary(group: AlertGroup, call: Call, tx: Transaction) -> str:
    since = time_of_day(group.opened_at or tx.now, tx.person(call.by).timezone, tx.now)
    who = "nobody has answered" if group.rings else f"{group.acknowledged_by} has it"
    return f"{group.id} {group.describe(tx.config.severities)} (since {since}; {who})"


def _id(word: str) -> str:
    """An id as it was meant, whatever stands around it."""
    return word.strip("#:,.!?`'\"<>()[]").lower()
