"""What is remembered between turns is what a fresh read of the store would say, whatever was undone."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin import rooms
from tocsin.alerts import report
from tocsin.domain.duty import HANDOFF, OnCallChanged, OverrideEnded, OverrideSet, duty_of
from tocsin.domain.event import Event
from tocsin.domain.group import AlertGroup, GroupAcknowledged
from tocsin.domain.incident_events import IncidentDeclared
from tocsin.domain.message import Place
from tocsin.domain.rota import Override
from tocsin.errors import Refused
from tocsin.facts import Facts, Known
from tocsin.plugins import Declared
from tocsin.rules import on
from tocsin.store import profiles
from tocsin.store.journal import Entry
from tocsin.store.writer import savepoint
from tocsin.transaction import Transaction

from tests.engine import Start, alert, fires, over

KEYS = ("one", "two")
Deed = Callable[[Transaction, str], None]


def fire(tx: Transaction, key: str) -> None:
    report(tx, fires(key=key))


def more(tx: Transaction, key: str) -> None:
    report(tx, fires(alert(), alert("Load"), key=key))


def heal(tx: Transaction, key: str) -> None:
    report(tx, over(key=key))


def answer(decide: Callable[[AlertGroup, Transaction], Event]) -> Deed:
    def deed(tx: Transaction, key: str) -> None:
        for (subject,) in tx.connection.exec_driver_sql(
            "select id from subjects where key = ?", (f"prod\n{key}",)
        ):
            tx.record(decide(tx.group(subject), tx))

    return deed


def comes_on_call(tx: Transaction, key: str) -> None:
    last = tx.on_call_before(key)
    before = last.people if last else ()
    people = ("bob",) if before == ("alice",) else ("alice",)
    tx.record(OnCallChanged(subject=duty_of(key), at=tx.now, people=people, before=before))


def hands_over(tx: Transaction, key: str) -> None:
    if tx.overrides:
        subject = next(iter(tx.overrides))
        tx.record(OverrideEnded(subject=subject, at=tx.now, because="enough"))
        tx.close(subject)
    else:
        one = Override(tx.now, tx.now + timedelta(hours=1), "alice", "bob", key)
        tx.record(OverrideSet(subject=tx.open(HANDOFF, key), at=tx.now, overrides=(one,)))


def goes_to_a_room(tx: Transaction, key: str) -> None:
    place = Place("console", f"#{key}")
    if place in tx.made_rooms:
        tx.leave_room(place)
    else:
        rooms.made(place, key, tx)


def says_of_themselves(tx: Transaction, key: str) -> None:
    profiles.set_timezone(tx.connection, "alice", "Asia/Kolkata" if key == "one" else "")
    tx.change_people()


@dataclass
class Seen:
    """All that happened, in words."""

    headlines: list[str] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        self.headlines.append(event.headline())


def looks(tx: Transaction, key: str) -> None:
    for group in tx.open_groups():
        tx.replay(group.id, Seen, ())
    tx.on_call_before(key)
    tx.person_of("console", "alice")


DEEDS: Sequence[Deed] = [
    fire,
    more,
    heal,
    answer(lambda group, tx: group.acknowledge("alice", tx.now)),
    answer(lambda group, tx: group.unacknowledge("alice", tx.now)),
    answer(lambda group, tx: group.resolve("alice", tx.now)),
    comes_on_call,
    hands_over,
    goes_to_a_room,
    says_of_themselves,
    looks,
]

deeds = st.lists(st.tuples(st.sampled_from(DEEDS), st.sampled_from(KEYS), st.booleans()), max_size=5)
turns = st.lists(st.tuples(deeds, st.booleans()), max_size=6)


def same(known: Known, tx: Transaction) -> None:
    """Compare what is remembered with what a fresh read says."""
    fresh = Facts(tx.connection, Known(known.config, known.kinds), tx.time)
    for subject, group in known.groups.items():
        assert group.open
        assert fresh.find_group(subject) == group
    assert known.replays.keys() <= known.groups.keys()
    for subject, replays in known.replays.items():
        for make, replay in replays.items():
            assert fresh.replay(subject, make, ()) == replay
    for schedule, people in known.on_call.items():
        assert fresh.on_call_before(schedule) == people
    assert known.overrides in (None, fresh.overrides)
    assert known.people in (None, fresh.people)
    assert known.rooms is None or known.rooms.about == fresh.made_rooms


async def test_a_replay_goes_on_by_each_event_and_reads_once(start: Start) -> None:
    async with start() as engine:
        one = await engine.report(fires(key="one"))
        turn, known = engine.run.tocsin.turn, engine.run.tocsin.known
        first = await turn(lambda tx: list(tx.replay(one, Seen, ()).headlines))
        replay = known.replays[one][Seen]
        await engine.says("alice", f"ack {one}")
        assert await turn(lambda tx: tx.replay(one, Seen, ())) is replay
        assert replay == Seen([*first, "acknowledged by alice"])
        await engine.says("alice", f"done {one}")
        assert not known.replays


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=turns)
async def test_what_is_remembered_is_what_is_kept(
    start: Start, turns: list[tuple[list[tuple[Deed, str, bool]], bool]]
) -> None:
    def fails(_: GroupAcknowledged, tx: Transaction) -> None:
        report(tx, over(key="two"))
        tx.change_people()
        tx.person_of("console", "alice")
        raise ZeroDivisionError

    async with start(replace(Declared(), reactions=[("fails", on(GroupAcknowledged, fails))])) as engine:
        known = engine.run.tocsin.known

        def turn(done: list[tuple[Deed, str, bool]], tx: Transaction, *, whole_fails: bool) -> None:
            for deed, key, part_fails in done:
                with savepoint(tx.connection) as part:
                    deed(tx, key)
                    assert not part_fails
                if part.error is not None:
                    assert isinstance(part.error, Refused | AssertionError), part.error
                    tx.undone()
            if whole_fails:
                raise ZeroDivisionError

        for deeds_of_turn, fails_whole in turns:
            with suppress(ZeroDivisionError):
                await engine.run.tocsin.turn(partial(turn, deeds_of_turn, whole_fails=fails_whole))
            await engine.run.tocsin.turn(lambda tx: same(known, tx))


async def test_an_alert_is_read_once_in_a_turn_also_when_it_ends(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[str]()
    story = Facts.story

    def reads(facts: Facts, subject: str) -> Sequence[Entry]:
        read.append(subject)
        return story(facts, subject)

    monkeypatch.setattr(Facts, "story", reads)
    async with start() as engine:
        read.clear()  # what is found out at the start
        subjects = [await engine.report(fires(key=str(number))) for number in range(3)]
        await engine.says("alice", f"done {' '.join(subjects)}")
        assert read == []
        assert not engine.run.tocsin.known.groups
        await engine.says("alice", f"ack {' '.join(subjects)}")
        assert read == subjects
        assert not engine.run.tocsin.known.groups


async def test_a_replay_of_an_incident_goes_on_until_that_is_closed(start: Start) -> None:
    async with start() as engine:
        turn, known = engine.run.tocsin.turn, engine.run.tocsin.known

        def declare(tx: Transaction) -> str:
            number = tx.open_incident()
            tx.record(IncidentDeclared(subject=number, at=tx.now, title="it burns", severity="sev1"))
            return number

        number = await turn(declare)
        await turn(lambda tx: tx.replay(number, Seen, ()))
        replay = known.replays[number][Seen]
        await turn(lambda tx: tx.record(tx.incident(number).resolve("alice", tx.now)))
        assert await turn(lambda tx: tx.replay(number, Seen, ())) is replay
        assert replay == Seen(["sev1 declared: it burns", "resolved"])
        await turn(lambda tx: tx.record(tx.incident(number).close("", "alice", tx.now)))
        assert known.replays == {}
        again = await turn(lambda tx: list(tx.replay(number, Seen, ()).headlines))
        assert again == ["sev1 declared: it burns", "resolved", "closed"]
        assert known.replays == {}
