"""What the judge is asked about one series, and what it answers."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Direction(StrEnum):
    """Which side of the baseline does harm."""

    HIGH = "high_bad"
    LOW = "low_bad"
    BOTH = "both_bad"


class Kind(StrEnum):
    """What the samples are. COUNTER: raw, it only grows, but for restarts of what counts."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Verdict(StrEnum):
    """How a series stands.

    NOT_YET: the incident shows. RECOVERING: better, or back for too short a time to be relied on. ALL_CLEAR: back
    at its baseline, and for so long that it is expected to stay. CANT_TELL: the data allow no verdict.
    """

    NOT_YET = "not_yet"
    RECOVERING = "recovering"
    ALL_CLEAR = "all_clear"
    CANT_TELL = "cant_tell"


@dataclass(frozen=True)
class Question:
    """What is known of an incident when it is opened.

    alert_at: when the alert fired, in seconds since 1970; the trouble began some time before. step: between samples,
    as they come now, in seconds. tolerance: what part of the baseline a deviation may have and still count as baseline.
    """

    alert_at: float
    step: float
    direction: Direction = Direction.BOTH
    kind: Kind = Kind.GAUGE
    tolerance: float = 0.10


@dataclass(frozen=True)
class Band:
    """What is normal, over a stretch of time: arrays of one length, in the metric's unit.

    at: seconds since 1970. low, high: what counts as back lies between them (a side that does no harm is open in the
    judgement, and shown here all the same).
    """

    at: Floats
    expected: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Judgement:
    """What the judge says of a series at a time, and from what.

    Values are in the metric's own unit (of a counter: its growth in a second); times are seconds since 1970; None is
    what isn't known. value: the mean of the last minutes. expected, low, high: what is normal now. worst: the furthest
    from normal in this incident. onset: when the trouble began. back_since: from when on it is back without a break.
    held, hold: for how many seconds it was back, and for how many it must be. before, yesterday, last_week: the mean
    just before the incident, and around this time a day and a week ago. missing: what is lacking, in words, if the
    verdict is CANT_TELL. relapses: how often it was back for a while and then bad again.
    """

    verdict: Verdict
    at: float
    missing: str = ""
    value: float | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    worst: float | None = None
    onset: float | None = None
    back_since: float | None = None
    held: float = 0.0
    hold: float = 0.0
    before: float | None = None
    yesterday: float | None = None
    last_week: float | None = None
    relapses: int = 0
    band: Band | None = None
