"""When the trouble truly began: an alert fires only after a while, and what lies between is no baseline."""

import numpy as np

from tocsin_verification.judge.bins import Bins
from tocsin_verification.judge.expectation import expected
from tocsin_verification.judge.verdict import Floats

FURTHEST_BACK = 13
"""Bins before the alert in which it is looked for: a rule that waits, on a rate over minutes, is late by an hour at most."""

FURTHEST_BACK_COARSE = 5
"""The same of bins of half an hour and more."""

BEFORE = 1
"""Bins that are left out before the first that shows the trouble: its first trace lies below the noise."""

AT_LEAST = 3
"""Bins before the alert that are left out in any case."""

OF_SIZE = 0.1
"""A bin belongs to the trouble that is off by so much of what it was at the alert, beside the error and the noise."""


def onset(bins: Bins, values: Floats, sides: tuple[int, ...]) -> int:
    """The place of the bin from which on the values are not relied on as baseline.

    The cumulative sum of how far each bin is off what was expected an hour before the alert is largest, counted back from
    the alert, where the trouble begins (Page's CUSUM test, read backwards).
    """
    size = len(values)
    back = min(FURTHEST_BACK_COARSE if bins.coarse else FURTHEST_BACK, max(size // 2 - 1, 1))
    origin = size - 1 - back
    before = expected(bins, values, origin, back + 2)
    off = bins.values[origin + 1 :] - before.mean[:back]
    error = np.sqrt(before.noise**2 + before.error[:back] ** 2)
    latest = np.abs(off[-3:])
    latest = latest[np.isfinite(latest)]
    scale = OF_SIZE * (float(latest.max()) if len(latest) else 0.0) + error
    first, most = back - 1, 0.0
    for side in sides:
        signs = np.where(np.isfinite(off), side * off / scale, 1.0)
        summed = np.cumsum(np.clip(signs - 1.0, -4.0, 4.0)[::-1])[::-1]
        best = int(np.argmax(summed))
        if summed[best] > most:
            first, most = best, float(summed[best])
    return max(min(origin + 1 + first, size - AT_LEAST) - BEFORE, 1)
