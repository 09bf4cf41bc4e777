"""Escalation: who is paged for an alert, in which order, until someone answers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

from tocsin.api import (
    PAGE_DEADLINE,
    AlertGroup,
    Answers,
    Call,
    Command,
    Config,
    Event,
    GroupAcknowledged,
    GroupOpened,
    GroupReopened,
    GroupResolved,
    GroupSilenced,
    GroupState,
    GroupUnacknowledged,
    Message,
    Name,
    NonEmpty,
    PageDelivered,
    PageFailed,
    Problem,
    Reaction,
    Refused,
    SilenceEnded,
    Timer,
    TimerKind,
    Transaction,
    hookimpl,
    meant,
    on,
    unknown_name,
)
from tocsin_escalation.events import EscalationExhausted, EscalationStarted, StepTaken
from tocsin_escalation.policy import FrozenStep, Plan, Policy, Position, Route, choose
from tocsin_escalation.progress import Outcome, Progress

STEP = "escalation.step"

SHORTEST_REST = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=1)
"""After the end the fallback rings again and again, in pauses that double from the one to the other."""


@dataclass(frozen=True)
class Escalation:
    """Pages people up a policy, step by step, until one of them answers.

    default: the policy of every alert that no route takes.
    """

    default: Name
    policies: Annotated[Mapping[Name, Policy], NonEmpty]
    routes: tuple[Route, ...] = ()

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return [EscalationStarted, StepTaken, EscalationExhausted]

    @hookimpl
    def register_reactions(self) -> Iterable[Reaction[Any]]:
        return [
            on(GroupOpened, self.start),
            on(GroupUnacknowledged, self.start_again),
            on(GroupReopened, self.start_again),
            on(SilenceEnded, self.start_again),
            on(GroupAcknowledged, self.stop),
            on(GroupSilenced, self.stop),
            on(GroupResolved, self.stop),
            on(PageDelivered, self.begin_wait),
            on(PageFailed, self.begin_wait),
        ]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        return [TimerKind(STEP, self.next_step, pages=True)]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        return [Command("up [ALERT…]", self.up, "page the next step now", also=("escalate",), often=True)]

    @hookimpl
    def register_answers(self) -> Iterable[Answers]:
        return [Answers("group", {"decline": self.decline}, self.ringing)]

    def ringing(self, call: Call, tx: Transaction) -> Sequence[str]:
        """The alerts that a call means which names none."""
        return meant(call, tx, {GroupState.TRIGGERED})

    def start(self, event: GroupOpened, tx: Transaction) -> None:
        """Choose the policy and take its first step, unless that came about meanwhile: a reaction may come late."""
        group = tx.group(event.subject)
        if group.rings and _progress(group.id, tx).plan is None:
            self._go_on(group, tx)

    def start_again(self, event: GroupUnacknowledged | GroupReopened | SilenceEnded, tx: Transaction) -> None:
        """It rings anew: begin with the first step."""
        group = tx.group(event.subject)
        if group.rings and _progress(group.id, tx).position is None:
            self._go_on(group, tx)

    def stop(self, event: GroupAcknowledged | GroupSilenced | GroupResolved, tx: Transaction) -> None:
        """Someone answered, or it is over."""
        if not tx.group(event.subject).rings:
            tx.cancel_timer(STEP, event.subject)

    def begin_wait(self, event: Outcome, tx: Transaction) -> None:
        """The first page of a step was delivered, or can't be: its people have until the next step from now on.

        So a slow network takes none of their time, and one that is down does not stop the escalation. If all of them
        are out of reach, the next step comes at once.
        """
        group = tx.find_group(event.subject)
        if group is None or not group.rings:
            return
        progress = _progress(group.id, tx)
        if progress.plan is None:
            return
        position = progress.next_position(progress.plan)
        if progress.reached_nobody and event.page in progress.pages and position.step > 0:
            self._go_on(group, tx)
        elif event == progress.first:
            tx.set_timer(STEP, group.id, after=progress.plan.wait_before(position))

    def next_step(self, timer: Timer, tx: Transaction) -> None:
        """Nobody has answered in time."""
        group = tx.find_group(timer.key)
        if group is not None and group.rings:
            self._go_on(group, tx)

    def up(self, call: Call, tx: Transaction) -> Message | None:
        """Take the next step now; what can't be done is said, and keeps nothing else from being done."""
        return self.decline(call, self.ringing(call, tx), tx)

    def decline(self, call: Call, ids: Sequence[str], tx: Transaction) -> Message | None:
        """Who can't take it need not wait for their time to be over: the next step comes now."""
        said = []
        for named in ids:
            try:
                group = tx.group(named)
                _refuse_unless_it_rings(group)
            except Refused as error:
                said.append(str(error))
                continue
            taken = self._go_on(group, tx, by=call.by)
            if call.place not in tx.places:  # where it was said already
                said.append(f"{group.id}: {taken}")
        return Message(said[0], lines=tuple(said[1:])) if said else None

    def _go_on(self, group: AlertGroup, tx: Transaction, *, by: str = "") -> str:
        """Take the next step that can page somebody; what was done, in words."""
        progress = _progress(group.id, tx)
        plan = progress.plan or self._choose(group, tx)
        position = progress.next_position(plan)
        while not plan.is_over(position):
            taken = _take(plan.steps[position.step], position, group, tx, by=by)
            position = plan.after(position)
            if taken.pages:
                # Until it is known what becomes of the pages, which is at their deadline at the latest.
                tx.set_timer(STEP, group.id, after=PAGE_DEADLINE + plan.wait_before(position))
                return taken.said()
            if position.step == 0:
                tx.set_timer(STEP, group.id, after=plan.rest)
                return taken.said()
        return _exhaust(plan, progress.exhausted + 1, group, tx).headline()

    def _choose(self, group: AlertGroup, tx: Transaction) -> Plan:
        place = choose(self.routes, [alert.labels for alert in group.alerts.values()])
        name = self.default if place is None else self.routes[place].policy
        because = (
            "the default"
            if place is None
            else f"routes[{place}]: {str(self.routes[place].match) or 'every alert'}"
        )
        plan = Plan.of(name, self.policies[name])
        tx.record(EscalationStarted(subject=group.id, at=tx.now, plan=plan, because=because))
        return plan

    @hookimpl
    def check_settings(self, config: Config) -> Iterable[Problem]:
        if self.default not in self.policies:
            yield unknown_name(("default",), self.default, "no policy", self.policies)
        yield from self._check_routes()
        for name, policy in self.policies.items():
            for index, step in enumerate(policy.steps):
                at = ("policies", name, "steps", index)
                if index == 0 and step.after:
                    yield Problem((*at, "after"), "means nothing: the first step comes at once", fatal=False)
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


def _progress(subject: str, tx: Transaction) -> Progress:
    return Progress.of(entry.event for entry in tx.story(subject))


def _refuse_unless_it_rings(group: AlertGroup) -> None:
    if not group.open:
        raise Refused(f"{group.id}: is already resolved")
    if not group.rings:
        raise Refused(
            f"{group.id}: {group.acknowledged_by} has it; !unack {group.id} pages from the first step on"
        )


def _take(step: FrozenStep, position: Position, group: AlertGroup, tx: Transaction, *, by: str) -> StepTaken:
    """Page everybody whom a step calls as things stand now, and say so."""
    callees = {name: tx.callees(name) for name in step.page}
    people = {person: tx.private_places(person) for found in callees.values() for person in found}
    rooms = {name: tx.rooms(name) for name in step.room}
    missing = [name for name, found in (callees | rooms).items() if not found]
    missing += [person for person, places in people.items() if not places]

    page = _message(group, tx)
    pages = [
        tx.page(place, page, about=group.id, person=person)
        for person, places in people.items()
        for place in places
    ]
    said_in = dict.fromkeys(room for found in rooms.values() for room in found)
    taken = StepTaken(
        subject=group.id,
        at=tx.now,
        by=by,
        at_step=position,
        people=tuple(person for person, places in people.items() if places),
        rooms=tuple(dict.fromkeys(room.name for room in said_in)),
        missing=tuple(missing),
    )
    told = _message(group, tx, f"{taken.said()}: ")
    pages += [tx.page(room, told, about=group.id) for room in said_in]
    for room in tx.default_rooms():
        if room not in said_in:
            tx.news(room, told, about=group.id)
    return tx.record(replace(taken, pages=tuple(pages)))


def _message(group: AlertGroup, tx: Transaction, before: str = "", *lines: str) -> Message:
    text = f"{before}{group.describe(tx.config.severities)}"
    return Message(text, subject=group.id, command=f"!ack {group.id}", link=group.link, lines=lines)


def _exhaust(plan: Plan, count: int, group: AlertGroup, tx: Transaction) -> EscalationExhausted:
    """Every step has come as often as it should: ring what is not chat, and all rooms, until somebody answers."""
    rang = tx.fall_back(_message(group, tx, "nobody answers: "), about=group.id)
    end = "The fallback rings." if rang else "No fallback is configured, so nothing else rings."
    for room in tx.default_rooms():
        tx.page(room, _message(group, tx, "nobody answers: ", end), about=group.id)
    rest = max(plan.rest, SHORTEST_REST)
    pause = max(rest, min(rest * 2 ** min(count - 1, 10), LONGEST_REST))
    tx.set_timer(STEP, group.id, after=pause)
    return tx.record(EscalationExhausted(subject=group.id, at=tx.now, count=count, rang=rang))


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
