"""A stranger's plugin, installed as a package of its own: what was deployed while an alert is open."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from tocsin.api import BadPayload, Call, Command, Event, Reaction, Route, Transaction, hookimpl, on


@dataclass(frozen=True, kw_only=True)
class DeployLanded(Event):
    kind: ClassVar[str] = "deploys.landed"
    service: str

    def headline(self) -> str:
        return f"{self.service} was deployed"


@dataclass(frozen=True)
class Deploys:
    """Tells of each deploy while an alert is open."""

    services: tuple[str, ...]

    @hookimpl
    def register_events(self) -> Iterable[type[Event]]:
        return [DeployLanded]

    @hookimpl
    def register_routes(self) -> Iterable[Route]:
        return [Route("landed", self.read, self.take)]

    @hookimpl
    def register_reactions(self) -> Iterable[Reaction[Any]]:
        return [on(DeployLanded, self.tell)]

    @hookimpl
    def register_commands(self) -> Iterable[Command]:
        return [Command("deploys ALERT", self.deploys, "what was deployed meanwhile", anyone=True)]

    def read(self, _: str, body: bytes) -> str:
        try:
            service = json.loads(body)["service"]
        except (ValueError, LookupError, TypeError):
            raise BadPayload("no service is named") from None
        if service not in self.services:
            raise BadPayload("service: is none that plugins.deploys.services names")
        return str(service)

    def take(self, service: str, tx: Transaction) -> None:
        for group in tx.open_groups():
            tx.record(DeployLanded(subject=group.id, at=tx.now, service=service))

    def tell(self, event: DeployLanded, tx: Transaction) -> None:
        tx.tell(event.headline(), about=event.subject)

    def deploys(self, call: Call, tx: Transaction) -> str:
        landed = [entry.headline for entry in tx.story(call["ALERT"]) if entry.kind == DeployLanded.kind]
        return "; ".join(landed) or "nothing was deployed"
