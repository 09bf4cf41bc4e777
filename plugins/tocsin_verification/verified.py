"""How the checks of an incident, or of an alert, stand by all that happened to it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tocsin.api import (
    AllClearGiven,
    AllClearWithdrawn,
    Clock,
    Event,
    Incident,
    IncidentDeclared,
    IncidentReopened,
    Transaction,
)
from tocsin_verification.events import (
    AlertsAwaited,
    CannotVerify,
    CheckAdded,
    CheckJudged,
    CheckRemoved,
    LevelAccepted,
    UnseenTold,
    VerificationEnded,
    VerificationStarted,
)
from tocsin_verification.judge.verdict import Judgement, Verdict

MAKING = (
    CheckAdded,
    CheckRemoved,
    VerificationStarted,
    CheckJudged,
    CannotVerify,
    LevelAccepted,
    UnseenTold,
    AlertsAwaited,
    VerificationEnded,
    AllClearGiven,
    AllClearWithdrawn,
    IncidentDeclared,
    IncidentReopened,
)
"""The events that this is made of."""


@dataclass(frozen=True)
class Checked:
    """A check and how it stands.

    judged: as it was written down last; None as long as nobody has looked. stood: the last verdict of those that were one.
    cannot: people were told that it can't be verified, and it can't. accepted: from when on its level is normal by a
    person's word. seen: the incident showed in it.
    """

    added: CheckAdded
    judged: CheckJudged | None = None
    stood: Verdict | None = None
    cannot: CannotVerify | None = None
    accepted: datetime | None = None
    seen: bool = False

    @property
    def name(self) -> str:
        return self.added.check

    @property
    def verdict(self) -> Verdict | None:
        return self.judged.verdict if self.judged is not None else None

    def after(self, judged: CheckJudged) -> "Checked":
        """As it stands from then on."""
        if judged.verdict is Verdict.CANT_TELL:
            return replace(self, judged=judged)
        seen = self.seen or shows(judged)
        return replace(self, judged=judged, stood=judged.verdict, cannot=None, seen=seen)

    def holds_until(self, since: datetime) -> datetime:
        """Until when it must hold if it is clear, as somebody said then that it is not over; that time if it came back later."""
        judged = self.judged
        if judged is None or (judged.back_since is not None and judged.back_since >= since):
            return since
        return since + judged.hold


def shows(judged: CheckJudged | Judgement) -> bool:
    """Whether the incident shows in a check."""
    return judged.verdict is Verdict.NOT_YET or (
        judged.verdict is not Verdict.CANT_TELL and judged.onset is not None
    )


class Verified:
    """How all checks of a subject stand.

    checks: by name. alert_at: when the trouble was noticed; None as long as nothing was checked. running: they are
    looked at; since: when that began. cleared: they gave the all-clear, and it holds. said_at: when an alert or a person said
    last that it is not over. unseen_told: as in that event. awaited: the alerts that people were told it
    waits for, since all that must be is clear. dropped: those that somebody did not want.
    """

    def __init__(self) -> None:
        """Before anything happened."""
        self.checks: dict[str, Checked] = {}
        self.alert_at: datetime | None = None
        self.running = False
        self.since: datetime | None = None
        self.cleared = False
        self.said_at: datetime | None = None
        self.unseen_told = False
        self.awaited: frozenset[str] = frozenset()
        self.dropped: dict[str, CheckAdded] = {}

    @property
    def musts(self) -> Sequence[Checked]:
        """Those without which there is no all-clear."""
        return [one for one in self.checks.values() if one.added.must]

    @property
    def all_clear(self) -> bool:
        """Whether all that must be back is, for as long as it takes, and the incident showed in any of it."""
        musts = self.musts
        return any(one.seen for one in musts) and all(one.verdict is Verdict.ALL_CLEAR for one in musts)

    def waits(self, incident: Incident) -> bool:
        """Whether people wait for the all-clear: the incident goes on, and has none."""
        return incident.open and not self.cleared and Clock.ALL_CLEAR not in incident.clocks

    def proven(self, now: datetime) -> bool:
        """Whether the all-clear may be given: what was clear before an alert or a person said that it is not proves nothing."""
        return self.all_clear and self.holds_until(now) is None

    def holds_until(self, now: datetime) -> datetime | None:
        """Until when what is clear must hold to prove anything; None if it has held for long enough."""
        if self.said_at is None:
            return None
        until = max((one.holds_until(self.said_at) for one in self.musts), default=now)
        return until if until > now else None

    @property
    def unseen(self) -> bool:
        """Whether all that must be back stands as if nothing had ever been wrong."""
        musts = self.musts
        return bool(musts) and all(one.verdict is Verdict.ALL_CLEAR and not one.seen for one in musts)

    def apply(self, event: Event) -> None:
        """Go on by one event; those of others are passed over."""
        match event:
            case CheckAdded():
                self.checks[event.check] = Checked(event, seen=bool(event.because))
                self.dropped.pop(event.check, None)
            case CheckRemoved():
                if (check := self.checks.pop(event.check, None)) is not None:
                    self.dropped[event.check] = check.added
            case VerificationStarted():
                self._begin(event)
            case VerificationEnded():
                self.running = False
            case CheckJudged() | CannotVerify() | LevelAccepted():
                self._go_on(event)
            case _:
                self._told(event)

    def _told(self, event: Event) -> None:
        """Somebody said that it is over, or not, or what it waits for."""
        match event:
            case AllClearGiven():
                self.cleared, self.awaited = not event.by, frozenset()
            case AllClearWithdrawn():
                self.cleared = False
            case IncidentDeclared() | IncidentReopened():
                self.cleared, self.said_at, self.awaited = False, event.at, frozenset()
            case UnseenTold():
                self.unseen_told = True
            case AlertsAwaited():
                self.awaited |= {*event.alerts}
            case _:
                pass

    def _begin(self, event: VerificationStarted) -> None:
        if self.alert_at != event.alert_at:  # it is about other trouble than before
            self.checks = {
                name: Checked(one.added, seen=bool(one.added.because)) for name, one in self.checks.items()
            }
            self.unseen_told = False
        self.alert_at, self.running, self.since = event.alert_at, True, event.at

    def _go_on(self, event: CheckJudged | CannotVerify | LevelAccepted) -> None:
        check = self.checks.get(event.check)
        if check is None:
            return
        match event:
            case CheckJudged():
                check = check.after(event)
                if check.added.must and event.verdict is not Verdict.ALL_CLEAR:
                    self.awaited = frozenset()
            case CannotVerify():
                check = replace(check, cannot=event)
            case LevelAccepted():
                check = replace(check, accepted=event.at)
        self.checks[event.check] = check


def verified(subject: str, tx: Transaction) -> Verified:
    """How the checks of an incident or an alert stand; it goes on with each event that is recorded."""
    return tx.replay(subject, Verified, MAKING)


def materially(judgement: Judgement, last: CheckJudged | None) -> bool:
    """Whether a judgement is to be written down: not each minute, but whenever people would read something else."""
    if last is None or judgement.verdict is not last.verdict:
        return True
    if judgement.verdict is Verdict.CANT_TELL:
        return False
    if (judgement.back_since is None) is not (last.back_since is None) or judgement.relapses != last.relapses:
        return True
    moved = _size(judgement.value, last.value)
    whole = max(_size(last.worst, last.expected), _size(last.value, last.expected))
    return moved > whole * _MATERIAL and judgement.at - last.at.timestamp() >= _PAUSE.total_seconds()


_MATERIAL = 0.25
_PAUSE = timedelta(minutes=10)
"""A value that has moved by that part of the incident's size is written down, but not more often."""


def _size(a: float | None, b: float | None) -> float:
    return 0.0 if a is None or b is None else abs(a - b)
