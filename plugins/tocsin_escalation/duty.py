"""Whoever comes on call while it rings is paged, and who has handed over the pager is called no more."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.api import (
    AlertGroup,
    GroupFiredAgain,
    OnCallChanged,
    PersonReleased,
    Transaction,
    listed,
)
from tocsin_escalation.calls import join, progress_of
from tocsin_escalation.steps import Steps


@dataclass(frozen=True)
class Duty:
    """Looks at each change of who is on call. steps: by which a group goes on."""

    steps: Steps

    def changed(self, event: OnCallChanged, tx: Transaction) -> None:
        """Page who came, for all that rings and has called whoever was on call; call those no more who were released."""
        on_call = tx.callees(event.schedule)  # this may come late
        new = [person for person in event.came() if person in on_call]
        gone = [person for person in event.released if person not in on_call]
        for group in tx.open_groups() if new or gone else ():
            if group.unanswered:
                self._hand_over(new, gone, event.schedule, group, tx)

    def fired_again(self, event: GroupFiredAgain, tx: Transaction) -> None:
        """It flaps: who came on call while it was quiet is paged now."""
        group = tx.group(event.subject)
        if group.rings:
            for schedule in sorted(progress_of(group.id, tx).names & set(tx.config.schedules)):
                self._hand_over(list(tx.callees(schedule)), (), schedule, group, tx)

    def _hand_over(
        self, new: Sequence[str], gone: Sequence[str], name: str, group: AlertGroup, tx: Transaction
    ) -> None:
        progress = progress_of(group.id, tx)
        plan, waits = progress.plan, progress.walk.put_off
        if plan is None:
            return
        meant = {person for each in progress.names for person in tx.callees(each)}
        called = progress.walk.called | progress.walk.asleep
        left = [one for one in gone if one in called and one not in meant]
        for person in left:
            tx.record(PersonReleased(subject=group.id, at=tx.now, person=person))
            _let_go(person, new, group, tx)
        if not group.rings:
            return
        together = progress.names_in(lambda step: not step.round_robin)
        joins = {person for each in together for person in tx.callees(each)}
        people = [one for one in new if one not in called and (left or one in joins)]
        if left:
            self._in_their_place(people, left, group, tx, alone=not called & meant)
        elif people:
            join(people, f"{listed(people)} came on call", group, progress, tx)
        if waits is not None and name in plan.steps[waits.at_step.step].page:
            self.steps.go_on(group, tx)  # who came may be awake

    def _in_their_place(
        self, people: Sequence[str], left: Sequence[str], group: AlertGroup, tx: Transaction, *, alone: bool
    ) -> None:
        """Page who has the pager now, with all the time that a step gives. alone: nobody else is called as it is."""
        progress = progress_of(group.id, tx)
        why = f"{listed(people)} has the pager of {listed(left)}"
        if people and join(people, why, group, progress, tx, again=True, anew=True):
            self.steps.wait_anew(group, tx)
        elif alone and not progress.walk.exhausted:
            self.steps.go_on(group, tx)


def _let_go(person: str, new: Sequence[str], group: AlertGroup, tx: Transaction) -> None:
    """The line that stands where they were paged says so, where it can; it rings nobody."""
    has = f"{listed(new)} has the pager now: " if new else "you have the pager no more: "
    for place in tx.private_places(person):
        tx.amend(place, tx.about(group, has), about=group.id)
