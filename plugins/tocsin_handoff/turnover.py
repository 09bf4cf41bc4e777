"""The handoff that the schedule brings: a brief, and the pager is not off anybody before somebody else has it.

Whoever comes is on call from the first moment. Whoever goes stays on call beside them until they accept.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.api import (
    HANDOFF,
    Call,
    GroupAcknowledged,
    Message,
    NotAllowed,
    OnCallChanged,
    Override,
    OverrideEnded,
    OverrideSet,
    Refused,
    Timer,
    Transaction,
    UsageError,
    end_override,
    listed,
    set_override,
    spelled,
)
from tocsin_handoff import brief
from tocsin_handoff.events import (
    NoteLeft,
    PagerTaken,
    ShiftAccepted,
    ShiftBriefed,
    ShiftHandedOver,
    shifts_of,
)
from tocsin_handoff.offering import LOOK_AHEAD
from tocsin_handoff.rights import refuse_unless_allowed
from tocsin_handoff.telling import new_handoff, rooms_of, tell_person, tell_rooms, when

CONFIRM = "handoff.confirm"

NOTE = "handoff note [SCHEDULE] TEXT…"
LONGEST_NOTE = 300


@dataclass(frozen=True)
class Turnover:
    """confirm_within: so long whoever comes has to accept before their team hears of it; zero if nobody is asked."""

    confirm_within: timedelta

    def changed(self, event: OnCallChanged, tx: Transaction) -> None:
        """See whether the schedule has brought somebody else."""
        name = event.schedule
        if name not in tx.config.schedules or event.scheduled == event.scheduled_before:
            return
        to = tuple(person for person in event.people if person not in event.before)
        of = tuple(person for person in event.before if person not in event.people)
        stays = tuple(person for person in of if person not in event.released)
        waits = pending(name, tx)
        if waits is not None:
            # Who did not accept never had it alone, and who stayed for them stays on.
            stays = tuple(dict.fromkeys([*waits.stays, *(one for one in stays if one not in waits.to)]))
            stays = tuple(person for person in stays if person not in event.scheduled)
            self._close(waits, "", tx)
        if to:
            self._hand_over(name, tuple(dict.fromkeys([*stays, *of])), to, stays, tx)
        else:
            has = listed(tx.callees(name)) or "nobody"
            for person in of:
                tell_person(person, f"your shift in {name} is over: {has} has the pager", "", tx)

    def _hand_over(
        self, name: str, of: tuple[str, ...], to: tuple[str, ...], stays: tuple[str, ...], tx: Transaction
    ) -> None:
        subject = new_handoff(tx)
        stays = stays if self.confirm_within else ()
        handed = tx.record(
            ShiftHandedOver(subject=subject, at=tx.now, schedule=name, of=of, to=to, stays=stays)
        )
        self._tell(handed, tx)
        tx.record(ShiftBriefed(subject=shifts_of(name), at=tx.now, handoff=subject))
        if not self.confirm_within:
            tx.close(subject)
            return
        tx.set_timer(CONFIRM, subject, after=self.confirm_within)
        if stays:
            end = _end(name, tx)
            keep = tuple(Override(tx.now, end, "", person, name) for person in stays)
            why = f"until {listed(to)} {'accept' if len(to) > 1 else 'accepts'}"
            set_override(OverrideSet(subject=subject, at=tx.now, overrides=keep, because=why), tx)

    def _tell(self, handed: ShiftHandedOver, tx: Transaction) -> None:
        """The brief: to both, and to their team."""
        typed = f"accept {handed.subject}" if self.confirm_within else ""
        beside = [f"{listed(handed.stays)} on call beside you until you accept"] if handed.stays else []
        for person in handed.to:
            lines = [*brief.lines(handed, person, tx), *beside]
            tell_person(person, _headline(handed, person, tx), handed.subject, tx, command=typed, lines=lines)
        for person in handed.of:
            until = f"you stay on call until {listed(handed.to)} accepts"
            ends = until if person in handed.stays else "your shift is over"
            said = f"{_headline(handed, person, tx)}; {ends}"
            tell_person(person, said, handed.subject, tx, lines=brief.lines(handed, person, tx))
        message = Message(
            _headline(handed, "", tx),
            command=tx.typed(typed) if typed else "",
            lines=tuple(brief.lines(handed, "", tx)),
            brief=_headline(handed, "", tx),
            brief_lines=tuple(brief.for_all(handed, "", tx)),
        )
        for room in rooms_of([*handed.of, *handed.to], tx):
            tx.say(room, message)

    # Whoever came is there, or not.

    def accept(self, call: Call, subject: str, tx: Transaction) -> str:
        """The speaker has the pager from now on, alone."""
        waits = shift_of(subject, tx)
        if waits is None:
            raise Refused(f"{subject}: nobody waits for an answer to that any more")
        if call.by not in waits.to:
            take = tx.typed(f"take {waits.schedule}")
            raise NotAllowed(f"{subject} asks {listed(waits.to)}, not you; {take} takes the pager")
        self._close(waits, call.by, tx)
        self._tell_accepted(waits, call.by, tx, but_not=call)
        off = f"; {listed(waits.stays)} {'are' if len(waits.stays) > 1 else 'is'} off" if waits.stays else ""
        return f"{waits.schedule} is yours{_until(waits.schedule, call.by, tx)}{off}"

    def answered(self, event: GroupAcknowledged, tx: Transaction) -> None:
        """Somebody who answers a page is there."""
        for subject in waiting_for(event.by, tx):
            waits = shift_of(subject, tx)
            if waits is not None:
                self._close(waits, event.by, tx)
                self._tell_accepted(waits, event.by, tx)

    def taken(self, event: PagerTaken, tx: Transaction) -> None:
        """Somebody else has it: nobody need wait any more for whoever should."""
        waits = pending(event.what, tx)
        if waits is not None:
            self._close(waits, event.to, tx)

    def ask_again(self, timer: Timer, tx: Transaction) -> None:
        """Nobody has accepted in time: the team must know."""
        waits = shift_of(timer.key, tx)
        if waits is None:
            return
        what = f"{listed(waits.to)} {'have' if len(waits.to) > 1 else 'has'} not accepted {waits.schedule}"
        stays = f"; {listed(waits.stays)} stays on call too until somebody does" if waits.stays else ""
        said = (
            f"{what} within {spelled(self.confirm_within)}{stays} \u00b7 {tx.typed(f'take {waits.schedule}')}"
        )
        tell_rooms(said, [*waits.of, *waits.to], tx)
        for person in waits.to:
            text = f"you are on call in {waits.schedule}, and have not accepted"
            tell_person(person, text, waits.subject, tx, command=f"accept {waits.subject}")
        for person in waits.stays:
            tell_person(person, said, waits.subject, tx)

    def _close(self, waits: ShiftHandedOver, by: str, tx: Transaction) -> None:
        tx.cancel_timer(CONFIRM, waits.subject)
        tx.record(ShiftAccepted(subject=waits.subject, at=tx.now, by=by))
        if waits.subject in tx.overrides:
            why = f"{by} accepted" if by else "the next shift begins"
            end_override(OverrideEnded(subject=waits.subject, at=tx.now, because=why), tx)
        else:
            tx.close(waits.subject)

    def _tell_accepted(
        self, waits: ShiftHandedOver, by: str, tx: Transaction, *, but_not: Call | None = None
    ) -> None:
        from_whom = f" from {listed(waits.of)}" if waits.of else ""
        said = f"{by} has taken over {waits.schedule}{from_whom}"
        for person in waits.stays:
            tell_person(person, f"{said}: you are off", waits.subject, tx)
        tell_rooms(said, [*waits.of, *waits.to], tx, but_not=but_not.place if but_not else None)

    # What is left for whoever comes next.

    def note(self, call: Call, tx: Transaction) -> str:
        """`!handoff note …`; without a note, what is noted so far."""
        word, *words = call["WORDS"].split() or [""]
        if word.lower() != "note" or not words:
            raise UsageError(f"say {tx.typed(NOTE)}")
        schedules = tx.config.schedules
        if words[0].lower() in schedules and len(words) > 1:
            name, text = words[0].lower(), " ".join(words[1:])
        else:
            mine = [one for one in schedules if call.by in tx.callees(one)]
            if len(mine) != 1:
                which = f": {listed(mine)}" if mine else ""
                raise Refused(f"for which schedule{which}? Say {tx.typed(NOTE)}")
            [name], text = mine, " ".join(words)
        refuse_unless_allowed(call.by, name, tx)
        tx.record(NoteLeft(subject=shifts_of(name), at=tx.now, by=call.by, text=text[:LONGEST_NOTE]))
        return f"noted for whoever takes over {name}"


def shift_of(subject: str, tx: Transaction) -> ShiftHandedOver | None:
    """The handoff with that id, if it was not accepted yet."""
    story = [entry.event for entry in tx.story(subject, (ShiftHandedOver, ShiftAccepted))]
    return story[0] if len(story) == 1 and isinstance(story[0], ShiftHandedOver) else None


def pending(schedule: str, tx: Transaction) -> ShiftHandedOver | None:
    """The last handoff of a schedule, if it was not accepted yet."""
    briefed = tx.last(shifts_of(schedule), ShiftBriefed)
    return shift_of(briefed.handoff, tx) if briefed is not None else None


def waiting_for(person: str, tx: Transaction) -> list[str]:
    """The handoffs that somebody has not accepted yet."""
    shifts = (shift_of(subject, tx) for subject in tx.all_open(HANDOFF))
    return [one.subject for one in shifts if one is not None and person in one.to]


def _headline(handed: ShiftHandedOver, reader: str, tx: Transaction) -> str:
    who = f"{listed(handed.of) or 'nobody'} \u2192 {listed(handed.to)}"
    return f"{handed.schedule}: {who}{_until(handed.schedule, reader, tx)}"


def _until(schedule: str, reader: str, tx: Transaction) -> str:
    """Until when the shift that has begun lasts."""
    end = _end(schedule, tx)
    return f" until {when(end, reader, tx)}" if end < tx.now + LOOK_AHEAD else ""


def _end(schedule: str, tx: Transaction) -> datetime:
    """When by the schedule the next one begins."""
    rota = tx.config.schedules[schedule].rota
    return next(rota.shifts(tx.now, tx.now + LOOK_AHEAD)).end
