"""Who may read how Tocsin stands, and in which form it is told."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics

from tocsin import daemon
from tocsin.config import Document, is_loopback
from tocsin.reload import COMMAND_LINE
from tocsin.testing import running

from tests.conftest import MINIMAL
from tests.daemon.measured import asked, measured
from tests.daemon.web_parts import Sender
from tests.engine import Engine, Start
from tests.processes import TOKEN
from tests.servers.programs import program

MINE = "a-token-for-what-is-measured"


# ── Who may read it ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8627"}, 200),
        ({"Host": "[::1]:8627"}, 200),
        ({"Host": "127.0.0.2"}, 200),
        ({"Host": "tocsin.example.org"}, 403),
        ({"Host": "[::"}, 403),
        ({"Host": "2130706433"}, 403),
        ({"X_Forwarded_For": "127.0.0.1"}, 403),
        ({"Forwarded": "for=127.0.0.1"}, 403),
        ({"Via": "1.1 proxy"}, 403),
        ({"X_Real_IP": "127.0.0.1"}, 403),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Authorization": f"Bearer {TOKEN}", "Via": "1.1 proxy"}, 403),
    ],
)
async def test_without_a_token_this_machine_alone_may_read_it(
    start: Start, headers: dict[str, str], status: int
) -> None:
    async with start() as engine:
        found, text, _ = await asked(engine, **headers)
    assert found == status
    assert ("tocsin_build_info" in text) is (status == 200)
    if status == 403:
        assert text == (
            "without a token metrics are for this machine alone: set token in [metrics] and send that\n"
        )


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost"])
def test_who_is_on_this_machine(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address", ["", "192.0.2.1", "::ffff:192.0.2.1", "fe80::1%eth0", "localhost.example.org", "0.0.0.1", "::"]
)
def test_who_is_elsewhere(address: str) -> None:
    assert not is_loopback(address)


@pytest.fixture
def with_token(write_config: Callable[..., Path], tmp_path: Path) -> Start:
    (tmp_path / "metrics.token").write_text(MINE + "\n")
    (tmp_path / "metrics.token").chmod(0o600)
    text = MINIMAL.replace("[networks", '[metrics]\ntoken.file = "metrics.token"\n[networks', 1)
    config = daemon.prepare(Document.open(write_config(text))).config
    return Start(config, tmp_path / "state")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": f"Bearer {MINE}"}, 200),
        (
            {"Authorization": f"bearer  {MINE} ", "X_Forwarded_For": "192.0.2.1", "Host": "tocsin.example"},
            200,
        ),
        ({}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 401),
        ({"Authorization": f"Basic {MINE}"}, 401),
        ({"Authorization": MINE}, 401),
        ({"Authorization": f"Bearer {MINE}x"}, 401),
    ],
)
async def test_with_a_token_whoever_has_it_may_read_it_and_nobody_else(
    with_token: Start, headers: dict[str, str], status: int
) -> None:
    async with with_token() as engine:
        found, text, answered = await asked(engine, **headers)
    assert found == status
    assert ("tocsin_build_info" in text) is (status == 200)
    if status == 401:
        assert text.startswith("the token is missing or wrong: send 'Authorization: Bearer TOKEN'")
        assert answered["WWW-Authenticate"] == "Bearer"


async def test_a_rotated_token_holds_from_the_reload_on(with_token: Start, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('web.listen = "127.0.0.1:0"\n' + path.read_text())
    config = daemon.prepare(Document.open(path)).config
    async with running(
        config, tmp_path / "state", networks={"console": with_token.chat}, clock=with_token.clock, path=path
    ) as run:
        engine = Engine(run, with_token.chat)
        new = "another-token-for-the-same"
        (tmp_path / "metrics.token").write_text(new)
        reading = await run.daemon.reload.again(run.tocsin, COMMAND_LINE)
        assert list(reading.changed) == ["metrics.token"]
        assert (await asked(engine, Authorization=f"Bearer {MINE}"))[0] == 401
        found = await measured(engine, Authorization=f"Bearer {new}")
        assert found("config_reloads_total", outcome="ok") == 1
        assert found("config_last_reload_successful") == 1
        path.write_text(path.read_text() + "nonsense = 1\n")
        await run.daemon.reload.again(run.tocsin, COMMAND_LINE)
        found = await measured(engine, Authorization=f"Bearer {new}")
    assert found("config_reloads_total", outcome="failed") == 1
    assert found("config_last_reload_successful") == 0


async def test_what_strangers_say_is_no_label(sender: Sender) -> None:
    for path in ("/hooks/post/evil-receiver", "/hooks/evil-plugin/prod"):
        await sender.posts(path=path, proof="Bearer wrong")
    await sender.posts(b"EvilAlert")
    status, text, _ = await asked(sender.engine)
    assert status == 200
    assert "vil" not in text
    found = await measured(sender.engine)
    assert found("posts_total", receiver="-", code="401") == 1
    assert found("posts_total", receiver="prod", code="401") == 1
    assert "alice" not in text


# ── Its form ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_prometheus_takes_it_in_both_forms(sender: Sender) -> None:
    await sender.posts()
    _, plain, headers = await asked(sender.engine)
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    check = subprocess.run(
        [program("promtool", "prometheus"), "check", "metrics"],
        input=plain,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (check.returncode, check.stdout + check.stderr) == (0, "")
    accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    _, text, headers = await asked(sender.engine, Accept=accept)
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    families = open_metrics(text)  # type: ignore[no-untyped-call]
    assert {family.name for family in families} >= {"tocsin_pages", "tocsin_network_up"}


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text; version=x", "*/*", ",;=,", "text/plain;version=9"]
)
async def test_whatever_is_asked_for_is_answered(start: Start, accept: str) -> None:
    async with start() as engine:
        assert (await asked(engine, Accept=accept))[0] == 200
        assert (await asked(engine, "HEAD"))[:2] == (200, "")
        assert (await asked(engine, "POST"))[0] == 405


async def test_all_who_ask_at_once_are_answered(start: Start) -> None:
    async with start() as engine:
        answers = await asyncio.gather(*(asked(engine) for _ in range(20)))
    assert {status for status, _, _ in answers} == {200}
