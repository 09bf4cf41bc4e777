"""Routes and policies: which alerts take which tree, the steps of each, and the walk along them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from tocsin.api import Count, Duration, LabelMatchers, Name, Names, NonEmpty, listed, spelled


@dataclass(frozen=True)
class Route:
    """Alerts with these labels take that policy; the first route that matches wins."""

    match: LabelMatchers
    policy: Name


@dataclass(frozen=True)
class Step:
    """Who is called.

    page: people, schedules and teams; each person is paged by themself.
    room: teams and networks, in whose room it is said to all.
    after: how long after the step before, unless someone answered; the first step comes at once.
    """

    page: Names = ()
    room: Names = ()
    after: Duration | None = None

    def __post_init__(self) -> None:
        if not self.page and not self.room:
            raise ValueError("calls nobody: give it page = NAME or room = NAME")


@dataclass(frozen=True)
class Policy:
    """The steps in their order.

    repeat: how often all of them come again after the first time, while nobody answers.
    repeat_after: how long after the last step they begin anew, and after the last time the fallback rings.
    """

    steps: Annotated[tuple[Step, ...], NonEmpty]
    repeat: Count = 3
    repeat_after: Duration = timedelta(minutes=5)

    def __post_init__(self) -> None:
        if self.repeat and not self.repeat_after:
            raise ValueError("would repeat without a pause: give it a longer repeat_after, or repeat = 0")


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


@dataclass(frozen=True)
class FrozenStep:
    """A step as it stood when the group opened.

    wait: how long the one before it is given to answer.
    """

    page: tuple[str, ...]
    room: tuple[str, ...]
    wait: timedelta

    def __str__(self) -> str:
        rooms = [f"the room of {name}" for name in self.room]
        return listed([*self.page, *rooms])


def _in_turn(step: FrozenStep) -> str:
    return f"after {spelled(step.wait)} {step}" if step.wait else f"then {step}"


@dataclass(frozen=True)
class Position:
    """A step in one of its rounds, both from 0 on. round == rounds: every step has come, and nobody answered."""

    round: int
    step: int


@dataclass(frozen=True)
class Plan:
    """A policy as it stood when the group opened; whoever its names stand for is found out at each step.

    rounds: how often all steps come. rest: how long after the last step of a round the next begins.
    """

    policy: str
    steps: tuple[FrozenStep, ...]
    rounds: int
    rest: timedelta

    @classmethod
    def of(cls, name: str, policy: Policy) -> "Plan":
        """Freeze a policy."""
        steps = (FrozenStep(step.page, step.room, step.after or timedelta(0)) for step in policy.steps)
        return cls(name, tuple(steps), policy.repeat + 1, policy.repeat_after)

    def __str__(self) -> str:
        first, *others = self.steps
        text = ", ".join([str(first), *(_in_turn(step) for step in others)])
        more = self.rounds - 1
        if more:
            text += f"; {spelled(self.rest)} later all of it again, {more} {'time' if more == 1 else 'times'}"
        return text

    def after(self, position: Position) -> Position:
        """What comes next. Raises ValueError after the end."""
        if position.round >= self.rounds:
            raise ValueError("nothing comes after the end")
        if position.step + 1 < len(self.steps):
            return Position(position.round, position.step + 1)
        return Position(position.round + 1, 0)

    def wait_before(self, position: Position) -> timedelta:
        """How long the step before this one is given to answer."""
        return self.steps[position.step].wait if position.step else self.rest

    def is_over(self, position: Position) -> bool:
        """Whether every step has come as often as it should."""
        return position.round >= self.rounds
