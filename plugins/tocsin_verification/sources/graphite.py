"""Graphite, by its render API."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tocsin.api import Series
from tocsin_verification.apart import apart
from tocsin_verification.sources.http import MOST_SERIES, Answer, Server
from tocsin_verification.sources.samples import Labels, Samples, kept, labels_of, numbers, series
from tocsin_verification.sources.settings import SourceSettings

PATH = "render"

SIMPLEST = {"target": "constantLine(1)", "format": "json", "from": "0", "until": "60"}

MOST_POINTS = 5000
"""Of each series; of more Graphite makes means over longer stretches."""

_BEFORE = 15 * 60
"""So much more is asked for, in seconds: how far points lie apart shows only where there are some."""


@dataclass(frozen=True)
class Graphite:
    """The expression is a target, and sent as the value that it is. Points are as far apart as it keeps them, or means over
    `step` seconds where that is longer. A series has its `target` for a label, and its tags.
    """

    server: Server

    @classmethod
    def of(cls, name: str, settings: SourceSettings) -> Self:
        """The one that these settings name."""
        return cls(Server(name, settings, PATH, SIMPLEST))

    async def answers(self) -> None:
        """Ask it the simplest that there is. Raises Unreadable."""
        answer = await self.server.ask(SIMPLEST)
        await apart(self._read, answer, 0, 60, 60)

    async def read(self, expression: str, start: float, end: float, step: float) -> Sequence[Series]:
        since = math.floor(start - _BEFORE)
        form = {
            "target": expression,
            "format": "json",
            "from": f"{since}",
            "until": f"{math.ceil(end)}",
            "maxDataPoints": f"{max(1, min(MOST_POINTS, math.ceil((end - since) / step)))}",
            "noCache": "true",
        }
        answer = await self.server.ask(form)
        # Apart, since it takes long for much, and others wait for the event loop.
        return await apart(self._read, answer, start, end, step)

    def _read(self, answer: Answer, start: float, end: float, step: float) -> Sequence[Series]:
        """What an answer holds. Raises Unreadable."""
        self.server.judge(answer)
        if answer.status != 200:
            self._complain(answer)
        try:
            found: Any = json.loads(answer.body)
            # At a single point of time it is as it was measured last.
            since = start if start < end else start - _BEFORE
            shown = {_labels(one): _whole(one["datapoints"], since, end, step) for one in found}
        except (TypeError, LookupError, ValueError, RecursionError):
            self.server.misplaced("answers with something else than Graphite does")
        if start == end:
            shown = {labels: samples[:, -1:] for labels, samples in shown.items()}
        elif len(shown) > MOST_SERIES:
            self.server.fails(
                f"has {len(shown)} series for this target, and {MOST_SERIES} can be watched: "
                "name fewer, or add them up by sumSeries(…)",
                down=False,
            )
        return series([shown])

    def _complain(self, answer: Answer) -> None:
        """Raise Unreadable. Of what is wrong with a target it answers 400 with a sentence, or 500 with a page."""
        text = answer.body.decode(errors="replace")
        said = "" if "<" in text else self.server.words(text)
        if answer.status in (400, 500):
            self.server.fails(
                f"refuses the question: {said or f'it answers {answer.status}'}",
                down=False,
            )
        self.server.fails(f"answers {answer.status}")


def _labels(one: Any) -> Labels:
    tags = dict(labels_of(one.get("tags", {}) if isinstance(one, dict) else None))
    tags.pop("name", None)  # of what is added up, one of the names, and now this one, now that
    return labels_of({**tags, "target": one["target"]})


def _whole(points: Any, since: float, until: float, step: float) -> Samples:
    """Those of the buckets that are filled: the newest may have seen a few seconds of its minute so far."""
    pairs = [(at, value) for value, at in points]
    at = [at for at, _ in pairs]
    gaps = np.diff(numbers(at))
    width = float(min(gaps[gaps > 0], default=step))
    return kept(at, [value for _, value in pairs], since, until - width)
