"""The timeline of an incident: what records itself, what people add, and how it is shown."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.event import Event
from tocsin.domain.incident_events import IncidentClosed, IncidentReopened, IncidentResolved, StatusUpdated
from tocsin.domain.timeline import Moment, merged
from tocsin.timelines import timeline
from tocsin_timeline.events import Noted

from tests.engine import Engine, alert, fires, gone, over
from tests.plugins.incident_parts import TABLES, declared
from tests.tower import Tower, asks

TIMELINE = "[plugins.timeline]\n"


async def moments(engine: Engine, number: str = "1") -> list[Moment]:
    return await engine.run.tocsin.turn(lambda tx: list(timeline(tx.incident(number), tx)))


async def story(engine: Engine, number: str = "1") -> list[str]:
    """Each moment as `03:00:00 what`."""
    return [f"{one.at:%H:%M:%S} {one.told}" for one in await moments(engine, number)]


async def record(engine: Engine, *events: Event) -> None:
    await engine.run.tocsin.turn(lambda tx: [tx.record(event) for event in events])
    await engine.run.settled()


async def test_everything_records_itself(tower: Tower) -> None:
    async with tower(*TABLES, TIMELINE, "[plugins.silence]") as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=6)
        await engine.says("bob", f"!declare sev2 the disks are full from {subject}", room="#ops")
        await engine.says("bob", f"!ack {subject}", room="#ops")
        await engine.advance(minutes=1)
        await engine.report(fires(alert(), alert("Load")))
        await engine.says("bob", f"!unack {subject}", room="#ops")
        await engine.says("bob", f"!silence {subject} 1h noise", room="#ops")
        await engine.report(gone("Load"))
        await engine.report(over())
        found = await story(engine)
    assert found == [
        "03:00:00 reported by prod: critical DiskFull db1: 97 % of / used",
        "03:00:00 step 1: paging alice",
        "03:05:00 step 2: paging bob",
        "03:06:00 sev2 declared by bob: the disks are full",
        "03:06:00 commander: bob",
        "03:06:00 bob has it",
        "03:06:00 acknowledged by bob",
        "03:07:00 firing: critical Load db1: 97 % of / used",
        "03:07:00 acknowledgement taken back by bob",
        "03:07:00 step 1: paging alice",
        "03:07:00 silenced by bob until 04:07 UTC (noise)",
        "03:07:00 no longer firing: Load db1: 97 % of / used",
        "03:07:00 no longer firing: DiskFull db1: 97 % of / used",
    ]


async def test_without_words_of_its_own_a_page_is_told(tower: Tower) -> None:
    async with tower(*TABLES, TIMELINE) as engine:
        subject = await engine.report(fires())
        await engine.says("bob", f"!declare sev2 the disks are full from {subject}", room="#ops")
        await engine.run.tocsin.turn(lambda tx: tx.page_person("carol", "come", about=subject))
        assert "03:00:00 carol paged" in await story(engine)
        assert "03:00:00 alice paged" not in await story(engine), "the step says so"


async def test_what_was_long_before_is_no_part_of_it(tower: Tower) -> None:
    async with tower(*TABLES, TIMELINE) as engine:
        subject = await engine.report(fires())
        await engine.says("bob", f"!ack {subject}", room="#ops")
        await engine.report(fires(alert(), alert("Load")))
        await engine.advance(hours=3)
        await engine.says("bob", f"!declare sev2 it won't end from {subject}", room="#ops")
        found = await story(engine)
        assert found[0] == "03:00:00 reported by prod: critical DiskFull db1: 97 % of / used"
        assert not any("Load" in line for line in found)
        assert "06:00:00 sev2 declared by bob: it won't end" in found
        await record(engine, IncidentResolved(subject="1", at=tower.clock.now(), by="bob"))
        await record(engine, IncidentClosed(subject="1", at=tower.clock.now(), by="bob"))
        await engine.advance(minutes=1)
        await engine.says("bob", f"!done {subject}", room="#ops")
        assert (await story(engine))[-1] == "06:00:00 closed (bob)"


async def test_a_note_stands_at_its_time(tower: Tower) -> None:
    tower.people = tower.people.replace("[people.bob]", 'timezone = "Europe/Berlin"\n[people.bob]', 1)
    async with tower(*TABLES, TIMELINE) as engine:
        await declared(engine, "sev3 the site is down", by="bob")
        await engine.advance(minutes=30)
        assert await asks(engine, "alice", "!note restarted the queue", room="#ops") == ["1 noted"]
        [told] = await asks(engine, "alice", "!note 04:10 the queue grew", room="#ops")
        assert told == "1 noted at 04:10 Europe/Berlin"
        [told] = await asks(engine, "alice", "note #1 50 minutes ago a deploy went out")
        assert told == "1 noted at 03:40 Europe/Berlin"
        assert await story(engine) == [
            "02:40:00 note: a deploy went out (alice)",
            "03:00:00 sev3 declared by bob: the site is down",
            "03:00:00 commander: bob",
            "03:00:00 bob has it",
            "03:10:00 note: the queue grew (alice)",
            "03:30:00 note: restarted the queue (alice)",
        ]


@pytest.mark.parametrize(
    "text",
    [
        "5xx everywhere",
        "3 pods crash",
        "today it is slow",
        "now it works",
        "friday is the deadline",
        "5m is the latency",
        "at the moment 12:30 looks bad",
        "tomorrow we look at it",
    ],
)
async def test_a_note_that_begins_with_no_time_is_one(tower: Tower, text: str) -> None:
    async with tower(*TABLES, TIMELINE) as engine:
        await declared(engine)
        assert await asks(engine, "alice", f"!note #1 {text}", room="#ops") == ["1 noted"]
        assert (await moments(engine))[-1].event == Noted(
            subject="1", at=tower.clock.now(), by="alice", text=text
        )


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("!note", "what happened? say !note [INCIDENT] [14:05|5m ago] TEXT\u2026"),
        ("!note 02:50", "what happened? say !note [INCIDENT] [14:05|5m ago] TEXT\u2026"),
        ("!note 14:75 it broke", "there is no time '14:75': a note is of what has happened"),
        (
            "!note tomorrow 09:00 we look",
            "'tomorrow 09:00' is yet to come: a note is of what has happened",
        ),
        ("!note 7 it broke", "there is no incident 7: !incidents lists what is open"),
    ],
)
async def test_a_note_that_can_not_be_is_refused(tower: Tower, line: str, refused: str) -> None:
    async with tower(*TABLES, TIMELINE) as engine:
        await declared(engine)
        before = len(await moments(engine))
        assert await asks(engine, "alice", line, room="#ops") == [refused]
        assert len(await moments(engine)) == before


async def test_the_last_page_stands_first(tower: Tower) -> None:
    async with tower(*TABLES, TIMELINE) as engine:
        await declared(engine)
        for number in range(28):
            at = tower.clock.now() + timedelta(seconds=number)
            await record(engine, StatusUpdated(subject="1", at=at, by="alice", text=f"update {number}"))
        await engine.advance(minutes=2)
        [told] = await asks(engine, "bob", "timeline 1")
        lines = told.splitlines()
        assert lines[0] == "1 sev3 mail is slow: declared; 31 entries, page 1 of 3 \u00b7 !timeline 1 2"
        assert lines[1] == "03:00:16 status: update 16 (alice)"
        assert lines[-1] == "03:00:27 status: update 27 (alice)"
        [told] = await asks(engine, "bob", "timeline 1 page 3")
        assert told.splitlines() == [
            "1 sev3 mail is slow: declared; 31 entries, page 3 of 3",
            "03:00:00 sev3 declared by alice: mail is slow",
            "03:00:00 commander: alice",
            "03:00:00 alice has it",
            "03:00:00 status: update 0 (alice)",
            "03:00:01 status: update 1 (alice)",
            "03:00:02 status: update 2 (alice)",
            "03:00:03 status: update 3 (alice)",
        ]
        assert await asks(engine, "bob", "timeline 1 4") == ["1 has 3 pages of its timeline"]
        assert await asks(engine, "bob", "timeline 1 soon") == ["say !timeline [INCIDENT] [PAGE]"]


async def test_in_a_room_it_is_short_and_in_utc(tower: Tower) -> None:
    tower.people = tower.people.replace("[people.bob]", 'timezone = "Europe/Berlin"\n[people.bob]', 1)
    async with tower(*TABLES, TIMELINE) as engine:
        await declared(engine)
        [told] = await asks(engine, "alice", "!timeline", room="#ops")
        assert told.splitlines()[1] == "03:00:00 UTC sev3 declared by alice: mail is slow"
        [told] = await asks(engine, "alice", "timeline")
        assert told.splitlines()[1] == "04:00:00 sev3 declared by alice: mail is slow"
        for _ in range(5):
            await engine.says("alice", "!note it is still slow", room="#ops")
        [told] = await asks(engine, "alice", "!timeline", room="#ops")
        assert told.endswith("8 entries \u2026 I told you the rest in private")


async def test_of_one_that_was_reopened_and_closed_all_is_kept_over_a_crash(tower: Tower) -> None:
    async with tower(*TABLES, TIMELINE, crash=True) as engine:
        await declared(engine)
        now = tower.clock.now()
        await record(
            engine,
            IncidentResolved(subject="1", at=now, by="alice"),
            IncidentReopened(subject="1", at=now, by="bob", because="it is slow again"),
            IncidentResolved(subject="1", at=now, by="bob"),
            IncidentClosed(subject="1", at=now, by="bob", text="thanks, all"),
        )
        before = await story(engine)
    async with tower(*TABLES, TIMELINE) as engine:
        assert await story(engine) == before
        assert await asks(engine, "alice", "!note 1 the cause was a full disk", room="#ops") == ["1 noted"]
        [told] = await asks(engine, "carol", "timeline 1")
    assert told.splitlines()[4:] == [
        "03:00:00 resolved (alice)",
        "03:00:00 reopened: it is slow again (bob)",
        "03:00:00 resolved (bob)",
        "03:00:00 closed: thanks, all (bob)",
        "03:00:00 note: the cause was a full disk (alice)",
    ]


BEGIN = datetime(2026, 11, 21, 3, tzinfo=UTC)
rows = st.lists(
    st.builds(
        Moment,
        at=st.integers(0, 5).map(lambda minutes: BEGIN + timedelta(minutes=minutes)),
        recorded_at=st.just(BEGIN),
        by=st.sampled_from(["", "alice"]),
        kind=st.just("timeline.noted"),
        text=st.just("it broke"),
        source=st.just("1"),
        seq=st.integers(0, 1000),
        event=st.none(),
    ),
    unique_by=lambda one: one.seq,
)


@given(rows)
def test_it_is_in_the_order_of_time_and_what_happened_at_once_as_it_was_recorded(own: list[Moment]) -> None:
    found = [(one.at, one.seq) for one in merged((Row(one) for one in own), ())]
    assert found == sorted((one.at, one.seq) for one in own)


class Row:
    """A row of the journal."""

    def __init__(self, moment: Moment) -> None:
        self.at, self.recorded_at, self.by = moment.at, moment.recorded_at, moment.by
        self.seq, self.kind = moment.seq, moment.kind
        self.subject, self.headline = moment.source, moment.text
        self.event: Event | None = None
