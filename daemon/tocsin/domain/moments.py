"""Times as people say them, `tomorrow 09:00`, `for 30m`, and as they are said back to them. Pure.

Libraries for this guess: one takes `may` for a month and `12` for a day of it. Where a guess decides who is paged in the
night, what can be meant in two ways is refused, with what can be said instead.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tocsin.domain.rota import begin_at
from tocsin.domain.words import bare, parse_duration

_DAY = timedelta(days=1)
_SOON = timedelta(hours=1)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_TIME = re.compile(r"(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2}))?(?P<half>am|pm)?")
_NAMED_TIMES = {"midnight": time(0), "noon": time(12)}
_UNIT = re.compile("([smhdw])(?:ecs?|econds?|ins?|inutes?|rs?|ours?|ays?|eeks?)?")
_LAST_YEAR = 2199

MOMENT_FORM = "a time such as '09:00', 'tomorrow 09:00', 'fri 18:00' or '2026-12-24 18:00'"
"""What `parse_moment` reads, as an error says it."""


def parse_moment(words: Sequence[str], now: datetime, zone: ZoneInfo) -> tuple[datetime, int]:
    """The instant that the first of these words say, in UTC, and how many of them those are.

    A time without a day is the next at which clocks in that zone show it; `utc` behind it means that zone. A day without
    a time begins at midnight. Raises ValueError.
    """
    plain = [bare(word) for word in words]
    if plain[:1] == ["now"]:
        return now, 1
    if whole := _whole(words[0] if words else "", zone):
        return whole, 1
    day, of_day = _day(plain, now.astimezone(zone).date())
    at, of_time = _time(plain[of_day:])
    if at is not None and day is None:  # 09:00 tomorrow
        day, of_day = _day(plain[of_time:], now.astimezone(zone).date())
    taken = of_day + of_time
    if not taken:
        raise ValueError(f"must be {MOMENT_FORM}, not {' '.join(words[:2])!r}")
    if plain[taken : taken + 1] == ["utc"]:
        zone, taken = ZoneInfo("UTC"), taken + 1
        here = now.astimezone(zone).date()
        day = (_day(plain, here)[0] or _day(plain[of_time:], here)[0]) if day else None
    if at is not None and day is None:
        return _next(at, now, zone), taken
    found = begin_at(datetime.combine(day or now.astimezone(zone).date(), at or time()), zone)
    if found <= now and any(_which(word, _WEEKDAYS) is not None for word in plain[:taken]):
        found = begin_at(datetime.combine((day or date.min) + 7 * _DAY, at or time()), zone)
    return found, taken


def parse_past(words: Sequence[str], now: datetime, zone: ZoneInfo) -> tuple[datetime, int]:
    """As `parse_moment`, of what has happened: a time without a day is the last at which clocks there showed it.

    `5m ago` and `yesterday 23:50` are understood too. Raises ValueError for what is yet to come, and for a time without
    a day that comes within the hour: it is mistyped, rather than of yesterday.
    """
    if "ago" in [bare(word) for word in words[1:3]]:
        length, taken = parse_length(words)
        if [bare(word) for word in words[taken : taken + 1]] == ["ago"]:
            return now - length, taken + 1
    before = now
    if words and bare(words[0]) == "yesterday":
        words, before = ["today", *words[1:]], now - _DAY
    found, taken = parse_moment(words, before, zone)
    names_day = bool({"today", "tomorrow"} & {bare(word) for word in words[:taken]})
    if found - now > _SOON and not names_day:  # who mistypes what was just now does not mean yesterday
        for back in (_DAY, 7 * _DAY):  # the clock showed it yesterday; a weekday means the last one
            if found > now:
                found, taken = parse_moment(words, now - back, zone)
    if found > now:
        raise ValueError(f"{' '.join(words[:taken])!r} is yet to come")
    return found, taken


def parse_length(words: Sequence[str]) -> tuple[timedelta, int]:
    """The length of time that the first of these words say, `30m`, `2 hours` or `for 2h`, and how many of them those are.

    None is no length, and no word is taken then. Raises ValueError for one that begins with a digit and can't be read.
    """
    plain = [bare(word) for word in words]
    skip = int(plain[:1] == ["for"] and plain[1:2] != [] and plain[1][:1].isdigit())
    word, *more = plain[skip:] or [""]
    if not word[:1].isdigit():
        return timedelta(0), 0
    unit = _UNIT.fullmatch(more[0]) if word.isdigit() and more else None
    return parse_duration(f"{word}{unit[1]}" if unit else word), skip + 1 + bool(unit)


def parse_end(words: Sequence[str], now: datetime, zone: ZoneInfo) -> tuple[datetime | None, int]:
    """Until when something lasts that begins now, `for 30m` or `until 09:00`, and how many words say it.

    A length ends on a full minute, the next one. None if none of them says it. Raises ValueError.
    """
    if words and bare(words[0]) in ("until", "till", "til"):
        until, taken = parse_moment(words[1:], now, zone)
        return until, taken + 1
    length, taken = parse_length(words)
    if not taken:
        return None, 0
    return full_minute(now + length), taken


def full_minute(at: datetime) -> datetime:
    """The minute that begins then, or the next one."""
    return at + (-timedelta(seconds=at.second, microseconds=at.microsecond)) % timedelta(minutes=1)


def written(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """An instant in absolute terms: `15:30 Europe/Berlin`, and the day before it unless that is today there."""
    here = at.astimezone(zone)
    today = now.astimezone(zone).date()
    year = f" {here.year}" if here.year != today.year else ""
    day = "" if here.date() == today else f"{here:%a} {here.day} {here:%b}{year} "
    return f"{day}{here:%H:%M} {zone.key}"


def _whole(word: str, zone: ZoneInfo) -> datetime | None:
    """A day with its time in one word, `2026-12-24T18:00`; with an offset or a Z it says its own zone."""
    try:
        at = datetime.fromisoformat(word.strip(",.;"))
    except ValueError:
        return None
    if "T" not in word.upper():
        return None
    _refuse_year(at.year)
    return begin_at(at, zone) if at.tzinfo is None else at.astimezone(UTC)


def _day(words: Sequence[str], today: date) -> tuple[date | None, int]:
    """The day that the first words name, and how many those are."""
    word = words[0] if words else ""
    if word in ("today", "tomorrow"):
        return today + (word == "tomorrow") * _DAY, 1
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", word):
        try:
            found = date.fromisoformat(word)
        except ValueError:
            raise ValueError(f"there is no day {word!r}") from None
        _refuse_year(found.year)
        return found, 1
    weekday = _which(word, _WEEKDAYS)
    if weekday is not None:
        return today + (weekday - today.weekday()) % 7 * _DAY, 1
    return _of_month(words, today)


def _of_month(words: Sequence[str], today: date) -> tuple[date | None, int]:
    """`24 dec` or `dec 24`: the next such day."""
    first, second = (*words[:2], "", "")[:2]
    number, month = (first, _which(second, _MONTHS)) if first.isdigit() else (second, _which(first, _MONTHS))
    if month is None or not re.fullmatch("[0-9]{1,2}", number):
        return None, 0
    for year in range(today.year, today.year + 9):  # a leap day may be as far off as that
        try:
            found = date(year, month + 1, int(number))
        except ValueError:
            continue
        if found >= today:
            return found, 2
    raise ValueError(f"there is no day {first} {second}")


def _time(words: Sequence[str]) -> tuple[time | None, int]:
    """The time of day that the first word says; a number alone could be anything."""
    skip = int(words[:1] == ["at"])
    word = words[skip] if len(words) > skip else ""
    if word in _NAMED_TIMES:
        return _NAMED_TIMES[word], skip + 1
    found = _TIME.fullmatch(word)
    if found is None or not (found["minute"] or found["half"]):
        return None, 0
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"there is no time {word!r}")
        hour = hour % 12 + 12 * (found["half"] == "pm")
    if hour > 23 or minute > 59:
        raise ValueError(f"there is no time {word!r}")
    return time(hour, minute), skip + 1


def _next(at: time, now: datetime, zone: ZoneInfo) -> datetime:
    today = now.astimezone(zone).date()
    instants = (begin_at(datetime.combine(today + days * _DAY, at), zone) for days in range(3))
    return next(instant for instant in instants if instant > now)


def _which(word: str, names: Sequence[str]) -> int | None:
    """Which of these a word is, in full or in three or four letters."""
    if len(word) < 3:
        return None
    known = [name for name in names if name == word or (len(word) <= 5 and name.startswith(word))]
    return names.index(known[0]) if len(known) == 1 else None


def _refuse_year(year: int) -> None:
    if not 2000 <= year <= _LAST_YEAR:
        raise ValueError(f"must be a year from 2000 to {_LAST_YEAR}, not {year}")
