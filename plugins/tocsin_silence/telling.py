"""What people are told of silences: of many that one word began, or that end together, in one message a place."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from tocsin.api import (
    MOST_LISTED,
    AlertGroup,
    Call,
    Event,
    GroupResolved,
    GroupSilenced,
    Message,
    Place,
    SilenceEnded,
    Told,
    Transaction,
    about_all,
    announce,
    announce_all,
    first_few,
    spelled,
    time_of_day,
)

Ended = SilenceEnded | GroupResolved


def clock(at: datetime, person: str, tx: Transaction) -> str:
    """`05:12`, where the person is."""
    return time_of_day(at, tx.person(person).timezone, tx.now)[:-3]


def clock_there(at: datetime, call: Call, tx: Transaction) -> str:
    """As `clock` for whoever asks; the others in a room may live elsewhere."""
    if call.place.private:
        return clock(at, call.by, tx)
    return f"{time_of_day(at, UTC, tx.now)[:-3]} UTC"


def tell_of(
    silenced: Sequence[GroupSilenced], alone: Sequence[str], call: Call, tx: Transaction
) -> str | None:
    """Tell of silences that one word began; what else the one who asked should know.

    alone: the ids of those that Alertmanager can't be told of.
    """
    why = "its alerts have no label in common"

    def worded(_: Event, place: Place) -> tuple[str, str]:
        asked = place == call.place
        reads = partial(clock_there, call=call, tx=tx) if asked else "{:%H:%M} UTC".format
        return _said(silenced, reads, asked=asked)

    if len(silenced) > 1:
        announce_all(tx, silenced, call.place, worded=worded)
        return f"Alertmanager is not told of {first_few(alone, MOST_LISTED)}: {why}." if alone else None
    (event,) = silenced
    group, (text, brief) = tx.group(event.subject), worded(event, call.place)
    answer = replace(
        about_all(tx, [Told(text, [group], brief)]),
        command=tx.typed(f"unsilence {group.id}"),
        lines=(f"Alertmanager is not told of it: {why}.",) if alone else (),
    )
    answer = replace(answer, brief_lines=answer.lines)
    announce(tx, event, call.place, answer=answer, brief=replace(event, because="").headline())
    return None


def _said(
    silenced: Sequence[GroupSilenced], reads: Callable[[datetime], str], *, asked: bool
) -> tuple[str, str]:
    """What is said of silences by one word, and what of that where all the world may read.

    The reason is for those who may know everything: it may name whom the alert concerns. reads: how an instant is
    written there. asked: to the one who asked.
    """
    first = silenced[0]
    brief = f"silenced by {first.by} for as long again"
    if len({event.until for event in silenced}) == 1:
        length = f" ({spelled(first.until - first.at)})" if asked else ""
        brief = f"silenced by {first.by} until {reads(first.until)}{length}"
    reasons = {event.because for event in silenced}
    return f"{brief} ({first.because})" if first.because and len(reasons) == 1 else brief, brief


def remind(person: str, groups: Sequence[AlertGroup], when: str, tx: Transaction) -> None:
    """Tell who silenced them that they will ring."""
    if len(groups) == 1:
        (group,) = groups
        extend = tx.typed(f"extend {group.id}")
        message = Message(f"rings again {when}", subject=group.id, command=extend)
    else:
        message = about_all(tx, [Told(f"ring again {when}", groups)])
        message = replace(message, command=tx.typed("extend mine"))
    for place in tx.private_places(person):
        _tell_in_private(person, place, message, tx)


def end_all(ends: Sequence[Ended], tx: Transaction, call: Call | None = None) -> None:
    """End silences: what still fires rings again, what does not is over. call: who asked for it, if anybody did."""
    silenced_by = {event.subject: tx.group(event.subject).silenced_by for event in ends}

    def worded(event: Event, _: Place) -> tuple[str, str]:
        return _over(event), _over(event)

    # First: whom it pages now needs no more words.
    announce_all(tx, ends, call.place if call else None, worded=worded)
    for event in ends:
        tx.record(event)
    for person in dict.fromkeys(silenced_by.values()):
        if call and call.by == person:
            continue
        theirs = [event for event in ends if silenced_by[event.subject] == person]
        told = {event.subject: tx.paged_places(event.subject) for event in theirs}
        for place in tx.private_places(person):
            untold = [event for event in theirs if place not in told[event.subject]]
            if untold:
                _tell_in_private(person, place, _all_over(untold, tx), tx)


def _over(event: Event) -> str:
    return "silence over: it had stopped firing" if isinstance(event, GroupResolved) else event.headline()


def _all_over(ends: Sequence[Ended], tx: Transaction) -> Message:
    alike = defaultdict[str, list[AlertGroup]](list)
    for event in ends:
        alike[_over(event)].append(tx.group(event.subject))
    message = about_all(tx, [Told(text, groups) for text, groups in alike.items()])
    rings = [event.subject for event in ends if tx.group(event.subject).rings]
    command = "" if not rings else f"ack {rings[0]}" if len(ends) == 1 else "alerts"
    return replace(message, command=tx.typed(command)) if command else message


def _tell_in_private(person: str, place: Place, message: Message, tx: Transaction) -> None:
    """Tell a person; where they can't be known otherwise, a single alert's command has a code."""
    one = message.subject
    tx.say(place, tx.proven(place, message, about=one, person=person) if one else message, about=one)
