"""What a digest is to people: its id stands for the alerts that it listed when it was said."""

import hashlib
from collections.abc import Sequence

from tocsin.domain.digest import DigestSaid
from tocsin.domain.group import AlertGroup
from tocsin.facts import Facts
from tocsin.store import subjects
from tocsin.transaction import Transaction

DIGEST = "digest"
"""The kind of subject that a digest is."""


def digest_of(groups: Sequence[AlertGroup], tx: Transaction) -> str:
    """The id of the digest that tells these together; one that does so already goes on."""
    ids = sorted(group.id for group in groups)
    key = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    known = subjects.open_for(tx.connection, DIGEST, key)
    subject = known.id if known else tx.open(DIGEST, key)
    said = find_digest(subject, tx)
    # What began anew since then is told for the first time.
    if said is None or any(group.began_at and group.began_at > said.at for group in groups):
        tx.record(DigestSaid(subject=subject, at=tx.now, groups=tuple(group.id for group in groups)))
    return subject


def find_digest(subject: str, facts: Facts) -> DigestSaid | None:
    """What a digest told last, if that is the id of one."""
    for entry in reversed(facts.story(subject, (DigestSaid,))):
        if isinstance(entry.event, DigestSaid):
            return entry.event
    return None


def alerts_of(subject: str, facts: Facts) -> Sequence[AlertGroup] | None:
    """The alerts for which an id stands, if it is that of a digest: none that began since it was said."""
    said = find_digest(subject, facts)
    if said is None:
        return None
    groups = [facts.find_group(one) for one in said.groups]
    return [group for group in groups if group and not (group.began_at and group.began_at > said.at)]
