"""Events: what happened, in the past tense, for ever; and the short ids that people type."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened. Its kind is never renamed; a field is only ever added, with a default.

    kind: `owner.past_tense`, such as `deploys.landed`.
    subject: the id of what it happened to.
    at: when it happened, aware; it may lie before the instant at which it is recorded.
    by: the person who did it; empty for Tocsin itself.
    matters: whether it stands in the timeline of the incident to which the alert belongs that it happened to.
    outdated_by: the kind of event, its own perhaps, after which nobody reads this one any more once that too is old: about
    the same subject. passing: once it is old, nobody reads it any more. Of events about what ends neither need be said:
    they go with it.
    """

    kind: ClassVar[str]
    matters: ClassVar[bool] = False
    outdated_by: ClassVar[str] = ""
    passing: ClassVar[bool] = False

    subject: str
    at: datetime
    by: str = ""

    def headline(self) -> str:
        """What happened, in one line that says it without its subject and its time."""
        raise NotImplementedError


LETTERS = "abcdefghjkmnpqrstuvwxyz"  # without i, l and o, which look like digits
DIGITS = "23456789"
ALPHABET = LETTERS + DIGITS
"""What ids and codes are made of that people type."""

_GOLDEN = 0.6180339887  # multiples of this part of a circle never come to lie close together


def short_id(number: int) -> str:
    """The id that people type for the `number`-th subject, from 0 on: `k7f3`; no two are alike.

    A letter and a digit, so that it is neither a word nor a number, then two more of either, and one more
    place each time all ids of a length are used up. Ids that follow one another look unlike each other.
    """
    tail = 2
    count = len(LETTERS) * len(DIGITS) * len(ALPHABET) ** tail
    while number >= count:
        number -= count
        tail += 1
        count *= len(ALPHABET)
    step = int(count * _GOLDEN)
    while math.gcd(step, count) != 1:  # else some would come twice
        step += 1
    number = (number + 1) * step % count
    text = ""
    for alphabet in (*[ALPHABET] * tail, DIGITS, LETTERS):
        number, digit = divmod(number, len(alphabet))
        text = alphabet[digit] + text
    return text
