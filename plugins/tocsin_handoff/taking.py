"""Taking the pager: `!take`, `!hold`, `!undo`, and how it goes back by itself."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.api import (
    EVERYBODY,
    AlertGroup,
    Call,
    GroupState,
    Override,
    OverrideEnded,
    OverrideSet,
    Refused,
    Transaction,
    UsageError,
    bare,
    counted,
    did_you_mean,
    end_override,
    first_few,
    full_minute,
    listed,
    set_override,
    spelled,
)
from tocsin_handoff.asked import Asked
from tocsin_handoff.events import PagerTaken
from tocsin_handoff.rights import circle_of, refuse_unless_allowed
from tocsin_handoff.telling import new_handoff, tell_person, tell_rooms, when, when_there

TAKE = "take [NAME] [LENGTH|until TIME]"
HOLD = "hold PERSON [LENGTH|until TIME]"

MOST_NAMED = 5


@dataclass(frozen=True)
class Pager:
    """What may change hands: that of a schedule, or all that means a person. of: who has it now."""

    name: str
    of: tuple[str, ...]
    schedule: bool

    def override(self, to: str, start: datetime, end: datetime) -> Override:
        """That somebody else has it."""
        if self.schedule:
            return Override(start, end, EVERYBODY, to, self.name)
        return Override(start, end, self.name, to)


@dataclass(frozen=True)
class Taking:
    """default: for how long, if that is not said. longest: at most. undo: how long who had it may have it back."""

    default: timedelta
    longest: timedelta
    undo_within: timedelta

    def take(self, call: Call, tx: Transaction) -> str:
        """Take the pager, and what rings for whoever has it, from now on."""
        return self._take(call, TAKE, tx)

    def hold(self, call: Call, tx: Transaction) -> str:
        """Shield somebody: what would page them pages the speaker; they keep what they have acknowledged."""
        if not call["WORDS"]:
            raise UsageError(f"say {tx.typed(HOLD)}")
        return self._take(call, HOLD, tx)

    def _take(self, call: Call, usage: str, tx: Transaction) -> str:
        try:
            asked = Asked.read(call["WORDS"], tx.now, tx.person(call.by).timezone)
        except UsageError as error:
            raise UsageError(f"{error}say {tx.typed(usage)}") from None
        shields = usage == HOLD
        if shields and asked.names and asked.names[0] in tx.config.schedules:
            raise Refused(f"that is a schedule, not a person: {tx.typed(f'take {asked.names[0]}')}")
        pager = self._pager(asked.names[0], call.by, tx) if asked.names else _flooded(call.by, tx)
        refuse_unless_allowed(call.by, pager.name, tx)
        if pager.name == call.by:
            return self._take_back(pager, call, tx)
        end = asked.until or full_minute(tx.now + (asked.length or self.default))
        if end - tx.now > self.longest:
            most = f"plugins.handoff.longest allows {spelled(self.longest)} at a time"
            raise Refused(f"that is too long: {most}; {tx.typed('override')} is for what was planned")
        subject = _own_already(call.by, pager, tx) or new_handoff(tx)
        rang, before = _rings_for(pager.of, tx), _held_by_others(pager, subject, tx)
        set_override(
            OverrideSet(
                subject=subject,
                at=tx.now,
                by=call.by,
                overrides=(pager.override(call.by, tx.now, end),),
                because=asked.because,
            ),
            tx,
        )
        for other in before:  # only now, so that it goes from hand to hand
            end_override(OverrideEnded(subject=other, at=tx.now, by=call.by), tx)
        moved = [group.id for group in rang if set(pager.of) & tx.released(group.id)]
        taken = tx.record(
            PagerTaken(
                subject=subject,
                at=tx.now,
                by=call.by,
                what=pager.name,
                of=pager.of,
                to=call.by,
                until=end,
                moved=tuple(moved),
                shields=shields,
            )
        )
        return self._tell(taken, call, tx)

    def _take_back(self, pager: Pager, call: Call, tx: Transaction) -> str:
        """Nobody stands in for the speaker any more."""
        for subject in _held_by_others(pager, "", tx):
            end_override(OverrideEnded(subject=subject, at=tx.now, by=call.by), tx)
        return "" if call.place in tx.places else f"{call.by} has the pager again"

    def _pager(self, name: str, by: str, tx: Transaction) -> Pager:
        """The pager of that name. Raises Refused."""
        schedules, people = tx.config.schedules, tx.config.people
        if name in people:
            of = tuple(tx.callees(name))
            if name == by and of == (by,):
                raise Refused(f"that is yours already: {tx.typed('give PERSON')} offers it to somebody")
            return Pager(name, of, schedule=False)
        if name not in schedules:
            known = [*schedules, *people]
            raise Refused(f"no schedule or person is called {name!r}{did_you_mean(name, known)}")
        of = tuple(tx.callees(name))
        pager = Pager(name, of, schedule=True)
        if of == (by,) and _own_already(by, pager, tx) is None:
            raise Refused(f"you have the pager of {name} already")
        beside = {one.comes for one in tx.overrides_of(name) if not one.leaves}  # until somebody accepts
        if len(set(of) - beside) > 1 and by not in of:
            words = " or ".join(tx.typed(f"take {one}") for one in of)
            raise Refused(f"{listed(of)} have {name} together: {words}")
        return pager

    def _tell(self, taken: PagerTaken, call: Call, tx: Transaction) -> str:
        """Tell who had it, and the rooms; the answer."""
        whose = f"the pager of {taken.what}"
        others = [person for person in dict.fromkeys([*taken.of, taken.what]) if person != taken.to]
        others = [person for person in others if person in tx.config.people]
        for person in others:
            until = when(taken.until, person, tx)
            yours = "your pager" if taken.what == person else f"the pager of {taken.what} from you"
            what = f"{taken.to} shields you" if taken.shields else f"{taken.to} has {yours}"
            undo = f"within {spelled(self.undo_within)} you can undo that"
            rings = f", with {_few(taken.moved)}" if taken.moved else ""
            tell_person(person, f"{what} until {until}{rings}; {undo}", taken.subject, tx, command="undo")
        rings = f", with {_few(taken.moved)}" if taken.moved else ""
        had = [person for person in taken.of if person not in (taken.to, taken.what)]
        before = f" (so far {listed(had)})" if had else ""
        said = f"{taken.to} {'shields' if taken.shields else 'has'} "
        said += (
            f"{taken.what}, whose pages come to {taken.to}" if taken.shields else f"{whose}{before}{rings}"
        )
        tell_rooms(f"{said} until {when(taken.until, '', tx)}", [taken.to, *taken.of], tx, but_not=call.place)
        back = f"it goes back by itself; {tx.typed(f'override cancel {taken.subject}')} ends it sooner"
        return f"{said} until {when_there(taken.until, call, tx)}: {back}"

    def undo(self, call: Call, tx: Transaction) -> str:
        """Have the pager back that somebody took just now."""
        taken = _last_taken(bare(call["HANDOFF"]), call.by, tx)
        if call.by != taken.to and tx.now - taken.at > self.undo_within:
            again = tx.typed(f"take {taken.what}")
            raise Refused(f"that was more than {spelled(self.undo_within)} ago: {again} takes it back")
        end_override(OverrideEnded(subject=taken.subject, at=tx.now, by=call.by), tx)
        return "" if call.place in tx.places else "done"

    # What time brings.

    def over(self, event: OverrideEnded, tx: Transaction) -> None:
        """It has gone back: say what was absorbed, to who stood in, to who has it again, and to their teams."""
        taken = _taken(event.subject, tx)
        if taken is None:
            return
        pages = {alert for person, alert, _ in tx.pages_since(taken.at) if person == taken.to}
        known = taken.what in tx.config.schedules or taken.what in tx.config.people
        now = tx.callees(taken.what) if known else ()
        what = f" of {taken.what}" if taken.what in tx.config.schedules else ""
        again = "again" if set(now) & {*taken.of, taken.what} else "now"
        has = f"{listed(now) or 'nobody'} {'have' if len(now) > 1 else 'has'} the pager{what} {again}"
        has = f"{event.by} ended that: {has}" if event.by and event.by not in now else has
        said = f"{has}; {taken.to} {_summary(pages, tx.now - taken.at, tx)}"
        for person in dict.fromkeys([*now, *taken.of, taken.to]):
            tell_person(person, said, event.subject, tx)
        tell_rooms(said, [taken.to, *taken.of], tx)


def _flooded(by: str, tx: Transaction) -> Pager:
    """The pager of whoever most rings for, of those whose pager the speaker may take; or the only one there is to take."""
    calls = Counter[str]()
    for group in tx.open_groups():
        if group.unanswered:
            calls.update(tx.paged(group.id) - tx.released(group.id) - {by})
    for person, _ in calls.most_common():
        if by in circle_of(person, tx):
            return Pager(person, (person,), schedule=False)
    free = [
        Pager(name, people, schedule=True)
        for name in tx.config.schedules
        if by in circle_of(name, tx) and by not in (people := tuple(tx.callees(name))) and len(people) < 2
    ]
    if len(free) == 1:
        return free[0]
    which = f": {listed([pager.name for pager in free])}" if free else ""
    raise Refused(f"nothing rings for somebody else; whose pager? {tx.typed(TAKE)}{which}")


def _own_already(by: str, pager: Pager, tx: Transaction) -> str | None:
    """The handoff by which the speaker has that pager: to take it again is to have it for longer."""
    mine = (one for one in tx.overrides.values() if one.by == by and _is_of(one, pager))
    return next((one.subject for one in mine if _taken(one.subject, tx) is not None), None)


def _held_by_others(pager: Pager, but_not: str, tx: Transaction) -> list[str]:
    """The handoffs by which somebody stands in for that person: they would go on to."""
    others = (one for one in tx.overrides.values() if one.subject != but_not and _is_of(one, pager))
    return [] if pager.schedule else [one.subject for one in others if one.overrides[0].start <= tx.now]


def _is_of(event: OverrideSet, pager: Pager) -> bool:
    """Whether an override is about that pager, and nothing else."""
    [one, *more] = event.overrides
    where = one.schedule == pager.name if pager.schedule else (one.leaves == pager.name and not one.schedule)
    return where and not more


def _rings_for(people: Sequence[str], tx: Transaction) -> list[AlertGroup]:
    """What rings, and has paged any of these."""
    return [
        group
        for group in tx.open_groups()
        if group.unanswered and set(people) & (tx.paged(group.id) - tx.released(group.id))
    ]


def _taken(subject: str, tx: Transaction) -> PagerTaken | None:
    """How it was taken; who had it at first, if it was taken again for longer."""
    events = [entry.event for entry in tx.story(subject, (PagerTaken,))]
    return events[0] if events and isinstance(events[0], PagerTaken) else None


def _last_taken(named: str, by: str, tx: Transaction) -> PagerTaken:
    """What somebody can undo. Raises Refused."""
    found = [taken for subject in tx.overrides if (taken := _taken(subject, tx)) is not None]
    mine = [taken for taken in found if by in (taken.to, *taken.of) and named in ("", taken.subject)]
    if not mine:
        raise Refused(f"nobody has taken a pager from you{f' by {named}' if named else ''}")
    return mine[-1]


def _few(alerts: Sequence[str]) -> str:
    if len(alerts) > MOST_NAMED:
        return counted(len(alerts), "alert")
    return listed(alerts)


def _summary(alerts: Collection[str], length: timedelta, tx: Transaction) -> str:
    """`was paged for 3 alerts in 30m: 2 resolved, k7f3 still ringing`."""
    minutes = spelled(length - length % timedelta(minutes=1) or length)
    if not alerts:
        return f"was paged for nothing in {minutes}"
    still = [
        group for group in tx.open_groups() if group.id in alerts
    ]  # of thousands the others are not read
    over = len(alerts) - len(still)
    counts = [f"{over} resolved"] if over else []
    silenced = sum(group.state is GroupState.SILENCED for group in still)
    counts += [f"{silenced} silenced"] if silenced else []
    counts += _held(group for group in still if group.state is GroupState.ACKNOWLEDGED)
    rings = [group.id for group in still if group.unanswered]
    counts += [f"{first_few(rings, MOST_NAMED)} still ringing"] if rings else []
    return f"was paged for {counted(len(alerts), 'alert')} in {minutes}: {', '.join(counts)}"


def _held(groups: Iterable[AlertGroup]) -> list[str]:
    """Who has what, still."""
    of = defaultdict[str, list[str]](list)
    for group in groups:
        of[group.acknowledged_by].append(group.id)
    return [f"{person} has {first_few(ids, MOST_NAMED)}" for person, ids in of.items()]
