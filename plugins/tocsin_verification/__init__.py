"""Verification: whether metrics are back at their baseline of before the incident, from their own history."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tocsin.api import Command, Name, Source, TimerKind, hookimpl
from tocsin_verification.sources.making import source
from tocsin_verification.sources.probe import ProbeSettings
from tocsin_verification.sources.settings import SourceSettings
from tocsin_verification.trials import TRY, Trials


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

    @property
    def _trials(self) -> Trials:
        return Trials(self.sources, self.probes)

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        return [Command("sources", self._trials.ask, "whether metrics can be read")]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        return [TimerKind(TRY, self._trials.run, at_start=True)]
