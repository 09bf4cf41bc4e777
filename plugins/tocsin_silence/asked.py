"""What a line asks for, such as `k7f3 2h because of the move`, in the order in which people say it. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tocsin.api import Refused, bare, parse_length, parse_moment

_ALERT = re.compile(r"all|mine|[a-z][0-9][a-z0-9]{2,}")
_UNTIL = ("until", "till", "til")


@dataclass(frozen=True)
class Asked:
    """alerts: as they were named, or nothing. length: None if none was said. because: why."""

    alerts: str = ""
    length: timedelta | None = None
    because: str = ""

    @classmethod
    def read(cls, words: Iterable[str], now: datetime, zone: ZoneInfo) -> "Asked":
        """Read the words behind a command: an alert and for how long or until when, either first, and then why.

        zone: where a time is that they say. Raises Refused for what is neither: a word that begins with a digit must be a
        length of time, and what stands behind `until` a time.
        """
        left = [word for word in words if word]
        alerts, length = list[str](), None
        while left:
            taken = 0
            if length is None:
                length, taken = _length(left, now, zone)
            if not taken and (_ALERT.fullmatch(bare(left[0])) or (not alerts and length is None)):
                alerts.append(left[0])
                taken = 1
            if not taken:
                break
            del left[:taken]
        if left[:1] and bare(left[0]) == "because" and left[1:]:
            left.pop(0)
        return cls(" ".join(alerts), length, " ".join(left))


def _length(words: Sequence[str], now: datetime, zone: ZoneInfo) -> tuple[timedelta | None, int]:
    """The length of time that the first words say, `2h` or `until 09:00`, and how many they are; None for no length."""
    try:
        if bare(words[0]) in _UNTIL:
            until, taken = parse_moment(words[1:], now, zone)
            return until - now, taken + 1
        length, taken = parse_length(words)
    except ValueError as error:
        raise Refused(str(error)) from None
    return (length, taken) if taken else (None, 0)
