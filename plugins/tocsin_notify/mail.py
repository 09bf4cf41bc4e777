"""Rings by mail, over aiosmtplib."""

import asyncio
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from tocsin.api import NetworkError
from tocsin_notify.ring import Ring
from tocsin_notify.settings import Reach, Smtp, Way
from tocsin_notify.tls import context

TAKES_WITHIN = 10
"""So many seconds a server has to take a mail."""

_PORTS = {"tls": 465, "starttls": 587, "none": 25}


async def send(way: Way, ring: Ring, reach: Reach) -> None:
    """Hand a mail to the server. Raises NetworkError."""
    smtp = reach.smtp
    if smtp is None:
        raise NetworkError("no server for mail is configured", permanent=True, unsent=True)
    client = aiosmtplib.SMTP(
        hostname=smtp.host,
        port=smtp.port or _PORTS[smtp.tls],
        timeout=TAKES_WITHIN,
        use_tls=smtp.tls == "tls",
        start_tls=smtp.tls == "starttls",
        username=smtp.user or None,
        password=smtp.password.reveal() if smtp.password else None,
        tls_context=None if smtp.tls == "none" else await context(reach.tls_ca),
    )
    try:
        async with asyncio.timeout(TAKES_WITHIN), client:
            await client.send_message(_mail(way.smtp, ring, smtp))
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


def _mail(to: str, ring: Ring, smtp: Smtp) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = ring.title
    mail["From"] = smtp.sender
    mail["To"] = to
    mail["Date"] = format_datetime(ring.at)
    mail["Message-ID"] = f"<{ring.id}@{smtp.sender.rpartition('@')[2] or 'tocsin.invalid'}>"
    mail["Auto-Submitted"] = "auto-generated"  # so that nobody's holiday answers
    if ring.urgent:
        mail["Importance"] = "high"
        mail["X-Priority"] = "1"
    mail.set_content("\n\n".join(filter(None, [ring.text, *ring.addresses, ring.link])) + "\n")
    return mail
