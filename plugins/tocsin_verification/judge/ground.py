"""What is known of a series from before an incident: its history, the onset, and what is expected since."""

from dataclasses import dataclass, field

import numpy as np

from tocsin_verification.judge.bins import (
    SHORTEST_BIN,
    Bins,
    binned,
    tidy,
    without_past_incidents,
    without_spikes,
)
from tocsin_verification.judge.expectation import Expectation, expected
from tocsin_verification.judge.onset import onset
from tocsin_verification.judge.verdict import Direction, Floats, Question

TOO_SHORT = 4
"""Bins of history without which there is no baseline."""

AHEAD_AT_FIRST = 12 * 3600.0
"""Seconds for which the expectation is made at first; twice as long each time that it doesn't suffice."""

_SIDES = {Direction.HIGH: (1,), Direction.LOW: (-1,), Direction.BOTH: (1, -1)}


@dataclass
class Ground:
    """What the judge stands on.

    values: of the bins, without what is no baseline: past incidents, spikes, and all from the onset on. begins: the place
    of the onset's bin. longest_step: what nearly all samples are apart at most, in seconds. samples: up to the alert, of
    which it was made. enough: whether there is a baseline at all.
    """

    question: Question
    bins: Bins
    values: Floats
    begins: int
    longest_step: float
    samples: int
    enough: bool
    _expected: Expectation | None = field(default=None, init=False)

    @classmethod
    def learnt(cls, question: Question, at: Floats, values: Floats) -> "Ground":
        """From the samples up to the alert."""
        times, read = tidy(at, values, question)
        bins = binned(times, read, question)
        known = without_past_incidents(bins)
        begins = max(len(known) - 2, 0)
        enough = bool(np.isfinite(known[:-1]).sum() >= TOO_SHORT)
        if enough:
            known = without_spikes(known, bins)
            begins = onset(bins, known, _SIDES[question.direction])
            enough = bool(np.isfinite(known[:begins]).sum() >= TOO_SHORT)
        known = known.copy()
        known[begins:] = np.nan
        steps = np.diff(times[-2000:])
        longest = float(np.quantile(steps, 0.9)) if len(steps) > 3 else 0.0
        return cls(question, bins, known, begins, longest, len(at), enough)

    @property
    def sides(self) -> tuple[int, ...]:
        """Where it does harm: 1 above the baseline, -1 below."""
        return _SIDES[self.question.direction]

    @property
    def onset_at(self) -> float:
        """When the trouble began, in seconds since 1970."""
        return float(self.bins.starts(self.begins, self.begins + 1)[0])

    @property
    def sizes_at_alert(self) -> tuple[float, ...]:
        """How far off it was by the alert, on each side that does harm."""
        until = len(self.bins.values) - self.begins
        off = self.bins.values[self.begins :] - self.expectation(self.question.alert_at).mean[:until]
        off = off[np.isfinite(off)]
        return tuple(float(np.max(side * off)) if len(off) else 0.0 for side in self.sides)

    def expectation(self, until: float) -> Expectation:
        """What is expected from the onset until then, and further."""
        if self._expected is None or until > self._expected.at[-1]:
            at_first = AHEAD_AT_FIRST * max(self.bins.width / SHORTEST_BIN, 1.0) ** 0.5
            until = max(until, self.question.alert_at + at_first)
            ahead = int((until - self.onset_at) / self.bins.width) + 2
            if self._expected is not None:
                ahead = max(ahead, 2 * len(self._expected.at))
            self._expected = expected(self.bins, self.values, self.begins - 1, ahead)
        return self._expected
