"""Reminders."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reminders:
    """Reminders of incidents."""
