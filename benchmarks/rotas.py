"""Who is on call by many schedules: in three months, now, when somebody asks for all, and when it is looked at each minute."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo

from benchmarks.engine import engine
from benchmarks.results import Row, middle, percentile, ratio
from benchmarks.size import Size
from tocsin import oncall
from tocsin.commands import Call
from tocsin.config import Schedule
from tocsin.config.schedules import LayerSettings, ShiftSettings
from tocsin.domain.duty import HANDOFF, OverrideSet
from tocsin.domain.message import Line, Place
from tocsin.domain.rota import EVERYBODY, Hours, Override, Rota, Unit
from tocsin.store.timers import Timer
from tocsin.transaction import Transaction

T = TypeVar("T")

AT = datetime(2026, 9, 1, tzinfo=UTC)
"""In the 90 days from here on clocks change in most of the zones."""
AHEAD = timedelta(days=90)
WALL = datetime.fromisoformat("2026-09-01")
HOUR = timedelta(hours=1)
LAYERS = 10
ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Berlin",
        "America/New_York",
        "UTC",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
        "America/Santiago",
        "Europe/London",
        "Pacific/Auckland",
    )
]
PEOPLE = (("alice",), ("bob",), ("alice", "bob"))


def schedules(count: int) -> Mapping[str, Schedule]:
    """So many, by turns in each zone, which hand over at all hours of the day."""
    return {f"s{number}": _schedule(number) for number in range(count)}


def _schedule(number: int) -> Schedule:
    begins = datetime.fromisoformat("2026-01-05 00:00") + timedelta(hours=number // len(ZONES))

    def layer(every: int, unit: Unit, *hours: str, priority: int = 0) -> LayerSettings:
        read = tuple(Hours.parse(each) for each in hours)
        return LayerSettings(people=PEOPLE, begins=begins, every=(every, unit), hours=read, priority=priority)

    day = begins.replace(month=10, day=3)
    holiday = ShiftSettings(people=("bob",), begins=day, ends=day + timedelta(days=2))
    layers = (
        layer(1, Unit.WEEK),
        layer(2, Unit.WEEK),
        layer(1, Unit.MONTH),
        layer(1, Unit.DAY),
        layer(12, Unit.HOUR),
        layer(1, Unit.WEEK, "Mon-Fri 08:00-20:00", priority=1),
        layer(1, Unit.DAY, "22:00-06:00", priority=1),
        layer(12, Unit.HOUR, "Sat,Sun", priority=2),
        layer(1, Unit.WEEK, "Fri 17:00-Mon 09:00", priority=2),
        LayerSettings(shifts=(holiday,), priority=3),
    )
    return Schedule(timezone=ZONES[number % len(ZONES)], layers=layers)


def overrides(count: int, at: datetime) -> Iterator[Override]:
    """Some hold at that time, some later; of five, one holds wherever alice is meant."""
    for number in range(count):
        start = at + timedelta(days=number % 7) - timedelta(hours=1)
        schedule = f"s{number * 4}" if number % 5 else ""
        leaves = "alice" if number % 2 or not schedule else EVERYBODY
        yield Override(start, start + timedelta(days=1), leaves, "bob", schedule)


async def measure(size: Size) -> AsyncIterator[Row]:
    """The schedules alone, beside bare conversions; then in turns of an engine. Raises what a turn raises."""
    known = schedules(size.schedules)
    every = list(overrides(size.overrides, AT))
    rotas = [
        (schedule.rota, [one for one in every if one.schedule in ("", name)])
        for name, schedule in known.items()
    ]
    zones = [rota.zone for rota, _ in rotas]
    drawn, bare = list[float](), list[float]()
    now, bare_now = list[float](), list[float]()
    for number in range(size.rounds):
        minute = AT + timedelta(minutes=number)
        took, count = _timed(partial(_draw, rotas))
        drawn.append(took)
        bare.append(_timed(partial(_convert, zones, count // len(zones)))[0])
        now += [_timed(partial(rota.on_call, minute, held))[0] * 1000 for rota, held in rotas]
        bare_now += [_timed(partial(_convert, [zone], LAYERS))[0] * 1000 for zone in zones]
    what = f"{size.schedules} schedules of {LAYERS} layers, {size.overrides} overrides"
    yield Row(f"{what}: shifts of 90 days", {"": middle(drawn)}, "s", "≤ 1 s", direct=ratio(drawn, bare))
    figures = {"p50": percentile(now, 50), "p99": percentile(now, 99)}
    yield Row("… who now, by one of them", figures, "ms", "< 1 ms", direct=ratio(now, bare_now))
    asked, looked = await _in_turns(known, size)
    yield Row("… a turn that answers !oncall", {"": middle(asked)}, "ms", "≤ 1,000 ms")
    yield Row("… a turn that looks at all, each minute", {"": middle(looked)}, "ms", "≤ 20 ms")


def _timed(run: Callable[[], T]) -> tuple[float, T]:
    """How long it takes, in seconds, and what comes of it."""
    began = time.perf_counter()
    found = run()
    return time.perf_counter() - began, found


def _draw(rotas: Iterable[tuple[Rota, Sequence[Override]]]) -> int:
    """How many shifts there are."""
    return sum(1 for rota, held in rotas for _ in rota.shifts(AT, AT + AHEAD, held))


def _convert(zones: Iterable[ZoneInfo], times: int) -> None:
    """The floor: so many times on the wall clock of each become instants, with nothing around it."""
    for zone in zones:
        for number in range(times):
            (WALL + number * HOUR).replace(tzinfo=zone).astimezone(UTC)


async def _in_turns(known: Mapping[str, Schedule], size: Size) -> tuple[list[float], list[float]]:
    """How long a turn takes, in milliseconds, in which somebody asks for all, and one that looks at all."""
    call = Call("alice", Line("", Place("console", "ops"), "alice", "!oncall"))

    def hold(tx: Transaction) -> None:
        for number, one in enumerate(overrides(size.overrides, tx.now)):
            subject = tx.open(HANDOFF, str(number))
            tx.record(OverrideSet(subject=subject, at=tx.now, overrides=(one,)))

    def ask(tx: Transaction) -> float:
        return _timed(partial(oncall.who, call, tx))[0] * 1000

    def look(tx: Transaction) -> float:
        return _timed(partial(oncall.look, Timer(oncall.LOOK, "", tx.now, 0, 0), tx))[0] * 1000

    async with engine(schedules=known, run=False) as daemon:
        await daemon.tocsin.turn(hold)
        await daemon.tocsin.turn(look)  # the first time it records who is on call
        asked = [await daemon.tocsin.turn(ask) for _ in range(size.rounds)]
        looked = [await daemon.tocsin.turn(look) for _ in range(size.rounds)]
    return asked, looked
