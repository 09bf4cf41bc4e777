"""How likely it is that something of an incident is left, by Bayes' rule: the proof of equivalence.

That no difference can be proven is no proof that there is none. So the question is put the other way round: of a mean that
was measured, how likely is it under each size of leftover, against how likely if nothing is left?
"""

import math
from dataclasses import dataclass, replace

import numpy as np

OF_LEVEL = 1.9
"""The smallest leftover that is looked for, in tolerances of the level: half of that is where people would draw the line.
1.6: 1 % more misses; 2.1: 0.3 % more false all-clears."""

OF_NOISE = 1.2
"""The smallest leftover in deviations of single bins' noise: what is smaller no one can see before an hour is over. 1: 0.2 %
more misses; 1.4: 0.2 % more false all-clears."""

OF_WOBBLE = 1.0
"""The same of half-hours' means, by which the metric moves by itself. 0: 10 min more delay in one case of ten, and of the incidents
that people labelled 2 % more are missed; 1.5: 0.2 % more false all-clears."""

OF_SIZE = 0.015
"""The smallest leftover as part of the incident's size: where the level is nearly nothing, nearly all must be gone. 0.03: 0.3 % more false all-clears; 0.005: no difference."""

LARGEST = 0.6
"""The largest leftover as part of the incident's size; what is more is the incident itself."""

PRIOR = 0.25
"""The odds, before anything is known, that a metric that came down has stopped half-way. From 0.2 to 0.3 it trades misses for
false all-clears as the threshold does."""

OTHER_SIDE = 0.05
"""The same on the side that the incident was not on. 0.25: 15 min more delay in one case of ten; 0.02: no difference."""

OVERSHOOT = 0.35
"""On the other side it was, too, if it went so far there, as part of its size: a backlog that drains."""

MODEL = 0.25
"""No mean is surer than this part of the smallest leftover."""

_SIZES = (np.arange(10) + 0.5) / 10


@dataclass(frozen=True)
class Leftover:
    """What could be left of an incident.

    sides: 1 above, -1 below the baseline, where it does harm. sizes: of the incident on each of them. level: that is
    expected. bias: the standard deviation of the expectation's error. noise: that of single bins; bursts: as wide as
    the rarest of them tell. wobble: that of means over half an hour.
    """

    sides: tuple[int, ...]
    sizes: tuple[float, ...]
    level: float
    bias: float
    noise: float
    tolerance: float
    wobble: float
    bursts: float

    @property
    def of_minutes(self) -> "Leftover":
        """The same for a mean of some minutes: a burst is as long."""
        return replace(self, noise=max(self.noise, self.bursts))

    @property
    def size(self) -> float:
        return max(*self.sizes, 0.0)

    @property
    def smallest(self) -> float:
        return max(
            OF_LEVEL * self.tolerance * abs(self.level),
            OF_NOISE * self.noise,
            OF_WOBBLE * self.wobble,
            OF_SIZE * self.size,
            1e-15,
        )

    def probability(self, off: float, bins: float) -> float:
        """That something is left, given a mean that is so far off, over so many bins. Sizes are taken as equally likely on a
        logarithmic scale, since small leftovers are more common than large ones.
        """
        least = self.smallest
        most = max(LARGEST * self.size, 1.5 * least)
        error = math.sqrt(self.bias**2 + self.noise**2 / max(bins, 0.2) + (MODEL * least) ** 2)
        sizes = least * (most / least) ** _SIZES
        worst = 0.0
        for side, size in zip(self.sides, self.sizes, strict=True):
            mean = side * off
            if mean < 0 and len(self.sides) == 1:
                mean = 0.0  # on the side that does no harm it is as good as at the baseline
            if mean > most:
                logs = 0.0
            else:
                logs = math.log(float(np.mean(np.exp(-0.5 * ((mean - sizes) / error) ** 2))) + 1e-300)
            odds = (
                math.log(PRIOR if size >= OVERSHOOT * self.size else OTHER_SIDE)
                + logs
                + 0.5 * (mean / error) ** 2
            )
            worst = max(worst, 1.0 / (1.0 + math.exp(min(-odds, 700.0))))
        return worst
