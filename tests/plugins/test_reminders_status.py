"""`!status`: where an incident stands is told to everybody, with when more is told; or asked."""

from datetime import timedelta

import pytest

from tests.engine import alert, fires
from tests.plugins.incident_parts import INCIDENTS, declared
from tests.plugins.reminder_parts import REMINDERS, WITH, happens, led, told
from tests.tower import TWO_STEPS, Tower, asks


async def test_it_is_told_with_when_the_next_comes(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        assert await asks(engine, "alice", "!status half of the disks are back", room="#ops") == [
            "1 sev2 status by alice: half of the disks are back \u00b7 next by 04:00 UTC"
        ]
        assert await asks(engine, "alice", "!update it is slow next 20m", room="#ops") == [
            "1 sev2 status by alice: it is slow \u00b7 next by 03:20 UTC"
        ]
        assert await asks(engine, "alice", "!status it is slow next 09:00", room="#ops") == [
            "1 sev2 status by alice: it is slow \u00b7 next by 09:00 UTC"
        ]
        refused = "'next 5' is no time: end with a length, as in 'next 30m', or a time, as in 'next 14:30'"
        assert await asks(engine, "alice", "!status it is slow next 5", room="#ops") == [refused]


@pytest.mark.parametrize(
    ("severity", "next_by"),
    [("sev1", "03:30 UTC"), ("sev2", "04:00 UTC"), ("sev3", "07:00 UTC"), ("sev4", "Sun 22 Nov 03:00 UTC")],
)
async def test_without_a_time_the_severity_says_it(tower: Tower, severity: str, next_by: str) -> None:
    async with tower(*WITH) as engine:
        await led(engine, severity)
        [line] = await asks(engine, "bob", "!status hm", room="#ops")
        assert line == f"1 {severity} status by bob: hm \u00b7 next by {next_by}"


async def test_who_does_it_alone_has_twice_as_long(tower: Tower) -> None:
    async with tower(*WITH, 'update_every.sev3 = "1h"') as engine:
        await declared(engine)
        assert (await asks(engine, "alice", "!status hm", room="#ops"))[0].endswith("next by 05:00 UTC")
        assert (await asks(engine, "bob", "!status hm", room="#ops"))[0].endswith("next by 05:00 UTC")
        assert (await asks(engine, "bob", "!status hm", room="#ops"))[0].endswith("next by 04:00 UTC")


async def test_in_private_each_reads_their_own_clock(tower: Tower) -> None:
    tower.people = tower.people.replace("[people.alice]\n", '[people.alice]\ntimezone = "Europe/Berlin"\n')
    async with tower(*WITH) as engine:
        await led(engine)
        before = len(tower.chat.said)
        assert await asks(engine, "alice", "status half is back next 14:30") == [
            "1 sev2 status by alice: half is back \u00b7 next by 14:30 Europe/Berlin"
        ]
        assert told(tower, before)[1:] == [
            "03:00:00 #ops 1 sev2 status by alice: half is back \u00b7 next by 13:30 UTC"
        ]
        await engine.says("alice", "!status", room="#ops")
        assert tower.chat.texts("person/alice")[-1].splitlines() == [
            "1 sev2 the disks are full: declared \u00b7 !status 1 TEXT",
            "last update 04:00 Europe/Berlin by alice: half is back",
            "next by 14:30 Europe/Berlin",
        ]


async def test_alone_it_answers_in_private(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        assert await asks(engine, "dave", "!status 1", room="#ops") == []
        assert tower.chat.texts("person/dave")[-1].splitlines()[1:] == ["no update yet", "next by 04:00 UTC"]
        await engine.says("alice", "!status it is slow", room="#ops")
        await engine.advance(minutes=67)
        await engine.says("dave", "!status", room="#ops")
        assert tower.chat.texts("person/dave")[-1].splitlines()[1:] == [
            "last update 03:00 UTC by alice: it is slow",
            "next by 04:00 UTC, 7m late",
        ]


async def test_what_is_over_promises_nothing(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        number = await led(engine)
        await happens(engine, number, "resolve")
        assert await asks(engine, "alice", "!status all is well", room="#ops") == [
            "1 sev2 status by alice: all is well \u00b7 no next update: it is over"
        ]
        assert await asks(engine, "alice", "!status well next 1h", room="#ops") == [
            "1 is resolved: no next update comes, so leave it out"
        ]
        await happens(engine, number, "close", "")
        await engine.says("dave", "!status 1", room="#ops")
        assert tower.chat.texts("person/dave")[-1].splitlines() == [
            "1 sev2 the disks are full: closed",
            "last update 03:00 UTC by alice: all is well",
            "no next update: it is over",
        ]
        assert await asks(engine, "alice", "!status 1 more", room="#ops") == ["1 is closed: reopen it first"]


async def test_a_stranger_reads_what_all_may_know_and_tells_nothing(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        assert await asks(engine, "mallory", "!status", room="#ops") == ["no incident is open"]
        await led(engine)
        await engine.says("alice", "!status the vault is open", room="#ops")
        stands = ["1 sev2 incident: declared \u00b7 next by 04:00 UTC"]
        assert await asks(engine, "mallory", "!status", room="#ops") == stands
        assert await asks(engine, "mallory", "!status 1", room="#dev") == stands
        assert await asks(engine, "mallory", "!status 1 all is well", room="#ops") == [
            "only people that I know tell how it stands; !status 1 asks"
        ]
        await led(engine, "sev1", "the vault is empty")
        [line] = await asks(engine, "mallory", "!status", room="#ops")
        assert line == "which one, 1 (sev2) and 2 (sev1)? \u00b7 !status 1"
        before = len(tower.chat.said)
        await engine.says("mallory", "status 1")
        assert not [line for line in told(tower, before) if "vault" in line]
        assert await engine.sql("select count(*) from events where kind = 'incident.status_updated'") == [
            (1,)
        ]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script> & [x](http://evil.example) **bold**",
        "@room @everyone alice: bob: {{ 7 * 7 }} {number}",
        "\x02\x0304red\x0f \u202edesrever\u202c \u200bhid\u2028den",
    ],
)
async def test_hostile_texts_are_texts(tower: Tower, text: str) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        [line] = await asks(engine, "alice", f"!status {text}", room="#ops")
        assert line.startswith("1 sev2 status by alice: ")
        assert line.endswith(" \u00b7 next by 04:00 UTC")
        assert line.isprintable()


async def test_a_long_text_leaves_when_the_next_comes_in_sight(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        await engine.says("alice", f"!status {'word ' * 190}", room="#ops")
        said = tower.chat.said[-1].message
        assert said.lines == ("next by 04:00 UTC",)
        before = len(tower.chat.said)
        await engine.says("alice", f"!status {'x' * 3000}", room="#ops")
        assert "at most 1,000 characters" in told(tower, before)[0]
        assert len(told(tower, before)) == 1


async def test_only_the_first_line_counts(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        [line] = await asks(engine, "alice", "!status it is slow\n!declare sev1 all is lost", room="#ops")
        assert line == "1 sev2 status by alice: it is slow \u00b7 next by 04:00 UTC"


async def test_a_drill_says_so(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine, "drill sev2")
        [line] = await asks(engine, "alice", "!status it is slow", room="#ops")
        assert line == "1 drill sev2 status by alice: it is slow \u00b7 next by 04:00 UTC"


async def test_all_the_world_reads_no_text(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        await engine.says("alice", "!status the vault is open", room="#ops")
        assert tower.chat.said[-1].message.brief == "sev2 status by alice \u00b7 next by 04:00 UTC"


async def test_two_at_once_are_told_apart(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        await led(engine, "sev1", "mail is gone")
        assert (await asks(engine, "alice", "!status it is slow", room="#ops"))[0].startswith("which one")
        assert (await asks(engine, "alice", "!status 2 it is slow", room="#ops"))[0].startswith("2 sev1")
        assert (await asks(engine, "alice", "!status 1 it is slow", room="#ops"))[0].startswith("1 sev2")


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('update_every.sev1 = "30s"', "sev1 must be at least 1m"),
        ('page = "nobody"', "no person, schedule or team is called 'nobody'"),
        ('stages.sev1.rom = "1m"', "no such setting; did you mean 'room'"),
    ],
)
async def test_wrong_settings_are_refused(tower: Tower, table: str, why: str) -> None:
    with pytest.raises(Exception, match=why):
        async with tower(TWO_STEPS, INCIDENTS, REMINDERS + table):
            pass


async def test_it_may_answer_an_alert_of_the_incident(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        subject = await engine.report(fires(alert()))
        await engine.says("alice", f"!declare sev2 the disks are full from {subject}", room="#ops")
        await tower.chat.hears("alice", "!status it is slow", room="#ops", about="1")
        await engine.run.settled()
        assert "1 sev2 status by alice: it is slow" in tower.chat.texts("room/#ops")[-1]


async def test_what_was_said_long_ago_is_no_news(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await led(engine)
        before = len(tower.chat.said)
        said_at = tower.clock.now() - timedelta(minutes=11)
        await tower.chat.hears("alice", "!status it is slow next 30m", room="#ops", at=said_at)
        await engine.run.settled()
        assert told(tower, before) == [
            (
                "03:00:00 #ops that was 11m ago, so I did not do it; say it again if you still mean it: "
                "!status it is slow next 30m"
            )
        ]
