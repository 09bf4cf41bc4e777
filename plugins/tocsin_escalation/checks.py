"""What is wrong with the settings, held against the whole configuration."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from tocsin.api import Config, Problem, listed, unknown_name
from tocsin_escalation.conditions import uncovered
from tocsin_escalation.plan import Routing, flatten
from tocsin_escalation.policy import MOST_STEPS, Policy, Step, circle, sizes
from tocsin_escalation.turns import in_order

At = tuple[str | int, ...]


def check_routing(routing: Routing, config: Config) -> Iterator[Problem]:
    """Every name in routes and policies, and whether the policies are trees."""
    policies = routing.policies
    if routing.default not in policies:
        yield unknown_name(("default",), routing.default, "no policy", policies)
    yield from _check_routes(routing, config)
    for name, policy in policies.items():
        for index, step in enumerate(policy.steps):
            at = ("policies", name, "steps", index)
            if index == 0 and step.after:
                yield Problem((*at, "after"), "means nothing: the first step comes at once", fatal=False)
            if step.hours and not (step.timezone or policy.timezone):
                text = "are those of UTC, summer and winter: say timezone = 'Europe/Berlin', or 'UTC' if you mean that"
                yield Problem((*at, "hours"), text, fatal=False)
            yield from _check_step(at, step, policies, config)
    yield from _check_trees(routing, config)


def check_timeouts(
    timeouts: Mapping[str, timedelta] | None, grace: timedelta, config: Config
) -> Iterator[Problem]:
    """Whether there is time to answer, and for which severities."""
    for severity, length in (timeouts or {}).items():
        at = ("ack_timeout", severity)
        if severity not in config.severities:
            yield unknown_name(at, severity, "no severity", config.severities)
        elif not length:
            yield Problem(at, "is no time at all: leave it out, and nobody is asked")
    if not grace:
        yield Problem(("ack_grace",), "leaves no time to answer")


def _check_routes(routing: Routing, config: Config) -> Iterator[Problem]:
    catch_all = None
    for index, route in enumerate(routing.routes):
        at = ("routes", index)
        if route.policy not in routing.policies:
            yield unknown_name((*at, "policy"), route.policy, "no policy", routing.policies)
        if route.team and route.team not in config.teams:
            yield unknown_name((*at, "team"), route.team, "no team", config.teams)
        elif route.team and not config.teams[route.team].rooms:
            yield Problem(
                (*at, "team"), f"team {route.team} has no room: add teams.{route.team}.rooms", fatal=False
            )
        if catch_all is not None:
            yield Problem(at, f"is never reached: routes[{catch_all}] takes every alert", fatal=False)
        elif not route.match.conditions:
            catch_all = index


def _check_step(at: At, step: Step, policies: Mapping[str, Policy], config: Config) -> Iterator[Problem]:
    for each in step.page:
        yield from _check_callee((*at, "page"), each, config)
    for each in step.room:
        yield from _check_room((*at, "room"), each, config)
    if step.policy and step.policy not in policies:
        yield unknown_name((*at, "policy"), step.policy, "no policy", policies)
    if step.hold and not any(name in config.schedules for name in step.page):
        yield Problem((*at, "hold"), "means nothing: none of those that it pages is a schedule", fatal=False)
    elif step.hold and step.room:
        yield Problem((*at, "hold"), "means nothing: a room can always be told", fatal=False)
    if step.round_robin and len(in_order(step.page, config)) < 2:
        yield Problem((*at, "round_robin"), "means nothing: the step names one person", fatal=False)
    for severity in step.severity:
        if severity not in config.severities:
            yield unknown_name((*at, "severity"), severity, "no severity", config.severities)


def _check_trees(routing: Routing, config: Config) -> Iterator[Problem]:
    policies = routing.policies
    roots = [routing.default, *(route.policy for route in routing.routes)]
    branches = {branch for policy in policies.values() for branch in policy.branches()}
    for name in policies:
        if name not in branches and name not in roots:
            yield Problem(("policies", name), "no route leads here", fatal=False)
    circles = list(_circles(policies))
    yield from circles
    if circles or not branches <= policies.keys():
        return
    for name, size in sizes(policies).items():
        if size > MOST_STEPS:
            text = f"has {size} steps with those of the policies that it names: {MOST_STEPS} at most"
            yield Problem(("policies", name), text)
        elif name in roots:
            yield from _left_out(name, policies, config.severities)


def _circles(policies: Mapping[str, Policy]) -> Iterator[Problem]:
    """Each circle once, at the first of its policies."""
    told = set[frozenset[str]]()
    for name in policies:
        way = circle(name, policies)
        if way and frozenset(way) not in told:
            told.add(frozenset(way))
            yield Problem(("policies", name), f"leads back to itself: {' → '.join(way)}")


def _left_out(name: str, policies: Mapping[str, Policy], order: Sequence[str]) -> Iterable[Problem]:
    steps = list(flatten(policies[name], policies))
    closed = dict[str, datetime]()
    for severity in order:
        windows = [step.windows for step in steps if step.applies(severity)]
        if not windows:
            text = f"alerts of severity {severity!r} would go straight to the fallback: no step is for them"
            yield Problem(("policies", name), text, fatal=False)
        elif (at := uncovered(windows)) is not None:
            closed[severity] = at
    if closed:
        alerts = (
            "alerts" if closed.keys() == set(order) else f"alerts of severity {listed(map(repr, closed))}"
        )
        text = (
            f"{alerts} go straight to the fallback when no step has its hours, as on {min(closed.values()):%a %H:%M} UTC: "
            "add a step without hours"
        )
        yield Problem(("policies", name), text, fatal=False)


def _check_callee(at: At, name: str, config: Config) -> Iterator[Problem]:
    if name in config.people:
        people: tuple[str, ...] = (name,)
    elif name in config.schedules:
        people = config.schedules[name].people
    elif name in config.teams:
        people = config.teams[name].members
    else:
        known = [*config.people, *config.schedules, *config.teams]
        yield unknown_name(at, name, "no person, schedule or team", known)
        return
    for each in people:
        if each in config.people and not config.people[each].accounts:
            yield Problem(at, f"{each} can't be paged: people.{each} has no account on any network")


def _check_room(at: At, name: str, config: Config) -> Iterator[Problem]:
    if name in config.teams:
        if not config.teams[name].rooms:
            yield Problem(at, f"team {name} has no room: add teams.{name}.rooms")
    elif name not in config.networks:
        yield unknown_name(at, name, "no team or network", [*config.teams, *config.networks])
