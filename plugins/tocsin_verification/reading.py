"""All that a judge wants of an expression, from few questions: the past is asked for once, then only what is new.

It is shared by all checks that ask the same, and what happens to one expression is no other's trouble.
"""

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.api import Series, Source, Unreadable
from tocsin_verification.judge.bins import LARGEST

Floats = NDArray[np.float64]
Labels = tuple[tuple[str, str], ...]

log = logging.getLogger(__name__)

DAY = 86_400
LENGTH = 28 * DAY
"""What is asked for in all: four weeks, so that each hour of the week was there several times."""

COARSE, FINE = 300, 60
"""Seconds between two samples: of what is long ago, and of the last days."""

RECENT = 2 * DAY

OVERLAP = 5 * 60
"""So much is asked for again each time, since samples may come late, and a bucket may have been filled since."""

SHARED_FOR = 20
"""So many seconds what was read answers all who ask the same: less than a minute, which is how often checks look."""

QUIET_FOR = 45
"""So many seconds what could not be read is not asked for again: checks that look each minute ask once a minute."""

REST_AFTER = 600
"""So many seconds a part of the past is not asked for again that could not be read, while what is new can."""

AT_ONCE = 4
"""So many questions are under way at one source."""

MOST_SERIES = 20
"""So many series of an expression are kept: the newest, where pods come and go."""

MOST_SAMPLES = 8_000_000
"""So many samples are kept in all: 750 series, 125 MB."""


@dataclass(frozen=True, eq=False)
class History:
    """What was measured of one thing, up to now. at: seconds since 1970, ascending; values: as many, all finite and less than `LARGEST`.

    Neither is ever changed: what is new makes new ones.
    """

    labels: Mapping[str, str]
    at: Floats
    values: Floats


@dataclass
class _Kept:
    """What is known of an expression. at, failed_at: when it was read last, and when that failed last. rest: parts of the past
    that are still to be read, and when to try again. samples: how many there are, an instant and a value being one; counted when
    they change, as it is asked for at each question about any.
    """

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    series: dict[Labels, History] = field(default_factory=dict)
    at: float | None = None
    failed_at: float = 0.0
    why: Unreadable | None = None
    rest: list[tuple[float, float]] = field(default_factory=list)
    rest_at: float = 0.0
    thinned_at: float = 0.0
    samples: int = 0

    def put(self, start: float, end: float, found: Sequence[Series]) -> None:
        """From start to end it was as was found now, whatever was known."""
        new = {tuple(sorted(one.labels.items())): one for one in found}
        times: Floats | None = None
        for labels in self.series.keys() | new.keys():
            one = _with(self.series.get(labels), labels, start, end, new.get(labels))
            if times is not None and np.array_equal(times, one.at):
                one = History(one.labels, times, one.values)  # most series are measured at the same times
            times = one.at
            self.series[labels] = one
        self._keep()

    def forget(self, now: float) -> None:
        """What is too old, and of what is old all but one sample in `COARSE` seconds."""
        if abs(now - self.thinned_at) < 3600:  # it is no work for each minute
            return
        self.thinned_at = now
        masks: dict[int, tuple[Floats, NDArray[np.bool_]]] = {}
        for labels, one in self.series.items():
            if id(one.at) not in masks:
                wanted = _wanted(one.at, now)
                masks[id(one.at)] = (_frozen(one.at[wanted]), wanted)
            at, wanted = masks[id(one.at)]
            self.series[labels] = History(one.labels, at, _frozen(one.values[wanted]))
        self._keep()

    def shown(self) -> Sequence[History]:
        return [one for _, one in sorted(self.series.items())]

    def _keep(self) -> None:
        found = [(labels, one) for labels, one in self.series.items() if len(one.at)]
        found.sort(key=lambda pair: pair[1].at[-1], reverse=True)
        self.series = dict(found[:MOST_SERIES])
        times = {id(one.at): len(one.at) for one in self.series.values()}
        self.samples = (sum(times.values()) + sum(len(one.values) for one in self.series.values())) // 2


@dataclass
class _Standing:
    """How a source stands. why: it is down, as it was told; since: when that was."""

    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    trial: asyncio.Lock = field(default_factory=asyncio.Lock)
    why: str = ""
    since: float = 0.0

    def check(self, now: float) -> None:
        """Raise Unreadable if it was found to be down just now."""
        if self.why and abs(now - self.since) < QUIET_FOR:
            raise Unreadable(self.why, down=True)


class _Question(NamedTuple):
    """As `Source.read` takes it."""

    expression: str
    start: float
    end: float
    step: float


class Reader:
    """Reads for all checks. Made for the sources of one configuration; another one has a reader of its own."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        """Nothing is known."""
        self.sources = sources
        self._kept = OrderedDict[tuple[str, str], _Kept]()
        self._standing = defaultdict[str, _Standing](_Standing)

    async def read(self, source: str, expression: str, now: float) -> Sequence[History]:
        """What the expression gave up to now, a series for each set of labels; none if there is none.

        now: in seconds since 1970. Samples of the last two days are a minute apart, those of the 28 days five. Raises
        Unreadable, with what is wrong in words. Where the past alone can't be read, what can be is given.
        """
        kept = self._kept.setdefault((source, expression), _Kept())
        self._kept.move_to_end((source, expression))
        async with kept.turn:
            if kept.at is not None and abs(now - kept.at) < SHARED_FOR:
                return kept.shown()
            if kept.why is not None and abs(now - kept.failed_at) < QUIET_FOR:
                raise Unreadable(str(kept.why), down=kept.why.down)
            try:
                await self._catch_up(kept, source, expression, now)
            except Unreadable as error:
                kept.failed_at, kept.why = now, error
                raise
            kept.at, kept.why = now, None
            kept.forget(now)
            self._make_room()
            return kept.shown()

    async def at_once(self, source: str, expression: str, now: float) -> Sequence[Series]:
        """What it gives at this instant alone: all of its series, however many they are. Raises Unreadable."""
        return await self._ask(source, _Question(expression, now, now, FINE), now)

    def drop(self, source: str, expression: str) -> None:
        """Nobody asks for that any more."""
        self._kept.pop((source, expression), None)

    @property
    def samples(self) -> int:
        """How many are kept in all."""
        return sum(kept.samples for kept in self._kept.values())

    async def _catch_up(self, kept: _Kept, source: str, expression: str, now: float) -> None:
        since = now - RECENT
        if kept.at is None or kept.at < since:  # too long ago to go on from there
            middle = now - (LENGTH + RECENT) / 2
            kept.series, kept.rest, kept.rest_at = {}, [(middle, since), (now - LENGTH, middle)], now
        else:
            since = min(kept.at, now) - OVERLAP
        found = await self._ask(source, _Question(expression, since, now, FINE), now)
        kept.put(since, np.inf, found)
        kept.at = now
        while kept.rest and kept.rest_at <= now:
            start, end = kept.rest[0]
            try:
                found = await self._ask(source, _Question(expression, start, end, COARSE), now)
            except Unreadable as error:
                log.info("%s: its past can't be read: %s", source, error)
                kept.rest_at = now + REST_AFTER
                return
            kept.put(start, end, found)
            kept.rest.pop(0)

    async def _ask(self, name: str, question: _Question, now: float) -> Sequence[Series]:
        """Ask the source, unless it is down. Raises Unreadable."""
        source, standing = self.sources.get(name), self._standing[name]
        if source is None:
            raise Unreadable(f"there is no source {name}: see plugins.verification.sources", down=True)
        async with standing.turn:
            if not standing.why:
                return await self._told(source, standing, question, now)
            async with standing.trial:  # one after another, until one finds that it is up again
                standing.check(now)
                return await self._told(source, standing, question, now)

    async def _told(
        self, source: Source, standing: _Standing, question: _Question, now: float
    ) -> Sequence[Series]:
        try:
            found = await source.read(*question)
        except Unreadable as error:
            if error.down:
                standing.why, standing.since = str(error), now
            else:
                standing.why = ""
            raise
        standing.why = ""
        return found

    def _make_room(self) -> None:
        """Forget what was not asked for the longest time, if all of it is too much."""
        samples = self.samples
        while samples > MOST_SAMPLES and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            samples -= oldest.samples


def _with(known: History | None, labels: Labels, start: float, end: float, new: Series | None) -> History:
    """A series with what was found of it from start to end."""
    at = known.at if known is not None else np.empty(0)
    values = known.values if known is not None else np.empty(0)
    first, last = np.searchsorted(at, start, side="left"), np.searchsorted(at, end, side="right")
    new_at = np.asarray(new.at if new is not None else (), np.float64)
    new_values = np.asarray(new.values if new is not None else (), np.float64)
    within = (new_at >= start) & (new_at <= end) & (np.abs(new_values) < LARGEST)
    return History(
        dict(labels),
        _frozen(np.concatenate((at[:first], new_at[within], at[last:]))),
        _frozen(np.concatenate((values[:first], new_values[within], values[last:]))),
    )


def _wanted(at: Floats, now: float) -> NDArray[np.bool_]:
    """Which of these instants are kept."""
    bucket = np.floor(at / COARSE)
    first = np.concatenate(([True], bucket[1:] != bucket[:-1]))
    wanted: NDArray[np.bool_] = (at >= now - LENGTH) & (first | (at >= now - RECENT))
    return wanted


def _frozen(array: Floats) -> Floats:
    array.flags.writeable = False
    return array
