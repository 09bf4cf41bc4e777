"""Routes and policies: which alerts take which tree, and what a tree holds. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from tocsin.api import Count, Duration, Hours, LabelMatchers, Name, Names, NonEmpty, Texts
from tocsin_escalation.conditions import Who

MOST_STEPS = 100
"""How many steps a policy may have, with those of the policies that it names."""


class Urgency(StrEnum):
    """What the quiet hours of people mean to a page.

    LOW: it waits until they are over. NORMAL: nothing. URGENT: nothing, and the page says that it knows.
    """

    LOW = "low"
    NORMAL = "normal"
    URGENT = "urgent"


@dataclass(frozen=True)
class Route:
    """Alerts with these labels take that policy; the first route that matches wins.

    team: in whose rooms they are told too.
    """

    match: LabelMatchers
    policy: Name
    urgency: Urgency = Urgency.NORMAL
    team: Name = ""


@dataclass(frozen=True)
class Step:
    """Who is called.

    page: people, schedules and teams; each person is paged by themself.
    room: teams and networks, in whose room it is said to all.
    policy: instead of both, all steps of that policy.
    after: how long after the step before, unless someone answered; the first step comes at once.
    severity: it comes only for alerts of these; without any, for all.
    hours: it comes only in these hours of the week; without any, always. timezone: on whose clocks; without one, on those
    of the policy.
    who: which of the people that it names are paged. hold: while nobody is on call by the schedules that it names, it waits
    until somebody is. round_robin: one of those that it names is called for each alert, the next one for the next.
    """

    page: Names = ()
    room: Names = ()
    policy: Name = ""
    after: Duration | None = None
    severity: Names = ()
    hours: Texts = ()
    timezone: ZoneInfo | None = None
    who: Who = Who.ALL
    hold: bool = False
    round_robin: bool = False

    def __post_init__(self) -> None:
        if not self.page and not self.room and not self.policy:
            raise ValueError("calls nobody: give it page = NAME, room = NAME or policy = NAME")
        if self.policy and (self.page or self.room):
            raise ValueError("names a policy, and calls somebody by itself: make two steps of it")
        if (self.who is not Who.ALL or self.round_robin) and not self.page:
            raise ValueError(
                "says who of those it pages is meant, and pages nobody: say it of a step with page = NAME"
            )
        if self.hold and not self.page:
            raise ValueError(
                "waits until somebody is on call, and names no schedule: say it of a step with page = NAME"
            )
        for text in self.hours:
            try:
                Hours.parse(text)
            except ValueError as error:
                raise ValueError(f"hours {error}") from None


@dataclass(frozen=True)
class Policy:
    """The steps in their order.

    repeat: how often all of them come again after the first time, while nobody answers.
    repeat_after: how long after the last step they begin anew, and after the last time the fallback rings.
    timezone: on whose clocks the hours of its steps are; without one, UTC.
    """

    steps: Annotated[tuple[Step, ...], NonEmpty]
    repeat: Count = 3
    repeat_after: Duration = timedelta(minutes=5)
    timezone: ZoneInfo | None = None

    def __post_init__(self) -> None:
        if self.repeat and not self.repeat_after:
            raise ValueError("would repeat without a pause: give it a longer repeat_after, or repeat = 0")

    def branches(self) -> Iterator[str]:
        """The policies that its steps name."""
        return (step.policy for step in self.steps if step.policy)


def choose(routes: Sequence[Route], alerts: Iterable[Mapping[str, str]]) -> int | None:
    """The first route that one of the alerts matches, by its place; None if the default policy is meant.

    alerts: the labels of each alert of the group. Each counts by itself, so that what is worst about a group is
    never hidden by what its alerts don't share.
    """
    known = list(alerts) or [{}]  # it may be that none was listed
    for place, route in enumerate(routes):
        if any(route.match.matches(labels) for labels in known):
            return place
    return None


def circle(name: str, policies: Mapping[str, Policy]) -> Sequence[str]:
    """The way by which a policy leads back to itself, `ops, leads, ops`; nothing if it does not."""
    ways, seen = [[name]], set[str]()
    while ways:
        way = ways.pop()
        for branch in policies[way[-1]].branches():
            if branch == name:
                return [*way, name]
            if branch in policies and branch not in seen:
                seen.add(branch)
                ways.append([*way, branch])
    return []


def sizes(policies: Mapping[str, Policy]) -> Mapping[str, int]:
    """How many steps each policy has, with those of the policies that it names; none may lead back to itself."""
    found: dict[str, int] = {}

    def count(name: str) -> int:
        if name not in found:
            found[name] = sum(count(step.policy) if step.policy else 1 for step in policies[name].steps)
        return found[name]

    return {name: count(name) for name in policies}
