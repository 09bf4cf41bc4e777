"""Lines, areas and texts on a sheet of paper, by matplotlib, which is needed for nothing else."""

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Polygon, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Affine2D
from PIL import Image

from tocsin.api import clean
from tocsin_verification.frame import Frame
from tocsin_verification.judge.verdict import Floats

WIDTH, HEIGHT = 360, 252
"""As wide as a phone, in its points; all lengths here are in these."""
SHARPNESS = 3
"""So many dots for each point, as phones have."""
PAPER = "#131316"
_COLOURS = 128  # as many as smooth edges need; with all of them the file would be five times as large
_NO_GLYPH = "□"  # in place of a letter that the font lacks

Numbers = Sequence[float] | Floats
Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


class Sheet:
    """A sheet to draw on; lengths in points from the lower left."""

    def __init__(self) -> None:

        self._figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72 * SHARPNESS, facecolor=PAPER)
        self._canvas = FigureCanvasAgg(self._figure)
        self._points = Affine2D().scale(SHARPNESS)
        self._labels = list[Box]()
        self._busy = list[tuple[Floats, Floats]]()

    def line(
        self, x: Numbers, y: Numbers, *, colour: str, width: float, dashed: bool = False, busy: bool = False
    ) -> None:
        """busy: labels keep away from it."""
        line = Line2D(np.asarray(x), np.asarray(y), color=colour, linewidth=width, solid_joinstyle="round")
        line.set_linestyle((0, (3, 3)) if dashed else "-")
        line.set_solid_capstyle("round" if busy else "butt")
        self._add(line)
        if busy and len(x):
            long = np.cumsum(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])))
            along = np.arange(0, long[-1] + 1)
            self._busy.append((np.interp(along, long, x), np.interp(along, long, y)))

    def dot(self, x: float, y: float, *, colour: str, across: float) -> None:

        self._add(Circle((x, y), across / 2, facecolor=colour, edgecolor=PAPER, linewidth=1))
        self._labels.append((x - across / 2, y - across / 2, x + across / 2, y + across / 2))

    def area(self, x: Numbers, low: Numbers, high: Numbers, *, colour: str) -> None:
        """All that is between two lines."""
        across = np.concatenate([np.asarray(x), np.asarray(x)[::-1]])
        up = np.concatenate([np.asarray(low), np.asarray(high)[::-1]])
        self._add(Polygon(np.column_stack([across, up]), closed=True, facecolor=colour, linewidth=0))

    def torn(self, x: tuple[float, float], y: float, *, colour: str) -> None:
        """A tear from left to right: what is above it is not to be measured by what is below."""
        across = np.arange(x[0] - 2, x[1] + 4, 4)
        up = y + np.where(np.arange(len(across)) % 2, 2.0, -2.0)
        self.area(across, up - 1.5, up + 1.5, colour=PAPER)
        for edge in (up - 1.5, up + 1.5):
            self.line(across, edge, colour=colour, width=0.8)

    def box(self, x: tuple[float, float], y: tuple[float, float], *, colour: str, full: bool) -> None:

        inside = colour if full else "none"
        lower_left = (x[0], y[0])
        self._add(
            Rectangle(lower_left, x[1] - x[0], y[1] - y[0], facecolor=inside, edgecolor=colour, linewidth=1)
        )

    def hatched(
        self, x: tuple[float, float], y: tuple[float, float], *, colour: str, apart: float = 6
    ) -> None:
        """A box of slanting lines."""
        frame = Rectangle((x[0], y[0]), x[1] - x[0], y[1] - y[0], transform=self._points)
        height = y[1] - y[0]
        for start in np.arange(x[0] - height, x[1], apart):
            line = Line2D([start, start + height], [y[0], y[1]], color=colour, linewidth=0.7)
            line.set_clip_path(frame)
            self._add(line)

    def text(
        self,
        text: str,
        x: float,
        y: float,
        *,
        size: float,
        colour: str,
        bold: bool = False,
        end: bool = False,
        covers: bool = False,
        within: float = WIDTH,
    ) -> None:
        """A text in one line, y being where its letters stand. end: it ends at x. covers: what lies below it isn't seen.
        within: what is longer is cut.
        """
        shown = _fitting(_drawable(text), size, bold=bold, within=within)
        if covers:
            long = self.width_of(shown, size, bold=bold)
            self._add(Rectangle((x - 2, y - 3), long + 4, size + 2, facecolor=PAPER, linewidth=0))
        artist = Text(
            x,
            y,
            shown,
            color=colour,
            fontproperties=_font(bold=bold, size=size),
            horizontalalignment="right" if end else "left",
            verticalalignment="baseline",
            parse_math=False,
        )
        artist.set_path_effects([withStroke(linewidth=4, foreground=PAPER)])
        self._add(artist)

    def place(
        self,
        text: str,
        places: Sequence[tuple[float, float]],
        frame: Frame,
        *,
        size: float,
        colour: str,
        bold: bool = False,
        covers: bool = False,
    ) -> None:
        """A label at the first of several places (where its middle is) where nothing is in its way, or where least is."""
        long, high = self.width_of(text, size, bold=bold), size
        boxes = list[Box]()
        for across, up in places:
            x = min(max(across - long / 2, frame.left + 2), frame.right - long)
            y = min(max(up - high / 2, frame.bottom + 3), frame.top - high)
            boxes.append((x - 2, y - 2, x + long + 2, y + high))
        box = min(boxes, key=self._in_the_way)
        self._labels.append(box)
        self.text(text, box[0] + 2, box[1] + 3, size=size, colour=colour, bold=bold, covers=covers)

    def width_of(self, text: str, size: float, *, bold: bool = False) -> float:
        return _width(_drawable(text), size, bold=bold)

    def png(self) -> bytes:

        dots = BytesIO()
        self._figure.savefig(dots, format="raw", dpi="figure", facecolor=PAPER)
        # All of it knows one another, and the canvas its dots: else 3 MB wait for the garbage collector.
        for artist in list(self._figure.artists):
            artist.remove()
        vars(self._canvas).clear()
        size = (WIDTH * SHARPNESS, HEIGHT * SHARPNESS)
        image = Image.frombytes("RGBA", size, dots.getvalue()).convert("RGB")
        few = image.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        file = BytesIO()
        few.save(file, "PNG", optimize=True)
        return file.getvalue()

    def _add(self, artist: Artist) -> None:
        artist.set_transform(self._points)
        artist.set_zorder(len(self._figure.get_children()))  # what comes later lies above
        self._figure.add_artist(artist)

    def _in_the_way(self, box: Box) -> float:
        """How many points of lines, and of other labels."""
        left, bottom, right, top = box
        found = 0.0
        for other in self._labels:
            across = min(right, other[2]) - max(left, other[0])
            up = min(top, other[3]) - max(bottom, other[1])
            found += 1000 + across * up if across > 0 and up > 0 else 0
        for x, y in self._busy:
            found += float(((x >= left) & (x <= right) & (y >= bottom) & (y <= top)).sum())
        return found


@cache
def _file(*, bold: bool) -> Path:
    """Its own font, so that a picture is the same everywhere."""
    return Path(get_data_path(), "fonts", "ttf", f"DejaVuSans{'-Bold' * bold}.ttf")


@cache
def _font(*, bold: bool, size: float) -> FontProperties:

    return FontProperties(fname=_file(bold=bold), size=size)


@cache
def _letters(*, bold: bool) -> tuple[FT2Font, frozenset[int]]:

    font = FT2Font(str(_file(bold=bold)))
    font.set_size(100, 72)
    return font, frozenset(font.get_charmap())


def _drawable(text: str) -> str:
    _, known = _letters(bold=True)
    return "".join(letter if ord(letter) in known else _NO_GLYPH for letter in clean(text))


def _width(text: str, size: float, *, bold: bool) -> float:
    font, _ = _letters(bold=bold)
    font.set_text(text)
    return font.get_width_height()[0] / 64 * size / 100


def _fitting(text: str, size: float, *, bold: bool, within: float) -> str:
    shown = text
    while shown and _width(shown, size, bold=bold) > within:
        text = text[: min(len(text) - 1, len(text) * 9 // 10 + 1)] if len(text) > 100 else text[:-1]
        shown = text.rstrip() + "…"
    return shown
