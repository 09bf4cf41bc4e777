"""Who is on call: people ask for it, and it is looked at once a minute and recorded when it has changed."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import islice

from tocsin.commands import Call, Command
from tocsin.domain.duty import OnCallChanged, duty_of
from tocsin.domain.message import Message
from tocsin.domain.words import bare, did_you_mean, listed
from tocsin.errors import Refused
from tocsin.store.timers import Timer
from tocsin.transaction import Owned, Transaction, owned

LOOK = "core.on_call"

LOOK_AHEAD = timedelta(days=92)
"""Of a handoff that is farther off nothing is said to who asks."""


def commands() -> Sequence[Command]:
    """The word that asks."""
    return [Command("oncall [SCHEDULE]", who, "who is on call", anyone=True, often=True)]


def who(call: Call, tx: Transaction) -> Message:
    """Who is on call now, until when, and who then; of one schedule or of all."""
    schedules = tx.config.schedules
    if not schedules:
        return Message("there is no schedule: add [schedules.NAME] to the configuration")
    name = bare(call["SCHEDULE"])
    if name and name not in schedules:
        raise Refused(f"no schedule is called {name!r}{did_you_mean(name, schedules)}")
    first, *more = (_stands(each, call, tx) for each in ([name] if name else schedules))
    return Message(first, lines=tuple(more))


def _stands(name: str, call: Call, tx: Transaction) -> str:
    rota = tx.config.schedules[name].rota
    now, *then = islice(rota.shifts(tx.now, tx.now + LOOK_AHEAD), 2)
    text = f"{name}: {listed(now.people) or 'nobody'}"
    if not then:
        return text
    zone = tx.person(call.by).timezone if call.place.private and call.by else rota.zone
    at = f"{now.end.astimezone(zone):%a %d %b %H:%M}"
    return f"{text} until {at} {zone.key}, then {listed(then[0].people) or 'nobody'}"


def timer_kinds() -> Mapping[str, Owned]:
    """The timer by which it looks again."""
    return {LOOK: owned("core", look)}


def begin(tx: Transaction) -> None:
    """Look at once, if there is anything to look at."""
    if tx.config.schedules:
        tx.set_timer(LOOK, "", after=timedelta(0))


def look(_: Timer, tx: Transaction) -> None:
    """See who is on call now, and again when the next minute begins: that is when people take over."""
    for schedule in tx.config.schedules:
        people = tuple(tx.callees(schedule))
        before = tx.on_call_before(schedule)
        if people != before:
            before = people if before is None else before
            tx.record(OnCallChanged(subject=duty_of(schedule), at=tx.now, people=people, before=before))
    if tx.config.schedules:
        # By length: set back by a day, the wall clock would show the next minute only then.
        begun = timedelta(seconds=tx.now.second, microseconds=tx.now.microsecond)
        tx.set_timer(LOOK, "", after=timedelta(minutes=1) - begun)
