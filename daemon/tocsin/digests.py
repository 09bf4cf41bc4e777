"""What a digest is to people: its id stands for the alerts that it listed when it was said."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.domain.digest import DIGEST, DigestSaid
from tocsin.domain.group import AlertGroup, GroupReopened
from tocsin.facts import Facts
from tocsin.store import subjects
from tocsin.transaction import Transaction


@dataclass(frozen=True)
class Said:
    """What a digest told last. seq: where that stands in the journal."""

    event: DigestSaid
    seq: int

    def knows(self, group: AlertGroup, facts: Facts) -> bool:
        """Whether the group did not begin anew since. The clock may have been set; the journal's order is sure."""
        return group.began_at == group.opened_at or not facts.story(
            group.id, (GroupReopened,), after=self.seq
        )


def digest_of(groups: Sequence[AlertGroup], tx: Transaction) -> str:
    """The id of the digest that tells these together; one that does so already goes on."""
    ids = sorted(group.id for group in groups)
    key = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    known = subjects.open_for(tx.connection, DIGEST, key)
    subject = known.id if known else tx.open(DIGEST, key)
    said = find_digest(subject, tx)
    # What began anew since then is told for the first time.
    if said is None or not all(said.knows(group, tx) for group in groups):
        tx.record(DigestSaid(subject=subject, at=tx.now, groups=tuple(group.id for group in groups)))
    return subject


def find_digest(subject: str, facts: Facts) -> Said | None:
    """What a digest told last, if that is the id of one."""
    for entry in reversed(facts.story(subject, (DigestSaid,))):
        if isinstance(entry.event, DigestSaid):
            return Said(entry.event, entry.seq)
    return None


def alerts_of(subject: str, facts: Facts) -> Sequence[AlertGroup] | None:
    """The alerts for which an id stands, if it is that of a digest: none that began since it was said."""
    said = find_digest(subject, facts)
    if said is None:
        return None
    groups = [facts.find_group(one) for one in said.event.groups]
    return [group for group in groups if group and said.knows(group, facts)]
