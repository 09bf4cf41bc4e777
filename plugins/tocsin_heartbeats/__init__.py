"""Heartbeats of others: jobs ping when they end, and one that does not in time is an alert."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tocsin.api import Config, Name, Ping, Problem, Timer, TimerKind, Transaction, hookimpl
from tocsin_heartbeats.jobs import BEGIN, MISSED, OVERRAN, Job, begin, missed, overran, pinged
from tocsin_heartbeats.keys import Keys, check_keys


@dataclass(frozen=True)
class Heartbeats:
    """Takes pings at `/ping/KEY`. jobs: by name, who pings."""

    jobs: Mapping[Name, Job] = field(default_factory=dict)

    @hookimpl
    def check_settings(self, config: Config) -> Iterator[Problem]:
        yield from check_keys(self.jobs)
        for name, job in self.jobs.items():
            if job.severity and job.severity not in config.severities:
                known = ", ".join(config.severities)
                text = f"is none of the severities that there are: {known}"
                yield Problem(("jobs", name, "severity"), text)
            if job.every <= timedelta(0):
                yield Problem(("jobs", name, "every"), "must be longer than nothing")

    @hookimpl
    def register_pings(self) -> Iterable[Ping]:
        return [Ping("ping", Keys.of(self.jobs).find, self._take)]

    @hookimpl
    def register_timers(self) -> Iterable[TimerKind]:
        return [
            TimerKind(MISSED, self._missed),
            TimerKind(OVERRAN, self._overran),
            TimerKind(BEGIN, self._begin, at_start=True),
        ]

    def _take(self, name: str, word: str, sent: str, tx: Transaction) -> None:
        pinged(name, self.jobs[name], word, sent, tx)

    def _missed(self, timer: Timer, tx: Transaction) -> None:
        missed(self.jobs, timer, tx)

    def _overran(self, timer: Timer, tx: Transaction) -> None:
        overran(self.jobs, timer.key, tx)

    def _begin(self, _: Timer, tx: Transaction) -> None:
        begin(self.jobs, tx)
