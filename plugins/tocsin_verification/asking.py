"""`!verify`: how the checks stand, and which there are."""

from dataclasses import dataclass
from datetime import timedelta

from tocsin.api import (
    Call,
    Incident,
    Message,
    Refused,
    Transaction,
    UsageError,
    answer_there,
    bare,
    did_you_mean,
    meant_incident,
    of_incident,
)
from tocsin_verification.events import CheckRemoved, LevelAccepted
from tocsin_verification.verified import Checked, verified
from tocsin_verification.watching import ANSWER, Watching

VERIFY = "verify [INCIDENT] [add EXPR\u2026|drop CHECK|accept CHECK BECAUSE\u2026]"
DROP = "verify [INCIDENT] drop CHECK"
ACCEPT = "verify [INCIDENT] accept CHECK BECAUSE\u2026"

LONGEST_REASON = 300

LONGEST_ECHO = 40


@dataclass(frozen=True)
class Asking:
    watching: Watching

    def verify(self, call: Call, tx: Transaction) -> Message | None:
        """`!verify 42` looks at once; `!verify 42 add rate(errors[5m])`, `drop` and `accept` change what is checked."""
        incident, words = meant_incident(call, tx, ended=True)
        first, _, rest = words.partition(" ")
        if not first:
            return self._look(incident, call, tx)
        changes = {"add": self._add, "drop": self._drop, "accept": self._accept}
        change = changes.get(bare(first))
        if change is None:
            near = did_you_mean(first, changes)
            raise UsageError(
                f"{first[:LONGEST_ECHO]!r} is none of {', '.join(changes)}: say {tx.typed(VERIFY)}{near}"
            )
        change(incident, rest.strip(), call, tx)
        return None

    def _look(self, incident: Incident, call: Call, tx: Transaction) -> Message | None:
        if not verified(incident.number, tx).checks:
            text = "nothing is checked, so nothing tells by itself when it is over"
            return of_incident(
                incident, text, brief=text, command=tx.typed(f"verify {incident.number} add EXPR")
            )
        tx.set_timer(ANSWER, f"{incident.number}/{call.place}", after=timedelta(0))
        return None

    def _add(self, incident: Incident, words: str, call: Call, tx: Transaction) -> None:
        incident.refuse_if_closed()
        check = self.watching.adding.by_hand(incident, words, call.by, tx)
        self.watching.asked(incident, tx)
        text = f"{check.headline()} ({call.by})"
        drop = tx.typed(f"verify {incident.number} drop {check.check}")
        answer_there(call, incident, of_incident(incident, text, brief="a check more", command=drop), tx)

    def _drop(self, incident: Incident, words: str, call: Call, tx: Transaction) -> None:
        check, _ = self._named(incident, words, DROP, tx)
        tx.record(CheckRemoved(subject=incident.number, at=tx.now, by=call.by, check=check.name))
        text = f"check {check.name} dropped ({call.by})"
        left = [one for one in verified(incident.number, tx).checks.values() if one.added.must]
        if not left:
            text += ": no all-clear comes by itself any more"
        answer_there(call, incident, of_incident(incident, text, brief="a check less"), tx)
        self.watching.asked(incident, tx)

    def _accept(self, incident: Incident, words: str, call: Call, tx: Transaction) -> None:
        incident.refuse_if_closed()
        check, because = self._named(incident, words, ACCEPT, tx)
        if check.added.probe:
            raise Refused(f"{check.name} is a probe: it answers or it does not, and has no level")
        if not because:
            raise UsageError(f"why is that the new normal? say {tx.typed(ACCEPT)}")
        because = because[:LONGEST_REASON]
        tx.record(
            LevelAccepted(subject=incident.number, at=tx.now, by=call.by, check=check.name, because=because)
        )
        text = f"the level of {check.name} is the new normal from now on ({call.by}: {because})"
        answer_there(call, incident, of_incident(incident, text, brief="a level is the new normal"), tx)
        self.watching.asked(incident, tx)

    def _named(self, incident: Incident, words: str, usage: str, tx: Transaction) -> tuple[Checked, str]:
        """The check that words begin with, and the words behind it. Raises Refused."""
        first, _, rest = words.partition(" ")
        name = first.strip(",;:").lower()
        checks = {one.lower(): check for one, check in verified(incident.number, tx).checks.items()}
        if not name:
            raise UsageError(f"say {tx.typed(usage)}")
        if name not in checks:
            near = did_you_mean(name, checks)
            raise Refused(
                f"{incident.number} has no check {first[:LONGEST_ECHO]!r}{near}; {tx.typed(f'verify {incident.number}')} lists them"
            )
        return checks[name], rest.strip()
