"""A room of its own: made, told, entered and left; and what a network that makes none means."""

import pytest

from tocsin.errors import NetworkError

from tests.engine import fires, over
from tests.plugins.incident_parts import INCIDENTS, declared, said
from tests.tower import TWO_STEPS, Tower, asks

ROOMS = INCIDENTS + 'rooms = ["console"]\nlinks = { call = "https://meet.example.org/{number}" }\n'
TABLES = (TWO_STEPS, ROOMS)


async def test_a_severe_one_has_its_own_and_those_are_invited_who_are_on_it(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=5)  # bob is called as well
        await declared(engine, f"sev2 the disks are full from {subject}", by="carol")
        assert tower.chat.made["#inc-1"].title == "1 sev2 the disks are full"
        assert tower.chat.made["#inc-1"].invited == ["carol", "alice", "bob"]
        assert "1 the disks are full: talked about in #inc-1 on console \u00b7 !room 1" in said(
            tower, "room/#ops"
        )
        [opening] = said(tower, "room/#inc-1")
        lines = opening.splitlines()
        assert lines[0] == "1 sev2 the disks are full: declared; carol leads"
        assert "call: https://meet.example.org/1" in lines
        assert lines[-1] == "!role ROLE NAME \u00b7 !mitigated \u00b7 !done CAUSE"


async def test_what_can_be_typed_there_is_what_there_is(tower: Tower) -> None:
    async with tower(*TABLES, "[plugins.timeline]\n[plugins.reminders]\n") as engine:
        await declared(engine, "sev2 the disks are full")
        [opening] = said(tower, "room/#inc-1")
        words = "!status TEXT \u00b7 !note TEXT \u00b7 !role ROLE NAME \u00b7 !mitigated \u00b7 !done CAUSE"
        assert opening.splitlines()[-1] == words


async def test_what_is_said_there_means_it(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 the disks are full")
        await declared(engine, "sev2 the mail is slow", by="bob")
        before = len(tower.chat.said)
        await engine.says("bob", "!mitigated rolled back", room="#inc-2")
        assert said(tower, "room/#inc-2", before)[0] == "2 mitigated: rolled back (bob, 03:00 UTC), after 0s"
        assert not said(tower, "room/#ops", before)
        told = await asks(engine, "bob", "!done 3 disks had failed", room="#inc-2")
        assert told[0] == "2 resolved by bob after 0s; cause: 3 disks had failed"
        assert "2 resolved by bob after 0s; cause: 3 disks had failed" in said(tower, "room/#ops")
        told = await asks(engine, "bob", "!sev #1 sev1 worse", room="#inc-2")
        assert told == ["1 severity sev2 \u2192 sev1 (worse) by bob"]
        assert tower.chat.made["#inc-1"].title == "1 sev1 the disks are full"


async def test_what_is_said_there_means_it_also_once_it_is_closed(tower: Tower) -> None:
    async with tower(*TABLES, "[plugins.timeline]\n") as engine:
        await declared(engine, "sev2 the disks are full")
        await engine.says("alice", "!done a leak", room="#inc-1")
        await engine.says("alice", "!close bye", room="#inc-1")
        await declared(engine, "sev3 the mail is slow", by="bob")
        told = await asks(engine, "alice", "!incident", room="#inc-1")
        assert told[0].startswith("1 sev2 the disks are full: closed")
        assert await asks(engine, "alice", "!note too late", room="#inc-1") == ["1 noted"]
        told = await asks(engine, "alice", "!mitigated", room="#inc-1")
        assert told == ["1 is closed: !reopen 1 opens it again"]
        told = await asks(engine, "alice", "!done", room="#inc-1")
        assert told[0].startswith("1 is closed")
        told = await asks(engine, "alice", "!reopen it is back", room="#inc-1")
        assert told == ["1 reopened by alice: it is back"]


async def test_one_that_is_declared_there_is_told_where_the_team_is(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 the disks are full")
        told = await asks(engine, "alice", "!declare sev3 mail is slow", room="#inc-1")
        assert told[0].startswith("2 sev3 declared by alice: mail is slow")
        before = len(tower.chat.said)
        await engine.says("alice", "!mitigated 2", room="#ops")
        assert said(tower, "room/#ops", before)
        assert not said(tower, "room/#inc-1", before)


async def test_an_alert_is_still_named_there(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        await declared(engine, "sev2 the disks are full")
        told = await asks(engine, "bob", f"!done {subject}", room="#inc-1")
        assert told[0].startswith(f"{subject} resolved by bob")
        told = await asks(engine, "bob", "!done", room="#inc-1")
        assert told[0].startswith("1 resolved by bob")


async def test_who_comes_takes_part_and_reads_what_they_missed(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 the disks are full")
        tower.chat.comes("bob", "#inc-1")
        tower.chat.comes("eve", "#inc-1")
        await engine.run.settled()
        tower.chat.comes("bob", "#inc-1")
        await engine.run.settled()
        [missed] = said(tower, "person/bob")
        assert missed.startswith("1 sev2 the disks are full: declared; alice leads")
        assert not said(tower, "person/eve")
        assert [one for one in said(tower, "room/#inc-1") if "here: alice and bob" in one]


async def test_who_comes_reads_the_links_where_nothing_stays_to_be_read(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 the disks are full")
        for person in ("alice", "bob"):  # nobody was there yet when it was opened
            tower.chat.comes(person, "#inc-1")
            await engine.run.settled()
            [missed] = said(tower, f"person/{person}")
            assert missed.startswith("1 sev2 the disks are full: declared; alice leads")
            assert "call: https://meet.example.org/1" in missed.splitlines()
            assert missed.splitlines()[-1].startswith("!role ROLE NAME")


async def test_who_comes_reads_no_links_where_the_room_shows_them(tower: Tower) -> None:
    tower.chat.edits = True
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 the disks are full")
        for person in ("alice", "bob"):
            tower.chat.comes(person, "#inc-1")
            await engine.run.settled()
        assert not said(tower, "person/alice")
        [missed] = said(tower, "person/bob")
        assert "https://" not in missed


async def test_who_is_given_a_role_is_invited(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 the disks are full")
        await engine.says("alice", "!role scribe dave", room="#inc-1")
        assert tower.chat.made["#inc-1"].invited == ["alice", "dave"]


async def test_one_that_is_not_severe_has_one_on_request(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        assert not tower.chat.made
        told = await asks(engine, "bob", "!room 1", room="#ops")
        assert told[0] == "1 it gets a room of its own on console"
        assert "#inc-1" in tower.chat.made
        told = await asks(engine, "carol", "!room 1", room="#ops")
        assert told[0] == "1 it is in #inc-1 on console: I invite you"
        assert "carol" in tower.chat.made["#inc-1"].invited


async def test_what_becomes_severe_gets_one(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        await engine.says("alice", "!sev 1 sev1 worse", room="#ops")
        assert tower.chat.made["#inc-1"].title == "1 sev1 mail is slow"


async def test_where_none_can_be_made_that_is_told_once_and_all_goes_on(tower: Tower) -> None:
    tower.chat.rooms_fail = NetworkError("I may make no rooms here", permanent=True, unsent=True)
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 the disks are full")
        await engine.advance(hours=1)
        told = [one for one in said(tower, "room/#ops") if "no room of its own" in one]
        assert told == ["1 it has no room of its own on console: I may make no rooms here"]
        assert (await asks(engine, "bob", "!mitigated", room="#ops"))[0].startswith("1 mitigated")


async def test_it_is_tried_until_the_network_is_back(tower: Tower) -> None:
    tower.chat.rooms_fail = NetworkError("no link", unsent=True)
    async with tower(*TABLES, crash=True) as engine:
        await declared(engine, "sev2 the disks are full")
        await engine.advance(seconds=10)
        assert not tower.chat.made
    tower.chat.rooms_fail = None
    async with tower(*TABLES) as engine:
        await engine.advance(minutes=6)
        assert "#inc-1" in tower.chat.made
        assert len(said(tower, "room/#inc-1")) == 1


@pytest.mark.parametrize("crash", [False, True])
async def test_it_is_left_a_while_after_the_end_and_had_again_when_it_comes_back(
    tower: Tower, *, crash: bool
) -> None:
    async with tower(*TABLES, crash=crash) as engine:
        await declared(engine, "sev2 the disks are full")
        await engine.says("alice", "!done x", room="#inc-1")
        await engine.says("alice", "!close bye", room="#inc-1")
        assert tower.chat.own_rooms == {"#inc-1"}
    async with tower(*TABLES) as engine:
        assert tower.chat.own_rooms == {"#inc-1"}
        await engine.advance(hours=1)
        assert not tower.chat.own_rooms
        before = len(tower.chat.said)
        await engine.says("bob", "!cause 1 a full disk", room="#ops")
        assert not said(tower, "room/#inc-1", before)
        await engine.says("alice", "!reopen 1 it is back", room="#ops")
        assert tower.chat.own_rooms == {"#inc-1"}
        assert said(tower, "room/#inc-1", before)[-1].startswith("1 sev2 the disks are full: declared")


async def test_what_becomes_of_its_alerts_is_heard_there(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        await declared(engine, f"sev2 the disks are full from {subject}")
        await engine.report(over())
        assert said(tower, "room/#inc-1")[-1] == (
            f"1 alert {subject} resolved by its source, without an answer: critical DiskFull db1: 97 % of / used"
        )
        await engine.report(fires())
        assert said(tower, "room/#inc-1")[-1].startswith(f"1 alert {subject} ")


async def test_what_is_noted_elsewhere_is_read_there(tower: Tower) -> None:
    async with tower(*TABLES, "[plugins.timeline]\n") as engine:
        await declared(engine, "sev2 the disks are full")
        await engine.says("bob", "!note 1 deleted old logs", room="#ops")
        assert "1 note by bob: deleted old logs" in said(tower, "room/#inc-1")
        before = len(tower.chat.said)
        await engine.says("bob", "!note moved the rest", room="#inc-1")
        assert said(tower, "room/#inc-1", before) == ["1 noted"]
        assert not said(tower, "room/#ops", before)


async def test_a_cause_that_begins_with_a_number_ends_no_other_incident(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        for title in ("the disks are full", "the mail is slow"):
            await declared(engine, f"sev2 {title}")
        told = await asks(engine, "bob", "!done 2 disks had failed", room="#inc-1")
        assert told[0].startswith("1 resolved by bob after 0s; cause: 2 disks had failed")
        assert (await asks(engine, "bob", "incidents"))[0].startswith("2 incidents open, 1 not over")
        told = await asks(engine, "bob", "!done #inc-2 it was the net", room="#inc-1")
        assert told[0].startswith("2 resolved by bob after 0s; cause: it was the net")
