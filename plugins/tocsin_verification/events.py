"""What happens to the checks of an incident, or of an alert that belongs to none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from tocsin.api import Event
from tocsin_verification.judge.verdict import Direction, Judgement, Verdict


class Why(StrEnum):
    """Why checks begin, or are looked at anew."""

    DECLARED = "declared"
    MITIGATED = "mitigated"
    REOPENED = "reopened"
    ASKED = "asked"
    RESOLVED = "resolved"


@dataclass(frozen=True, kw_only=True)
class CheckAdded(Event):
    """From here on this is checked, as it is said here, whatever the configuration becomes.

    check: its name, a word. source, expression: what is read; or a probe, which is tried. labels: those of the alert that
    it comes from: of several series the one that has them is meant. direction, counter, threshold, above, tolerance: as
    in the judge's `Question`. hold: for how long at least it must be back. must: whether there is no all-clear without it.
    because: the alert whose own expression it is; empty if the configuration or a person says it.
    """

    kind: ClassVar[str] = "verification.check_added"
    check: str
    source: str = ""
    expression: str = ""
    probe: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    direction: Direction = Direction.BOTH
    counter: bool = False
    threshold: float | None = None
    above: bool = True
    tolerance: float = 0.10
    hold: timedelta = timedelta(0)
    must: bool = True
    unit: str = ""
    because: str = ""

    def headline(self) -> str:
        return f"check {self.check}: {self.expression or f'probe {self.probe}'}"


@dataclass(frozen=True, kw_only=True)
class CheckRemoved(Event):
    """It is checked no more."""

    kind: ClassVar[str] = "verification.check_removed"
    check: str

    def headline(self) -> str:
        return f"check {self.check} dropped"


@dataclass(frozen=True, kw_only=True)
class VerificationStarted(Event):
    """The checks are looked at from here on. alert_at: when the trouble was noticed; it began some time before."""

    kind: ClassVar[str] = "verification.started"
    why: Why
    alert_at: datetime

    def headline(self) -> str:
        return f"checks begin ({self.why})"


@dataclass(frozen=True, kw_only=True)
class CheckJudged(Event):
    """A check stands otherwise than was last written down. at: when it was looked at.

    All but these are as in the judge's `Judgement`, times as instants. back_for: its `held`. hold: for how long it
    must be back. line: what people read of it, the fact first.
    """

    kind: ClassVar[str] = "verification.judged"
    check: str
    verdict: Verdict
    line: str
    missing: str = ""
    value: float | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    worst: float | None = None
    onset: datetime | None = None
    back_since: datetime | None = None
    back_for: timedelta = timedelta(0)
    hold: timedelta = timedelta(0)
    before: float | None = None
    yesterday: float | None = None
    last_week: float | None = None
    relapses: int = 0

    def headline(self) -> str:
        return self.line

    @classmethod
    def of(cls, judgement: Judgement, *, subject: str, check: str, line: str) -> "CheckJudged":
        return cls(
            subject=subject,
            at=_instant(judgement.at),
            check=check,
            verdict=judgement.verdict,
            line=line,
            missing=judgement.missing,
            value=judgement.value,
            expected=judgement.expected,
            low=judgement.low,
            high=judgement.high,
            worst=judgement.worst,
            onset=None if judgement.onset is None else _instant(judgement.onset),
            back_since=None if judgement.back_since is None else _instant(judgement.back_since),
            back_for=timedelta(seconds=judgement.held),
            hold=timedelta(seconds=judgement.hold),
            before=judgement.before,
            yesterday=judgement.yesterday,
            last_week=judgement.last_week,
            relapses=judgement.relapses,
        )


@dataclass(frozen=True, kw_only=True)
class CannotVerify(Event):
    """People were told that a check can't be verified. since: from when on."""

    kind: ClassVar[str] = "verification.cannot"
    check: str
    missing: str
    since: datetime

    def headline(self) -> str:
        return f"cannot verify {self.check}: {self.missing}"


@dataclass(frozen=True, kw_only=True)
class LevelAccepted(Event):
    """Somebody says that the level at which a check stands now is the normal one from here on."""

    kind: ClassVar[str] = "verification.accepted"
    check: str
    because: str

    def headline(self) -> str:
        return f"the level of {self.check} is the new normal: {self.because}"


@dataclass(frozen=True, kw_only=True)
class UnseenTold(Event):
    """People were told that no check shows this incident, so that none of them can tell when it is over."""

    kind: ClassVar[str] = "verification.unseen_told"

    def headline(self) -> str:
        return "no check shows it"


@dataclass(frozen=True, kw_only=True)
class AlertsAwaited(Event):
    """People were told that the all-clear waits for these alerts, at which no check looks."""

    kind: ClassVar[str] = "verification.alerts_awaited"
    alerts: tuple[str, ...]

    def headline(self) -> str:
        return f"no all-clear yet: {', '.join(self.alerts)} still firing"


@dataclass(frozen=True, kw_only=True)
class VerificationEnded(Event):
    """The checks are looked at no more."""

    kind: ClassVar[str] = "verification.ended"
    because: str

    def headline(self) -> str:
        return f"checks end: {self.because}"


EVENTS: tuple[type[Event], ...] = (
    CheckAdded,
    CheckRemoved,
    VerificationStarted,
    CheckJudged,
    CannotVerify,
    LevelAccepted,
    UnseenTold,
    AlertsAwaited,
    VerificationEnded,
)


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
