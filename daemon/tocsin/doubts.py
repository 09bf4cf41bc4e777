"""What speaks against it when somebody says that an incident is over: whoever does is asked, once."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tocsin.domain.incident import Incident
from tocsin.transaction import Transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Doubt:
    """Asked whenever an incident is to be resolved.

    why: gets the incident and the turn, in which it changes nothing; what speaks against it, in one line, or nothing.
    """

    why: Callable[[Incident, Transaction], str]


@dataclass(frozen=True)
class Doubts:
    """All that there are, each with the name of its plugin."""

    declared: Sequence[tuple[str, Doubt]] = ()


def doubts_about(incident: Incident, tx: Transaction) -> str:
    """What speaks against it that an incident is over, in one line; empty if nothing does.

    One that fails keeps nobody from saying that it is.
    """
    found = []
    for owner, doubt in tx.rules.of(Doubts).declared:
        try:
            found.append(doubt.why(incident, tx))
        except Exception:
            log.exception("%s: whether %s is over can't be told", owner, incident.number)
    return "; ".join(filter(None, found))
