"""Schedules, as the file writes them: who is on call always, and layers of people who take turns."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import PlainValidator

from tocsin.config.values import Names, from_text
from tocsin.domain.rota import (
    EVERY_FORM,
    HOURS_FORM,
    Hours,
    Layer,
    Listed,
    Rota,
    Rotation,
    Unit,
    parse_every,
)

WALL_FORM = "a time on the wall clock of the schedule such as '2026-01-05 09:00', without a zone"

_EVER = datetime.fromisoformat("1970-01-01")
_UTC = ZoneInfo("UTC")


def _wall(value: Any) -> datetime:
    """A text, or the local date-time that TOML has of its own."""
    at = value
    if isinstance(value, str):
        try:
            at = datetime.fromisoformat(value.strip())
        except ValueError:
            at = None
    if not isinstance(at, datetime) or at.tzinfo is not None:
        raise ValueError(f"must be {WALL_FORM}, not {str(value)!r}")
    if not 2000 <= at.year < 2200 or at.second or at.microsecond:
        raise ValueError(f"must be a minute from 2000 to 2199, not {str(value)!r}")
    return at


Wall = Annotated[datetime, PlainValidator(_wall)]
"""A time on a wall clock, written `2026-01-05 09:00`."""

Every = Annotated[tuple[int, Unit], PlainValidator(from_text(parse_every, EVERY_FORM))]
"""How long a turn is, written `week`, `2 weeks`, `12 hours`."""

HoursSetting = Annotated[Hours, PlainValidator(from_text(Hours.parse, HOURS_FORM))]
"""Hours on days of the week, written `Mon-Fri 08:00-20:00`."""


@dataclass(frozen=True, kw_only=True)
class ShiftSettings:
    """A shift that is no turn: of whom, from when until when."""

    people: Names
    begins: Wall
    ends: Wall

    def __post_init__(self) -> None:
        if self.begins >= self.ends:
            raise ValueError("ends before it begins")


@dataclass(frozen=True, kw_only=True)
class LayerSettings:
    """People who take turns, or shifts that are listed.

    people: whose turn it is, in order; who stand in a list of their own have it together. begins: when the first turn does.
    every: how long a turn is. hours, priority, until: as in `Layer`.
    """

    people: tuple[Names, ...] = ()
    begins: Wall | None = None
    every: Every = (1, Unit.WEEK)
    shifts: tuple[ShiftSettings, ...] = ()
    hours: tuple[HoursSetting, ...] = ()
    priority: int = 0
    until: Wall | None = None

    def __post_init__(self) -> None:
        if not self.people and not self.shifts:
            raise ValueError("has nobody: add people, who take turns, or shifts")
        if len(self.people) > 1 and self.begins is None:
            raise ValueError(
                "several take turns: say when the first turn begins, as in begins = '2026-01-05 09:00'"
            )
        if self.until is not None and self.begins is not None and self.until <= self.begins:
            raise ValueError("is over before it begins: until is not later than begins")

    @property
    def layer(self) -> Layer:
        """What that means."""
        count, unit = self.every
        return Layer(
            rotation=Rotation(self.people, self.begins or _EVER, count, unit) if self.people else None,
            listed=tuple(Listed(one.begins, one.ends, one.people) for one in self.shifts),
            hours=self.hours,
            priority=self.priority,
            until=self.until,
        )


@dataclass(frozen=True)
class Schedule:
    """Who is on call.

    on_call: those who are while no layer has anybody. timezone: of all times in it. nobody_needed: when it is meant that
    nobody may be.
    """

    on_call: Names = ()
    timezone: ZoneInfo = _UTC
    layers: tuple[LayerSettings, ...] = ()
    nobody_needed: tuple[HoursSetting, ...] = ()

    @cached_property
    def rota(self) -> Rota:
        """What that means."""
        layers = tuple(each.layer for each in self.layers)
        return Rota(self.timezone, layers, self.on_call, self.nobody_needed)

    @property
    def people(self) -> tuple[str, ...]:
        """All who may be on call, ever."""
        return self.rota.people
