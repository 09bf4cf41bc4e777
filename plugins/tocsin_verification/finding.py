"""Finds what an alert watches at a source: its own expression, and of the series that this gives the alert's own."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tocsin.api import Source
from tocsin_verification.expressions import Own, choose, narrowed, take_apart
from tocsin_verification.reading import FINE, MOST_SERIES


@dataclass(frozen=True)
class Found:
    """What to look at. own: with an expression that gives few series. labels: those of the alert's own among them."""

    own: Own
    labels: Mapping[str, str]


async def find(source: Source, expression: str, labels: Mapping[str, str], now: float) -> Found:
    """What an alert with this expression and these labels watches; the source is asked once for how it is now.

    Raises Unfit with the reason, for the end of a sentence about the alert's expression, or Unreadable.
    """
    own = await asyncio.to_thread(take_apart, expression)  # of a hostile one it may take half a second
    series = await source.read(own.expression, now, now, FINE)
    chosen = choose(series, labels)
    if len(series) > MOST_SERIES:
        own = replace(own, expression=narrowed(own.expression, chosen, series))
    return Found(own, dict(chosen.labels))
