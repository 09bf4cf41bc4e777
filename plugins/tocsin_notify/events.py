"""What happened on the ways that are not chat."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from tocsin.api import Event, counted


def lane_of(person: str, way: str, at: datetime) -> str:
    """The subject that a person's way is on a day; no alert can be called so. Each day has its own, so that what is
    read of it stays short for ever.
    """
    return f"notify/{person}/{way}/{at:%Y-%m-%d}"


def person_of(person: str) -> str:
    """The subject to which happens what a person tests and confirms."""
    return f"notify/{person}"


@dataclass(frozen=True, kw_only=True)
class Rang(Event):
    """An alert rang on a person's way, or could not; told once for each, and again when that changes.

    why: what kept it from ringing; empty if whoever carries it took it. for_good: trying again can't help.
    """

    kind: ClassVar[str] = "notify.rang"
    person: str
    way: str
    why: str = ""
    for_good: bool = False

    def headline(self) -> str:
        if self.why:
            return f"{self.way} of {self.person} does not ring: {self.why}"
        return f"{self.way} of {self.person} rings"


@dataclass(frozen=True, kw_only=True)
class RingSent(Event):
    """A ring was sent to a way, or could not be; its subject is the way on that day.

    ring: its id, for whoever carries it. alerts: the first of those that rang by it. why: as for `Rang`. unsent: surely
    nobody heard it. wait: for how long whoever carries it asks us to wait. calm: it said that it is over.
    """

    kind: ClassVar[str] = "notify.sent"
    passing: ClassVar[bool] = True
    ring: str
    alerts: tuple[str, ...]
    why: str = ""
    for_good: bool = False
    unsent: bool = False
    wait: timedelta = timedelta(0)
    calm: bool = False

    def headline(self) -> str:
        what = "over" if self.calm else f"ring for {counted(len(self.alerts), 'alert')}"
        return f"{what}: not taken: {self.why}" if self.why else f"{what}: taken"


@dataclass(frozen=True, kw_only=True)
class ButtonPressed(Event):
    """Somebody pressed a button of a ring. nonce: which, so that it is good once. way: by which way it came."""

    kind: ClassVar[str] = "notify.pressed"
    nonce: str
    way: str
    action: str

    def headline(self) -> str:
        return f"{self.by} pressed {self.action} on {self.way}"


@dataclass(frozen=True, kw_only=True)
class TestBegun(Event):
    """Somebody tests their ways. number: which of their tests it is. place: where they asked."""

    __test__ = False  # for pytest, which takes it for tests

    kind: ClassVar[str] = "notify.test_begun"
    outdated_by: ClassVar[str] = "notify.test_begun"
    number: int
    ways: tuple[str, ...]
    place: str

    def headline(self) -> str:
        return f"{self.by} tests {counted(len(self.ways), 'way')}"


@dataclass(frozen=True, kw_only=True)
class TestSent(Event):
    """A test was sent to a way, or could not be. why: as for `Rang`."""

    __test__ = False

    kind: ClassVar[str] = "notify.test_sent"
    outdated_by: ClassVar[str] = "notify.test_begun"
    number: int
    way: str
    why: str = ""

    def headline(self) -> str:
        return f"test on {self.way}: {self.why or 'taken'}"


@dataclass(frozen=True, kw_only=True)
class RingerConfirmed(Event):
    """A person answered what came by one of their ways: it reaches them."""

    kind: ClassVar[str] = "notify.confirmed"
    way: str

    def headline(self) -> str:
        return f"{self.way} of {self.by} reaches them"


EVENTS: Sequence[type[Event]] = (Rang, RingSent, ButtonPressed, TestBegun, TestSent, RingerConfirmed)
