"""Of what never ends, such as a schedule, what is pruned is what no plugin reads any more."""

from collections.abc import Iterator
from datetime import timedelta

from tocsin import daemon
from tocsin.config import Document
from tocsin.domain.duty import OnCallChanged, duty_of
from tocsin.domain.event import Event
from tocsin.domain.rota import Shift
from tocsin.store import old, prune
from tocsin.transaction import Transaction
from tocsin_escalation.events import TurnTaken
from tocsin_handoff import brief
from tocsin_handoff.events import NoteLeft, ShiftBriefed, ShiftHandedOver, ShiftsKnown, shifts_of
from tocsin_handoff.turnover import pending
from tocsin_notify import events as notify
from tocsin_notify import trials
from tocsin_schedules.events import SUBJECT, FaultsTold

from tests.engine import Engine
from tests.tower import TWO_STEPS, Tower

SCHEDULE = '[schedules.always]\non_call = ["alice"]\n'
TABLES = (TWO_STEPS, SCHEDULE, "[plugins.handoff]", "[plugins.schedules]", "[plugins.notify]")


def written(tx: Transaction) -> Iterator[Event]:
    """Each twice or more, in an order that might be mistaken."""
    at, handed = tx.now, tx.open("handoff", "x")
    yield NoteLeft(subject=shifts_of("always"), at=at, by="alice", text="for the last shift")
    for number, name in enumerate(("carol", "alice"), start=1):
        yield OnCallChanged(subject=duty_of("always"), at=at, people=(name,), before=(name,))
        yield TurnTaken(subject="turns/a", at=at, person=f"p{number}", alert="k7f3")
        yield ShiftsKnown(
            subject=shifts_of("always"),
            at=at,
            digest=str(number),
            shifts=(Shift(at, at + timedelta(days=1), ("p1",)),),
        )
        yield ShiftBriefed(subject=shifts_of("always"), at=at, handoff=handed)
        yield notify.TestBegun(
            subject=notify.person_of("bob"),
            at=at,
            by="bob",
            number=number,
            ways=("sms", "app"),
            place="console/#ops",
        )
        for way in ("sms", "app"):
            yield notify.TestSent(subject=notify.person_of("bob"), at=at, number=number, way=way, why="")
        yield notify.RingerConfirmed(
            subject=notify.person_of("bob"), at=at, by="bob", way=("sms", "app")[number - 1]
        )
        yield notify.RingSent(subject=notify.lane_of("bob", "sms", at), at=at, ring=str(number), alerts=())
        yield FaultsTold(subject=SUBJECT, at=at, faults=(f"fault {number}",))
    yield ShiftHandedOver(subject=handed, at=at, schedule="always", of=("p1",), to=("p2",))
    yield NoteLeft(subject=shifts_of("always"), at=at, by="alice", text="for the next shift")


async def read(engine: Engine) -> object:
    """All that is read of it."""

    def of_turn(tx: Transaction) -> object:
        handed = ShiftHandedOver(subject="", at=tx.now, schedule="always", of=("p1",), to=("p2",))
        return (
            tx.on_call_before("always"),
            tx.last("turns/a", TurnTaken),
            tx.last(shifts_of("always"), ShiftsKnown),
            pending("always", tx),
            list(brief.lines(handed, "", tx)),
            trials.Tested.of("bob", tx),
        )

    return await engine.run.tocsin.turn(of_turn)


async def test_of_a_schedule_and_of_people_only_what_nobody_reads_goes(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await engine.run.tocsin.turn(lambda tx: [tx.record(event) for event in list(written(tx))])
    tower.clock.move(timedelta(days=400))
    async with tower(*TABLES) as engine:
        before, tocsin = await read(engine), engine.run.tocsin
        assert "for the next shift" in str(before)
        cut = tower.clock.now() - timedelta(days=390)

        def taken(tx: Transaction) -> dict[str, int]:
            plan = old.plan(tx.connection, cut, tx.kinds)
            return dict(prune.take(tx.connection, 1, cut, plan.parts, lambda: False).counts)

        assert (await tocsin.turn(taken))["events"] > 10
        kinds = "SELECT kind, count(*) FROM events WHERE recorded_at < '2027' GROUP BY kind ORDER BY kind"
        assert dict(await engine.sql(kinds)) == {
            "handoff.note_left": 1,
            "handoff.shift_briefed": 1,
            "handoff.shift_handed_over": 1,
            "handoff.shifts_known": 1,
            "escalation.turn_taken": 1,
            "notify.confirmed": 2,
            "notify.test_begun": 1,
            "notify.test_sent": 2,
            "oncall.changed": 1,
        }
        assert await read(engine) == before
    async with tower(*TABLES) as engine:
        assert await read(engine) == before


def test_whatever_outdates_an_event_is_an_event(tower: Tower) -> None:
    prepared = daemon.prepare(Document.open(tower.edit(*TABLES)))
    kinds = daemon.known_events(prepared.declared)
    outdated = {kind: event.outdated_by for kind, event in kinds.items() if event.outdated_by}
    assert set(outdated.values()) <= set(kinds)
    assert len(outdated) == 7
    assert {kind for kind, event in kinds.items() if event.passing} == {
        "notify.sent",
        "schedules.faults_told",
    }
