"""A mail server for tests, as strict as real ones: TLS, and a password."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope

from tests.servers.certificates import Certificates

PASSWORD = "correct horse battery"


@dataclass
class Mailbox:
    """What a mail server takes. answers: what it says to a mail."""

    mails: list[EmailMessage] = field(default_factory=list)
    answer: str = "250 OK"
    port: int = 0

    async def handle_DATA(self, _: object, __: object, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's own)
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.answer


@asynccontextmanager
async def mail_server(certificates: Certificates) -> AsyncIterator[Mailbox]:
    """One that takes mail of whoever speaks TLS and knows the password."""
    box = Mailbox()

    def allow(_: object, __: object, ___: object, ____: str, given: Any) -> AuthResult:
        good = (given.login, given.password) == (b"tocsin", PASSWORD.encode())
        return AuthResult(success=good, handled=good)

    def connected() -> SMTP:
        return SMTP(
            box,
            hostname="mail.test",
            tls_context=certificates.server_context(),
            require_starttls=True,
            auth_required=True,
            authenticator=allow,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
