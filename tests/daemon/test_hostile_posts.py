"""Posts that are made to hurt, over real connections: who is nobody learns nothing, and holds nobody up."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from tests.engine import Start
from tests.plugins.alertmanager_parts import Sender, alert, body, declared, payload
from tests.processes import PATIENCE, TOKEN

HOOK = "/hooks/alertmanager/prod"
BEARER = f"Authorization: Bearer {TOKEN}"


@pytest.fixture
async def sender(start: Start) -> AsyncIterator[Sender]:
    async with start(declared()) as engine, ClientSession() as session:
        yield Sender(session, engine)


def address(sender: Sender) -> tuple[str, int]:
    host, port = sender.engine.run.daemon.web.address.rsplit(":", 1)
    return host, int(port)


async def statuses(sender: Sender, said: bytes) -> list[bytes]:
    """Say something over a connection of its own; the statuses of all answers until it is closed."""
    reader, writer = await asyncio.open_connection(*address(sender))
    writer.write(said)
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    await sender.engine.run.settled()
    return [line.split()[1] for line in answer.splitlines() if line.startswith(b"HTTP/")]


def request(path: str, *headers: str, sent: bytes = b"") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode() + sent


PLAIN = f"Content-Length: {len(body())}"


@pytest.mark.parametrize(
    "path",
    [
        f"{HOOK}?token={TOKEN}",
        f"{HOOK}?access_token={TOKEN}",
        f"{HOOK}/{TOKEN}",
        f"/hooks/alertmanager/{TOKEN}",
        f"/hooks/{TOKEN}/prod",
    ],
)
async def test_a_token_in_the_url_lets_nobody_in_and_is_not_logged(
    sender: Sender, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert await statuses(sender, request(path, PLAIN, "Connection: close", sent=body())) == [b"401"]
    assert sender.pages() == []
    assert "no token, or a wrong one" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For: 127.0.0.1",
        "Forwarded: for=127.0.0.1;proto=https",
        f"X-Forwarded-Authorization: Bearer {TOKEN}",
    ],
)
async def test_what_only_a_proxy_would_say_proves_nothing(sender: Sender, header: str) -> None:
    assert await statuses(sender, request(HOOK, header, PLAIN, "Connection: close", sent=body())) == [b"401"]
    assert sender.pages() == []


async def test_whose_address_is_logged_is_not_for_the_sender_to_say(
    sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    await statuses(
        sender, request(HOOK, "X-Forwarded-For: 10.9.8.7", "Content-Length: 0", "Connection: close")
    )
    assert "from 127.0.0.1 is refused" in caplog.text
    assert "10.9.8.7" not in caplog.text


SECOND = request("/healthz", "Connection: close").replace(b"POST", b"GET")
CHUNKED = "Transfer-Encoding: chunked"
SMUGGLED = {
    "two lengths": request(HOOK, BEARER, "Content-Length: 0", f"Content-Length: {len(SECOND)}", sent=SECOND),
    "a length and chunks": request(HOOK, BEARER, "Content-Length: 5", CHUNKED, sent=b"0\r\n\r\n" + SECOND),
    "a length with a sign": request(HOOK, BEARER, f"Content-Length: +{len(SECOND)}", sent=SECOND),
    "a length below nothing": request(HOOK, BEARER, "Content-Length: -1", sent=SECOND),
    "a chunk of an odd size": request(HOOK, BEARER, CHUNKED, sent=b"0x1\r\na\r\n0\r\n\r\n" + SECOND),
    "a chunk without end": request(HOOK, BEARER, CHUNKED, sent=b"FFFFFFFFFFFFFFFFFF\r\na\r\n" + SECOND),
    "a chunk that is longer than it says": request(
        HOOK, BEARER, CHUNKED, sent=b"1\r\nab\r\n0\r\n\r\n" + SECOND
    ),
    "a header in two lines": request(HOOK, BEARER, "X: a\r\n b", "Content-Length: 0", sent=SECOND),
    "a header with a blank": request(HOOK, BEARER, f"Content-Length : {len(SECOND)}", sent=SECOND),
    "chunks by another name": request(
        HOOK, BEARER, "Transfer-Encoding: xchunked", sent=b"0\r\n\r\n" + SECOND
    ),
}


@pytest.mark.parametrize("said", SMUGGLED.values(), ids=SMUGGLED)
async def test_a_request_of_which_two_servers_may_think_differently_is_its_connections_last(
    sender: Sender, said: bytes
) -> None:
    answered = await statuses(sender, said)
    assert answered in ([], [b"400"], [b"501"])
    assert sender.pages() == []
    await sender.accepts(body())


@pytest.mark.alone
async def test_who_says_nothing_for_long_keeps_nobody_out(sender: Sender) -> None:
    """Some that say nothing at all, some that begin a request or a body and go no further."""
    begun = [b"", b"POST /hooks", request(HOOK, "X: y")[:-2], request(HOOK, BEARER, PLAIN)]
    idle = []
    try:
        for number in range(400):
            _, writer = await asyncio.open_connection(*address(sender))
            writer.write(begun[number % len(begun)])
            idle.append(writer)
        for number in range(20):
            began = time.perf_counter()
            await sender.accepts(body(groupKey=str(number)))
            assert time.perf_counter() - began < 1
        assert len(sender.pages()) == 20
    finally:
        for writer in idle:
            writer.transport.abort()


GOOD = json.dumps(payload())


@pytest.mark.parametrize(
    "sent",
    [
        GOOD.replace('"version"', '"version": "3", "version"'),
        GOOD.replace('"alerts"', '"alerts": [], "alerts"'),
        GOOD.replace('"summary"', '"n": "\\ud83d\\ude00 \\u0000", "summary"'),
        "\r\n\t " + GOOD + " \n",
    ],
    ids=["a key twice", "alerts twice", "pairs and NUL", "blanks around"],
)
async def test_what_json_leaves_open_pages(sender: Sender, sent: str) -> None:
    await sender.accepts(sent.encode())
    assert len(sender.pages()) == 1


async def test_two_thousand_alerts_with_many_labels_are_one_page_that_says_so(sender: Sender) -> None:
    labels = {f"label_{number}": "x" * 20 for number in range(100)}
    sent = body(*(alert(f"s{number}", labels=labels) for number in range(2000)))
    assert len(sent) < 8 * 2**20
    async with sender.session.post(
        f"http://{sender.engine.run.daemon.web.address}{HOOK}",
        data=io.BytesIO(sent),
        headers={"Authorization": f"Bearer {TOKEN}"},
    ) as answer:
        assert answer.status == 202
    await sender.engine.run.settled()
    [page] = sender.pages()
    assert "s0 fails, and 1999 more" in page
