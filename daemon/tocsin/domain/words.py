"""Words as people write them: names, suggestions, lists, lengths of time."""

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile("".join(rf"(?:(?P<{name}>[0-9]{{1,9}}){unit})?" for unit, name in _UNITS.items()))
_LONGEST = timedelta(weeks=520)
_FIRST, _LAST = time.min, time.max.replace(fold=1)

DURATION_FORM = "a length of time such as '30s', '5m' or '1h30m'"
"""What `parse_duration` reads, as an error says it."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a sentence that refuses `word`: `"; did you mean 'alice'?"`, or nothing if none is near."""
    near = nearest(word, known)
    return f"; did you mean {near!r}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like this one, or nothing if none is near."""
    lowered = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return lowered[near[0]] if near else ""


def bare(word: str) -> str:
    """An id, a code or a length as it was meant: in small letters, without what people put around it."""
    return word.strip("#:,.;!?`'\"<>()[]").lower()


def listed(names: Iterable[str]) -> str:
    """Names as a sentence lists them: `a, b and c`."""
    words = list(names)
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def first_few(names: Sequence[str], most: int) -> str:
    """As `listed`, but that only so many are named and the rest counted: `a, b and 98 more`."""
    left = len(names) - most
    return listed([*names[:most], f"{left:,} more"] if left > 0 else names)


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 person`, `2 people`, `1,000 people`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def time_of_day(at: datetime, zone: tzinfo, now: datetime) -> str:
    """An instant as people read it: `03:04:05`, and the day before it unless that is today."""
    here = at.astimezone(zone)
    day = "" if here.date() == now.astimezone(zone).date() else f"{here.day} {here:%b} "
    return f"{day}{here:%H:%M:%S}"


def on_the_wall(day: date, at: time, zone: tzinfo) -> datetime:
    """The instant at which clocks there show that time, in UTC.

    A time that comes twice means the first; one that is skipped means the end of what is skipped.
    """
    offset = offset_of(day, zone)
    if offset is not None:
        return datetime.combine(day, at, UTC) - offset
    wall = datetime.combine(day, at, tzinfo=zone)
    before, after = wall.replace(fold=1).astimezone(UTC), wall.astimezone(UTC)
    if before >= after:
        return after
    # Only a skipped time reads earlier with fold=1 (PEP 495): the clocks change between the two.
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


@lru_cache(maxsize=2048)  # a schedule looks at the same days for each of its layers
def offset_of(day: date, zone: tzinfo) -> timedelta | None:
    """How far clocks there are ahead of UTC all that day; None if a time of that day is skipped or comes twice."""
    # With fold=0 a clock that changes reads as before for as long as it may, with fold=1 as after as soon as it may.
    first, last = (datetime.combine(day, at, tzinfo=zone).utcoffset() for at in (_FIRST, _LAST))
    return first if first == last else None


def parse_duration(text: str) -> timedelta:
    """A length of time as people write it: `30s`, `5m`, `1h30m`, `2d`, `1w`.

    Units go from the largest to the smallest, each at most once, and every number carries one. Raises
    ValueError, also for more than ten years.
    """
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ValueError(f"must be {DURATION_FORM}, not {text!r}")
    try:
        length = timedelta(**{name: int(number) for name, number in found.groupdict(default="0").items()})
    except OverflowError:
        length = timedelta.max
    if length > _LONGEST:
        raise ValueError(f"must be at most ten years, not {text!r}")
    return length


def spelled(length: timedelta) -> str:
    """A length of time as `parse_duration` reads it, in whole seconds: `1h30m`, `0s`."""
    left, text = int(length.total_seconds()), ""
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, left = divmod(left, seconds)
        text += f"{number}{unit}" if number else ""
    return text or "0s"


def key_path(keys: Sequence[str | int]) -> str:
    """A setting's place as it would be written in TOML: `plugins.escalation.routes[0].policy`."""
    written = ""
    for key in keys:
        if isinstance(key, int):
            written += f"[{key}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]+", key)
            written += ("." if written else "") + (key if bare else json.dumps(key, ensure_ascii=False))
    return written
