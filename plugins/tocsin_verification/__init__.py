"""Verification: whether metrics are back at their baseline of before the incident, from their own history."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verification:
    """Checks that what was broken is as it was before, and stays so."""
