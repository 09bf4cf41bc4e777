"""`!override`: somebody is on call for a while who would not be by the schedule; the list of these, and their end."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.api import (
    EVERYBODY,
    Call,
    Message,
    NotAllowed,
    Override,
    OverrideEnded,
    OverrideSet,
    Refused,
    Transaction,
    UsageError,
    bare,
    did_you_mean,
    spelled,
)
from tocsin_handoff.asked import Span
from tocsin_handoff.offering import LOOK_AHEAD, Offering, offer_of, person_called, withdraw
from tocsin_handoff.rights import circle_of, refuse_unless_allowed
from tocsin_handoff.setting import end_planned, said_of, set_planned, spanned
from tocsin_handoff.telling import new_handoff

USAGE = "override SCHEDULE PERSON [for PERSON] FROM UNTIL [because …]"
CANCEL = "override cancel ID"


@dataclass(frozen=True)
class Overriding:
    """offering: how whoever is to be on call is asked first."""

    offering: Offering

    def override(self, call: Call, tx: Transaction) -> Message | str:
        """Set one, list them, or cancel one."""
        word, _, rest = call["WORDS"].partition(" ")
        match word.lower():
            case "" | "list":
                return _list(bare(rest), call, tx)
            case "cancel" | "end":
                return _cancel(bare(rest), call, tx)
            case _:
                return self._set(call, tx)

    def _set(self, call: Call, tx: Transaction) -> str:
        try:
            asked = Span.read(call["WORDS"], tx.now, tx.person(call.by).timezone)
        except UsageError as error:
            raise UsageError(f"{error}say {tx.typed(USAGE)}") from None
        name, to, *leaves = asked.names
        if name not in tx.config.schedules:
            raise Refused(f"no schedule is called {name!r}{did_you_mean(name, tx.config.schedules)}")
        person_called(to, tx)
        for one in leaves:
            person_called(one, tx, paged=False)
        if asked.end - tx.now > LOOK_AHEAD:
            raise Refused(f"that is too far off: an override ends within {spelled(LOOK_AHEAD)}")
        refuse_unless_allowed(call.by, name, tx)
        override = Override(asked.start, asked.end, leaves[0] if leaves else EVERYBODY, to, name)
        if to != call.by:
            text = f"be on call in {name}, {spanned((asked.start, asked.end), to, tx)}"
            return self.offering.offer(to, text, (override,), call, tx, because=asked.because)
        subject = new_handoff(tx)
        event = OverrideSet(
            subject=subject, at=tx.now, by=call.by, overrides=(override,), because=asked.because
        )
        set_planned(event, tx, knows={call.by}, place=call.place)
        return f"{said_of(override, call.by, tx)} \u00b7 {tx.typed(f'override cancel {subject}')}"


def _list(name: str, call: Call, tx: Transaction) -> Message:
    """Those that are or will be in force, the next first."""
    lines = _lines(name, call.by, tx)
    if not lines:
        return Message(f"no override{f' in {name}' if name else ''}: {tx.typed(USAGE)} sets one")
    first, *more = lines
    return Message(first, lines=tuple(more))


def _lines(name: str, by: str, tx: Transaction) -> Sequence[str]:
    found = [
        (one.start, f"{event.subject}: {_said(one, event.because, by, tx)}")
        for event in tx.overrides.values()
        for one in event.overrides
        if one.end > tx.now and name in ("", one.schedule, one.comes, one.leaves)
    ]
    return [line for _, line in sorted(found)]


def _said(one: Override, because: str, by: str, tx: Transaction) -> str:
    if not one.leaves:  # whoever stays until somebody accepts
        return f"{one.schedule}: {one.comes} too, {because}"
    return f"{said_of(one, by, tx)}{f' ({because})' if because else ''}"


def _cancel(subject: str, call: Call, tx: Transaction) -> str:
    """End one, or take back what somebody was asked."""
    if not subject:
        raise UsageError(f"say {tx.typed(CANCEL)}; {tx.typed('override list')} lists them")
    if offer_of(subject, tx) is not None:
        return withdraw(subject, call, tx)
    over = tx.overrides.get(subject)
    if over is None:
        raise Refused(f"there is no override {subject!r}: {tx.typed('override list')} lists them")
    people = {person for one in over.overrides for person in (one.leaves, one.comes)} | {over.by}
    near = {person for one in over.overrides for person in circle_of(one.schedule or one.leaves, tx)}
    if call.by not in people | near:
        raise NotAllowed(f"{subject} is not yours to cancel: ask {over.by}")
    return end_planned(OverrideEnded(subject=subject, at=tx.now, by=call.by), over, tx, place=call.place)
