"""Whose shifts become others by a change, and what of them: pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin.api import Shift

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Difference:
    """What somebody has more and less than before."""

    gained: Sequence[Span]
    lost: Sequence[Span]


def differences(before: Iterable[Shift], after: Iterable[Shift]) -> Mapping[str, Difference]:
    """For each person whose shifts are not the same."""
    old, new = spans(before), spans(after)
    found = {
        person: Difference(
            minus(new.get(person, ()), old.get(person, ())), minus(old.get(person, ()), new.get(person, ()))
        )
        for person in sorted({*old, *new})
    }
    return {person: one for person, one in found.items() if one.gained or one.lost}


def cut(shifts: Iterable[Shift], since: datetime, until: datetime) -> list[Shift]:
    """What of them is in that time."""
    found = (Shift(max(one.start, since), min(one.end, until), one.people) for one in shifts)
    return [one for one in found if one.start < one.end]


def spans(shifts: Iterable[Shift]) -> Mapping[str, Sequence[Span]]:
    """When each is on call, in spans that don't touch one another."""
    found: dict[str, list[Span]] = {}
    for shift in shifts:
        for person in shift.people:
            theirs = found.setdefault(person, [])
            if theirs and theirs[-1][1] == shift.start:
                theirs[-1] = (theirs[-1][0], shift.end)
            else:
                theirs.append((shift.start, shift.end))
    return found


def minus(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """The time of the one that is not of the other; each in order, in spans that don't overlap."""
    found, cuts = list[Span](), list(others)
    for start, end in spans:
        left = start
        for cut_start, cut_end in cuts:
            if cut_end <= left or cut_start >= end:
                continue
            if cut_start > left:
                found.append((left, cut_start))
            left = min(cut_end, end)
        if left < end:
            found.append((left, end))
    return found
