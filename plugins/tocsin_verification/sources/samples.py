"""What a server answered, made into series: it may hold anything. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tocsin.api import Series

Labels = tuple[tuple[str, str], ...]

Pairs = list[tuple[float, float]]
"""When, and how much."""


def labels_of(found: Any) -> Labels:
    """A series' labels. Raises TypeError or ValueError if it has none."""
    if not isinstance(found, Mapping) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError("no labels")
    return tuple(sorted(found.items()))


def number(found: Any) -> float:
    """A number, however it is written; NaN for what is none."""
    if isinstance(found, (str, int, float)) and not isinstance(found, bool):
        try:
            return float(found)
        except (ValueError, OverflowError):
            return math.nan
    return math.nan


def kept(pairs: Iterable[tuple[float, float]], since: float, until: float) -> Pairs:
    """Those of the time that was asked for, finite and ascending."""
    found = [(at, value) for at, value in pairs if since <= at <= until and math.isfinite(value)]
    if any(one[0] >= next_[0] for one, next_ in pairwise(found)):
        found = sorted(dict(found).items())
    return found


def series(found: Mapping[Labels, Pairs]) -> Sequence[Series]:
    """Those that have samples, in the order of their labels."""
    return [
        Series(dict(labels), [at for at, _ in pairs], [value for _, value in pairs])
        for labels, pairs in sorted(found.items())
        if pairs
    ]
