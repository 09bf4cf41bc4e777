"""What a button claims: who does what by it, to which alert, and until when. The signature around it is the core's."""

import secrets
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from tocsin.api import AlertGroup, Transaction

PATH = "act"

ACK = "ack"
ESCALATE = "up"
CONFIRM = "confirm"

GOOD_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Claim:
    """What is signed; each part is plain letters, so that a point parts them.

    action: one of the above. way: by which it was sent. subject: the alert's id, or that of a digest of several; of a
    test its number. generation: which opening of it, so that what fires again later is not answered by it.
    """

    action: str
    person: str
    way: str
    subject: str
    generation: str
    expires: str
    nonce: str

    @classmethod
    def new(
        cls,
        action: str,
        person: str,
        way: str,
        subject: str,
        *,
        groups: Sequence[AlertGroup] = (),
        now: datetime,
    ) -> Self:
        """One that is good from now on. groups: for which the subject stands."""
        expires = f"{int((now + GOOD_FOR).timestamp()):x}"
        return cls(action, person, way, subject, generation(groups), expires, secrets.token_hex(4))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `signed` wrote. Raises ValueError for what an older Tocsin may have written."""
        parts = text.split(".")
        if len(parts) != 7 or parts[0] not in (ACK, ESCALATE, CONFIRM):
            raise ValueError("it has other parts")
        return cls(*parts)

    def signed(self, tx: Transaction) -> str:
        """As it stands in an address."""
        return tx.signed(PATH, ".".join(astuple(self)))

    def over(self, now: datetime) -> bool:
        """Whether it is too old."""
        return now >= datetime.fromtimestamp(int(self.expires, 16), UTC)


def generation(groups: Sequence[AlertGroup]) -> str:
    """Which opening of these it is: when the last of them began."""
    began = max((group.began_at for group in groups if group.began_at), default=None)
    return f"{int(began.timestamp() * 1000):x}" if began else "0"
