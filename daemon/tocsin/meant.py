"""Which alerts a call means: those that it names, those that the message it answers stands for, or what it must mean."""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from tocsin.about import began
from tocsin.commands import Call
from tocsin.digests import alerts_of
from tocsin.domain.digest import DIGEST
from tocsin.domain.grammar import is_id
from tocsin.domain.group import AlertGroup, GroupState
from tocsin.domain.words import bare, counted, first_few
from tocsin.errors import Refused
from tocsin.listing import MOST_LISTED
from tocsin.store import subjects
from tocsin.transaction import Transaction

_EVER = datetime.max.replace(tzinfo=UTC)
OPEN = frozenset({GroupState.TRIGGERED, GroupState.ACKNOWLEDGED, GroupState.SILENCED})
NOT_MINE = frozenset({GroupState.TRIGGERED, GroupState.SILENCED})

CLOCKS_DIFFER = timedelta(seconds=60)
"""So much a chat network's clock may be behind ours: an answer to what began just now must never pass for an old one."""

_BETWEEN = frozenset({"and", "&", "please", "pls", "thanks", "thx"})
"""What people type between ids, or behind them."""

_THIS = frozenset({"it", "this", "that", "now"})
"""What people type for what they reply to."""

_MAY_BE_EXPLAINED = frozenset({"ack", "accept"})
"""The words behind which, in a reply, what is no id is taken for a comment: `ack looking into it`."""


def meant(call: Call, tx: Transaction, fitting: Collection[GroupState]) -> Sequence[str]:
    """The ids of the alerts that a call's `[ALERT…]` means: those it names, `mine` or `all` that are open and fitting,
    or, if it names none, the only one that can be meant.

    fitting: the states in which an alert can be meant. Raises Refused if none is, or it is not clear which.
    """
    ids = list[str]()
    for named in ids_of(call):
        subject = subjects.find(tx.connection, named)
        digest = subject is not None and subject.kind == DIGEST
        ids += of_digest(named, call, fitting, tx) if digest else [named]
    if not ids:
        return unnamed(call, tx, fitting)
    fine, refused = of_now(dict.fromkeys(ids), call, tx)
    if refused:
        raise Refused("; ".join(refused[:MOST_LISTED]))
    return fine


def of_digest(digest: str, call: Call, fitting: Collection[GroupState], tx: Transaction) -> Sequence[str]:
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


def ids_of(call: Call) -> Sequence[str]:
    """The ids that a call names, or those that the message stands for that it answers; none if it says mine or all, or
    nothing.
    """
    if _slot(call)[:1] in (["all"], ["mine"]):
        return []
    return _named_by(call) or (call.about.subjects if call.about is not None else [])


def _named_by(call: Call) -> list[str]:
    """The ids that a call names itself."""
    words = _slot(call)
    if call.about is None or words[:1] in (["all"], ["mine"]):
        return words
    words = [word for word in words if word not in _THIS]
    return [word for word in words if is_id(word)] if call.name in _MAY_BE_EXPLAINED else words


def _slot(call: Call) -> list[str]:
    words = map(bare, re.split(r"[\s,;]+", call["ALERT"]))
    return [word for word in dict.fromkeys(words) if word and word not in _BETWEEN]


def of_now(ids: Iterable[str], call: Call, tx: Transaction) -> tuple[list[str], list[str]]:
    """Those that did not begin anew after the line was said that means them, or the message that it answers; and what
    is to be said of the others.
    """
    fine, refused = list[str](), list[str]()
    for one in ids:
        group = tx.find_group(one)
        if group is None or not _began_anew_since(group, call, tx):
            fine.append(one)
            continue
        at = call.clock(group.began_at or tx.now, tx)
        typed = tx.typed(f"{call.name} {one}")
        refused.append(f"{one} fired again at {at}, after that: {typed} if you mean this one")
    return fine, refused


def _began_anew_since(group: AlertGroup, call: Call, tx: Transaction) -> bool:
    since = began(group, tx)
    if since is None or group.began_at == group.opened_at:
        return False
    if call.about is not None and not _named_by(call):
        return call.about.said_at < since  # the answer itself came later, whatever another clock says
    return call.line.at is not None and call.line.at < since - CLOCKS_DIFFER


def unnamed(call: Call, tx: Transaction, fitting: Collection[GroupState]) -> Sequence[str]:
    """Which groups are meant by mine, all or nothing; never one that opened after it was said."""
    said_at = call.line.at or tx.now
    there = [group for group in tx.open_groups() if (began(group, tx) or said_at) <= said_at]
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
    since = began(group, tx)
    before = said_at if since is not None else _EVER
    return group.silenced_by == call.by or tx.was_paged(group.id, call.by, call.place, before, since=since)


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
