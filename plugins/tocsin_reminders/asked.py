"""What somebody types behind `!status`: a text, and when the next one comes. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tocsin.api import Message, Refused, UsageError, bare, full_minute, parse_length, parse_moment, spelled

LONGEST_TEXT = 1000
LONGEST_WAIT = timedelta(days=7)

_FILLING = frozenset({"update", "in", "by", "at", "on", "around", "about", "for"})
"""What people type between `next` and a time."""

_TIME_OF_DAY = re.compile(r"[0-9]:[0-9]|[0-9](am|pm)\b|\b(noon|midnight)\b|[0-9]t[0-9]")
_LIKE_A_TIME = re.compile(
    "[-+]?[0-9].*|now|never|noon|midnight|today|tomorrow|tonight|yesterday|soon|later|"
    "(mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun)|(mon|tues|wednes|thurs|fri|satur|sun)day"
)


@dataclass(frozen=True)
class Asked:
    """An update. next_at: when the next one comes, on a full minute; None if that is not said."""

    text: str
    next_at: datetime | None = None

    @classmethod
    def read(cls, words: str, now: datetime, zone: ZoneInfo) -> "Asked":
        """zone: that of whoever says it. Raises Refused."""
        left = words.split()
        named = [place for place, word in enumerate(left) if bare(word) == "next"]
        next_at = None
        if named:
            behind = left[named[-1] + 1 :]
            while behind and bare(behind[0]) in _FILLING:
                behind = behind[1:]
            next_at = _moment(behind, now, zone)
            if next_at is not None:
                left = left[: named[-1]]
        text = " ".join(left).rstrip(" \u00b7,;-")
        if len(text) > LONGEST_TEXT:
            raise Refused(
                f"an update has at most {LONGEST_TEXT:,} characters, and this has {len(text):,}: say the rest in the room"
            )
        if next_at is not None and not text:
            raise UsageError("what is new? If nothing is, say so: 'no change yet next 30m'")
        return cls(Message(text).text, next_at)  # what hides in a line, or breaks it, is taken out there


def _moment(words: Sequence[str], now: datetime, zone: ZoneInfo) -> datetime | None:
    """The instant that all of these words say; None if they are not meant as one, as in `we try the next host`.

    Raises UsageError.
    """
    said = f"'next {' '.join(words[:4])}'"
    at = _after(words, now) or _at(words, now, zone)
    if at is None:
        if words and _LIKE_A_TIME.fullmatch(bare(words[0])):
            raise UsageError(
                f"{said} is no time: end with a length, as in 'next 30m', or a time, as in 'next 14:30'"
            )
        return None
    if at <= now:
        raise UsageError(f"{said} is over: say when the next update comes, as in 'next 30m' or 'next 14:30'")
    if at - now > LONGEST_WAIT:
        raise UsageError(f"{said} is too far off: the next update comes within {spelled(LONGEST_WAIT)}")
    return full_minute(at)


def _after(words: Sequence[str], now: datetime) -> datetime | None:
    try:
        length, taken = parse_length(words)
    except ValueError:
        return None
    return now + length if taken == len(words) > 0 else None


def _at(words: Sequence[str], now: datetime, zone: ZoneInfo) -> datetime | None:
    try:
        at, taken = parse_moment(words, now, zone)
    except ValueError:
        return None
    if taken != len(words):
        return None
    plain = " ".join(map(bare, words))
    if plain != "now" and not _TIME_OF_DAY.search(plain):
        raise UsageError(f"'next {plain}' names no time of day: say it too, as in 'next {plain} 09:00'")
    return at
