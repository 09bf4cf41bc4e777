"""Alerts from Alertmanager."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tocsin.api import (
    Config,
    Name,
    Problem,
    Report,
    Route,
    Timer,
    TimerKind,
    Transaction,
    hookimpl,
    report,
    unknown_name,
)
from tocsin_alertmanager.expected import BEGIN, MISSING, Expected, begin, missing, without
from tocsin_alertmanager.payload import read


@dataclass(frozen=True)
class Alertmanager:
    """Takes alerts from Alertmanager's webhook. expects: by name, those that must always fire."""

    expects: Mapping[Name, Expected] = field(default_factory=dict)

    @hookimpl
    def check_settings(self, config: Config) -> Iterable[Problem]:
        if not config.receivers:
            yield Problem((), "nothing may post alerts: add [receivers.NAME] with a token")
        for name, one in self.expects.items():
            at = ("expects", name)
            if one.receiver not in config.receivers:
                yield unknown_name((*at, "receiver"), one.receiver, "no receiver", config.receivers)
            if not one.match.conditions:
                yield Problem(
                    (*at, "match"), "matches every alert, so none would page: name the one that always fires"
                )
            if one.severity and one.severity not in config.severities:
                yield unknown_name((*at, "severity"), one.severity, "no severity", config.severities)

    @hookimpl
    def register_routes(self) -> Iterable[Route]:
        return [Route("", read, self.take)]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        return [TimerKind(MISSING, self._missing), TimerKind(BEGIN, self._begin, at_start=True)]

    def take(self, news: Report, tx: Transaction) -> None:
        """Open, go on with, or close the group that the sender tells of."""
        report(tx, without(self.expects, news, tx))

    def _missing(self, timer: Timer, tx: Transaction) -> None:
        missing(self.expects, timer, tx)

    def _begin(self, _: Timer, tx: Transaction) -> None:
        begin(self.expects, tx)
