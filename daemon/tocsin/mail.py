"""Mail, over aiosmtplib: the server that takes it, and how one is handed to it."""

import asyncio
import re
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Literal

import aiosmtplib

from tocsin.config import Secret
from tocsin.errors import NetworkError
from tocsin.tls import tls_context

TAKES_WITHIN = 10
"""So many seconds a server has to take a mail."""

_PORTS = {"tls": 465, "starttls": 587, "none": 25}


@dataclass(frozen=True)
class Smtp:
    """The server that takes mail. tls: "starttls", "tls" from the first byte on, or "none"."""

    host: str
    sender: str
    port: int | None = None
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: Secret | None = None

    def __post_init__(self) -> None:
        if bool(self.user) is not (self.password is not None):
            raise ValueError("user and password go together")
        if self.user and self.tls == "none":
            raise ValueError('a password is never sent without TLS: set tls to "starttls" or "tls"')


def is_mail_address(text: str) -> bool:
    """Whether a text is one mail address, such as `alice@example.org`."""
    return re.fullmatch(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+", text) is not None


async def send_mail(mail: EmailMessage, smtp: Smtp, tls_ca: Path | None = None) -> None:
    """Hand a mail to the server, for whoever stands in its `To`. Raises NetworkError, and ValueError for a secret that can't
    be read.

    tls_ca: who signs the server's certificate, if the system doesn't know them.
    """
    client = aiosmtplib.SMTP(
        hostname=smtp.host,
        port=smtp.port or _PORTS[smtp.tls],
        timeout=TAKES_WITHIN,
        use_tls=smtp.tls == "tls",
        start_tls=smtp.tls == "starttls",
        username=smtp.user or None,
        password=smtp.password.reveal() if smtp.password else None,
        tls_context=None if smtp.tls == "none" else await tls_context(tls_ca),
    )
    try:
        async with asyncio.timeout(TAKES_WITHIN), client:
            await client.send_message(mail)
    except aiosmtplib.SMTPAuthenticationError:
        raise NetworkError(
            "the mail server does not take our password", permanent=True, unsent=True
        ) from None
    except aiosmtplib.SMTPRecipientsRefused as error:
        codes = [refused.code for refused in error.recipients]
        raise _answered(max(codes, default=550)) from None
    except aiosmtplib.SMTPResponseException as error:
        raise _answered(error.code) from None
    except TimeoutError:  # aiosmtplib's own are of that kind too
        raise NetworkError(f"the mail server took more than {TAKES_WITHIN} s") from None
    except aiosmtplib.SMTPConnectError as error:
        raise NetworkError(f"the mail server can't be reached: {type(error).__name__}", unsent=True) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise NetworkError(f"the mail server does not answer: {type(error).__name__}") from None


def _answered(code: int) -> NetworkError:
    """RFC 5321, section 4.2.1: what begins with 5 is not to be tried again as it is."""
    return NetworkError(f"the mail server answers {code}", permanent=code >= 500, unsent=True)
