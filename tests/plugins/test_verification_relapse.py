"""What is over and comes back: the same incident goes on, in the same room, and whoever led it last is paged."""

from collections.abc import Callable

import pytest

from tocsin import daemon
from tocsin.api import Role
from tocsin.config import Document
from tocsin.transaction import Transaction
from tocsin_verification.relapse import relapsed

from tests.engine import Engine, alert, fires, gone, over
from tests.plugins.incident_parts import INCIDENTS, TABLES, declared, said
from tests.plugins.reminder_parts import happens
from tests.tower import TWO_STEPS, Tower, policy

VERIFICATION = "[plugins.verification]\n"
WITH = (*TABLES, VERIFICATION)

RULE = """\
[[plugins.incidents.rules]]
match = ['alertname="DiskFull"']
severity = "sev3"
"""
TO_BOB = policy('{ page = "bob" }')


async def stands(engine: Engine, number: str = "1") -> str:
    return await engine.run.tocsin.turn(lambda tx: tx.incident(number).stands)


async def comes_back(engine: Engine, because: str = "errors at 3 %, normally 0.2-0.4 %") -> bool:
    """A check sees a relapse."""

    def sees(tx: Transaction) -> bool:
        return relapsed(tx, tx.incident("1"), because)

    done = await engine.run.tocsin.turn(sees)
    await engine.run.settled()
    return done


def reopenings(tower: Tower, since: int = 0) -> list[str]:
    return [one for one in said(tower, "room/#ops", since) if "reopened" in one]


def pages(tower: Tower, since: int = 0) -> list[str]:
    """Who was paged for a relapse, and when."""
    rows = zip(tower.chat.times[since:], tower.chat.said[since:], strict=True)
    return [
        f"{time[:5]} {one.place.name}"
        for time, one in rows
        if one.place.private and one.message.command and "is back" in one.message.text
    ]


async def test_a_relapse_reopens_it_and_pages_who_led_it(tower: Tower) -> None:
    async with tower(*WITH, crash=True) as engine:
        await declared(engine, "sev2 mail is slow")
        await happens(engine, "1", "assign", Role.COMMANDER, "bob")
        await engine.says("alice", "!done 1 a full disk", room="#ops")
        assert await comes_back(engine)
        assert not await comes_back(engine)
    async with tower(*WITH) as engine:
        await engine.run.settled()
        assert reopenings(tower) == [
            "1 reopened: errors at 3 %, normally 0.2-0.4 %; bob is paged \u00b7 !incident 1"
        ]
        assert pages(tower) == ["03:00 bob"]
        [page] = [one for one in said(tower, "person/bob") if "is back" in one]
        assert "sev2 mail is slow is back: errors at 3 %, normally 0.2-0.4 %" in page
        assert await stands(engine) == "declared"
        assert not await comes_back(engine)


async def test_nobody_is_paged_any_more_once_it_is_over_again_and_the_next_relapse_pages_anew(
    tower: Tower,
) -> None:
    async with tower(*WITH) as engine:
        await declared(engine, "sev2 mail is slow")
        await engine.says("alice", "!done 1 a full disk", room="#ops")
        await comes_back(engine)
        await engine.advance(minutes=4)
        await engine.says("alice", "!done 1", room="#ops")
        await engine.advance(minutes=30)
        assert pages(tower) == ["03:00 alice"]
        await comes_back(engine)
        assert pages(tower) == ["03:00 alice", "03:34 alice"]


async def test_who_answers_is_paged_no_more(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await declared(engine, "sev2 mail is slow")
        await engine.says("alice", "!done 1 a full disk", room="#ops")
        await comes_back(engine)
        group = await engine.run.tocsin.turn(lambda tx: list(tx.incident("1").pages)[-1])
        await engine.says("alice", f"ack {group}")
        await engine.advance(hours=1)
        assert pages(tower) == ["03:00 alice"]
        await engine.says("alice", "!done 1", room="#ops")
        assert await engine.state(group) == "resolved"


@pytest.mark.parametrize("crash", [False, True])
async def test_an_alert_that_fires_again_is_a_relapse(tower: Tower, *, crash: bool) -> None:
    tables = (TO_BOB, INCIDENTS, RULE, VERIFICATION)
    async with tower(*tables, crash=crash) as engine:
        subject = await engine.report(fires())
        await engine.says("alice", "!lead 1", room="#ops")
        await engine.report(over())
        await engine.says("alice", "!done 1 a full disk", room="#ops")
        await engine.says("alice", "!close 1", room="#ops")
        await engine.advance(minutes=3)
    async with tower(*tables) as engine:
        before = len(tower.chat.said)
        assert await engine.report(fires()) == subject
        [told] = reopenings(tower, before)
        assert told.startswith(
            f"1 reopened: alert {subject} fires again: critical DiskFull db1: 97 % of / used; alice is"
        )
        assert pages(tower, before) == ["03:03 alice"]
        assert await stands(engine) == "declared"
        assert len(await engine.run.tocsin.turn(lambda tx: list(tx.open_incidents()))) == 1


async def test_the_same_alert_as_another_group_is_one_too_and_belongs_to_it(tower: Tower) -> None:
    tables = (TO_BOB, INCIDENTS, RULE, VERIFICATION)
    async with tower(*tables) as engine:
        first = await engine.report(fires())
        other = await engine.report(fires(alert(fingerprint="x"), key="other"))
        await engine.report(over())
        await engine.report(over("other"))
        await engine.says("alice", "!done 1 a full disk", room="#ops")
        await engine.advance(minutes=50)
        again = await engine.report(fires())
        assert again != first
        assert await stands(engine) == "declared"
        groups = await engine.run.tocsin.turn(lambda tx: list(tx.incident("1").groups))
        assert groups == [first, other, again]
        # What fires of it while it goes on belongs to it too, and a rule makes no other incident of that.
        later = await engine.report(fires(alert(fingerprint="x"), key="other"))
        assert (await engine.run.tocsin.turn(lambda tx: list(tx.incident("1").groups)))[3:] == [later]
        assert len(await engine.run.tocsin.turn(lambda tx: list(tx.open_incidents()))) == 1


async def test_who_is_paged_by_the_alert_is_not_paged_twice(tower: Tower) -> None:
    async with tower(TWO_STEPS, INCIDENTS, RULE, VERIFICATION) as engine:
        await engine.report(fires())
        await engine.says("alice", "!lead 1", room="#ops")
        await engine.report(over())
        await engine.says("alice", "!done 1 a full disk", room="#ops")
        before = len(tower.chat.said)
        await engine.report(fires())
        assert reopenings(tower, before)
        assert pages(tower, before) == []
        assert [one for one in said(tower, "person/alice", before) if "DiskFull" in one]


@pytest.mark.parametrize(
    ("typed", "settings", "minutes", "is_relapse"),
    [
        ("!done 1 a full disk", "", 59, True),
        ("!done 1 a full disk", "", 60, False),
        ("!done 1", "", 239, True),
        ("!done 1", "", 240, False),
        ("!done 1 unexplained", 'watch = "2h"\nwatch_unexplained = "30m"\n', 31, False),
        ("!done 1 a full disk", 'watch = "2h"\nwatch_unexplained = "30m"\n', 119, True),
        ("!done 1 a full disk", 'watch = "0s"\n', 0, False),
        ("!done 1 a full disk", 'watch = "1d"\n', 1439, True),
    ],
)
async def test_it_is_watched_for_as_long_as_the_settings_say(
    tower: Tower, typed: str, settings: str, minutes: int, *, is_relapse: bool
) -> None:
    async with tower(TO_BOB, INCIDENTS, VERIFICATION + settings) as engine:
        subject = await engine.report(fires())
        await declared(engine, f"sev3 the disks are full from {subject}")
        await engine.report(over())
        await engine.says("alice", typed, room="#ops")
        await engine.says("alice", "!close 1", room="#ops")
        await engine.advance(minutes=minutes)
        await engine.report(fires())
        assert await stands(engine) == ("declared" if is_relapse else "closed")


async def test_a_cause_that_is_found_later_ends_the_watch_earlier(tower: Tower) -> None:
    async with tower(TO_BOB, INCIDENTS, VERIFICATION) as engine:
        subject = await engine.report(fires())
        await declared(engine, f"sev3 the disks are full from {subject}")
        await engine.report(over())
        await engine.says("alice", "!done 1", room="#ops")
        await engine.advance(minutes=90)
        await engine.says("alice", "!cause 1 a loop that logs", room="#ops")
        await engine.report(fires())
        assert await stands(engine) == "resolved"


async def test_one_alert_of_a_group_that_fires_on_is_a_relapse_if_it_had_ended(tower: Tower) -> None:
    db1, db2, db3 = (alert(fingerprint=f"db{number}") for number in (1, 2, 3))
    async with tower(TO_BOB, INCIDENTS, VERIFICATION) as engine:
        subject = await engine.report(fires(db1, db2))
        await declared(engine, f"sev3 the disks are full from {subject}")
        await engine.report(gone("db1"))
        await engine.says("alice", "!done 1 a full disk", room="#ops")
        await engine.report(fires(db2, db3))
        assert await stands(engine) == "resolved"  # that one never was an alert of it
        await engine.report(fires(db1, db2))
        assert await stands(engine) == "declared"


async def test_another_alert_is_no_relapse(tower: Tower) -> None:
    async with tower(TO_BOB, INCIDENTS, VERIFICATION) as engine:
        subject = await engine.report(fires())
        await declared(engine, f"sev3 the disks are full from {subject}")
        await engine.report(over())
        await engine.says("alice", "!done 1 a full disk", room="#ops")
        await engine.report(fires(alert("Slow"), key="slow"))
        await engine.says("bob", "!page carol please come", room="#ops")
        assert await stands(engine) == "resolved"
        assert not reopenings(tower)


async def test_a_drill_wakes_nobody(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await declared(engine, "drill sev2 mail is slow")
        await engine.says("alice", "!done 1 a full disk", room="#ops")
        await comes_back(engine)
        [told] = reopenings(tower)
        assert told.startswith("1 drill reopened: errors at 3 %")
        assert "in earnest alice would be paged now" in told
        await engine.advance(hours=1)
        assert pages(tower) == []


async def test_where_who_led_it_is_gone_another_is_paged(tower: Tower) -> None:
    async with tower(*WITH) as engine:
        await declared(engine, "sev2 mail is slow")
        await happens(engine, "1", "assign", Role.COMMANDER, "dave")
        await engine.says("bob", "!done 1 a full disk", room="#ops")
    tower.people = tower.people.replace('[people.dave]\naccounts.console = "dave"\n', "")
    async with tower(*WITH) as engine:
        await comes_back(engine)
        assert pages(tower) == ["03:00 bob"]


async def test_where_nobody_is_left_it_rings_by_what_is_no_chat(
    tower: Tower, rung: Callable[[], list[str]]
) -> None:
    async with tower(*WITH) as engine:
        await declared(engine, "sev2 mail is slow")
        await engine.says("alice", "!done 1 a full disk", room="#ops")
    tower.people = tower.people.replace('[people.alice]\naccounts.console = "alice"', "[people.alice]\n")
    async with tower(policy('{ page = "bob" }'), INCIDENTS, VERIFICATION) as engine:
        await comes_back(engine)
        assert "there is nobody to page for it" in reopenings(tower)[0]
        assert any("1" in one and "is back" in one for one in rung())


@pytest.mark.parametrize("setting", ["watch", "watch_unexplained"])
async def test_it_is_watched_for_a_day_at_most(tower: Tower, setting: str) -> None:
    with pytest.raises(Exception, match=f"{setting} must be at most 1d"):
        async with tower(*TABLES, f'{VERIFICATION}{setting} = "25h"\n'):
            pass


def test_without_who_pages_that_is_said_before(tower: Tower) -> None:
    def warned(people: str, table: str) -> list[str]:
        tower.people = people
        warnings = daemon.prepare(Document.open(tower.edit(INCIDENTS, table))).warnings
        return [str(one) for one in warnings if "verification" in str(one)]

    with_it = tower.people
    alone = with_it.partition("[plugins.escalation]")[0]
    (told,) = warned(alone, VERIFICATION)
    assert "is paged for a relapse by the plugin escalation: add [plugins.escalation]" in told
    assert warned(alone, f'{VERIFICATION}watch = "0s"\nwatch_unexplained = "0s"\n') == []
    assert warned(with_it, TWO_STEPS + VERIFICATION) == []


async def test_without_it_what_fires_again_stays_as_it_was(tower: Tower) -> None:
    async with tower(*TABLES) as engine:
        subject = await engine.report(fires())
        await declared(engine, f"sev3 the disks are full from {subject}")
        await engine.report(over())
        await engine.says("alice", "!done 1 a full disk", room="#ops")
        await engine.report(fires())
        assert await stands(engine) == "resolved"
