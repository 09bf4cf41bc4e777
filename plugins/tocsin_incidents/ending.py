"""What somebody says when they end an incident; they are asked why, once, if something speaks against that."""

from dataclasses import dataclass

from tocsin.api import Incident, IncidentReopened, Transaction, bare, doubts_about
from tocsin_incidents.events import EndDoubted

ANYWAY = "anyway"


@dataclass(frozen=True)
class End:
    """cause: as they say it. despite: what speaks against it. because: why it is over all the same. asks: whether that is
    to be asked first.
    """

    cause: str = ""
    despite: str = ""
    because: str = ""
    asks: bool = False

    @classmethod
    def read(cls, incident: Incident, words: str, by: str, tx: Transaction) -> "End":
        """What somebody says behind `!done`: a cause, or `anyway` and the reason.

        Who was asked already is not kept from ending it, whatever they say then.
        """
        despite = doubts_about(incident, tx)
        asked = _was_asked(incident, by, tx)
        if not (despite or asked):
            return cls(cause=words)
        first, _, because = words.partition(" ")
        if bare(first) == ANYWAY:
            return cls(despite=despite, because=because, asks=bool(despite) and not (because or asked))
        return cls(cause=words, despite=despite, asks=bool(despite) and not asked)

    @property
    def told(self) -> str:
        """What everybody is told of it behind how long it took."""
        why = f": {self.because}" if self.because else ""
        return f", all the same{why} ({self.despite})" if self.despite else ""


def ask_why(incident: Incident, despite: str, by: str, tx: Transaction) -> str:
    """Ask somebody why it is over, though this speaks against it."""
    tx.record(EndDoubted(subject=incident.number, at=tx.now, by=by, why=despite))
    command = tx.typed(f"done {incident.number} {ANYWAY} BECAUSE")
    return f"{incident.number} {despite}: why is it over all the same? {command}"


def _was_asked(incident: Incident, person: str, tx: Transaction) -> bool:
    """Whether they were since it began, or was reopened."""
    for entry in reversed(tx.story(incident.number, (EndDoubted, IncidentReopened))):
        match entry.event:
            case IncidentReopened():
                return False
            case EndDoubted(by=by) if by == person:
                return True
    return False
