"""An alert that must always fire pages nobody; its absence does."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import ClientSession

from tocsin import daemon
from tocsin.config import Document
from tocsin.errors import ConfigError

from tests.engine import Engine
from tests.plugins.alertmanager_parts import SOON, Sender, alert, body
from tests.tower import TWO_STEPS, Tower

EXPECTS = """\
[plugins.alertmanager.expects.prometheus]
receiver = "prod"
match = ['alertname="Watchdog"']
within = "10m"
severity = "error"
labels = { team = "ops" }
"""
WATCHDOG = alert("watch", labels={"alertname": "Watchdog", "severity": "none"})
OPEN = "select count(*) from subjects where kind = 'group' and closed_at is null"


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def absences(engine: Engine) -> list[str]:
    return [line for line in engine.chat.texts("person/alice") if "WatchdogMissing" in line]


async def test_it_pages_nobody_and_its_absence_does(tower: Tower, session: ClientSession) -> None:
    async with tower(TWO_STEPS, EXPECTS) as engine:
        sender = Sender(session, engine)
        for _ in range(4):
            await sender.accepts(body(WATCHDOG))
            await engine.advance(minutes=9)
        assert engine.chat.texts() == []
        assert await engine.sql(OPEN) == [(0,)]
        await engine.advance(minutes=1)
        (told,) = absences(engine)
        subject, _, said = told.partition(" ")
        assert said == (
            'error WatchdogMissing: prod has not posted alertname="Watchdog" for 10m: other alerts may not come '
            f"either · !ack {subject}"
        )
        await engine.advance(minutes=6)
        await sender.accepts(body(WATCHDOG))
        assert await engine.state(subject) == "resolved"


async def test_what_fires_with_it_pages_as_ever(tower: Tower, session: ClientSession) -> None:
    async with tower(TWO_STEPS, EXPECTS) as engine:
        sender = Sender(session, engine)
        await sender.accepts(body(WATCHDOG, alert()))
        (page,) = sender.pages()
        assert "ErrorRatioHigh checkout" in page
        assert "more" not in page
        await sender.accepts(body(WATCHDOG, alert(until=SOON)))
        assert await engine.sql(OPEN) == [(0,)]


async def test_its_end_is_no_sign_of_life(tower: Tower, session: ClientSession) -> None:
    async with tower(TWO_STEPS, EXPECTS) as engine:
        await engine.advance(minutes=9)
        await Sender(session, engine).accepts(body({**WATCHDOG, "status": "resolved"}))
        await engine.advance(minutes=1)
        assert len(absences(engine)) == 1


async def test_one_that_was_open_before_it_was_expected_is_over(tower: Tower, session: ClientSession) -> None:
    async with tower() as engine:
        await Sender(session, engine).accepts(body(WATCHDOG))
        assert await engine.sql(OPEN) == [(1,)]
    async with tower(TWO_STEPS, EXPECTS) as engine:
        await Sender(session, engine).accepts(body(WATCHDOG))
        assert await engine.sql(OPEN) == [(0,)]


async def test_after_a_night_away_it_has_its_time_and_what_is_expected_no_more_is_no_alert(
    tower: Tower,
) -> None:
    async with tower(TWO_STEPS, EXPECTS):
        pass
    tower.clock.move(timedelta(hours=8))
    async with tower(TWO_STEPS, EXPECTS) as engine:
        await engine.advance(minutes=9)
        assert absences(engine) == []
        await engine.advance(minutes=2)
        assert len(absences(engine)) == 1
    async with tower(TWO_STEPS) as engine:
        await engine.advance(minutes=11)
        assert await engine.sql(OPEN) == [(0,)]


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        ('"prod"', '"prodd"', "no receiver is called 'prodd'; did you mean 'prod'?"),
        ("'alertname=\"Watchdog\"'", "", "matches every alert"),
        ('"error"', '"eror"', "no severity is called 'eror'; did you mean 'error'?"),
    ],
)
def test_settings_that_cannot_work_are_refused(tower: Tower, good: str, bad: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        daemon.prepare(Document.open(tower.edit(TWO_STEPS, EXPECTS.replace(good, bad, 1))))
    assert complaint in str(refused.value.problems)
