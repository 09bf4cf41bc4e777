"""Which checks an incident has: those of the configuration, and those that people add."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tocsin.api import Alert, AlertGroup, Incident, Refused, Transaction, UsageError, groups_of, listed
from tocsin_verification.checks import LONGEST_TYPED, MOST_CHECKS, Check, free, named, shared
from tocsin_verification.events import CheckAdded
from tocsin_verification.expressions import Own, Unfit, compared, take_apart
from tocsin_verification.verified import verified

ADD = "verify [INCIDENT] add [NAME:] EXPR\u2026"


log = logging.getLogger(__name__)

MOST_OWN = 3
"""So many of an incident's checks are its alerts' own: in a storm each would be, and they say much the same."""

MOST_TRIED = 10
"""So many expressions are taken apart for that: who sends alerts may send thousands of them, and the parser takes its time."""


@dataclass(frozen=True)
class Adding:
    """checks: those of the configuration, by name. sources: the names of the sources in our own settings. own: where the
    expressions of alerts are read, by receiver; empty for all others; where neither is there, they are no checks. prometheus:
    those of the sources whose expressions are PromQL.
    """

    checks: Mapping[str, Check]
    sources: Sequence[str]
    own: Mapping[str, str] = field(default_factory=dict)
    prometheus: Sequence[str] = ()

    @property
    def default(self) -> str:
        """The source that is meant where none is named; empty for the only one that another plugin brings."""
        return self.sources[0] if len(self.sources) == 1 else ""

    def to_incident(self, incident: Incident, groups: Sequence[str], tx: Transaction) -> bool:
        """Add what an incident is checked by, as far as it follows from these alerts; whether that is anything new."""
        alerts = [group for group in map(tx.find_group, groups) if group is not None]
        return bool([tx.record(event) for event in self._fitting(incident.number, alerts, tx)])

    def to_group(self, group: AlertGroup, tx: Transaction) -> bool:
        """Add what an alert is checked by that belongs to no incident; whether there is anything.

        What is a check of every incident says nothing of it.
        """
        for event in self._fitting(group.id, [group], tx):
            if event.because or self.checks[event.check].match.conditions:
                tx.record(event)
        return bool(verified(group.id, tx).checks)

    def _fitting(self, subject: str, alerts: Sequence[AlertGroup], tx: Transaction) -> Sequence[CheckAdded]:
        state = verified(subject, tx)
        known = [*state.checks, *state.dropped]
        room = MOST_CHECKS - len(state.checks)
        found = [
            self._configured(subject, name, check, tx)
            for name, check in self.checks.items()
            if name not in known and check.is_of(alerts)
        ]
        return [*found, *self._own(subject, alerts, [*known, *self.checks], tx)][: max(room, 0)]

    def _own(
        self, subject: str, alerts: Sequence[AlertGroup], taken: Sequence[str], tx: Transaction
    ) -> Sequence[CheckAdded]:
        """What these alerts watch themselves, each a check; of many the first few."""
        there = [one.added for one in verified(subject, tx).checks.values() if one.added.because]
        known = {(one.expression, *sorted(one.labels.items())) for one in there}
        found, tried = list[CheckAdded](), dict[str, Own | None]()
        for group, alert in _firing(alerts):
            source = self.own.get(group.receiver, self.own.get("", ""))
            if len(there) + len(found) >= MOST_OWN:
                break
            if not source or not alert.expression:
                continue
            if alert.expression not in tried:
                if len(tried) >= MOST_TRIED:
                    continue
                tried[alert.expression] = _taken_apart(subject, alert)
            own = tried[alert.expression]
            if own is None:
                continue
            labels = shared(alert.labels)
            if (own.expression, *sorted(labels.items())) in known:
                continue
            known.add((own.expression, *sorted(labels.items())))
            name = free(_word(alert.name), [*taken, *(one.check for one in found)])
            found.append(
                CheckAdded(
                    subject=subject,
                    at=tx.now,
                    check=name,
                    source=source,
                    expression=own.expression,
                    labels=labels,
                    direction=own.direction,
                    threshold=own.threshold,
                    above=own.above,
                    because=group.id,
                )
            )
        return found

    def unwatched(self, incident: Incident, tx: Transaction) -> Sequence[str]:
        """Those of an incident's alerts that still fire, and at which no check looks that must be back: neither by what they
        watch nor by its `match`. What somebody dropped counts as looked at: they said that it says nothing.
        """
        state = verified(incident.number, tx)
        there = [*(one.added for one in state.musts), *state.dropped.values()]
        meant = [self.checks[one.check].match for one in there if not one.by and one.check in self.checks]
        meant = [match for match in meant if match.conditions]

        def looked_at(alert: Alert) -> bool:
            if any(match.matches(alert.labels) for match in meant):
                return True
            labels = shared(alert.labels)
            same = [one for one in there if one.expression and one.labels in ({}, labels)]
            same = [one for one in same if one.expression in alert.expression]  # which is quick
            return bool(same) and compared(alert.expression) in [one.expression for one in same]

        return [
            group.id
            for group in groups_of(incident, tx)
            if group.open and not all(looked_at(group.alerts[one]) for one in group.firing)
        ]

    def _configured(self, subject: str, name: str, check: Check, tx: Transaction) -> CheckAdded:
        return CheckAdded(
            subject=subject,
            at=tx.now,
            check=name,
            source="" if check.probe else check.source or self.default,
            expression=check.expression,
            probe=check.probe,
            direction=check.side,
            counter=check.kind == "counter",
            tolerance=check.tolerance,
            hold=check.hold,
            must=check.must,
            unit=check.unit,
        )

    def by_hand(self, incident: Incident, words: str, by: str, tx: Transaction) -> CheckAdded:
        """What somebody types: a check of the configuration by its name, or an expression. Raises Refused."""
        state = verified(incident.number, tx)
        if not words:
            raise UsageError(f"what is to be checked? say {tx.typed(ADD)}")
        if len(state.checks) >= MOST_CHECKS:
            raise Refused(f"{incident.number} has {MOST_CHECKS} checks, which is all that it can have")
        if words in self.checks:
            self._refuse_twice(incident, words, state.checks, tx)
            return tx.record(self._configured(incident.number, words, self.checks[words], tx))
        settings = "[plugins.verification.checks]"
        if len(words) > LONGEST_TYPED:
            raise Refused(
                f"that is longer than {LONGEST_TYPED:,} characters: give it a name in {settings}, and add it by that"
            )
        if len(self.sources) > 1:
            raise Refused(
                f"there are several sources, {listed(self.sources)}: give the check a name and its source in "
                f"{settings}, and add it by that name"
            )
        name, expression = named(words, [*state.checks, *self.checks])
        self._refuse_twice(incident, name, state.checks, tx)
        if self.default in self.prometheus and (measured := compared(expression)):
            named_so = f"{name}: " if words.lower().startswith(f"{name}:") else ""
            add = tx.typed(f"verify {incident.number} add {named_so}{measured}")
            raise Refused(f"a comparison gives no data while all is well: say {add}")
        return tx.record(
            CheckAdded(
                subject=incident.number,
                at=tx.now,
                by=by,
                check=name,
                source=self.default,
                expression=expression,
            )
        )

    def _refuse_twice(self, incident: Incident, name: str, there: Iterable[str], tx: Transaction) -> None:
        if name in there:
            drop = tx.typed(f"verify {incident.number} drop {name}")
            raise Refused(f"{incident.number} has a check {name} already: {drop} drops it")


def _taken_apart(subject: str, alert: Alert) -> Own | None:
    try:
        return take_apart(alert.expression)
    except Unfit as error:
        log.info("%s: the expression of %s %s: it is no check", subject, alert.name, error)
        return None


def _firing(groups: Iterable[AlertGroup]) -> Iterator[tuple[AlertGroup, Alert]]:
    """The alerts that fire; of a group where none does any more all that did."""
    for group in groups:
        for fingerprint, alert in group.alerts.items():
            if not group.firing or fingerprint in group.firing:
                yield group, alert


def _word(name: str) -> str:
    """An alert's name as people can type it."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")[:40] or "alert"
