"""A policy as it stands when an alert takes it, and the walk along its steps. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tocsin.api import counted, listed, spelled
from tocsin_escalation.conditions import Who, Window
from tocsin_escalation.policy import Policy, Route, Step, Urgency, choose

NO_TIME = timedelta(0)


@dataclass(frozen=True)
class FrozenStep:
    """A step as it stood when the group opened.

    wait: how long the one before it is given to answer. severity: for which it comes; None for any. windows: when it
    comes, all of which must hold. who: which of those that it names. hold, round_robin: as
    for a `Step`.
    """

    page: tuple[str, ...]
    room: tuple[str, ...]
    wait: timedelta
    severity: tuple[str, ...] | None = None
    windows: tuple[Window, ...] = ()
    who: Who = Who.ALL
    hold: bool = False
    round_robin: bool = False

    def applies(self, severity: str) -> bool:
        """Whether it comes for alerts of that severity."""
        return self.severity is None or severity in self.severity

    def is_open(self, at: datetime) -> bool:
        """Whether it may come at that instant."""
        return all(window.holds(at) for window in self.windows)

    @property
    def chooses(self) -> bool:
        """Whether it may page some of those that it names, and not others."""
        return self.round_robin or self.who is not Who.ALL

    def __str__(self) -> str:
        text = listed([*self.page, *(f"the room of {name}" for name in self.room)])
        conditions = [] if self.severity is None else [f"if {' or '.join(self.severity) or 'never'}"]
        conditions += [str(window) for window in self.windows]
        conditions += ["whoever is awake"] if self.who is Who.AWAKE else []
        conditions += ["in turn"] if self.round_robin else []
        conditions += ["held until somebody is on call"] if self.hold else []
        return f"{text} ({', '.join(conditions)})" if conditions else text


def flatten(
    policy: Policy,
    policies: Mapping[str, Policy],
    only: tuple[str, ...] | None = None,
    within: tuple[Window, ...] = (),
) -> Iterator[FrozenStep]:
    """The steps of a policy, and in the place of a policy that it names, the steps of that one.

    only: the severities for which they come. within: when.
    """
    for step in policy.steps:
        severity, wait = _both(only, step), step.after or NO_TIME
        windows = (*within, *_window(step, policy))
        if step.policy:
            first, *others = flatten(policies[step.policy], policies, severity, windows)
            yield from [replace(first, wait=wait), *others]
        else:
            yield FrozenStep(
                step.page,
                step.room,
                wait,
                severity,
                windows,
                who=step.who,
                hold=step.hold,
                round_robin=step.round_robin,
            )


def _window(step: Step, policy: Policy) -> Iterator[Window]:
    if step.hours:
        zone = step.timezone or policy.timezone
        yield Window(step.hours, zone.key if zone else "UTC")


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

    def before(self, other: "Position") -> bool:
        """Whether it comes sooner than that one."""
        return (self.round, self.step) < (other.round, other.step)


When = Callable[[Position], datetime]
"""When a step would come."""


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

    def after(self, position: Position | None, severity: str, when: When | None = None) -> Position:
        """What comes next for alerts of that severity; without a position, what comes first.

        when: steps with hours are passed over unless they would come in them; without it, none is. Raises ValueError
        after the end.
        """
        if position is not None and self.is_over(position):
            raise ValueError("nothing comes after the end")
        number, begin = (position.round, position.step + 1) if position is not None else (0, 0)
        this_round = [Position(number, place) for place in range(begin, len(self.steps))]
        next_round = [Position(number + 1, place) for place in range(len(self.steps))]
        for following in [*this_round, *(next_round if number + 1 < self.rounds else [])]:
            step = self.steps[following.step]
            if step.applies(severity) and (when is None or not step.windows or step.is_open(when(following))):
                return following
        return Position(self.rounds, 0)

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
