"""Escalation: who is paged for an alert, in which order, until someone answers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from tocsin.api import (
    GROUP,
    AcknowledgementRenewed,
    AlertFired,
    AlertResolved,
    Answers,
    Command,
    Config,
    Duration,
    Event,
    GroupAcknowledged,
    GroupFiredAgain,
    GroupOpened,
    GroupReopened,
    GroupResolved,
    GroupSilenced,
    GroupUnacknowledged,
    Name,
    NonEmpty,
    OnCallChanged,
    PageAsked,
    PageDelivered,
    PageFailed,
    PageUnneeded,
    Problem,
    Reaction,
    SilenceEnded,
    TimerKind,
    hookimpl,
    on,
)
from tocsin_escalation import by_hand, calls, events, held
from tocsin_escalation.checks import check_routing, check_timeouts
from tocsin_escalation.coming import ASLEEP, STEP
from tocsin_escalation.duty import Duty
from tocsin_escalation.held import Watch
from tocsin_escalation.members import LOOK, MORE, Members, tell
from tocsin_escalation.plan import Routing
from tocsin_escalation.policy import Policy, Route
from tocsin_escalation.steps import Steps, ringing
from tocsin_escalation.whowould import WhoWould


@dataclass(frozen=True)
class Escalation:
    """Pages people up a policy, step by step, until one of them answers.

    default: the policy of every alert that no route takes.
    ack_timeout: severity -> how long after they acknowledged it somebody is asked whether they still have it; without
    it an hour for the worst severity. ack_grace: how long they have to answer before it rings again.
    """

    default: Name
    policies: Annotated[Mapping[Name, Policy], NonEmpty]
    routes: tuple[Route, ...] = ()
    ack_timeout: Mapping[Name, Duration] | None = None
    ack_grace: Duration = timedelta(minutes=15)

    @property
    def _routing(self) -> Routing:
        return Routing(self.default, self.policies, self.routes)

    @property
    def _steps(self) -> Steps:
        return Steps(self._routing)

    @property
    def _watch(self) -> Watch:
        return Watch(self.ack_timeout, self.ack_grace)

    @property
    def _members(self) -> Members:
        return Members(self._steps, self._watch)

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return events.EVENTS

    @hookimpl
    def register_reactions(self) -> Iterable[Reaction[Any]]:
        steps, members, watch, duty = self._steps, self._members, self._watch, Duty(self._steps)
        return [
            on(GroupOpened, steps.start),
            on(GroupReopened, steps.reopen),
            on(GroupFiredAgain, members.fired_again),
            on(GroupFiredAgain, steps.fired_again),
            on(GroupFiredAgain, duty.fired_again),
            on(GroupUnacknowledged, steps.start_again),
            on(GroupUnacknowledged, watch.end),
            on(SilenceEnded, steps.start_again),
            on(GroupAcknowledged, steps.stop),
            on(GroupAcknowledged, watch.begin),
            on(GroupAcknowledged, members.answered),
            on(GroupSilenced, members.answered),
            on(AcknowledgementRenewed, watch.begin),
            on(GroupSilenced, steps.stop),
            on(GroupSilenced, watch.end),
            on(GroupResolved, steps.stop),
            on(GroupResolved, watch.end),
            on(PageDelivered, steps.begin_wait),
            on(PageFailed, steps.begin_wait),
            on(AlertFired, members.changed),
            on(AlertResolved, members.changed),
            on(OnCallChanged, duty.changed),
            on(PageAsked, by_hand.asked),
            on(PageUnneeded, by_hand.unneeded),
        ]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        return [
            TimerKind(STEP, self._steps.next_step, pages=True),
            TimerKind(ASLEEP, self._steps.still_asleep),
            TimerKind(calls.MORNING, calls.wake),
            TimerKind(held.ASK, self._watch.ask),
            TimerKind(held.GIVE_UP, self._watch.give_up),
            TimerKind(LOOK, self._members.look),
            TimerKind(MORE, tell),
        ]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        return [
            Command(
                "up [ALERT…]",
                self._steps.up,
                "page the next step now",
                also=("escalate",),
                often=True,
                expires=True,
            ),
            Command(
                "whowould LABEL… [at TIME]",
                WhoWould(self._routing).ask,
                "whom such an alert would page",
                grammar="whowould LABEL…",
            ),
            Command("page NAME TEXT…", by_hand.page, "page somebody yourself", often=True, expires=True),
        ]

    @hookimpl
    def register_answers(self) -> Iterable[Answers]:
        return [Answers(GROUP, {"decline": self._steps.up_each}, ringing)]

    @hookimpl
    def foresee_pages(self, labels: Mapping[str, str], at: datetime, config: Config) -> Iterator[str]:
        return WhoWould(self._routing).foresee(labels, at, config)

    @hookimpl
    def check_settings(self, config: Config) -> Iterator[Problem]:
        yield from check_routing(self._routing, config)
        yield from check_timeouts(self.ack_timeout, self.ack_grace, config)
