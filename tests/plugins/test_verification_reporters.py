"""Who reported an incident is asked whether it is over for them too."""

import pytest

from tests.engine import Engine
from tests.plugins.incident_parts import TABLES, declared, said
from tests.plugins.postmortem_parts import exported
from tests.plugins.reminder_parts import happens
from tests.tower import Tower, asks

WITH = (*TABLES, "[plugins.verification]\n[plugins.timeline]\n[plugins.postmortem]\n")
ASKED = "1 mail is slow: it looks as it did before. Is it over for you too? \u00b7 !confirm 1"


async def people(engine: Engine) -> list[str]:
    """Who takes part."""
    return await engine.run.tocsin.turn(lambda tx: list(tx.incident("1").people))


async def test_who_reported_it_is_asked_at_the_all_clear_and_confirms(tower: Tower) -> None:
    async with tower(*WITH, crash=True) as engine:
        await declared(engine)
        told = await asks(engine, "alice", "!reporter add Carol, ACME support", room="#ops")
        assert told == [
            "1 reported by carol and ACME support: asked once it is clear whether it is over for them"
        ]
        assert said(tower, "person/carol") == []
    async with tower(*WITH) as engine:
        before = len(tower.chat.said)
        await engine.says("alice", "!allclear the queue is empty", room="#ops")
        assert said(tower, "person/carol") == [ASKED]
        assert said(tower, "room/#ops", before)[-1] == (
            "1 waiting for carol and ACME support to confirm \u00b7 !confirm 1 carol"
        )
        assert await asks(engine, "carol", "confirm 1 it is quick again") == [
            "1 carol confirms that it is over: it is quick again; waiting for ACME support"
        ]
        assert said(tower, "room/#ops", before)[-1].startswith("1 carol confirms")
        assert await people(engine) == ["alice"]  # who confirms does not work on it
        told = await asks(engine, "bob", "!confirm acme SUPPORT: by phone", room="#ops")
        assert told == [
            "1 ACME support confirms that it is over: by phone (bob); so has everybody who reported it"
        ]
        assert await asks(engine, "bob", "!reporter", room="#ops") == [
            "1 carol and ACME support confirmed that it is over"
        ]


async def test_who_is_noted_after_the_all_clear_is_asked_at_once(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await declared(engine)
        await engine.says("alice", "!allclear the queue is empty", room="#ops")
        [told] = await asks(engine, "alice", "!reporter add @carol", room="#ops")
        assert told == "1 reported by carol: asked now whether it is over for them"
        assert said(tower, "person/carol") == [ASKED]


@pytest.mark.parametrize("undone", ["!reopen 1 it is back", "withdrawn"])
async def test_what_they_confirmed_counts_no_more_once_it_is_back(tower: Tower, undone: str) -> None:
    async with tower(*WITH) as engine:
        await declared(engine)
        await engine.says("alice", "!reporter add carol", room="#ops")
        await engine.says("alice", "!allclear the queue is empty", room="#ops")
        await engine.says("carol", "confirm")
        if undone == "withdrawn":
            await happens(engine, "1", "withdraw_clear", "the queue grows", by="")
        else:
            await engine.says("alice", "!done 1 x", room="#ops")
            await engine.says("bob", undone, room="#ops")
        [told] = await asks(engine, "bob", "!reporter 1", room="#ops")
        assert told == "1 waiting for carol to confirm \u00b7 !confirm 1 carol"


async def test_one_who_need_not_confirm_is_not_waited_for(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await declared(engine)
        await engine.says("alice", "!reporter add carol, dave", room="#ops")
        assert await asks(engine, "alice", "!reporter drop Dave", room="#ops") == [
            "1 dave need not confirm that it is over"
        ]
        before = len(tower.chat.said)
        await engine.says("alice", "!allclear the queue is empty", room="#ops")
        assert said(tower, "person/dave", before) == []
        assert said(tower, "person/carol", before) == [ASKED]


@pytest.mark.parametrize(
    ("who", "typed", "answer"),
    [
        ("bob", "!confirm", "1: for whom, carol and ACME? Say !confirm 1 carol"),
        ("bob", "!confirm bob", "1: for whom, carol and ACME? Say !confirm 1 carol"),
        ("bob", "!confirm acmes", "1: for whom, carol and ACME? Say !confirm 1 carol"),
        ("carol", "!confirm not for me", "1: !confirm 1 says that it is over; say here what is not"),
        ("bob", "!confirm ACME still down", "1: !confirm 1 says that it is over; say here what is not"),
        ("eve", "!confirm", "only who reported it, and people that I know, say whether it is over"),
        ("eve", "!confirm 1 carol", "only who reported it, and people that I know, say whether it is over"),
        ("bob", "!reporter add acme, Carol", "1: acme and carol reported it already"),
        ("bob", "!reporter add", "say !reporter"),
        ("bob", "!reporter add , ,", "say !reporter"),
        ("bob", "!reporter carol", "say !reporter"),
        ("bob", "!reporter drop dave", "1: 'dave' did not report it: carol and ACME did"),
    ],
)
async def test_what_can_t_be_is_answered(tower: Tower, who: str, typed: str, answer: str) -> None:
    async with tower(*WITH) as engine:
        await declared(engine)
        await engine.says("alice", "!reporter add carol, ACME", room="#ops")
        [told] = await asks(engine, who, typed, room="#ops")
        assert told.startswith(answer)
        assert (await asks(engine, "bob", "!reporter", room="#ops"))[0].startswith(
            "1 waiting for carol and ACME"
        )


async def test_where_nobody_is_noted_that_is_said(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await declared(engine)
        before = len(tower.chat.said)
        assert await asks(engine, "bob", "!confirm", room="#ops") == [
            "1: nobody is noted who reported it: !reporter 1 add WHO"
        ]
        assert await asks(engine, "bob", "!reporter", room="#ops") == [
            "1 nobody is noted who reported it \u00b7 !reporter 1 add WHO"
        ]
        await engine.says("alice", "!allclear the queue is empty", room="#ops")
        assert not [one for one in said(tower, "room/#ops", before) if "waiting" in one]


async def test_a_stranger_confirms_who_reported_it(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await declared(engine)
        await engine.says("alice", "!reporter add eve, carol", room="#ops")
        [told] = await asks(engine, "eve", "!confirm carol is well too", room="#ops")
        assert told == "1 eve confirms that it is over: carol is well too; waiting for carol"


async def test_there_are_not_too_many(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await declared(engine)
        names = ", ".join(f"shop {number}" for number in range(50))
        assert "48 more" not in (await asks(engine, "alice", f"!reporter add {names}", room="#ops"))[0]
        [told] = await asks(engine, "alice", "!reporter add one more", room="#ops")
        assert told == "1: at most 50 are asked whether it is over"
        [told] = await asks(engine, "alice", "!reporter", room="#ops")
        assert told.startswith("1 waiting for shop 0, shop 1, shop 2, shop 3, shop 4 and 45 more to confirm")


@pytest.mark.parametrize("form", ["md", "html", "json"])
async def test_they_are_not_named_in_the_postmortem(tower: Tower, form: str) -> None:
    async with tower(*WITH) as engine:
        await declared(engine)
        await engine.says("alice", "!reporter add carol, ACME support", room="#ops")
        await engine.says("alice", "!note carol of ACME Support says it is slow", room="#ops")
        await engine.says("carol", "confirm it is quick")
        text = await exported(engine, "1", form)
        assert "carol" not in text.lower()
        assert "acme" not in text.lower()
        if form == "md":
            assert "a reporter confirmed that it is over: it is quick" in text
            assert "a reporter of a reporter says it is slow" in text
            assert "Of 2 people who reported it 1 confirmed that it is over." in text
