"""What a line asks for, such as `ops for 30m because I sleep badly`, in the order in which people say it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tocsin.api import UsageError, bare, full_minute, parse_end, parse_length, parse_moment

MOST_BECAUSE = 200


@dataclass(frozen=True)
class Asked:
    """names: of people and schedules, as they were said. until, length: when it ends, or how long it lasts, whichever was
    said. because: why.
    """

    names: tuple[str, ...] = ()
    until: datetime | None = None
    length: timedelta | None = None
    because: str = ""

    @classmethod
    def read(cls, text: str, now: datetime, zone: ZoneInfo, *, most_names: int = 1) -> "Asked":
        """Names, and then `for 30m`, `30m` or `until 09:00`, and then why. Raises UsageError."""
        words, because = _because(text)
        names = list[str]()
        while words and len(names) < most_names and not _begins_end(words):
            names.append(bare(words.pop(0)).removeprefix("@"))
        until, length, taken = _end(words, now, zone)
        _refuse_more(words[taken:])
        return cls(tuple(names), until, length, because)


@dataclass(frozen=True)
class Span:
    """A time that somebody asks for. names, because: as in `Asked`."""

    names: tuple[str, ...]
    start: datetime
    end: datetime
    because: str = ""

    @classmethod
    def read(cls, text: str, now: datetime, zone: ZoneInfo) -> "Span":
        """`ops bob [for alice] fri 18:00 mon 09:00`, `ops bob now 2h`, `… from … until …`. Raises UsageError."""
        words, because = _because(text)
        if len(words) < 2:
            raise UsageError("")
        names = [bare(word) for word in words[:2]]
        words = words[2:]
        if words[:1] == ["for"] and len(words) > 1 and not words[1][:1].isdigit():
            names.append(bare(words[1]))
            words = words[2:]
        words = words[1:] if words[:1] == ["from"] else words
        start, taken = _moment(words, now, zone)
        start, words = max(start, now), words[taken:]
        if words[:1] in (["to"], ["-"], ["\u2013"]):
            words[0] = "until"
        if words[:1] == ["until"] or _begins_length(words):
            until, length, taken = _end(words, start, zone)
            end = full_minute(start + length) if length else until
        else:
            end, taken = _moment(words, start, zone)
        _refuse_more(words[taken:])
        if end is None or end <= start:
            raise UsageError("it ends before it begins: ")
        return cls(tuple(names), start, end, because)


@dataclass(frozen=True)
class Swap:
    """mine: in what time my shift is. theirs: the same of theirs, if that was said. schedule: empty if it was not."""

    schedule: str
    mine: tuple[datetime, datetime]
    other: str
    theirs: tuple[datetime, datetime] | None

    @classmethod
    def read(cls, text: str, now: datetime, zone: ZoneInfo, schedules: Sequence[str]) -> "Swap":
        """`[ops] fri with bob [for mon]`. Raises UsageError."""
        words = text.lower().split()
        schedule = words.pop(0) if words and bare(words[0]) in schedules else ""
        if "with" not in words[:-1]:
            raise UsageError("")
        place = words.index("with")
        mine = _about(words[:place], now, zone)
        other, rest = bare(words[place + 1]), words[place + 2 :]
        theirs = None
        if rest[:1] == ["for"]:
            theirs = _about(rest[1:], now, zone)
        else:
            _refuse_more(rest)
        return cls(bare(schedule), mine, other, theirs)


def _about(words: Sequence[str], now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """An instant, or all of a day that is named without a time."""
    at, taken = _moment(words, now, zone)
    _refuse_more(words[taken:])
    here = at.astimezone(zone)
    whole_day = not any(":" in word or word.endswith(("am", "pm")) or word in _TIMES for word in words)
    return at, at + (
        timedelta(days=1) if whole_day and not (here.hour or here.minute) else timedelta(minutes=1)
    )


_TIMES = ("now", "noon", "midnight")


def _because(text: str) -> tuple[list[str], str]:
    words = text.split()
    place = next((n for n, word in enumerate(words) if word.lower() in ("because", "reason:")), len(words))
    return [word.lower() for word in words[:place]], " ".join(words[place + 1 :])[:MOST_BECAUSE]


def _begins_end(words: Sequence[str]) -> bool:
    return (
        words[0] in ("until", "till", "til")
        or words[0][:1].isdigit()
        or (words[0] == "for" and len(words) > 1)
    )


def _begins_length(words: Sequence[str]) -> bool:
    """Whether they say a length, and not a time such as `09:00`."""
    try:
        return parse_length(words)[1] > 0
    except ValueError:
        return False


def _end(
    words: Sequence[str], now: datetime, zone: ZoneInfo
) -> tuple[datetime | None, timedelta | None, int]:
    """Until when, if that is said so; how long, if that is; and how many words say it."""
    try:
        until, taken = parse_end(words, now, zone)
        length, _ = parse_length(words)
    except ValueError as error:
        raise UsageError(f"the time {error}: ") from None
    if until is not None and until <= now:
        raise UsageError("that is over already: ")
    return (None, length, taken) if length else (until, None, taken)


def _moment(words: Sequence[str], now: datetime, zone: ZoneInfo) -> tuple[datetime, int]:
    try:
        at, taken = parse_moment(words, now, zone)
    except ValueError as error:
        raise UsageError(f"the time {error}: ") from None
    return full_minute(at), taken


def _refuse_more(words: Sequence[str]) -> None:
    if words:
        raise UsageError(f"{words[0]!r} is too much: ")
