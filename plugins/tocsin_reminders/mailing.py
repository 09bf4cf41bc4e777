"""Audiences are told by mail."""

from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from pathlib import Path

from tocsin.api import NetworkError, Smtp, Timer, Tocsin, Transaction, safe_link, send_mail
from tocsin_reminders.audiences import Audiences, last_told
from tocsin_reminders.events import Moment

TRIED_FOR = timedelta(days=1)
"""What could not be sent for so long is old by then."""


@dataclass(frozen=True)
class Mailing:
    """smtp: the server that takes mail. tls_ca: who signs its certificate, if the system doesn't know them."""

    audiences: Audiences
    smtp: Smtp | None
    tls_ca: Path | None

    async def send(self, timer: Timer, tocsin: Tocsin) -> None:
        """Send an address what its audience was told last: what came before is old. Raises NetworkError."""
        mail = await tocsin.turn(partial(self._due, timer.key))
        if mail is None or self.smtp is None:
            return
        try:
            await send_mail(mail, self.smtp, self.tls_ca)
        except ValueError as error:  # a secret that can't be read
            raise NetworkError(str(error)) from None

    def _due(self, key: str, tx: Transaction) -> EmailMessage | None:
        number, name, address = key.split("/", 2)
        audience, incident = self.audiences.all.get(name), tx.find_incident(number)
        told = last_told(number, name, tx)
        if incident is None or audience is None or told is None or self.smtp is None:
            return None
        if address not in audience.mail or tx.now - told.at > TRIED_FOR:
            return None
        drill = "drill " * incident.drill
        mail = EmailMessage()
        stands = "the promised update is late" if told.moment is Moment.LATE else incident.stands
        mail["Subject"] = f"{drill}{incident.severity} incident {number}: {stands}"
        mail["From"] = self.smtp.sender
        mail["To"] = address
        mail["Date"] = format_datetime(told.at)
        domain = self.smtp.sender.rpartition("@")[2] or "tocsin.invalid"
        mail["Message-ID"] = (
            f"<{number}.{name}.{told.moment}.{told.at:%Y%m%d%H%M%S%f}@{domain}>"  # the same if it is sent again
        )
        mail["References"] = f"<{number}.{name}@{domain}>"  # so that all of one incident stand together
        mail["Auto-Submitted"] = "auto-generated"  # so that nobody's holiday answers
        text = f"{drill}{told.text}".strip()
        mail.set_content("\n\n".join(filter(None, [text, safe_link(audience.link_of(number))])) + "\n")
        return mail
