"""A document in each format: whatever a text holds, it is only ever a text."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.document import (
    Bar,
    Blank,
    Block,
    Bullets,
    Chapter,
    Chart,
    Document,
    Paragraph,
    Table,
)
from tocsin.domain.drawing import WIDTH, svg
from tocsin.domain.html_page import POLICY, html_page
from tocsin.domain.markdown import markdown

BEGIN = datetime(2026, 11, 21, 3, tzinfo=UTC)

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></svg><script>",
    "# a heading",
    "- a list",
    "1. a list",
    "> a quotation",
    "[a link](https://evil.example)",
    "![a picture](https://evil.example/x.png)",
    "https://evil.example and www.evil.example",
    "a | b | c",
    "`code` **bold** _slanted_ ~~gone~~",
    "--- \n# broken\r\n\x00\x1b[31m\u202e\u2028",
    "<!-- &lt; &amp;",
    "javascript:alert(1)",
    "x" * 5000,
    "=====",
    "@everyone #1",
]


def chart(text: str) -> Chart:
    times = tuple(BEGIN + timedelta(minutes=number) for number in range(5))
    return Chart(
        text,
        tuple((f"{text} {number}", at) for number, at in enumerate(times)),
        (Bar(text, ((times[0], times[2]), (times[3], None))),),
        ((text, times),),
    )


def document(text: str, mark: str = "") -> Document:
    blocks: list[Block] = [
        Paragraph(text),
        Bullets((text, text)),
        Table((text, "b"), ((text, "2"), ("", text))),
        Blank(text),
        chart(text),
    ]
    return Document(text, [Chapter(text, blocks)], mark)


PLAIN = document("plain")


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags = list[tuple[str, tuple[str, ...]]]()
        self.words = list[str]()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_markup_in_html(text: str) -> None:
    page = html_page(document(text))
    assert Tags(page).tags == Tags(html_page(PLAIN)).tags
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2028]", page)


def test_a_page_fetches_nothing_and_runs_nothing() -> None:
    page = html_page(document("it is slow"))
    assert "script" not in page
    assert not re.search(r"\b(src|href|style)=|url\(|@import|http(?!-equiv)", page)
    assert f'http-equiv="Content-Security-Policy" content="{POLICY}"' in page
    assert POLICY.startswith("default-src 'none'; style-src 'sha256-")
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in page


_MARKUP = re.compile(r"(?<!\\)(?:\\\\)*([`*_\[\]<>#@&~])")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_markup_in_markdown(text: str) -> None:
    written = markdown(document(text)).splitlines()
    plain = markdown(PLAIN).splitlines()
    assert len(written) == len(plain)
    for mine, its in zip(written, plain, strict=True):
        start = its.partition("plain")[0]
        assert mine.startswith(start)
        rest = mine[len(start) :].rstrip("*|. \u2026")
        assert not _MARKUP.search(rest.replace("| b", "").replace("---|", "")), mine
        assert not re.search(r"(?<!\\):(?=//)|(?<!\\)www\.", mine)
        assert not re.match(r"([-+=]|\d+[.)]\s)", rest)
    table = [line for line in written if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in table} == {3}


@given(st.text(max_size=60))
def test_whatever_is_typed_the_form_stays(text: str) -> None:
    assert Tags(html_page(document(text, "drill"))).tags == Tags(html_page(document("plain", "drill"))).tags
    assert len(markdown(document(text)).splitlines()) == len(markdown(PLAIN).splitlines())
    ET.fromstring(svg(chart(text)))  # noqa: S314 (our own)


def test_a_drill_is_marked_above_all_and_at_each_title() -> None:
    drill = document("it is slow", "drill")
    assert "**DRILL**" in markdown(drill)
    assert "## it is slow (drill)" in markdown(drill)
    page = html_page(drill)
    assert '<p class="drill">drill</p>' in page
    assert '<h2>it is slow <span class="of">(drill)</span></h2>' in page
    assert "<title>drill: it is slow</title>" in page
    assert "drill" not in html_page(PLAIN).replace(".drill", "")


@pytest.mark.parametrize("text", ["DiskFull", "x" * 500, "\u4e2d" * 200])
def test_the_picture_fits_a_phone(text: str) -> None:
    root = ET.fromstring(svg(chart(text)))  # noqa: S314 (our own)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert width == WIDTH == 360
    for one in root.iter():
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(one.attrib.get(name, 0)) <= width
        for name in ("y", "y1", "y2", "cy"):
            assert 0 <= float(one.attrib.get(name, 0)) <= height
        assert len(one.text or "") <= 200
    bars = list(root.iter("rect"))
    assert [(one.attrib["x"], one.attrib["width"]) for one in bars] == [("12.0", "168.0"), ("264.0", "84.0")]


def test_of_many_alerts_some_are_drawn_and_the_rest_is_counted() -> None:
    bars = tuple(Bar(f"k{number}", ((BEGIN, None),)) for number in range(30))
    drawn = svg(Chart("many", (("declared", BEGIN),), bars))
    assert drawn.count("<rect") == 8
    assert "and 22 more" in drawn
    assert drawn.count("nan") == 0
