"""Whom a step calls, and how long it waits."""

from collections.abc import Callable

import pytest

from tocsin.errors import NetworkError
from tocsin.store.outbox import Lane
from tocsin.testing import Said

from tests.engine import fires
from tests.tower import EMPTY, FACT, Tower, away, down, mends, policy, timers


async def test_the_first_step_comes_at_once_to_the_first_account_and_is_said_once_in_each_room(
    tower: Tower,
) -> None:
    tower.people = tower.people.replace('"alice"\n', '"alice"\naccounts.radio = "alpha"\n')
    tower.people += '[networks.radio]\nkind = "console"\nroom = "#air"\n'
    async with tower() as engine:
        subject = await engine.report(fires())
        page = f"{subject} {FACT} · !ack {subject}"
        news = f"{subject} paging alice: {FACT} · !ack {subject}"
        assert engine.chat.texts("person/alice") == [page]
        assert engine.chat.texts("room/#ops") == [news]
        assert tower.radio.texts("person/alpha") == []
        assert tower.radio.texts("room/#air") == [news]
        assert (len(engine.chat.said), len(tower.radio.said)) == (2, 1)


CALLEES = """\
[schedules.primary]
on_call = ["alice"]
[teams.db]
members = ["alice", "carol"]
rooms.console = "#db"
[teams.quiet]
members = ["bob"]
rooms.console = "#ops"
"""


@pytest.mark.parametrize(
    ("step", "pages", "told", "team_room"),
    [
        ('page = "primary"', ["alice"], ["paging alice"], []),
        ('page = "db"', ["alice", "carol"], ["paging alice and carol"], ["paging alice and carol"]),
        ('page = ["bob", "alice"]', ["bob", "alice"], ["paging bob and alice"], []),
        (
            'page = ["carol", "primary", "db", "alice", "carol"]',
            ["carol", "alice"],
            ["paging carol and alice"],
            ["paging carol and alice"],
        ),
        ('page = "bob", room = "db"', ["bob"], ["paging bob and #db"], ["paging bob and #db"]),
        ('room = "db"', [], ["paging #db"], ["paging #db"]),
        ('room = "console"', [], ["paging #ops"], []),
        ('room = ["console", "quiet", "db"]', [], ["paging #ops and #db"], ["paging #ops and #db"]),
    ],
)
async def test_a_step_calls_each_person_and_each_room_once(
    tower: Tower, step: str, pages: list[str], told: list[str], team_room: list[str]
) -> None:
    async with tower(policy(f"{{ {step} }}"), CALLEES) as engine:
        await engine.report(fires())
        assert sorted(tower.chat.pages()) == sorted(f"03:00:00 {one}" for one in pages)
        assert tower.chat.told() == [f"03:00:00 {one}" for one in told]
        assert tower.chat.told("#db") == [f"03:00:00 {one}" for one in team_room]


async def test_a_room_that_a_step_calls_is_paged_and_any_other_only_told(tower: Tower) -> None:
    async with tower(
        policy('{ page = "bob" }, { room = ["console", "db"], after = "5m" }'), CALLEES
    ) as engine:
        await engine.report(fires())
        await engine.advance(minutes=5)
        rows = await engine.sql("select place, lane from outbox where place like '%room%' order by id")
        told, page = Lane.NEWS.value, Lane.PAGE.value
        assert rows == [
            ("console/room/#ops", told),
            ("console/room/#ops", page),
            ("console/room/#db", page),
        ]


async def test_a_step_that_calls_nobody_is_skipped_at_once_and_said(tower: Tower) -> None:
    steps = '{ page = "empty" }, { page = "alice", after = "1h" }, { page = "bob", after = "5m" }'
    async with tower(policy(steps), EMPTY) as engine:
        await engine.report(fires())
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 bob"]
        assert tower.chat.told() == [
            "03:00:00 step 1: nobody to page (empty)",
            "03:00:00 step 2: paging alice",
            "03:05:00 step 3: paging bob",
        ]


async def test_a_step_that_calls_nobody_takes_no_time_of_the_one_before(tower: Tower) -> None:
    steps = '{ page = "alice" }, { page = "empty", after = "5m" }, { page = "bob", after = "1h" }'
    async with tower(policy(steps), EMPTY) as engine:
        await engine.report(fires())
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 bob"]


async def test_where_nobody_can_be_paged_the_fallback_rings_at_once_and_the_rounds_go_on(
    tower: Tower, rung: Callable[[], list[str]]
) -> None:
    steps = '{ page = "empty" }, { page = "empty", after = "5m" }'
    async with tower(policy(steps, "repeat = 1", 'repeat_after = "10m"'), EMPTY) as engine:
        subject = await engine.report(fires())
        nobody = "nobody to page (empty)"
        alarm = f"{subject} nobody can be paged: {FACT} · !ack {subject}"
        assert tower.chat.told() == [
            "03:00:00 nobody can be paged",
            *(f"03:00:00 step {step}: {nobody}" for step in (1, 2)),
        ]
        assert rung() == [alarm]
        await engine.advance(minutes=10)
        assert tower.chat.told()[4:] == [f"03:10:00 step {step}, again: {nobody}" for step in (1, 2)]
        assert rung() == [alarm] * 2
        await engine.advance(minutes=10)
        assert tower.chat.told()[6:] == ["03:20:00 nobody answers"]
        assert rung()[2:] == [f"{subject} nobody answers: {FACT} · !ack {subject}"]


# How long a step waits.


async def test_the_next_step_comes_on_time_to_the_second(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires())
        await engine.advance(minutes=4, seconds=59)
        assert tower.chat.pages() == ["03:00:00 alice"]
        await engine.advance(seconds=1)
        assert tower.chat.pages() == ["03:00:00 alice", "03:05:00 bob"]


@pytest.mark.parametrize(
    ("seconds", "alice", "bob"),
    [
        (30, "03:00:30", "03:05:30"),
        (57, "03:00:57", "03:05:57"),
        (60, "03:01:00", "03:05:58"),
        (90, "03:01:30", "03:05:58"),
        (200, "03:03:20", "03:05:58"),
    ],
)
async def test_the_wait_begins_when_the_page_is_there_or_its_minute_is_over(
    tower: Tower, seconds: int, alice: str, bob: str
) -> None:
    async with tower() as engine:
        engine.chat.fails = down("alice")
        await engine.report(fires())
        await engine.advance(seconds=seconds)
        await mends(engine)
        await engine.advance(minutes=8)
        assert tower.chat.pages() == [f"{alice} alice", f"{bob} bob"]


@pytest.mark.parametrize(("seconds", "bob"), [(50, "03:01:20"), (70, "03:01:28")])
async def test_a_short_wait_does_not_run_out_before_the_page_is_there(
    tower: Tower, seconds: int, bob: str
) -> None:
    async with tower(policy('{ page = "alice" }, { page = "bob", after = "30s" }')) as engine:
        engine.chat.fails = down("alice")
        await engine.report(fires())
        await engine.advance(seconds=seconds)
        await mends(engine)
        await engine.advance(minutes=2)
        assert tower.chat.pages()[1:] == [f"{bob} bob"]


@pytest.mark.parametrize(
    ("fails", "bob"),
    [
        (down("alice"), "03:05:58"),
        (down("alice", permanent=True), "03:00:00"),
        (away("alice"), "03:00:00"),
    ],
)
async def test_a_page_that_never_arrives_does_not_stop_the_escalation(
    tower: Tower, fails: Callable[[Said], NetworkError | None], bob: str
) -> None:
    async with tower() as engine:
        engine.chat.fails = fails
        await engine.report(fires())
        await engine.advance(minutes=9)
        assert tower.chat.pages() == [f"{bob} bob"]


@pytest.mark.parametrize(
    ("step", "bob"),
    [
        ('{ page = ["alice", "carol"] }', "03:00:00"),
        ('{ page = ["alice", "carol", "dave"] }', "03:05:00"),
        ('{ page = "alice", room = "console" }', "03:05:00"),
    ],
)
async def test_when_nobody_of_a_step_can_be_reached_the_next_one_comes_at_once(
    tower: Tower, step: str, bob: str
) -> None:
    async with tower(policy(f'{step}, {{ page = "bob", after = "5m" }}')) as engine:
        engine.chat.fails = down("alice", "carol", permanent=True)
        await engine.report(fires())
        assert "page to alice failed: no such account; nothing else will ring" in "".join(
            engine.chat.texts("room/#ops")
        )
        await engine.advance(minutes=9)
        assert next(page for page in tower.chat.pages() if page.endswith("bob")) == f"{bob} bob"


async def test_who_was_away_is_paged_when_they_come_while_it_still_rings(tower: Tower) -> None:
    async with tower() as engine:
        engine.chat.fails = away("alice")
        subject = await engine.report(fires())
        await engine.advance(minutes=2)
        assert tower.chat.pages() == ["03:00:00 bob"]
        told = [text for text in engine.chat.texts("room/#ops") if "failed" in text]
        assert told == [f"{subject} page to alice failed: nowhere online; nothing else will ring"]
        await mends(engine)
        assert tower.chat.pages() == ["03:00:00 bob", "03:02:00 alice"]
        await engine.says("bob", "!ack")
        assert await timers(engine) == []


async def test_who_was_away_is_left_alone_once_somebody_has_it(tower: Tower) -> None:
    async with tower() as engine:
        engine.chat.fails = away("alice")
        await engine.report(fires())
        await engine.says("bob", "!ack")
        await mends(engine)
        await engine.advance(minutes=20)
        assert tower.chat.pages() == ["03:00:00 bob"]
        assert engine.chat.texts("person/alice") == []


async def test_a_whole_round_that_reaches_nobody_is_not_repeated_at_once(tower: Tower) -> None:
    async with tower(
        policy('{ page = "alice" }, { page = "bob", after = "5m" }', "repeat = 1", 'repeat_after = "10m"')
    ) as engine:
        engine.chat.fails = down("alice", "bob", permanent=True)
        await engine.report(fires())
        taken = "select count(*) from events where kind = 'escalation.step_taken'"
        assert await engine.sql(taken) == [(2,)]
        await engine.advance(minutes=9)
        assert await engine.sql(taken) == [(2,)]
        await engine.advance(minutes=2)
        assert await engine.sql(taken) == [(4,)]


async def test_while_the_answer_to_a_page_is_lost_the_escalation_goes_on(tower: Tower) -> None:
    async with tower() as engine:
        engine.chat.answer_lost = True
        engine.chat.fails = lambda said: NetworkError("answer lost") if said.place.name == "alice" else None
        await engine.report(fires())
        await engine.advance(minutes=9)
        assert [page for page in tower.chat.pages() if page.endswith("bob")] == ["03:05:58 bob"]


async def test_an_answer_that_was_lost_and_found_begins_the_wait(tower: Tower) -> None:
    async with tower() as engine:
        engine.chat.answer_lost = True
        engine.chat.fails = lambda _: NetworkError("answer lost")
        await engine.report(fires())
        await engine.advance(seconds=20)
        await mends(engine)
        await engine.advance(minutes=9)
        assert tower.chat.pages()[-1] == "03:05:20 bob"


@pytest.mark.parametrize("late", ["alice", "carol"])
@pytest.mark.parametrize("seconds", [30, 200])
async def test_of_two_people_the_first_who_is_reached_begins_the_wait(
    tower: Tower, late: str, seconds: int
) -> None:
    async with tower(policy('{ page = ["alice", "carol"] }, { page = "bob", after = "5m" }')) as engine:
        engine.chat.fails = down(late)
        await engine.report(fires())
        await engine.advance(seconds=seconds)
        assert len(tower.chat.pages()) == 1
        await mends(engine)
        await engine.advance(minutes=6)
        assert len(tower.chat.pages()) == 3
        assert tower.chat.pages()[-1] == "03:05:00 bob"


async def test_a_page_of_an_earlier_step_does_not_move_a_later_one(tower: Tower) -> None:
    steps = ", ".join(f'{{ page = "{one}", after = "5m" }}' for one in ("alice", "bob", "carol"))
    async with tower(policy(steps)) as engine:
        engine.chat.fails = down("alice", "bob")
        await engine.report(fires())
        await engine.advance(minutes=6, seconds=30)
        engine.chat.fails = down("bob")
        assert engine.chat.listener
        engine.chat.listener.up("console")
        await engine.run.settled()
        assert tower.chat.pages() == ["03:06:30 alice"]
        await engine.advance(seconds=10)
        await mends(engine)
        await engine.advance(minutes=5)
        assert tower.chat.pages()[1:] == ["03:06:40 bob", "03:11:40 carol"]
