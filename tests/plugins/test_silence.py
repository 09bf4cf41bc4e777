"""An alert that was silenced pages nobody until its silence is over, and then again if it still fires."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tocsin import daemon
from tocsin.config import Document
from tocsin.domain.alert import Report
from tocsin.domain.group import GroupSilenced
from tocsin.plugins import Declared
from tocsin.testing import HandClock, Loudspeaker, running
from tocsin_silence import Silence

from tests.daemon.test_speakers import CONFIG, codes
from tests.engine import Engine, Start, alert, fires, over
from tests.plugins.silence_parts import OPS, open_rings, private, silencing
from tests.tower import FACT, TWO_STEPS, Tower, asks


@pytest.fixture
def silence() -> Declared:
    return silencing(Silence())


async def open_alerts(engine: Engine) -> list[str]:
    """The ids of what is open."""
    return await engine.run.tocsin.turn(lambda tx: [group.id for group in tx.open_groups()])


async def test_it_pages_nobody_until_the_end_and_then_again(start: Start, silence: Declared) -> None:
    async with start(silence) as engine:
        subject = await engine.report(fires())
        pages = private(engine, "alice")
        answer = f"{subject} silenced by alice until 05:00 UTC (2h): {FACT} · !unsilence {subject}"
        assert await asks(engine, "alice", f"!silence {subject} 2h", room=OPS) == [answer]
        assert private(engine, "alice")[1:] == [f"{subject} silenced by alice until 05:00 UTC: {FACT}"]
        await engine.report(fires(alert("NetDown"), alert()))
        await engine.advance(hours=1, minutes=49)
        assert (len(private(engine, "alice")), private(engine, "bob")) == (2, [])
        await engine.advance(minutes=1)
        assert private(engine, "alice")[2:] == [
            f"{subject} rings again at 05:00 (your silence ends) · !extend {subject}"
        ]
        await engine.advance(minutes=9)
        assert private(engine, "bob") == []
        await engine.advance(minutes=1)
        told = f"{subject} the silence is over: {FACT}, and 1 more"
        assert private(engine, "alice")[3:] == engine.chat.texts(f"room/{OPS}")[1:] == [told]
        assert private(engine, "bob") == [f"{pages[0].replace(FACT, f'{FACT}, and 1 more')}"]
        await engine.says("bob", "!ack")
        await engine.advance(hours=5)
        assert len(private(engine, "bob")) == 2


async def test_its_end_is_told_in_the_time_of_who_asked_for_it(start: Start, silence: Declared) -> None:
    alice = replace(start.config.people["alice"], timezone=ZoneInfo("Europe/Berlin"))
    start.config = replace(start.config, people={**start.config.people, "alice": alice}, prefix=".")
    async with start(silence) as engine:
        subject = await engine.report(fires())
        (answer,) = await asks(engine, "alice", "!silence")
        assert answer == f"{subject} silenced by alice until 05:00 (1h): {FACT} · .unsilence {subject}"
        assert engine.chat.texts(f"room/{OPS}") == [f"{subject} silenced by alice until 04:00 UTC: {FACT}"]
        await engine.advance(minutes=50)
        assert (
            private(engine, "alice")[-1]
            == f"{subject} rings again at 05:00 (your silence ends) · .extend {subject}"
        )
        (answer,) = await asks(
            engine, "alice", ".extend 1h30m", room=OPS
        )  # in which people may live anywhere
        assert answer == f"{subject} silenced by alice until 05:20 UTC (1h30m): {FACT} · .unsilence {subject}"


async def test_who_silenced_it_without_having_been_paged_is_told_of_its_end(
    start: Start, silence: Declared
) -> None:
    async with start(silence) as engine:
        subject = await engine.report(fires())
        await engine.says("bob", "!silence 30m the disk is being moved", room=OPS)
        why = f"{subject} silenced by bob until 03:30 UTC (the disk is being moved): {FACT}"
        assert private(engine, "alice")[-1] == why
        await engine.report(over())
        await engine.advance(minutes=30)
        assert private(engine, "bob") == [f"{subject} silence over: it had stopped firing: {FACT}"]
        assert private(engine, "alice")[-1] == private(engine, "bob")[0]
        assert await open_alerts(engine) == []


async def test_what_stopped_firing_ends_quietly_and_what_fires_again_in_between_rings(
    start: Start, silence: Declared
) -> None:
    async with start(silence) as engine:
        gone = await engine.report(fires(key="gone"))
        back = await engine.report(fires(key="back"))
        await engine.says("alice", f"!silence all {back} 1h")
        await engine.report(over(key="gone"))
        await engine.report(over(key="back"))
        assert await open_alerts(engine) == [gone, back]
        await engine.report(fires(key="back"))
        before = len(engine.chat.said)
        await engine.advance(minutes=50)
        assert [str(one) for one in engine.chat.said[before:]] == [
            f"{back} rings again at 04:00 (your silence ends) · !extend {back}"
        ]
        await engine.advance(minutes=10)
        both = f"silence over: it had stopped firing: {gone}; the silence is over: {back}"
        assert engine.chat.texts(f"room/{OPS}")[-1] == f"{both}\n{gone} {FACT}\n{back} {FACT}"
        assert private(engine, "bob") == [f"{back} {FACT} · !ack {back}"]
        assert await open_alerts(engine) == [back]
        (story,) = await asks(engine, "alice", f"!why {gone}")
        assert story.splitlines()[-1] == "04:00:00 resolved by its source"


async def test_it_can_be_ended_by_anybody_and_who_silenced_it_is_told(
    start: Start, silence: Declared
) -> None:
    async with start(silence) as engine:
        subject = await engine.report(fires())
        await engine.says("bob", "!silence 30m", room=OPS)
        ended = f"{subject} silence ended by alice: {FACT}"
        assert await asks(engine, "alice", "!unsilence", room=OPS) == [ended]
        assert private(engine, "bob") == [f"{subject} {FACT} · !ack {subject}"]
        assert await asks(engine, "alice", "!unsilence") == ["there is none: !alerts lists what is open"]
        not_silenced = [f"{subject}: is not silenced"]
        assert await asks(engine, "alice", f"!unsilence {subject}") == not_silenced
        assert await engine.sql("select kind from timers where kind like 'silence.%'") == []
        await engine.says("bob", "!silence 30m", room=OPS)
        await engine.report(over())
        told = f"{subject} silence over: it had stopped firing: {FACT}"
        assert await asks(engine, "alice", f"!unsilence {subject}", room=OPS) == [told]
        assert private(engine, "bob")[-1] == told
        assert await open_alerts(engine) == []


async def test_a_bare_ack_leaves_a_silence_alone_as_long_as_something_rings(
    start: Start, silence: Declared
) -> None:
    async with start(silence) as engine:
        quiet = await engine.report(fires())
        await engine.says("bob", f"!silence {quiet} 30m", room=OPS)
        rings = await engine.report(fires(key="other"))
        await engine.says("alice", "ack")
        assert private(engine, "alice")[-1] == f"{rings} acknowledged by alice, paging stops: {FACT}"
        assert f"{quiet} acknowledged" not in str(engine.chat.texts())


@pytest.mark.parametrize("word", ["ack", "done"])
async def test_who_takes_or_resolves_it_ends_the_silence(start: Start, silence: Declared, word: str) -> None:
    async with start(silence) as engine:
        subject = await engine.report(fires())
        await engine.says("alice", "!silence 30m")
        await engine.says("bob", f"!{word} {subject}", room=OPS)
        assert await engine.sql("select kind from timers where kind like 'silence.%'") == []
        before = len(engine.chat.said)
        await engine.advance(hours=2)
        assert len(engine.chat.said) == before
        assert await asks(engine, "alice", "!extend") == [
            "there is no silence of yours: !silence ALERT 1h begins one"
        ]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (
            "!silence 3h",
            "3h is too long: plugins.silence.longest allows 2h at a time, and !extend as much again",
        ),
        ("!silence k7f3 59s", "a silence lasts for 1m at least"),
        ("!silence 0m", "a silence lasts for 1m at least"),
        ("!silence 2hours", "must be a length of time such as '30s', '5m' or '1h30m', not '2hours'"),
        ("!silence 1h z9zz", "there is no alert 'z9zz': !alerts lists what is open"),
        ("!silence disk 1h", "there is no alert 'disk': !alerts lists what is open"),
        (
            "!extend 3h",
            "3h is too long: plugins.silence.longest allows 2h at a time, and !extend as much again",
        ),
        ("!extend 1h because", "'because' is too much: say !extend [ALERT…] [LENGTH|until TIME]"),
        ("!extend", "there is no silence of yours: !silence ALERT 1h begins one"),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_silenced(
    start: Start, silence: Declared, line: str, answer: str
) -> None:
    async with start(silence) as engine:
        await engine.report(fires())
        assert await asks(engine, "alice", line) == [answer]
        assert (await open_rings(engine)) == [True]


async def test_a_stranger_silences_nothing(start: Start, silence: Declared) -> None:
    async with start(silence) as engine:
        await engine.report(fires())
        for word in ("silence", "extend", "unsilence"):
            (answer,) = await asks(engine, "mallory", f"!{word}", room=OPS)
            assert answer == f"I don't know you here, so !{word} is not for you: !whoami"
        assert await open_rings(engine) == [True]


async def test_one_word_extends_what_ends_next_by_as_much_again(start: Start, silence: Declared) -> None:
    async with start(silence) as engine:
        first = await engine.report(fires(key="first"))
        second = await engine.report(fires(key="second"))
        await engine.says("alice", f"!silence {first} 40m")
        await engine.says("alice", f"!silence {second} 2h")
        await engine.advance(minutes=30)
        (answer,) = await asks(engine, "alice", "!extend")
        assert answer == f"{first} silenced by alice until 04:10 (40m): {FACT} · !unsilence {first}"
        await engine.advance(minutes=30)  # twice ten minutes before the end: she was told again
        assert private(engine, "alice")[-1] == (
            f"{first} rings again at 04:10 (your silence ends) · !extend {first}"
        )
        assert private(engine, "bob") == []
        (answer,) = await asks(engine, "alice", "!extend 1h")
        assert answer.startswith(f"{first} silenced by alice until 05:00 (1h): ")


async def test_one_word_silences_again_what_began_to_ring_a_moment_ago(
    start: Start, silence: Declared
) -> None:
    async with start(silence) as engine:
        first = await engine.report(fires(key="first"))
        second = await engine.report(fires(key="second"))
        await engine.says("alice", f"!silence {first} 30m")
        await engine.says("alice", f"!silence {second} 2h")
        await engine.advance(minutes=40)
        rung = len(private(engine, "bob"))
        (answer,) = await asks(engine, "alice", "!extend")
        assert answer.startswith(f"{first} silenced by alice until 04:10 (30m): ")
        await engine.advance(minutes=40, seconds=1)  # and so it began to ring again at 04:10, 10 minutes ago
        assert len(private(engine, "bob")) > rung
        (answer,) = await asks(engine, "alice", "!extend")
        assert answer.startswith(f"{second} silenced by alice until 06:20 (2h): ")
        refusal = f"{first}: is not silenced: !silence {first} does that"
        assert await asks(engine, "alice", f"!extend {first}") == [refusal]


async def test_anybody_extends_anybodys_by_its_id_and_has_it_then(start: Start, silence: Declared) -> None:
    async with start(silence) as engine:
        subject = await engine.report(fires())
        await engine.says("alice", f"!silence {subject} 1h because of the move")
        await engine.advance(minutes=50)
        (answer,) = await asks(engine, "bob", f"!extend {subject}")
        assert answer == (
            f"{subject} silenced by bob until 04:50 (1h) (of the move): {FACT} · !unsilence {subject}"
        )
        as_it_is = [f"{subject}: is silenced until 04:50 as it is"]
        assert await asks(engine, "bob", f"!extend {subject} 30m") == as_it_is
        told = len(private(engine, "alice"))
        await engine.advance(minutes=51)
        assert private(engine, "bob")[-1].startswith(f"{subject} rings again at 04:50")
        assert len(private(engine, "alice")) == told


async def test_what_is_extended_keeps_to_what_the_settings_allow_now(start: Start) -> None:
    async with start(silencing(Silence())) as engine:
        await engine.report(fires())
        await engine.says("alice", "!silence 2h")
    async with start(silencing(Silence(longest=timedelta(hours=1)))) as engine:
        await engine.advance(hours=1, minutes=55)
        (answer,) = await asks(engine, "alice", "!extend")
        assert "until 05:55 (1h)" in answer


async def test_who_silences_for_a_short_while_is_not_told_before_the_end(
    start: Start, silence: Declared
) -> None:
    async with start(silence) as engine:
        await engine.report(fires())
        await engine.says("alice", "!silence 19m")
        before = len(engine.chat.said)
        await engine.advance(minutes=18)
        assert len(engine.chat.said) == before


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "crashed"])
async def test_a_silence_that_ended_while_nobody_watched_ends_at_the_start(
    start: Start, silence: Declared, *, crash: bool
) -> None:
    async with start(silence, crash=crash) as engine:
        subject = await engine.report(fires())
        await engine.says("alice", "!silence 1h")
        await engine.advance(minutes=10)
    before = len(start.chat.said)
    start.clock.move(timedelta(hours=3))
    async with start(silence) as engine:
        assert private(engine, "bob") == [f"{subject} {FACT} · !ack {subject}"]
        assert not any("rings again" in str(said) for said in start.chat.said[before:])
        assert engine.chat.texts(f"room/{OPS}")[-1] == f"{subject} the silence is over: {FACT}"


async def test_a_silence_lasts_as_long_as_it_should_whatever_the_clock_on_the_wall_shows(
    start: Start, silence: Declared
) -> None:
    async with start(silence) as engine:
        await engine.report(fires())
        await engine.says("alice", "!silence 1h")
        start.clock.step(-timedelta(hours=8))
        await engine.advance(minutes=59)
        assert private(engine, "bob") == []
        await engine.advance(minutes=1)
        assert len(private(engine, "bob")) == 1


async def test_what_the_sender_did_not_list_may_still_fire(start: Start, silence: Declared) -> None:
    async with start(silence) as engine:
        subject = await engine.report(Report("prod", "disk", firing=[alert()], unlisted=2))
        await engine.says("alice", "!silence 30m")
        await engine.report(Report("prod", "disk", resolved={"DiskFull": None}, unlisted=2))
        await engine.advance(minutes=30)
        assert await open_alerts(engine) == [subject]
        assert len(private(engine, "bob")) == 1


async def test_where_a_nick_proves_nothing_the_reminder_brings_a_code(
    write_config: Callable[..., Path], tmp_path: Path, silence: Declared
) -> None:
    config = daemon.prepare(Document.open(write_config(CONFIG.format(identity="codes")))).config
    chat, clock = Loudspeaker("irc"), HandClock()
    async with running(
        config, tmp_path / "state", declared=silence, networks={"irc": chat}, clock=clock
    ) as run:
        engine = Engine(run, chat)
        subject = await engine.report(fires())
        await chat.hears("", f"silence {codes(engine)[-1]} 1h", claimed="alice")
        await engine.advance(minutes=50)
        assert private(engine, "alice")[-1] == (
            f"{subject} rings again at 04:00 (your silence ends) · extend {codes(engine)[-1]}"
        )
        await chat.hears("", f"extend {codes(engine)[-1]}", claimed="alice")
        await engine.advance(minutes=50)
        assert private(engine, "bob") == []


def test_the_reason_stands_in_the_story() -> None:
    at = datetime(2026, 11, 21, 3, tzinfo=UTC)
    event = GroupSilenced(subject="k7f3", at=at, by="alice", until=at + timedelta(hours=1), because="known")
    assert event.headline() == "silenced by alice until 04:00 UTC (known)"


async def test_a_silence_whose_plugin_is_gone_is_ended_by_the_core(tower: Tower) -> None:
    async with tower(TWO_STEPS, "[plugins.silence]\n") as engine:
        subject = await engine.report(fires())
        await engine.says("bob", f"!silence {subject} 1h", room=OPS)
        await engine.says("bob", f"!silence {subject} 2h", room=OPS)
    async with tower() as engine:
        await engine.advance(minutes=119)
        assert tower.chat.pages() == ["03:00:00 alice"]
        await engine.advance(minutes=2)
        assert tower.chat.pages()[1:] == ["05:01:00 alice"]
        (story,) = await asks(engine, "bob", f"why {subject}")
        assert "05:01:00 the silence is over" in story


async def test_what_stopped_firing_in_silence_is_over_also_if_the_core_ends_it(tower: Tower) -> None:
    async with tower(TWO_STEPS, "[plugins.silence]\n") as engine:
        subject = await engine.report(fires())
        await engine.says("bob", f"!silence {subject} 1h", room=OPS)
        await engine.report(over())
    async with tower() as engine:
        await engine.advance(hours=3)
        assert tower.chat.pages() == ["03:00:00 alice"]
        assert await open_alerts(engine) == []


async def test_who_takes_what_stopped_firing_in_silence_is_told_that_it_is_over(tower: Tower) -> None:
    tower.people = tower.people.replace("ack_timeout = {}\n", "")
    async with tower(TWO_STEPS, "[plugins.silence]\n") as engine:
        subject = await engine.report(fires())
        await engine.says("bob", f"!silence {subject} 1h", room=OPS)
        await engine.report(over())
        answer = [f"{subject} resolved by its source: {FACT}"]
        assert await asks(engine, "bob", f"!ack {subject}", room=OPS) == answer
        await engine.advance(hours=3)
        assert tower.chat.pages() == ["03:00:00 alice"]
        assert await open_alerts(engine) == []
