"""The words by which people answer, and what each does to the subjects of one kind."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin import taken_back
from tocsin.alerts import announce_all
from tocsin.commands import Call, Command, Handler
from tocsin.domain.digest import DIGEST
from tocsin.domain.event import Event
from tocsin.domain.group import AcknowledgementRenewed, AlertGroup, GroupAcknowledged, GroupState
from tocsin.domain.tally import named as in_kinds
from tocsin.domain.words import counted, listed
from tocsin.each import Said, each, together
from tocsin.errors import Refused
from tocsin.facts import GROUP
from tocsin.listing import MOST_LISTED
from tocsin.meant import NOT_MINE, OPEN, ids_of, meant, of_digest, of_now, unnamed
from tocsin.store import subjects
from tocsin.transaction import Transaction

Answer = Callable[[Call, Sequence[str], Transaction], Said]


@dataclass(frozen=True)
class Answers:
    """What people may answer to the subjects of one kind.

    kind: as `tx.open` was given it. words: one of `WORDS` -> its handler, which gets the call, the ids of such
    subjects, and the turn. waiting: the ids that are meant by a call which names none. Raises Refused. here: the ids that
    are meant by a call before all else, such as where it is said; its words are the handler's to read then.
    """

    kind: str
    words: Mapping[str, Answer]
    waiting: Callable[[Call, Transaction], Sequence[str]]
    here: Callable[[Call, Transaction], Sequence[str]] = lambda _call, _tx: ()


WORDS = {
    "ack": ("ack [mine|all|ALERT…]", "I have it, stop paging", ("acknowledge", "acked")),
    "done": ("done [mine|all|ALERT…]", "it is over", ("resolve", "resolved")),
    "accept": ("accept [ALERT…]", "I take it", ()),
    "decline": ("decline [ALERT…]", "I can't: ask the next", ()),
}
"""Word -> how it is used, what it says, and what else people type for it."""


def commands(answers: Iterable[Answers]) -> Sequence[Command]:
    """The words that somebody takes, and the one that is for alert groups alone."""
    of_word: dict[str, dict[str, Answers]] = defaultdict(dict)
    for one in answers:
        for word in one.words:
            of_word[word][one.kind] = one
    said = [
        Command(
            usage,
            _dispatch(word, of_word[word]),
            meaning,
            also=also,
            often=word in ("ack", "done"),
            expires=word == "decline",  # which pages the next
        )
        for word, (usage, meaning, also) in WORDS.items()
        if word in of_word
    ]
    return [*said, Command("unack [mine|all|ALERT…]", unacknowledge, "I don't have it, page again")]


def of_groups() -> Answers:
    """What people may answer to an alert group."""
    words = {"ack": acknowledge, "accept": acknowledge, "done": resolve}
    return Answers(GROUP, words, lambda call, tx: unnamed(call, tx, _FITTING[call.name]))


def _dispatch(word: str, kinds: Mapping[str, Answers]) -> Handler:
    def answer(call: Call, tx: Transaction) -> Said:
        for one in kinds.values():
            if ids := one.here(call, tx):
                return one.words[word](call, ids, tx)
        of_kind, refused = _named(call, kinds, tx) if ids_of(call) else (_waiting(call, kinds, tx), [])
        said = [kinds[kind].words[word](call, ids, tx) for kind, ids in of_kind.items()]
        return together([*said, *refused])

    return answer


def _named(
    call: Call, kinds: Mapping[str, Answers], tx: Transaction
) -> tuple[dict[str, list[str]], list[str]]:
    """The ids by kind, and what is to be said of those that can't be answered so."""
    found: dict[str, list[str]] = defaultdict(list)
    refused = []
    for named in ids_of(call):
        subject = subjects.find(tx.connection, named)
        if subject is None:
            refused.append(tx.no_alert(named))
        elif subject.kind == DIGEST and GROUP in kinds:
            try:
                found[GROUP] += of_digest(named, call, _FITTING.get(call.name, OPEN), tx)
            except Refused as error:
                refused.append(str(error))
        elif subject.kind not in kinds:
            refused.append(f"{named}: there is nothing in it for {tx.typed(call.name)}")
        else:
            found[subject.kind].append(named)
    if GROUP in found:
        found[GROUP], anew = of_now(found[GROUP], call, tx)
        refused += anew
    return {kind: list(dict.fromkeys(ids)) for kind, ids in found.items() if ids}, refused


def _waiting(call: Call, kinds: Mapping[str, Answers], tx: Transaction) -> dict[str, Sequence[str]]:
    found, refusals = {}, []
    for kind, one in kinds.items():
        try:
            found[kind] = one.waiting(call, tx)
        except Refused as error:
            refusals.append(error)
    if not found:
        raise refusals[0]
    if len(found) > 1 and call.name in _TO_ONE:
        # They were asked by name: what merely happens to be open is not meant beside that.
        found[GROUP] = [one for one in found.get(GROUP, ()) if call.by in tx.paged(one)]
        found = {kind: ids for kind, ids in found.items() if ids}
    if len(found) > 1:
        raise Refused(f"which one? {listed([each for ids in found.values() for each in ids])}")
    return found


def acknowledge(call: Call, ids: Sequence[str], tx: Transaction) -> Said:
    taken = list[str]()

    def decide(group: AlertGroup, by: str, at: datetime) -> Event:
        event = group.acknowledge(by, at)
        if isinstance(event, GroupAcknowledged):
            taken.append(group.id)
        return event

    said = _decide(call, ids, tx, decide)
    if taken:
        taken_back.remember(call.line, tuple(ids_of(call) or taken), tx)
    return said


def unacknowledge(call: Call, tx: Transaction) -> Said:
    return _decide(call, meant(call, tx, {GroupState.ACKNOWLEDGED}), tx, AlertGroup.unacknowledge)


def resolve(call: Call, ids: Sequence[str], tx: Transaction) -> Said:
    return _decide(call, ids, tx, AlertGroup.resolve)


_TO_ONE = frozenset({"accept", "decline"})
"""The words that answer what one person was asked."""

_FITTING: Mapping[str, Collection[GroupState]] = {
    "ack": NOT_MINE,
    "accept": NOT_MINE,
    "done": OPEN,
    "decline": {GroupState.TRIGGERED},
}


def _decide(
    call: Call, ids: Sequence[str], tx: Transaction, decide: Callable[[AlertGroup, str, datetime], Event]
) -> Said:
    """Decide on each group; all are told of what was decided, the caller of what was refused."""
    events, rang, still = list[Event](), set[str](), list[AlertGroup]()

    def one(group: AlertGroup) -> None:
        event = decide(group, call.by, tx.now)
        if group.unanswered:
            rang.add(group.id)
        tx.record(event)
        if isinstance(event, AcknowledgementRenewed):
            still.append(group)
        else:
            events.append(event)

    refused = each(ids, one, tx)
    announce_all(tx, events, also=call.place, stopped=rang)
    return together([_still_has(still, tx), refused])


def _still_has(groups: Sequence[AlertGroup], tx: Transaction) -> str:
    if not groups:
        return ""
    if len(groups) > MOST_LISTED:
        return f"you still have {counted(len(groups), 'alert')}: {in_kinds(groups, tx.config.severities)}"
    ids = listed([group.id for group in groups])
    return f"{ids}: you still have it" if len(groups) == 1 else f"you still have {ids}"
