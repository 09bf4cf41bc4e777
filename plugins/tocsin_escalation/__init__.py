"""Escalation: who is paged for an alert, in which order, until someone answers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from tocsin.api import Config, Name, NonEmpty, Problem, hookimpl, unknown_name
from tocsin_escalation.policy import Policy, Route


@dataclass(frozen=True)
class Escalation:
    """Pages people up a policy, step by step, until one of them answers.

    default: the policy of every alert that no route takes.
    """

    default: Name
    policies: Annotated[Mapping[Name, Policy], NonEmpty]
    routes: tuple[Route, ...] = ()

    @hookimpl
    def check_settings(self, config: Config) -> Iterable[Problem]:
        if self.default not in self.policies:
            yield unknown_name(("default",), self.default, "no policy", self.policies)
        yield from self._check_routes()
        for name, policy in self.policies.items():
            for index, step in enumerate(policy.steps):
                at = ("policies", name, "steps", index)
                for each in step.page:
                    yield from _check_callee((*at, "page"), each, config)
                for each in step.room:
                    yield from _check_room((*at, "room"), each, config)

    def _check_routes(self) -> Iterator[Problem]:
        catch_all = None
        for index, route in enumerate(self.routes):
            if route.policy not in self.policies:
                yield unknown_name(("routes", index, "policy"), route.policy, "no policy", self.policies)
            if catch_all is not None:
                yield Problem(
                    ("routes", index), f"is never reached: routes[{catch_all}] takes every alert", fatal=False
                )
            elif not route.match.conditions:
                catch_all = index
        used = {self.default, *(route.policy for route in self.routes)}
        for name in self.policies:
            if name not in used:
                yield Problem(("policies", name), "no route leads here", fatal=False)


def _check_callee(at: tuple[str | int, ...], name: str, config: Config) -> Iterator[Problem]:
    if name in config.people:
        people: tuple[str, ...] = (name,)
    elif name in config.schedules:
        people = config.schedules[name].on_call
    elif name in config.teams:
        people = config.teams[name].members
    else:
        known = [*config.people, *config.schedules, *config.teams]
        yield unknown_name(at, name, "no person, schedule or team", known)
        return
    for each in people:
        if each in config.people and not config.people[each].accounts:
            yield Problem(at, f"{each} can't be paged: people.{each} has no account on any network")


def _check_room(at: tuple[str | int, ...], name: str, config: Config) -> Iterator[Problem]:
    if name in config.teams:
        if not config.teams[name].rooms:
            yield Problem(at, f"team {name} has no room: add teams.{name}.rooms")
    elif name not in config.networks:
        yield unknown_name(at, name, "no team or network", [*config.teams, *config.networks])
