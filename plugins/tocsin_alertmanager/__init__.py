"""Alerts from Alertmanager."""

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.api import Config, Problem, Report, Route, Transaction, hookimpl, report
from tocsin_alertmanager.payload import read


@dataclass(frozen=True)
class Alertmanager:
    """Takes alerts from Alertmanager's webhook."""

    @hookimpl
    def check_settings(self, config: Config) -> Iterable[Problem]:
        if not config.receivers:
            yield Problem((), "nothing may post alerts: add [receivers.NAME] with a token")

    @hookimpl
    def register_routes(self) -> Iterable[Route]:
        return [Route("", read, self.take)]

    def take(self, news: Report, tx: Transaction) -> None:
        """Open, go on with, or close the group that the sender tells of."""
        report(tx, news)
