"""Whatever a server does that a source leads to: it is told in words, and reaches nothing else."""

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import web

from tocsin.api import Unreadable
from tocsin.config.values import SecretSource
from tocsin_verification.sources import http, prometheus
from tocsin_verification.sources.making import server
from tocsin_verification.sources.settings import SourceSettings

from tests.plugins.source_parts import SECRET, Peer, kept_secret, reads, serving
from tests.processes import PATIENCE
from tests.servers.certificates import Certificates

ANSWER = {"status": "success", "data": {"resultType": "matrix", "result": []}}


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with serving(Peer(text=json.dumps(ANSWER))) as server:
        yield server


async def refused(url: str, **settings: Any) -> Unreadable:
    with pytest.raises(Unreadable) as found:
        await reads(url, **settings).read("up", 0, 600, 60)
    assert str(found.value).isprintable()
    return found.value


def holds(*values: Any, **labels: Any) -> str:
    """An answer with one series."""
    result = [{"metric": labels, "values": values}]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


async def test_it_is_asked_at_one_path_with_the_expression_as_a_value(peer: Peer, tmp_path: Path) -> None:
    token = kept_secret(tmp_path)
    expression = "up&start=0#\r\nHost: x\u00e9"
    assert await reads(f"{peer.url}/base/", token=token).read(expression, 0, 120, 60) == []
    ((path, form, credential),) = peer.asked
    assert path == "/base/api/v1/query_range"
    assert form == {
        "query": expression,
        "start": "0.000",
        "end": "120.000",
        "step": "60",
        "timeout": "10",
    }
    assert credential == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("status", "text", "told", "down"),
    [
        (500, "<html>", "answers 500", True),
        (502, "", "answers 502", True),
        (503, '{"error": "query timed out"}', "refuses the question: query timed out", False),
        (400, "no", "refuses the question (it answers 400)", False),
        (422, '{"error": 7}', "refuses the question (it answers 422)", False),
        (401, SECRET, "does not take our credential (it answers 401)", True),
        (404, "", "answers 404: is plugins.verification.sources.main.url right?", True),
        (501, "", "answers 501: is plugins.verification.sources.main.url right?", True),
        (200, "<html>", "answers with something else than Prometheus does: is plugins.", True),
        (200, b"\xff\xfe\x00", "answers with something else than Prometheus does", True),
        (200, "[" * 100_000, "answers with something else than Prometheus does", True),
        (200, "[]", "answers with something else", True),
        (200, '{"data": {"result": 7}}', "answers with something else", True),
        (200, '{"data": {"result": [7]}}', "answers with something else", True),
        (200, '{"data": {"result": [{"metric": 7, "values": []}]}}', "answers with something else", True),
        (200, '{"data": {"result": [{"metric": {"a": 7}, "values": []}]}}', "answers with something", True),
        (200, '{"data": {"result": [{"metric": {}, "values": [1]}]}}', "answers with something else", True),
    ],
)
async def test_what_is_no_answer_is_told(
    peer: Peer, status: int, text: str | bytes, told: str, *, down: bool
) -> None:
    peer.status, peer.text = status, text
    error = await refused(peer.url)
    assert str(error).startswith(f"source main {told}")
    assert error.down is down


async def test_numbers_that_are_none_or_of_another_time_are_left_out(peer: Peer) -> None:
    peer.text = holds(
        [60, "1"],
        [0, "7.5"],
        [60, "2"],
        [-60, "1"],
        [660, "1"],
        [120, "NaN"],
        [180, "+Inf"],
        [240, None],
        [300, []],
        [360, {}],
        ["x", "1"],
        [420, "1e400"],
        [480, "9" * 5000],
    )
    (found,) = await reads(peer.url).read("up", 0, 600, 60)
    assert (found.at, found.values) == ([0, 60], [7.5, 2])


async def test_what_it_says_is_one_short_line_of_plain_text(peer: Peer) -> None:
    peer.status = 400
    peer.text = json.dumps({"error": "bad\r\n\x1b[31m\u202e\x00thing " + "x" * 10_000_000})
    error = await refused(peer.url)
    assert "4 MB" in str(error)
    peer.text = json.dumps({"error": "bad\r\n\x1b[31m\u202e\x00thing " + "x" * 100_000})
    error = await refused(peer.url)
    assert str(error).startswith("source main refuses the question: bad [31m thing xxx")
    assert len(str(error)) < 300


@pytest.mark.parametrize("repeated", [SECRET, "dG9jc2luOmNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU="])
async def test_a_credential_that_it_repeats_is_told_to_nobody(
    peer: Peer, tmp_path: Path, repeated: str
) -> None:
    peer.status, peer.text = 400, json.dumps({"error": f"what is {repeated}?"})
    error = await refused(peer.url, user="tocsin", password=kept_secret(tmp_path))
    assert str(error) == "source main refuses the question (it answers 400)"


async def test_a_secret_that_cannot_be_read_is_told_without_asking(peer: Peer, tmp_path: Path) -> None:
    error = await refused(peer.url, token=SecretSource(file=tmp_path / "nosuch"))
    assert str(error).startswith("source main can't be asked, for lack of a credential: ")
    assert peer.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(peer: Peer, status: int) -> None:
    async with serving(Peer()) as elsewhere:
        peer.status, peer.headers = status, {"Location": f"{elsewhere.url}/latest/meta-data/"}
        error = await refused(peer.url)
        assert f"answers {status}, which leads elsewhere, and is not followed" in str(error)
        assert elsewhere.asked == []
    assert len(peer.asked) == 1


async def test_a_proxy_of_the_environment_is_not_used(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Peer()) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert await reads(peer.url).read("up", 0, 600, 60) == []
        assert proxy.asked == []
    assert len(peer.asked) == 1


async def test_an_endless_answer_is_not_read_to_its_end(peer: Peer) -> None:
    peer.endless = True
    error = await refused(peer.url)
    assert str(error) == "source main answers with more than 4 MB: ask for less"
    assert not error.down


@pytest.mark.parametrize("kind", ["prometheus", "graphite"])
@pytest.mark.parametrize("part", ["[],", "{},", '"%d":0,', "0,"])
async def test_an_answer_of_too_many_parts_is_not_taken_apart(peer: Peer, kind: str, part: str) -> None:
    """It is short enough, but all else would stand still while it is read."""
    many = http.MOST_PARTS * (3 if part == "0," else 3 / 2)  # so that its commas alone would be let pass
    some = "".join(part.replace("%d", f"{number}") for number in range(int(many)))
    peer.text = f"{{{some[:-1]}}}" if ":" in part else f"[{some[:-1]}]"
    assert len(peer.text) < http.LONGEST_ANSWER
    error = await refused(peer.url, kind=kind)
    assert str(error) == "source main answers with more than can be read at once: ask for less"
    assert not error.down


@pytest.mark.parametrize("kind", ["prometheus", "graphite"])
async def test_no_answer_is_taken_apart_where_all_else_goes_on(
    peer: Peer, kind: Literal["prometheus", "graphite"], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, really = set[threading.Thread](), json.loads

    def loads(*args: Any, **more: Any) -> Any:
        where.add(threading.current_thread())
        return really(*args, **more)

    monkeypatch.setattr(json, "loads", loads)
    peer.text = "[]" if kind == "graphite" else peer.text
    await server("main", SourceSettings(kind=kind, url=peer.url)).answers()
    await reads(peer.url, kind=kind).read("up", 0, 60, 60)
    assert where
    assert threading.main_thread() not in where


async def test_the_longest_answer_that_is_asked_for_is_read(peer: Peer) -> None:
    """Four weeks of twenty series, each with all its labels."""
    many = range(http.MOST_SERIES)
    labels = {f"label{number}": "http://a.test:80" for number in range(40)}
    values = [[60 * at, f"{at}.123456789"] for at in range(prometheus.MOST_POINTS)]
    result: list[Any] = [{"metric": {**labels, "n": f"{number}"}, "values": values} for number in many]
    peer.text = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})
    found = await reads(peer.url).read("up", 0, 60 * (prometheus.MOST_POINTS - 1), 60)
    assert [len(one.at) for one in found] == [prometheus.MOST_POINTS] * http.MOST_SERIES


async def test_an_answer_that_swells_is_not_unpacked(peer: Peer) -> None:
    peer.text, peer.headers = gzip.compress(b" " * 200_000_000), {"Content-Encoding": "gzip"}
    error = await refused(peer.url)
    assert "something else than Prometheus" in str(error)


async def test_one_that_is_slow_is_left(peer: Peer) -> None:
    peer.waits = asyncio.Event()
    error = await refused(peer.url, answers_within=timedelta(seconds=1))
    assert str(error) == "source main did not answer within 1 s"
    assert error.down
    assert [form["query"] for _, form, _ in peer.asked] == ["up", "1"]


async def test_one_that_is_slow_with_one_question_is_not_down(peer: Peer) -> None:
    peer.waits, peer.heavy = asyncio.Event(), "'up'"
    error = await refused(peer.url, answers_within=timedelta(seconds=1))
    assert str(error) == "source main did not answer within 1 s"
    assert not error.down


async def test_few_questions_are_under_way_at_once(peer: Peer) -> None:
    peer.waits = asyncio.Event()
    source = reads(peer.url)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(source.read(f"up{number}", 0, 600, 60))
        while peer.at_once < http.AT_ONCE:
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        peer.waits.set()
    assert (peer.most_at_once, len(peer.asked)) == (http.AT_ONCE, 20)


async def test_one_that_hangs_up_in_the_middle_is_told() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await refused(f"http://127.0.0.1:{port}")
    assert str(error) == "source main can't be reached: ClientPayloadError"
    assert error.down


async def test_a_host_that_nobody_knows_is_told() -> None:
    error = await refused("http://nosuch.invalid")
    assert str(error) == "source main can't be reached: its host's name is not known"


async def test_where_no_tls_is_spoken_that_is_told(peer: Peer) -> None:
    error = await refused(peer.url.replace("http://", "https://"))
    assert (
        str(error) == "source main can't be reached: no TLS is spoken there: should url begin with http://?"
    )


async def test_a_certificate_is_verified(certificates: Certificates) -> None:
    peer = Peer(text=json.dumps(ANSWER))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", peer.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server_context()).start()
        url = f"https://localhost:{runner.addresses[0][1]}"
        assert await reads(url, tls_ca=certificates.authority).read("up", 0, 600, 60) == []
        error = await refused(url)
        assert "its certificate is not good (" in str(error)
        assert str(error).endswith("tls_ca names who signs it")
        plain = await refused(url.replace("https", "http"))
        assert plain.down
    finally:
        await runner.cleanup()


class Names:
    """What names lead to, as a name server says it that changes its mind: the last answer stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0
        loop = asyncio.get_running_loop()

        async def getaddrinfo(_: str, port: int, **__: Any) -> list[Any]:
            self.asked += 1
            address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            end = (address, port, 0, 0) if ":" in address else (address, port)
            return [(family, socket.SOCK_STREAM, 6, "", end)]

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",  # noqa: S104
        "::",
        "255.255.255.255",
    ],
)
async def test_a_name_that_leads_to_where_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    Names(monkeypatch, address)
    error = await refused("http://metrics.test:9090")
    assert str(error) == (
        f"source main can't be reached: its name leads to {address}, where nothing is asked"
    )


async def test_a_name_that_leads_elsewhere_the_second_time(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer of a name server is relied on: it is the address that is connected to."""
    names = Names(monkeypatch, "127.0.0.1", "169.254.169.254")
    source = reads(peer.url.replace("127.0.0.1", "metrics.test"))
    assert await source.read("up", 0, 600, 60) == []
    with pytest.raises(Unreadable, match="its name leads to 169"):
        await source.read("up", 0, 600, 60)
    assert (names.asked, len(peer.asked)) == (2, 1)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254",
        "http://[fe80::1]:9090",
        "http://[::ffff:169.254.169.254]",
        "http://0.0.0.0:9090",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://user:password@127.0.0.1",
        "http://127.0.0.1/?x",
        "http://127.0.0.1/#x",
        "127.0.0.1:9090",
        "",
    ],
)
def test_an_address_that_is_never_asked_is_refused_in_the_settings(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        SourceSettings("prometheus", url)


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.16689662"])
async def test_an_address_in_disguise_is_seen_for_what_it_is(host: str) -> None:
    error = await refused(f"http://{host}")
    assert str(error).startswith("source main can't be reached: ")
    assert str(error).endswith((" leads to 169.254.169.254, where nothing is asked", " url is no address"))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9090", "http://[::1]:9090", "http://10.0.0.7", "https://x.test/p"]
)
def test_this_machine_and_private_networks_may_be_asked(url: str) -> None:
    assert SourceSettings("prometheus", url).url == url


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"token": SecretSource(env="A"), "password": SecretSource(env="B"), "user": "u"}, "either a token"),
        ({"user": "tocsin"}, "user and password go together"),
        ({"password": SecretSource(env="B")}, "user and password go together"),
        ({"answers_within": timedelta(0)}, "at least 1s"),
        ({"answers_within": timedelta(hours=1)}, "at most 1m"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        SourceSettings("prometheus", "http://127.0.0.1:9090", **settings)
