"""Alerts from Alertmanager."""

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.api import Config, Problem, hookimpl


@dataclass(frozen=True)
class Alertmanager:
    """Takes alerts from Alertmanager's webhook."""

    @hookimpl
    def check_settings(self, config: Config) -> Iterable[Problem]:
        if not config.receivers:
            yield Problem((), "nothing may post alerts: add [receivers.NAME] with a token")
