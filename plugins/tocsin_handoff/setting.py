"""Overrides that people agreed on: set, ended, and told to everybody whose shifts they change."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from tocsin.api import (
    EVERYBODY,
    Override,
    OverrideEnded,
    OverrideSet,
    Place,
    Shift,
    Transaction,
    end_override,
    listed,
    set_override,
)
from tocsin_handoff.shifts import Difference, Span, differences
from tocsin_handoff.telling import tell_person, tell_rooms, when

MOST_SPANS = 3


def set_planned(event: OverrideSet, tx: Transaction, *, knows: Collection[str], place: Place) -> str:
    """Set what was agreed on; what is said of it. knows: whom nobody need tell. place: where that is said anyway."""
    before = _shifts(event.overrides, tx)
    set_override(event, tx)
    _tell(event, before, tx, knows)
    said = "; ".join(said_of(one, "", tx) for one in event.overrides)
    tell_rooms(said, _people(event.overrides), tx, but_not=place)
    return said


def end_planned(event: OverrideEnded, over: OverrideSet, tx: Transaction, *, place: Place) -> str:
    """Cancel it; what is said of it."""
    left = [one for one in over.overrides if one.end > tx.now]
    before = _shifts(left, tx)
    end_override(event, tx)
    _tell(over, before, tx, {event.by})
    said = f"cancelled by {event.by}: {'; '.join(said_of(one, '', tx) for one in left)}"
    tell_rooms(said, _people(over.overrides), tx, but_not=place)
    return said


def said_of(override: Override, reader: str, tx: Transaction) -> str:
    """`ops: bob for alice, Fri 27 Nov 18:00 UTC to Sat 28 Nov 09:00 UTC`."""
    for_whom = "" if override.leaves in ("", EVERYBODY) else f" for {override.leaves}"
    where = f"{override.schedule}: " if override.schedule else ""
    span = spanned((override.start, override.end), reader, tx)
    return f"{where}{override.comes or 'nobody'}{for_whom}, {span}"


def spanned(span: Span, reader: str, tx: Transaction) -> str:
    """A time in absolute terms, where a person is."""
    start, end = span
    if start <= tx.now:
        return f"now to {when(end, reader, tx)}"
    zone = f" {tx.person(reader).timezone.key}"
    return f"{when(start, reader, tx).removesuffix(zone)} to {when(end, reader, tx)}"


def tell_differences(
    schedule: str,
    found: Mapping[str, Difference],
    about: str,
    tx: Transaction,
    *,
    knows: Collection[str] = (),
    horizon: datetime | None = None,
) -> None:
    """Tell each in private what has become of their shifts. horizon: what ends there only seems to."""
    for person, one in found.items():
        if person not in knows:
            parts = [f"now yours: {_spans(one.gained, person, horizon, tx)}"] if one.gained else []
            parts += [f"no longer yours: {_spans(one.lost, person, horizon, tx)}"] if one.lost else []
            zone = tx.person(person).timezone.key
            said = f"your shifts in {schedule} changed ({zone}): {'; '.join(parts)}"
            tell_person(person, said, about, tx)


def _spans(spans: Sequence[Span], reader: str, horizon: datetime | None, tx: Transaction) -> str:
    zone = f" {tx.person(reader).timezone.key}"
    more = len(spans) - MOST_SPANS
    texts = []
    for start, end in spans[:MOST_SPANS]:
        text = spanned((start, end), reader, tx).removesuffix(zone)
        texts.append(f"{text.partition(' to ')[0]} on" if end == horizon else text)
    return listed([*texts, f"{more} more"] if more > 0 else texts)


def _tell(
    event: OverrideSet, before: Mapping[str, Sequence[Shift]], tx: Transaction, knows: Collection[str]
) -> None:
    after = _shifts(event.overrides, tx)
    for name, shifts in before.items():
        tell_differences(name, differences(shifts, after[name]), event.subject, tx, knows=knows)


def _shifts(overrides: Iterable[Override], tx: Transaction) -> Mapping[str, Sequence[Shift]]:
    """Who is on call while they hold, in each schedule that they change."""
    found = {}
    for name in sorted({one.schedule for one in overrides} & set(tx.config.schedules)):
        since, until = _window([one for one in overrides if one.schedule == name])
        found[name] = list(tx.shifts(name, max(since, tx.now), until))
    return found


def _window(overrides: Sequence[Override]) -> tuple[datetime, datetime]:
    return min(one.start for one in overrides), max(one.end for one in overrides)


def _people(overrides: Iterable[Override]) -> set[str]:
    return {person for one in overrides for person in (one.leaves, one.comes)}
