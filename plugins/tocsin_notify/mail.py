"""Rings by mail."""

from email.message import EmailMessage
from email.utils import format_datetime

from tocsin.api import NetworkError, Smtp, send_mail
from tocsin_notify.ring import Ring
from tocsin_notify.settings import Reach, Way


async def send(way: Way, ring: Ring, reach: Reach) -> None:
    """Hand a mail to the server. Raises NetworkError."""
    if reach.smtp is None:
        raise NetworkError("no server for mail is configured", permanent=True, unsent=True)
    await send_mail(_mail(way.smtp, ring, reach.smtp), reach.smtp, reach.tls_ca)


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
