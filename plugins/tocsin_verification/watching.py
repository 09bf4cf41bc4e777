"""When checks begin, how long they are looked at, and the errand that looks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from tocsin.api import (
    AlertGroup,
    AlertsAttached,
    Clock,
    GroupReopened,
    GroupResolved,
    Incident,
    IncidentDeclared,
    IncidentMitigated,
    IncidentReopened,
    IncidentResolved,
    Picture,
    Place,
    Timer,
    Tocsin,
    Transaction,
    groups_of,
)
from tocsin_verification import telling
from tocsin_verification.adding import Adding
from tocsin_verification.drawing import drawn
from tocsin_verification.events import VerificationEnded, VerificationStarted, Why
from tocsin_verification.groups import SETTLES, Groups
from tocsin_verification.judge.verdict import Verdict
from tocsin_verification.judging import Asked, Found, Judging, Probe
from tocsin_verification.keeping import Keeping, Shown
from tocsin_verification.reading import Reader
from tocsin_verification.verified import Verified, shows, verified

LOOK = "verification.look"
ANSWER = "verification.answer"
RESUME = "verification.resume"

EARLIEST = timedelta(days=1)
"""An alert may have fired before it was an incident; longer ago it is taken for the beginning of something else."""

_AT_ONCE = timedelta(0)

Until = Callable[[Incident], datetime | None]


@dataclass
class Watching:
    """Looks at the checks of incidents while they last, and for a while after that.

    until: when a relapse is watched for no more; None of what is not over. What it keeps besides is only to be quick.
    """

    every: timedelta
    adding: Adding
    until: Until
    probes: Mapping[str, Probe] = field(default_factory=dict)
    judging: Judging = field(default_factory=Judging)
    _shown: dict[str, Shown] = field(default_factory=dict)
    _of_groups: set[str] = field(default_factory=set)
    _reader: Reader | None = None

    @property
    def _keeping(self) -> Keeping:
        return Keeping(self.every, self.adding.unwatched, self._shown)

    @property
    def _groups(self) -> Groups:
        return Groups(self.every, self.adding)

    # What happens to an incident.

    def declared(self, event: IncidentDeclared, tx: Transaction) -> None:
        """Its checks are read at once: is it real, how bad, since when?"""
        incident = tx.incident(event.subject)
        self.adding.to_incident(incident, incident.groups, tx)
        self._start(incident, Why.DECLARED, tx)

    def attached(self, event: AlertsAttached, tx: Transaction) -> None:
        """Further alerts may have further checks."""
        incident = tx.incident(event.subject)
        if self.adding.to_incident(incident, event.groups, tx) and incident.active:
            self._start(incident, Why.DECLARED, tx)

    def mitigated(self, event: IncidentMitigated, tx: Transaction) -> None:
        """From here on people wait for the all-clear: how it stands is said anew where they look now."""
        incident, state = tx.incident(event.subject), verified(event.subject, tx)
        if not incident.active or not state.checks:
            return
        self._start(incident, Why.MITIGATED, tx)
        facts = [
            one.judged.line for one in telling.worst_first(state.checks.values()) if one.judged is not None
        ]
        if facts and Clock.ALL_CLEAR not in incident.clocks:
            message = telling.progress(incident, facts, state)
            self._shown[incident.number] = Shown(message, tx.now, {})
            telling.show_anew(incident, message, tx)

    def reopened(self, event: IncidentReopened, tx: Transaction) -> None:
        """It goes on; what it was noticed by is the same, unless it was over for long."""
        incident = tx.incident(event.subject)
        self.adding.to_incident(incident, incident.groups, tx)
        self._start(incident, Why.REOPENED, tx)

    def asked(self, incident: Incident, tx: Transaction) -> None:
        """Somebody wants to know, or changed what is checked."""
        self._start(incident, Why.ASKED, tx)

    def over(self, event: IncidentResolved, tx: Transaction) -> None:
        """Look once more now, so that what comes later is known to be a relapse or not."""
        if verified(event.subject, tx).running:
            tx.set_timer(LOOK, event.subject, after=_AT_ONCE)

    def _start(self, incident: Incident, why: Why, tx: Transaction) -> None:
        state = verified(incident.number, tx)
        if not state.checks:
            return
        if not (state.running and why is Why.ASKED):
            alert_at = state.alert_at if state.running else None
            alert_at = alert_at or self._noticed_at(incident, tx)
            tx.record(VerificationStarted(subject=incident.number, at=tx.now, why=why, alert_at=alert_at))
        tx.set_timer(LOOK, incident.number, after=_AT_ONCE)

    def _noticed_at(self, incident: Incident, tx: Transaction) -> datetime:
        """When its first alert fired, or somebody declared it."""
        began = incident.began_at or tx.now
        fired = [
            at
            for group in groups_of(incident, tx)
            for at in _fires_since(group)
            if began - EARLIEST <= at <= began
        ]
        return min([began, *fired])

    # What happens to alerts that belong to no incident.

    def resolved(self, event: GroupResolved, tx: Transaction) -> None:
        """Its sender calls it resolved: see whether that is so."""
        if self._groups.resolved(event, len(self._of_groups), tx):
            self._of_groups.add(event.subject)
            tx.set_timer(LOOK, event.subject, after=SETTLES * self.every)

    def fires_again(self, event: GroupReopened, tx: Transaction) -> None:
        self._groups.reopened(event, tx)

    # What time brings.

    def resume(self, timer: Timer, tx: Transaction) -> None:  # noqa: ARG002 (one timer for all)
        """Whatever is to be looked at is, though the timer for it was given up or never set."""
        for incident in list(tx.incidents_since(tx.now - timedelta(days=1))):
            state = verified(incident.number, tx)
            if state.running and not tx.timer_is_set(LOOK, incident.number):
                tx.set_timer(LOOK, incident.number, after=_AT_ONCE)
            elif incident.active and state.alert_at is None:  # declared before anybody looked after that
                self.adding.to_incident(incident, incident.groups, tx)
                self._start(incident, Why.DECLARED, tx)

    async def look(self, timer: Timer, tocsin: Tocsin) -> None:
        """Look at all checks of an incident, keep what they say, and look again in a while."""
        asked = await tocsin.turn(partial(self._to_ask, timer.key))
        if asked is None:
            self.judging.forget(timer.key)
            self._of_groups.discard(timer.key)
            return
        found = await self._find(asked, tocsin)
        picture = await drawn(asked, found) if _may_clear(asked, found) else None
        await tocsin.must(partial(self._keep, asked, found, picture))

    async def answer(self, timer: Timer, tocsin: Tocsin) -> None:
        """Look now, and say it where somebody asked."""
        number, _, place = timer.key.partition("/")
        asked = await tocsin.turn(partial(_asked, number))
        found = await self._find(asked, tocsin)
        picture = await drawn(asked, found)
        await tocsin.must(partial(self._say, asked, found, picture, Place.parse(place)))

    async def _find(self, asked: Asked, tocsin: Tocsin) -> Mapping[str, Found]:
        sources = tocsin.sources
        if self._reader is None or self._reader.sources is not sources:
            self._reader = Reader(sources)
        self.judging.forget(asked.subject, [check.name for check in asked.checks])
        now = tocsin.clock.now().timestamp()
        only = next(iter(sources)) if len(sources) == 1 else ""
        return await self.judging.look(asked, self._reader, only, self.probes, now)

    def _to_ask(self, number: str, tx: Transaction) -> Asked | None:
        """What is to be looked at; None if it is over for long enough, or nothing is left to look at."""
        incident, state = tx.find_incident(number), verified(number, tx)
        if not state.running:
            return None
        group = tx.find_group(number) if incident is None else None
        if group is not None:
            self._of_groups.add(number)
            return None if self._groups.ends(group, state, tx) else _asked(number, tx)
        if incident is None:
            return None
        if why := self._ends(incident, state, tx):
            tx.record(VerificationEnded(subject=number, at=tx.now, because=why))
            return None
        waits = state.waits(incident) and not (state.all_clear and self.adding.unwatched(incident, tx))
        return replace(_asked(number, tx), waits=waits)

    def _ends(self, incident: Incident, state: Verified, tx: Transaction) -> str:
        if not state.checks:
            return "no check is left"
        until = None if incident.active else self.until(incident)
        return "no relapse while it was watched" if until is not None and tx.now >= until else ""

    def _keep(
        self, asked: Asked, found: Mapping[str, Found], picture: Picture | None, tx: Transaction
    ) -> None:
        if not verified(asked.subject, tx).running:
            return
        incident, group = tx.find_incident(asked.subject), tx.find_group(asked.subject)
        if incident is not None:
            self._keeping.keep(incident, asked, found, picture, tx)
        elif group is not None:
            self._groups.keep(group, asked, found, tx)
        tx.set_timer(LOOK, asked.subject, after=self.every)

    def _say(
        self,
        asked: Asked,
        found: Mapping[str, Found],
        picture: Picture | None,
        place: Place,
        tx: Transaction,
    ) -> None:
        incident = tx.find_incident(asked.subject)
        if incident is None:
            return
        state = verified(asked.subject, tx)
        if state.running:
            self._keeping.keep(incident, asked, found, picture, tx)
        message = telling.answer(incident, state, found, place, tx)
        awaited = self._keeping.waits_for(incident, tx)
        message = telling.with_awaited(message, incident.number, awaited, tx)
        tx.say(place, replace(message, picture=picture), about=incident.number)


def _asked(number: str, tx: Transaction) -> Asked:
    state, incident = verified(number, tx), tx.find_incident(number)
    alert_at, checks = state.alert_at or tx.now, tuple(state.checks.values())
    mitigated_at = incident.clocks.get(Clock.MITIGATED) if incident is not None else None
    return Asked(number, alert_at, checks, mitigated_at)


def _may_clear(asked: Asked, found: Mapping[str, Found]) -> bool:
    """Whether the all-clear may be given for what was found; a picture takes longer than all else."""
    musts = [(check, found[check.name].judgement) for check in asked.checks if check.added.must]
    seen = any(check.seen or shows(judgement) for check, judgement in musts)
    return asked.waits and seen and all(one.verdict is Verdict.ALL_CLEAR for _, one in musts)


def _fires_since(group: AlertGroup) -> Sequence[datetime]:
    began = [group.began_at] if group.began_at is not None else []
    return [*began, *(alert.starts_at for alert in group.alerts.values() if alert.starts_at is not None)]
