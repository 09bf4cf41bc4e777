"""What rings people in tests: an ntfy as it is asked over HTTP, a gateway that does as it is told, a hand that presses."""

import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web

from tocsin.domain.page import PersonPaged
from tocsin.plugins import Declared, Plugins
from tocsin.testing import HandClock
from tocsin.transaction import Transaction
from tocsin_notify import Notify
from tocsin_notify.settings import Person, Way

from tests.engine import Engine

PUBLIC = "https://tocsin.test/base"

_ACTION = {"action": "http", "method": "POST"}
_FIELDS: Mapping[str, type] = {
    "topic": str,
    "title": str,
    "message": str,
    "priority": int,
    "tags": list,
    "actions": list,
    "click": str,
    "sequence_id": str,
}


@dataclass
class Heard:
    """What somebody was asked."""

    at: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Sink:
    """A server that keeps what it is asked. answers: instead of 200, one after another; the last stays if `for_ever`."""

    clock: HandClock
    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: list[Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(default_factory=list)
    for_ever: bool = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        as_json = request.content_type == "application/json"
        body = await request.json() if as_json else dict(await request.post())
        at = f"{self.clock.now():%H:%M:%S}"
        self.heard.append(Heard(at, request.method, request.path, dict(request.headers), body))
        if self.answers:
            return await (self.answers[0] if self.for_ever else self.answers.pop(0))(request)
        return web.json_response({"id": "sPs71M8A2T"})

    def answers_with(self, status: int, **headers: str) -> None:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, text="secret-secret", headers=headers)

        self.answers.append(answer)

    def posts(self) -> list[Heard]:
        return [one for one in self.heard if one.method == "POST"]

    def times(self) -> list[str]:
        return [one.at for one in self.posts()]


class Ntfy(Sink):
    """An ntfy, which refuses what its documentation does not know."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        answer = await super().handle(request)
        if request.method == "POST":
            judge(self.heard[-1])
        return answer

    def rings(self) -> list[str]:
        """When it rang, and what was said."""
        return [f"{one.at} {one.body['title']}" for one in self.posts() if one.body["priority"] > 2]


def judge(heard: Heard) -> None:
    """Whether ntfy takes that: https://docs.ntfy.sh/publish/#publish-as-json."""
    body = heard.body
    assert heard.path == "/"
    assert [(name, type(value)) for name, value in body.items() if type(value) is not _FIELDS[name]] == []
    assert re.fullmatch(r"[-_A-Za-z0-9]{1,64}", body["topic"])
    assert re.fullmatch(r"[-_A-Za-z0-9]{1,64}", body["sequence_id"])
    assert body["priority"] in range(1, 6)
    assert len(body["message"].encode()) <= 4096
    assert "\n" not in body["title"]
    assert len(body.get("actions", ())) <= 3
    for action in body.get("actions", ()):
        own = {"label": action["label"], "url": action["url"], "clear": action["label"] != "Escalate"}
        assert action == {**_ACTION, **own}


@asynccontextmanager
async def served(sink: Sink, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", sink.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    host, port = runner.addresses[0]
    sink.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield
    finally:
        await runner.cleanup()


def notifying(notify: Notify) -> Declared:
    """What the plugin declares, and no other."""
    return Plugins({"notify": notify}).declared()


def alice(ways: Mapping[str, Way], **settings: Any) -> Notify:
    """Alice has these ways."""
    person = {name: settings.pop(name) for name in ("default", "urgent") if name in settings}
    return Notify(people={"alice": Person(ways, **person)}, **{"public_url": PUBLIC, **settings})


def paging(
    subject: str, person: str = "alice", *, urgent: bool = True
) -> Callable[[Transaction], PersonPaged]:
    """A turn in which somebody is called, as the core writes it down."""
    return lambda tx: tx.record(PersonPaged(subject=subject, at=tx.now, page=1, person=person, urgent=urgent))


async def pages(engine: Engine, subject: str, person: str = "alice", *, urgent: bool = True) -> None:
    """Somebody is called; at the end the engine is at rest."""
    await engine.run.tocsin.turn(paging(subject, person, urgent=urgent))
    await engine.run.settled()


@dataclass
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]


async def press(engine: Engine, url: str, method: str = "POST", **how: Any) -> Answer:
    """Go where a button leads, as the proxy before the daemon passes it on; at the end the engine is at rest."""
    path = url.removeprefix(PUBLIC)
    async with (
        ClientSession() as session,
        session.request(method, f"http://{engine.run.daemon.web.address}{path}", **how) as answer,
    ):
        found = Answer(answer.status, await answer.text(), dict(answer.headers))
    await engine.run.settled()
    return found


def button(heard: Heard, label: str) -> str:
    """Where the button of a notification leads."""
    return next(str(one["url"]) for one in heard.body["actions"] if one["label"] == label)
