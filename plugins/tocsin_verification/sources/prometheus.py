"""Prometheus, and what has its API: Thanos, Mimir, VictoriaMetrics."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tocsin.api import Series
from tocsin_verification.apart import apart
from tocsin_verification.sources.http import MOST_SERIES, Answer, Server
from tocsin_verification.sources.samples import Labels, Samples, kept, labels_of, series
from tocsin_verification.sources.settings import SourceSettings

PATH = "api/v1/query_range"

SIMPLEST = {"query": "1", "start": "0", "end": "0", "step": "60"}

MOST_POINTS = 5000
"""So many points of time are asked at once. Prometheus answers 11,000 at most; less keeps an answer short, which is read in
one go."""

MOST_AT_ONE_TIME = 5000
"""So many if they are asked for at a single point of time, as when one of them is looked for."""


@dataclass(frozen=True)
class Prometheus:
    """Read by its HTTP API. The expression is sent as the value that it is, whatever stands in it."""

    server: Server

    @classmethod
    def of(cls, name: str, settings: SourceSettings) -> Self:
        """The one that these settings name."""
        return cls(Server(name, settings, PATH, SIMPLEST))

    async def answers(self) -> None:
        """Ask it the simplest that there is. Raises Unreadable."""
        answer = await self.server.ask(SIMPLEST)
        await apart(self._read, answer, 0, 0, MOST_SERIES)

    async def read(self, expression: str, start: float, end: float, step: float) -> Sequence[Series]:
        parts = list[Mapping[Labels, Samples]]()
        for first, last in _parts(start, end, step):
            form = {
                "query": expression,
                "start": f"{first:.3f}",
                "end": f"{last:.3f}",
                "step": f"{step:g}",
                "timeout": f"{self.server.settings.answers_within.total_seconds():g}",
            }
            answer = await self.server.ask(form)
            most = MOST_AT_ONE_TIME if first == last else MOST_SERIES
            # Apart, since it takes long for much, and others wait for the event loop.
            parts.append(await apart(self._read, answer, first, last, most))
        found = await apart(series, parts)
        if len(found) > MOST_SERIES and start < end:
            self._too_many(len(found))
        return found

    def _read(self, answer: Answer, since: float, until: float, most: int) -> Mapping[Labels, Samples]:
        """What an answer holds. Raises Unreadable."""
        self.server.judge(answer)
        try:
            body: Any = json.loads(answer.body)
        except (ValueError, RecursionError):
            body = None
        if answer.status != 200:
            self._complain(answer.status, body)
        try:
            found = body["data"]["result"]
            if len(found) > most:
                self._too_many(len(found))
            return {labels_of(one["metric"]): _samples(one["values"], since, until) for one in found}
        except (TypeError, LookupError, ValueError):
            self.server.misplaced("answers with something else than Prometheus does")

    def _complain(self, status: int, body: Any) -> None:
        """Raise Unreadable with what it says itself: it knows best what is wrong with an expression."""
        said = self.server.words(body.get("error")) if isinstance(body, dict) else ""
        if said:
            self.server.fails(f"refuses the question: {said}", down=False)
        if status in (400, 422):
            self.server.fails(f"refuses the question (it answers {status})", down=False)
        self.server.fails(f"answers {status}")

    def _too_many(self, count: int) -> None:
        self.server.fails(
            f"has {count} series for this expression, and {MOST_SERIES} can be watched: "
            'name fewer, as in up{job="db"}, or add them up, as by sum(…)',
            down=False,
        )


def _parts(start: float, end: float, step: float) -> Iterator[tuple[float, float]]:
    """The first and the last point of each stretch that is asked at once; all points are multiples of the step, but for
    one that is asked for alone: it is a whole millisecond, as Prometheus reckons, so that its answer is of that time.
    """
    if start == end:
        yield round(start, 3), round(end, 3)
        return
    first, last = math.ceil(start / step), math.floor(end / step)
    for begin in range(first, last + 1, MOST_POINTS):
        yield begin * step, min(begin + MOST_POINTS - 1, last) * step


def _samples(values: Any, since: float, until: float) -> Samples:
    pairs = [(at, value) for at, value in values]
    return kept([at for at, _ in pairs], [value for _, value in pairs], since, until)
