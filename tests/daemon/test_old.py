"""What is found to be old is what nothing needs any more; whatever stops it, each thing is there whole, or gone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from tocsin.domain.digest import DIGEST, DigestSaid
from tocsin.domain.duty import HANDOFF, OnCallChanged, duty_of
from tocsin.domain.event import Event
from tocsin.domain.incident_events import INCIDENT, AlertsAttached, IncidentDeclared
from tocsin.domain.message import Message, Place
from tocsin.domain.page import PageBegun, PageDelivered
from tocsin.facts import GROUP
from tocsin.store import Database, State, audit, journal, old, outbox, prune, schema, subjects, timers
from tocsin.store.outbox import Lane
from tocsin.store.prune import Part
from tocsin.store.timers import Now
from tocsin.testing import HandClock

NOW = HandClock().now()
CUT = NOW - timedelta(days=365)
OLD, YOUNG = CUT - timedelta(days=1), CUT + timedelta(days=1)
DAY = timedelta(days=1)
TIME = Now(NOW, 0, "test")


@dataclass(frozen=True)
class Life:
    """Of something that has an id. ended, last: so many days after the cut-off it ended, and something happened to it last.

    timer: kind and what stands behind its id in the key, if one is set. waits: something is still to be said of it.
    """

    kind: str
    ended: int | None = -5
    last: int = -6
    events: int = 3
    timer: str = ""
    waits: bool = False

    @property
    def is_old(self) -> bool:
        over = self.kind == DIGEST or (self.ended is not None and self.ended < 0)
        return over and self.last < 0 and not self.timer and not self.waits


@dataclass
class World:
    """A database with some lives in it. ids: theirs. groups: of incidents and digests, by place among the lives."""

    connection: Connection
    ids: list[str] = field(default_factory=list)
    written: dict[str, int] = field(default_factory=dict)

    def lives(self, one: Life, groups: Sequence[str] = ()) -> str:
        connection, at = self.connection, CUT - timedelta(days=30)
        if one.kind == INCIDENT:
            subject = subjects.add_counted(connection, INCIDENT, at)
        else:
            subject = subjects.add(connection, one.kind, f"key {len(self.ids)}", at)
        self.ids.append(subject)
        said = self.events_of(one, subject, groups)
        for event in said:
            journal.add(connection, event, at)
        for number in range(one.events):
            last = CUT + one.last * DAY if number == one.events - 1 else at
            journal.add(connection, delivered(subject, last), last)
        self.written[subject] = len(said) + one.events
        if one.ended is not None and one.kind != DIGEST:
            subjects.close(connection, subject, CUT + one.ended * DAY)
        if one.timer:
            kind, _, behind = one.timer.partition(" ")
            timers.set_at(connection, kind, f"{subject}{behind}", NOW)
        row = self.says(subject)
        if not one.waits:
            connection.exec_driver_sql(
                "UPDATE outbox SET settled_at = said_at, state = 'confirmed' WHERE id = ?", (row,)
            )
        return subject

    def says(self, subject: str) -> int:
        place, message = Place("irc", "#ops"), Message("once said")
        return outbox.add(
            self.connection,
            place,
            message,
            TIME,
            lane=Lane.STATUS,
            subject=subject,
            person="",
            settle=False,
        )

    @staticmethod
    def events_of(one: Life, subject: str, groups: Sequence[str]) -> Sequence[Event]:
        at = CUT - timedelta(days=30)
        if one.kind == DIGEST:
            return [DigestSaid(subject=subject, at=at, groups=tuple(groups))]
        if one.kind != INCIDENT:
            return []
        first, *more = [*groups[:1], *groups[1:]] or [""]
        declared = IncidentDeclared(
            subject=subject, at=at, title="broken", severity="sev2", groups=tuple(filter(None, [first]))
        )
        attached = AlertsAttached(subject=subject, at=at, groups=tuple(more[:1]))
        paged = [PageBegun(subject=subject, at=at, name="a", key="k", group=one) for one in more[1:]]
        return [declared, *([attached] if more else []), *paged]

    def there(self) -> set[str]:
        return {id_ for (id_,) in self.connection.exec_driver_sql("SELECT id FROM subjects")}

    def counted(self) -> dict[str, int]:
        rows = self.connection.exec_driver_sql(
            "SELECT subject, count(*) AS number FROM events GROUP BY subject"
        )
        return {str(row.subject): int(row.number) for row in rows}

    def prunes(self, enough: Callable[[], bool] = lambda: False, *, again: bool = True) -> None:
        """Until nothing is left, or only once."""
        parts = list(old.plan(self.connection, CUT, KINDS).parts)
        while parts:
            taken = prune.take(self.connection, 7, CUT, parts, enough)
            parts = parts[taken.parts :]
            self.is_whole()
            if not again:
                return

    def is_whole(self) -> None:
        """What is there is there with all that happened to it; nothing else can be deleted now."""
        found, there = self.counted(), self.there()
        assert {one: found.get(one, 0) for one in there} == {one: self.written[one] for one in there}
        gone = {id_ for (id_,) in self.connection.exec_driver_sql("SELECT id FROM pruned")}
        assert gone == set(self.ids) - there
        assert self.connection.exec_driver_sql("SELECT count(*) FROM pruning").scalar() == 0


class Passing(Event):
    """Read for a while."""

    kind: ClassVar[str] = "test.passing"
    passing: ClassVar[bool] = True

    def headline(self) -> str:
        return "passing"


KINDS: dict[str, type[Event]] = {
    kind.kind: kind for kind in (Passing, OnCallChanged, PageDelivered, IncidentDeclared)
}


def delivered(subject: str, at: datetime) -> PageDelivered:
    return PageDelivered(subject=subject, at=at, page=1, person="alice", place="irc/person/alice")


@contextmanager
def made(folder: Path) -> Iterator[World]:
    state = State.open(folder, NOW)
    database = Database(state)
    try:
        with database.writer.connect() as connection, connection.begin():
            yield World(connection)
    finally:
        database.close()
        state.close(in_order=True)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with made(tmp_path / "state") as world:
        yield world


@pytest.mark.parametrize(
    ("life", "left"),
    [
        (Life(GROUP), []),
        (Life(HANDOFF), []),
        (Life("lead-offer"), []),
        (Life(INCIDENT), []),
        (Life(DIGEST), []),
        (Life(GROUP, ended=None), ["it"]),
        (Life(GROUP, ended=1), ["it"]),
        (Life(GROUP, last=1), ["it"]),
        (Life(DIGEST, last=1), ["it"]),
        (Life(GROUP, timer="silence.end"), ["it"]),
        (Life(GROUP, timer="core.watch"), ["it"]),
        (Life(GROUP, timer="escalation.morning /alice"), ["it"]),
        (Life(GROUP, waits=True), ["it"]),
        (Life(INCIDENT, timer="verification.look"), ["it"]),
        (Life(INCIDENT, timer="incidents.invite /alice"), ["it"]),
        (Life(INCIDENT, timer="core.reaction /7/x"), ["it"]),
        (Life(DIGEST, waits=True), ["it"]),
    ],
)
def test_it_goes_once_it_ended_and_nothing_is_left_to_do(world: World, life: Life, left: list[str]) -> None:
    subject = world.lives(life)
    assert life.is_old is not bool(left)
    world.prunes()
    assert ["it" for one in world.there()] == left
    assert ["it" for one in world.counted()] == left
    said = "SELECT count(*) FROM outbox WHERE subject = ?"
    assert world.connection.exec_driver_sql(said, (subject,)).scalar() == len(left)


def test_a_message_that_bears_an_incidents_number_keeps_it_from_nothing(world: World) -> None:
    world.lives(replace(Life(INCIDENT), timer="core.page_deadline"))
    world.prunes()
    assert world.there() == set()


@pytest.mark.parametrize("stays", [0, 1, 2, 3, 4])
def test_incidents_go_with_all_of_their_alerts_or_stay(world: World, stays: int) -> None:
    """The second shares an alert with the first; whichever of all these is young, all stay."""
    lives = [replace(Life(GROUP), last=1 if at == stays else -6) for at in range(4)]
    a, b, c, d = (world.lives(one) for one in lives)
    world.lives(Life(INCIDENT), [a, b])
    world.lives(replace(Life(INCIDENT), ended=None if stays == 4 else -5), [b, c, d])
    alone = world.lives(Life(GROUP))
    told = world.lives(Life(DIGEST), [a, alone])
    world.prunes()
    assert world.there() == set(world.ids) - {alone}
    assert told in world.there()


def test_what_stays_of_what_is_old_is_told(world: World) -> None:
    one, young = world.lives(Life(GROUP)), world.lives(replace(Life(GROUP), timer="silence.end"))
    world.lives(Life(INCIDENT), [one, young])
    world.lives(Life(HANDOFF))
    audit.add(
        world.connection, at=OLD, place="irc", account="al", person="alice", what="!ack", verdict="done"
    )
    plan = old.plan(world.connection, CUT, KINDS)
    assert plan.counts == {HANDOFF: 1, "events": 3, "audit": 1}
    assert plan.kept == {GROUP: 2, INCIDENT: 1}
    assert plan.since == CUT - timedelta(days=30)
    held = old.plan(world.connection, CUT, KINDS, held={world.ids[-1]})
    assert held.counts == {"audit": 1}


def reopened(world: World, subject: str) -> None:
    subjects.reopen(world.connection, subject)


def said(world: World, subject: str) -> None:
    world.says(subject)


def noted(world: World, subject: str) -> None:
    journal.add(world.connection, delivered(subject, NOW), NOW)


def timed(world: World, subject: str) -> None:
    timers.set_at(world.connection, "verification.answer", f"{subject}/irc/#ops", NOW)


def set_for_it(world: World, subject: str) -> None:
    timers.set_at(world.connection, "verification.look", subject, NOW)


@pytest.mark.parametrize("goes_on", [reopened, said, noted, timed, set_for_it])
def test_what_went_on_meanwhile_stays(world: World, goes_on: Callable[[World, str], None]) -> None:
    group = world.lives(Life(GROUP))
    incident = world.lives(Life(INCIDENT), [group])
    parts = old.plan(world.connection, CUT, KINDS).parts
    assert [(list(part.ids), part.after) for part in parts] == [([incident], ""), ([group], incident)]
    goes_on(world, incident)
    taken = prune.take(world.connection, 7, CUT, parts, lambda: False)
    assert (taken.parts, dict(taken.counts)) == (2, {})
    assert world.there() == {incident, group}


def test_no_number_and_no_id_is_given_twice(world: World) -> None:
    for _ in range(3):
        world.lives(Life(GROUP))
        world.lives(Life(INCIDENT))
    world.prunes()
    assert world.there() == set()
    given = [world.lives(Life(GROUP)), world.lives(Life(INCIDENT)), world.lives(Life(GROUP))]
    assert len(set(world.ids)) == len(world.ids)
    assert given[1] == "4"


def test_of_what_goes_on_that_goes_which_nobody_reads_any_more(world: World) -> None:
    def changes(to: str, at: datetime, schedule: str = "primary") -> None:
        event = OnCallChanged(subject=duty_of(schedule), at=at, people=(to,), before=())
        journal.add(world.connection, event, at)

    for day, name in enumerate("abc"):
        changes(name, OLD - (9 - day) * DAY)
    changes("last", OLD)
    changes("young", YOUNG)
    changes("alone", OLD, "other")
    for at in (OLD, YOUNG):
        journal.add(world.connection, Passing(subject="lane", at=at), at)
        journal.add(world.connection, delivered("nobody", at), at)
    assert old.plan(world.connection, CUT, KINDS).counts == {"events": 4}
    world.prunes()
    kept = world.connection.exec_driver_sql("SELECT headline FROM events WHERE kind = 'oncall.changed'")
    assert [headline for (headline,) in kept] == ["last on call", "young on call", "alone on call"]
    assert world.counted()["lane"] == 1
    assert world.counted()["nobody"] == 2


def test_lines_of_the_audit_go_by_their_age(world: World) -> None:
    for at in (YOUNG, *[OLD] * 120, NOW):  # the clock was set back once
        audit.add(world.connection, at=at, place="irc", account="al", person="", what="!ack", verdict="done")
    asked = count()
    world.prunes(lambda: next(asked) % 2 == 0)
    assert world.connection.exec_driver_sql("SELECT count(*) FROM audit").scalar() == 2


@pytest.mark.parametrize("table", ["events", "audit"])
def test_while_it_goes_on_nothing_young_can_be_deleted(world: World, table: str) -> None:
    journal.add(world.connection, delivered("k7f3", YOUNG), CUT)
    audit.add(world.connection, at=CUT, place="irc", account="al", person="", what="!ack", verdict="done")
    world.connection.execute(schema.pruning.insert().values(before=CUT))
    with pytest.raises(IntegrityError, match=f"{table} are only ever added"):
        world.connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608
    with pytest.raises(IntegrityError, match=f"{table} are only ever added"):
        world.connection.exec_driver_sql(f"UPDATE {table} SET at = ''")  # noqa: S608


def test_it_is_done_in_parts_that_are_small(world: World) -> None:
    subject = world.lives(replace(Life(GROUP), events=3 * prune.MOST_AT_ONCE))
    parts = [Part((subject,))]
    for left in (2 * prune.MOST_AT_ONCE, prune.MOST_AT_ONCE, 0):
        assert prune.take(world.connection, 7, CUT, parts, lambda: True).parts == 0
        assert world.counted().get(subject, 0) == left
        assert subject not in world.there()
    assert prune.take(world.connection, 7, CUT, parts, lambda: True).parts == 1


def test_what_is_left_of_one_that_is_gone_goes_the_next_time(world: World) -> None:
    subject = world.lives(replace(Life(GROUP), events=3 * prune.MOST_AT_ONCE))
    world.prunes(lambda: True, again=False)
    assert subject not in world.there()
    left = 2 * prune.MOST_AT_ONCE
    assert world.counted() == {subject: left}
    assert old.plan(world.connection, CUT, KINDS).counts == {"events": left}
    world.prunes()
    assert world.counted() == {}


LIVES = st.lists(
    st.builds(
        Life,
        kind=st.just(GROUP),
        ended=st.sampled_from([-5, -5, -5, None, 1]),
        last=st.sampled_from([-6, -6, -6, 1]),
        events=st.sampled_from([1, 3, 70]),
        timer=st.sampled_from(["", "", "", "silence.end"]),
        waits=st.sampled_from([False, False, False, True]),
    ),
    max_size=6,
)


@settings(max_examples=60)
@given(LIVES, st.data())
def test_whatever_happened_and_wherever_it_is_stopped(groups: list[Life], data: st.DataObject) -> None:
    """What goes is all that may, and what it is about with it; the rest is as it was."""
    with TemporaryDirectory() as folder, made(Path(folder) / "state") as world:
        ids = [world.lives(one) for one in groups]
        lives = dict(zip(ids, groups, strict=True))
        about = dict[str, list[str]]()
        for kind in data.draw(st.lists(st.sampled_from([INCIDENT, DIGEST]), max_size=4)):
            some = data.draw(st.lists(st.sampled_from(ids), unique=True, max_size=3)) if ids else []
            one = Life(kind, ended=data.draw(st.sampled_from([-5, -5, None])))
            subject = world.lives(one, some)
            lives[subject], about[subject] = one, some
        # Killed anywhere, it begins anew: each time it is found out once more what may go.
        for steps in data.draw(st.lists(st.integers(0, 9), max_size=4)):
            world.prunes(after(steps), again=False)
        world.prunes()
        assert world.there() == _stay(lives, about)
        assert set(world.counted()) <= world.there()


def after(steps: int) -> Callable[[], bool]:
    """Enough after so many steps."""
    asked = count()
    return lambda: next(asked) >= steps


def _stay(lives: dict[str, Life], about: dict[str, list[str]]) -> set[str]:
    stay = {one for one, life in lives.items() if not life.is_old}
    while True:
        more = set(stay)
        for subject, groups in about.items():
            if lives[subject].kind == DIGEST:
                more |= {subject} if stay & set(groups) else set()
            elif stay & {subject, *groups}:
                more |= {subject, *groups}
        if more == stay:
            return stay
        stay = more
