"""Finds what an alert watches at a source: of the series that its own expression gives the alert's own."""

from collections.abc import Mapping
from dataclasses import dataclass

from tocsin_verification.expressions import choose, narrowed
from tocsin_verification.reading import MOST_SERIES, Reader


@dataclass(frozen=True)
class Meant:
    """What to look at. expression: it gives few series. labels: those of the alert's own among them."""

    expression: str
    labels: Mapping[str, str]


async def find(reader: Reader, source: str, expression: str, labels: Mapping[str, str], now: float) -> Meant:
    """What an alert with these labels watches, by its expression without the comparison; the source is asked how it is now.

    Raises Unfit with the reason, for the end of a sentence about the alert's expression, or Unreadable.
    """
    series = await reader.at_once(source, expression, now)
    chosen = choose(series, labels)
    if len(series) > MOST_SERIES:
        expression = narrowed(expression, chosen, series)
    return Meant(expression, dict(chosen.labels))
