"""Alertmanager is told of a silence until it has heard, whatever it answers; the silence here holds all the same."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from aiohttp import web

from tocsin.config.values import SecretSource
from tocsin.domain.alert import Alert
from tocsin.plugins import Declared
from tocsin_silence import Silence, upstream
from tocsin_silence.upstream import Upstream

from tests.engine import Engine, Start, alert, fires
from tests.plugins.silence_parts import silencing
from tests.processes import PATIENCE
from tests.tower import asks

SECRET = "correct horse battery staple"


@dataclass
class Asked:
    """What it was asked."""

    method: str
    path: str
    body: Any
    credential: str


@dataclass
class Peer:
    """Something that is asked as an Alertmanager is. answers: instead of what one would answer, one after another."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: list[Callable[[], Awaitable[web.StreamResponse]]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(text) if (text := await request.text()) else None
        credential = request.headers.get("Authorization", "")
        self.asked.append(Asked(request.method, request.path, body, credential))
        if self.answers:
            return await self.answers.pop(0)()
        return web.json_response({"silenceID": f"silence-{len(self.asked)}"})

    def answers_with(self, status: int, text: str = "", **headers: str) -> None:
        """To the next that it is asked."""

        async def answer() -> web.StreamResponse:
            return web.Response(status=status, text=text, headers=headers)

        self.answers.append(answer)

    def requests(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.asked]


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", peer.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    peer.url = f"http://{host}:{port}"
    yield peer
    await runner.cleanup()


@pytest.fixture
def pushing(peer: Peer) -> Declared:
    return silencing(Silence(receivers={"prod": Upstream(f"{peer.url}/")}))


async def silenced(engine: Engine, length: str = "1h", *, because: str = "") -> str:
    subject = await engine.report(fires())
    await engine.says("alice", f"!silence {subject} {length} {because}".strip())
    return subject


async def test_it_is_made_changed_and_ended_there_as_here(
    start: Start, pushing: Declared, peer: Peer
) -> None:
    async with start(pushing) as engine:
        subject = await silenced(engine, because="known; {a=~'.*'}")
        labels = {"alertname": "DiskFull", "severity": "critical", "instance": "db1"}
        body = {
            "matchers": [
                {"name": name, "value": value, "isRegex": False, "isEqual": True}
                for name, value in labels.items()
            ],
            "startsAt": "2026-11-21T03:00:00+00:00",
            "endsAt": "2026-11-21T04:00:00+00:00",
            "createdBy": "alice (tocsin)",
            "comment": f"{subject}: known; {{a=~'.*'}}",
        }
        assert peer.asked == [Asked("POST", "/api/v2/silences", body, "")]
        await engine.advance(minutes=30)
        await engine.says("bob", f"!extend {subject}")
        body |= {
            "id": "silence-1",
            "startsAt": "2026-11-21T03:30:00+00:00",
            "endsAt": "2026-11-21T04:30:00+00:00",
            "createdBy": "bob (tocsin)",
        }
        assert peer.asked[1:] == [Asked("POST", "/api/v2/silences", body, "")]
        peer.answers_with(200)
        await engine.says("alice", "!unsilence")
        assert peer.requests()[2:] == ["DELETE /api/v2/silence/silence-2"]
        (story,) = await asks(engine, "alice", f"!why {subject}")
        assert [line[9:] for line in story.splitlines() if "Alertmanager" in line] == [
            "silenced in Alertmanager as well, until 04:00 UTC",
            "silenced in Alertmanager as well, until 04:30 UTC",
            "no longer silenced in Alertmanager",
        ]


@pytest.mark.parametrize("line", ["!ack", "!done"])
async def test_whatever_ends_it_here_ends_it_there(
    start: Start, pushing: Declared, peer: Peer, line: str
) -> None:
    async with start(pushing) as engine:
        subject = await silenced(engine)
        peer.answers_with(200)
        await engine.says("bob", f"{line} {subject}")
        assert peer.requests()[1:] == ["DELETE /api/v2/silence/silence-1"]


async def test_what_ends_in_its_time_ends_there_by_itself(
    start: Start, pushing: Declared, peer: Peer
) -> None:
    async with start(pushing) as engine:
        await silenced(engine)
        await engine.advance(hours=2)
        await engine.says("bob", "!ack")
        assert peer.requests() == ["POST /api/v2/silences"]
        assert await engine.sql("select key from timers where kind = 'silence.push'") == []


async def test_alerts_of_other_receivers_are_silenced_here_alone(start: Start, peer: Peer) -> None:
    async with start(silencing(Silence(receivers={"other": Upstream(peer.url)}))) as engine:
        await silenced(engine)
        await engine.says("alice", "!unsilence")
        assert peer.asked == []


async def test_an_alert_that_was_never_silenced_is_no_matter_for_it(
    start: Start, pushing: Declared, peer: Peer
) -> None:
    async with start(pushing) as engine:
        await engine.report(fires())
        await engine.says("alice", "!ack")
        await engine.says("alice", "!done all")
        assert peer.asked == []


async def test_alerts_without_a_label_in_common_are_silenced_here_alone_and_that_is_said(
    start: Start, pushing: Declared, peer: Peer
) -> None:
    apart = [Alert("1", {"alertname": "A", "empty": ""}), Alert("2", {"alertname": "B", "empty": ""})]
    async with start(pushing) as engine:
        await engine.report(fires(*apart))
        (answer,) = await asks(engine, "alice", "!silence")
        assert "Alertmanager is not told of it: its alerts have no label in common." in answer
        await engine.report(fires(alert(), key="other"))
        assert peer.asked == []


NO_ID = "Alertmanager answers with something else than a silence's id"


@pytest.mark.parametrize(
    ("status", "text", "why"),
    [
        (400, '"silence invalid"', "Alertmanager answers 400: silence invalid"),
        (422, '{"code": 612, "message": "too few"}', "Alertmanager answers 422: too few"),
        (401, "Unauthorized", "Alertmanager does not take our credential (it answers 401)"),
        (500, "<html>", "Alertmanager answers 500"),
        (302, "", "Alertmanager answers 302"),
        (200, "", NO_ID),
        (200, "[]", NO_ID),
        (200, '{"silenceID": 5}', NO_ID),
        (200, '{"silenceID": "../alerts?x"}', NO_ID),
        (200, '{"silenceID": "' + "x" * upstream.LONGEST_ANSWER + '"}', "Alertmanager's answer is too long"),
    ],
)
async def test_what_it_answers_wrong_is_tried_again_and_told_once(
    start: Start, pushing: Declared, peer: Peer, *, status: int, text: str, why: str
) -> None:
    async with start(pushing) as engine:
        for _ in range(5):
            peer.answers_with(status, text, Location=f"{peer.url}/elsewhere")
        subject = await silenced(engine)
        assert engine.chat.texts("room/#ops")[1:] == []
        await engine.advance(seconds=5)
        told = f"{subject} silence.push failed 3 times ({why}). It is tried again. See the log."
        assert engine.chat.texts("room/#ops")[1:] == [told]
        await engine.advance(minutes=6)
        assert peer.requests() == ["POST /api/v2/silences"] * 6
        assert engine.chat.texts("room/#ops")[1:] == [told]
        assert engine.chat.texts("person/bob") == []


async def test_one_that_never_has_it_is_asked_no_more_once_the_silence_is_over(start: Start) -> None:
    nowhere = Upstream("http://127.0.0.1:9", password=SecretSource(env="AM_PASSWORD"), user="tocsin")
    async with start(silencing(Silence(receivers={"prod": nowhere}))) as engine:
        subject = await silenced(engine, "10m")
        await engine.advance(minutes=1)
        told = [text for text in engine.chat.texts("room/#ops") if "failed" in text]
        why = "no credential for Alertmanager: the environment variable 'AM_PASSWORD' is not set"
        assert told == [f"{subject} silence.push failed 3 times ({why}). It is tried again. See the log."]
        await engine.advance(minutes=20)
        assert engine.chat.texts("person/bob")
        assert await engine.sql("select key from timers where kind = 'silence.push'") == []


@pytest.mark.parametrize(
    ("proof", "credential"),
    [
        ({"token": SecretSource(env="AM_SECRET")}, f"Bearer {SECRET}"),
        (
            {"user": "tocsin", "password": SecretSource(env="AM_SECRET")},
            f"Basic {base64.b64encode(f'tocsin:{SECRET}'.encode()).decode()}",
        ),
    ],
)
async def test_it_is_shown_our_credential_and_nobody_else_is(
    start: Start,
    peer: Peer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    proof: dict[str, Any],
    credential: str,
) -> None:
    monkeypatch.setenv("AM_SECRET", SECRET)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # which is not for us
    caplog.set_level("DEBUG")
    async with start(silencing(Silence(receivers={"prod": Upstream(peer.url, **proof)}))) as engine:
        peer.answers_with(302, Location=f"{peer.url}/elsewhere")
        peer.answers_with(403)
        peer.answers_with(400, json.dumps(f"what is {credential}?"))
        peer.answers_with(500, json.dumps({"message": f"{SECRET} is no secret"}))
        await silenced(engine)
        await engine.advance(minutes=2)
        assert {one.credential for one in peer.asked} == {credential}
        assert len(peer.asked) == 5
        assert SECRET not in "".join(engine.chat.texts())
    assert "does not take our credential" in caplog.text
    assert SECRET not in caplog.text
    assert credential not in caplog.text


async def test_one_that_does_not_answer_in_time_is_asked_again(
    start: Start, pushing: Declared, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "ANSWERS_WITHIN", 0.2)
    gate = asyncio.Event()

    async def late() -> web.StreamResponse:
        await gate.wait()
        return web.Response()

    async with start(pushing) as engine:
        peer.answers.append(late)
        await silenced(engine)
        await engine.advance(seconds=1)
        assert peer.requests() == ["POST /api/v2/silences"] * 2
        gate.set()


async def test_one_that_has_forgotten_it_makes_another(start: Start, pushing: Declared, peer: Peer) -> None:
    async with start(pushing) as engine:
        await silenced(engine)
        await engine.advance(minutes=30)
        peer.answers_with(404, '"silence not found"')
        await engine.says("alice", "!extend")
        assert [one.body.get("id") for one in peer.asked] == [None, "silence-1", None]
        for status, text in ((500, '"silence not found"'), (404, "")):
            peer.answers_with(status, text)
        await engine.says("alice", "!unsilence")
        await engine.advance(minutes=30)
        assert peer.requests()[3:] == ["DELETE /api/v2/silence/silence-3", "GET /api/v2/silence/silence-3"]


async def test_one_that_somebody_ended_there_need_not_be_ended(
    start: Start, pushing: Declared, peer: Peer
) -> None:
    async with start(pushing) as engine:
        await silenced(engine)
        for state in ("active", "expired"):
            peer.answers_with(500, '"already expired"')
            peer.answers_with(200, json.dumps({"status": {"state": state}}))
        await engine.says("alice", "!unsilence")
        await engine.advance(minutes=30)
        ends = ["DELETE /api/v2/silence/silence-1", "GET /api/v2/silence/silence-1"]
        assert peer.requests()[1:] == ends * 2


async def test_ended_here_while_it_is_made_there_it_is_ended_there(
    start: Start, pushing: Declared, peer: Peer
) -> None:
    asked, gate = asyncio.Event(), asyncio.Event()

    async def late() -> web.StreamResponse:
        asked.set()
        await gate.wait()
        return web.json_response({"silenceID": "late"})

    async with start(pushing) as engine:
        await engine.report(fires())
        peer.answers.append(late)
        await engine.chat.hears("alice", "!silence")
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
        await engine.chat.hears("alice", "!unsilence")
        peer.answers_with(200)
        gate.set()
        await engine.run.settled()
        assert peer.requests() == ["POST /api/v2/silences", "DELETE /api/v2/silence/late"]


async def test_killed_after_it_was_made_there_it_is_made_twice_and_both_end(
    start: Start, pushing: Declared, peer: Peer
) -> None:
    asked = asyncio.Event()

    async def never() -> web.StreamResponse:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with start(pushing, crash=True) as engine:
        await engine.report(fires())
        peer.answers.append(never)
        await engine.chat.hears("alice", "!silence")
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
    async with start(pushing) as engine:
        ends = [datetime.fromisoformat(one.body["endsAt"]) for one in peer.asked]
        assert len(ends) == 2
        assert len(set(ends)) == 1
        peer.answers_with(200)
        await engine.says("alice", "!unsilence")
        assert peer.requests()[2:] == ["DELETE /api/v2/silence/silence-2"]
