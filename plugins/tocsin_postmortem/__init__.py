"""Postmortem."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Postmortem:
    """Postmortem of incidents."""
