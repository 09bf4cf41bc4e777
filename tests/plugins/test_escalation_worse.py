"""What comes to a group that is open: it becomes worse, there is more of it, it is silenced, it fires again."""

from datetime import timedelta

import pytest

from tocsin.domain.alert import Alert
from tocsin.domain.group import AlertFired, AlertResolved, GroupState
from tocsin.transaction import Transaction

from tests.engine import Engine, alert, fires, gone, over
from tests.tower import FACT, TWO_STEPS, Tower, asks, policy, timers

WARNING = alert("Load", severity="warning")
ERROR = alert("Swap", severity="error")
LOUD = (
    policy('{ page = "alice" }, { page = "bob", after = "5m" }')
    + policy('{ page = "carol" }, { page = "dave", after = "5m" }', name="loud")
    + """
[[plugins.escalation.routes]]
match = 'severity="critical"'
policy = "loud"
"""
)
STARTED = "select count(*) from events where kind = 'escalation.started'"


async def silences(engine: Engine, subject: str, *, ends: bool = False) -> None:
    """Somebody silences it for a day, or makes an end of that."""

    def turn(tx: Transaction) -> None:
        group = tx.group(subject)
        until = tx.now + timedelta(days=1)
        tx.record(group.end_silence(tx.now, by="bob") if ends else group.silence("bob", tx.now, until=until))

    await engine.run.tocsin.turn(turn)
    await engine.run.settled()


async def state(engine: Engine, subject: str) -> GroupState:
    return await engine.run.tocsin.turn(lambda tx: tx.group(subject).state)


# Worse.


async def test_what_rings_and_becomes_worse_begins_anew_with_another_policy(tower: Tower) -> None:
    async with tower(LOUD) as engine:
        subject = await engine.report(fires(WARNING))
        await engine.advance(minutes=3)
        await engine.report(fires(WARNING, alert()))
        await engine.advance(minutes=5)
        assert tower.chat.pages() == ["03:00:00 alice", "03:03:00 carol", "03:08:00 dave"]
        worse = f"it is critical now: paging carol: {FACT}, and 1 more"
        assert f"{subject} {worse} · !ack {subject}" in engine.chat.texts("room/#ops")
        assert await timers(engine) == [subject]


async def test_what_somebody_has_and_becomes_worse_is_theirs_no_more(tower: Tower) -> None:
    async with tower(LOUD) as engine:
        subject = await engine.report(fires(WARNING))
        await engine.says("alice", "!ack")
        await engine.report(fires(WARNING, alert()))
        told = f"{subject} rings again: it is critical now: {FACT}, and 1 more"
        assert told in engine.chat.texts("room/#ops")
        assert told in engine.chat.texts("person/alice")
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:00 carol"]
        await engine.advance(minutes=5)
        assert tower.chat.pages()[2:] == ["03:05:00 dave"]


async def test_what_is_silenced_and_becomes_worse_rings(tower: Tower) -> None:
    async with tower(LOUD) as engine:
        subject = await engine.report(fires(WARNING))
        await silences(engine, subject)
        await engine.report(fires(WARNING, alert()))
        assert f"{subject} it is critical now: {FACT}, and 1 more" in engine.chat.texts("room/#ops")
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:00 carol"]
        assert await timers(engine) == [subject]


async def test_what_stops_firing_has_not_become_worse_whatever_fired_before_it_was_opened_again(
    tower: Tower,
) -> None:
    async with tower(LOUD) as engine:
        await engine.report(fires())
        await engine.report(over())
        subject = await engine.report(fires(WARNING))
        await silences(engine, subject)
        before = len(engine.chat.said)
        await engine.report(over())
        assert engine.chat.said[before:] == []
        assert await timers(engine) == []


async def test_what_looks_often_reads_of_the_story_what_it_asks_for_alone(tower: Tower) -> None:
    async with tower(LOUD) as engine:
        subject = await engine.report(fires(WARNING))
        for _ in range(3):
            await engine.report(fires(WARNING, ERROR))
            await engine.report(gone(ERROR.fingerprint))

        def look(tx: Transaction) -> tuple[list[str], list[str], int]:
            fired = tx.story(subject, (AlertFired,))
            later = tx.story(subject, (AlertFired, AlertResolved), after=fired[-1].seq)
            return [one.kind for one in fired], [one.kind for one in later], len(tx.story(subject))

        fired, later, all_of_it = await engine.run.tocsin.turn(look)
        assert fired == ["alert.fired"] * 3
        assert later == ["alert.resolved"]
        assert all_of_it > 6


@pytest.mark.parametrize("word", ["", "!ack"])
async def test_it_becomes_worse_once_for_each_severity(tower: Tower, word: str) -> None:
    async with tower(LOUD) as engine:
        await engine.report(fires(WARNING))
        for number, worse in enumerate(
            ([ERROR], [ERROR, alert("B", severity="error")], [alert()], [alert("C")])
        ):
            if word:
                await engine.says("dave", word, room="#ops")
            await engine.report(fires(WARNING, *worse))
            assert await engine.sql(STARTED) == [([2, 2, 3, 3][number],)]


async def test_one_report_of_several_severities_begins_anew_for_the_worst(tower: Tower) -> None:
    async with tower(LOUD) as engine:
        await engine.report(fires(WARNING))
        await engine.says("alice", "!ack")
        await engine.report(fires(WARNING, alert(severity=""), ERROR, alert("B")))
        assert await engine.sql(STARTED) == [(2,)]


async def test_a_thousand_alerts_at_once_are_looked_at_once(tower: Tower) -> None:
    async with tower(LOUD) as engine:
        await engine.report(fires(WARNING))
        await engine.says("alice", "!ack")
        many = [alert(f"A{number}", severity="error") for number in range(1000)]
        await engine.report(fires(WARNING, *many))
        assert await engine.sql(STARTED) == [(2,)]
        await engine.says("alice", "!ack")
        await engine.report(
            fires(WARNING, *many, *(alert(f"B{number}", severity="error") for number in range(1000)))
        )
        await engine.advance(seconds=10)
        assert "1,000 more alerts since alice has it: error B0 db1" in engine.chat.texts("person/alice")[-1]
        assert await engine.sql(STARTED) == [(2,)]


@pytest.mark.parametrize("more", [alert("B", severity="info"), alert("B", severity="error")])
async def test_what_is_less_severe_than_what_it_began_with_changes_nothing(tower: Tower, more: Alert) -> None:
    async with tower(LOUD) as engine:
        await engine.report(fires(ERROR))
        await engine.report(fires(ERROR, more))
        await engine.report(gone(ERROR.fingerprint))
        await engine.report(fires(ERROR, more))
        assert await engine.sql(STARTED) == [(1,)]
        assert tower.chat.pages() == ["03:00:00 alice"]


async def test_a_resolved_alert_does_not_choose_the_policy(tower: Tower) -> None:
    async with tower(LOUD) as engine:
        await engine.report(fires(WARNING, alert("B", severity="info")))
        await engine.report(gone(WARNING.fingerprint))
        await engine.says("alice", "!ack")
        await engine.report(fires(alert("B", severity="info"), ERROR))
        assert tower.chat.pages() == ["03:00:00 alice"] * 2


# More.


async def test_what_comes_to_an_alert_that_somebody_has_is_told_once_for_many(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.says("bob", "!ack", room="#ops")
        before = len(engine.chat.said)
        await engine.report(fires(alert(), WARNING))
        await engine.advance(seconds=6)
        await engine.report(fires(alert(), WARNING, ERROR, alert("Backup")))
        await engine.report(gone(WARNING.fingerprint))
        await engine.advance(seconds=3)
        assert len(engine.chat.said) == before
        await engine.advance(seconds=1)
        line = f"{subject} 2 more alerts since bob has it: critical Backup db1: 97 % of / used, and 1 more"
        assert sorted((said.place.name, str(said)) for said in engine.chat.said[before:]) == [
            ("#ops", line),
            ("bob", line),
        ]
        await engine.report(fires(alert(), WARNING, ERROR, alert("Backup")))
        await engine.advance(minutes=1)
        one = f"{subject} 1 more alert since bob has it: warning Load db1: 97 % of / used"
        assert engine.chat.texts("person/bob") == [line, one]
        assert engine.chat.texts("person/alice")[1:] == [
            f"{subject} acknowledged by bob, paging stops: {FACT}"
        ]
        (story,) = await asks(engine, "carol", f"!why {subject}")
        assert "03:00:10 told of 2 more alerts since bob has it" in story


async def test_each_alert_is_told_once_to_each_who_has_it(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires())
        for person in ("bob", "carol"):
            await engine.says(person, "!ack", room="#ops")
            for _ in range(3):
                await engine.report(fires(alert(), WARNING))
                await engine.advance(seconds=15)
                await engine.report(gone(WARNING.fingerprint))
            assert sum("1 more alert since" in text for text in engine.chat.texts(f"person/{person}")) == 1
            await engine.says(person, "!unack", room="#ops")


@pytest.mark.parametrize("word", ["!unack", "!done", "silence", "over"])
async def test_nothing_is_told_once_nobody_has_it(tower: Tower, word: str) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.says("bob", "!ack", room="#ops")
        await engine.report(fires(alert(), WARNING))
        if word == "silence":
            await silences(engine, subject)
        elif word == "over":
            await engine.report(over())
        else:
            await engine.says("bob", word, room="#ops")
        await engine.advance(minutes=1)
        assert not any("more alert since" in text for text in engine.chat.texts())


@pytest.mark.parametrize("crash", [False, True])
async def test_what_is_to_be_told_is_told_after_a_restart(tower: Tower, *, crash: bool) -> None:
    async with tower(crash=crash) as engine:
        await engine.report(fires())
        await engine.says("bob", "!ack")
        await engine.report(fires(alert(), WARNING))
    tower.clock.move(timedelta(minutes=1))
    async with tower() as engine:
        assert "1 more alert since bob has it" in engine.chat.texts("person/bob")[-1]


# Silence.


async def test_in_silence_nothing_is_said_and_after_it_the_first_step_comes(tower: Tower) -> None:
    async with tower() as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=6)
        await silences(engine, subject)
        assert await timers(engine) == []
        before = len(engine.chat.said)
        await engine.report(fires(alert(), WARNING))
        await engine.advance(hours=2)
        assert len(engine.chat.said) == before
        assert await asks(engine, "carol", f"!up {subject}") == [f"{subject}: is silenced by bob"]
        await silences(engine, subject, ends=True)
        await engine.advance(minutes=5)
        assert tower.chat.pages()[2:] == ["05:06:00 alice", "05:11:00 bob"]
        assert await timers(engine) == [subject]


# Again.


@pytest.mark.parametrize("word", ["", "!ack", "!up"])
async def test_what_fires_again_begins_anew_and_is_told_so(tower: Tower, word: str) -> None:
    async with tower(LOUD) as engine:
        subject = await engine.report(fires())
        await engine.advance(minutes=2)
        if word:
            await engine.says("bob", word, room="#ops")
        await engine.report(over())
        await engine.advance(minutes=2)
        before = len(tower.chat.pages())
        assert await engine.report(fires(WARNING)) == subject
        line = f"fires again: paging alice: warning Load db1: 97 % of / used · !ack {subject}"
        assert engine.chat.texts("room/#ops")[-1] == f"{subject} {line}"
        await engine.advance(minutes=5)
        assert tower.chat.pages()[before:] == ["03:04:00 alice", "03:09:00 bob"]
        assert engine.chat.texts("room/#ops")[-1].startswith(f"{subject} step 2: paging bob")
        await engine.report(fires(WARNING, alert()))
        assert tower.chat.pages()[before:][2:] == ["03:09:00 carol"]


async def test_what_fires_again_over_a_restart_begins_by_the_policies_of_today(tower: Tower) -> None:
    async with tower() as engine:
        await engine.report(fires())
        await engine.report(over())
    async with tower(policy('{ page = "carol" }')) as engine:
        await engine.report(fires())
        assert tower.chat.pages() == ["03:00:00 alice", "03:00:00 carol"]


@pytest.mark.parametrize("answer", ["!ack", "!silence {} 2h"])
async def test_what_was_worse_before_somebody_answered_is_worse_again(tower: Tower, answer: str) -> None:
    tables = (TWO_STEPS, "[plugins.silence]\n")
    async with tower(*tables) as engine:
        subject = await engine.report(fires(WARNING, alert()))
        await engine.report(gone("DiskFull"))
        await engine.says("alice", answer.format(subject), room="#ops")
        await engine.advance(minutes=1)
        before = len(tower.chat.pages())
        await engine.report(fires(WARNING, alert()))
        assert tower.chat.pages()[before:] == ["03:01:00 alice"]
        assert "it is critical now" in str(tower.chat.texts("room/#ops"))
