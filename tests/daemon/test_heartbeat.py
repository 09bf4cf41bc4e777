"""Somebody outside is called while all is well, and told why when it is not. The outside is a real server."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from tocsin import daemon
from tocsin.config import Document
from tocsin.config.tables import Heartbeat, HeartbeatForm
from tocsin.config.values import SecretSource
from tocsin.errors import ConfigError

from tests.conftest import MINIMAL
from tests.daemon.test_proving import Echoing
from tests.engine import Engine, Start, fires
from tests.servers.certificates import Certificates

KEY = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"


@dataclass
class Outside:
    """What it was told: `GET /ping/KEY?query body`, without the key."""

    told: list[str] = field(default_factory=list)
    status: int = 200
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ping/{KEY}"

    async def answer(self, request: web.BaseRequest) -> web.Response:
        body = (await request.read()).decode()
        path = request.path_qs.replace(KEY, "KEY")
        self.told.append(f"{request.method} {path} {body}".strip())
        return web.Response(status=self.status, headers={"Location": "http://127.0.0.1:9/elsewhere"})

    def heard(self) -> list[str]:
        """What it was told since it was asked last."""
        told, self.told = self.told, []
        return told

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
        """It answers, each time on the same port."""
        server = web.Server(self.answer)
        listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", self.port, ssl=tls)
        self.port = listening.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            listening.close()
            await server.shutdown()


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    outside = Outside()
    async with outside.open():
        yield outside


Beats = Callable[..., None]


@pytest.fixture
def beats(start: Start, tmp_path: Path) -> Beats:
    """Configures it."""

    def configure(url: str, form: HeartbeatForm = HeartbeatForm.HEALTHCHECKS, ca: Path | None = None) -> None:
        secret = tmp_path / "heartbeat.url"
        secret.write_text(url + "\n")
        secret.chmod(0o600)
        heartbeat = Heartbeat(SecretSource(file=secret), form=form, tls_ca=ca)
        start.config = replace(start.config, heartbeat=heartbeat)

    return configure


def goes_down(engine: Engine) -> None:
    assert engine.chat.listener
    engine.chat.listener.down("console", "no link")


def comes_up(engine: Engine) -> None:
    assert engine.chat.listener
    engine.chat.listener.up("console")


async def at_the_next(engine: Engine, outside: Outside) -> list[str]:
    """What it is told a minute later."""
    await engine.advance(minutes=1)
    return outside.heard()


async def test_it_beats_while_all_is_well(start: Start, outside: Outside, beats: Beats) -> None:
    beats(outside.url)
    async with start() as engine:
        await engine.advance(seconds=59)
        assert outside.heard() == []
        await engine.advance(seconds=1)
        assert outside.heard() == ["POST /ping/KEY started at 2026-11-21 03:00:00 UTC"]
        for _ in range(3):
            assert await at_the_next(engine, outside) == ["GET /ping/KEY"]
        assert engine.chat.texts() == []


async def test_cut_off_from_all_networks_it_stops_and_says_why_when_back(
    start: Start, outside: Outside, beats: Beats
) -> None:
    beats(outside.url)
    async with start() as engine:
        await at_the_next(engine, outside)
        await engine.advance(seconds=30)
        goes_down(engine)
        await engine.advance(seconds=30)
        assert outside.heard() == []
        failed = ["POST /ping/KEY/fail no network is up: console (no link)"]
        assert await at_the_next(engine, outside) == failed
        for _ in range(5):
            assert await at_the_next(engine, outside) == []
        comes_up(engine)
        (told,) = await at_the_next(engine, outside)
        assert told == (
            "POST /ping/KEY well again: not heard of from 2026-11-21 03:01:00 UTC to 2026-11-21 03:09:00 UTC: "
            "no network is up: console (no link)"
        )
        assert await at_the_next(engine, outside) == ["GET /ping/KEY"]


async def test_cut_off_from_the_outside_too_it_says_both_when_back(start: Start, beats: Beats) -> None:
    outside = Outside()
    async with AsyncExitStack() as stack:
        async with outside.open():
            beats(outside.url)
            engine = await stack.enter_async_context(start())
            await at_the_next(engine, outside)
        goes_down(engine)
        for _ in range(3):
            assert await at_the_next(engine, outside) == []
        await stack.enter_async_context(outside.open())
        comes_up(engine)
        (told,) = await at_the_next(engine, outside)
        assert told == (
            "POST /ping/KEY well again: not heard of from 2026-11-21 03:01:00 UTC to 2026-11-21 03:05:00 UTC: "
            "no network is up: console (no link); not taken here (Connection refused)"
        )


async def test_what_lasts_no_minute_is_no_failure(start: Start, outside: Outside, beats: Beats) -> None:
    beats(outside.url)
    async with start() as engine:
        await at_the_next(engine, outside)
        await engine.advance(seconds=50)
        goes_down(engine)
        await engine.advance(seconds=10)
        assert outside.heard() == []
        comes_up(engine)
        (told,) = await at_the_next(engine, outside)
        assert told.startswith("POST /ping/KEY well again: not heard of from 2026-11-21 03:01:00 UTC to")


async def test_a_network_where_nobody_is_to_be_reached_does_not_count(
    start: Start, outside: Outside, beats: Beats
) -> None:
    beats(outside.url)
    people = {name: replace(one, accounts={}) for name, one in start.config.people.items()}
    start.config = replace(start.config, people=people)
    async with start() as engine:
        assert await at_the_next(engine, outside) == []
        failed = ["POST /ping/KEY/fail nobody has an account on any network"]
        assert await at_the_next(engine, outside) == failed


async def test_a_network_that_hands_nothing_on_does_not_count(
    start: Start, outside: Outside, beats: Beats
) -> None:
    beats(outside.url)
    start.chat = echoing = Echoing("console", {"alice": "alice", "bob": "bob"}, lost=True)
    async with start() as engine:
        told = [one for _ in range(6) for one in await at_the_next(engine, outside)]
        assert told[-1] == (
            "POST /ping/KEY/fail no network is up: console (nothing that is said there has come back since 03:01 UTC)"
        )
        echoing.lost = False
        told = [one for _ in range(3) for one in await at_the_next(engine, outside)]
        assert told[0].startswith("POST /ping/KEY well again: not heard of from")


async def test_an_engine_that_hangs_does_not_beat(
    start: Start, outside: Outside, beats: Beats, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats(outside.url)
    monkeypatch.setattr("tocsin.engine.CYCLE_WITHIN", timedelta(seconds=0.2))
    async with start() as engine:
        await at_the_next(engine, outside)
        with monkeypatch.context() as broken:
            broken.setattr(engine.run.daemon.intake.nudge, "whole_pass", lambda **_: asyncio.Event().wait())
            assert await at_the_next(engine, outside) == []
            (told,) = await at_the_next(engine, outside)
            assert told == "POST /ping/KEY/fail timers or bodies are not looked at"
        (told,) = await at_the_next(engine, outside)
        assert told.startswith("POST /ping/KEY well again")


async def test_what_the_self_check_finds_stops_it_and_names_nobody(
    start: Start, outside: Outside, beats: Beats
) -> None:
    beats(outside.url)
    async with start() as engine:
        engine.run.daemon.courier._tasks = None  # noqa: SLF001 (a carrier that died)
        await engine.report(fires())
        for _ in range(3):
            assert len(await at_the_next(engine, outside)) == 1
        told = [one for _ in range(3) for one in await at_the_next(engine, outside)]
        assert told[-1] == "POST /ping/KEY/fail no longer so: pages are sent"
        assert await at_the_next(engine, outside) == []


ANSWERS = [(404, "it answers 404"), (302, "it answers 302, which leads elsewhere, and is not followed")]


@pytest.mark.parametrize("answer", ANSWERS)
async def test_when_it_is_not_taken_for_long_people_inside_are_told_once(
    start: Start,
    outside: Outside,
    beats: Beats,
    caplog: pytest.LogCaptureFixture,
    answer: tuple[int, str],
) -> None:
    beats(outside.url)
    outside.status, why = answer
    async with start() as engine:
        for _ in range(14):
            assert len(await at_the_next(engine, outside)) == 1
        (told,) = engine.chat.texts("room/#ops")
        assert told.startswith(f"the heartbeat has not been taken outside for 10m ({why}): whoever watches")
        assert "heartbeat.url" in told
        outside.status = 200
        (said,) = await at_the_next(engine, outside)
        assert said.startswith("POST /ping/KEY started at")
        assert why in said
        assert engine.chat.texts("room/#ops")[1:] == ["the heartbeat is taken outside again"]
    assert KEY not in caplog.text + told


async def test_kuma_is_told_in_its_own_form(start: Start, outside: Outside, beats: Beats) -> None:
    beats(f"{outside.url}?status=up&msg=OK&ping=", HeartbeatForm.UPTIME_KUMA)
    ping = "GET /ping/KEY?status="
    async with start() as engine:
        told = [f"{ping}up&msg=started+at+2026-11-21+03:00:00+UTC"]
        assert await at_the_next(engine, outside) == told
        assert await at_the_next(engine, outside) == [f"{ping}up&msg=OK"]
        goes_down(engine)
        assert await at_the_next(engine, outside) == []
        told = [f"{ping}down&msg=no+network+is+up:+console+(no+link)"]
        assert await at_the_next(engine, outside) == told


async def test_who_understands_nothing_else_hears_nothing_else(
    start: Start, outside: Outside, beats: Beats
) -> None:
    beats(outside.url, HeartbeatForm.PLAIN)
    async with start() as engine:
        assert await at_the_next(engine, outside) == ["GET /ping/KEY"]
        goes_down(engine)
        for _ in range(4):
            assert await at_the_next(engine, outside) == []
        comes_up(engine)
        assert await at_the_next(engine, outside) == ["GET /ping/KEY"]


async def test_a_certificate_that_nobody_signed_whom_we_know_is_refused(
    start: Start, beats: Beats, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(tmp_path / "certificates")
    outside = Outside()
    async with outside.open(certificates.server_context()):
        url = f"https://localhost:{outside.port}/ping/{KEY}"
        beats(url)
        async with start() as engine:
            assert await at_the_next(engine, outside) == []
            assert "not taken outside: its certificate is not to be trusted" in caplog.text
            beats(url, ca=certificates.authority)
            tocsin = engine.run.tocsin
            await tocsin.turn(lambda tx: tocsin.use(replace(tocsin.setup, config=start.config), tx))
            (told,) = await at_the_next(engine, outside)
            assert "started at" in told
    assert KEY not in caplog.text


@pytest.mark.parametrize("url", ["hc-ping.com/uuid-0123", "ftp://hc-ping.com/x-0123", "https://[x/uuid-0123"])
def test_what_is_no_address_is_refused_and_not_repeated(write_config: Callable[..., Path], url: str) -> None:
    path = write_config(MINIMAL + '[heartbeat]\nurl.file = "heartbeat.url"\n')
    secret = path.parent / "heartbeat.url"
    secret.write_text(url)
    secret.chmod(0o600)
    with pytest.raises(ConfigError) as refused:
        daemon.prepare(Document.open(path))
    (problem,) = [one for one in refused.value.problems if one.fatal]
    assert "must hold an address such as https://hc-ping.com/UUID" in str(problem)
    assert "0123" not in str(problem)
