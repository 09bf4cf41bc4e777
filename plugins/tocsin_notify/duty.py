"""Whoever is on call has a ringer that was confirmed lately, or people hear of it: chat alone wakes nobody."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from tocsin.api import (
    Config,
    Finding,
    Level,
    OnCallChanged,
    Problem,
    Timer,
    Transaction,
    listed,
    on_the_wall,
    spelled,
)
from tocsin_notify.settings import Person
from tocsin_notify.trials import Tested

LOOK = "notify.look"

CONFIRMED_WITHIN = timedelta(days=30)
AT = time(10)
"""When somebody who is on call is told again, where they are: an hour at which something can be done about it."""


@dataclass(frozen=True)
class Ringers:
    """Sees that who is on call can be rung."""

    people: Mapping[str, Person]

    def check(self, config: Config) -> Iterator[Problem]:
        """Warn of whoever may be called and has no ringer."""
        called = {name for schedule in config.schedules.values() for name in schedule.people}
        called |= {name for team in config.teams.values() for name in team.members}
        deaf = sorted(name for name in called if name not in self.people or not self.people[name].ringers)
        if deaf:
            who = f"{listed(deaf)} {'is' if len(deaf) == 1 else 'are'}"
            text = f"{who} on a schedule or in a team and can't be rung: chat alone wakes nobody; add ways"
            yield Problem(("people",), text, fatal=False)

    def took_over(self, event: OnCallChanged, tx: Transaction) -> None:
        """Somebody comes on call: see at once, unless that was done within a day, and is done again then."""
        for name in event.came() or event.people:
            if not tx.timer_is_set(LOOK, name):
                tx.set_timer(LOOK, name, after=timedelta(0))

    def look(self, timer: Timer, tx: Transaction) -> None:
        """See whether somebody who is on call can be rung, and again tomorrow; at the start of the daemon, everybody."""
        on_call = {name for schedule in tx.config.schedules for name in tx.callees(schedule)}
        if not timer.key:
            for name in sorted(on_call):
                if not tx.timer_is_set(LOOK, name):
                    self._look_again(name, tx)
        elif timer.key in on_call:
            self._look_again(timer.key, tx)
            self._tell(timer.key, tx)

    def examine(self, tx: Transaction) -> Iterator[Finding]:
        """Whether whoever is on call can be rung, for `tocsin doctor`."""
        on_call = {name for schedule in tx.config.schedules for name in tx.callees(schedule)}
        for name in sorted(on_call):
            ringers, lately = self._confirmed(name, tx)
            about, rung = f"ringer {name}", name if ringers else ""
            if lately is not None:
                yield Finding(
                    about, Level.GREEN, f"was confirmed {spelled(tx.now - lately)} ago", reaches=rung
                )
            elif ringers:
                text = f"none was confirmed in {spelled(CONFIRMED_WITHIN)}"
                yield Finding(
                    about, Level.YELLOW, text, f"let them type: {tx.typed('test me')}", reaches=rung
                )
            else:
                todo = f"set plugins.notify.people.{name}.ways: see docs/notify.md"
                yield Finding(about, Level.YELLOW, "there is none: chat alone wakes nobody", todo)

    def _confirmed(self, name: str, tx: Transaction) -> tuple[Collection[str], datetime | None]:
        """Their ringers, and when one of them reached them last, if that was lately."""
        ringers = self.people[name].ringers if name in self.people else ()
        confirmed = Tested.of(name, tx).confirmed
        at = [confirmed[way] for way in ringers if way in confirmed]
        return ringers, max((one for one in at if tx.now - one <= CONFIRMED_WITHIN), default=None)

    def _look_again(self, name: str, tx: Transaction) -> None:
        zone = tx.person(name).timezone
        today = tx.now.astimezone(zone).date()
        days = (on_the_wall(today + timedelta(days=more), AT, zone) for more in (0, 1, 2))
        tx.set_timer(LOOK, name, at=next(at for at in days if at > tx.now))

    def _tell(self, name: str, tx: Transaction) -> None:
        ringers, lately = self._confirmed(name, tx)
        if lately is not None:
            return
        if not ringers:
            why = f"no way but chat: plugins.notify.people.{name}.ways names others"
            mine, theirs = f"you have {why}", f"has {why}"
        else:
            within = f"confirmed in {spelled(CONFIRMED_WITHIN)}: {tx.typed('test me')}"
            mine, theirs = f"no ringer of yours was {within}", f"no ringer of theirs was {within}"
        for place in tx.private_places(name):
            tx.say(place, f"you are on call, and {mine}")
        tx.tell(f"{name} is on call, and {theirs}")
