"""Declaring an incident, by hand and by a rule; which one a line means; what there is."""

import pytest

from tocsin.domain.page import PageAsked, PageBegun, PageUnneeded

from tests.engine import alert, fires, over
from tests.plugins.incident_parts import INCIDENTS, TABLES, declared, said
from tests.tower import TWO_STEPS, Tower, asks

RULE = """\
[[plugins.incidents.rules]]
match = ['severity="critical"']
severity = "sev1"
"""


UPDATES = "[plugins.reminders]\n"


@pytest.mark.parametrize(("more", "command"), [("", "!mitigated 1 HOW"), (UPDATES, "!status 1 TEXT")])
async def test_it_is_declared_from_an_alert(tower: Tower, more: str, command: str) -> None:
    """What is offered to be typed next is there."""
    async with tower(*TABLES, more) as engine:
        subject = await engine.report(fires())
        before = len(tower.chat.said)
        told = await asks(engine, "alice", f"!declare sev2 the disks are full from {subject}", room="#ops")
        assert told == [
            (
                f"1 sev2 declared by alice: the disks are full \u00b7 {command}\n"
                f"alert {subject}: critical DiskFull db1: 97 % of / used"
            )
        ]
        assert len(said(tower, "room/#ops", before)) == 1
        shown = await asks(engine, "bob", "!incident 1")
        assert ("!status 1 TEXT" in shown[0]) is bool(more)
        assert not [line for line in await asks(engine, "bob", command) if "there is no" in line]
        refused = await asks(engine, "bob", f"!declare again from {subject}", room="#ops")
        assert refused == ["that is incident 1 already: sev2 the disks are full"]


async def test_who_declares_without_an_alert_reads_which_may_belong_to_it(tower: Tower) -> None:
    async with tower(*TABLES, "[plugins.silence]\n") as engine:
        taken = await engine.report(fires(key="taken"))
        await engine.says("alice", f"!declare sev2 another from {taken}", room="#ops")
        quiet = await engine.report(fires(key="gone"))
        await engine.says("alice", f"!silence {quiet} 2h", room="#ops")
        await engine.report(over(key="gone"))  # it stays open until its silence ends
        [told] = await asks(engine, "alice", "!declare sev2 nothing fires", room="#ops")
        assert "belong to it?" not in told
        one = await engine.report(fires())
        [told] = await asks(engine, "alice", "!declare sev2 logins fail", room="#ops")
        assert told.splitlines()[1:] == [f"{one} fires: does that belong to it? !attach 3 {one}"]
        [told] = await asks(engine, "alice", "!declare drill sev2 we try it", room="#ops")
        assert "belong to it?" not in told
        other = await engine.report(fires(key="other"))
        [told] = await asks(engine, "alice", "!declare sev2 mail fails", room="#ops")
        assert told.endswith(f"\n{one} and {other} fire: does that belong to it? !attach 5 ALERT")
        await engine.says("alice", f"!attach 5 {one} {other}", room="#ops")
        [told] = await asks(engine, "alice", "!declare sev2 and more", room="#ops")
        assert "belong to it?" not in told


async def test_without_a_title_it_is_called_as_its_alert(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        await engine.says("alice", f"!declare from {subject}", room="#ops")
        assert (await asks(engine, "bob", "!incident 1", room="#ops"))[0].startswith(
            "1 sev3 critical DiskFull db1: 97 % of / used: declared"
        )


@pytest.mark.parametrize("word", ["sev5", "SEV0", "sev-1", "sev12"])
async def test_a_severity_that_is_none_is_no_title(tower: Tower, word: str) -> None:
    async with tower(*TABLES) as engine:
        refused = await asks(engine, "alice", f"!declare {word} mail is slow", room="#ops")
        assert refused == [f"{word!r} is no severity: they go from sev1 to sev4"]
        assert await asks(engine, "alice", "!incidents", room="#ops") == [
            "no incident is open \u00b7 !declare TEXT"
        ]


@pytest.mark.parametrize("words", ["", "sev2", "drill", "drill sev1"])
async def test_nothing_is_no_incident(tower: Tower, words: str) -> None:
    async with tower(*TABLES) as engine:
        [told] = await asks(engine, "alice", f"!declare {words}".strip(), room="#ops")
        assert told.startswith("what is wrong? say !declare")
        assert await asks(engine, "alice", "incidents") == ["no incident is open \u00b7 !declare TEXT"]


async def test_a_drill_says_so_wherever_it_is_named(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        [told, *_] = await asks(engine, "alice", "!declare drill sev1 the database is lost", room="#ops")
        assert told.startswith("1 drill sev1 declared by alice")
        assert "1 drill sev1 the database is lost" in (await asks(engine, "bob", "incidents"))[0]


async def test_a_word_that_is_no_alert_belongs_to_the_title(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        [told, *_] = await asks(engine, "alice", "!declare mail from outside bounces", room="#ops")
        assert told.startswith("1 sev3 declared by alice: mail from outside bounces")


async def test_a_rule_declares_once(tower: Tower) -> None:
    async with tower(TWO_STEPS, INCIDENTS + RULE) as engine:
        subject = await engine.report(fires())
        await engine.report(fires(alert("Slow", severity="warning"), key="slow"))
        await engine.report(over())
        await engine.report(fires())
        opened = [text for text in said(tower, "room/#ops") if "declared" in text]
        assert opened == [
            (
                "1 sev1 declared by rule: critical DiskFull db1: 97 % of / used \u00b7 !mitigated 1 HOW\n"
                f"alert {subject}: critical DiskFull db1: 97 % of / used"
            )
        ]


async def test_which_one_is_meant(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        [told] = await asks(engine, "alice", "!incident", room="#ops")
        assert told == "there is no open incident: !incident NUMBER means one that is closed"
        [told] = await asks(engine, "alice", "!lead", room="#ops")
        assert told == "there is no open incident: !declare TEXT declares one"
        first = await declared(engine)
        assert (await asks(engine, "alice", "!incident", room="#ops"))[0].startswith("1 sev3 mail is slow")
        await declared(engine, "sev1 the site is down", by="bob")
        [told] = await asks(engine, "carol", "!incident", room="#ops")
        assert told == "which one, 1 (mail is slow) and 2 (the site is down)? Say !incident 2 \u2026"
        for named in (first, f"#{first}", f"inc-{first}", f"{first}:", f"show {first}"):
            [told] = await asks(engine, "carol", f"!incident {named}", room="#ops")
            assert told.startswith("1 sev3 mail is slow")
        assert (await asks(engine, "bob", "incident"))[0].startswith("2 sev1 the site is down")
        assert await asks(engine, "bob", "incident 99") == [
            "there is no incident 99: !incidents lists what is open"
        ]


async def test_they_are_all_there_after_a_crash(tower: Tower) -> None:
    async with tower(*TABLES, crash=True) as engine:
        await declared(engine)
        await declared(engine, "sev1 the site is down")
    async with tower(*TABLES) as engine:
        [told] = await asks(engine, "carol", "incidents")
        lines = told.splitlines()
        assert lines[0] == "2 incidents open, 2 not over"
        assert [line.split(" (")[0] for line in lines[1:]] == [
            "2 sev1 the site is down",
            "1 sev3 mail is slow",
        ]


async def test_whoever_is_needed_is_paged_until_they_answer_or_are_not(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        number = await declared(engine)
        turn = engine.run.tocsin.turn

        def ask(key: str) -> PageAsked:
            return PageAsked(subject=number, at=tower.clock.now(), name="bob", text="lead it", key=key)

        await turn(lambda tx: tx.record(ask("lead")))
        await turn(lambda tx: tx.record(ask("lead")))
        await engine.run.settled()
        [page] = [text for text in said(tower, "person/bob") if "!ack" in text]
        assert "critical incident 1: lead it" in page
        begun = await turn(lambda tx: tx.last(number, PageBegun))
        assert begun is not None
        assert page.startswith(begun.group)
        await turn(
            lambda tx: tx.record(PageUnneeded(subject=number, at=tx.now, key="lead", because="alice leads"))
        )
        await engine.run.settled()
        assert await engine.state(begun.group) == "resolved"
        assert said(tower, "person/bob")[-1].startswith(f"{begun.group} over: alice leads")
        await turn(lambda tx: tx.record(ask("lead")))
        await engine.run.settled()
        again = await turn(lambda tx: tx.last(number, PageBegun))
        assert again is not None
        assert again.group != begun.group


async def test_a_tap_on_a_page_declares(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        receipt = next(
            str(number)
            for number, one in enumerate(tower.chat.said, 1)
            if one.place.name == "#ops" and subject in str(one)
        )
        await tower.chat.hears("bob", "\U0001f6a8", room="#ops", about=receipt, tapped=True)
        await engine.run.settled()
        assert (await asks(engine, "bob", "incident 1"))[0].startswith(
            "1 sev3 critical DiskFull db1: 97 % of / used"
        )


async def test_a_page_for_an_incident_is_no_incident_of_its_own(tower: Tower) -> None:
    async with tower(TWO_STEPS, INCIDENTS + RULE) as engine:
        number = await declared(engine)
        ask = PageAsked(subject=number, at=tower.clock.now(), name="bob", text="lead it", key="lead")
        await engine.run.tocsin.turn(lambda tx: tx.record(ask))
        await engine.says("alice", "!page bob come", room="#ops")
        assert (await asks(engine, "alice", "incidents"))[0].startswith("1 incident open")


async def test_strangers_read_how_severe_it_is_and_no_more(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        await declared(engine, "sev2 mail of the board is lost")
        [told] = await asks(engine, "eve", "!incidents", room="#ops")
        assert told.splitlines()[1] == "1 sev2 (declared, since 03:00 UTC)"
        assert await asks(engine, "eve", "!incident", room="#ops") == ["1 sev2: declared"]
        await declared(engine, "sev1 the site is down")
        [told] = await asks(engine, "eve", "!incident", room="#ops")
        assert told == "which one, 1 and 2? Say !incident 2 \u2026"
        refused = await asks(engine, "eve", "!declare sev1 all is lost", room="#ops")
        assert "I don't know" in refused[0]


async def test_a_storm_is_one_incident(tower: Tower) -> None:
    async with tower(TWO_STEPS, INCIDENTS + 'rooms = ["console"]\n' + RULE) as engine:
        ids = [await engine.report(fires(alert(f"A{n}"), key=f"k{n}")) for n in range(12)]
        assert (await asks(engine, "alice", "incidents"))[0].startswith("1 incident open")
        told = [one for one in said(tower, "room/#inc-1") if "belongs to it too" in one]
        assert len(told) == 4
        assert told[0] == f"1 alert {ids[1]} belongs to it too: critical A1 db1: 97 % of / used"
        assert told[-1].endswith("; of more !incident 1 tells")
        lines = (await asks(engine, "alice", "catchup 1"))[0].splitlines()
        assert len([line for line in lines if line.startswith("alert ")]) == 5
        assert "\u2026 and 7 more alerts \u00b7 !alerts" in lines
        await engine.says("alice", "!done 1 x", room="#ops")
        await engine.report(fires(alert("Later"), key="later"))
        assert (await asks(engine, "alice", "incidents"))[0].startswith("2 incidents open, 1 not over")
