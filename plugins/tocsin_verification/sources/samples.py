"""What a server answered, made into series: it may hold anything. Pure; for much of it, to be run in a thread."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.api import Series

Labels = tuple[tuple[str, str], ...]

Samples = NDArray[np.float64]
"""Two rows: when, and how much."""


def labels_of(found: Any) -> Labels:
    """A series' labels. Raises ValueError if it has none."""
    if not isinstance(found, Mapping) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError("no labels")
    return tuple(sorted(found.items()))


def numbers(found: Sequence[Any]) -> NDArray[np.float64]:
    """Numbers, however they are written; NaN for what is none."""
    try:
        return np.array(list(map(float, found)), np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.array([_number(one) for one in found], np.float64)


def kept(at: Sequence[Any], values: Sequence[Any], since: float, until: float) -> Samples:
    """Those of the time that was asked for, finite and ascending; of two at one time the last."""
    found = np.array((numbers(at), numbers(values)))
    found = found[:, np.isfinite(found[1]) & (found[0] >= since) & (found[0] <= until)]
    if (np.diff(found[0]) <= 0).any():
        _, last = np.unique(found[0, ::-1], return_index=True)
        found = found[:, ::-1][:, last]
    return found


def series(parts: Iterable[Mapping[Labels, Samples]]) -> Sequence[Series]:
    """Those that have samples, in the order of their labels. parts: of the time, one after another."""
    found: dict[Labels, list[Samples]] = {}
    for part in parts:
        for labels, samples in part.items():
            found.setdefault(labels, []).append(samples)
    whole = {labels: np.concatenate(samples, axis=1) for labels, samples in sorted(found.items())}
    return [
        Series(dict(labels), samples[0].tolist(), samples[1].tolist())
        for labels, samples in whole.items()
        if samples.size
    ]


def _number(found: Any) -> float:
    try:
        return float(found)
    except (TypeError, ValueError, OverflowError):
        return math.nan
