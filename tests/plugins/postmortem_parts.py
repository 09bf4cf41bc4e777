"""A whole incident, told by its events."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from tocsin.domain.event import Event
from tocsin.domain.incident_events import (
    AllClearGiven,
    AllClearWithdrawn,
    CauseFound,
    Clock,
    ClockCorrected,
    IncidentAcknowledged,
    IncidentClosed,
    IncidentDeclared,
    IncidentMitigated,
    IncidentReopened,
    IncidentResolved,
    ResponderJoined,
    Role,
    RoleAssigned,
    RoomOpened,
    ScopeAnswered,
    SeverityChanged,
    StatusUpdated,
    TitleChanged,
)
from tocsin.domain.page import PageAsked, PageUnneeded
from tocsin.exports import export
from tocsin.postmortems import Sections
from tocsin.transaction import Transaction
from tocsin_timeline.events import Noted

from tests.engine import Engine

FORMS = ("md", "html", "json")
BEGIN = datetime(2026, 11, 21, 3, tzinfo=UTC)
TABLES = ("[plugins.timeline]\n", "[plugins.postmortem]\n")
"""Without the plugin that conducts incidents, which would add to them."""


def after(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def story(
    number: str,
    groups: tuple[str, ...] = (),
    *,
    who: Sequence[str] = ("alice", "bob", "carol"),
    say: str = "",
) -> list[Event]:
    """What happens to an incident from its declaration until it is closed, each kind at least once.

    who: three people. say: stands in all that somebody typed.
    """
    alice, bob, carol = who

    def said(text: str) -> str:
        return f"{text} {say}".strip()

    return [
        IncidentDeclared(
            subject=number,
            at=after(5),
            by=alice,
            title=said("the disks are full"),
            severity="sev2",
            groups=groups,
            because=said("data is lost"),
            rooms=("console/room/#ops",),
        ),
        IncidentAcknowledged(subject=number, at=after(5), by=alice),
        Noted(subject=number, at=after(2), by=bob, text=said("a deploy went out")),
        ScopeAnswered(
            subject=number, at=after(6), by=alice, question="who is hit", answer=said("all of them")
        ),
        RoomOpened(subject=number, at=after(6), place=f"console/room/#inc-{number}"),
        ResponderJoined(subject=number, at=after(7), by=bob, person=bob),
        RoleAssigned(subject=number, at=after(8), by=alice, role=Role.COMMANDER, person=alice),
        SeverityChanged(
            subject=number, at=after(9), by=alice, severity="sev1", before="sev2", because=said("it spreads")
        ),
        TitleChanged(subject=number, at=after(9), by=alice, title=said("all disks are full")),
        StatusUpdated(subject=number, at=after(10), by=alice, text=said("we know why"), next_at=after(20)),
        RoleAssigned(subject=number, at=after(20), by=alice, role=Role.COMMANDER, person=bob, before=alice),
        RoleAssigned(subject=number, at=after(21), by=bob, role=Role.RESPONDER, person=carol),
        PageAsked(subject=number, at=after(22), by=bob, name=carol, text=said("the storage"), key="storage"),
        PageUnneeded(subject=number, at=after(23), by=bob, key="storage", because=said("somebody is there")),
        StatusUpdated(subject=number, at=after(25), by=bob, text=said("logs are being removed")),
        IncidentMitigated(subject=number, at=after(30), by=carol, how=said("old logs were removed")),
        ClockCorrected(subject=number, at=after(31), by=bob, clock=Clock.MITIGATED, reads=after(29)),
        AllClearGiven(subject=number, at=after(40), by=bob, because=said("the disks stay at 40 %")),
        AllClearWithdrawn(subject=number, at=after(40), because=said("one is at 90 %")),
        IncidentResolved(
            subject=number,
            at=after(41),
            by=bob,
            despite=said("one is at 90 %"),
            because=said("it is an old one"),
        ),
        CauseFound(subject=number, at=after(42), by=carol, cause=said("a loop that logs")),
        IncidentReopened(subject=number, at=after(43), by=bob, because=said("full again")),
        IncidentMitigated(subject=number, at=after(44), by=bob, how=said("the loop was stopped")),
        AllClearGiven(subject=number, at=after(45), by=bob, because=said("stable")),
        IncidentResolved(subject=number, at=after(46), by=bob),
        IncidentClosed(subject=number, at=after(60), by=bob, text=said("thanks to everybody")),
    ]


async def happens(
    engine: Engine,
    groups: tuple[str, ...] = (),
    *,
    who: Sequence[str] = ("alice", "bob", "carol"),
    say: str = "",
) -> str:
    """All of it; the incident's number."""

    def record(tx: Transaction) -> str:
        number = tx.open_incident()
        for event in story(number, groups, who=who, say=say):
            tx.record(event)
        return number

    number = await engine.run.tocsin.turn(record)
    await engine.run.settled()
    return number


async def exported(engine: Engine, number: str, form: str) -> str:
    """The incident in that form, as the command line would get it."""
    return await engine.run.tocsin.turn(lambda tx: export(number, form, tx, tx.rules.of(Sections)))
