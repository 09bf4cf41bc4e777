"""The end of an incident: what keeps it from being over, and how we know afterwards that it was."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from tocsin.api import (
    AllClearGiven,
    AllClearWithdrawn,
    Block,
    Bullets,
    Clock,
    Incident,
    IncidentReopened,
    IncidentResolved,
    Reading,
    Table,
    Transaction,
    counted,
    first_few,
    time_of_day,
)
from tocsin_verification.events import CannotVerify, LevelAccepted, VerificationEnded
from tocsin_verification.reporters import Reporters
from tocsin_verification.standing import CheckStanding, not_back, standing, stands
from tocsin_verification.verified import Verified

TITLE = "How we know that it is over"
ORDER = 55

MOST_NAMED = 3

_TOLD = (
    AllClearGiven,
    AllClearWithdrawn,
    CannotVerify,
    IncidentReopened,
    IncidentResolved,
    LevelAccepted,
    VerificationEnded,
)


def why_not_over(incident: Incident, tx: Transaction) -> str:
    """What speaks against it that an incident is over; nothing does once anybody gave the all-clear."""
    left = [] if Clock.ALL_CLEAR in incident.clocks else not_back(standing(tx, incident))
    if not left:
        return ""
    return f"not clear yet: {first_few([check.line for check in left], 1)}"


def evidence(reading: Reading) -> Iterator[Block | str]:
    """The section of the postmortem: what was said of it, how the checks stood at last, and who confirmed it."""
    checks, of = _folded(reading)
    if not checks and not of:
        return
    told = [
        one
        for one in reading.moments
        if isinstance(one.event, _TOLD) and one.source == reading.incident.number
    ]
    if told:
        yield Bullets(tuple(f"{_clock(one.at, reading)} {reading.told(one)}" for one in told))
    if checks:
        yield "How its checks stood at last:"
        yield Table(
            ("check", "must be back", "how it stands", "back since"),
            tuple(_row(check, reading) for check in checks),
        )
    if of:
        confirmed = [who for who, said in of.items() if said]
        named = f": {first_few(confirmed, len(confirmed))}" if reading.named and confirmed else ""
        yield (
            f"Of {counted(len(of), 'person', 'people')} who reported it {len(confirmed) or 'none'} "
            f"confirmed that it is over{named}."
        )


def _folded(reading: Reading) -> tuple[Sequence[CheckStanding], dict[str, bool]]:
    """How its checks stand, and who reported it, by what happened to it."""
    state, reporters = Verified(), Reporters()
    for one in reading.moments:
        if one.event is not None and one.source == reading.incident.number:
            state.apply(one.event)
            reporters.apply(one.event)
    return stands(state), reporters.of


def _row(check: CheckStanding, reading: Reading) -> tuple[str, str, str, str]:
    since = _clock(check.back_since, reading) if check.back_since is not None else ""
    return check.name, "yes" if check.must else "", reading.text(check.line), since


def _clock(at: datetime, reading: Reading) -> str:
    """In UTC, with its day unless that is the one on which it was declared."""
    return time_of_day(at, UTC, reading.incident.declared_at or at)
