"""Feeds: what people's programs fetch again and again, such as a calendar.

Each has an address that `tx.signed` made, as a button has: who was given it may read, and nobody else gets as far as a plugin.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tocsin.transaction import Transaction


@dataclass(frozen=True)
class Feed:
    """What is fetched at `/PATH/TEXT.SIGNATURE`, and `ending` behind that.

    path: one word. find: gets the text that was signed, and a turn in which it changes nothing; whatever is needed to write
    it, or None for an address that is good no more. write: makes the bytes of that; pure, and as slow as it must be, for it
    is run beside all else. type: theirs. ending: such as `.ics`, for programs that look at it.
    """

    path: str
    find: Callable[[str, Transaction], Any]
    write: Callable[[Any], bytes]
    type: str
    ending: str = ""


class FeedsByPath(dict[str, Feed]):
    """All the feeds that there are."""
