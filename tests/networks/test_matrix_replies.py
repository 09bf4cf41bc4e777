"""Matrix: what a homeserver refuses, in words."""

import asyncio
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from tocsin.errors import NetworkError
from tocsin.networks.matrix.replies import LoggedOut, refusal, trouble
from tocsin.networks.matrix.wire import Wire, tls_context

from tests.servers.programs import HOST, reserve


@pytest.mark.parametrize(
    ("body", "headers", "wait"),
    [
        ({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 4750}, {"Retry-After": "9"}, 4.75),
        ({"errcode": "M_LIMIT_EXCEEDED"}, {"Retry-After": "5"}, 5),
        ({"errcode": "M_LIMIT_EXCEEDED"}, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 5),
        (None, {}, 5),
        ({"retry_after_ms": -1}, {}, 0),
        ({"retry_after_ms": 1e300}, {}, 5),
        ({"retry_after_ms": "NaN"}, {}, 5),
        ({"retry_after_ms": 10**12}, {}, 60),
    ],
)
def test_how_long_to_wait(body: Any, headers: dict[str, str], wait: float) -> None:
    error = refusal(429, body, headers)
    assert error.retry_after == timedelta(seconds=wait)
    assert error.unsent
    assert not error.permanent


@pytest.mark.parametrize(
    ("status", "code", "permanent", "unsent"),
    [
        (413, "M_TOO_LARGE", True, False),
        (400, "M_BAD_JSON", True, False),
        (403, "M_FORBIDDEN", False, True),
        (401, "M_USER_LOCKED", False, True),
        (403, "M_USER_DEACTIVATED", False, True),
        (500, "M_UNKNOWN", False, False),
        (400, "M_UNKNOWN", False, False),
    ],
)
def test_what_can_be_tried_again(status: int, code: str, *, permanent: bool, unsent: bool) -> None:
    error = refusal(status, {"errcode": code, "error": "no\u202e\n!", "soft_logout": True})
    assert (error.permanent, error.unsent, error.retry_after) == (permanent, unsent, None)
    assert (error.code, error.status) == (code, status)
    assert str(error).startswith(f"{code}: no")
    assert str(error).isprintable()
    assert not isinstance(error, LoggedOut)


@pytest.mark.parametrize("body", [None, [], "x", {}, {"errcode": 7, "error": None}])
def test_a_proxy_answers_no_json(body: Any) -> None:
    error = refusal(502, body)
    assert (str(error), error.code, error.unsent, error.permanent) == ("HTTP 502", "", False, False)


def test_a_token_that_is_good_no_more() -> None:
    error = refusal(401, {"errcode": "M_UNKNOWN_TOKEN", "error": "x", "soft_logout": True})
    assert isinstance(error, LoggedOut)
    assert error.unsent


def test_what_came_to_nobody() -> None:
    assert trouble(aiohttp.ConnectionTimeoutError()).unsent
    assert not trouble(aiohttp.ServerDisconnectedError()).unsent
    assert not trouble(TimeoutError()).unsent
    assert not trouble(aiohttp.ServerTimeoutError()).unsent


async def test_where_nobody_listens_nothing_was_sent() -> None:
    reserved = reserve()
    wire = Wire(f"http://{HOST}:{reserved.getsockname()[1]}", await asyncio.to_thread(tls_context, None))
    try:
        with pytest.raises(Exception, match="the homeserver can't be reached") as caught:
            await wire.call("GET", "/account/whoami")
        assert getattr(caught.value, "unsent", False)
    finally:
        await wire.close()
        reserved.close()


async def test_what_a_server_took_before_it_fell_is_in_doubt() -> None:
    """It reads a request, and then neither answers nor listens any more."""
    taken = list[bytes]()

    async def falls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.readuntil(b"{}"))
        server.close()
        writer.transport.abort()

    server = await asyncio.start_server(falls, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    wire = Wire(f"http://{HOST}:{port}", await asyncio.to_thread(tls_context, None))
    try:
        with pytest.raises(NetworkError, match="the homeserver can't be reached") as caught:
            await wire.call("PUT", "/rooms/!room/send/m.room.message/1", {})
        assert len(taken) == 1
        assert not caught.value.unsent
    finally:
        await wire.close()
        server.close()
