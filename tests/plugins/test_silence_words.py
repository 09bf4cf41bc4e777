"""How a silence is asked for: lengths, times, reasons; and what the settings may be."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tocsin import daemon
from tocsin.config import Document
from tocsin.errors import ConfigError, Refused
from tocsin.plugins import Declared
from tocsin.testing import HandClock
from tocsin_silence import Silence
from tocsin_silence.asked import Asked

from tests.conftest import MINIMAL
from tests.engine import Start, fires
from tests.plugins.silence_parts import OPS, private, silencing
from tests.tower import FACT, TWO_STEPS, Tower, asks


@pytest.fixture
def silence() -> Declared:
    return silencing(Silence())


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
