"""The picture of a metric: that it shows what the numbers say, to anybody, whatever they are."""

import gc
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from unittest.mock import patch
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from PIL import Image

from tocsin.api import Picture
from tocsin_verification import chart, sheet
from tocsin_verification.chart import Chart
from tocsin_verification.frame import TEAR
from tocsin_verification.judge.verdict import Floats, Judgement, Verdict
from tocsin_verification.plot import NoPictures, plot
from tocsin_verification.sheet import HEIGHT, SHARPNESS, WIDTH

from tests.plugins.verification_shapes import BACK, HIGH, LOW, NOW, ONSET, WORST, flat, noisy, silent

UTC = ZoneInfo("UTC")
LARGEST = 60_000


class Drawn:
    """A picture, and which colours there are where. texts: each with where it begins, in points."""

    def __init__(self, judgement: Judgement, at: Floats, values: Floats, zone: ZoneInfo = UTC) -> None:
        marks = {"alert": ONSET + 240, "back": judgement.back_since}
        one = Chart(judgement, at, values, unit="ratio", zone=zone, marks=marks)
        self.frame = one.frame
        real = sheet.Sheet.text
        with patch.object(sheet.Sheet, "text", autospec=True, side_effect=real) as text:
            png = one.drawn("error rate", "x")
        self.texts = [
            (str(call.args[1]), float(call.args[2]), float(call.args[3])) for call in text.mock_calls
        ]
        self._dots = np.asarray(Image.open(BytesIO(png)).convert("RGB")).astype(int)

    def label(self, begins: str) -> tuple[float, float, float, float]:
        """Where the text that begins so stands: its left, bottom, right and top, in points."""
        [(text, x, y)] = [one for one in self.texts if one[0].startswith(begins)]
        return x, y, x + sheet.Sheet().width_of(text, 11, bold=begins == "now"), y + 8

    def like(self, colour: str, *, x: float, y: float) -> bool:
        """Whether that place, in points, has nearly this colour."""
        red, green, blue = self._dots[round((HEIGHT - y) * SHARPNESS), round(x * SHARPNESS)]
        return (
            max(abs(int(have) - want) for have, want in zip((red, green, blue), rgb(colour), strict=True))
            < 16
        )

    def at(self, colour: str, time: float, value: float) -> bool:
        return self.like(colour, x=float(self.frame.x(time)), y=float(self.frame.y(value)))


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def test_the_series_the_band_and_the_trouble_are_where_the_numbers_say() -> None:
    drawn = Drawn(*flat())
    usual = ONSET - 1234
    assert drawn.at(chart.INK, usual, 0.003)
    for value in (LOW * 1.15, HIGH * 0.9):
        assert drawn.at(chart.BAND, usual, value)
    for value in (LOW * 0.8, HIGH * 1.9):
        assert drawn.at(sheet.PAPER, usual, value)
    during = (ONSET + BACK) / 2
    assert drawn.at(chart.INK, during, WORST)
    assert not drawn.at(chart.INK, during, 0.003)
    assert drawn.at(chart.TROUBLE, during, 0.012)
    assert drawn.at(sheet.PAPER, BACK + 120, 0.012)


@pytest.mark.parametrize(
    ("begin", "end"), [(NOW - 6000, NOW - 4500), (NOW - 9000, NOW - 8820), (0, NOW - 9000)]
)
def test_where_samples_are_lacking_there_is_no_line_but_something_to_see(begin: float, end: float) -> None:
    judgement, at, values = flat()
    kept = (at < begin) | (at > end)
    drawn = Drawn(judgement, at[kept], values[kept])
    middle = float(drawn.frame.x((max(begin, drawn.frame.begin) + end) / 2))
    for y in np.arange(drawn.frame.bottom + 1, drawn.frame.bottom + 80):
        for x in (middle - 1, middle, middle + 1):
            assert not drawn.like(chart.INK, x=x, y=float(y))
            assert not drawn.like(sheet.PAPER, x=x, y=float(y))
    left, _, right, _ = drawn.label("no data")
    assert left < middle < right


def test_what_says_that_there_are_no_data_does_not_cover_the_line() -> None:
    judgement, at, values = flat(Verdict.NOT_YET)
    kept = ((at < NOW - 700) | (at > NOW - 300)) & ((at < NOW - 9000) | (at > NOW - 8700))
    drawn = Drawn(replace(judgement, back_since=None), at[kept], values[kept])
    left, _, right, _ = drawn.label("no data")
    falls = float(drawn.frame.x(BACK))
    assert right < falls or left > falls
    assert any(left < float(drawn.frame.x(gap)) < right for gap in (NOW - 500, NOW - 8850))


def test_a_few_minutes_without_samples_are_seen_in_two_days() -> None:
    judgement, _, _ = flat()
    long = replace(judgement, onset=NOW - 2 * 86400, back_since=None, verdict=Verdict.NOT_YET)
    at = np.arange(NOW - 3 * 86400, NOW, 60)
    kept = (at < NOW - 86400) | (at > NOW - 86400 + 240)
    drawn = Drawn(long, at[kept], np.full(kept.sum(), WORST))
    middle, y = float(drawn.frame.x(NOW - 86400 + 120)), float(drawn.frame.y(WORST))
    assert float(drawn.frame.x(NOW - 86400 + 240) - drawn.frame.x(NOW - 86400)) < 1
    assert not any(drawn.like(chart.INK, x=middle + aside, y=y) for aside in (-1.3, 0, 1.3))
    assert all(drawn.like(chart.INK, x=middle + aside, y=y) for aside in (-3, 3))


def test_what_has_stopped_is_hatched_until_now() -> None:
    judgement, at, values = flat()
    kept = at < NOW - 900
    drawn = Drawn(silent(judgement, "no sample since 15:45 UTC"), at[kept], values[kept])
    frame = drawn.frame
    x = [float(frame.x(time)) for time in (NOW - 800, NOW - 100, ONSET - 6000, ONSET - 5300)]
    up = np.arange(frame.bottom + 2, frame.top - 2, 1 / SHARPNESS)

    def seen(left: float, right: float) -> int:
        return sum(
            drawn.like(chart.BAD, x=across, y=float(y))
            for y in up
            for across in np.arange(left, right, 1 / SHARPNESS)
        )

    assert seen(x[0], x[1]) > 200
    assert seen(x[2], x[3]) == 0


def test_nothing_in_it_says_that_it_is_back_when_data_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()

    def heard(_: sheet.Sheet, text: str, *__: object, **___: object) -> None:
        said.append(text)

    monkeypatch.setattr(sheet.Sheet, "text", heard)
    for verdict in Verdict:
        for judgement in (
            replace(JUDGEMENT, verdict=verdict, value=None),
            replace(JUDGEMENT, missing="2 series"),
        ):
            said.clear()
            plot(judgement, AT, VALUES, title="error rate", unit="ratio", zone=UTC, alert_at=ONSET + 240)
            assert any(text.startswith("cannot verify: ") for text in said)
            assert "alert 15:04" in said
            assert not [text for text in said if re.search(r"back|clear|^now|of 25", text)]


def test_how_long_it_must_stay_is_shown_as_time_that_is_yet_to_come() -> None:
    drawn = Drawn(*flat())
    assert drawn.frame.until == NOW + 780
    y = drawn.frame.bottom - 9.5
    for time, colour in (
        (BACK + 60, chart.GOOD),
        (NOW - 60, chart.GOOD),
        (NOW + 120, sheet.PAPER),
        (BACK - 60, sheet.PAPER),
    ):
        x = float(drawn.frame.x(time))
        assert any(drawn.like(colour, x=x + aside, y=y) for aside in (-2, 0, 2)), time
    assert Drawn(*flat(Verdict.ALL_CLEAR)).frame.until < NOW + 300


def test_the_time_since_it_is_back_has_room_after_a_long_trouble() -> None:
    judgement, at, values = flat(Verdict.ALL_CLEAR)
    drawn = Drawn(replace(judgement, onset=NOW - 6 * 3600), at, values)
    frame = drawn.frame
    assert frame.x(NOW) - frame.x(BACK) >= (frame.right - frame.left) / 4
    before, after = frame.seam
    assert float(frame.x(BACK - 1)) == pytest.approx(before, abs=0.1)
    assert float(frame.x(BACK)) == after
    y = float(frame.y(0.012))
    assert drawn.like(chart.TROUBLE, x=before - 1, y=y)
    assert all(drawn.like(sheet.PAPER, x=x, y=y) for x in (before + 1.5, after - 1.5))
    wider = float((frame.x(NOW) - frame.x(NOW - 60)) / (frame.x(BACK - 60) - frame.x(BACK - 120)))
    assert drawn.label(f"time {wider:.0f}x wider")[0] > after


def test_no_time_below_the_axis_stands_on_both_sides_of_a_seam() -> None:
    judgement, at, values = flat(Verdict.ALL_CLEAR)
    drawn = Drawn(replace(judgement, onset=NOW - 8 * 3600), at, values)
    before, after = drawn.frame.seam
    assert before - float(drawn.frame.x(NOW - 3600)) < 16
    [x] = [x for text, x, _ in drawn.texts if text == "15:00"]
    assert x + sheet.Sheet().width_of("15:00", 11) == pytest.approx(before)
    assert min(x for text, x, _ in drawn.texts if re.fullmatch(r"15:5\d", text)) >= after


def test_time_that_has_room_has_no_seam() -> None:
    judgement, at, values = flat(Verdict.ALL_CLEAR)
    for one in (replace(judgement, back_since=NOW - 5400, onset=NOW - 7200), silent(judgement, "all data")):
        drawn = Drawn(one, at, values)
        assert drawn.frame.wide is None
        assert not [text for text, *_ in drawn.texts if "wider" in text]


def test_what_is_far_off_stands_beyond_a_tear_with_its_number() -> None:
    judgement, at, values = flat()
    values = np.where(values == WORST, 0.45, values)
    drawn = Drawn(replace(judgement, worst=0.45), at, values)
    frame = drawn.frame
    y = float(frame.y(0.45))
    assert frame.ceiling + 5 < y < frame.top
    assert ("45.0", frame.left - 6, y - 4) in drawn.texts
    assert drawn.label("worst 45.0 %")[1] > frame.ceiling - 14
    for x in np.arange(frame.left + 3, frame.right - 3, 20):
        assert any(
            drawn.like(chart.SOFT, x=float(x), y=frame.ceiling + up) for up in np.arange(0, TEAR, 1 / 3)
        )
    assert Drawn(*flat()).frame.highest is None


def _shapes() -> dict[str, tuple[Judgement, Floats, Floats]]:
    judgement, at, values = flat()
    clear = replace(judgement, verdict=Verdict.ALL_CLEAR)
    bad = replace(judgement, verdict=Verdict.NOT_YET, back_since=None)
    falling = np.where(at > NOW - 180, WORST - (WORST - 0.003) * (at - NOW + 180) / 180, values)
    falling = np.where((at >= BACK) & (at <= NOW - 180), WORST, falling)
    return {
        "recovering": flat(),
        "clear": (clear, at, values),
        "falls to the very last": (bad, at, falling),
        "rises at last": (bad, at, np.where(at > NOW - 120, WORST, 0.003)),
        "goes up and down": (bad, at, np.where(at < ONSET, 0.003, 0.011 + 0.008 * np.sin(at / 500))),
        "low": (replace(clear, worst=-WORST), at, 2 * 0.003 - values),
    }


@pytest.mark.parametrize("name", _shapes())
def test_no_label_covers_the_line(name: str) -> None:
    judgement, at, values = _shapes()[name]
    drawn = Drawn(judgement, at, values)
    frame = drawn.frame
    seen = at >= frame.begin
    x, y = frame.x(at[seen]), frame.y(values[seen])
    along = np.linspace(0, len(x) - 1, 50 * len(x))
    x, y = np.interp(along, np.arange(len(x)), x), np.interp(along, np.arange(len(y)), y)
    for text in ("now", "normal", "worst"):
        left, bottom, right, top = drawn.label(text)
        assert not ((x > left) & (x < right) & (y > bottom) & (y < top)).any(), text


def test_what_is_now_and_what_is_normal_now_stand_beside_one_another() -> None:
    for verdict in (Verdict.RECOVERING, Verdict.ALL_CLEAR):
        drawn = Drawn(*flat(verdict))
        dot = float(drawn.frame.x(NOW)), float(drawn.frame.y(0.003))
        for text in ("now", "normal"):
            left, bottom, right, top = drawn.label(text)
            assert drawn.frame.seam[1] < left < dot[0] < right + 6, text
            assert max(bottom - dot[1], dot[1] - top) < 30, text


@pytest.mark.parametrize(
    ("zone", "name", "hours"), [("Asia/Tokyo", "JST", 1), ("Australia/Sydney", "AEDT", 2)]
)
def test_midnight_is_a_time_with_its_date_beneath(zone: str, name: str, hours: float) -> None:
    judgement, at, values = flat()
    texts = Drawn(replace(judgement, onset=NOW - 3600 * hours), at, values, ZoneInfo(zone)).texts
    [(x, y)] = [(x, y) for text, x, y in texts if text == "00:00"]
    assert ("23 Nov", x, y - 13) in texts
    assert all(re.fullmatch(rf"\d\d:\d\d|{name}", text) for text, _, up in texts if up == y)


def test_it_fits_a_phone_and_a_message() -> None:
    for judgement, at, values in (flat(), noisy(20_000)):
        file = plot(judgement, at, values, title="error rate", unit="ratio", zone=UTC)
        picture = Picture.of("errors.png", file, "error rate")
        assert picture.size == (WIDTH * SHARPNESS, HEIGHT * SHARPNESS)
        assert len(file) <= LARGEST


def test_the_same_numbers_give_the_same_bytes_in_any_thread() -> None:
    judgement, at, values = noisy(3000)

    def draw(_: int) -> bytes:
        return plot(judgement, at, values, title="error rate", unit="ratio", zone=UTC, alert_at=ONSET + 240)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(draw, range(8)))) == 1
    assert draw(0) != plot(judgement, at, values, title="error rate", unit="ratio", zone=UTC)


NAN = float("nan")
BARE = Judgement(Verdict.CANT_TELL, NOW)
JUDGEMENT, AT, VALUES = flat()
HOSTILE: dict[str, tuple[Judgement, list[float] | Floats, list[float] | Floats, str]] = {
    "nothing": (BARE, [], [], "error rate"),
    "nothing but a range": (replace(BARE, low=1, high=2), [], [], "error rate"),
    "one point": (BARE, [NOW - 60], [5], "error rate"),
    "one point now": (replace(JUDGEMENT, band=None), [NOW], [0.003], "error rate"),
    "no number at all": (JUDGEMENT, AT, np.full(len(AT), NAN), "error rate"),
    "numbers and none": (JUDGEMENT, AT, np.where(AT % 180 == 0, NAN, VALUES), "error rate"),
    "infinite": (replace(JUDGEMENT, worst=float("inf"), high=float("inf")), AT, VALUES * np.inf, "x"),
    "constant": (
        replace(JUDGEMENT, band=None, low=7, high=7, value=7, worst=7),
        AT,
        np.full(len(AT), 7.0),
        "x",
    ),
    "zero": (replace(BARE, verdict=Verdict.NOT_YET, value=0.0), AT, np.zeros(len(AT)), "x"),
    "huge": (replace(JUDGEMENT, value=1e299, worst=1e299), AT, VALUES * 1e300, "x"),
    "tiny": (replace(JUDGEMENT, value=1e-310, band=None, low=0, high=5e-324), AT, VALUES * 1e-310, "x"),
    "negative": (replace(JUDGEMENT, band=None, low=-3, high=-1, value=-2, worst=-40), AT, VALUES - 40, "x"),
    "no title": (JUDGEMENT, AT, VALUES, " \n"),
    "long title": (JUDGEMENT, AT, VALUES, "error rate of " * 10_000),
    "control characters": (JUDGEMENT, AT, VALUES, "a\x00b\x1b[31m\u202ec\ud800\r\n"),
    "markup": (JUDGEMENT, AT, VALUES, r"$\frac{1}{0}$ \LaTeX{} <b>x</b> ${x} $$ %s {0}"),
    "letters of all the world": (JUDGEMENT, AT, VALUES, "错误率 エラー 오류 שגיאה خطأ 🚨 ﷽"),
    "ages ago": (replace(JUDGEMENT, onset=NOW - 5 * 365 * 86400, back_since=NOW - 86400), AT, VALUES, "x"),
    "in a future": (replace(JUDGEMENT, onset=NOW + 99, back_since=NOW + 999, hold=1e9), AT, VALUES, "x"),
    "backwards": (JUDGEMENT, AT[::-1], VALUES, "x"),
    "at one time": (JUDGEMENT, np.full(50, NOW - 60), VALUES[:50], "x"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("unit", ["ratio", "s", "customers who wait for long $"])
def test_whatever_comes_is_drawn(name: str, unit: str) -> None:
    judgement, at, values, title = HOSTILE[name]
    file = plot(
        judgement, at, values, title=title, unit=unit, zone=ZoneInfo("Asia/Kathmandu"), alert_at=NOW - 60
    )
    assert Picture.of("x.png", file, "").size == (WIDTH * SHARPNESS, HEIGHT * SHARPNESS)
    assert len(file) <= LARGEST


def test_colours_stand_out() -> None:
    def light(colour: str) -> float:
        parts = [one / 255 for one in rgb(colour)]
        linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(first: str, second: str) -> float:
        low, high = sorted((light(first), light(second)))
        return (high + 0.05) / (low + 0.05)

    for text in (chart.INK, chart.SOFT, chart.NORMAL, chart.BAD, chart.GOOD):
        for below in (sheet.PAPER, chart.TROUBLE):
            assert contrast(text, below) >= 4.5
    for line in (chart.INK, chart.NORMAL):
        for below in (sheet.PAPER, chart.TROUBLE, chart.BAND):
            assert contrast(line, below) >= 3


@pytest.mark.parametrize("absent", ["matplotlib", "PIL"])
def test_without_what_draws_it_is_said_what_to_install(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name in ("tocsin_verification.chart", "tocsin_verification.sheet") or name.split(".")[0] == absent:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(NoPictures, match=r"pip install 'tocsin\[plots\]'"):
        plot(JUDGEMENT, AT, VALUES, title="error rate", zone=UTC)


def test_no_picture_waits_for_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        plot(JUDGEMENT, AT, VALUES, title="error rate", zone=UTC)
        assert not [one for one in gc.get_objects() if isinstance(one, RendererAgg)]
    finally:
        gc.enable()
