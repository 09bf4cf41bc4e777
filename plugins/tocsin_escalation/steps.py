"""The steps of a plan, taken one after another until somebody answers."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.api import (
    MOST_LISTED,
    PAGE_DEADLINE,
    AlertGroup,
    Call,
    GroupAcknowledged,
    GroupFiredAgain,
    GroupOpened,
    GroupReopened,
    GroupResolved,
    GroupSilenced,
    GroupState,
    GroupUnacknowledged,
    Message,
    Refused,
    SilenceEnded,
    Timer,
    Transaction,
    each,
    first_few,
    meant,
    rank,
    together,
)
from tocsin_escalation.calls import MORNING, called_so_far, join, progress_of
from tocsin_escalation.coming import STEP, Coming, exhaust, nobody_there
from tocsin_escalation.events import EscalationStarted
from tocsin_escalation.plan import Plan, Position, Routing
from tocsin_escalation.progress import Outcome, Progress, Walk

FIRES_AGAIN = "fires again"


@dataclass(frozen=True)
class Steps:
    """Takes groups along their plans. routing: which plan a group takes."""

    routing: Routing

    def start(self, event: GroupOpened | GroupUnacknowledged | SilenceEnded, tx: Transaction) -> None:
        """Take the first step, unless that came about meanwhile: a reaction may come late."""
        group = tx.group(event.subject)
        if group.rings and not progress_of(group.id, tx).walk.begun:
            self.go_on(group, tx)

    def start_again(self, event: GroupUnacknowledged | SilenceEnded, tx: Transaction) -> None:
        """Whoever had it has it no more, or it may be heard again: begin with the first step."""
        self.start(event, tx)

    def reopen(self, event: GroupReopened, tx: Transaction) -> None:
        """It fires again shortly after its end: anew if somebody had answered, else it goes on where it stood.

        Who was called so far was told that it is over, so they are called again, and have what was left of their time.
        """
        group = tx.group(event.subject)
        progress = progress_of(group.id, tx)
        if not group.rings or not progress.reopened:
            return  # this may come late
        plan, walk, order, severity = progress.plan, progress.walk, tx.config.severities, _severity(group, tx)
        worse = rank(severity, order) < rank(progress.severity, order)
        if plan is not None and (worse or plan != self._plan(group)[0]):
            self.choose(group, tx)
        elif plan is not None and walk.position is not None:
            left = walk.left(plan, walk.next_position(plan, severity, tx.now), tx.now)
            sleeps = walk.put_off is not None
            people = called_so_far(progress, tx)
            if (left or sleeps) and join(people, FIRES_AGAIN, group, progress, tx, again=True) and not sleeps:
                tx.set_timer(STEP, group.id, after=left)
                return
        self.go_on(group, tx)

    def fired_again(self, event: GroupFiredAgain, tx: Transaction) -> None:
        """It flaps: what came due while it was quiet comes now."""
        group = tx.group(event.subject)
        if not group.rings:
            return
        walk = progress_of(group.id, tx).walk
        for person in walk.asleep:
            tx.set_timer(MORNING, f"{group.id}/{person}", after=timedelta(0))
        sleeps = walk.put_off is not None and not walk.exhausted
        if sleeps or not tx.timer_is_set(STEP, group.id):
            self.go_on(group, tx)

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
        if group is None or not group.unanswered:
            return
        progress = progress_of(group.id, tx)
        plan, walk = progress.plan, progress.walk
        if plan is None or walk.position is None or event.page not in walk.pages:
            return
        following = walk.next_position(plan, _severity(group, tx), tx.now)
        if walk.reached_nobody and following.round == walk.position.round:
            self._go_on_if_it_fires(group, tx)
        elif event == walk.first:
            tx.set_timer(STEP, group.id, after=plan.wait(walk.position, following))

    def wait_anew(self, group: AlertGroup, tx: Transaction) -> None:
        """Others are called in the place of those whom the last step called: they have all its time."""
        progress = progress_of(group.id, tx)
        plan, walk = progress.plan, progress.walk
        if plan is not None and walk.position is not None and not walk.exhausted and walk.put_off is None:
            wait = plan.wait(walk.position, walk.next_position(plan, _severity(group, tx), tx.now))
            tx.set_timer(STEP, group.id, after=PAGE_DEADLINE + wait)

    def look_again(self, group: AlertGroup, progress: Progress, tx: Transaction) -> None:
        """With another severity another step may be the next one, and come sooner or later."""
        plan, walk = progress.plan, progress.walk
        if plan is None or walk.exhausted or all(step.severity is None for step in plan.steps):
            return
        following = walk.next_position(plan, _severity(group, tx), tx.now)
        if walk.put_off is None or walk.put_off.at_step != following:
            tx.set_timer(STEP, group.id, after=walk.left(plan, following, tx.now))

    def next_step(self, timer: Timer, tx: Transaction) -> None:
        """Nobody has answered in time."""
        group = tx.find_group(timer.key)
        if group is not None and group.unanswered:
            self._go_on_if_it_fires(group, tx)

    def _go_on_if_it_fires(self, group: AlertGroup, tx: Transaction) -> None:
        """What flaps, and is quiet now, wakes nobody; without a timer the step comes once it fires again."""
        if group.rings:
            self.go_on(group, tx)
        else:
            tx.cancel_timer(STEP, group.id)

    def still_asleep(self, timer: Timer, tx: Transaction) -> None:
        """A step waits for a morning that may have come, or be another one by now."""
        group = tx.find_group(timer.key)
        if group is None or not group.rings:
            return
        progress = progress_of(group.id, tx)
        plan, walk = progress.plan, progress.walk
        if plan is None or walk.put_off is None or walk.exhausted:
            return
        following = walk.next_position(plan, _severity(group, tx), tx.now)
        # Another one, if the hours in which the step may come are over.
        if walk.put_off.at_step == following or not walk.left(plan, following, tx.now):
            self.go_on(group, tx)

    def up(self, call: Call, tx: Transaction) -> Message | None:
        """Take the next step now."""
        return self.up_each(call, ringing(call, tx), tx)

    def up_each(self, call: Call, ids: Iterable[str], tx: Transaction) -> Message | None:
        """Take the next step of each; what can't be done is said, and keeps nothing else from being done."""
        taken = defaultdict[str, list[str]](list)

        def up(group: AlertGroup) -> None:
            _refuse_unless_it_rings(group, tx)
            because = f"{call.by} can't" if call.name == "decline" else ""
            if because and not self._has_next(group, tx):
                again = f"it begins anew with the first; {tx.typed('page')} calls somebody else"
                raise Refused(f"{group.id}: no step comes after this one before {again}")
            step = self.go_on(group, tx, by=call.by, because=because)
            if call.place not in tx.places:  # where it was said already
                taken[step].append(group.id)

        refused = each(ids, up, tx)
        return together(
            [*(f"{first_few(those, MOST_LISTED)}: {step}" for step, those in taken.items()), refused]
        )

    def _has_next(self, group: AlertGroup, tx: Transaction) -> bool:
        """Whether a step is left in this round."""
        progress = progress_of(group.id, tx)
        plan, walk = progress.plan, progress.walk
        if plan is None or walk.position is None:
            return True
        following = walk.next_position(plan, _severity(group, tx), tx.now, at_once=True)
        return following.round == walk.position.round

    def choose(self, group: AlertGroup, tx: Transaction) -> Plan:
        """The plan that the group takes from now on, as it fires now; it begins with the first step."""
        plan, because = self._plan(group)
        tx.record(
            EscalationStarted(
                subject=group.id, at=tx.now, plan=plan, because=because, severity=_severity(group, tx)
            )
        )
        return plan

    def _plan(self, group: AlertGroup) -> tuple[Plan, str]:
        fires = [group.alerts[one] for one in group.firing] or list(group.alerts.values())
        return self.routing.plan([alert.labels for alert in fires])

    def go_on(self, group: AlertGroup, tx: Transaction, *, by: str = "", because: str = "") -> str:
        """Take the next step that can page somebody; what was done, in words.

        by: who asked for it, if anybody did, who means those too who sleep. because: what led to it, for the rooms.
        """
        progress = progress_of(group.id, tx)
        because = because or (FIRES_AGAIN if progress.reopened else "")
        plan, walk, severity = progress.plan, progress.walk, _severity(group, tx)
        if plan is None:
            plan, walk = self.choose(group, tx), Walk()
        position = walk.next_position(plan, severity, tx.now, at_once=bool(by))
        whole_round = walk.position is None or walk.position.round < position.round
        while not plan.is_over(position):
            step = Coming(group, plan, position, tx, by=by, because=because)
            called = step.called()
            if called.wait:
                return step.put_off(called, walk).headline()
            if (comes := step.comes(called)) is not None:
                return step.hold(comes, walk).headline()
            taken = step.take(called)
            following = _following(plan, position, severity, tx.now, waits=bool(taken.pages))
            wait = plan.wait(position, following)
            if taken.pages:
                # Until it is known what becomes of the pages, which is at their deadline at the latest.
                tx.set_timer(STEP, group.id, after=PAGE_DEADLINE + wait)
                return taken.said()
            if following.round > position.round:
                tx.set_timer(STEP, group.id, after=wait)
                if whole_round:
                    nobody_there(plan, group, tx)
                return taken.said()
            position = following
        return exhaust(plan, walk.exhausted + 1, group, tx).headline()


def ringing(call: Call, tx: Transaction) -> Sequence[str]:
    """The alerts that a call means, of those that ring."""
    return meant(call, tx, {GroupState.TRIGGERED})


def _following(plan: Plan, position: Position, severity: str, now: datetime, *, waits: bool) -> Position:
    """What comes after a step that came now. waits: it paged somebody; else the next one of its round comes at once."""

    def when(following: Position) -> datetime:
        at_once = not waits and following.round == position.round
        return now if at_once else now + plan.wait(position, following)

    return plan.after(position, severity, when)


def _severity(group: AlertGroup, tx: Transaction) -> str:
    return group.severity(tx.config.severities)


def _refuse_unless_it_rings(group: AlertGroup, tx: Transaction) -> None:
    if not group.open:
        raise Refused(f"{group.id}: is already resolved")
    if group.state is GroupState.SILENCED:
        raise Refused(f"{group.id}: is silenced by {group.silenced_by}")
    if not group.unanswered:
        again = f"{tx.typed('unack')} {group.id} pages from the first step on"
        raise Refused(f"{group.id}: {group.acknowledged_by} has it; {again}")
