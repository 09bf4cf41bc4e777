"""What becomes of an incident by what its checks say: one turn keeps it, and says it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tocsin.api import (
    Clock,
    Incident,
    Message,
    Picture,
    Transaction,
    counted,
    first_few,
    groups_of,
    of_incident,
    tell_incident,
)
from tocsin_verification import telling
from tocsin_verification.changes import Change, judged
from tocsin_verification.events import AlertsAwaited, UnseenTold
from tocsin_verification.judge.verdict import Verdict
from tocsin_verification.judging import Asked, Found
from tocsin_verification.relapse import relapsed
from tocsin_verification.reporters import waiting
from tocsin_verification.standing import recovered_at, standing
from tocsin_verification.verified import Verified, verified

SHOWN_EVERY = timedelta(minutes=1)
MOVED = 0.05
"""A value that differs by more than that part of it from what a message shows makes it another one."""


@dataclass(frozen=True)
class Shown:
    """What a message shows, which is put right where that can be done. values: those in it, by check."""

    message: Message
    at: datetime
    values: Mapping[str, float]

    def outdated(self, message: Message, values: Mapping[str, float], now: datetime, *, moving: bool) -> bool:
        """Whether this message is to be shown in its place. moving: what it says changes as time goes on."""
        if message == self.message or now - self.at < SHOWN_EVERY:
            return False
        then = self.values
        return moving or any(
            name not in then or abs(value - then[name]) > MOVED * max(abs(value), abs(then[name]))
            for name, value in values.items()
        )


@dataclass(frozen=True)
class Keeping:
    """every: how often checks are looked at. What lacks data for longer than twice as long is told.

    unwatched: the alerts of an incident that fire, and at which no check looks: there is no all-clear before they are over.
    shown: what was shown last, by incident: the same is not shown again, nor another before a minute is over.
    """

    every: timedelta
    unwatched: Callable[[Incident, Transaction], Sequence[str]]
    shown: dict[str, Shown] = field(default_factory=dict)

    def keep(
        self,
        incident: Incident,
        asked: Asked,
        found: Mapping[str, Found],
        picture: Picture | None,
        tx: Transaction,
    ) -> None:
        """Keep what was found, and tell people what they need to know of it."""
        state = verified(incident.number, tx)
        first = all(check.judged is None for check in state.checks.values())
        changes = judged(incident.number, state, asked, found, tx)
        facts = self._facts(incident, state, found, tx)
        if first and changes:
            self._reported(incident, state, found, tx)
        else:
            progress = telling.progress(incident, facts, state)
            if changes or self._outdated(incident, state, progress, found, tx):
                self.shown[incident.number] = Shown(progress, tx.now, _values(found))
                telling.show(incident, progress, tx, anew=bool(changes))
            self._lacks(incident, state, found, tx)
            if not self._says_it_all(incident, state, changes, tx):
                self._changed(incident, state, found, changes, tx)
        self._worse(incident, state, changes, tx)
        self._clear(tx.incident(incident.number), state, facts, picture, tx)

    def _outdated(
        self,
        incident: Incident,
        state: Verified,
        progress: Message,
        found: Mapping[str, Found],
        tx: Transaction,
    ) -> bool:
        """Whether what is shown is to be put right, though nothing is in another state: time goes on, or a value has moved."""
        moving = any(one.verdict is Verdict.RECOVERING for one in state.checks.values())
        last = self.shown.get(incident.number)
        if not (moving or state.waits(incident)):
            return False
        return last is None or last.outdated(progress, _values(found), tx.now, moving=moving)

    def waits_for(self, incident: Incident, tx: Transaction) -> Sequence[str]:
        """The alerts that alone keep it from its all-clear."""
        state = verified(incident.number, tx)
        return self.unwatched(incident, tx) if state.waits(incident) and state.proven(tx.now) else ()

    def _facts(
        self, incident: Incident, state: Verified, found: Mapping[str, Found], tx: Transaction
    ) -> Sequence[str]:
        """How all checks stand now, each in a line; what keeps from the all-clear stands first."""
        return [
            telling.line_of(check, found[check.name].judgement).fact
            + telling.until(check, state, incident, tx.now)
            if check.name in found
            else f"{check.name}: not looked at yet"
            for check in telling.worst_first(state.checks.values())
        ]

    def _reported(
        self, incident: Incident, state: Verified, found: Mapping[str, Found], tx: Transaction
    ) -> None:
        """What the checks say of the report: is it real, how bad, since when."""
        facts, lasting = [], []
        for check in telling.worst_first(state.checks.values()):
            if (one := found.get(check.name)) is None:
                continue
            facts.append(telling.report_of(check, one.judgement))
            lasting.append(telling.with_spark(facts[-1], one))
        for _, missing in telling.lacking(state, found, tx.now):
            tx.record(missing)  # it stands there
        plain, sparkling = (telling.progress(incident, some, state) for some in (facts, lasting))
        self.shown[incident.number] = Shown(plain, tx.now, _values(found))
        telling.show_anew(incident, plain, tx, sparkling)

    # What can't be verified.

    def _changed(
        self,
        incident: Incident,
        state: Verified,
        found: Mapping[str, Found],
        changes: Sequence[Change],
        tx: Transaction,
    ) -> None:
        """Say what is another than before: everywhere what could not be verified and can, the rest where no line shows it."""
        again = [f"can be verified again: {change.fact}" for change in changes if change.can_again]
        self._tell(incident, again, f"can be verified again: {counted(len(again), 'check')}", tx)
        told = [
            telling.with_spark(
                one.fact + telling.until(one.now, state, incident, tx.now), found.get(one.now.name)
            )
            for one in changes
            if one.told and not one.can_again
        ]
        if told:
            telling.tell_changes(incident, told, telling.summary(state), tx)

    def _lacks(
        self, incident: Incident, state: Verified, found: Mapping[str, Found], tx: Transaction
    ) -> None:
        """Say what can't be verified for so long that it is no hiccup."""
        lacks, mistyped = [], ""
        for check, missing in telling.lacking(state, found, tx.now - 2 * self.every):
            tx.record(missing)
            lacks.append(telling.cannot_line(check, missing.missing, tx))
            if check.added.by and check.stood is None:
                mistyped = tx.typed(f"verify {incident.number} drop {check.name}")
        self._tell(incident, lacks, f"cannot verify {counted(len(lacks), 'check')}", tx, command=mistyped)

    def _tell(
        self, incident: Incident, facts: Sequence[str], text: str, tx: Transaction, *, command: str = ""
    ) -> None:
        """Say something that nobody may miss, where the incident is talked about."""
        if facts:
            tell_incident(incident, telling.message(incident, facts, text, command=command), tx)

    # What is over, and what is not after all.

    def _says_it_all(
        self, incident: Incident, state: Verified, changes: Sequence[Change], tx: Transaction
    ) -> bool:
        """Whether what changed is told in another message of the same turn."""
        if any(change.lost and change.now.added.must for change in changes):
            return state.cleared or not incident.active
        proven = state.proven(tx.now) and not state.cleared and incident.open
        return proven and not self.waits_for(incident, tx)

    def _worse(self, incident: Incident, state: Verified, changes: Sequence[Change], tx: Transaction) -> None:
        lost = [change.fact for change in changes if change.lost and change.now.added.must]
        if not lost:
            return
        because = "; ".join(lost)
        if not incident.active:
            relapsed(tx, incident, because)
        elif state.cleared and Clock.ALL_CLEAR in incident.clocks:
            tx.record(incident.withdraw_clear(because, "", tx.now))
            message = of_incident(
                incident,
                f"not clear after all: {because}",
                brief="not clear after all",
                command=tx.typed(f"verify {incident.number}"),
            )
            tell_incident(incident, message, tx, team=True)

    def _clear(
        self,
        incident: Incident,
        state: Verified,
        facts: Sequence[str],
        picture: Picture | None,
        tx: Transaction,
    ) -> None:
        if not incident.open:
            return
        number = incident.number
        mitigated = incident.clocks.get(Clock.MITIGATED)
        if state.unseen and incident.active and mitigated is not None and not state.unseen_told:
            tx.record(UnseenTold(subject=number, at=tx.now))
            text = "no check shows this incident, so none can tell when it is over"
            command = tx.typed(f"verify {number} add EXPR")
            tell_incident(incident, of_incident(incident, text, brief=text, command=command), tx)
        if not (state.waits(incident) and state.proven(tx.now)):
            return
        if fires := self.waits_for(incident, tx):
            if not state.awaited.issuperset(fires):
                tx.record(AlertsAwaited(subject=number, at=tx.now, alerts=tuple(fires)))
                tell_incident(incident, telling.awaits(incident, fires, tx), tx)
            return
        since, what = (mitigated, "mitigated") if mitigated else (incident.began_at, telling.begun(incident))
        back = recovered_at(standing(tx, incident))
        tx.record(incident.clear("; ".join(facts), "", tx.now, recovered_at=back))
        text = telling.clear_text(since, f"it was {what}", tx.now, facts)
        lines = list(facts) if len(facts) > 1 else []
        if firing := [group.id for group in groups_of(incident, tx) if group.open and group.fires]:
            lines.append(f"still firing: {first_few(firing, telling.MOST_NAMED)}")
        if names := waiting(number, tx):
            lines.append(f"waiting for {', '.join(names)}: {tx.typed('confirm')}")
        command = tx.typed(f"done {number} CAUSE") if incident.active else ""
        message = of_incident(incident, text, brief=text.partition(":")[0], command=command, lines=lines)
        tell_incident(incident, replace(message, picture=picture), tx, team=True)


def _values(found: Mapping[str, Found]) -> Mapping[str, float]:
    values = {name: one.judgement.value for name, one in found.items()}
    return {name: value for name, value in values.items() if value is not None}
