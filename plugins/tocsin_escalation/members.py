"""What comes to a group that rings already, or that somebody has: it becomes worse, or there is only more of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from tocsin.api import (
    Alert,
    AlertFired,
    AlertGroup,
    AlertResolved,
    GroupAcknowledged,
    GroupFiredAgain,
    GroupSilenced,
    GroupState,
    GroupUnacknowledged,
    SilenceEnded,
    Timer,
    Transaction,
    announce,
    counted,
    rank,
)
from tocsin_escalation.calls import progress_of, rooms_so_far
from tocsin_escalation.events import AnsweredFor, MembersTold
from tocsin_escalation.held import Watch
from tocsin_escalation.steps import Steps

LOOK = "escalation.look"
MORE = "escalation.more"

TELL_AFTER = timedelta(seconds=10)
"""Alerts of one group come one after another; so long they are gathered before they are told."""


@dataclass(frozen=True)
class Members:
    """Looks at a group when something of it fires or ends. steps: by which it begins anew. watch: over who has it."""

    steps: Steps
    watch: Watch

    def changed(self, event: AlertFired | AlertResolved, tx: Transaction) -> None:
        """Look in a moment: a thousand alerts may come at once, and one look is enough for all of them."""
        group = tx.find_group(event.subject)
        if group is None or not group.open:
            return
        _set_once(LOOK, group, timedelta(0), tx)
        if isinstance(event, AlertFired) and group.state is GroupState.ACKNOWLEDGED:
            _set_once(MORE, group, TELL_AFTER, tx)

    def answered(self, event: GroupAcknowledged | GroupSilenced, tx: Transaction) -> None:
        """Remember how severe it is that somebody has answered for."""
        group = tx.group(event.subject)
        order = tx.config.severities
        severity, progress = group.severity(order), progress_of(group.id, tx)
        if group.fires and rank(severity, order) > rank(progress.severity, order):
            tx.record(AnsweredFor(subject=group.id, at=tx.now, severity=severity))

    def look(self, timer: Timer, tx: Transaction) -> None:
        """Worse than what people know of: begin anew."""
        group = tx.find_group(timer.key)
        if group is not None and group.open:
            self._look(group, tx)

    def fired_again(self, event: GroupFiredAgain, tx: Transaction) -> None:
        """Of a group that flaps: look at once, before a step of the old plan comes."""
        self._look(tx.group(event.subject), tx)

    def _look(self, group: AlertGroup, tx: Transaction) -> None:
        order = tx.config.severities
        severity, progress = group.severity(order), progress_of(group.id, tx)
        worse = bool(group.firing) and rank(severity, order) < rank(progress.severity, order)
        if progress.plan is not None and worse:
            self._begin_anew(group, f"it is {severity} now", tx)
        elif group.rings:
            self.steps.look_again(group, progress, tx)
        else:
            self.watch.look_again(group, tx)

    def _begin_anew(self, group: AlertGroup, because: str, tx: Transaction) -> None:
        # The plan first: whoever reacts to the end of an answer takes its first step.
        state = group.state
        self.steps.choose(group, tx)
        match state:
            case GroupState.ACKNOWLEDGED:
                announce(tx, tx.record(GroupUnacknowledged(subject=group.id, at=tx.now, because=because)))
            case GroupState.SILENCED:
                announce(tx, tx.record(SilenceEnded(subject=group.id, at=tx.now, because=because)))
            case _:
                self.steps.go_on(group, tx, because=because)


def _set_once(kind: str, group: AlertGroup, after: timedelta, tx: Transaction) -> None:
    if not tx.timer_is_set(kind, group.id):
        tx.set_timer(kind, group.id, after=after)


def tell(timer: Timer, tx: Transaction) -> None:
    """Say in one line what came since somebody has it, each alert once."""
    group = tx.find_group(timer.key)
    if group is None or group.state is not GroupState.ACKNOWLEDGED:
        return
    holder, more = group.acknowledged_by, _untold(group, tx)
    if not more:
        return
    alerts = {alert.fingerprint: alert for alert in more}
    tx.record(MembersTold(subject=group.id, at=tx.now, person=holder, alerts=tuple(alerts)))
    part = replace(group, alerts=alerts, firing=set(alerts), unlisted=0)
    message = tx.about(part, f"{counted(len(alerts), 'more alert')} since {holder} has it: ")
    for place in [*rooms_so_far(group, tx), *tx.private_places(holder)]:
        tx.say(place, message, about=group.id)


def _untold(group: AlertGroup, tx: Transaction) -> Sequence[Alert]:
    """What fires and came since somebody has it, and was not told."""
    told, since = set[str](), 0
    for entry in tx.story(group.id, (GroupAcknowledged, MembersTold)):
        told = told | set(entry.event.alerts) if isinstance(entry.event, MembersTold) else set()
        since = entry.seq  # what fired then was told then
    fired = (entry.event for entry in tx.story(group.id, (AlertFired,), after=since))
    came = {event.alert.fingerprint: event.alert for event in fired if isinstance(event, AlertFired)}
    return [alert for one, alert in came.items() if one in group.firing and one not in told]
