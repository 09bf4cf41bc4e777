"""Verification: whether metrics are back at their baseline of before the incident, from their own history."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tocsin.api import Name, Source, hookimpl
from tocsin_verification.sources.making import source
from tocsin_verification.sources.probe import ProbeSettings
from tocsin_verification.sources.settings import SourceSettings


@dataclass(frozen=True)
class Verification:
    """Checks that what was broken is as it was before, and stays so.

    sources: where metrics are read, by names of theirs. probes: what is asked for an answer, by names of theirs.
    """

    sources: Mapping[Name, SourceSettings] = field(default_factory=dict)
    probes: Mapping[Name, ProbeSettings] = field(default_factory=dict)

    @hookimpl
    def register_sources(self) -> Mapping[str, Source]:
        return {name: source(name, settings) for name, settings in self.sources.items()}
