"""Metrics that live by the day and the week, incidents laid over them, and when each is truly over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tocsin_verification.judge.judging import Judge
from tocsin_verification.judge.verdict import Direction, Floats, Kind, Question, Verdict

NOON = 1_790_000_000.0 - 1_790_000_000.0 % 86400 + 43200
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@dataclass(frozen=True)
class Incident:
    """A metric that goes bad.

    over: from when on nothing of it is left, in seconds since 1970; infinity if it never ends. bad: while it is plainly bad,
    from and to. until: how far the samples go.
    """

    question: Question
    at: Floats
    values: Floats
    over: float
    bad: tuple[tuple[float, float], ...]
    until: float
    accepted: float | None = None


@dataclass(frozen=True)
class Metric:
    """level: its mean. daily, weekly: by what part the day and the weekend move it. noise: of one sample, as part of it."""

    level: float = 100.0
    daily: float = 0.4
    weekend: float = 0.3
    noise: float = 0.03
    step: float = 300.0
    direction: Direction = Direction.HIGH

    def healthy(self, at: Floats, rng: np.random.Generator) -> Floats:
        swing = 1 + self.daily * np.sin(2 * np.pi * (at % DAY) / DAY)
        swing = swing * np.where((at // DAY + 3) % 7 >= 5, 1 - self.weekend, 1.0)  # 1970 began on a Thursday
        return np.maximum(self.level * swing * (1 + self.noise * rng.standard_normal(len(at))), 0.0)


Shape = Callable[[Floats], Floats]
"""Minutes since the onset to how much of the incident shows."""


def steps(*parts: tuple[float, float]) -> Shape:
    """From each minute on so much."""

    def shape(minutes: Floats) -> Floats:
        shown = np.zeros_like(minutes)
        for since, much in parts:
            shown = np.where(minutes >= since, much, shown)
        return shown

    return shape


SHAPES: Mapping[str, tuple[Shape, tuple[tuple[float, float], ...], float]] = {
    "at once": (steps((0, 1), (60, 0)), ((0, 60),), 60),
    "brief": (steps((0, 1), (20, 0)), ((0, 20),), 20),
    "half-way": (steps((0, 1), (40, 0.35), (130, 0)), ((0, 130),), 130),
    "flapping": (
        steps((0, 1), (15, 0), (30, 1), (40, 0), (55, 1), (70, 0)),
        ((0, 15), (30, 40), (55, 70)),
        70,
    ),
    "slowly": (lambda m: np.where(m < 0, 0, np.clip((90 - m) / 60, 0, 1)), ((0, 80),), 90),
    "never": (steps((0, 1), (40, 0.4)), ((0, np.inf),), np.inf),
    "silent": (steps((0, 1)), ((0, np.inf),), np.inf),
}
"""Name -> how it goes, when it is plainly bad, and when it is over, in minutes since the onset."""


def laid(shape: str, metric: Metric, seed: int, size: float = 1.5, days: float = 15.0) -> Incident:
    """An incident of this shape over this metric. size: as part of its level. days: of history."""
    rng = np.random.default_rng([seed, sorted(SHAPES).index(shape)])
    onset = NOON + rng.integers(0, 7 * 24) * HOUR
    how, bad, over = SHAPES[shape]
    until = onset + 6 * HOUR
    at = np.arange(onset - days * DAY, until, metric.step)
    sign = -0.6 / size if metric.direction is Direction.LOW else 1.0
    values = metric.healthy(at, rng) * (1 + sign * size * how((at - onset) / MINUTE))
    if shape == "silent":
        kept = at < onset + 20 * MINUTE
        at, values = at[kept], values[kept]
    question = Question(onset + 5 * MINUTE, metric.step, metric.direction)
    return Incident(
        question,
        at,
        values,
        onset + over * MINUTE,
        tuple((onset + begin * MINUTE, onset + end * MINUTE) for begin, end in bad),
        until,
    )


def counted(incident: Incident, restarts: tuple[float, ...]) -> Incident:
    """The same as a counter that grows by each value in a second, and begins anew at these times."""
    question = Question(
        incident.question.alert_at, incident.question.step, incident.question.direction, Kind.COUNTER
    )
    total = np.cumsum(incident.values * incident.question.step)
    for restart in restarts:
        after = int(np.searchsorted(incident.at, restart))
        total[after:] -= total[after] - 10.0
    return Incident(question, incident.at, total, incident.over, incident.bad, incident.until)


def played(incident: Incident, every: float = 300.0) -> list[tuple[float, Verdict]]:
    """What one judge says of it, look by look."""
    judge = Judge(incident.question)
    said = []
    now = incident.question.alert_at
    while now < incident.until:
        known = int(np.searchsorted(incident.at, now, side="right"))
        accepted = incident.accepted if incident.accepted is not None and now >= incident.accepted else None
        said.append((now, judge.verdict(incident.at[:known], incident.values[:known], now, accepted)))
        now += every
    return said
