"""Whom names stand for at this moment, who of them sleeps, and how people and rooms are told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from tocsin.api import AlertGroup, Place, Timer, Transaction
from tocsin_escalation.conditions import Who, is_day
from tocsin_escalation.events import PeopleJoined
from tocsin_escalation.plan import FrozenStep, Plan
from tocsin_escalation.policy import Urgency
from tocsin_escalation.progress import TELLING, Progress
from tocsin_escalation.sight import Sight

MORNING = "escalation.morning"
"""Rings when the quiet hours of somebody are over who was not paged in them; its key is `GROUP/PERSON`."""


def progress_of(subject: str, tx: Transaction) -> Progress:
    """How far the escalation of a group has come."""
    return tx.replay(subject, Progress, TELLING).as_it_is()


def wakes_at(person: str, tx: Sight) -> datetime | None:
    """When the quiet hours of a person end, if they have begun."""
    one = tx.person(person)
    return one.quiet.over_at(tx.now, one.timezone) if one.quiet else None


def there(at: datetime, person: str, tx: Sight) -> str:
    """An instant as it is written where a person is: `07:00 UTC+1`."""
    here = at.astimezone(tx.person(person).timezone)
    minutes = (here.utcoffset() or timedelta(0)) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    offset = f"{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")
    return f"{here:%H:%M} UTC{offset if minutes else ''}"


@dataclass(frozen=True)
class Called:
    """Whom a step, or anything else, calls.

    awake: who is paged. asleep: person -> until when they are not. rooms: which are paged.
    missing: who is named, and can't be paged now. night: who is left out since it is night for them.
    """

    awake: Sequence[str]
    asleep: Mapping[str, datetime]
    rooms: Sequence[Place] = ()
    missing: Sequence[str] = ()
    night: Sequence[str] = ()

    @classmethod
    def of_step(cls, step: FrozenStep, plan: Plan, tx: Sight, *, wake: bool) -> "Called":
        """Whom a step calls as things stand now. wake: whoever sleeps too."""
        callees = {name: tx.callees(name) for name in step.page}
        rooms = {name: tx.rooms(name) for name in step.room}
        named = [name for name, found in (callees | rooms).items() if not found]
        found = cls.people((one for some in callees.values() for one in some), plan, tx, wake=wake)
        found = found.by_day(tx) if step.who is Who.AWAKE else found
        said_in = tuple(dict.fromkeys(room for some in rooms.values() for room in some))
        return replace(found, rooms=said_in, missing=[*named, *found.missing])

    @classmethod
    def people(cls, names: Iterable[str], plan: Plan, tx: Sight, *, wake: bool = False) -> "Called":
        """These people, as a plan of that urgency calls them."""
        everybody = list(dict.fromkeys(names))
        reached = [person for person in everybody if tx.private_places(person)]
        may_wait = plan.urgency is Urgency.LOW and not wake
        asleep = {one: at for one in reached if may_wait and (at := wakes_at(one, tx)) is not None}
        awake = [person for person in reached if person not in asleep]
        return cls(awake, asleep, missing=[person for person in everybody if person not in reached])

    def by_day(self, tx: Sight) -> "Called":
        """Those of them for whom it is day; all, if it is for none."""
        day = [one for one in self.awake if is_day(tx.person(one), tx.now)]
        night = [one for one in (*self.awake, *self.asleep) if one not in day]
        return replace(self, awake=day, asleep={}, night=night) if day else self

    @property
    def nobody(self) -> bool:
        """Whether nobody can be called, asleep or awake."""
        return not (self.awake or self.asleep or self.rooms)

    @property
    def wait(self) -> bool:
        """Whether all who can be called sleep."""
        return bool(self.asleep) and not self.awake and not self.rooms

    @cached_property
    def first(self) -> tuple[datetime, tuple[str, ...]]:
        """When the first of those who sleep wakes, and who that is."""
        at = min(self.asleep.values())
        return at, tuple(person for person, wakes in self.asleep.items() if wakes == at)

    def page(self, group: AlertGroup, plan: Plan, tx: Transaction, *, by: str = "") -> list[int]:
        """Page all who are awake, each in private and by one way after another, and see to it that who sleeps is paged later; the pages' numbers.

        by: who asked for it, if anybody did.
        """
        for person, at in self.asleep.items():
            tx.set_timer(MORNING, f"{group.id}/{person}", at=at)
        return [
            tx.page_person(
                person,
                tx.about(group, _excuse(person, plan, tx, by), command="ack"),
                about=group.id,
                urgent=plan.urgency is Urgency.URGENT,
            )
            for person in self.awake
        ]


def _excuse(person: str, plan: Plan, tx: Transaction, by: str) -> str:
    """What is said first to somebody who is paged in their quiet hours, unless these mean nothing."""
    reason = {Urgency.URGENT: "urgent", Urgency.LOW: f"asked for by {by}"}.get(plan.urgency, "")
    return f"({reason}, in your quiet hours) " if reason and wakes_at(person, tx) is not None else ""


def called_so_far(progress: Progress, tx: Transaction) -> list[str]:
    """Whom the steps of this round call that came already; of a step that chooses, whom it chose."""
    all_called = progress.names_in(lambda step: not step.chooses)
    chosen = progress.walk.called | progress.walk.asleep
    people = (
        one
        for name in sorted(progress.names)
        for one in tx.callees(name)
        if name in all_called or one in chosen
    )
    return list(dict.fromkeys(people))


def rooms_told(plan: Plan, names: Iterable[str], tx: Transaction) -> list[Place]:
    """Where is told what is done: the default rooms, those of the plan's team, and of the teams among these names."""
    teams = [name for name in (plan.team, *names) if name in tx.config.teams]
    return list(dict.fromkeys([*tx.default_rooms(), *(room for team in teams for room in tx.rooms(team))]))


def rooms_so_far(group: AlertGroup, tx: Transaction) -> list[Place]:
    """The default rooms, and those in which it was told already."""
    others = sorted((place for place in tx.told_places(group.id) if not place.private), key=str)
    return list(dict.fromkeys([*tx.default_rooms(), *others]))


def join(
    people: Iterable[str],
    because: str,
    group: AlertGroup,
    progress: Progress,
    tx: Transaction,
    *,
    again: bool = False,
    anew: bool = False,
) -> bool:
    """Page people outside of the steps, and tell the rooms why; whether anybody is paged, now or in the morning.

    again: they are called in the place of those whom the last steps called, and what becomes of their pages becomes of
    that step. anew: and all its time begins once more.
    """
    plan = progress.plan
    called = Called.people(people, plan, tx) if plan is not None else None
    if plan is None or called is None or not (called.awake or called.asleep):
        return False
    pages = called.page(group, plan, tx)
    joined = PeopleJoined(
        subject=group.id,
        at=tx.now,
        people=tuple(called.awake),
        because=because,
        asleep=tuple(called.asleep),
        pages=tuple(pages) if again else (),
        anew=anew,
    )
    tx.record(joined)
    told = tx.about(group, f"{joined.headline()}: ", command="ack")
    for room in dict.fromkeys([*rooms_told(plan, progress.names, tx), *rooms_so_far(group, tx)]):
        tx.news(room, told, about=group.id)
    return True


def wake(timer: Timer, tx: Transaction) -> None:
    """Somebody's quiet hours are over: they are paged now if it still rings and they were left out."""
    subject, _, person = timer.key.partition("/")
    group = tx.find_group(subject)
    if group is None or not group.rings:
        return
    progress = progress_of(subject, tx)
    if person not in progress.walk.asleep:
        return
    later = wakes_at(person, tx)
    if later is not None:  # they said so meanwhile
        tx.set_timer(MORNING, timer.key, at=later)
    else:
        join([person], f"the quiet hours of {person} are over", group, progress, tx)
