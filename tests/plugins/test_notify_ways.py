"""The ways themselves, each with a real peer: webhooks with TLS, a mail server, programs, Apprise."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tocsin.api import Smtp
from tocsin.config.values import SecretSource
from tocsin.domain.alert import Alert
from tocsin_notify import long_tail
from tocsin_notify.settings import Way

from tests.engine import Engine, Start, fires
from tests.plugins.mail_parts import PASSWORD, Mailbox, mail_server
from tests.plugins.notify_parts import PUBLIC, Sink, alice, notifying, pages, served
from tests.processes import PATIENCE
from tests.servers.certificates import Certificates

SECRET = SecretSource(env="A_SECRET")

by_apprise = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # its own import


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", PASSWORD)


async def rows(engine: Engine) -> list[str]:
    """What is told of ringing in an alert's story."""
    found = await engine.sql("select headline from events where kind = 'notify.rang'")
    return [row[0] for row in found]


async def test_a_webhook_gets_json(start: Start, gateway: Sink) -> None:
    way = Way(webhook=f"{gateway.url}/call?to=alice", headers={"X-Api-Key": SECRET})
    async with start(notifying(alice({"call": way}))) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject)
        (heard,) = gateway.heard
        urls = {name: heard.body.pop(name) for name in ("ack_url", "escalate_url")}
        assert heard.body.pop("id")
        assert heard.body == {
            "person": "alice",
            "text": f"{subject} critical DiskFull db1: 97 % of / used",
            "urgent": True,
        }
        assert urls["ack_url"].startswith(f"{PUBLIC}/act/ack.alice.call.{subject}.")
        assert urls["escalate_url"].startswith(f"{PUBLIC}/act/up.alice.call.{subject}.")
        assert heard.headers["X-Api-Key"] == PASSWORD


async def test_a_webhook_by_basic_auth(start: Start, gateway: Sink) -> None:
    way = Way(webhook=gateway.url, user="AC1", password=SECRET, form={"Body": "{text}"})
    async with start(notifying(alice({"sms": way}))) as engine:
        await pages(engine, await engine.report(fires()))
        assert gateway.heard[0].headers["Authorization"] == "Basic QUMxOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ=="


async def test_without_an_address_of_ours_there_are_no_buttons(start: Start, gateway: Sink) -> None:
    async with start(notifying(alice({"call": Way(webhook=gateway.url)}, public_url=""))) as engine:
        await pages(engine, await engine.report(fires()))
        assert (gateway.heard[0].body["ack_url"], gateway.heard[0].body["escalate_url"]) == ("", "")


@pytest.mark.parametrize(
    ("certificate", "told"),
    [("server", "rings"), ("wrong_host", "does not ring: webhook can't be reached: ")],
)
async def test_a_certificate_is_verified(
    start: Start, certificates: Certificates, certificate: str, told: str
) -> None:
    context = certificates.server_context(getattr(certificates, certificate))
    sink = Sink(start.clock)
    async with served(sink, tls=context):
        notify = alice({"call": Way(webhook=sink.url)}, tls_ca=certificates.authority)
        async with start(notifying(notify)) as engine:
            await pages(engine, await engine.report(fires()))
            assert [row.startswith(f"call of alice {told}") for row in await rows(engine)] == [True]
            assert bool(sink.heard) is (certificate == "server")


async def test_a_server_that_is_not_there(start: Start) -> None:
    async with start(notifying(alice({"call": Way(webhook="http://127.0.0.1:1/")}))) as engine:
        await pages(engine, await engine.report(fires()))
        assert await rows(engine) == [
            "call of alice does not ring: webhook can't be reached: ClientConnectorError"
        ]


async def test_a_secret_that_is_gone_is_said(
    start: Start, gateway: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("A_SECRET")
    async with start(notifying(alice({"call": Way(webhook=gateway.url, token=SECRET)}))) as engine:
        await pages(engine, await engine.report(fires()))
        assert await rows(engine) == [
            "call of alice does not ring: the environment variable 'A_SECRET' is not set"
        ]


async def test_a_program_gets_it_on_its_standard_input(start: Start, tmp_path: Path) -> None:
    program = tmp_path / "ring"
    program.write_text(f'#!/bin/sh\ncat >{tmp_path}/heard; echo "$1" >>{tmp_path}/heard\n')
    program.chmod(0o755)
    async with start(notifying(alice({"siren": Way(command=(str(program), "alice"))}))) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject)
        first, ack, up, argument = (tmp_path / "heard").read_text().splitlines()
        assert first == f"{subject} critical DiskFull db1: 97 % of / used"
        assert ack.startswith(f"Ack: {PUBLIC}/act/ack.alice.siren.{subject}.")
        assert up.startswith(f"Escalate: {PUBLIC}/act/up.alice.siren.{subject}.")
        assert argument == "alice"


async def test_a_program_that_fails_has_not_rung(start: Start, tmp_path: Path) -> None:
    program = tmp_path / "ring"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    async with start(notifying(alice({"siren": Way(command=(str(program),))}))) as engine:
        await pages(engine, await engine.report(fires()))
        assert await rows(engine) == [f"siren of alice does not ring: {program}: exit code 3"]


def by_mail(box: Mailbox, certificates: Certificates, **more: Any) -> Any:
    """Alice by mail."""
    smtp = Smtp("localhost", "tocsin@tocsin.test", box.port, user="tocsin", password=SECRET)
    return alice({"mail": Way(smtp="alice@example.org")}, smtp=smtp, tls_ca=certificates.authority, **more)


async def test_a_mail(start: Start, certificates: Certificates) -> None:
    async with mail_server(certificates) as box:
        odd = Alert("odd", {"alertname": "Disk\r\nBcc: eve@example.org", "severity": "critical"}, "größer")
        async with start(notifying(by_mail(box, certificates))) as engine:
            subject = await engine.report(fires(odd))
            await pages(engine, subject)
            assert await rows(engine) == ["mail of alice rings"]
        (mail,) = box.mails
        assert mail["Subject"] == f"{subject} critical Disk Bcc: eve@example.org"
        assert mail["Bcc"] is None
        assert (mail["To"], mail["From"]) == ("alice@example.org", "tocsin@tocsin.test")
        assert (mail["Auto-Submitted"], mail["Importance"]) == ("auto-generated", "high")
        assert mail["Date"].datetime.isoformat() == "2026-11-21T03:00:00+00:00"
        text = mail.get_content().replace("\r\n", "\n")
        assert text.startswith(
            "critical Disk Bcc: eve@example.org: größer\n\nAck: https://tocsin.test/base/act/ack."
        )
        assert f"Escalate: {PUBLIC}/act/up." in text


async def test_a_mail_server_that_knows_us_not(
    start: Start, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "another")
    async with mail_server(certificates) as box, start(notifying(by_mail(box, certificates))) as engine:
        await pages(engine, await engine.report(fires()))
        assert await rows(engine) == [
            "mail of alice does not ring: the mail server does not take our password"
        ]


@pytest.mark.parametrize(("answer", "tries"), [("550 no such user", 1), ("451 later", 4)])
async def test_a_mail_that_is_not_taken(
    start: Start, certificates: Certificates, answer: str, tries: int
) -> None:
    async with mail_server(certificates) as box:
        box.answer = answer
        async with start(notifying(by_mail(box, certificates))) as engine:
            await pages(engine, await engine.report(fires()), urgent=False)
            await engine.advance(minutes=3, seconds=30)
            assert len(box.mails) == tries
            assert await rows(engine) == [
                f"mail of alice does not ring: the mail server answers {answer[:3]}"
            ]


async def test_a_mail_server_of_somebody_else_gets_no_password(
    start: Start, certificates: Certificates
) -> None:
    async with mail_server(certificates) as box:
        notify = alice(
            {"mail": Way(smtp="alice@example.org")},
            smtp=Smtp("localhost", "tocsin@tocsin.test", box.port, user="tocsin", password=SECRET),
        )
        async with start(notifying(notify)) as engine:
            await pages(engine, await engine.report(fires()))
            assert box.mails == []
            assert len(await rows(engine)) == 1


@by_apprise
async def test_apprise_carries_the_long_tail(start: Start, gateway: Sink, tmp_path: Path) -> None:
    host = gateway.url.removeprefix("http://")
    async with start(notifying(alice({"signal": apprise(f"json://{host}/x", tmp_path)}))) as engine:
        subject = await engine.report(fires())
        await pages(engine, subject)
        (heard,) = gateway.heard
        assert heard.body["title"] == f"{subject} critical DiskFull"
        first, ack, _ = heard.body["message"].splitlines()
        assert first == "critical DiskFull db1: 97 % of / used"
        assert ack.startswith(f"Ack: {PUBLIC}/act/ack.")
        assert await rows(engine) == ["signal of alice rings"]


def apprise(url: str, folder: Path) -> Way:
    file = folder / "apprise"
    file.write_text(url)
    file.chmod(0o600)
    return Way(apprise=SecretSource(file=file))


@by_apprise
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("json://127.0.0.1:1/", "apprise could not hand it over"),
        ("nosuch://x", "apprise knows no service with that address"),
    ],
)
async def test_what_apprise_can_not_do(start: Start, tmp_path: Path, url: str, why: str) -> None:
    async with start(notifying(alice({"signal": apprise(url, tmp_path)}))) as engine:
        await pages(engine, await engine.report(fires()))
        assert await rows(engine) == [f"signal of alice does not ring: {why}"]


@by_apprise
async def test_a_service_that_hangs_is_not_asked_again_and_holds_up_nobody(
    start: Start, gateway: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_tail, "TAKES_WITHIN", 0.2)
    goes_on = asyncio.Event()

    async def hangs(_: web.Request) -> web.StreamResponse:
        await goes_on.wait()
        return web.Response()

    stuck = Sink(start.clock, answers=[hangs])
    async with served(stuck):
        host = stuck.url.removeprefix("http://")
        ways = {"signal": apprise(f"json://{host}/x", tmp_path), "call": Way(webhook=gateway.url)}
        async with start(notifying(alice(ways))) as engine:
            await pages(engine, await engine.report(fires()))
            await engine.advance(seconds=11)
            kept = await engine.sql("select body from events where kind = 'notify.sent'")
        whys = [json.loads(body)["why"] for (body,) in kept]
        assert sorted(whys) == [
            "",
            "apprise still hangs with the one before",
            "apprise took more than 0.2 s",
        ]
        goes_on.set()
        async with asyncio.timeout(PATIENCE):
            while long_tail._busy:  # noqa: SLF001 (else its thread outlives the test)
                await asyncio.sleep(0.001)
