"""A policy as it stands when an alert takes it, and the walk along its steps. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from tocsin.api import counted, listed, spelled
from tocsin_escalation.policy import Policy, Route, Step, Urgency, choose

NO_TIME = timedelta(0)


@dataclass(frozen=True)
class FrozenStep:
    """A step as it stood when the group opened.

    wait: how long the one before it is given to answer. severity: for which it comes; None for any.
    """

    page: tuple[str, ...]
    room: tuple[str, ...]
    wait: timedelta
    severity: tuple[str, ...] | None = None

    def applies(self, severity: str) -> bool:
        """Whether it comes for alerts of that severity."""
        return self.severity is None or severity in self.severity

    def __str__(self) -> str:
        text = listed([*self.page, *(f"the room of {name}" for name in self.room)])
        return text if self.severity is None else f"{text} (if {' or '.join(self.severity) or 'never'})"


def flatten(
    policy: Policy, policies: Mapping[str, Policy], only: tuple[str, ...] | None = None
) -> Iterator[FrozenStep]:
    """The steps of a policy, and in the place of a policy that it names, the steps of that one.

    only: the severities for which they come.
    """
    for step in policy.steps:
        severity, wait = _both(only, step), step.after or NO_TIME
        if step.policy:
            first, *others = flatten(policies[step.policy], policies, severity)
            yield from [replace(first, wait=wait), *others]
        else:
            yield FrozenStep(step.page, step.room, wait, severity)


def _both(only: tuple[str, ...] | None, step: Step) -> tuple[str, ...] | None:
    if not step.severity:
        return only
    return step.severity if only is None else tuple(name for name in step.severity if name in only)


def _in_turn(step: FrozenStep) -> str:
    return f"after {spelled(step.wait)} {step}" if step.wait else f"then {step}"


@dataclass(frozen=True)
class Position:
    """A step in one of its rounds, both from 0 on. round == rounds: every step has come, and nobody answered."""

    round: int
    step: int


@dataclass(frozen=True)
class Plan:
    """A policy as it stood when it was chosen; whoever its names stand for is found out at each step.

    rounds: how often all steps come. rest: how long after the last step of a round the next begins.
    urgency, team: those of the route.
    """

    policy: str
    steps: tuple[FrozenStep, ...]
    rounds: int
    rest: timedelta
    urgency: Urgency = Urgency.NORMAL
    team: str = ""

    @classmethod
    def of(
        cls,
        name: str,
        policies: Mapping[str, Policy],
        *,
        urgency: Urgency = Urgency.NORMAL,
        team: str = "",
    ) -> "Plan":
        """Freeze a policy, and those that it names."""
        policy = policies[name]
        steps = tuple(flatten(policy, policies))
        return cls(name, steps, policy.repeat + 1, policy.repeat_after, urgency, team)

    def __str__(self) -> str:
        first, *others = self.steps
        text = ", ".join([str(first), *(_in_turn(step) for step in others)])
        more = self.rounds - 1
        if more:
            text += f"; {spelled(self.rest)} later all of it again, {counted(more, 'time')}"
        return text

    def after(self, position: Position | None, severity: str) -> Position:
        """What comes next for alerts of that severity; without a position, what comes first.

        Raises ValueError after the end.
        """
        if position is not None and self.is_over(position):
            raise ValueError("nothing comes after the end")
        number, begin = (position.round, position.step + 1) if position is not None else (0, 0)
        found = self._first(severity, begin)
        if found is not None:
            return Position(number, found)
        found = self._first(severity, 0)
        if found is not None and number + 1 < self.rounds:
            return Position(number + 1, found)
        return Position(self.rounds, 0)

    def _first(self, severity: str, begin: int) -> int | None:
        places = range(begin, len(self.steps))
        return next((place for place in places if self.steps[place].applies(severity)), None)

    def wait(self, last: Position | None, following: Position) -> timedelta:
        """How long the last step is given to answer before the following one comes."""
        if last is None:
            return NO_TIME
        return self.rest if following.round > last.round else self.steps[following.step].wait

    def is_over(self, position: Position) -> bool:
        """Whether every step has come as often as it should."""
        return position.round >= self.rounds


@dataclass(frozen=True)
class Routing:
    """Which plan an alert takes, by the configuration of today. default: the policy if no route takes it."""

    default: str
    policies: Mapping[str, Policy]
    routes: Sequence[Route]

    def plan(self, alerts: Sequence[Mapping[str, str]]) -> tuple[Plan, str]:
        """The plan for alerts with these labels, and what led to it."""
        place = choose(self.routes, alerts)
        if place is None:
            return Plan.of(self.default, self.policies), "the default"
        route = self.routes[place]
        plan = Plan.of(route.policy, self.policies, urgency=route.urgency, team=route.team)
        return plan, f"routes[{place}]: {str(route.match) or 'every alert'}"
