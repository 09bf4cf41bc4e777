"""Whoever comes on call while it rings is paged."""

from dataclasses import dataclass

from tocsin.api import AlertGroup, GroupFiredAgain, OnCallChanged, Transaction, listed
from tocsin_escalation.calls import join, progress_of
from tocsin_escalation.steps import Steps


@dataclass(frozen=True)
class Duty:
    """Looks at each change of who is on call. steps: by which a group goes on."""

    steps: Steps

    def changed(self, event: OnCallChanged, tx: Transaction) -> None:
        """Page who came, for all that rings and has called whoever was on call."""
        on_call = tx.callees(event.schedule)  # this may come late
        new = [person for person in event.came() if person in on_call]
        for group in tx.open_groups() if new else ():
            if group.rings:
                self._page(new, event.schedule, group, tx)

    def fired_again(self, event: GroupFiredAgain, tx: Transaction) -> None:
        """It flaps: who came on call while it was quiet is paged now."""
        group = tx.group(event.subject)
        if group.rings:
            for schedule in sorted(progress_of(group.id, tx).names & set(tx.config.schedules)):
                self._page(list(tx.callees(schedule)), schedule, group, tx)

    def _page(self, new: list[str], schedule: str, group: AlertGroup, tx: Transaction) -> None:
        progress = progress_of(group.id, tx)
        plan, waits = progress.plan, progress.walk.put_off
        if plan is None:
            return
        people = [one for one in new if one not in progress.walk.called | progress.walk.asleep]
        if people and schedule in progress.names:
            join(people, f"{listed(people)} came on call", group, progress, tx)
        if waits is not None and schedule in plan.steps[waits.at_step.step].page:
            self.steps.go_on(group, tx)  # who came may be awake
