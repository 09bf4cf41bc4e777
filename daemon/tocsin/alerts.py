"""Alert groups: how reports become groups, and who is told what became of them."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from tocsin.digests import digest_of
from tocsin.domain.alert import Report
from tocsin.domain.event import Event
from tocsin.domain.flapping import Flap, FlappingBegan, FlappingEnded
from tocsin.domain.group import AlertGroup, GroupResolved, GroupSilenced, GroupUnacknowledged, SilenceEnded
from tocsin.domain.message import Message, Place
from tocsin.domain.news import changes, opening, reopening
from tocsin.domain.page import warned
from tocsin.domain.tally import named
from tocsin.domain.words import counted, listed
from tocsin.facts import GROUP
from tocsin.listing import MOST_LISTED, MOST_NAMED, Told, about_all
from tocsin.store import outbox, subjects
from tocsin.store.outbox import Lane
from tocsin.transaction import Transaction

FLAPPING_OVER = "core.flapping_over"
"""Rings when a group that flaps has stayed as it is for long enough."""

MOST_MENDED = 20
"""So many lines of a place are put right at a time at most."""

MOST_LOOKED_FOR = 100
"""For the lines of so many: where a digest told them, none stands, and to look for ten thousand takes seconds."""


def report(tx: Transaction, news: Report) -> str:
    """Take what a sender says of one group of alerts: open it, go on with it, or close it.

    Saying the same thing twice changes nothing. The group's id, or nothing if none is concerned.
    """
    key = f"{news.receiver}\n{news.key}"
    known = subjects.open_for(tx.connection, GROUP, key)
    fires = news.firing or (news.unlisted and not news.over)
    if known is None and not fires:
        return ""
    lately = subjects.last_closed(tx.connection, GROUP, key, tx.now - tx.config.reopen_within)
    events: Sequence[Event]
    if known is not None:
        subject = known.id
        events = changes(tx.group(subject), news, tx.now)
    elif lately is not None:
        subject = lately.id
        events = reopening(tx.group(subject), news, tx.now, tx.config.flapping)
    else:
        subject = tx.open(GROUP, key)
        events = opening(subject, news, tx.now)
    for event in events:
        tx.record(event)
        if isinstance(event, GroupResolved):
            announce(tx, event)
        elif isinstance(event, FlappingBegan):
            announce(tx, event, said=event.said())
    _hold(tx, tx.group(subject), events)
    return subject


def _hold(tx: Transaction, group: AlertGroup, events: Sequence[Event]) -> None:
    """With each change of a group that flaps, the time for which it has to stay as it is begins anew."""
    if group.flapping and any(isinstance(event, Flap | FlappingBegan) for event in events):
        tx.set_timer(FLAPPING_OVER, group.id, after=group.flapping.hold)


def was_away(tx: Transaction, network: str, since: datetime | None) -> None:
    """A network is back that heard nothing while it was down: whoever answered there meanwhile must know.

    since: when it went down; None if that was before the daemon came up.
    """
    groups = list(tx.open_groups())
    ringing = [group.id for group in groups if group.unanswered]
    if not groups:
        return
    began = f"{since.astimezone(UTC):%H:%M}\u2013" if since else "until "
    text = f"I was away {began}{tx.now.astimezone(UTC):%H:%M} UTC and heard nothing"
    paged = [(name, place) for name in ringing for place in tx.paged_places(name) if place.network == network]
    tx.take_back_first(network)
    room = Place(network, tx.config.networks[network].room)
    for place in dict.fromkeys([room, *(place for _, place in paged)]):
        ids = ringing if place == room else [name for name, there in paged if there == place]
        few = listed(ids) if len(ids) <= MOST_LISTED else counted(len(ids), "alert")
        still = f"; {few} still {'rings' if len(ids) == 1 else 'ring'}" if ids else ""
        command = f"ack {ids[0]}" if len(ids) == 1 else "alerts" if ids else ""
        typed = tx.typed(command) if command else ""
        tx.say(place, Message(f"{text}{still}", command=typed), lane=Lane.FIRST)


def announce(
    tx: Transaction,
    event: Event,
    also: Place | None = None,
    *,
    said: str = "",
    brief: str = "",
    answer: Message | None = None,
) -> None:
    """Tell what became of a group wherever it was told of, to whoever opened it by hand, and to the one who asked.

    said: in place of the event's headline. brief: in place of that where all the world may read. answer: what the one
    who asked is told in place of it all.
    """
    for place in sorted(_concerned(tx, event, also), key=str):
        if answer and place == also:
            tx.say(place, answer, about=event.subject, lane=Lane.ANSWER, settle=True)
        else:
            _tell(tx, event, said or event.headline(), place, also, brief=brief)
        _mend(tx, event, said or event.headline(), place, brief=brief)


Worded = Callable[[Event, Place], tuple[str, str]]
"""What is said of an event in a place, and what of that where all the world may read."""


def _headline(event: Event, _: Place) -> tuple[str, str]:
    # A silence's reason is for those who may know everything: it may name whom the alert concerns.
    public = replace(event, because="") if isinstance(event, GroupSilenced) else event
    return event.headline(), public.headline()


def announce_all(
    tx: Transaction,
    events: Sequence[Event],
    also: Place | None = None,
    *,
    stopped: Collection[str] = (),
    worded: Worded = _headline,
) -> None:
    """Tell what became of groups by one and the same deed, in one message a place.

    stopped: those of them that rang until then. worded: what is said in place of the headlines; of which the same is
    said, those share a sentence.
    """
    of_place = defaultdict[Place, list[Event]](list)
    may_arrive = dict[str, list[str]]()
    for event in events:
        may_arrive[event.subject] = outbox.under_way(tx.connection, event.subject)
        for place in _concerned(tx, event, also):
            of_place[place].append(event)
    for place in sorted(of_place, key=str):
        told = of_place[place]
        alone = [event for event in told if may_arrive[event.subject]]
        if len(alone) > MOST_NAMED:
            alone = []
        at_once = [event for event in told if event not in alone]
        if len(at_once) > 1:
            called = dict.fromkeys(name for event in at_once for name in may_arrive[event.subject])
            message = _together(_sentences(at_once, place, stopped, worded, tx), tx)
            tx.say(place, warned(message, called), lane=_lane(place, also))
        else:
            alone = told
        for event in alone:
            (sentence,) = _sentences([event], place, stopped, worded, tx)
            _tell(tx, event, sentence.text, place, also, brief=sentence.brief)
        _mend_few(tx, told, place, worded)


def _together(sentences: Sequence[Told], tx: Transaction) -> Message:
    """In one line, if so many are concerned that they can only be counted: under the id of a digest, which lists them."""
    (told, *more) = sentences
    if more or len(told.groups) <= MOST_LISTED:
        return about_all(tx, sentences)
    counts = f"{counted(len(told.groups), 'alert')}: {named(told.groups, tx.config.severities)}"
    brief = f"{told.brief or told.text}: {counts}"
    return Message(f"{told.text}: {counts}", subject=digest_of(told.groups, tx), brief=brief)


def _sentences(
    events: Iterable[Event], place: Place, stopped: Collection[str], worded: Worded, tx: Transaction
) -> list[Told]:
    """What is said of these in a place, each in one of few sentences."""
    alike = defaultdict[tuple[str, str], list[str]](list)
    for event in events:
        alike[worded(event, place)].append(event.subject)
    found = []
    for (text, brief), names in alike.items():
        stops = ", paging stops" if any(name in stopped for name in names) else ""
        found.append(Told(f"{text}{stops}", [tx.group(name) for name in names], brief=f"{brief}{stops}"))
    return found


def _concerned(tx: Transaction, event: Event, also: Place | None) -> set[Place]:
    opened_by = tx.group(event.subject).opened_by
    theirs = tx.private_places(opened_by) if opened_by else []
    return tx.told_places(event.subject) | {*tx.default_rooms(), *theirs, *filter(None, [also])}


def _lane(place: Place, also: Place | None) -> Lane:
    return Lane.ANSWER if place == also else Lane.STATUS


def _tell(
    tx: Transaction, event: Event, said: str, place: Place, also: Place | None, *, brief: str = ""
) -> None:
    """Only once no page can be seen any moment: nobody should be called after they read that it stops."""
    # What rings again need not wait for the pages that it brings.
    stops = not isinstance(event, GroupUnacknowledged | SilenceEnded | FlappingBegan | FlappingEnded)
    message = _message(tx, event, said, brief)
    tx.say(place, message, about=event.subject, lane=_lane(place, also), settle=stops)


def _message(tx: Transaction, event: Event, said: str, brief: str) -> Message:
    group = tx.group(event.subject)
    message = about_all(tx, [Told(said, [group], brief)])
    if isinstance(event, FlappingBegan) and group.rings:
        message = replace(message, command=tx.typed(f"ack {group.id}"))
    return message


def _mend(tx: Transaction, event: Event, said: str, place: Place, *, brief: str = "") -> bool:
    """Where a line about the group stands and can be put right, it says the same, and leads to where to look as before."""
    if not tx.edits(place):
        return False
    message = _message(tx, event, said, brief)
    return tx.amend(place, replace(message, link=tx.group(event.subject).link), about=event.subject)


def _mend_few(tx: Transaction, events: Iterable[Event], place: Place, worded: Worded) -> None:
    """Of very many the message that counts them tells enough."""
    mended = 0
    for event in islice(events, MOST_LOOKED_FOR) if tx.edits(place) else ():
        text, brief = worded(event, place)
        mended += _mend(tx, event, text, place, brief=brief)
        if mended == MOST_MENDED:
            break
