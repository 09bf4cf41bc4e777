"""A probe finds whether something answers, and says what it found in words."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from tocsin_verification.sources.probe import Probed, ProbeSettings

from tests.plugins.source_parts import Peer, serving
from tests.servers.certificates import Certificates

SECOND = timedelta(seconds=1)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with serving(Peer()) as server:
        yield server


def tcp(peer: Peer) -> str:
    return peer.url.removeprefix("http://")


async def found(**settings: Any) -> Probed:
    return await ProbeSettings(**settings).probe()


async def test_what_answers_as_expected_is_well(peer: Peer) -> None:
    probed = await found(url=f"{peer.url}/health?deep=1")
    assert (probed.ok, probed.why) == (True, "")
    assert 0 < probed.took < 5
    assert peer.asked[0][0] == "/health"
    assert (await found(tcp=tcp(peer))).ok


async def test_another_status_is_what_it_is_and_leads_nowhere(peer: Peer) -> None:
    async with serving(Peer()) as elsewhere:
        peer.status, peer.headers = 302, {"Location": elsewhere.url}
        probed = await found(url=peer.url)
        assert (probed.ok, probed.why) == (False, "answers 302, not 200")
        assert (await found(url=peer.url, expects=302)).ok
        assert elsewhere.asked == []


async def test_one_that_is_late_is_not_well(peer: Peer) -> None:
    peer.waits = asyncio.Event()
    probed = await found(url=peer.url, answers_within=SECOND)
    assert (probed.ok, probed.why) == (False, "did not answer within 1 s")
    assert probed.took >= 1


async def test_what_it_says_is_not_read(peer: Peer) -> None:
    peer.endless = True
    assert (await found(url=peer.url, answers_within=timedelta(seconds=5))).ok


async def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    for settings in ({"url": f"http://{address}"}, {"tcp": address}):
        probed = await found(**settings)
        assert (probed.ok, probed.why) == (False, "can't be reached: connection refused")
    for settings in ({"url": "http://nosuch.invalid"}, {"tcp": "nosuch.invalid:1"}):
        probed = await found(**settings)
        assert (probed.ok, probed.why) == (False, "can't be reached: its host's name is not known")


async def test_a_proxy_of_the_environment_is_not_used(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Peer(status=500)) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await found(url=peer.url)).ok
        assert proxy.asked == []


async def test_a_name_that_leads_to_where_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(_: str, port: int, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    for settings in ({"url": "http://health.test"}, {"tcp": "health.test:80"}):
        probed = await found(**settings)
        assert not probed.ok
        assert probed.why == "can't be reached: its name leads to 169.254.169.254, where nothing is asked"


async def test_of_several_addresses_the_first_that_answers_is_enough(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def getaddrinfo(_: str, port: int, **__: Any) -> list[Any]:
        kind = socket.SOCK_STREAM
        return [
            (socket.AF_INET6, kind, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, kind, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    assert (await found(tcp=tcp(peer).replace("127.0.0.1", "both.test"))).ok


async def test_a_certificate_is_verified(certificates: Certificates) -> None:
    app = web.Application()
    app.router.add_get("/", Peer().handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server_context()).start()
        url = f"https://localhost:{runner.addresses[0][1]}"
        assert (await found(url=url, tls_ca=certificates.authority)).ok
        probed = await found(url=url)
        assert not probed.ok
        assert probed.why.startswith("can't be reached: its certificate is not good (")
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "is one of url and tcp"),
        ({"url": "http://a.test", "tcp": "a.test:1"}, "is one of url and tcp"),
        ({"url": "a.test"}, "url must be an address such as 'https://shop.example.org/health'"),
        ({"url": "http://user:secret@a.test"}, "without a user in it"),
        ({"url": "http://169.254.169.254/latest"}, "nothing is asked at 169.254.169.254"),
        ({"tcp": "169.254.169.254:80"}, "nothing is asked at 169.254.169.254"),
        ({"tcp": "a.test"}, "tcp must be a host and a port"),
        ({"tcp": "a.test:0"}, "tcp must be a host and a port"),
        ({"tcp": "a.test:65536"}, "tcp must be a host and a port"),
        ({"tcp": "http://a.test:80"}, "tcp must be a host and a port"),
        ({"tcp": "a.test:1", "answers_within": timedelta(0)}, "at least 1s"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ProbeSettings(**settings)
