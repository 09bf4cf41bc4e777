"""A promised update that does not come: who is told, one after another, until one comes or it is over."""

from datetime import timedelta

import pytest

from tocsin.api import Role

from tests.engine import Engine, fires
from tests.plugins.incident_parts import TABLES, declared
from tests.plugins.reminder_parts import WITH, happens, late, led, told
from tests.tower import Tower

STAGES = [
    "04:00:00 alice 1 your promised update is due now",
    "04:05:00 bob 1 alice's promised update is 5m late, and you are the deputy",
    "04:10:00 #ops 1 alice's promised update (by 04:00 UTC) is 10m late",
    "04:30:00 alice {} critical incident 1: the update promised by 04:00 UTC has not come: !status 1 TEXT",
]


@pytest.mark.parametrize(
    ("severity", "times"),
    [
        ("sev1", ["03:30", "03:35", "03:40", "04:00"]),
        ("sev2", ["04:00", "04:05", "04:10", "04:30"]),
        ("sev3", ["07:00", "07:15", "07:30", "11:00"]),
        ("sev4", ["03:00", "04:00", "07:00", "03:00"]),
    ],
)
async def test_what_is_less_severe_waits_longer(tower: Tower, severity: str, times: list[str]) -> None:
    async with tower(*WITH) as engine:
        await led(engine, severity)
        await engine.advance(
            hours=1 if severity in ("sev1", "sev2") else 8 if severity == "sev3" else 48, minutes=31
        )
        assert [line[:5] for line in late(tower)][:4] == times


async def test_a_nag_goes_to_the_room_of_its_own_and_an_update_to_the_team_too(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        number = await led(engine)
        await engine.run.tocsin.make_room("console", "inc-1", "the disks are full", ["alice"], number)
        await engine.run.settled()
        before = len(tower.chat.said)
        await engine.says("alice", "!status it is slow", room="#inc-1")
        await engine.advance(minutes=71)
        updates = [line.split(" ")[1] for line in told(tower, before) if "status by" in line]
        assert sorted(updates) == ["#inc-1", "#ops"]
        assert [line.split(" ")[1] for line in late(tower, before)] == ["alice", "bob", "#inc-1"]


async def page_of(engine: Engine) -> str:
    found = await engine.run.tocsin.turn(lambda tx: [group.id for group in tx.open_groups()])
    return found[-1] if found else ""


async def expected(engine: Engine, number: int = 4) -> list[str]:
    page = await page_of(engine)
    return [line.format(page) for line in STAGES[:number]]


async def test_each_stage_comes_at_its_time(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        await engine.advance(minutes=59)
        assert late(tower) == []
        await engine.advance(minutes=32)
        assert late(tower) == await expected(engine)
        command = {line.rpartition(" \u00b7 ")[2] for line in told(tower) if "your promised" in line}
        assert command == {"!status 1 TEXT"}
        await engine.says("alice", f"!ack {await page_of(engine)}")
        before = len(tower.chat.said)
        await engine.advance(hours=12)
        assert late(tower, before) == []


@pytest.mark.parametrize("minutes", [59, 60, 64, 65, 69, 70, 89, 90, 100])
async def test_an_update_ends_it_and_begins_anew(tower: Tower, minutes: int) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        await engine.advance(minutes=minutes)
        await engine.says("carol", "!status it is slow next 5h", room="#ops")
        before = len(tower.chat.said)
        assert await page_of(engine) == ""
        await engine.advance(minutes=299)
        assert late(tower, before) == []
        await engine.advance(minutes=2)
        assert len(late(tower, before)) == 1


@pytest.mark.parametrize("minutes", [10, 60, 67, 72, 95])
@pytest.mark.parametrize("crash", [False, True])
async def test_it_is_silent_after_the_end(tower: Tower, minutes: int, *, crash: bool) -> None:
    async with tower(*WITH, crash=crash) as engine:
        number = await led(engine)
        await engine.advance(minutes=minutes)
        await happens(engine, number, "resolve")
        assert await page_of(engine) == ""
        before = len(tower.chat.said)
    async with tower(*WITH) as engine:
        await engine.advance(days=3)
        assert late(tower, before) == []
        await happens(engine, number, "reopen", "")
        await engine.advance(minutes=61)
        assert [line.split(" ", 1)[1] for line in late(tower, before)] == [
            "alice 1 your promised update is due now"
        ]
        await happens(engine, number, "resolve")
        await happens(engine, number, "close", "")
        before = len(tower.chat.said)
        await engine.advance(days=3)
        assert late(tower, before) == []


@pytest.mark.parametrize("after", [0, 59, 60, 61, 64, 65, 66, 69, 70, 71, 89, 90, 91])
async def test_a_crash_between_any_two_stages_loses_and_doubles_none(tower: Tower, after: int) -> None:
    async with tower(*WITH, crash=True) as engine:
        await led(engine)
        await engine.advance(minutes=after)
    async with tower(*WITH, crash=True) as engine:
        await engine.advance(minutes=94 - after)
        page = await page_of(engine)
    assert late(tower) == [line.format(page) for line in STAGES]


@pytest.mark.parametrize("crash", [False, True])
async def test_a_crash_at_every_minute_loses_and_doubles_none(tower: Tower, *, crash: bool) -> None:
    page = ""
    for minute in range(14):
        async with tower(*WITH, crash=crash) as engine:
            if not minute:
                await led(engine)
            await engine.advance(minutes=7)
            page = await page_of(engine) or page
    assert late(tower)[:4] == [line.format(page) for line in STAGES]
    assert len([line for line in late(tower)[4:] if page not in line]) == 0


@pytest.mark.parametrize("minutes", [62, 67, 80])
async def test_after_hours_away_each_stage_still_has_its_time(tower: Tower, minutes: int) -> None:
    async with tower(*WITH, crash=True) as engine:
        await led(engine)
        await engine.advance(minutes=minutes)
        before = len(late(tower))
    tower.clock.move(timedelta(hours=5))
    async with tower(*WITH) as engine:
        assert len(late(tower)) == before + 1
        await engine.advance(minutes=4)
        assert len(late(tower)) == before + 1
        await engine.advance(minutes=30)
        page = await page_of(engine)
    kinds = [line.split(" ", 2)[1] for line in late(tower) if page not in line]
    assert kinds == ["alice", "bob", "#ops"]


async def test_a_clock_set_forward_has_the_promise_due_and_the_stages_take_their_time(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        await engine.advance(minutes=10)
        tower.clock.step(timedelta(hours=1))
        await engine.run.settled()
        assert late(tower) == ["04:10:00 alice 1 your promised update is 10m late"]
        tower.clock.step(timedelta(hours=1))
        await engine.run.settled()
        assert len(late(tower)) == 1
        await engine.advance(minutes=6)
        assert late(tower)[1].startswith("05:15:00 bob")


async def test_a_clock_set_back_has_it_due_when_clocks_show_it(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        await engine.advance(minutes=59)
        tower.clock.step(-timedelta(hours=1))
        await engine.advance(minutes=60)
        assert late(tower) == []
        await engine.advance(minutes=2)
        assert late(tower) == [STAGES[0]]
        tower.clock.step(-timedelta(hours=1))
        await engine.advance(minutes=4)
        assert [line.split(" ")[1] for line in late(tower)] == ["alice", "bob"]


async def test_nothing_rings_before_the_last_stage(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        await engine.advance(minutes=89)
        assert len(late(tower)) == 3
        assert {said.rank.name for said in tower.chat.said if "promised" in str(said)} == {"STATUS"}
        assert await engine.sql("select count(*) from events where kind = 'page.asked'") == [(0,)]


async def test_who_is_asked_is_who_tells_others(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        number = await declared(engine, "sev2 the disks are full", by="dave")
        await happens(engine, number, "assign", Role.RESPONDER, "carol")
        for who, role in (
            ("dave", None),
            ("alice", Role.COMMANDER),
            ("carol", Role.COMMS),
        ):
            if role is not None:
                await engine.says("bob", "!status it is slow next 1h", room="#ops")
                await happens(engine, number, "assign", role, who)
            before = len(tower.chat.said)
            await engine.advance(minutes=61 if role else 121)
            assert [line.split(" ")[1] for line in late(tower, before)][:1] == [who]


@pytest.mark.parametrize("gone", ["alice", "bob"])
async def test_who_is_not_there_is_asked_in_the_room(tower: Tower, gone: str) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        tower.chat.unseen.add(gone)
        await engine.advance(minutes=66)
        expected = {"alice": ["#ops", "bob"], "bob": ["alice", "#ops"]}[gone]
        assert [line.split(" ")[1] for line in late(tower)] == expected


async def test_a_worse_severity_has_it_come_sooner_and_says_so(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        number = await led(engine, "sev3")
        await engine.says("alice", "!status it is slow", room="#ops")
        before = len(tower.chat.said)
        await happens(engine, number, "change_severity", "sev1", "")
        assert told(tower, before) == ["03:00:00 #ops 1 now sev1: next update by 03:30 UTC"]
        await engine.advance(minutes=31)
        assert late(tower) == ["03:30:00 alice 1 your promised update is due now"]
        before = len(tower.chat.said)
        await engine.says("alice", "!status it is slow next 10m", room="#ops")
        await happens(engine, number, "change_severity", "sev4", "")
        await engine.advance(minutes=11)
        assert late(tower, before) == ["03:41:00 alice 1 your promised update is due now"]


async def test_who_does_it_alone_is_reminded_and_nothing_more(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        number = await declared(engine, "sev2 the disks are full")
        await engine.advance(hours=9)
        assert late(tower) == ["05:00:00 alice 1 your promised update is due now"]
        await happens(engine, number, "assign", Role.RESPONDER, "bob")
        await engine.advance(minutes=31)
        assert [line.split(" ")[1] for line in late(tower)] == ["alice", "#ops", "alice"]


async def test_alone_at_sev1_there_is_no_mercy(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await declared(engine, "sev1 the disks are full")
        await engine.advance(minutes=61)
        assert [line.split(" ")[:2] for line in late(tower)] == [
            ["03:30:00", "alice"],
            ["03:40:00", "#ops"],
            ["04:00:00", "alice"],
        ]


async def test_a_deputy_who_comes_late_is_still_told(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        number = await declared(engine, "sev2 the disks are full")
        await happens(engine, number, "assign", Role.RESPONDER, "carol")
        await engine.advance(minutes=61)
        await happens(engine, number, "assign", Role.DEPUTY, "dave")
        await engine.advance(minutes=10)
        assert [line.split(" ")[1] for line in late(tower)] == ["alice", "dave", "#ops"]


async def test_the_file_says_whom_to_page_and_what_never_comes(tower: Tower) -> None:
    stages = 'page = "dave"\nstages.sev2 = { deputy = "0s", room = "1h", page = "2m" }\n'
    async with tower(*WITH, stages) as engine:
        await led(engine)
        await engine.advance(minutes=125)
        page = await page_of(engine)
        assert [line.split(" ")[:2] for line in late(tower)[:2]] == [
            ["04:00:00", "alice"],
            ["04:02:00", "dave"],
        ]
        assert "05:00:00 #ops" in " ".join(line for line in late(tower) if page not in line)


async def test_two_at_once_have_each_their_own(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        await engine.advance(minutes=3)
        await led(engine, title="mail is gone")
        await engine.says("alice", "!status 1 it is slow", room="#ops")
        before = len(tower.chat.said)
        await engine.advance(minutes=62)
        assert sorted(line.split(" ")[:3] for line in late(tower, before)) == [
            ["04:03:00", "alice", "1"],
            ["04:03:00", "alice", "2"],
        ]


async def test_a_drill_says_so_at_every_stage(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine, "drill sev2")
        await engine.advance(minutes=95)
        assert len(late(tower)) == 4
        assert all(" 1 drill " in line for line in late(tower))
        assert late(tower)[-1].endswith("is 30m late; in earnest alice would be paged now")
        assert not any("!ack" in str(one) for one in tower.chat.said)


async def test_what_a_rule_declared_and_nobody_has_is_said_in_the_room(tower: Tower) -> None:
    rule = '[[plugins.incidents.rules]]\nmatch = [\'alertname="DiskFull"\']\nseverity = "sev2"\n'
    async with tower(*WITH, rule) as engine:
        await engine.report(fires())
        await engine.advance(minutes=121)
        assert late(tower) == ["05:00:00 #ops 1 the promised update (by 05:00 UTC) is due now"]


async def test_what_happened_stands_in_its_story(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        number = await led(engine)
        await engine.advance(minutes=91)
        story = await engine.run.tocsin.turn(lambda tx: [one.headline for one in tx.story(number)])
        assert [line for line in story if "update" in line and "critical" not in line][:4] == [
            "next update by 05:00 UTC",
            "next update by 04:00 UTC",
            "update overdue: alice is told",
            "update overdue by 5m: bob is told",
        ]


async def test_what_was_declared_before_there_were_reminders_is_reminded_of_too(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await led(engine)
        await engine.advance(hours=5)
    async with tower(*WITH) as engine:
        await engine.advance(minutes=61)
        assert late(tower) == ["09:00:00 alice 1 your promised update is due now"]
    async with tower(*WITH) as engine:
        await engine.advance(minutes=5)
        assert len(late(tower)) == 2
