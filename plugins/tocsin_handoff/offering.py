"""Handing the pager to somebody who is asked first: `!give` and `!swap`, and what they answer.

A pager never lands on somebody who did not answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tocsin.api import (
    HANDOFF,
    Call,
    NotAllowed,
    Override,
    OverrideSet,
    Refused,
    Shift,
    Timer,
    Transaction,
    UsageError,
    did_you_mean,
    full_minute,
    listed,
    spelled,
)
from tocsin_handoff.asked import Asked, Swap
from tocsin_handoff.events import HandoffAnswered, HandoffOffered
from tocsin_handoff.setting import said_of, set_planned, spanned
from tocsin_handoff.telling import new_handoff, tell_person, when

OFFER = "handoff.offer"

GIVE = "give PERSON [SCHEDULE] [LENGTH|until TIME]"
SWAP = "swap [SCHEDULE] MY-SHIFT with PERSON [for THEIR-SHIFT]"

LOOK_AHEAD = timedelta(days=92)

ANSWER_PLANNED = timedelta(days=1)
"""So long somebody has to answer to what begins later than that; else until it begins."""


@dataclass(frozen=True)
class Offering:
    """default, longest: as for taking. answer_within: how long somebody has to answer to what begins at once."""

    default: timedelta
    longest: timedelta
    answer_within: timedelta

    def give(self, call: Call, tx: Transaction) -> str:
        """Ask somebody to take the speaker's pager, in one schedule or wherever they are meant."""
        try:
            asked = Asked.read(call["WORDS"], tx.now, tx.person(call.by).timezone, most_names=2)
        except UsageError as error:
            raise UsageError(f"{error}say {tx.typed(GIVE)}") from None
        # Either may come first: `!give ops bob` is as clear.
        names = sorted(asked.names, key=lambda name: name in tx.config.schedules)
        if not names or (len(names) == 1 and names[0] in tx.config.schedules):
            raise UsageError(f"to whom? say {tx.typed(GIVE)}")
        to, schedule = names[0], "".join(names[1:])
        person_called(to, tx)
        _refuse_own(to, call)
        if schedule and schedule not in tx.config.schedules:
            raise Refused(f"no schedule is called {schedule!r}{did_you_mean(schedule, tx.config.schedules)}")
        mine = schedule or call.by
        if call.by not in tx.callees(mine):
            has = listed(tx.callees(mine)) or "nobody"
            raise Refused(f"{has} has the pager of {mine}, not you: {tx.typed(f'take {mine}')}")
        length = None if asked.until else asked.length or self.default
        end = asked.until or full_minute(tx.now + (asked.length or self.default))
        if end - tx.now > self.longest:
            most = f"plugins.handoff.longest allows {spelled(self.longest)} at a time"
            raise Refused(f"that is too long: {most}; {tx.typed('override')} is for what is planned")
        text = f"take the pager of {mine} {_how_long(length, end, to, tx)}"
        override = Override(tx.now, end, call.by, to, schedule)
        return self.offer(to, text, (override,), call, tx, length=length, because=asked.because)

    def swap(self, call: Call, tx: Transaction) -> str:
        """Ask somebody to take a shift of the speaker's, who takes one of theirs."""
        schedules = tx.config.schedules
        try:
            asked = Swap.read(call["WORDS"], tx.now, tx.person(call.by).timezone, list(schedules))
        except UsageError as error:
            raise UsageError(f"{error}say {tx.typed(SWAP)}") from None
        to = asked.other
        person_called(to, tx)
        _refuse_own(to, call)
        wanted = [asked.schedule] if asked.schedule else list(schedules)
        mine = {name: shift for name in wanted if (shift := _shift_of(call.by, name, asked.mine, tx))}
        if not mine:
            raise Refused(f"you have no shift then: {tx.typed('oncall at TIME')} says who has")
        if len(mine) > 1:
            raise Refused(f"of which schedule, {listed(mine)}? Say {tx.typed(SWAP)}")
        [(name, own)] = mine.items()
        other = _shift_of(to, name, asked.theirs, tx) if asked.theirs else _next_of(to, name, own, tx)
        if other is None:
            instead = tx.typed(f"override {name} {to} FROM UNTIL")
            raise Refused(f"{to} has no shift in {name} to give for it: {instead} asks them to take yours")
        if own.start < other.end and other.start < own.end:
            raise Refused("these shifts are at the same time: nothing would change")
        yours, theirs = (spanned((one.start, one.end), to, tx) for one in (own, other))
        overrides = (
            Override(own.start, own.end, call.by, to, name),
            Override(other.start, other.end, to, call.by, name),
        )
        text = f"swap shifts in {name}: you take {yours}, {call.by} takes {theirs}"
        return self.offer(to, text, overrides, call, tx)

    # Asking, and what is answered.

    def offer(
        self,
        to: str,
        text: str,
        overrides: Sequence[Override],
        call: Call,
        tx: Transaction,
        *,
        length: timedelta | None = None,
        because: str = "",
    ) -> str:
        """Ask somebody; what the one is told who asked. length, because: as in `HandoffOffered`."""
        subject = new_handoff(tx)
        offered = HandoffOffered(
            subject=subject,
            at=tx.now,
            by=call.by,
            to=to,
            asked=text,
            overrides=tuple(overrides),
            length=length,
            because=because,
        )
        tx.record(offered)
        ahead = min(one.start for one in overrides) - tx.now
        within = max(self.answer_within, min(ahead, ANSWER_PLANNED))
        tx.set_timer(OFFER, subject, after=within)
        why = f" ({because})" if because else ""
        tell_person(to, f"{call.by} asks you to {text}{why}", subject, tx, command=f"accept {subject}")
        said = "; ".join(said_of(one, call.by, tx) for one in overrides)
        if length:
            said = f"{to} for {call.by}, for {spelled(length)} from then on"
        until = f"{to} has {spelled(within)} to accept, until then nothing changes"
        return f"{subject}: asked {to} ({said}); {until}"

    def lapse(self, timer: Timer, tx: Transaction) -> None:
        """Nobody answered in time."""
        offered = offer_of(timer.key, tx)
        if offered is not None:
            _answer(offered, tx)
            said = f"{offered.to} gave no answer: nothing has changed"
            tell_person(offered.by, said, timer.key, tx)

    def accept(self, call: Call, subject: str, tx: Transaction) -> str:
        """Take what was offered."""
        offered = _offered_to(call.by, subject, tx)
        overrides = tuple(_from_now(one, offered.length, tx.now) for one in offered.overrides)
        if any(one.end <= tx.now for one in overrides):
            raise Refused(f"{subject}: that time is over")
        tx.record(HandoffAnswered(subject=subject, at=tx.now, by=call.by, accepted=True))
        tx.cancel_timer(OFFER, subject)
        event = OverrideSet(
            subject=subject, at=tx.now, by=offered.by, overrides=overrides, because=offered.because
        )
        set_planned(event, tx, knows={call.by, offered.by}, place=call.place)
        theirs = "; ".join(said_of(one, offered.by, tx) for one in overrides)
        tell_person(offered.by, f"{call.by} accepted: {theirs}", subject, tx)
        said = "; ".join(said_of(one, call.by, tx) for one in overrides)
        return f"{said} \u00b7 {tx.typed(f'override cancel {subject}')}"

    def decline(self, call: Call, ids: Sequence[str], tx: Transaction) -> str:
        """Leave it with who has it."""
        for subject in ids:
            offered = _offered_to(call.by, subject, tx)
            _answer(offered, tx, by=call.by)
            tell_person(offered.by, f"{call.by} declined {subject}: nothing has changed", subject, tx)
        return f"{listed(ids)}: declined"


def offer_of(subject: str, tx: Transaction) -> HandoffOffered | None:
    """What was offered by that id, if nobody has answered yet."""
    story = [entry.event for entry in tx.story(subject, (HandoffOffered, HandoffAnswered))]
    return story[0] if len(story) == 1 and isinstance(story[0], HandoffOffered) else None


def open_offers(person: str, tx: Transaction) -> list[str]:
    """What somebody was asked and has not answered."""
    offers = (offer_of(subject, tx) for subject in tx.all_open(HANDOFF))
    return [offered.subject for offered in offers if offered is not None and offered.to == person]


def withdraw(subject: str, call: Call, tx: Transaction) -> str:
    """Whoever asked has thought better of it."""
    offered = offer_of(subject, tx)
    if offered is None or call.by not in (offered.by, offered.to):
        raise NotAllowed(f"{subject} is not yours to take back")
    _answer(offered, tx, by=call.by)
    other = offered.to if call.by == offered.by else offered.by
    tell_person(other, f"{call.by} took {subject} back: nothing has changed", subject, tx)
    return f"{subject}: taken back"


def person_called(name: str, tx: Transaction, *, paged: bool = True) -> None:
    """Raises Refused if nobody is called so, or they can't be reached. paged: whether they have to be."""
    if name not in tx.config.people:
        raise Refused(f"nobody is called {name!r}{did_you_mean(name, tx.config.people)}")
    if paged and not tx.private_places(name):
        raise Refused(f"{name} can't be paged: no account on any network")


def _refuse_own(to: str, call: Call) -> None:
    if to == call.by:
        raise Refused("that is you: name somebody else")


def _offered_to(person: str, subject: str, tx: Transaction) -> HandoffOffered:
    offered = offer_of(subject, tx)
    if offered is None:
        raise Refused(f"{subject}: nobody waits for an answer to that any more")
    if offered.to != person:
        raise NotAllowed(f"{subject} asks {offered.to}, not you")
    return offered


def _answer(offered: HandoffOffered, tx: Transaction, *, by: str = "") -> None:
    """It is not accepted."""
    tx.record(HandoffAnswered(subject=offered.subject, at=tx.now, by=by, accepted=False))
    tx.cancel_timer(OFFER, offered.subject)
    tx.close(offered.subject)


def _from_now(override: Override, length: timedelta | None, now: datetime) -> Override:
    """What has begun meanwhile begins now; a length counts from now on."""
    end = full_minute(now + length) if length else override.end
    return replace(override, start=max(override.start, now), end=end)


def _how_long(length: timedelta | None, end: datetime, reader: str, tx: Transaction) -> str:
    return f"for {spelled(length)}" if length else f"until {when(end, reader, tx)}"


def _shift_of(person: str, schedule: str, about: tuple[datetime, datetime], tx: Transaction) -> Shift | None:
    """Their whole shift that is in that time, or begins in it; what of it is over already is left out."""
    since, until = about
    for shift in _shifts(schedule, tx):
        if person in shift.people and shift.start < until and since < shift.end:
            return shift
    return None


def _next_of(person: str, schedule: str, own: Shift, tx: Transaction) -> Shift | None:
    """Their next shift after that one; the first before it, if there is none."""
    theirs = [shift for shift in _shifts(schedule, tx) if person in shift.people]
    later = [shift for shift in theirs if shift.start >= own.end]
    return next(iter(later or theirs), None)


def _shifts(schedule: str, tx: Transaction) -> list[Shift]:
    return list(tx.shifts(schedule, tx.now, tx.now + LOOK_AHEAD))
