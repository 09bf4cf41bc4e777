"""Timeline."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timeline:
    """Timeline of incidents."""
