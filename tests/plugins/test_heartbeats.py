"""Jobs ping over a real connection; one that is not heard of is an alert."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession

from tocsin import daemon
from tocsin.api import Ping, hookimpl
from tocsin.config import Document
from tocsin.errors import ConfigError, PluginError
from tocsin.plugins import Plugins
from tocsin.web import pings

from tests.daemon.test_guard import every_commit_fails
from tests.engine import Engine
from tests.tower import TWO_STEPS, Tower

KEY = "0123456789abcdef0123"
JOB = """\
[plugins.heartbeats.jobs.backup]
key.file = "backup.key"
every = "1h"
grace = "10m"
severity = "warning"
max_runtime = "20m"
labels = { team = "db" }
"""
OPEN = "select count(*) from subjects where kind = 'group' and closed_at is null"


@pytest.fixture
def tower(tower: Tower, tmp_path: Path) -> Tower:
    secret = tmp_path / "backup.key"
    secret.write_text(KEY + "\n")
    secret.chmod(0o600)
    return tower


async def ping(engine: Engine, word: str = "", *, key: str = KEY, method: str = "GET", **how: Any) -> Any:
    """What is answered; when this returns, the engine is at rest."""
    url = f"http://{engine.run.daemon.web.address}/ping/{key}{word}"
    async with ClientSession() as session, session.request(method, url, **how) as answer:
        found = SimpleNamespace(status=answer.status, text=await answer.text(), headers=answer.headers)
    await engine.run.settled()
    return found


def told(engine: Engine) -> list[str]:
    """What alice was paged for, without ids."""
    return [line.split(" ", 1)[1].partition(" · ")[0] for line in engine.chat.texts("person/alice")]


async def test_a_job_that_is_not_heard_of_pages_until_it_is(tower: Tower) -> None:
    async with tower(TWO_STEPS, JOB) as engine:
        for _ in range(3):
            await engine.advance(minutes=65)
            answer = await ping(engine)
            assert (answer.status, answer.text) == (200, "OK\n")
        assert engine.chat.texts() == []
        await engine.advance(minutes=69)
        assert engine.chat.texts() == []
        await engine.advance(minutes=1)
        missed = "warning HeartbeatMissed: nothing was heard of backup for 1h10m: it should ping every 1h"
        assert told(engine) == [missed]
        subject = engine.chat.texts("person/alice")[0].split()[0]
        await engine.advance(minutes=5)
        assert engine.chat.texts("person/bob")
        await ping(engine)
        assert await engine.state(subject) == "resolved"
        await engine.advance(minutes=65)
        assert len([line for line in told(engine) if "Missed" in line and "resolved" not in line]) == 1


async def test_one_that_was_never_heard_of_has_its_whole_time(tower: Tower) -> None:
    async with tower(TWO_STEPS, JOB) as engine:
        await engine.advance(minutes=69)
        assert engine.chat.texts() == []
        await engine.advance(minutes=1)
        assert len(told(engine)) == 1


@pytest.mark.parametrize(("word", "how"), [("/fail", "failed"), ("/3", "failed with exit code 3")])
async def test_one_that_failed_pages_at_once_and_says_why(tower: Tower, word: str, how: str) -> None:
    async with tower(TWO_STEPS, JOB) as engine:
        answer = await ping(engine, word, method="POST", data="begins\n\x1b[31mno space\nleft\n\n")
        assert answer.status == 200
        assert told(engine) == [f"warning HeartbeatFailed: backup {how}: left"]
        await ping(engine, "/0")
        assert await engine.sql(OPEN) == [(0,)]


async def test_one_that_takes_too_long_pages(tower: Tower) -> None:
    async with tower(TWO_STEPS, JOB) as engine:
        await ping(engine, "/start")
        await engine.advance(minutes=19)
        await ping(engine, method="HEAD")
        await engine.advance(minutes=5)
        assert engine.chat.texts() == []
        await ping(engine, "/start")
        await engine.advance(minutes=20)
        assert told(engine) == ["warning HeartbeatOverran: backup began, and has not ended within 20m"]
        await ping(engine)
        assert await engine.sql(OPEN) == [(0,)]


async def test_what_came_due_while_tocsin_was_away_has_its_grace(tower: Tower) -> None:
    async with tower(TWO_STEPS, JOB):
        pass
    tower.clock.move(timedelta(hours=8))
    async with tower(TWO_STEPS, JOB) as engine:
        await engine.advance(minutes=9)
        assert engine.chat.texts() == []
        await engine.advance(minutes=2)
        assert len(told(engine)) == 1


async def test_one_that_is_watched_no_more_is_no_alert(tower: Tower) -> None:
    async with tower(TWO_STEPS, JOB):
        pass
    async with tower(TWO_STEPS, "[plugins.heartbeats]") as engine:
        await engine.advance(hours=3)
        assert engine.chat.texts() == []
        assert (await ping(engine)).status == 404


async def test_a_stranger_learns_nothing(tower: Tower, caplog: pytest.LogCaptureFixture) -> None:
    async with tower(TWO_STEPS, JOB) as engine:
        for key in ("backup", "x" * 600, KEY + "0"):
            answer = await ping(engine, key=key)
            assert (answer.status, answer.text) == (404, "there is nothing here\n")
        assert (await ping(engine, method="DELETE")).status == 405
        for word in ("/stat", "/256", "/-1", "/³", "/99999999999999999999"):
            assert (await ping(engine, word)).status == 400
        assert (await ping(engine, "/0/1")).status == 404
        assert engine.chat.texts() == []
    assert KEY not in caplog.text


async def test_what_cannot_be_kept_is_asked_for_again(tower: Tower) -> None:
    async with tower(TWO_STEPS, JOB) as engine:
        with every_commit_fails(engine):
            answer = await ping(engine)
        assert answer.status == 503
        assert answer.headers["Retry-After"]


async def test_more_than_a_site_has_is_put_off(tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pings, "BURST", 3)
    async with tower(TWO_STEPS, JOB) as engine:
        assert [(await ping(engine)).status for _ in range(4)] == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("key", "settings", "complaint"),
    [
        ("short", JOB, "must be 16 letters"),
        (KEY + "/?#", JOB, "must be 16 letters"),
        (KEY, JOB.replace("warning", "loud"), "is none of the severities"),
        (KEY, JOB.replace('"1h"', '"0s"'), "must be longer than nothing"),
        (KEY, JOB + JOB.replace("backup]", "other]"), "is that of backup, too"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    tower: Tower, tmp_path: Path, key: str, settings: str, complaint: str
) -> None:
    (tmp_path / "backup.key").write_text(key)
    with pytest.raises(ConfigError) as refused:
        daemon.prepare(Document.open(tower.edit(TWO_STEPS, settings)))
    assert complaint in str(refused.value.problems)


def test_a_path_is_one_plugins_alone() -> None:
    class Pinger:
        @hookimpl
        def register_pings(self) -> list[Ping]:
            return [Ping("hooks", lambda _: None, lambda *_: None)]

    with pytest.raises(PluginError, match="path 'hooks' is claimed by Tocsin itself and by pinger"):
        Plugins({"pinger": Pinger()}).declared()
