"""Who is on call: people ask for it, and change it; it is looked at once a minute and recorded when it has changed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from tocsin import load
from tocsin.commands import Call, Command
from tocsin.domain.duty import OnCallChanged, OverrideEnded, OverrideSet, duty_of
from tocsin.domain.message import Message
from tocsin.domain.moments import parse_moment, written
from tocsin.domain.rota import EVERYBODY
from tocsin.domain.words import bare, did_you_mean, listed
from tocsin.errors import Refused, UsageError
from tocsin.rules import Owned, owned
from tocsin.store.timers import Timer
from tocsin.transaction import Transaction

LOOK = "core.on_call"

USAGE = f"oncall [NAME|{load.WORD}] [at TIME]"

LOOK_AHEAD = timedelta(days=92)
"""Of a handoff that is farther off nothing is said to who asks."""

LOOK_AHEAD_FIRST = timedelta(days=8)
"""Most handoffs are within this time, and so short a look costs a tenth of the long one."""


def commands() -> Sequence[Command]:
    """The word that asks."""
    return [Command(USAGE, who, "who is on call", anyone=True, often=True, grammar="oncall [WORDS…]")]


def who(call: Call, tx: Transaction) -> Message:
    """Who is on call now, until when, and who then; of one schedule, those of a team, or all. Or who is at a time."""
    schedules = tx.config.schedules
    if not schedules:
        return Message("there is no schedule: add [schedules.NAME] to the configuration")
    words = call["WORDS"].split()
    if words and bare(words[0]) == load.WORD:
        return load.load(call, words[1:], tx)
    at = _at(words, call, tx)
    wanted = _wanted(words, tx)
    first, *more = (_stands_at(each, at, call, tx) if at else _stands(each, call, tx) for each in wanted)
    return Message(first, lines=tuple(more))


def _at(words: list[str], call: Call, tx: Transaction) -> datetime | None:
    """The time that they ask for, which is taken from these words."""
    where = next((place for place, word in enumerate(words) if word.lower() == "at"), None)
    if where is None:
        return None
    zone = tx.person(call.by).timezone
    try:
        at, taken = parse_moment(words[where + 1 :], tx.now, zone)
    except ValueError as error:
        raise UsageError(f"the time {error}") from None
    del words[where : where + 1 + taken]
    return at


def _wanted(words: Sequence[str], tx: Transaction) -> Collection[str]:
    schedules, teams = tx.config.schedules, tx.config.teams
    if len(words) > 1:
        raise UsageError(f"{words[1]!r} is too much: say {tx.typed(USAGE)}")
    name = bare(words[0]) if words else ""
    if not name:
        return schedules
    if name in schedules:
        return [name]
    if name not in teams:
        known = [*schedules, *teams]
        raise Refused(f"no schedule or team is called {name!r}{did_you_mean(name, known)}")
    members = set(teams[name].members)
    theirs = [each for each, schedule in schedules.items() if members & set(schedule.people)]
    if not theirs:
        raise Refused(f"nobody of {name} is on a schedule: it is {listed(teams[name].members)}")
    return theirs


def _stands(name: str, call: Call, tx: Transaction) -> str:
    now, *then = islice(tx.shifts(name, tx.now, tx.now + LOOK_AHEAD_FIRST), 2)
    if not then:
        now, *then = islice(tx.shifts(name, tx.now, tx.now + LOOK_AHEAD), 2)
    text = f"{name}: {_named(name, now.people, tx.now, tx)}"
    if not then:
        return text
    rota = tx.config.schedules[name].rota
    zone = tx.person(call.by).timezone if call.place.private and call.by else rota.zone
    at = f"{now.end.astimezone(zone):%a %d %b %H:%M}"
    return f"{text} until {at} {zone.key}, then {listed(then[0].people) or 'nobody'}"


def _stands_at(name: str, at: datetime, call: Call, tx: Transaction) -> str:
    zone = tx.person(call.by).timezone
    return f"{name}: {_named(name, tx.callees(name, at), at, tx)} at {written(at, zone, tx.now)}"


def _named(name: str, people: Sequence[str], at: datetime, tx: Transaction) -> str:
    """Who is on call, and of each who stands in for somebody, for whom."""
    scheduled = tx.config.schedules[name].rota.on_call(at)
    stand_in = {
        one.comes: one.leaves
        for one in tx.overrides_of(name)
        if one.start <= at < one.end and one.leaves not in ("", EVERYBODY)
    }
    return (
        listed(
            f"{person} (for {stand_in[person]})" if person in stand_in and person not in scheduled else person
            for person in people
        )
        or "nobody"
    )


# ── Overrides ───────────────────────────────────────────────────────────────────────────────────────────────


def set_override(event: OverrideSet, tx: Transaction) -> None:
    """Others are on call from now on, or will be: whoever comes at once is paged at once for what rings."""
    tx.record(event)
    _look_at(tx.config.schedules, _stood_in_for([event]), tx)
    _look_again(tx)


def end_override(event: OverrideEnded, tx: Transaction) -> None:
    """An override holds no longer. Raises Refused if none does by that id."""
    over = tx.overrides.get(event.subject)
    if over is None:
        raise Refused(f"there is no override {event.subject!r}: {tx.typed('override list')} lists them")
    tx.record(event)
    tx.close(event.subject)
    _look_at(tx.config.schedules, _stood_in_for([over]), tx, over=[over])


# ── The look ────────────────────────────────────────────────────────────────────────────────────────────────


def timer_kinds() -> Mapping[str, Owned]:
    """The timer by which it looks again."""
    return {LOOK: owned("core", look)}


def begin(tx: Transaction) -> None:
    """Look at once, if there is anything to look at."""
    if tx.config.schedules or tx.overrides:
        tx.set_timer(LOOK, "", after=timedelta(0))


def look(_: Timer, tx: Transaction) -> None:
    """See who is on call now, and again when the next minute begins: that is when people take over."""
    over = [one for one in tx.overrides.values() if one.end <= tx.now]
    names = _stood_in_for(tx.overrides.values())
    for one in over:
        tx.record(OverrideEnded(subject=one.subject, at=tx.now, because="it is over"))
        tx.close(one.subject)
    _look_at(tx.config.schedules, names, tx, over=over)
    _look_again(tx)


def _look_again(tx: Transaction) -> None:
    if tx.config.schedules or tx.overrides:
        # By length: set back by a day, the wall clock would show the next minute only then.
        begun = timedelta(seconds=tx.now.second, microseconds=tx.now.microsecond)
        tx.set_timer(LOOK, "", after=timedelta(minutes=1) - begun)


def _stood_in_for(events: Iterable[OverrideSet]) -> Sequence[str]:
    """Those for whom somebody stands in wherever they are meant."""
    every = (one for event in events for one in event.overrides)
    return list(dict.fromkeys(one.leaves for one in every if not one.schedule))


def _look_at(
    schedules: Iterable[str], people: Iterable[str], tx: Transaction, *, over: Sequence[OverrideSet] = ()
) -> None:
    """Record what has changed of these. over: the overrides that ended just now."""
    for name in (*schedules, *people):
        found, last = tuple(tx.callees(name)), tx.on_call_before(name)
        before = last.people if last else (found if name in tx.config.schedules else (name,))
        known = last is not None or name not in tx.config.schedules
        if known and found == before:
            continue
        plain = _plain(name, tx)
        gone = [person for person in before if person not in found]
        changed = OnCallChanged(
            subject=duty_of(name),
            at=tx.now,
            people=found,
            before=before,
            released=tuple(person for person in gone if person in plain or _ended(person, name, over)),
            scheduled=plain,
            scheduled_before=last.scheduled if last else plain,
        )
        tx.record(changed)


def _plain(name: str, tx: Transaction) -> tuple[str, ...]:
    """Who it would be without overrides."""
    schedule = tx.config.schedules.get(name)
    return schedule.rota.on_call(tx.now) if schedule else (name,)


def _ended(person: str, name: str, over: Iterable[OverrideSet]) -> bool:
    """Whether somebody was on call there by one of these."""
    return any(
        one.comes == person and one.schedule in ("", name) for event in over for one in event.overrides
    )
