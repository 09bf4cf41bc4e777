"""What a picture of a metric shows, and where: see `plot`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from tocsin_verification.figures import Scale, is_number, part_of
from tocsin_verification.frame import TEAR, Frame, beyond, limits, round_times, round_values, rows, wide_from
from tocsin_verification.judge.verdict import Band, Floats, Judgement, Verdict
from tocsin_verification.series import lacking, late, samples, thinned, window
from tocsin_verification.sheet import HEIGHT, PAPER, SHARPNESS, WIDTH, Sheet
from tocsin_verification.words import scale

# Those of a text stand out from the paper by 4.5 to 1 (WCAG 2.2, 1.4.3), those of a line by 3 to 1 (1.4.11). Nothing is
# told by a colour alone.
INK, SOFT, GRID = "#e6e6ea", "#a9a9b4", "#2e2e35"
NORMAL, BAND = "#a8c7fa", "#213a66"
BAD, TROUBLE = "#f2b8b5", "#331d1c"
GOOD = "#a6d7b1"
MISSING = "#3a3036"
_COLOURS = {Verdict.NOT_YET: BAD, Verdict.RECOVERING: INK, Verdict.ALL_CLEAR: GOOD, Verdict.CANT_TELL: BAD}

_EDGE = 12.0
_TITLE, _TEXT, _SMALL = 15.0, 12.5, 11.0  # how large letters are; 11 is what phones' smallest have
_ROW = 14.0
_HEAD = 50.0  # title and state
_FUTURE = 0.3  # what part of the time may at most be yet to come
# Points up from what a label names, where nearer there is no room.
_FURTHER = tuple(way * far for far in range(20, 53, 8) for way in (1, -1))
_THINNEST = 3.0  # points that show that samples are lacking


class Chart:
    """One picture, to be drawn once."""

    def __init__(
        self,
        judgement: Judgement,
        at: Sequence[float] | Floats,
        values: Sequence[float] | Floats,
        *,
        unit: str,
        zone: ZoneInfo,
        marks: Mapping[str, float | None],
    ) -> None:
        self._it, self._unit, self._zone = judgement, unit, zone
        self._begin, self._now = window(judgement, marks.get("alert"))
        self._samples = samples(at, values, self._begin, self._now)
        self._band = band_of(judgement, self._begin)
        self._hold_until = _hold_until(judgement)
        self._marks = {
            f"{name} {self._clock(one)}": one
            for name, one in marks.items()
            if one is not None and self._seen(one)
        }
        self._sheet = Sheet()
        low, high = limits(self._samples.values, self._band)
        known = (judgement.value, judgement.worst, judgement.high)
        self._scale = scale(judgement, unit) if any(map(is_number, known)) else Scale.of(unit, [high])
        far = beyond(self._samples.values, low, high)
        self._ticks = self._written(low, high)
        if far != (None, None):
            self._ticks |= self._furthest(low, high)
        left = (
            _EDGE + max((self._sheet.width_of(text, _SMALL) for text in self._ticks.values()), default=0) + 6
        )
        back = min(max(marks.get("back") or 0.0, self._begin), self._now)
        shown = self._now - self._begin
        # How long it must stay yet is time to come; the last sample doesn't stand at the very edge.
        room = 0.03 * (self._now - back) + 1
        until = min(max(self._hold_until or 0, self._now + room), self._now + shown * _FUTURE / (1 - _FUTURE))
        wide = wide_from(self._begin, back, until)
        self._times = self._round_times(until, wide)
        dated = any(date for _, date in self._times.values())
        bottom = 28 + _ROW * (self._hold_until is not None) + _ROW * dated
        self.frame = Frame(
            left, WIDTH - _EDGE, bottom, HEIGHT - _HEAD, self._begin, until, low, high, wide, *far
        )
        self._starts = self._label_starts()
        top = self.frame.top - _ROW * (1 + max((row for _, row in self._starts.values()), default=0))
        self.frame = replace(self.frame, top=top)

    def drawn(self, title: str, state: str) -> bytes:
        sheet, width = self._sheet, WIDTH - 2 * _EDGE
        sheet.text(title, _EDGE, HEIGHT - 24, size=_TITLE, colour=INK, bold=True, within=width)
        sheet.text(state, _EDGE, HEIGHT - 41, size=_TEXT, colour=_COLOURS[self._it.verdict], within=width)
        self._draw_trouble()
        self._draw_axis_of_values()
        self._draw_normal()
        self._draw_series()
        self._draw_missing()
        self._draw_seams()
        self._draw_axis_of_time()
        self._draw_marks()
        self._draw_hold()
        self._label()
        return sheet.png()

    def _draw_trouble(self) -> None:
        onset, back = self._it.onset, self._it.back_since
        if onset is None or not self._seen(onset):
            return
        until = back if back is not None and onset < back <= self._now else self._now
        frame = self.frame
        x = frame.x(np.array([onset, until]))
        self._sheet.area(x, [frame.bottom] * 2, [frame.top] * 2, colour=TROUBLE)

    def _draw_axis_of_values(self) -> None:
        frame = self.frame
        for tick, text in self._ticks.items():
            y = float(frame.y(tick))
            self._sheet.line([frame.left, frame.right], [y, y], colour=GRID, width=0.8)
            self._sheet.text(text, frame.left - 6, y - 4, size=_SMALL, colour=SOFT, end=True)
        self._sheet.text(self._scale.step.name, _EDGE, frame.top + 4, size=_SMALL, colour=SOFT)

    def _draw_normal(self) -> None:
        band, frame = self._band, self.frame
        if band is None:
            return
        x = frame.x(np.append(band.at, frame.until))  # to the right as it is now
        low, high, middle = (frame.y(np.append(one, one[-1])) for one in (band.low, band.high, band.expected))
        self._sheet.area(x, low, high, colour=BAND)
        for edge in (low, high):
            self._sheet.line(x, edge, colour=NORMAL, width=0.7)
        self._sheet.line(x, middle, colour=NORMAL, width=1, dashed=True)

    def _draw_axis_of_time(self) -> None:
        frame, sheet = self.frame, self._sheet
        y = 9.0 + _ROW * any(date for _, date in self._times.values())
        seam = frame.seam if frame.wide is not None else (frame.right, frame.right)
        for part in ([frame.left, seam[0]], [seam[1], frame.right]):
            sheet.line(part, [frame.bottom] * 2, colour=SOFT, width=0.8)
        zone = datetime.fromtimestamp(self._now, UTC).astimezone(self._zone).tzname() or ""
        zone = f"UTC{zone}" if zone[:1] in ("+", "-") else zone
        sheet.text(zone, _EDGE, y, size=_SMALL, colour=SOFT)
        taken = _EDGE + sheet.width_of(zone, _SMALL)
        before = taken + 6
        for at, (clock, date) in self._times.items():
            x, long = float(frame.x(at)), max(sheet.width_of(text, _SMALL) for text in (clock, date))
            # Beyond the seam it would be taken for a time of the other part.
            first, last = (before, seam[0]) if x <= seam[0] else (seam[1], frame.right)
            start = min(max(x - long / 2, first), last - long)
            sheet.line([x, x], [frame.bottom, frame.bottom - 4], colour=SOFT, width=0.8)
            if taken + 6 <= start <= x:
                sheet.text(clock, start, y, size=_SMALL, colour=SOFT)
                sheet.text(date, start, y - _ROW + 1, size=_SMALL, colour=SOFT)
                taken = start + long

    def _draw_missing(self) -> None:
        frame, sheet = self.frame, self._sheet
        for stretch in lacking(self._samples, self._begin, self._now):
            x = self._stretch(stretch)
            sheet.box(x, (frame.bottom, frame.top), colour=MISSING, full=True)
            sheet.hatched(x, (frame.bottom, frame.top), colour=BAD)
            for edge in x:
                sheet.line([edge] * 2, [frame.bottom, frame.top], colour=BAD, width=0.8)

    def _draw_seams(self) -> None:
        """Where values, or times, beyond are not to be measured by those on this side."""
        frame = self.frame
        for edge, y in ((frame.lowest, frame.floor - TEAR / 2), (frame.highest, frame.ceiling + TEAR / 2)):
            if edge is not None:
                self._sheet.torn((frame.left, frame.right), y, colour=SOFT)
        if frame.wide is not None:
            left, right = frame.seam
            x, wide = [(left + right) / 2] * 2, right - left - 1
            self._sheet.line(x, [frame.bottom, frame.top], colour=PAPER, width=wide, busy=True)

    def _draw_marks(self) -> None:
        frame = self.frame
        for label, at in self._marks.items():
            x, y = float(frame.x(at)), frame.top + 2 + self._starts[label][1] * _ROW
            self._sheet.line([x, x], [frame.bottom, y], colour=INK, width=1, dashed=True)
        for label, (start, row) in self._starts.items():
            self._sheet.text(label, start, frame.top + 4 + row * _ROW, size=_SMALL, colour=INK, covers=True)

    def _draw_series(self) -> None:
        frame = self.frame
        columns = int((frame.right - frame.left) * SHARPNESS)
        for times, numbers in self._samples.runs:
            x, y = thinned(frame.x(times), frame.y(numbers), frame.left, frame.right, columns)
            if len(x) == 1:
                self._sheet.dot(float(x[0]), float(y[0]), colour=INK, across=3)
            self._sheet.line(x, y, colour=INK, width=1.6, busy=True)

    def _draw_hold(self) -> None:
        """How much has passed of the time that it must stay, below the axis."""
        since, until = self._it.back_since, self._hold_until
        if since is None or until is None:
            return
        frame = self.frame
        start, now, end = (float(frame.x(at)) for at in (since, self._now, until))
        y = (frame.bottom - 13, frame.bottom - 6)
        self._sheet.box((start, end), y, colour=GOOD, full=False)
        self._sheet.box((start, now), y, colour=GOOD, full=True)
        text = part_of(self._it.held, self._it.hold)
        if start - self._sheet.width_of(text, _SMALL) - 6 >= _EDGE:
            self._sheet.text(text, start - 6, y[0] - 1, size=_SMALL, colour=GOOD, end=True)

    def _label(self) -> None:
        """What it is, was at worst and is normally, each beside what shows it and where nothing is in its way."""
        if len(self._samples.at):
            self._label_now()
            self._label_worst()
        self._label_normal()
        self._label_wide()
        self._label_missing()

    def _label_worst(self) -> None:
        it, frame, drawn = self._it, self.frame, self._samples
        if it.onset is None or not is_number(it.worst) or not (drawn.at >= it.onset).any():
            return
        if self._scale.said(it.worst) == self._scale.said(it.value):
            return
        during = np.flatnonzero(drawn.at >= it.onset)
        index = during[np.argmin(np.abs(drawn.values[during] - it.worst))]
        text = f"worst {self._scale.said(it.worst)}"
        x, y = float(frame.x(drawn.at[index])), float(frame.y(drawn.values[index]))
        aside = self._sheet.width_of(text, _SMALL) / 2 + 9
        before = float(frame.x(it.onset)) - aside  # where it was still well there is room
        places = [(x, y + 12), (x, y - 12), (x + aside, y), (x - aside, y), (before, y), (before, y - 24)]
        further = [(x + across, y - up) for up in _FURTHER for across in (0, aside, -aside)]
        self._place(text, places + further, BAD)

    def _label_now(self) -> None:
        it, frame, drawn = self._it, self.frame, self._samples
        if it.verdict is Verdict.CANT_TELL or not is_number(it.value) or late(drawn, self._now) is not None:
            return
        x, y = float(frame.x(drawn.at[-1])), float(frame.y(drawn.values[-1]))
        text = f"now {self._scale.said(it.value)}"
        aside = self._sheet.width_of(text, _SMALL, bold=True) / 2 + 9
        self._sheet.dot(x, y, colour=INK, across=7)
        places = [(x, y + 13), (x, y - 13), (x + aside, y), (x - aside, y)]
        further = [(x + across, y + up) for up in _FURTHER for across in (0, aside, -aside)]
        self._place(text, places + further, INK, bold=True)

    def _label_normal(self) -> None:
        it, frame, band = self._it, self.frame, self._band
        if band is None or not is_number(it.low) or not is_number(it.high):
            return
        across = frame.x(np.append(band.at, frame.until))
        high, low = (frame.y(np.append(one, one[-1])) for one in (band.high, band.low))
        start = frame.seam[1] if frame.wide is not None else frame.left
        text = f"normal now {self._scale.between(it.low, it.high)}"
        long = self._sheet.width_of(text, _SMALL)
        if long > frame.right - start:
            text = text.replace(" now", "")
            long = self._sheet.width_of(text, _SMALL)
        places = list[tuple[float, float]]()
        for aside in (10, 28, 44):
            for end in np.arange(frame.right, min(start + long, frame.right - 1), -12):
                over = np.linspace(end - long, end)
                above = float(np.interp(over, across, high).max()) + aside
                below = float(np.interp(over, across, low).min()) - aside
                places += [(end - long / 2, above), (end - long / 2, below)]
        # Rather somewhat above the band, or below, than far from now.
        self._place(text, sorted(places, key=lambda one: -one[0] // 50), NORMAL)

    def _label_missing(self) -> None:
        """Those that are wide enough, or one of the widest."""
        frame = self.frame
        found = [self._stretch(one) for one in lacking(self._samples, self._begin, self._now)]
        long = self._sheet.width_of("no data", _SMALL, bold=True)
        fit = [x for x in found if x[1] - x[0] > long]
        ups = np.arange(frame.top - 10, frame.bottom, -14)
        for any_of in [[x] for x in fit] or [sorted(found, key=lambda one: one[0] - one[1])[:3]]:
            across = [at for x in any_of for at in (sum(x) / 2, x[0] + long / 2, x[1] - long / 2)]
            if places := [(at, float(up)) for at in across for up in ups]:
                self._place("no data", places, BAD, bold=True, covers=True)

    def _label_wide(self) -> None:
        """By how much time is wider beyond the seam."""
        frame = self.frame
        if frame.wide is None:
            return
        left, right = frame.seam
        times = (left - frame.left) / (frame.wide - self._begin)
        wider = (frame.right - right) / (frame.until - frame.wide) / times
        places = [
            ((right + frame.right) / 2, float(up)) for up in np.arange(frame.top - 8, frame.bottom, -14)
        ]
        self._place(f"time {wider:.0f}x wider", places, SOFT, covers=True)

    def _stretch(self, times: tuple[float, float]) -> tuple[float, float]:
        """From where to where it goes; however short it is, it can be seen."""
        left, right = (float(self.frame.x(at)) for at in times)
        more = max(0.0, _THINNEST - (right - left)) / 2
        return left - more, right + more

    def _place(
        self,
        text: str,
        places: list[tuple[float, float]],
        colour: str,
        *,
        bold: bool = False,
        covers: bool = False,
    ) -> None:
        self._sheet.place(text, places, self.frame, size=_SMALL, colour=colour, bold=bold, covers=covers)

    def _written(self, low: float, high: float) -> dict[float, str]:
        """Numbers beside the axis, as they are written."""
        values = round_values(low, high, self._scale.step.size)
        return dict(zip(values, self._scale.beside_axis(values), strict=True))

    def _furthest(self, low: float, high: float) -> dict[float, str]:
        """The numbers beside the strips beyond the axis: the furthest of all."""
        values = [float(one) for one in (self._samples.values.min(), self._samples.values.max())]
        return {value: self._scale.number(value) for value in values if not low <= value <= high}

    def _round_times(self, until: float, wide: float | None) -> dict[float, tuple[str, str]]:
        """Times below the axis, as they are written: the clock, and beneath it the date, where one begins."""
        parts = [(self._begin, until, 6)]
        if wide is not None:
            parts = [(self._begin, wide, 4), (wide, until, 4)]
        found = dict[float, tuple[str, str]]()
        for begin, end, most in parts:
            for at in round_times(begin, end, self._zone, most):
                here = datetime.fromtimestamp(at, UTC).astimezone(self._zone)
                begins = not (here.hour or here.minute)
                found[at] = f"{here:%H:%M}", f"{here.day} {here:%b}" * begins
        return found

    def _label_starts(self) -> dict[str, tuple[float, int]]:
        """For the label of each mark where it begins, and in which row above the frame."""
        starts = list[tuple[float, float]]()
        for label, at in self._marks.items():
            long, x = self._sheet.width_of(label, _SMALL), float(self.frame.x(at))
            start = min(x, WIDTH - _EDGE - long)
            starts.append((start, start + long))
        return {
            label: (start, row)
            for label, (start, _), row in zip(self._marks, starts, rows(starts), strict=True)
        }

    def _seen(self, at: float) -> bool:
        return self._begin <= at <= self._now

    def _clock(self, at: float) -> str:
        return f"{datetime.fromtimestamp(at, UTC).astimezone(self._zone):%H:%M}"


def band_of(judgement: Judgement, begin: float) -> Band | None:
    """What is normal from then on; if it is known of now alone, as now throughout."""
    band = judgement.band
    if band is not None:
        first = max((float(at) for at in band.at if at <= begin), default=begin)
        kept = (band.at >= first) & (band.at <= judgement.at)
        for one in (band.low, band.high, band.expected):
            kept &= np.abs(one) < 1e300
        if kept.any():
            return Band(band.at[kept], band.expected[kept], band.low[kept], band.high[kept])
    if not is_number(judgement.low) or not is_number(judgement.high):
        return None
    expected = judgement.expected if is_number(judgement.expected) else (judgement.low + judgement.high) / 2
    at = np.array([begin, judgement.at])
    return Band(at, np.full(2, expected), np.full(2, judgement.low), np.full(2, judgement.high))


def _hold_until(judgement: Judgement) -> float | None:
    """Until when it must stay back, if it is."""
    it = judgement
    if it.verdict is not Verdict.RECOVERING or it.back_since is None or it.hold <= 0:
        return None
    return it.at + max(0.0, it.hold - it.held)
