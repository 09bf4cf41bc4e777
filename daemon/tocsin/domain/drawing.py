"""A chart as SVG, for a page that says how its classes look. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from tocsin.domain.document import Bar, Chart
from tocsin.domain.message import clean, cut
from tocsin.domain.words import time_of_day

WIDTH = 360
"""Of a phone, in points; a wider screen shows all of it larger."""
_LEFT, _RIGHT = 12, WIDTH - 12
_LINE = 15
_BAR = 9
_LONGEST = 52  # bytes of a label, which is as much as fits
_MOST_BARS = 8


def svg(chart: Chart) -> str:
    """The chart: each mark, bar and sort of ticks in a line of its own, below its label, above one axis."""
    scale = _Scale(chart)
    parts, y = list[str](), _LINE
    for label, at in sorted(chart.marks, key=lambda one: one[1]):
        parts += _mark(label, at, scale, y)
        y += _LINE
    for bar in chart.bars[:_MOST_BARS]:
        parts += _bar(bar, scale, y)
        y += _LINE + _BAR + 4
    if len(chart.bars) > _MOST_BARS:
        parts.append(_label(f"and {len(chart.bars) - _MOST_BARS} more", _LEFT, y))
        y += _LINE
    for label, times in chart.ticks:
        parts += _ticks(label, times, scale, y)
        y += _LINE + _BAR + 4
    guides = [
        f'<line class="guide" x1="{scale(at)}" x2="{scale(at)}" y1="4" y2="{y}"/>' for _, at in chart.marks
    ]
    height = y + 2 * _LINE
    title = _escaped(chart.title, 200)
    return "".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            *guides,
            *parts,
            *_axis(scale, y),
            "</svg>",
        ]
    )


class _Scale:
    """Where a time stands, from left to right."""

    def __init__(self, chart: Chart) -> None:
        times = [at for _, at in chart.marks]
        times += [at for bar in chart.bars for span in bar.spans for at in span if at is not None]
        times += [at for _, ticks in chart.ticks for at in ticks]
        self.begin, self.end = min(times), max(times)

    def __call__(self, at: datetime) -> float:
        length = (self.end - self.begin).total_seconds()
        part = (at - self.begin).total_seconds() / length if length else 0.5
        return round(_LEFT + part * (_RIGHT - _LEFT), 1)


def _mark(label: str, at: datetime, scale: _Scale, y: int) -> Iterator[str]:
    x = scale(at)
    yield f'<circle class="mark" cx="{x}" cy="{y - 4}" r="4"/>'
    text = f"{label} {time_of_day(at, UTC, scale.begin)}"
    yield _label(text, x + 8, y) if x < WIDTH / 2 else _label(text, x - 8, y, anchor="end")


def _bar(bar: Bar, scale: _Scale, y: int) -> Iterator[str]:
    yield _label(bar.label, _LEFT, y)
    for since, until in bar.spans:
        x, end = scale(since), scale(until or scale.end)
        yield f'<rect class="bar" x="{x}" y="{y + 4}" width="{round(max(end - x, 2), 1)}" height="{_BAR}" rx="2"/>'


def _ticks(label: str, times: Sequence[datetime], scale: _Scale, y: int) -> Iterator[str]:
    yield _label(label, _LEFT, y)
    places = dict.fromkeys(scale(at) for at in times)  # of several at one place one is seen
    path = "".join(f"M{x} {y + 4}v{_BAR}" for x in places)
    yield f'<path class="tick" d="{path}"/>'


def _axis(scale: _Scale, y: int) -> Iterator[str]:
    yield f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{y}" y2="{y}"/>'
    first = f"{scale.begin.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    yield _label(first, _LEFT, y + _LINE)
    if scale.end > scale.begin:
        yield _label(time_of_day(scale.end, UTC, scale.begin), _RIGHT, y + _LINE, anchor="end")


def _label(text: str, x: float, y: int, *, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{_escaped(text, _LONGEST)}</text>'


def _escaped(text: str, longest: int) -> str:
    return escape(cut(clean(text), longest))
