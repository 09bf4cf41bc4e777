"""Round robin: of those whom a step names, one is called for each alert, and the next one for the next."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from tocsin.api import Config, Transaction
from tocsin_escalation.calls import Called
from tocsin_escalation.events import TurnTaken
from tocsin_escalation.plan import FrozenStep
from tocsin_escalation.progress import Walk
from tocsin_escalation.sight import Sight


def turns_of(step: FrozenStep) -> str:
    """The subject to which the turns happen of all steps that name the same; no alert can be called so."""
    return f"turns/{','.join(step.page)}"


@dataclass(frozen=True)
class Turns:
    """Those of a step, which stands in that place of its plan. walk: how far the alert has come."""

    step: FrozenStep
    place: int
    walk: Walk
    sight: Sight

    def one_of(self, called: Called) -> Called:
        """Whose turn it is, of those who can be called: who is reached before who is not. If all sleep, all of them.

        For an alert it goes on behind whoever the step called last for it, else behind whoever had the last turn.
        """
        reached = [
            one for one in called.awake if any(map(self.sight.reaches, self.sight.private_places(one)))
        ]
        if called.awake:
            return replace(called, awake=[self._next(reached or called.awake)], asleep={})
        if called.asleep and called.rooms:
            one = self._next(list(called.asleep))
            return replace(called, asleep={one: called.asleep[one]})
        return called

    def take(self, called: Called, subject: str, tx: Transaction) -> None:
        """Remember whose turn it was, once for each alert: what it calls later is not the next alert's concern."""
        for person in [*called.awake, *called.asleep][:1]:
            if self.place not in self.walk.turns:
                turn = TurnTaken(subject=turns_of(self.step), at=tx.now, person=person, alert=subject)
                tx.record(turn)

    def _next(self, people: Sequence[str]) -> str:
        last = self.walk.turns.get(self.place, "")
        if not last and (turn := self.sight.last(turns_of(self.step), TurnTaken)) is not None:
            last = turn.person
        return whose_turn(people, in_order(self.step.page, self.sight.config), last, self.walk.called)


def in_order(names: Iterable[str], config: Config) -> Sequence[str]:
    """All whom these names may ever mean, in the order of the configuration."""
    found = list[str]()
    for name in names:
        if name in config.schedules:
            found += config.schedules[name].people
        elif name in config.teams:
            found += config.teams[name].members
        else:
            found.append(name)
    return list(dict.fromkeys(found))


def whose_turn(people: Sequence[str], order: Sequence[str], last: str, called: Collection[str] = ()) -> str:
    """The first of these people behind the last one, in a circle; before others, one who was not called yet. Pure."""
    known = list(dict.fromkeys([*order, *people]))
    begin = known.index(last) + 1 if last in known else 0
    turn = [one for one in (*known[begin:], *known[:begin]) if one in people]
    return next((one for one in turn if one not in called), turn[0])
