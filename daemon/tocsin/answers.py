"""The words by which people answer, and what each does to the subjects of one kind."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tocsin.alerts import announce_all
from tocsin.commands import Call, Command, Handler
from tocsin.digests import DIGEST, alerts_of
from tocsin.domain.event import Event
from tocsin.domain.group import AcknowledgementRenewed, AlertGroup, GroupState
from tocsin.domain.tally import named as in_kinds
from tocsin.domain.words import bare, counted, first_few, listed
from tocsin.each import Said, each, together
from tocsin.errors import Refused
from tocsin.facts import GROUP
from tocsin.listing import MOST_LISTED
from tocsin.store import subjects
from tocsin.transaction import Transaction

Answer = Callable[[Call, Sequence[str], Transaction], Said]

_EVER = datetime.max.replace(tzinfo=UTC)
OPEN = frozenset({GroupState.TRIGGERED, GroupState.ACKNOWLEDGED, GroupState.SILENCED})
NOT_MINE = frozenset({GroupState.TRIGGERED, GroupState.SILENCED})


@dataclass(frozen=True)
class Answers:
    """What people may answer to the subjects of one kind.

    kind: as `tx.open` was given it. words: one of `WORDS` -> its handler, which gets the call, the ids of such
    subjects, and the turn. waiting: the ids that are meant by a call which names none. Raises Refused.
    """

    kind: str
    words: Mapping[str, Answer]
    waiting: Callable[[Call, Transaction], Sequence[str]]


_BETWEEN = frozenset({"and", "&", "please", "pls", "thanks", "thx"})
"""What people type between ids, or behind them."""

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
        Command(usage, _dispatch(word, of_word[word]), meaning, also=also, often=word in ("ack", "done"))
        for word, (usage, meaning, also) in WORDS.items()
        if word in of_word
    ]
    return [*said, Command("unack [mine|all|ALERT…]", unacknowledge, "I don't have it, page again")]


def of_groups() -> Answers:
    """What people may answer to an alert group."""
    words = {"ack": acknowledge, "accept": acknowledge, "done": resolve}
    return Answers(GROUP, words, lambda call, tx: _unnamed(call, tx, _FITTING[call.name]))


def _dispatch(word: str, kinds: Mapping[str, Answers]) -> Handler:
    def answer(call: Call, tx: Transaction) -> Said:
        of_kind, refused = _named(call, kinds, tx) if _ids(call) else (_waiting(call, kinds, tx), [])
        said = [kinds[kind].words[word](call, ids, tx) for kind, ids in of_kind.items()]
        return together([*said, *refused])

    return answer


def _named(
    call: Call, kinds: Mapping[str, Answers], tx: Transaction
) -> tuple[dict[str, list[str]], list[str]]:
    """The ids by kind, and what is to be said of those that can't be answered so."""
    found: dict[str, list[str]] = defaultdict(list)
    refused = []
    for named in _ids(call):
        subject = subjects.find(tx.connection, named)
        if subject is None:
            refused.append(f"there is no alert {named!r}: {tx.typed('alerts')} lists what is open")
        elif subject.kind == DIGEST and GROUP in kinds:
            try:
                found[GROUP] += _of_digest(named, call, _FITTING.get(call.name, OPEN), tx)
            except Refused as error:
                refused.append(str(error))
        elif subject.kind not in kinds:
            refused.append(f"{named}: there is nothing in it for {tx.typed(call.name)}")
        else:
            found[subject.kind].append(named)
    return {kind: list(dict.fromkeys(ids)) for kind, ids in found.items()}, refused


def _waiting(call: Call, kinds: Mapping[str, Answers], tx: Transaction) -> dict[str, Sequence[str]]:
    found, refusals = {}, []
    for kind, one in kinds.items():
        try:
            found[kind] = one.waiting(call, tx)
        except Refused as error:
            refusals.append(error)
    if not found:
        raise refusals[0]
    if len(found) > 1:
        raise Refused(f"which one? {listed([each for ids in found.values() for each in ids])}")
    return found


def acknowledge(call: Call, ids: Sequence[str], tx: Transaction) -> Said:
    return _decide(call, ids, tx, AlertGroup.acknowledge)


def unacknowledge(call: Call, tx: Transaction) -> Said:
    return _decide(call, meant(call, tx, {GroupState.ACKNOWLEDGED}), tx, AlertGroup.unacknowledge)


def resolve(call: Call, ids: Sequence[str], tx: Transaction) -> Said:
    return _decide(call, ids, tx, AlertGroup.resolve)


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


def meant(call: Call, tx: Transaction, fitting: Collection[GroupState]) -> Sequence[str]:
    """The ids of the alerts that a call's `[ALERT…]` means: those it names, `mine` or `all` that are open and fitting,
    or, if it names none, the only one that can be meant.

    fitting: the states in which an alert can be meant. Raises Refused if none is, or it is not clear which.
    """
    ids = list[str]()
    for named in _ids(call):
        subject = subjects.find(tx.connection, named)
        digest = subject is not None and subject.kind == DIGEST
        ids += _of_digest(named, call, fitting, tx) if digest else [named]
    return list(dict.fromkeys(ids)) or _unnamed(call, tx, fitting)


def _of_digest(digest: str, call: Call, fitting: Collection[GroupState], tx: Transaction) -> Sequence[str]:
    """The alerts that a digest listed when it was said, as far as they can be meant. Raises Refused if none can."""
    groups = alerts_of(digest, tx) or ()
    there = [group for group in groups if group.state in fitting]
    if fitting == NOT_MINE:  # whoever has them may be asked whether they still do
        mine = [group for group in groups if group.acknowledged_by == call.by]
        there = [group for group in there if group.unanswered] or mine
    if not there:
        raise Refused(
            f"{digest}: nothing of it is left for {tx.typed(call.name)}; {tx.typed(f'alerts {digest}')} lists it"
        )
    return [group.id for group in there]


def _ids(call: Call) -> Sequence[str]:
    """The ids that a call names; none if it says mine or all, or nothing."""
    words = _slot(call)
    return [] if words[:1] in (["all"], ["mine"]) else words


def _slot(call: Call) -> list[str]:
    words = map(bare, re.split(r"[\s,;]+", call["ALERT"]))
    return [word for word in dict.fromkeys(words) if word and word not in _BETWEEN]


def _unnamed(call: Call, tx: Transaction, fitting: Collection[GroupState]) -> Sequence[str]:
    """Which groups are meant by mine, all or nothing; never one that opened after it was said."""
    said_at = call.line.at or tx.now
    there = [group for group in tx.open_groups() if (_since(group, tx) or said_at) <= said_at]
    groups = [group for group in there if group.state in fitting]
    if fitting == NOT_MINE:  # a silence goes on while something rings
        groups = [group for group in groups if group.unanswered] or groups
    words = _slot(call)
    everything = words[:1] == ["all"]
    own = [] if everything else [group.id for group in groups if _is_own(group, call, said_at, tx)]
    if call.name == "ack" and not own and not everything:
        held = [group.id for group in there if group.acknowledged_by == call.by]
        if held and (words or call.place.private or not any(group.unanswered for group in groups)):
            return held  # they were asked whether they still have it
    if not groups:
        raise Refused(f"there is none: {tx.typed('alerts')} lists what is open")
    if everything:
        return _all(call, groups, words[1:], tx)
    if own and (words or call.name == "ack"):
        return own
    if words:
        raise Refused(f"none of them is yours: {_which(groups)}")
    if len(groups) == 1:
        return [groups[0].id]
    if len(own) == 1:
        return own
    raise Refused(f"which one? {_which(groups)}; or mine, or all")


def _is_own(group: AlertGroup, call: Call, said_at: datetime, tx: Transaction) -> bool:
    """Whether somebody has it, or nobody has and they were paged for it before that time."""
    if group.acknowledged_by:
        return group.acknowledged_by == call.by
    since = _since(group, tx)
    before = said_at if since is not None else _EVER
    return group.silenced_by == call.by or tx.was_paged(group.id, call.by, call.place, before, since=since)


def _since(group: AlertGroup, tx: Transaction) -> datetime | None:
    """When it opened last; None if the clock was set back since, so that it can't be compared."""
    return group.began_at if group.began_at is not None and group.began_at <= tx.now else None


def _all(call: Call, groups: Sequence[AlertGroup], until: Sequence[str], tx: Transaction) -> Sequence[str]:
    """All of them: asked back first, since that is easily said; up to the newest that was there when it was asked."""
    if until:
        last = tx.group(until[0]).began_at
        return [group.id for group in groups if last and group.began_at and group.began_at <= last]
    if len(groups) == 1:
        return [groups[0].id]
    worst = tx.config.severities[0]
    bad = sum(group.severity(tx.config.severities) == worst for group in groups)
    what = f"{counted(len(groups), 'alert')}, {bad} of them {worst}: {_which(groups)}"
    newest = max(reversed(groups), key=lambda group: group.began_at or tx.now).id
    raise Refused(f"that is {what}. If you mean it, say {tx.typed(f'{call.name} all {newest}')}")


def _which(groups: Sequence[AlertGroup]) -> str:
    return first_few([group.id for group in groups], MOST_LISTED)
