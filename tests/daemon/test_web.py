"""The listener and real peers: what is answered with 202 is kept, and strangers learn nothing."""

import asyncio
import base64
import io
import logging
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tocsin import control, daemon, intake
from tocsin.alerts import report
from tocsin.config import Document
from tocsin.errors import BadPayload
from tocsin.intake import Route
from tocsin.plugins import Declared
from tocsin.transaction import Transaction
from tocsin.web import listener
from tocsin.web.limits import Shares

from tests.conftest import MINIMAL
from tests.engine import Engine, Pager, Start, alert, fires
from tests.processes import PATIENCE, TOKEN, started, until

USER, PASSWORD, OTHER = "am", "correct:horse, größer", "f" * 32
BOTH_KINDS = (
    MINIMAL
    + """
[receivers.staging]
token.file = "staging.token"
[receivers.old]
user = "am"
password.file = "old.password"
"""
)
HERE, KEPT = "/hooks/post/prod", "select outcome, body from intake"
MIB = 2**20
SECRETS = (TOKEN, OTHER, PASSWORD, "horse")


def read(_: str, body: bytes) -> str:
    if body.startswith(b"{"):
        raise BadPayload("it ends too soon")
    if body == b"crash":
        raise ZeroDivisionError(TOKEN)
    return body.decode()


def take(text: str, tx: Transaction) -> None:
    report(tx, fires(alert(text), key=text))


def posts() -> Declared:
    routes = {
        "post": Route("", read, take),
        "post/loud": Route("loud", read, lambda text, tx: take(text.upper(), tx)),
    }
    return replace(Pager().declared(), routes=routes)


@pytest.fixture
def start(write_config: Callable[..., Path], tmp_path: Path) -> Start:
    for name, secret in (("staging.token", OTHER), ("old.password", PASSWORD)):
        (tmp_path / name).write_text(secret + "\n")
        (tmp_path / name).chmod(0o600)
    config = daemon.prepare(Document.open(write_config(BOTH_KINDS))).config
    return Start(config, tmp_path / "state")


@dataclass
class Answer:
    status: int
    text: str
    headers: dict[str, str]


def large(size: int) -> io.BytesIO:
    return io.BytesIO(b"{".ljust(size))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


BEARER = f"Bearer {TOKEN}"


@dataclass
class Sender:
    """Whoever posts: a client of its own, over a real connection."""

    session: ClientSession
    engine: Engine

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.engine.run.daemon.web.address.rsplit(":", 1)
        return host, int(port)

    async def asks(self, method: str, path: str, **how: Any) -> Answer:
        url = f"http://{self.engine.run.daemon.web.address}{path}"
        async with self.session.request(method, url, **how) as answer:
            return Answer(answer.status, await answer.text(), dict(answer.headers))

    async def posts(
        self, body: Any = b"Disk", path: str = HERE, *, proof: str = BEARER, **headers: str
    ) -> Answer:
        """Post; when this returns, the engine is at rest."""
        if proof:
            headers["Authorization"] = proof
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.asks("POST", path, data=body, headers=named)
        await self.engine.run.settled()
        return answer

    async def kept(self) -> list[Any]:
        return await self.engine.sql(KEPT)

    def heard(self, place: str = "room/#ops") -> list[str]:
        return self.engine.chat.texts(place)

    @asynccontextmanager
    async def begins(
        self, sent: bytes, *, of: int = 100
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Post the first part of a body, and hold on."""
        reader, writer = await asyncio.open_connection(*self.address)
        head = f"POST {HERE} HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER}\r\nContent-Length: {of}\r\n\r\n"
        writer.write(head.encode() + sent)
        try:
            async with asyncio.timeout(PATIENCE):
                yield reader, writer
        finally:
            writer.close()


@pytest.fixture
async def sender(start: Start) -> AsyncIterator[Sender]:
    async with start(posts()) as engine, ClientSession() as session:
        yield Sender(session, engine)
        await engine.run.settled()


async def test_what_is_accepted_is_kept_by_then_and_then_paged(sender: Sender) -> None:
    answer = await sender.asks("POST", HERE, data=b"Disk", headers={"Authorization": BEARER})
    with closing(sqlite3.connect(sender.engine.run.tocsin.state.database)) as beside:
        assert beside.execute("select receiver, body from intake").fetchall() == [("prod", b"Disk")]
    assert (answer.status, answer.text) == (202, "accepted\n")
    await sender.engine.run.settled()
    (page,) = sender.heard("person/alice")
    assert "critical Disk db1" in page


async def test_a_post_is_answered_once_it_is_in_the_store_and_no_earlier(sender: Sender) -> None:
    blocked, goes_on = threading.Event(), threading.Event()

    def block(_: Transaction) -> None:
        blocked.set()
        goes_on.wait(PATIENCE)

    turn = asyncio.create_task(sender.engine.run.tocsin.turn(block))
    await asyncio.to_thread(blocked.wait, PATIENCE)
    async with sender.begins(b"Disk", of=4) as (answer, _):
        asked = sender.engine.run.tocsin.writer.waiting
        while sender.engine.run.tocsin.writer.waiting == asked:
            await asyncio.sleep(0)
        first = asyncio.create_task(answer.readline())
        await asyncio.wait([first], timeout=0)
        assert not first.done()
        goes_on.set()
        await turn
        assert b" 202 " in await first
    await sender.engine.run.settled()


@pytest.mark.parametrize(
    ("path", "proof"),
    [
        (HERE, BEARER),
        (HERE, f"bearer {TOKEN}"),
        ("/hooks/post/staging", f"Bearer {OTHER}"),
        ("/hooks/post/old", basic(USER, PASSWORD)),
    ],
)
async def test_each_receiver_proves_itself_in_its_own_way(sender: Sender, path: str, proof: str) -> None:
    assert (await sender.posts(path=path, proof=proof)).status == 202
    assert await sender.kept() == [("taken", b"Disk")]
    assert len(sender.heard("person/alice")) == 1


STRANGERS = {
    "nothing": (HERE, ""),
    "only the scheme": (HERE, "Bearer"),
    "only the token": (HERE, TOKEN),
    "another scheme": (HERE, f"Token {TOKEN}"),
    "a wrong token": (HERE, "Bearer " + "0" * 32),
    "a short token": (HERE, f"Bearer {TOKEN[:-1]}"),
    "a long token": (HERE, f"Bearer {TOKEN}0"),
    "a very long token": (HERE, "Bearer " + "0" * 8000),
    "a token in capitals": (HERE, f"Bearer {TOKEN.upper()}"),
    "letters that are not ASCII": (HERE, f"Bearer {TOKEN[:-1]}é"),
    "another receiver's token": (HERE, f"Bearer {OTHER}"),
    "the token, as a password": (HERE, basic("prod", TOKEN)),
    "a receiver that is not there": ("/hooks/post/nobody", BEARER),
    "one that is not there, with a password": ("/hooks/post/nobody", basic(USER, PASSWORD)),
    "one with an odd name": ("/hooks/post/%0aprod%20", BEARER),
    "a wrong password": ("/hooks/post/old", basic(USER, "battery")),
    "another user": ("/hooks/post/old", basic("bob", PASSWORD)),
    "a password without a user": ("/hooks/post/old", basic("", PASSWORD)),
    "a password that is not encoded": ("/hooks/post/old", f"Basic {USER}:correct:horse"),
    "a password as a token": ("/hooks/post/old", f"Bearer {USER}:{PASSWORD}"),
    "nothing encoded": ("/hooks/post/old", "Basic "),
    "half an encoded one": ("/hooks/post/old", basic(USER, PASSWORD)[:-3]),
    "a path that is not there": ("/hooks/nosuch/prod", "Bearer " + "0" * 32),
}


@pytest.mark.parametrize(("path", "proof"), STRANGERS.values(), ids=STRANGERS)
async def test_all_strangers_get_one_answer_and_nothing_of_theirs_is_kept(
    sender: Sender, path: str, proof: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await sender.posts(path=path, proof=proof)
    assert (answer.status, answer.text) == (
        401,
        "the token is missing or wrong: send 'Authorization: Bearer TOKEN' with this receiver's own\n",
    )
    assert answer.headers["WWW-Authenticate"] == "Bearer, Basic"
    assert (await sender.kept(), sender.heard("")) == ([], [])
    assert "is refused: no token, or a wrong one" in caplog.text
    assert not [secret for secret in SECRETS if secret in caplog.text]


async def test_a_flood_of_strangers_is_a_line_in_ten_seconds(
    sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        await sender.posts(proof="")
    assert caplog.text.count("no token, or a wrong one") == 1
    await sender.engine.advance(seconds=10)
    await sender.posts(proof="")
    assert caplog.text.count("no token, or a wrong one") == 2


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/hooks/pots/prod", "nothing takes posts here; did you mean 'post'?; there is"),
        ("/hooks/post/lout/prod", "nothing takes posts here; did you mean 'post/loud'?; there is"),
        ("/hooks/zebra/prod", "nothing takes posts here; there is"),
    ],
)
async def test_who_is_let_in_is_shown_the_way(sender: Sender, path: str, text: str) -> None:
    answer = await sender.posts(path=path)
    assert (answer.status, answer.text) == (404, f"{text} /hooks/post/prod and /hooks/post/loud/prod\n")
    assert await sender.kept() == []


async def test_without_a_plugin_that_takes_posts_that_is_said(start: Start) -> None:
    async with start(Declared()) as engine, ClientSession() as session:
        answer = await Sender(session, engine).posts()
        assert (answer.status, answer.text) == (
            404,
            "nothing takes posts here; there is no plugin that takes any\n",
        )


async def test_a_plugin_may_have_more_than_one_way_in(sender: Sender) -> None:
    assert (await sender.posts(b"Disk")).status == 202
    assert (await sender.posts(b"Disk", "/hooks/post/loud/prod")).status == 202
    assert [text.split()[2] for text in sender.heard("person/alice")] == ["Disk", "DISK"]


async def test_other_ways_to_ask_are_refused_without_a_version(sender: Sender) -> None:
    asked = [("GET", HERE, 405), ("PUT", HERE, 405), ("GET", "/", 404), ("POST", "/healthz", 405)]
    for method, path, status in asked:
        answer = await sender.asks(method, path)
        assert (answer.status, answer.headers["Server"]) == (status, "tocsin")
    for answer in (await sender.posts(), await sender.posts(proof=""), await sender.asks("GET", "/healthz")):
        assert answer.headers["Server"] == "tocsin"


NO_HTTP = {
    "no HTTP at all": b"GARBAGE\r\n\r\n",
    "a token with a stray character": f"POST {HERE} HTTP/1.1\r\nAuthorization: {BEARER}\x01\r\n\r\n".encode(),
    "a token that never ends": f"POST {HERE} HTTP/1.1\r\nAuthorization: {BEARER}{'0' * 9000}\r\n\r\n".encode(),
}


@pytest.mark.parametrize("said", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_refused_without_a_version_or_a_secret(
    sender: Sender, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection(*sender.address)
    writer.write(said)
    async with asyncio.timeout(PATIENCE):
        answer = (await reader.read()).decode()
    writer.close()
    assert answer.split()[1] == "400"
    assert "aiohttp" not in answer
    assert TOKEN not in answer
    assert TOKEN not in caplog.text
    assert "Traceback" not in caplog.text
    assert (await sender.posts()).status == 202


async def test_what_cannot_be_read_is_kept_and_told_every_ten_minutes(
    sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    told = "prod posted something that can't be read: it ends too soon. Body {} is kept."
    answer = await sender.posts(b'{"key": "correct:horse"')
    assert (answer.status, answer.text) == (400, "it ends too soon\n")
    assert sender.heard() == [told.format(1)]
    await sender.posts(b"{ again")
    await sender.engine.advance(minutes=9, seconds=59)
    await sender.posts(b"{ and again")
    assert len(sender.heard()) == 1
    await sender.posts(b"{", "/hooks/post/staging", proof=f"Bearer {OTHER}")
    assert sender.heard()[1:] == [told.format(4).replace("prod", "staging")]
    await sender.engine.advance(seconds=1)
    await sender.posts(b"{")
    assert sender.heard()[2:] == [told.format(5)]
    assert [outcome for outcome, _ in await sender.kept()] == ["unreadable"] * 5
    assert (await sender.kept())[0][1] == b'{"key": "correct:horse"'
    assert "horse" not in caplog.text
    assert sender.heard("person/alice") == []


async def test_what_two_replicas_post_at_once_and_cannot_be_read_is_told_once(sender: Sender) -> None:
    answers = await asyncio.gather(sender.posts(b"{"), sender.posts(b"{"))
    assert [answer.status for answer in answers] == [400, 400]
    assert len(sender.heard()) == 1


async def test_a_body_may_have_eight_mebibytes_and_of_more_a_part_is_kept(sender: Sender) -> None:
    assert (await sender.posts(large(8 * MIB))).status == 400
    answer = await sender.posts(large(8 * MIB + 1), "/hooks/post/old", proof=basic(USER, PASSWORD))
    assert (answer.status, answer.text) == (413, "it is larger than 8 MiB\n")
    assert await sender.engine.sql("select receiver, outcome, length(body) from intake") == [
        ("prod", "unreadable", 8 * MIB),
        ("old", "unreadable", 64 * 1024),
    ]
    assert sender.heard()[1:] == [
        "old posted something that can't be read: it is larger than 8 MiB. Body 2 is kept."
    ]


async def test_a_body_in_chunks_counts_as_a_whole(sender: Sender) -> None:
    async def parts(*sizes: int) -> AsyncIterator[bytes]:
        for size in sizes:
            yield b"x" * size

    assert (await sender.posts(parts(3 * MIB, 3 * MIB, 3 * MIB))).status == 413
    assert (await sender.posts(parts(3, 4))).status == 202
    assert (await sender.kept())[1] == ("taken", b"x" * 7)


async def test_a_body_that_does_not_come_is_not_waited_for(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(listener, "BODY_WITHIN", timedelta(0))
        async with sender.begins(b"half") as (answer, _):
            assert b" 408 " in await answer.readline()
    assert (await sender.kept(), sender.heard()) == ([], [])
    assert (await sender.posts()).status == 202


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x"])
async def test_a_coded_body_is_not_decoded(sender: Sender, coding: str) -> None:
    answer = await sender.posts(Content_Encoding=coding)
    assert (answer.status, answer.text) == (415, "send the body as it is, without a Content-Encoding\n")
    assert await sender.kept() == []
    assert (await sender.posts(Content_Encoding="identity")).status == 202


async def test_a_full_disk_puts_posts_off_and_keeps_nothing(sender: Sender) -> None:
    state = sender.engine.run.tocsin.state
    state.drop_ballast()
    answer = await sender.posts()
    assert (answer.status, answer.text) == (503, "the disk is full: send it again\n")
    assert answer.headers["Retry-After"] == "5"
    assert (await sender.kept(), sender.heard()) == ([], [])
    state.keep_ballast()
    assert (await sender.posts()).status == 202


async def test_on_a_full_disk_what_cannot_be_read_takes_no_room_either(sender: Sender) -> None:
    sender.engine.run.tocsin.state.drop_ballast()
    assert (await sender.posts(large(8 * MIB))).status in (400, 503)
    assert (await sender.posts(large(8 * MIB + 1))).status in (413, 503)
    assert await sender.kept() == []


@pytest.mark.parametrize(("what", "own"), [("posts", 1), ("bytes", 8)])
async def test_what_is_too_much_at_once_is_put_off(sender: Sender, what: str, own: int) -> None:
    setattr(sender.engine.run.daemon.web, f"_{what}", Shares(0, own))
    async with sender.begins(b"Held", of=8) as (answer, more):
        while (put_off := await sender.posts(b"Small")).status == 202:
            pass
        assert (put_off.status, put_off.text) == (503, "too much at once: send it again\n")
        assert put_off.headers["Retry-After"] == "5"
        more.write(b"Back")
        assert b" 202 " in await answer.readline()
    kept = len(await sender.kept())
    for number in range(3):
        assert (await sender.posts(b"Again")).status == 202
        assert len(await sender.kept()) == kept + number + 1
    assert "HeldBack" in " ".join(sender.heard("person/alice"))


async def test_together_bodies_never_take_more_room_than_that(
    sender: Sender,
) -> None:
    sender.engine.run.daemon.web._bytes = Shares(0, 8)  # noqa: SLF001 (as small as a test's posts)
    async with sender.begins(b"1234", of=6) as one, sender.begins(b"1234", of=6) as other:
        for _, more in (one, other):
            more.write(b"56")
        answers = [await answer.readline() for answer, _ in (one, other)]
    assert [answer.split()[1] for answer in answers].count(b"503") >= 1
    assert (await sender.posts()).status == 202


async def test_a_reader_that_crashes_loses_nothing(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    assert (await sender.posts(b"crash")).status == 202
    assert "stumbles its reader: ZeroDivisionError" in caplog.text
    assert await sender.kept() == [("fault", b"crash")]
    assert sender.heard() == [
        "prod posted an alert that could not be taken in (ZeroDivisionError). Body 1 is kept and tried again."
    ]
    await sender.engine.advance(minutes=2)
    assert await sender.kept() == [("parked", b"crash")]
    assert "given up" in sender.heard()[-1]


async def test_who_hangs_up_in_the_middle_leaves_nothing(
    sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with sender.begins(b"half") as (_, writer):
        await writer.drain()
    async with asyncio.timeout(PATIENCE):
        while "broke off" not in caplog.text:
            await asyncio.sleep(0)
    assert (await sender.kept(), sender.heard()) == ([], [])
    assert (await sender.posts()).status == 202
    assert "Traceback" not in caplog.text


async def test_it_stops_in_order_while_a_post_is_under_way(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "CYCLE_WITHIN", timedelta(seconds=0.05))
    async with start(posts()) as engine, ClientSession() as session:
        sender = Sender(session, engine)
        async with sender.begins(b"half"):
            await sender.posts()
            engine.run.daemon.stop()
    async with start(posts()) as engine:
        assert not engine.run.tocsin.state.unclean
        assert await engine.sql(KEPT) == [("taken", b"Disk")]


@pytest.mark.parametrize(("remembered", "often"), [(3, 1), (2, 2)])
async def test_a_body_is_read_once_if_there_is_room_to_remember_what_was_read(
    start: Start, monkeypatch: pytest.MonkeyPatch, remembered: int, often: int
) -> None:
    bodies = list[bytes]()

    def reads(receiver: str, body: bytes) -> str:
        bodies.append(body)
        return read(receiver, body)

    monkeypatch.setattr(intake, "MOST_READ", remembered)
    routes = {"post": Route("", reads, take)}
    async with start(replace(Pager().declared(), routes=routes)) as engine, ClientSession() as session:
        sender = Sender(session, engine)
        for body in (b"one", b"two"):
            await sender.posts(body)
        assert bodies == [b"one"] * often + [b"two"] * often
        assert set(await sender.kept()) == {("taken", b"one"), ("taken", b"two")}


async def test_a_crowd_without_end_keeps_nobody_from_being_paged(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"CROWD": 0, "PORTION": 1, "MOST_GIVEN_WAY": 2, "GIVE_WAY": timedelta(0)}.items():
        monkeypatch.setattr(intake, name, value)
    bodies = [f"disk{number}".encode() for number in range(5)]
    await asyncio.gather(*map(sender.posts, bodies))
    assert set(await sender.kept()) == {("taken", body) for body in bodies}


async def test_health_is_a_whole_cycle_of_the_engine(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await sender.asks("GET", "/healthz")
    assert (answer.status, answer.text) == (200, "ok\n")
    goes_on = threading.Event()
    turn = asyncio.create_task(sender.engine.run.tocsin.turn(lambda _: goes_on.wait(PATIENCE)))
    with monkeypatch.context() as patch:
        patch.setattr(listener, "CYCLE_WITHIN", timedelta(seconds=0.05))
        answer = await sender.asks("GET", "/healthz")
    assert (answer.status, answer.text) == (503, "the store takes nothing\n")
    goes_on.set()
    await turn
    assert (await sender.asks("GET", "/healthz")).status == 200


@pytest.mark.parametrize("part", ["ringer", "intake"])
async def test_a_part_that_does_not_turn_is_seen(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    nudge = getattr(sender.engine.run.daemon, part).nudge
    with monkeypatch.context() as patch:
        patch.setattr(listener, "CYCLE_WITHIN", timedelta(seconds=0.05))
        patch.setattr(nudge, "give", lambda: None)
        answer = await sender.asks("GET", "/healthz")
    assert (answer.status, answer.text) == (503, "timers or bodies are not looked at\n")
    assert (await sender.asks("GET", "/healthz")).status == 200


async def test_all_who_ask_at_once_share_one_cycle(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    tocsin, goes_on = sender.engine.run.tocsin, asyncio.Event()
    cycles, keep = 0, tocsin.keep_something

    async def counted() -> None:
        nonlocal cycles
        cycles += 1
        await goes_on.wait()
        await keep()

    monkeypatch.setattr(tocsin, "keep_something", counted)
    asked = [asyncio.create_task(sender.asks("GET", "/healthz")) for _ in range(20)]
    async with asyncio.timeout(PATIENCE):
        while not cycles:
            await asyncio.sleep(0)
        goes_on.set()
        answers = await asyncio.gather(*asked)
    assert {answer.status for answer in answers} == {200}
    assert cycles == 1


def test_a_port_in_use_holds_nothing_up_and_is_taken_once_it_is_free(
    write_config: Callable[..., Path],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, ThreadPoolExecutor() as pool:
        host, port = other.getsockname()
        config = write_config(f'web.listen = "{host}:{port}"\n{MINIMAL}')
        log = config.parent / "log"

        def free() -> Any:
            until(
                lambda: (
                    log.exists() and f"<tocsin> can't listen on {host}:{port}: no alert" in log.read_text()
                )
            )
            stands = control.ask(config.parent / "state", "status")
            other.close()
            return stands

        freed = pool.submit(free)
        with started(config) as running:
            assert freed.result()["listening on"] == "nothing yet"
            until(lambda: f"<tocsin> listening on {host}:{port}: alerts can come in" in log.read_text())
            assert (running.status() or {})["listening on"] == f"{host}:{port}"
            socket.create_connection((host, port)).close()
