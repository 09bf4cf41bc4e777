"""Who leads an incident: whoever is alone with it, the coordinator, or who was asked; and what is said while nobody does."""

import pytest

from tests.engine import Engine, fires
from tests.plugins.incident_parts import INCIDENTS, TABLES, declared, said
from tests.tower import TWO_STEPS, Tower, asks

LEADERS = '[schedules.lead]\non_call = ["carol"]\n[schedules.second]\non_call = ["dave"]\n'
COORDINATED = (TWO_STEPS, LEADERS, INCIDENTS + 'coordinators = "lead"\ndeputies = "second"\n')


async def leads(engine: Engine, number: str = "1") -> str:
    return await engine.run.tocsin.turn(lambda tx: tx.incident(number).commander)


async def test_who_is_alone_with_it_leads_and_is_asked_nothing(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        assert await leads(engine) == "alice"
        before = len(tower.chat.said)
        await engine.advance(hours=1)
        assert not said(tower, "room/#ops", before)
        assert not said(tower, "person/alice", before)


async def test_with_the_second_person_it_is_asked_once_who_leads_and_how_far_it_reaches(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        before = len(tower.chat.said)
        await engine.says("bob", "!scope 1 hit everybody", room="#ops")
        await engine.says("carol", "!scope 1 since noon", room="#ops")
        asked = [text for text in said(tower, "room/#ops", before) if "leads; here" in text]
        assert asked == [
            (
                "1 alice leads; here: alice and bob \u00b7 !hat pass 1 NAME\n"
                "who knows? !scope 1 heard \u2026 | verified \u2026 | since \u2026 | systems \u2026"
            )
        ]


async def test_sev1_is_nobodys_alone(tower: Tower) -> None:
    async with tower(*COORDINATED) as engine:
        await declared(engine, "sev1 all is lost")
        assert await leads(engine) == ""
        assert any(
            one.startswith("1 nobody leads yet; here: alice \u00b7 !lead 1")
            for one in said(tower, "room/#ops")
        )


async def test_a_missing_lead_is_said_five_times_and_then_no_more(tower: Tower) -> None:
    async with tower(*COORDINATED) as engine:
        await declared(engine, "drill sev1 all is lost")
        before = len(tower.chat.said)
        await engine.advance(hours=2)
        nags = [
            f"{time} {one.message.text}"
            for time, one in zip(tower.chat.times[before:], tower.chat.said[before:], strict=True)
            if "nobody leads" in one.message.text
        ]
        assert nags == [
            "03:02:00 drill nobody leads for 2m",
            "03:04:00 drill nobody leads for 4m",
            "03:06:00 drill nobody leads for 6m",
            "03:08:00 drill nobody leads for 8m",
            "03:10:00 drill nobody leads for 10m; I say so no more",
        ]
        assert not tower.chat.pages()  # a drill wakes nobody


@pytest.mark.parametrize("minutes", range(0, 12, 2))
async def test_a_crash_neither_adds_nor_loses_one(tower: Tower, minutes: int) -> None:
    async with tower(*COORDINATED, crash=True) as engine:
        await declared(engine, "drill sev1 all is lost")
        await engine.advance(minutes=minutes, seconds=30)
    async with tower(*COORDINATED) as engine:
        await engine.advance(hours=1)
    nags = [one.message.text for one in tower.chat.said if "nobody leads for" in one.message.text]
    assert len(nags) == 5


async def test_once_somebody_leads_nothing_more_is_said(tower: Tower) -> None:
    async with tower(*COORDINATED) as engine:
        await declared(engine, "drill sev1 all is lost")
        await engine.advance(minutes=3)
        assert await asks(engine, "bob", "!lead", room="#ops") == ["1 drill bob leads"]
        before = len(tower.chat.said)
        await engine.advance(minutes=9)
        assert not said(tower, "room/#ops", before)
        await engine.says("bob", "!role commander nobody", room="#ops")
        await engine.advance(minutes=2)
        assert said(tower, "room/#ops")[-1].startswith("1 drill nobody leads for 2m")


async def test_the_coordinator_is_paged_and_leads_by_answering(tower: Tower) -> None:
    async with tower(*COORDINATED) as engine:
        await declared(engine, "sev2 all is slow")
        assert await leads(engine) == "alice"
        [page] = said(tower, "person/carol")
        assert "critical incident 1: sev2 all is slow: lead it" in page
        await engine.says("carol", "!ack")
        assert await leads(engine) == "carol"
        [led] = [one for one in said(tower, "room/#ops") if "carol leads" in one]
        assert led.startswith("1 carol leads; here: alice and carol")
        before = len(tower.chat.said)
        await engine.advance(hours=1)
        assert [one for one in said(tower, "person/carol", before) if "!ack" in one] == []
        assert not [one for one in said(tower, "person/dave", before) if "asked" in one]


async def test_the_coordinator_who_declares_it_leads_and_is_not_paged(tower: Tower) -> None:
    async with tower(*COORDINATED) as engine:
        await declared(engine, "sev1 all is lost", by="carol")
        assert await leads(engine) == "carol"
        assert not tower.chat.pages()


async def test_what_becomes_severe_pages_the_coordinator_then(tower: Tower) -> None:
    async with tower(*COORDINATED) as engine:
        await declared(engine, "sev3 all is slow")
        assert not said(tower, "person/carol")
        await engine.says("alice", "!sev 1 sev2 more and more of it", room="#ops")
        assert len(said(tower, "person/carol")) == 1
        await engine.says("alice", "!sev 1 sev1 everything", room="#ops")
        assert len(said(tower, "person/carol")) == 1


async def test_the_second_is_asked_when_the_coordinator_gives_no_answer(tower: Tower) -> None:
    async with tower(*COORDINATED) as engine:
        await declared(engine, "sev1 all is lost")
        await engine.advance(minutes=5)
        [asked] = [one for one in said(tower, "person/dave") if "asked to lead" in one]
        assert "1 the coordinator has not answered: dave is asked to lead" in said(tower, "room/#ops")
        # He has an offer and nothing else: the open alerts are not his.
        assert (await asks(engine, "dave", "accept"))[0].startswith("you lead 1: you decide who does what")
        assert asked.endswith(f"!accept {asked.split()[0]}")
        assert await leads(engine) == "dave"
        before = len(tower.chat.said)
        await engine.advance(hours=1)
        assert not [one for one in said(tower, "person/carol", before) if "!ack" in one]


async def test_whoever_takes_it_frees_all_who_were_asked(tower: Tower) -> None:
    async with tower(*COORDINATED) as engine:
        await declared(engine, "sev1 all is lost")
        await engine.advance(minutes=5)
        await engine.says("bob", "!lead", room="#ops")
        assert said(tower, "person/dave")[-1] == "1 bob leads: you need not"
        await engine.says("dave", "accept")
        assert await leads(engine) == "bob"
        assert any("over: bob leads" in one for one in said(tower, "person/carol"))


async def test_the_hat_waits_for_who_is_asked(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        [told] = await asks(engine, "alice", "!hat pass bob", room="#ops")
        assert told.startswith("1 asked bob to lead (")
        assert told.endswith("who has 5m to accept; alice leads until then")
        assert await leads(engine) == "alice"
        refused = await asks(engine, "carol", "!hat pass carol", room="#ops")
        assert refused == ["alice leads 1, not you; !lead 1 takes it"]
        offer = told.split("(")[1].split(")")[0]
        assert await asks(engine, "carol", f"accept {offer}") == [f"{offer} asks bob, not you"]
        await engine.says("bob", "decline")
        assert said(tower, "room/#ops")[-1] == "1 bob can't lead: alice leads on \u00b7 !lead 1"
        await engine.says("alice", "!hat pass bob", room="#ops")
        await engine.advance(minutes=5)
        assert said(tower, "room/#ops")[-1] == "1 bob gave no answer: alice leads on \u00b7 !lead 1"
        await engine.says("alice", "!hat pass bob", room="#ops")
        await engine.says("bob", "accept")
        assert await leads(engine) == "bob"
        assert "1 bob leads" in said(tower, "room/#ops")


async def test_an_offer_is_answered_in_the_room_of_its_incident_whatever_else_rings(tower: Tower) -> None:
    async with tower(TWO_STEPS, INCIDENTS + 'rooms = ["console"]\n') as engine:
        await declared(engine, "sev2 the disks are full")
        await engine.says("alice", "!role deputy bob", room="#inc-1")
        await engine.report(fires())  # pages alice, who is asked as well
        await engine.says("bob", "!lead", room="#inc-1")
        await engine.says("bob", "!hat pass alice", room="#inc-1")
        before = len(tower.chat.said)
        answers = await asks(engine, "alice", "!decline", room="#inc-1")
        assert answers == ["1 alice can't lead: bob leads on \u00b7 !lead 1"]
        assert said(tower, "room/#inc-1", before) == answers, "and once"
        await engine.says("bob", "!hat pass alice", room="#inc-1")
        [told] = await asks(engine, "alice", "!accept", room="#inc-1")
        assert told.startswith("you lead 1")
        assert await leads(engine) == "alice"


async def test_who_takes_what_they_were_asked_for_is_not_told_that_they_need_not(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        await engine.says("alice", "!hat pass bob", room="#ops")
        await engine.says("bob", "!lead", room="#ops")
        assert not [one for one in said(tower, "person/bob") if "need not" in one]
        assert await leads(engine) == "bob"


async def test_who_is_asked_twice_answers_once(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        await engine.says("alice", "!hat pass bob", room="#ops")
        await engine.says("alice", "!hat pass bob", room="#ops")
        [told] = await asks(engine, "bob", "accept")
        assert told == "you lead 1: you decide who does what, and debug nothing yourself"
        assert await leads(engine) == "bob"
        before = len(tower.chat.said)
        await engine.advance(minutes=10)
        assert not said(tower, "room/#ops", before)
        await engine.says("bob", "!hat pass alice", room="#ops")
        await engine.says("bob", "!hat pass alice", room="#ops")
        answers = await asks(engine, "alice", "decline")
        assert answers == ["1 alice can't lead: bob leads on \u00b7 !lead 1"]


async def test_an_offer_outlives_a_crash(tower: Tower) -> None:
    async with tower(*TABLES, crash=True) as engine:
        await declared(engine)
        await engine.says("alice", "!hat pass bob", room="#ops")
    async with tower(*TABLES) as engine:
        await engine.says("bob", "accept")
        assert await leads(engine) == "bob"
        await engine.advance(minutes=10)
        assert await leads(engine) == "bob"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("!role", "1 commander alice"),
        ("!role scribe", "who? say !role"),
        ("!role scrbe bob", "'scrbe' is no role: say !role"),
        ("!role scribe eve", "nobody is called 'eve'"),
        ("!role commander alice", "alice is commander of 1 already"),
        ("!hat pass", "say !hat pass"),
        ("!hat pass alice", "to whom? alice leads 1"),
        ("!hat pass nobody", "to whom? alice leads 1"),
        ("!hat", "1 commander alice"),
    ],
)
async def test_what_can_t_be_read_is_answered(tower: Tower, typed: str, told: str) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        [answer] = await asks(engine, "alice", typed, room="#ops")
        assert answer.startswith(told)


async def test_roles_are_told_to_who_gets_one(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        told = await asks(engine, "alice", "!role scribe @bob", room="#ops")
        assert told[0] == "1 bob is scribe (by alice)"
        assert said(tower, "person/bob") == [
            "1 you are scribe of sev3 mail is slow: you write down what happens: !note"
        ]
        assert (await asks(engine, "bob", "role 1"))[0] == "1 commander alice, scribe bob"


async def test_who_answers_the_alert_of_a_rule_s_incident_leads(tower: Tower) -> None:
    rule = '[[plugins.incidents.rules]]\nmatch = ["alertname=DiskFull"]\nseverity = "sev2"\n'
    async with tower(TWO_STEPS, INCIDENTS + rule) as engine:
        subject = await engine.report(fires())
        assert await leads(engine) == ""
        await engine.says("bob", f"!ack {subject}", room="#ops")
        assert await leads(engine) == "bob"
        assert "1 bob leads" in said(tower, "room/#ops")
        assert "acked 03:00 UTC (+0s)" in "\n".join(await asks(engine, "bob", "incident 1"))


async def test_who_leads_is_told_where_all_the_world_may_read_too(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine)
        before = len(tower.chat.said)
        for by, line in (("bob", "!lead"), ("bob", "!hat pass alice"), ("alice", "!role scribe carol")):
            await engine.says(by, line, room="#ops")
        briefly = [one.message.summary().text for one in tower.chat.said[before:] if not one.place.private]
        assert [text.split(" (")[0] for text in briefly] == [
            "bob leads",
            "bob leads; here: alice and bob",
            "asked alice to lead",
            "carol is scribe",
        ]


async def test_nobody_else_is_asked_once_the_coordinator_of_a_rule_s_incident_has_answered(
    tower: Tower,
) -> None:
    rule = '[[plugins.incidents.rules]]\nmatch = ["alertname=DiskFull"]\nseverity = "sev2"\n'
    async with tower(*COORDINATED, rule) as engine:
        await engine.report(fires())
        page = next(one for one in said(tower, "person/carol") if "lead it" in one)
        await engine.says("carol", f"ack {page.split()[0]}")
        assert await leads(engine) == "carol"
        await engine.advance(minutes=20)
        assert not [one for one in said(tower, "person/dave") if "asked to lead" in one]
