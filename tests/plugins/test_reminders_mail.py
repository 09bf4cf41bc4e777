"""Audiences are told by mail, over a real connection to a server."""

from pathlib import Path

import pytest

from tests.engine import Engine
from tests.plugins.mail_parts import PASSWORD, Mailbox, mail_server
from tests.plugins.reminder_parts import WITH, happens, led, told
from tests.servers.certificates import Certificates
from tests.tower import Tower


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", PASSWORD)


def by_mail(box: Mailbox, certificates: Certificates, *more: str) -> list[str]:
    return [
        *WITH,
        f'tls_ca = "{Path(certificates.authority).absolute()}"',
        "[plugins.reminders.smtp]",
        f'host = "localhost"\nport = {box.port}\nsender = "tocsin@tocsin.test"',
        'user = "tocsin"\npassword.env = "A_SECRET"',
        "[plugins.reminders.audiences.execs]",
        'mail = ["ceo@example.org", "cto@example.org"]',
        *more,
    ]


def texts(box: Mailbox, to: str = "ceo@example.org") -> list[str]:
    return [
        f"{mail['Subject']} | {' '.join(mail.get_content().split())}"
        for mail in box.mails
        if mail["To"] == to
    ]


async def said(engine: Engine, text: str) -> None:
    await engine.says("alice", f"!status {text}", room="#ops")


async def test_each_gets_a_mail_of_their_own(tower: Tower, certificates: Certificates) -> None:
    async with mail_server(certificates) as box:
        link = 'link = "https://status.test/{number}"'
        async with tower(*by_mail(box, certificates, link)) as engine:
            number = await led(engine, title="größer\x02 disks: are\tfull")
            await said(engine, "half <b> is back\u202e next 20m")
            await engine.advance(minutes=36)
            await happens(engine, number, "resolve")
        name = "sev2 größer disks: are full"
        expected = [
            "declared | sev2 declared: größer disks: are full \u00b7 next by 05:00 UTC",
            f"declared | {name}: half <b> is back \u00b7 next by 03:20 UTC",
            f"the promised update is late | {name}: the promised update is late; the next one comes as soon as possible",
            f"resolved | {name}: it is over",
        ]
        lines = [f"sev2 incident 1: {line} https://status.test/1" for line in expected]
        assert texts(box, "ceo@example.org") == lines
        assert texts(box, "cto@example.org") == lines
        first = box.mails[0]
        assert first["From"] == "tocsin@tocsin.test"
        assert first["Auto-Submitted"] == "auto-generated"
        assert len({mail["Message-ID"] for mail in box.mails if mail["To"] == "ceo@example.org"}) == 4
        assert {mail["References"] for mail in box.mails} == {"<1.execs@tocsin.test>"}


@pytest.mark.parametrize("crash", [False, True])
async def test_what_no_server_took_is_tried_again_and_told(
    tower: Tower, certificates: Certificates, *, crash: bool
) -> None:
    async with mail_server(certificates) as box:
        box.answer = "451 later"
        async with tower(*by_mail(box, certificates), crash=crash) as engine:
            await led(engine)
            await engine.advance(minutes=2)
            failed = [line for line in told(tower) if "reminders.mail" in line]
            assert failed
            assert all(
                "failed 3 times (the mail server answers 451). It is tried again." in x for x in failed
            )
            await said(engine, "half is back")
        box.mails.clear()
        box.answer = "250 OK"
        async with tower(*by_mail(box, certificates)) as engine:
            await engine.advance(minutes=10)
            assert len(texts(box)) == 1
            assert "half is back" in texts(box)[0]
            await engine.advance(minutes=10)
            assert len(texts(box)) == 1


async def test_what_is_old_by_then_is_not_sent(tower: Tower, certificates: Certificates) -> None:
    async with mail_server(certificates) as box:
        box.answer = "550 nobody"
        async with tower(*by_mail(box, certificates)) as engine:
            number = await led(engine)
            await happens(engine, number, "resolve")
            await engine.advance(hours=25)
            tries = len(box.mails)
            await engine.advance(hours=5)
            assert len(box.mails) == tries
            assert await engine.sql("select count(*) from timers where kind = 'reminders.mail'") == [(0,)]


@pytest.mark.parametrize("drills", [False, True])
async def test_a_drill_is_sent_only_to_who_wants_it(
    tower: Tower, certificates: Certificates, *, drills: bool
) -> None:
    async with mail_server(certificates) as box:
        table = f"drills = {str(drills).lower()}"
        async with tower(*by_mail(box, certificates, table)) as engine:
            await led(engine, "drill sev1")
            await engine.run.settled()
            if not drills:
                assert box.mails == []
            else:
                [mail] = texts(box)
                assert mail.startswith("drill sev1 incident 1: declared | drill sev1 declared: the disks")
