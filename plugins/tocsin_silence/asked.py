"""What a line asks for, such as `k7f3 2h because of the move`, in the order in which people say it. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from tocsin.api import Refused, bare, parse_duration

_UNIT = re.compile("([smhdw])(?:ecs?|econds?|ins?|inutes?|rs?|ours?|ays?|eeks?)?")
_ALERT = re.compile(r"all|mine|[a-z][0-9][a-z0-9]{2,}")


@dataclass(frozen=True)
class Asked:
    """alerts: as they were named, or nothing. length: None if none was said. because: why."""

    alerts: str = ""
    length: timedelta | None = None
    because: str = ""

    @classmethod
    def read(cls, words: Iterable[str]) -> "Asked":
        """Read the words behind a command: an alert and a length of time, either first, and then why.

        Raises Refused for what is neither: a word that begins with a digit must be a length of time.
        """
        left = [word for word in words if word]
        alerts, length = list[str](), None
        while left:
            if left[0].lower() == "for" and left[1:] and left[1][:1].isdigit():
                left.pop(0)
            word = bare(left[0])
            if length is None and word[:1].isdigit():
                unit = _UNIT.fullmatch(bare(left[1])) if word.isdigit() and left[1:] else None
                if unit:  # 2 hours
                    left.pop(0)
                length = _length(f"{word}{unit[1]}" if unit else word)
            elif _ALERT.fullmatch(word) or (not alerts and length is None):
                alerts.append(left[0])
            else:
                break
            left.pop(0)
        if left[:1] and bare(left[0]) == "because" and left[1:]:
            left.pop(0)
        return cls(" ".join(alerts), length, " ".join(left))


def _length(word: str) -> timedelta:
    try:
        return parse_duration(word)
    except ValueError as error:
        raise Refused(str(error)) from None
