"""Incidents: declared in a line, led by somebody, talked about in one place, and closed in two steps."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tocsin.api import Command, GroupOpened, GroupReopened, Reaction, hookimpl, on
from tocsin_incidents import showing
from tocsin_incidents.declaring import DECLARE, Declaring
from tocsin_incidents.settings import Rule, Severity


@dataclass(frozen=True)
class Incidents:
    """Lets people declare and conduct incidents.

    default: how severe one is as long as nobody says. rules: which alerts are one from the moment at which they fire.
    """

    default: Severity = "sev3"
    rules: tuple[Rule, ...] = ()

    @property
    def _declaring(self) -> Declaring:
        return Declaring(self.default, self.rules)

    @hookimpl
    def register_reactions(self) -> Iterable[Reaction[Any]]:
        declaring = self._declaring
        return [on(GroupOpened, declaring.fired), on(GroupReopened, declaring.fired)]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        return [
            Command(
                DECLARE,
                self._declaring.declare,
                "this is an incident",
                often=True,
                expires=True,
                grammar="declare [WORDS\u2026]",
            ),
            Command("incidents", showing.incidents, "which are open", anyone=True, often=True),
            Command(
                "incident [INCIDENT]",
                showing.show,
                "how one stands",
                anyone=True,
                grammar="incident [WORDS\u2026]",
            ),
            Command(
                "catchup [INCIDENT]",
                showing.catch_up,
                "what you missed",
                also=("catch-up",),
                grammar="catchup [WORDS\u2026]",
            ),
        ]
