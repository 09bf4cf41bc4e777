"""Keys: whose ping it is. What is kept in memory of a key is its digest."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tocsin.api import Problem
from tocsin_heartbeats.jobs import Job

SHORTEST_KEY = 16


@dataclass(frozen=True)
class Keys:
    """Job by the digest of its key."""

    jobs: Mapping[bytes, str]

    @classmethod
    def of(cls, jobs: Mapping[str, Job]) -> "Keys":
        """Read all keys. Raises ValueError for one that can't be read."""
        return cls({_digest(job.key.reveal()): name for name, job in jobs.items()})

    def find(self, key: str) -> str | None:
        """Whose it is, or None."""
        return self.jobs.get(_digest(key))


def check_keys(jobs: Mapping[str, Job]) -> Iterator[Problem]:
    """What is wrong with them; one that can't be read is told already."""
    owners = dict[bytes, str]()
    for name, job in jobs.items():
        at = ("jobs", name, "key")
        try:
            key = job.key.reveal()
        except ValueError:
            continue
        if len(key) < SHORTEST_KEY or not key.isascii() or set(key) & set("/?#% "):
            make = "make one with: openssl rand -hex 32"
            yield Problem(
                at,
                f"must be {SHORTEST_KEY} letters, digits or '-' at least, as it is part of an address; {make}",
            )
        if (other := owners.setdefault(_digest(key), name)) != name:
            yield Problem(at, f"is that of {other}, too: give each its own")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
