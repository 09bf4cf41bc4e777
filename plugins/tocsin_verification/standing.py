"""How the checks of an incident stand, for whoever asks: what closes an incident, gives its all-clear, or tells of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin.api import Incident, Transaction
from tocsin_verification.judge.verdict import Verdict
from tocsin_verification.verified import Checked, Verified, verified


@dataclass(frozen=True)
class CheckStanding:
    """How one check of an incident stands.

    must: whether there is no all-clear without it. verdict: None as long as nobody has looked. line: what people read
    of it, the fact first. back_since: from when on it is back without a break; None as long as it is not.
    """

    name: str
    must: bool
    verdict: Verdict | None
    line: str
    back_since: datetime | None = None


def not_back(checks: Iterable[CheckStanding]) -> Sequence[CheckStanding]:
    """Those that keep an incident from its all-clear."""
    return [check for check in checks if check.must and check.verdict is not Verdict.ALL_CLEAR]


def recovered_at(checks: Iterable[CheckStanding]) -> datetime | None:
    """From when on all that must be back is back; None as long as something is not, or nothing must be."""
    since = [check.back_since for check in checks if check.must]
    times = [at for at in since if at is not None]
    return max(times) if times and len(times) == len(since) else None


def standing(tx: Transaction, incident: Incident) -> Sequence[CheckStanding]:
    """How all checks of an incident stand, as was written down last; what keeps it from its all-clear stands first."""
    return stands(verified(incident.number, tx))


def stands(state: Verified) -> Sequence[CheckStanding]:
    """The same of what is known of a subject's checks."""
    found = [_stands(check) for check in state.checks.values()]
    return sorted(found, key=lambda one: (one.verdict is Verdict.ALL_CLEAR, not one.must))


def _stands(check: Checked) -> CheckStanding:
    judged = check.judged
    if judged is None:
        return CheckStanding(check.name, check.added.must, None, f"{check.name}: not looked at yet")
    back = judged.back_since if judged.verdict in (Verdict.RECOVERING, Verdict.ALL_CLEAR) else None
    return CheckStanding(check.name, check.added.must, judged.verdict, judged.line, back)
