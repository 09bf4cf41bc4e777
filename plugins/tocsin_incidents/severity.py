"""How severe an incident is: said by somebody, or found out by a few questions that are answered by yes or no."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tocsin.api import (
    SEVERITIES,
    Call,
    Incident,
    Message,
    Refused,
    SeverityChanged,
    Transaction,
    UsageError,
    answer_there,
    bare,
    meant_incident,
    of_incident,
)
from tocsin_incidents.events import SeverityAsked
from tocsin_incidents.settings import Criterion

_NAMED = re.compile("sev[0-9]")

SEVERITY = "sev [INCIDENT] [sev1|\u2026|sev4] [BECAUSE\u2026]"


def asking(incident: Incident, tx: Transaction) -> str:
    """What to type to be asked: `!sev 42`; `!sev #1`, since `!sev 1` could mean the severity."""
    mark = "#" * (f"sev{incident.number}" in SEVERITIES)
    return tx.typed(f"sev {mark}{incident.number}")


@dataclass(frozen=True)
class Severities:
    """criteria: the questions, in their order; the first yes decides."""

    criteria: Sequence[Criterion]

    def say(self, call: Call, tx: Transaction) -> Message | None:
        """`!sev 42 sev1 all logins fail`; without a severity the questions are asked."""
        incident, words = self._meant(call, tx)
        first, _, because = words.partition(" ")
        named = bare(first) if bare(first) in SEVERITIES else f"sev{bare(first)}"
        if not first:
            incident.refuse_if_closed()
            return self.ask(incident, 0, tx)
        if named not in SEVERITIES:
            raise UsageError(f"{first!r} is no severity: say {tx.typed(SEVERITY)}")
        self._change(call, incident, named, because.strip(), tx)
        return None

    def _meant(self, call: Call, tx: Transaction) -> tuple[Incident, str]:
        """As anywhere; but that `!sev 1` means the severity."""
        first, _, rest = call["WORDS"].partition(" ")
        if f"sev{first}" not in SEVERITIES or _NAMED.match(rest.lower()):
            return meant_incident(call, tx)
        try:
            incident, _ = meant_incident(replace(call, words={}), tx)
        except Refused:
            if rest or tx.find_incident(first) is None:
                raise
            return meant_incident(call, tx)  # of several it says which, as they were asked to
        return incident, call["WORDS"]

    def ask(self, incident: Incident, question: int, tx: Transaction) -> Message:
        """The question, to be said to whoever is there."""
        ask = self.criteria[question].ask
        tx.record(SeverityAsked(subject=incident.number, at=tx.now, question=question, ask=ask))
        text = f"{ask} {tx.typed(f'no {incident.number}')}"
        return of_incident(incident, text, brief=text, command=tx.typed(f"yes {incident.number}"))

    def yes(self, call: Call, tx: Transaction) -> Message | None:
        """This is how severe it is."""
        incident, asked = self._asked(call, tx)
        criterion = self.criteria[asked.question]
        return self._decide(call, incident, criterion.severity, f"yes: {criterion.ask}", tx)

    def no(self, call: Call, tx: Transaction) -> Message | None:
        """It is less severe: the next question, or the least severe if there is none."""
        incident, asked = self._asked(call, tx)
        following = asked.question + 1
        if following < len(self.criteria):
            return self.ask(incident, following, tx)
        return self._decide(call, incident, SEVERITIES[-1], "no to all questions", tx)

    def _asked(self, call: Call, tx: Transaction) -> tuple[Incident, SeverityAsked]:
        """The incident of which something was asked that nobody has answered."""
        incident, _ = meant_incident(call, tx)
        story = [entry.event for entry in tx.story(incident.number, (SeverityAsked, SeverityChanged))]
        last = story[-1] if story else None
        if not isinstance(last, SeverityAsked) or last.question >= len(self.criteria):
            raise Refused(
                f"{incident.number}: nothing was asked; {asking(incident, tx)} asks how severe it is"
            )
        return incident, last

    def _decide(
        self, call: Call, incident: Incident, severity: str, because: str, tx: Transaction
    ) -> Message | None:
        if severity == incident.severity:
            # Kept all the same, so that the question is answered.
            event = SeverityChanged(
                subject=incident.number,
                at=tx.now,
                by=call.by,
                severity=severity,
                before=severity,
                because=because,
            )
            tx.record(event)
            return of_incident(incident, f"{severity} it stays ({because})")
        self._change(call, incident, severity, because, tx)
        return None

    def _change(self, call: Call, incident: Incident, severity: str, because: str, tx: Transaction) -> None:
        event = incident.change_severity(severity, because, call.by, tx.now)
        tx.record(event)
        brief = f"severity {event.before} \u2192 {severity}"
        message = of_incident(incident, f"{event.headline()} by {call.by}", brief=brief)
        answer_there(call, incident, message, tx)
