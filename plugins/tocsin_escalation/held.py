"""Whether whoever has it still has it: asked after a while, and without an answer it rings again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from tocsin.api import (
    AcknowledgementRenewed,
    AlertGroup,
    GroupAcknowledged,
    GroupResolved,
    GroupSilenced,
    GroupState,
    GroupUnacknowledged,
    Message,
    Timer,
    Transaction,
    announce,
    spelled,
)
from tocsin_escalation.calls import rooms_so_far
from tocsin_escalation.events import HolderAsked

ASK = "escalation.ask_holder"
GIVE_UP = "escalation.holder_silent"

USUAL = timedelta(hours=1)
"""After so long the holder of an alert of the worst severity is asked, unless the configuration says otherwise."""


@dataclass(frozen=True)
class Watch:
    """Asks whoever has it. timeouts: severity -> after how long; None for the usual. grace: to answer in."""

    timeouts: Mapping[str, timedelta] | None
    grace: timedelta

    def begin(self, event: GroupAcknowledged | AcknowledgementRenewed, tx: Transaction) -> None:
        """The time begins, or begins anew."""
        group = tx.group(event.subject)
        tx.cancel_timer(GIVE_UP, group.id)
        self._wait(group, tx)

    def end(self, event: GroupUnacknowledged | GroupSilenced | GroupResolved, tx: Transaction) -> None:
        """Nobody has it any more."""
        if tx.group(event.subject).state is not GroupState.ACKNOWLEDGED:
            tx.cancel_timer(ASK, event.subject)
            tx.cancel_timer(GIVE_UP, event.subject)

    def look_again(self, group: AlertGroup, tx: Transaction) -> None:
        """It may be that only what fires now is severe enough to ask."""
        if not any(tx.timer_is_set(kind, group.id) for kind in (ASK, GIVE_UP)):
            self._wait(group, tx)

    def ask(self, timer: Timer, tx: Transaction) -> None:
        """Long enough: do they still have it?"""
        group = tx.find_group(timer.key)
        if group is None or group.state is not GroupState.ACKNOWLEDGED or self._timeout(group, tx) is None:
            return
        holder = group.acknowledged_by
        tx.record(HolderAsked(subject=group.id, at=tx.now, person=holder))
        tx.set_timer(GIVE_UP, group.id, after=self.grace)
        question = f"you have had it for {_for_how_long(group, tx)}: still on it?"
        text = f"{question} Else it pages again in {spelled(self.grace)}"
        message = Message(text, subject=group.id, command=tx.typed(f"ack {group.id}"), told=text)
        for place in tx.private_places(holder):
            tx.say(place, tx.proven(place, message, about=group.id, person=holder), about=group.id)
        for room in rooms_so_far(group, tx):
            asked = f"{holder}: {text}"
            tx.say(room, replace(message, text=asked, told=asked), about=group.id)

    def give_up(self, timer: Timer, tx: Transaction) -> None:
        """They did not answer: it rings again; what flaps, and is quiet now, once it fires."""
        group = tx.find_group(timer.key)
        if group is None or group.state is not GroupState.ACKNOWLEDGED or not _asked_last(group, tx):
            return
        because = f"{group.acknowledged_by} gave no answer"
        event = GroupUnacknowledged(subject=group.id, at=tx.now, because=because)
        tx.record(event)
        announce(tx, event, said=f"{because}; pages again once it fires" if group.quiet else "")

    def _wait(self, group: AlertGroup, tx: Transaction) -> None:
        timeout = self._timeout(group, tx)
        if group.state is GroupState.ACKNOWLEDGED and timeout is not None:
            tx.set_timer(ASK, group.id, after=timeout)

    def _timeout(self, group: AlertGroup, tx: Transaction) -> timedelta | None:
        order = tx.config.severities
        timeouts = {order[0]: USUAL} if self.timeouts is None else self.timeouts
        return timeouts.get(group.severity(order))


def _asked_last(group: AlertGroup, tx: Transaction) -> bool:
    """Whether nothing was answered since the question."""
    told = (HolderAsked, GroupAcknowledged, AcknowledgementRenewed)
    return isinstance(tx.story(group.id, told)[-1].event, HolderAsked)


def _for_how_long(group: AlertGroup, tx: Transaction) -> str:
    """In whole minutes, if it is one at least."""
    length = tx.now - (group.acknowledged_at or tx.now)
    return spelled(length - length % timedelta(minutes=1) or length)
