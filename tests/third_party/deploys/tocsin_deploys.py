"""A stranger's plugin, installed as a package of its own."""

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.api import Config, Duration, Problem, Secret, hookimpl


@dataclass(frozen=True)
class Deploys:
    """Tells the room of each deploy."""

    services: tuple[str, ...]
    quiet_for: Duration | None = None
    key: Secret | None = None

    @hookimpl
    def check_settings(self, config: Config) -> Iterable[Problem]:
        if not config.teams:
            yield Problem(("services",), "no team will be told", fatal=False)
