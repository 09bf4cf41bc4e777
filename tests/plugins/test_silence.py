"""An alert that was silenced pages nobody until its silence is over, and then again if it still fires."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tocsin import daemon
from tocsin.config import Document
from tocsin.domain.alert import Report
from tocsin.domain.group import GroupSilenced, SilenceEnded
from tocsin.errors import ConfigError, Refused
from tocsin.plugins import Declared, Plugins
from tocsin.rules import Reaction, on
from tocsin.testing import HandClock, Loudspeaker, running
from tocsin.transaction import Transaction
from tocsin_silence import Silence
from tocsin_silence.asked import Asked

from tests.conftest import MINIMAL
from tests.daemon.test_speakers import CONFIG, codes
from tests.engine import Engine, Pager, Start, alert, fires, over
from tests.tower import FACT, TWO_STEPS, Tower, asks

OPS = "#ops"


@dataclass
class Waker(Pager):
    """Pages as soon as an alert rings, and again when its silence ends."""

    def declared(self) -> Declared:
        plain = super().declared()
        more: list[tuple[str, Reaction[Any]]] = [
            ("pager", on(SilenceEnded, self.again)),
            ("pager", on(GroupSilenced, self.stop)),
        ]
        return replace(plain, reactions=[*plain.reactions, *more])

    def again(self, event: SilenceEnded, tx: Transaction) -> None:
        self._page(event.subject, "bob", tx)


def silencing(plugin: Silence) -> Declared:
    """What it declares, beside a pager."""
    ours, pager = Plugins({"silence": plugin}).declared(), Waker().declared()
    return replace(
        ours, reactions=[*ours.reactions, *pager.reactions], timers={**ours.timers, **pager.timers}
    )


@pytest.fixture
def silence() -> Declared:
    return silencing(Silence())


def private(engine: Engine, person: str) -> list[str]:
    return engine.chat.texts(f"person/{person}")


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


async def open_rings(engine: Engine) -> list[bool]:
    return await engine.run.tocsin.turn(lambda tx: [group.rings for group in tx.open_groups()])


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


HOUR = timedelta(hours=1)
NOW = HandClock().now()


async def test_until_a_time_where_the_speaker_lives_it_pages_nobody(
    start: Start, silence: Declared, write_config: Callable[..., Path]
) -> None:
    text = MINIMAL.replace("[people.alice]\n", '[people.alice]\ntimezone = "Europe/Berlin"\n')
    start.config = replace(daemon.prepare(Document.open(write_config(text))).config, digests=False)
    async with start(silence) as engine:
        subject = await engine.report(fires())
        (answer,) = await asks(engine, "alice", f"!snooze {subject} until 05:30 because it moves")
        assert (
            answer
            == f"{subject} silenced by alice until 05:30 (1h30m) (it moves): {FACT} · !unsilence {subject}"
        )
        await engine.advance(hours=1, minutes=29)
        assert private(engine, "bob") == []
        (answer,) = await asks(engine, "alice", f"!extend {subject} until 05:45")
        assert "until 05:45 (16m)" in answer
        await engine.advance(minutes=16)
        assert len(private(engine, "bob")) == 1


async def test_until_a_time_that_is_too_far_off_is_refused_as_a_length_is(
    start: Start, silence: Declared
) -> None:
    async with start(silence) as engine:
        subject = await engine.report(fires())
        (answer,) = await asks(engine, "alice", f"!silence {subject} until 09:00")
        assert answer.startswith("6h is too long: plugins.silence.longest allows 2h at a time")
        (answer,) = await asks(engine, "alice", f"!silence {subject} until tomorow 09:00")
        assert "must be a time such as '09:00'" in answer
        assert await engine.state(subject) == "triggered"


@pytest.mark.parametrize("word", ["snooze until 04:00", "silence for 1h"])
async def test_a_reply_may_say_until_when(tower: Tower, word: str) -> None:
    async with tower(TWO_STEPS, "[plugins.silence]") as engine:
        subject = await engine.report(fires())
        (receipt,) = [str(at) for at, said in enumerate(tower.chat.said, 1) if said.place.name == OPS]
        await engine.chat.hears("alice", word, room=OPS, about=receipt)
        await engine.run.settled()
        assert await engine.state(subject) == "silenced"


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("", Asked()),
        ("k7f3", Asked("k7f3")),
        ("2h", Asked("", 2 * HOUR)),
        ("k7f3 2h", Asked("k7f3", 2 * HOUR)),
        ("2h k7f3", Asked("k7f3", 2 * HOUR)),
        ("k7f3 2 hours", Asked("k7f3", 2 * HOUR)),
        ("for 90 min. k7f3 it moves", Asked("k7f3", 1.5 * HOUR, "it moves")),
        ("K7F3, for 2H.", Asked("K7F3,", 2 * HOUR)),
        ("k7f3 m2p4 1h30m", Asked("k7f3 m2p4", 1.5 * HOUR)),
        ("all 1h", Asked("all", HOUR)),
        ("k7f3 because of the move", Asked("k7f3", None, "of the move")),
        ("k7f3 1h because", Asked("k7f3", HOUR, "because")),
        ("1h known since 3 days", Asked("", HOUR, "known since 3 days")),
        ("k7f3 known", Asked("k7f3", None, "known")),
        ("the disk", Asked("the", None, "disk")),
        ("k7f3 until 05:00", Asked("k7f3", 2 * HOUR)),
        ("until 05:00 k7f3 it moves", Asked("k7f3", 2 * HOUR, "it moves")),
        ("k7f3 until 4am because of the move", Asked("k7f3", HOUR, "of the move")),
        ("k7f3 till sun 03:00", Asked("k7f3", 24 * HOUR)),
        ("until tomorrow 04:00", Asked("", 25 * HOUR)),
        ("k7f3 until 02:00", Asked("k7f3", 23 * HOUR)),
        ("k7f3 2h until the disk is moved", Asked("k7f3", 2 * HOUR, "until the disk is moved")),
    ],
)
def test_an_alert_and_a_length_come_in_either_order_and_then_the_reason(line: str, asked: Asked) -> None:
    assert Asked.read(line.split(), NOW, ZoneInfo("UTC")) == asked


@pytest.mark.parametrize(
    "line",
    [
        "2",
        "k7f3 2",
        "k7f3 5min",
        "1e9h",
        "99999999w",
        "until",
        "k7f3 until",
        "k7f3 until the disk is moved",
        "k7f3 until 9",
    ],
)
def test_a_length_that_is_none_is_never_taken_for_a_reason(line: str) -> None:
    with pytest.raises(Refused, match="must be"):
        Asked.read(line.split(), NOW, ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('longest = "30m"', "default is 1h: it must be at least 1m, and at most longest, which is 30m"),
        ('default = "0s"', "default is 0s: it must be at least 1m, and at most longest, which is 2h"),
        (
            'receivers.prd.url = "http://127.0.0.1:9093"',
            "plugins.silence.receivers.prd: no receiver is called 'prd'; did you mean 'prod'?",
        ),
        ('receivers.prod.url = "ftp://am"', "url must be an Alertmanager's own"),
        ('receivers.prod.url = "http://am?x=y"', "url must be an Alertmanager's own"),
        ('receivers.prod.url = "http://me:pw@am"', "url must be an Alertmanager's own"),
        (
            'receivers.prod = { url = "http://am", token.env = "A", user = "a", password.env = "B" }',
            "takes either a token, or a user and a password",
        ),
        ('receivers.prod = { url = "http://am", user = "a" }', "user and password go together"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    write_config: Callable[..., Path], table: str, complaint: str
) -> None:
    path = write_config(f"{MINIMAL}[plugins.silence]\n{table}\n")
    with pytest.raises(ConfigError) as refused:
        daemon.prepare(Document.open(path))
    (problem,) = [one for one in refused.value.problems if one.fatal]
    assert complaint in f"{'.'.join(map(str, problem.at))}: {problem.text}"


def test_the_reason_stands_in_the_story() -> None:
    at = datetime(2026, 11, 21, 3, tzinfo=UTC)
    event = GroupSilenced(subject="k7f3", at=at, by="alice", until=at + HOUR, because="known")
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
