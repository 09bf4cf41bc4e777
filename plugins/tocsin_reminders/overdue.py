"""When an update is due, and who is told, one after another, when it does not come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin.api import (
    Event,
    Incident,
    IncidentDeclared,
    IncidentReopened,
    PageAsked,
    PageUnneeded,
    Role,
    SeverityChanged,
    StatusUpdated,
    Timer,
    Transaction,
    of_incident,
    spelled,
    tell_incident,
)
from tocsin_reminders.audiences import Audiences
from tocsin_reminders.events import OverdueTold, Stage, UpdatePromised
from tocsin_reminders.promise import PAGE_KEY, due_after, late, owner, promise_of
from tocsin_reminders.settings import StagesBySeverity, UpdateEvery
from tocsin_reminders.telling import clock, tell_privately

DUE = "reminders.update_due"
STAGE = "reminders.overdue"
LOOK = "reminders.look"


@dataclass(frozen=True)
class Overdue:
    """every: how often updates come. stages: who is told when one does not. page: whom the last stage calls; empty for
    whoever answers for the update. audiences: who was promised it beside those who work on it.
    """

    every: UpdateEvery
    stages: StagesBySeverity
    page: str
    audiences: Audiences

    # What happens to an incident.

    def begin(self, event: IncidentDeclared | IncidentReopened, tx: Transaction) -> None:
        """From here on updates are due."""
        incident = tx.incident(event.subject)
        next_at = due_after(self.every.of(incident.severity), incident, tx.now)
        self._promise(incident, next_at, tx)

    def updated(self, event: StatusUpdated, tx: Transaction) -> None:
        """Somebody told how it stands: nothing is overdue any more."""
        self._settle(event.subject, f"{event.by} told how it stands", tx)
        if tx.incident(event.subject).active and event.next_at is not None:
            self._arm(event.subject, event.next_at, tx)

    def over(self, event: Event, tx: Transaction) -> None:
        """No update is due any more."""
        self._settle(event.subject, f"it is {tx.incident(event.subject).stands}", tx)

    def changed(self, event: Event, tx: Transaction) -> None:
        """It is worse, or another one takes part in it: the next update may be due sooner, and more people be told."""
        incident = tx.incident(event.subject)
        promise = promise_of(incident.number, tx)
        if not incident.active or promise.next_at is None:
            return
        if promise.told:
            self._go_on(incident, promise.told[-1], tx)
            return
        next_at = due_after(self.every.of(incident.severity), incident, tx.now)
        # A time that somebody gave is what people wait for; only a worse incident makes it come sooner.
        may_move = isinstance(event, SeverityChanged) or not promise.given
        if may_move and next_at < promise.next_at:
            was_given = promise.given
            self._promise(incident, next_at, tx)
            if was_given:
                text = f"now {incident.severity}: next update by {clock(next_at, tx)}"
                tell_incident(incident, of_incident(incident, text, brief=text), tx, team=True)

    def look(self, timer: Timer, tx: Transaction) -> None:  # noqa: ARG002 (one timer for all)
        """Updates are due of what was declared before anybody looked after that, too."""
        for incident in tx.open_incidents():
            if incident.active and promise_of(incident.number, tx).next_at is None:
                self._promise(incident, due_after(self.every.of(incident.severity), incident, tx.now), tx)

    # What time brings.

    def due(self, timer: Timer, tx: Transaction) -> None:
        """The promised time is here."""
        incident = tx.find_incident(timer.key)
        promise = promise_of(timer.key, tx)
        if incident is None or not incident.active or promise.next_at is None or promise.told:
            return
        if tx.now < promise.next_at:  # the clock was set back
            self._arm(incident.number, promise.next_at, tx)
            return
        self._tell(incident, promise.next_at, Stage.OWNER, tx)

    def stage(self, timer: Timer, tx: Transaction) -> None:
        """It is overdue for so long that another one is told."""
        number, _, name = timer.key.partition("/")
        incident = tx.find_incident(number)
        promise = promise_of(number, tx)
        if incident is None or not incident.active or promise.next_at is None or not promise.told:
            return
        if Stage(name) in promise.told:
            return
        if Stage(name) in [stage for _, stage in self._plan(incident, tx)]:
            self._tell(incident, promise.next_at, Stage(name), tx)
        else:
            self._go_on(incident, Stage(name), tx)

    # How that is done.

    def _promise(self, incident: Incident, next_at: datetime, tx: Transaction) -> None:
        tx.record(UpdatePromised(subject=incident.number, at=tx.now, next_at=next_at))
        self._arm(incident.number, next_at, tx)

    def _arm(self, number: str, next_at: datetime, tx: Transaction) -> None:
        # People were told a time and look at their clocks: it is due when clocks show that, whoever sets them.
        tx.set_timer(DUE, number, at=next_at)

    def _settle(self, number: str, because: str, tx: Transaction) -> None:
        tx.cancel_timer(DUE, number)
        for stage in Stage:
            tx.cancel_timer(STAGE, f"{number}/{stage}")
        if promise_of(number, tx).paging:
            tx.record(PageUnneeded(subject=number, at=tx.now, key=PAGE_KEY, because=because))

    def _plan(self, incident: Incident, tx: Transaction) -> Sequence[tuple[timedelta, Stage]]:
        """The stages that come for it as it stands now, and how long after the promised time."""
        deputy = incident.roles.get(Role.DEPUTY, "")
        left_out = set() if deputy and deputy != owner(incident) else {Stage.DEPUTY}
        if incident.solo:  # whoever does all of it alone is reminded, and nobody else comes upon them
            left_out |= {Stage.DEPUTY, Stage.ROOM, Stage.PAGE}
        if not self.audiences.expected(incident, tx):
            left_out |= {Stage.AUDIENCES}
        later = [one for one in self.stages.of(incident.severity) if one[1] not in left_out]
        return [(timedelta(0), Stage.OWNER), *later]

    def _go_on(self, incident: Incident, told: Stage, tx: Transaction) -> None:
        """Have the next stage come, unless it does already."""
        passed = next(
            (after for after, one in self.stages.of(incident.severity) if one is told), timedelta(0)
        )
        said = promise_of(incident.number, tx).told
        for after, stage in self._plan(incident, tx):
            if after >= passed and stage not in (*said, told, Stage.OWNER):
                key = f"{incident.number}/{stage}"
                if not tx.timer_is_set(STAGE, key):
                    # From one stage to the next so much time has to pass in which somebody can answer, whatever
                    # happens to the clock, or however long we were away.
                    tx.set_timer(STAGE, key, after=after - passed)
                return

    def _tell(self, incident: Incident, promised: datetime, stage: Stage, tx: Transaction) -> None:
        """Keep that a stage has come, tell whom it means, and have the next one come: all in this turn, or nothing."""
        number, who = incident.number, self._who(incident, stage)
        tx.record(OverdueTold(subject=number, at=tx.now, stage=stage, promised_at=promised, who=who))
        much = late(promised, tx.now)
        is_late = f"is {spelled(much)} late" if much else "is due now"
        theirs = f"{name}'s promised update" if (name := owner(incident)) else "the promised update"
        command = tx.typed(f"status {number} TEXT")
        room = f"{theirs} (by {clock(promised, tx)}) {is_late}"
        match stage:
            case Stage.OWNER:
                private = of_incident(incident, f"your promised update {is_late}", command=command)
                if not (who and tell_privately(incident, who, private, tx)):
                    self._tell_room(incident, room, command, tx)
            case Stage.DEPUTY:
                text = f"{theirs} {is_late}, and you are the deputy"
                if not tell_privately(incident, who, of_incident(incident, text, command=command), tx):
                    self._tell_room(incident, room, command, tx)
            case Stage.ROOM:
                self._tell_room(incident, room, command, tx)
            case Stage.AUDIENCES:
                self.audiences.late(incident, tx)
            case Stage.PAGE if incident.drill:
                self._tell_room(
                    incident, f"{room}; in earnest {who or 'nobody'} would be paged now", command, tx
                )
            case Stage.PAGE if who:
                # It rings for long: how late it is now would soon be wrong.
                text = f"the update promised by {clock(promised, tx)} has not come: {command}"
                tx.record(PageAsked(subject=number, at=tx.now, name=who, text=text, key=PAGE_KEY))
            case Stage.PAGE:
                self._tell_room(incident, f"{room}, and there is nobody to page for it", command, tx)
        self._go_on(incident, stage, tx)

    def _who(self, incident: Incident, stage: Stage) -> str:
        """The person whom a stage means, or who is paged by it; empty if it means none."""
        match stage:
            case Stage.OWNER:
                return owner(incident)
            case Stage.DEPUTY:
                return incident.roles.get(Role.DEPUTY, "")
            case Stage.PAGE:
                return self.page or owner(incident)
        return ""

    def _tell_room(self, incident: Incident, text: str, command: str, tx: Transaction) -> None:
        # Where people work on it, and not in the team's rooms besides.
        tell_incident(incident, of_incident(incident, text, brief=text, command=command), tx)
