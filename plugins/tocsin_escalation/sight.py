"""What is asked about people when a step comes: a turn answers as of now, and for what is only imagined one of these does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, TypeVar

from tocsin.api import Config, Event, Place, Responder, Shift, Transaction

E = TypeVar("E", bound=Event)


class Sight(Protocol):
    """As a `Transaction` answers."""

    @property
    def now(self) -> datetime: ...

    @property
    def config(self) -> Config: ...

    def callees(self, name: str) -> Sequence[str]: ...

    def shifts(self, schedule: str, since: datetime, until: datetime) -> Iterator[Shift]: ...

    def rooms(self, name: str) -> list[Place]: ...

    def person(self, name: str) -> Responder: ...

    def private_places(self, person: str) -> list[Place]: ...

    def reaches(self, place: Place) -> bool: ...

    def last(self, subject: str, kind: type[E]) -> E | None: ...


@dataclass(frozen=True)
class Imagined:
    """As a turn would answer at another time; who is online then nobody knows."""

    tx: Transaction
    now: datetime

    def at(self, now: datetime) -> "Imagined":
        return replace(self, now=now)

    @property
    def config(self) -> Config:
        return self.tx.config

    def callees(self, name: str) -> Sequence[str]:
        return self.tx.callees(name, self.now)

    def shifts(self, schedule: str, since: datetime, until: datetime) -> Iterator[Shift]:
        return self.tx.shifts(schedule, since, until)

    def rooms(self, name: str) -> list[Place]:
        return self.tx.rooms(name)

    def person(self, name: str) -> Responder:
        return self.tx.person(name)

    def private_places(self, person: str) -> list[Place]:
        return self.tx.private_places(person)

    def reaches(self, place: Place) -> bool:
        return self.now != self.tx.now or self.tx.reaches(place)

    def last(self, subject: str, kind: type[E]) -> E | None:
        return self.tx.last(subject, kind)


@dataclass(frozen=True)
class Configured:
    """As far as the configuration tells: not what people said since."""

    config: Config
    now: datetime

    def at(self, now: datetime) -> "Configured":
        return replace(self, now=now)

    def callees(self, name: str) -> Sequence[str]:
        if name in self.config.schedules:
            return self.config.schedules[name].rota.on_call(self.now)
        return self.config.teams[name].members if name in self.config.teams else (name,)

    def shifts(self, schedule: str, since: datetime, until: datetime) -> Iterator[Shift]:
        return self.config.schedules[schedule].rota.shifts(since, until)

    def rooms(self, name: str) -> list[Place]:
        if name in self.config.teams:
            return [Place(network, room) for network, room in self.config.teams[name].rooms.items()]
        return [Place(name, self.config.networks[name].room)] if name in self.config.networks else []

    def person(self, name: str) -> Responder:
        return self.config.people.get(name, Responder())

    def private_places(self, person: str) -> list[Place]:
        accounts = self.person(person).accounts
        return [Place(network, account, private=True) for network, account in accounts.items()]

    def reaches(self, _: Place) -> bool:
        return True

    def last(self, _: str, kind: type[E]) -> E | None:  # noqa: ARG002 (nothing is kept)
        return None
