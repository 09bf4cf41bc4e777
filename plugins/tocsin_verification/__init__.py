"""Verification: whether metrics are back at their baseline of before the incident, from their own history."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from tocsin.api import (
    AlertsAttached,
    AllClearGiven,
    Command,
    Config,
    Doubt,
    Duration,
    Event,
    GroupReopened,
    GroupResolved,
    IncidentDeclared,
    IncidentMitigated,
    IncidentReopened,
    IncidentResolved,
    Name,
    Problem,
    Reaction,
    Section,
    Source,
    TimerKind,
    hookimpl,
    on,
    spelled,
    unknown_name,
)
from tocsin_verification import closing, events, relapse, reporters
from tocsin_verification.adding import Adding
from tocsin_verification.asking import VERIFY, Asking
from tocsin_verification.checks import Check
from tocsin_verification.expressions import compared
from tocsin_verification.relapse import Alerts, Watch
from tocsin_verification.sources.making import source
from tocsin_verification.sources.probe import ProbeSettings
from tocsin_verification.sources.settings import SourceSettings
from tocsin_verification.trials import TRY, Trials
from tocsin_verification.watching import ANSWER, LOOK, RESUME, Watching

SHORTEST, LONGEST = timedelta(seconds=15), timedelta(minutes=10)


@dataclass(frozen=True)
class Verification:
    """Checks that what was broken is as it was before, and stays so.

    every: how often the checks of an incident are looked at. watch: how long after its end a relapse is one, and opens it
    again; watch_unexplained: the same as long as its cause is not known. sources: where metrics are read; probes: what is
    asked for an answer; checks: what is looked at; each by names of theirs. own_alerts: what an alert watches itself is a check
    of its incident. receivers: at which source the expressions of a receiver's alerts are read; the only Prometheus where
    that isn't said.
    """

    sources: Mapping[Name, SourceSettings] = field(default_factory=dict)
    probes: Mapping[Name, ProbeSettings] = field(default_factory=dict)
    checks: Mapping[Name, Check] = field(default_factory=dict)
    every: Duration = timedelta(minutes=1)
    watch: Duration = timedelta(hours=1)
    watch_unexplained: Duration = timedelta(hours=4)
    own_alerts: bool = True
    receivers: Mapping[Name, Name] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not SHORTEST <= self.every <= LONGEST:
            raise ValueError(f"every must be at least {spelled(SHORTEST)}, and at most {spelled(LONGEST)}")
        self._watch.check()

    @property
    def _watch(self) -> Watch:
        return Watch(self.watch, self.watch_unexplained)

    @cached_property
    def _watching(self) -> Watching:
        """One for all hooks: it remembers what was read."""
        own = self._own if self.own_alerts else {}
        adding = Adding(self.checks, tuple(self.sources), own, self._prometheus)
        return Watching(self.every, adding, self._watch.until, self.probes)

    @property
    def _trials(self) -> Trials:
        return Trials(self.sources, self.probes)

    @property
    def _prometheus(self) -> Sequence[str]:
        return [name for name, one in self.sources.items() if one.kind == "prometheus"]

    @property
    def _own(self) -> Mapping[str, str]:
        """Where the expressions of alerts are read, by receiver; empty for all others."""
        prometheus = self._prometheus
        return {**({"": prometheus[0]} if len(prometheus) == 1 else {}), **self.receivers}

    @hookimpl
    def check_settings(self, config: Config) -> Iterable[Problem]:
        for receiver, name in self.receivers.items():
            if receiver not in config.receivers:
                yield unknown_name(("receivers", receiver), receiver, "no receiver", config.receivers)
            if name not in self.sources:
                found = unknown_name(("receivers", receiver), name, "no source", self.sources)
                yield replace(found, fatal=False)  # another plugin may bring it
        if self._watch.longest and "escalation" not in config.plugins:
            why = "who led is paged for a relapse by the plugin escalation: add [plugins.escalation]"
            yield Problem(("watch",), why, fatal=False)
        for name, check in self.checks.items():
            if check.probe and check.probe not in self.probes:
                yield unknown_name(("checks", name, "probe"), check.probe, "no probe", self.probes)
            if check.source and check.source not in self.sources:
                found = unknown_name(("checks", name, "source"), check.source, "no source", self.sources)
                yield replace(found, fatal=False)  # another plugin may bring it
            elif check.expression and not check.source and len(self.sources) > 1:
                yield Problem(("checks", name), "says no source, and there are several: add source = \u2026")

            read_at = check.source or "".join(self.sources if len(self.sources) == 1 else ())
            if read_at in self._prometheus and (measured := compared(check.expression)):
                why = f"a comparison gives no data while all is well: write {measured!r}"
                yield Problem(("checks", name, "expression"), why, fatal=False)

    @hookimpl
    def register_sources(self) -> Mapping[str, Source]:
        return {name: source(name, settings) for name, settings in self.sources.items()}

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return (*events.EVENTS, *reporters.EVENTS)

    @hookimpl
    def register_reactions(self) -> Iterable[Reaction[Any]]:
        watching, alerts = self._watching, Alerts(self._watch)
        return [
            on(IncidentDeclared, watching.declared),
            on(AlertsAttached, watching.attached),
            on(IncidentMitigated, watching.mitigated),
            on(IncidentReopened, watching.reopened),
            on(IncidentResolved, watching.over),
            on(IncidentResolved, relapse.settle),
            on(AllClearGiven, reporters.cleared),
            *(on(kind, alerts.fires, early=True) for kind in relapse.FIRES),
            on(GroupResolved, watching.resolved),
            on(GroupReopened, watching.fires_again),
        ]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        watching = self._watching
        return [
            TimerKind(LOOK, watching.look),
            TimerKind(ANSWER, watching.answer),
            TimerKind(RESUME, watching.resume, at_start=True),
            TimerKind(relapse.PAGE, relapse.page),
            TimerKind(reporters.ASK, reporters.ask),
            TimerKind(TRY, self._trials.run, at_start=True),
        ]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        return [
            Command(
                VERIFY,
                Asking(self._watching).verify,
                "whether it is over, by its metrics",
                often=True,
                grammar="verify [WORDS\u2026]",
            ),
            Command("sources", self._trials.ask, "whether metrics can be read"),
            Command(
                reporters.REPORTER,
                reporters.reporter,
                "who reported it, and is asked whether it is over",
                also=("reporters",),
                grammar="reporter [WORDS\u2026]",
            ),
            Command(
                reporters.CONFIRM,
                reporters.confirm,
                "it is over for me, who reported it",
                anyone=True,
                also=("confirmed",),
                grammar="confirm [WORDS\u2026]",
            ),
        ]

    @hookimpl
    def register_doubts(self) -> Iterable[Doubt]:
        return [Doubt(closing.why_not_over)]

    @hookimpl
    def postmortem_sections(self) -> Iterable[Section]:
        return [Section(closing.TITLE, closing.ORDER, closing.evidence)]
