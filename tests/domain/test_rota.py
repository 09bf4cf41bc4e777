"""Who is on call when: every time zone, against an oracle that knows nothing but which time clocks show."""

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.rota import (
    EVERYBODY,
    Hours,
    Layer,
    Listed,
    Override,
    Rota,
    Rotation,
    Shift,
    Unit,
    parse_every,
)

GRID = timedelta(minutes=15)
"""On which clocks change nowadays, and on which the times of these tests stand."""

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BERLIN, NEW_YORK, LONDON = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Europe/London")
LORD_HOWE, SANTIAGO = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/Santiago")

ALL_DAYS = frozenset(range(7))


# ── The oracle ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Clock:
    """What clocks in a zone have shown at most until an instant, and show at least from then on.

    What begins at a time has begun once they have shown it or a later one; what ends at a time has not ended as long as
    they will still show an earlier one.
    """

    highest: datetime
    lowest: datetime

    def between(self, start: datetime, end: datetime) -> bool:
        return self.highest >= start and self.lowest < end


def shown(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def clock(at: datetime, zone: ZoneInfo) -> Clock:
    """By looking at a clock each quarter of an hour from a day before to a day after."""
    looks = [at + number * GRID for number in range(-96, 97)]
    return Clock(
        highest=max(shown(look, zone) for look in looks if look <= at),
        lowest=min(shown(look, zone) for look in looks if look >= at),
    )


def walls_of(rotation: Rotation) -> Iterator[datetime]:
    """When clocks show that the next turn begins, one after the other."""
    lengths = {Unit.HOUR: HOUR, Unit.DAY: DAY, Unit.WEEK: 7 * DAY}
    wall = rotation.begins
    while True:
        yield wall
        if rotation.unit is not Unit.MONTH:
            wall += rotation.every * lengths[rotation.unit]
            continue
        for _ in range(rotation.every):
            wall = _month_after(wall, rotation.begins.day)


def _month_after(wall: datetime, day: int) -> datetime:
    later = wall.replace(day=1) + 32 * DAY
    for clamped in itertools.count(day, -1):
        try:
            return later.replace(day=clamped)
        except ValueError:
            continue
    raise AssertionError


def handoffs(rotation: Rotation, now: Clock) -> int:
    """How many turns have begun, told off one by one."""
    return sum(1 for _ in itertools.takewhile(lambda wall: wall <= now.highest, walls_of(rotation)))


def has(layer: Layer, now: Clock, count: int) -> list[str]:
    """Whom a layer has on call then. count: how many of its turns have begun."""
    if layer.until is not None and now.lowest >= layer.until:
        return []
    days = [now.highest.date() + number * DAY for number in range(-10, 2)]
    if layer.hours and not any(
        day.weekday() in hours.days
        and now.between(
            datetime.combine(day, hours.start),
            datetime.combine(day + hours.over * DAY, hours.end),
        )
        for hours in layer.hours
        for day in days
    ):
        return []
    people = [person for one in layer.listed if now.between(one.start, one.end) for person in one.people]
    if layer.rotation is not None and count:
        people += layer.rotation.turns[(count - 1) % len(layer.rotation.turns)]
    return people


def expected(rota: Rota, at: datetime, overrides: Sequence[Override] = ()) -> set[str]:
    now = clock(at, rota.zone)
    counts = [handoffs(layer.rotation, now) if layer.rotation else 0 for layer in rota.layers]
    found = [
        (layer.priority, has(layer, now, count)) for layer, count in zip(rota.layers, counts, strict=True)
    ]
    top = max((priority for priority, people in found if people), default=None)
    people = {one for priority, people in found if priority == top for one in people}
    if top is None:
        people = set(rota.always)
    for override in overrides:
        if not override.start <= at < override.end:
            continue
        if override.leaves == "*":
            people = {override.comes} - {""}
        elif not override.leaves or override.leaves in people:
            people = (people - {override.leaves} | {override.comes}) - {""}
    return people


# ── Against it ──────────────────────────────────────────────────────────────────────────────────────────────

NAMES = ("alice", "bob", "carol", "dan")


@cache
def zones() -> list[str]:
    return sorted(available_timezones())


@cache
def changes(name: str) -> list[datetime]:
    """When clocks in a zone change, in three years."""
    zone = ZoneInfo(name)
    start = datetime(2025, 1, 1, tzinfo=UTC)
    found = []
    for number in range(3 * 366):
        day = start + number * DAY
        if day.astimezone(zone).utcoffset() != (day + DAY).astimezone(zone).utcoffset():
            look = day
            while look.astimezone(zone).utcoffset() == day.astimezone(zone).utcoffset():
                look += GRID
            found.append(look)
    return found


quarters = st.integers(0, 95).map(lambda number: time(number // 4, number % 4 * 15))
walls = st.builds(datetime.combine, st.dates(date(2025, 1, 1), date(2026, 6, 30)), quarters)
turns = st.lists(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(tuple), min_size=1, max_size=4
).map(tuple)
rotations = st.builds(Rotation, turns, walls, st.integers(1, 5), st.sampled_from(Unit))
hours = st.builds(
    Hours, st.sets(st.integers(0, 6), min_size=1).map(frozenset), quarters, quarters, st.integers(0, 3)
)


@st.composite
def listed(draw: st.DrawFn) -> Listed:
    start = draw(walls)
    length = draw(st.integers(1, 2000)) * GRID
    return Listed(start, start + length, draw(turns)[0])


layers = st.builds(
    Layer,
    rotation=st.none() | rotations,
    listed=st.lists(listed(), max_size=3).map(tuple),
    hours=st.lists(hours, max_size=2).map(tuple),
    priority=st.integers(0, 2),
    until=st.none() | walls,
)


@st.composite
def moments(draw: st.DrawFn, zone: str) -> datetime:
    """Any, and more often one about which clocks change."""
    near = draw(st.sampled_from([datetime(2025, 6, 1, tzinfo=UTC), *changes(zone)]))
    far = 365 * 96 if draw(st.integers(0, 2)) == 0 else 12
    return near + draw(st.integers(-far, far)) * GRID


@st.composite
def overridden(draw: st.DrawFn, at: datetime) -> Override:
    start = at + draw(st.integers(-3, 1)) * GRID
    leaves, comes = draw(
        st.tuples(st.sampled_from(("", EVERYBODY, *NAMES)), st.sampled_from(("", *NAMES))).filter(any)
    )
    return Override(start, start + draw(st.integers(1, 4)) * GRID, leaves, comes)


@given(st.data())
def test_whoever_is_on_call_is_whom_a_clock_would_tell(data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(zones()))
    rota = Rota(
        ZoneInfo(zone),
        tuple(data.draw(st.lists(layers, min_size=1, max_size=3))),
        data.draw(st.sampled_from([(), ("erin",)])),
    )
    at = data.draw(moments(zone))
    overrides = data.draw(st.lists(overridden(at), max_size=2))
    assert set(rota.on_call(at, overrides)) == expected(rota, at, overrides)


@given(st.data())
def test_shifts_say_the_same_as_each_instant_in_them(data: st.DataObject) -> None:
    """And they stand close to one another, each other than the one before."""
    zone = data.draw(st.sampled_from(zones()))
    rota = Rota(ZoneInfo(zone), tuple(data.draw(st.lists(layers, min_size=1, max_size=3))))
    since = data.draw(moments(zone))
    until = since + data.draw(st.integers(1, 500)) * GRID
    overrides = data.draw(st.lists(overridden(since), max_size=2))
    shifts = list(rota.shifts(since, until, overrides))
    assert (shifts[0].start, shifts[-1].end) == (since, until)
    for before, after in itertools.pairwise(shifts):
        assert before.end == after.start
        assert before.people != after.people
    for shift in shifts:
        assert shift.start < shift.end
        inside = data.draw(st.datetimes(_naive(shift.start), _naive(shift.end))).replace(tzinfo=UTC)
        for at in (shift.start, inside if inside < shift.end else shift.start):
            assert rota.on_call(at, overrides) == shift.people


@given(st.data())
def test_a_gap_is_where_nobody_is_on_call_and_somebody_need_be(data: st.DataObject) -> None:
    zone = ZoneInfo(data.draw(st.sampled_from(zones())))
    unneeded = tuple(data.draw(st.lists(hours, max_size=2)))
    rota = Rota(zone, tuple(data.draw(st.lists(layers, max_size=2))), nobody_needed=unneeded)
    since = data.draw(moments(zone.key))
    until = since + data.draw(st.integers(1, 500)) * GRID
    gaps = list(rota.gaps(rota.shifts(since, until)))
    assert all(since <= start < end <= until for start, end in gaps)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(gaps))
    off = Layer(Rotation((("nobody",),), datetime.fromisoformat("1990-01-01")), hours=unneeded)
    at = since + data.draw(st.integers(0, (until - since) // GRID - 1)) * GRID
    needed = not (unneeded and has(off, clock(at, zone), 1))
    assert any(start <= at < end for start, end in gaps) == (needed and not rota.on_call(at))


def _naive(at: datetime) -> datetime:
    return at.replace(tzinfo=None)


TORTURE = bool(os.environ.get("TOCSIN_TORTURE"))

TURNS = (("alice",), ("bob",), ("carol",))

TORTURED = [
    Layer(Rotation(TURNS, datetime.fromisoformat(begins), every, unit), hours=tuple(map(Hours.parse, within)))
    for begins, every, unit, within in [
        ("2025-01-01 02:30", 1, Unit.DAY, ()),
        ("2025-01-01 00:00", 8, Unit.HOUR, ("22:00-02:15", "Fri 17:00-Mon 01:30")),
        ("2025-01-05 00:00", 1, Unit.WEEK, ("Mon-Fri 00:00-24:00",)),
        ("2025-01-31 01:45", 1, Unit.MONTH, ()),
    ]
]


@pytest.mark.parametrize("layer", TORTURED)
def test_in_two_years_each_hour_is_whose_turn_it_is(layer: Layer) -> None:
    """In some zones; in all with `make torture`."""
    assert layer.rotation is not None
    first = datetime(2025, 1, 1, tzinfo=UTC)
    count = 2 * 365 * 96
    instants = [first + number * GRID for number in range(count + 96)]
    some = (
        zones()
        if TORTURE
        else ["America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca"]
    )
    for name in some:
        zone = ZoneInfo(name)
        looks = [shown(at, zone) for at in instants]
        highest = list(itertools.accumulate(looks, max))
        lowest = list(itertools.accumulate(reversed(looks), min))[::-1]
        begun, walls_to_come = 0, walls_of(layer.rotation)
        wall = next(walls_to_come)
        shifts = Rota(zone, (layer,)).shifts(first, first + count * GRID)
        shift = next(shifts)
        for number in range(0, count, 4):
            now = Clock(highest[number], lowest[number])
            while wall <= now.highest:
                begun += 1
                wall = next(walls_to_come)
            while shift.end <= instants[number]:
                shift = next(shifts)
            assert list(shift.people) == has(layer, now, begun), f"{instants[number]} in {name}"


# ── Hard cases, each with who has it ────────────────────────────────────────────────────────────────────────

AB = (("alice",), ("bob",))
NEW_YEAR = datetime.fromisoformat("2026-01-01")


def daily(begins: str, zone: ZoneInfo = NEW_YORK) -> Rota:
    """Alice has the first day, bob the second."""
    return Rota(zone, (Layer(Rotation(AB, datetime.fromisoformat(begins), unit=Unit.DAY)),))


def monthly(begins: str) -> Rota:
    turns = (("alice",), ("bob",), ("carol",))
    return Rota(BERLIN, (Layer(Rotation(turns, datetime.fromisoformat(begins), unit=Unit.MONTH)),))


def nightly(start: time, end: time, zone: ZoneInfo) -> Rota:
    """Alice, in these hours."""
    rotation = Rotation((("alice",),), NEW_YEAR)
    return Rota(zone, (Layer(rotation, hours=(Hours(ALL_DAYS, start, end, int(end <= start)),)),))


def always(person: str, priority: int = 0, *, hours: tuple[Hours, ...] = ()) -> Layer:
    return Layer(Rotation(((person,),), NEW_YEAR), hours=hours, priority=priority)


WORKDAYS = Hours(frozenset(range(5)), time(9), time(17))
LAYERED = Rota(BERLIN, (always("alice"), always("bob", 1, hours=(WORKDAYS,))))
AT_ONCE = Rota(BERLIN, (always("alice"), always("bob", hours=(WORKDAYS,))))
TWICE = Rota(NEW_YORK, (Layer(Rotation(AB, datetime.fromisoformat("2026-03-07 08:00"), 12, Unit.HOUR)),))
HOURLY = Rota(
    NEW_YORK,
    (
        Layer(
            Rotation((("alice",), ("bob",), ("carol",)), datetime.fromisoformat("2026-03-08"), unit=Unit.HOUR)
        ),
    ),
)


@pytest.mark.parametrize(
    ("rota", "at", "people"),
    [
        # New York, 8 March: from 02:00 clocks go on to 03:00; a handoff at 02:30 is at the end of what is skipped.
        (daily("2026-03-07 02:30"), "2026-03-08 06:59", "alice"),
        (daily("2026-03-07 02:30"), "2026-03-08 07:00", "bob"),
        # New York, 1 November: 01:00 to 02:00 comes twice; a handoff at 01:30 is once, the first time.
        (daily("2026-10-31 01:30"), "2026-11-01 05:29", "alice"),
        (daily("2026-10-31 01:30"), "2026-11-01 05:30", "bob"),
        (daily("2026-10-31 01:30"), "2026-11-01 06:15", "bob"),
        # London, 29 March and 25 October. Hours that end in the hour that comes twice end the second time.
        (daily("2026-03-28 01:30", LONDON), "2026-03-29 00:59", "alice"),
        (daily("2026-03-28 01:30", LONDON), "2026-03-29 01:00", "bob"),
        (nightly(time(22), time(1, 30), LONDON), "2026-10-25 01:15", "alice"),
        (nightly(time(22), time(1, 30), LONDON), "2026-10-25 01:30", ""),
        (nightly(time(1, 30), time(6), LONDON), "2026-10-25 00:30", "alice"),
        (nightly(time(1, 30), time(6), LONDON), "2026-10-25 01:15", "alice"),
        # Lord Howe, where clocks change by half an hour, on 5 April and 4 October.
        (daily("2026-04-04 01:45", LORD_HOWE), "2026-04-04 14:44", "alice"),
        (daily("2026-04-04 01:45", LORD_HOWE), "2026-04-04 15:10", "bob"),
        (daily("2026-10-03 02:15", LORD_HOWE), "2026-10-03 15:29", "alice"),
        (daily("2026-10-03 02:15", LORD_HOWE), "2026-10-03 15:30", "bob"),
        # Santiago, where midnight itself is skipped on 6 September, and the hour before it comes twice on 4 April.
        (daily("2026-09-05 00:00", SANTIAGO), "2026-09-06 03:59", "alice"),
        (daily("2026-09-05 00:00", SANTIAGO), "2026-09-06 04:00", "bob"),
        (daily("2026-04-04 00:00", SANTIAGO), "2026-04-05 03:30", "alice"),
        (daily("2026-04-04 00:00", SANTIAGO), "2026-04-05 04:00", "bob"),
        (daily("2026-04-03 23:30", SANTIAGO), "2026-04-05 03:15", "bob"),
        # Months from the 31st: the 29th of February in a leap year, the 28th in another, and the 31st again.
        (monthly("2028-01-31 09:00"), "2028-02-29 07:59", "alice"),
        (monthly("2028-01-31 09:00"), "2028-02-29 08:00", "bob"),
        (monthly("2026-01-31 09:00"), "2026-02-28 08:00", "bob"),
        (monthly("2026-01-31 09:00"), "2026-03-30 12:00", "bob"),
        (monthly("2026-01-31 09:00"), "2026-03-31 07:00", "carol"),
        (daily("2028-02-28 00:00", BERLIN), "2028-02-29 12:00", "bob"),
        (daily("2028-02-28 00:00", BERLIN), "2028-03-01 12:00", "alice"),
        # Midnight belongs to who comes.
        (daily("2026-06-01 00:00", BERLIN), "2026-06-01 21:59", "alice"),
        (daily("2026-06-01 00:00", BERLIN), "2026-06-01 22:00", "bob"),
        # Twelve hours are twelve on the wall clock, also in a night of eleven; an hour that is skipped is nobody's turn.
        (TWICE, "2026-03-08 11:59", "bob"),
        (TWICE, "2026-03-08 12:00", "alice"),
        (HOURLY, "2026-03-08 06:30", "bob"),
        (HOURLY, "2026-03-08 07:30", "alice"),
        # Layers: a higher one hides a lower one while it has somebody; equal ones stand beside each other.
        (LAYERED, "2026-06-01 06:59", "alice"),
        (LAYERED, "2026-06-01 07:00", "bob"),
        (LAYERED, "2026-06-01 15:00", "alice"),
        (LAYERED, "2026-06-06 12:00", "alice"),
        (AT_ONCE, "2026-06-01 12:00", "alice bob"),
        # Before a rotation begins it is nobody's turn.
        (daily("2026-06-01 00:00", BERLIN), "2026-05-31 21:59", ""),
    ],
)
def test_hard_cases(rota: Rota, at: str, people: str) -> None:
    now = datetime.fromisoformat(f"{at}+00:00")
    assert rota.on_call(now) == tuple(people.split())
    assert expected(rota, now) == set(people.split())


@pytest.mark.parametrize(
    ("overrides", "people"),
    [
        ([("alice", "bob")], "bob"),
        ([("carol", "dan")], "alice"),
        ([("", "bob")], "alice bob"),
        ([("alice", "")], ""),
        ([("alice", "bob"), ("bob", "carol")], "carol"),
        ([("alice", "bob"), ("", "bob")], "bob"),
        ([("", "bob"), (EVERYBODY, "carol")], "carol"),
        ([(EVERYBODY, "carol"), ("carol", "bob")], "bob"),
        ([(EVERYBODY, "")], ""),
    ],
)
def test_overrides(overrides: list[tuple[str, str]], people: str) -> None:
    at = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # in an hour that comes twice
    found = [Override(at, at + HOUR, leaves, comes) for leaves, comes in overrides]
    rota = Rota(NEW_YORK, (always("alice"),))
    assert rota.on_call(at, found) == tuple(people.split())
    assert rota.on_call(at + HOUR, found) == ("alice",)
    assert rota.on_call(at - GRID, found) == ("alice",)


def test_where_no_layer_has_anybody_are_those_who_always_are() -> None:
    rota = replace(LAYERED, layers=LAYERED.layers[1:], always=("carol",))
    day = datetime(2026, 6, 1, tzinfo=UTC)
    assert [(shift.people, shift.start.hour) for shift in rota.shifts(day, day + DAY)] == [
        (("carol",), 0),
        (("bob",), 7),
        (("carol",), 15),
    ]


def test_gaps_are_shifts_of_nobody() -> None:
    rota = nightly(time(22), time(6), LONDON)
    day = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert list(rota.shifts(day, day + DAY)) == [
        Shift(day, day + 10 * HOUR, ()),
        Shift(day + 10 * HOUR, day + 18 * HOUR, ("alice",)),
        Shift(day + 18 * HOUR, day + DAY, ()),
    ]


# ── As people write it ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("Mon-Fri 08:00-20:00", Hours(frozenset(range(5)), time(8), time(20))),
        ("fri - mon 8:00 - 20:00", Hours(frozenset({4, 5, 6, 0}), time(8), time(20))),
        ("Sat,Sun", Hours(frozenset({5, 6}), time(0), time(0), 1)),
        ("Mon,Wed-Thu 20:00-24:00", Hours(frozenset({0, 2, 3}), time(20), time(0), 1)),
        ("22:00-06:00", Hours(ALL_DAYS, time(22), time(6), 1)),
        ("09:00-09:00", Hours(ALL_DAYS, time(9), time(9), 1)),
        ("00:00-24:00", Hours(ALL_DAYS, time(0), time(0), 1)),
        ("Fri 17:00-Mon 09:00", Hours(frozenset({4}), time(17), time(9), 3)),
        ("Sun 17:00-Sun 18:00", Hours(frozenset({6}), time(17), time(18))),
        ("Sun 17:00-Sun 09:00", Hours(frozenset({6}), time(17), time(9), 7)),
        ("Sun 17:00-Mon 24:00", Hours(frozenset({6}), time(17), time(0), 2)),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, hours: Hours) -> None:
    assert Hours.parse(text) == hours


@pytest.mark.parametrize(
    "text",
    ["", " ", "Mo-Fr", "25:00-26:00", "24:00-02:00", "8-20", "Mon-Fri 17:00-Mon 09:00", "Mon Tue", "Mon-"],
)
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be days and hours|begins"):
        Hours.parse(text)


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("week", (1, Unit.WEEK)),
        ("2 weeks", (2, Unit.WEEK)),
        ("12 Hours", (12, Unit.HOUR)),
        ("3days", (3, Unit.DAY)),
        ("month", (1, Unit.MONTH)),
    ],
)
def test_how_long_a_turn_is_is_read_as_people_write_it(text: str, every: tuple[int, Unit]) -> None:
    assert parse_every(text) == every


@pytest.mark.parametrize("text", ["", "0 days", "fortnight", "1.5 days", "1 h", "99999 weeks"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a length"):
        parse_every(text)
