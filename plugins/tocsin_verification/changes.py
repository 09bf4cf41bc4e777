"""What checks say now, against what was written down of them last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tocsin.api import Transaction
from tocsin_verification import telling
from tocsin_verification.events import CheckJudged
from tocsin_verification.judge.verdict import Verdict
from tocsin_verification.judging import Asked, Found
from tocsin_verification.verified import Checked, Verified, materially


@dataclass(frozen=True)
class Change:
    """A check stands otherwise than before. fact: how, as people read it."""

    before: Checked
    now: Checked
    fact: str

    @property
    def can_again(self) -> bool:
        """Whether people were told that it can't be verified, and it can."""
        return self.before.cannot is not None and self.now.cannot is None

    @property
    def lost(self) -> bool:
        """Whether it was all clear and is not."""
        return self.before.stood is Verdict.ALL_CLEAR and self.now.verdict is Verdict.NOT_YET

    @property
    def told(self) -> bool:
        """Whether people are told, where not every minute can be shown: it is in another state than it was last."""
        now = self.now.verdict
        return now is not Verdict.CANT_TELL and now is not self.before.stood


def judged(
    subject: str, state: Verified, asked: Asked, found: Mapping[str, Found], tx: Transaction
) -> Sequence[Change]:
    """Write down what is another than before."""
    changes = []
    for one in asked.checks:
        check, judgement = state.checks.get(one.name), found[one.name].judgement
        if check is None or check.added != one.added or state.alert_at != asked.alert_at:
            continue  # dropped meanwhile, or about something else
        if check.judged is not None and judgement.at < check.judged.at.timestamp() <= tx.now.timestamp():
            continue  # somebody has looked later
        if not materially(judgement, check.judged):
            continue
        seen = replace(check, seen=check.seen or judgement.verdict is Verdict.NOT_YET)
        fact = telling.line_of(seen, judgement).fact
        tx.record(CheckJudged.of(judgement, subject=subject, check=one.name, line=fact))
        changes.append(Change(check, state.checks[one.name], fact))
    return changes
