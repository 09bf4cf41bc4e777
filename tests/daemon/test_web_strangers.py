"""Strangers at the listener learn nothing, and leave nothing."""

import asyncio

import pytest
from aiohttp import ClientSession

from tocsin.plugins import Declared

from tests.daemon.web_parts import (
    BEARER,
    HERE,
    OTHER,
    PASSWORD,
    SECRETS,
    USER,
    Sender,
    basic,
)
from tests.engine import Start
from tests.processes import PATIENCE, TOKEN


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


async def test_without_a_plugin_that_takes_posts_that_is_said(receiving: Start) -> None:
    async with receiving(Declared()) as engine, ClientSession() as session:
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
