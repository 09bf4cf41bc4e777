"""A schedule, drawn for a terminal: one line a day, one sign each half an hour; or who has how much of it."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase

from tocsin.domain.load import Share, shares
from tocsin.domain.rota import Rota, Shift, begin_at
from tocsin.domain.words import listed

_DAY = timedelta(days=1)
_CELL = timedelta(minutes=30)
_CELLS = 48
_NOBODY = "\u00b7"
_SIGNS = ascii_lowercase + ascii_uppercase
_MORE = "+"


def calendar(rota: Rota, first: date, days: int) -> Iterator[str]:
    """The lines. Each half hour shows who is on call when it begins, on the schedule's own wall clock."""
    shifts = list(_shifts(rota, first, days))
    signs = _signs(rota, shifts)
    head = "".join(f"{hour:02d}".ljust(_CELLS // 4) for hour in range(0, 24, 6))
    yield " " * 12 + head.rstrip()
    for number in range(days):
        day = first + number * _DAY
        yield f"{day:%a %d %b}  " + "".join(_cells(rota, day, shifts, signs))
    yield "  ".join(f"{sign} {listed(people) or 'nobody'}" for people, sign in signs.items())


def handoffs(rota: Rota, first: date, days: int) -> Iterator[str]:
    """When somebody else is on call, and who: one line each."""
    for before, shift in pairwise(_shifts(rota, first, days)):
        at = shift.start.astimezone(rota.zone)
        yield f"{at:%a %d %b %Y %H:%M}  {listed(before.people) or 'nobody'} \u2192 {listed(shift.people) or 'nobody'}"


def gaps(rota: Rota, first: date, days: int) -> Iterator[str]:
    """When nobody is, though somebody need be: one line each."""
    for span in rota.gaps(_shifts(rota, first, days)):
        start, end = (at.astimezone(rota.zone) for at in span)
        yield f"{start:%a %d %b %Y %H:%M} to {end:%a %d %b %Y %H:%M}"


def simulate(rota: Rota, first: date, days: int) -> tuple[Sequence[Share], timedelta]:
    """What each of its people has in that time; and how long nobody is on call though somebody need be."""
    shifts = list(_shifts(rota, first, days))
    lacking = sum((end - start for start, end in rota.gaps(shifts)), timedelta(0))
    return shares(rota.people, shifts, rota.zone), lacking


def table(found: Sequence[Share], lacking: timedelta) -> Iterator[str]:
    """A line for each, under a head."""
    rows = [("", "hours", "shifts", "weekends", "nights")]
    rows += [
        (one.person, f"{hours(one.on_call):g}", f"{one.shifts}", f"{one.weekends}", f"{one.nights}")
        for one in found
    ]
    rows += [("nobody", f"{hours(lacking):g}", "", "", "")] if lacking else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        numbers = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield "  ".join([name.ljust(widths[0]), *numbers]).rstrip()


def hours(length: timedelta) -> float:
    """A length of time in hours, to the minute."""
    return round(length / timedelta(hours=1), 2)


def _signs(rota: Rota, shifts: Sequence[Shift]) -> dict[tuple[str, ...], str]:
    """The same sign for the same people whatever part of a schedule is drawn; those that are in this one."""
    turns = [turn for layer in rota.layers if layer.rotation for turn in layer.rotation.turns]
    listed_ones = [one.people for layer in rota.layers for one in layer.listed]
    drawn = [shift.people for shift in shifts]
    known = dict.fromkeys(people for people in (*turns, *listed_ones, rota.always, *drawn) if people)
    signs = {people: _SIGNS[number : number + 1] or _MORE for number, people in enumerate(known)}
    return {people: signs.get(people, _NOBODY) for people in ((), *known) if people in drawn}


def _cells(
    rota: Rota, day: date, shifts: Sequence[Shift], signs: dict[tuple[str, ...], str]
) -> Iterator[str]:
    left = iter(shifts)
    shift = next(left)
    for number in range(_CELLS):
        at = begin_at(datetime.combine(day, time()) + number * _CELL, rota.zone)
        while shift.end <= at:
            shift = next(left)
        yield signs[shift.people]


def _shifts(rota: Rota, first: date, days: int) -> Iterator[Shift]:
    """From the midnight with which the first day begins there."""
    midnight = datetime.combine(first, time())
    return rota.shifts(begin_at(midnight, rota.zone), begin_at(midnight + days * _DAY, rota.zone))
