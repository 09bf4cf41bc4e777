"""What is said is one clean line after another, each within its network's limit."""

import re
import struct
import unicodedata
import zlib
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.domain.message import (
    LARGEST_PICTURE,
    LONGEST_TEXT,
    Message,
    Picture,
    Place,
    clean,
    cut,
    safe_link,
)

from tests.pictures import picture, png

ZWJ, ZWNJ, EMOJI_STYLE = "\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}", "\N{VARIATION SELECTOR-16}"

# What turns text around or can't be seen; controls, line ends and surrogates are known by their category.
HIDDEN = (
    "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2064\u2066\u2067\u2068\u2069"
    "\ufeff\ufff9\ufffa\ufffb\U000e0001\U000e0041\U000e007f"
)
NASTY = HIDDEN + "\x00\x02\x07\t\r\n\x0b\x1b\x1c\x7f\x85\x9b\xa0\u2028\u2029\u3000\ud800\udfff"

# One alphabet of them all would be that of `characters`, and what is nasty so rare that it never came.
pieces = st.one_of(
    st.text(st.characters()), st.text(st.sampled_from(NASTY)), st.text(st.sampled_from(" aé🔥"))
)
anything = st.lists(pieces).map("".join)
visible = st.text(st.characters(categories=["L", "M", "N", "P", "S"]))


@given(anything, st.integers(1, 40) | st.just(LONGEST_TEXT))
def test_whatever_comes_in_one_short_line_of_visible_text_comes_out(text: str, longest: int) -> None:
    line = clean(text, longest)
    assert len(line) <= longest
    assert line.encode().decode() == line
    assert not {unicodedata.category(char) for char in line} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(line) & set(HIDDEN)
    assert len(line.splitlines()) <= 1
    assert line == " ".join(line.split())
    assert clean(line, longest) == line


@pytest.mark.parametrize("char", NASTY, ids=ascii)
def test_what_is_no_letter_of_any_language_is_a_blank(char: str) -> None:
    assert clean(f"a{char}b") == "a b"


@given(st.lists(visible | st.sampled_from([ZWJ, ZWNJ])))
def test_letters_marks_numbers_and_signs_stay_as_they_are(parts: list[str]) -> None:
    assert clean("".join(parts)) == "".join(parts)


@pytest.mark.parametrize(
    "text",
    [
        "disk full: 97 % of / used on db1, see https://example.org/a?b=c&d=%20",
        "Größe überschritten: naïve façade, Œuvre, Łódź, Đà Nẵng, İstanbul",
        "e\N{COMBINING ACUTE ACCENT}te\N{COMBINING ACUTE ACCENT}, a\N{COMBINING RING ABOVE}",
        "Диск заполнен, δίσκος γεμάτος, דיסק מלא, القرص ممتلئ",
        "डिस्क भर गई, ดิสก์เต็ม, 硬盘已满, ディスクがいっぱい, 디스크 가득 참",
        f"نمی{ZWNJ}خواهم",
        f"क्{ZWJ}ष क्{ZWNJ}ष",
        f"👩🏽{ZWJ}🚒 👨{ZWJ}👩{ZWJ}👧 ❤{EMOJI_STYLE} 1{EMOJI_STYLE}⃣ 🇩🇪 👍🏿",
        "*not bold* <b>not html</b> @room `!ack` … · — “”",
    ],
)
def test_ordinary_text_of_any_language_is_left_alone(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nPRIVMSG #ops :all clear", "a PRIVMSG #ops :all clear"),
        ("a\u2028b\u2029c\x85d\x0be", "a b c d e"),
        ("\x1b[31mred\x1b[0m \x02bold\x02", "[31mred [0m bold"),
        ("gnp.\u202eexe", "gnp. exe"),
        ("\ufeffdisk", "disk"),
        ("  a \t\n\x00 b\xa0\u3000c  ", "a b c"),
        ("\n\u200b", ""),
        ("x" * LONGEST_TEXT, "x" * LONGEST_TEXT),
        ("x" * (LONGEST_TEXT + 1), "x" * (LONGEST_TEXT - 1) + "…"),
    ],
)
def test_what_could_forge_hide_or_break_a_line_is_a_blank(text: str, line: str) -> None:
    assert clean(text) == line


@given(st.text(), st.integers(3, 60))
def test_a_cut_keeps_to_the_limit_and_to_whole_characters(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert len(short.encode()) <= limit
    if len(text.encode()) <= limit:
        assert short == text
    else:
        assert short.endswith("…")
        assert text.startswith(short[:-1])


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("disk full", 9, "disk full"),
        ("disk full", 8, "disk…"),
        ("disk full", 3, "…"),
        ("größer", 7, "grö…"),
        ("größer", 6, "gr…"),
        ("größer", 8, "größer"),
        ("🔥🔥🔥", 11, "🔥🔥…"),
        ("🔥🔥🔥", 10, "🔥…"),
        ("", 3, ""),
    ],
)
def test_no_more_is_cut_than_must_be(text: str, limit: int, short: str) -> None:
    assert cut(text, limit) == short


@pytest.mark.parametrize(
    ("limit", "line"),
    [
        (75, "k7f3 DiskFull db1: 97 % of / used · !ack k7f3 · https://example.org/graph"),
        (74, "k7f3 DiskFull db1: 97 % of / used · !ack k7f3"),
        (46, "k7f3 DiskFull db1: 97 % of / used · !ack k7f3"),
        (45, "k7f3 DiskFull db1: 97 % of /… · !ack k7f3"),
        (30, "k7f3 DiskFull… · !ack k7f3"),
    ],
)
def test_a_first_line_gives_up_its_link_then_some_text_and_never_what_to_type(limit: int, line: str) -> None:
    message = Message("DiskFull db1: 97 % of / used", "k7f3", "!ack k7f3", "https://example.org/graph")
    assert message.first_line(limit) == line


@example("aa", "k7f3", "!ack k7f3", "", 17)  # no room for the text
@example("", "", "!ack k7f3 " * 6, "https://x.org", 60)
@given(anything, anything, anything, anything, st.integers(60, 400))
def test_a_first_line_keeps_to_any_limit(
    text: str, subject: str, command: str, link: str, limit: int
) -> None:
    message = Message(text, subject, command, link)
    line = message.first_line(limit)
    assert len(line.encode()) <= limit
    head = " ".join(filter(None, [message.subject, message.text]))
    parts = [head, message.command, message.link]
    whole, linkless = (" · ".join(filter(None, some)) for some in (parts, parts[:2]))
    if len(whole.encode()) <= limit:
        assert line == whole
    elif len(linkless.encode()) <= limit:
        assert line == linkless
    elif len(f"{message.subject} · {message.command}".encode()) <= limit:
        assert line.startswith(message.subject)
        assert line.endswith(message.command)


@given(anything, st.lists(anything), st.integers(60, 400))
def test_every_line_of_a_message_is_one_line_within_the_limit(
    text: str, lines: list[str], limit: int
) -> None:
    for line in Message(text, lines=tuple(lines)).all_lines(limit):
        assert len(line.encode()) <= limit
        assert len(line.splitlines()) <= 1


def test_lines_with_nothing_in_them_are_not_said() -> None:
    assert Message("a", lines=("b", "", "\n", "c\nd")).all_lines() == ["a", "b", "c d"]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place("irc", "#ops/db"), "irc/room/#ops/db"),
        (Place("matrix", "@zoë:example.org", private=True), "matrix/person/@zoë:example.org"),
        (Place("matrix", "!a/person/b:example.org"), "matrix/room/!a/person/b:example.org"),
    ],
)
def test_a_place_is_written_as_a_path(place: Place, text: str) -> None:
    assert str(place) == text
    assert Place.parse(text) == place


@given(st.from_regex(r"[a-z][a-z0-9_-]*", fullmatch=True), st.text(), st.booleans())
def test_a_place_is_read_as_it_is_written(network: str, name: str, private: bool) -> None:  # noqa: FBT001
    place = Place(network, name, private)
    assert Place.parse(str(place)) == place


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://example.org/a/b?c=d&e=%20#f", "https://example.org/a/b?c=d&e=%20#f"),
        ("http://example.org", "http://example.org"),
        ("HTTPS://Example.ORG/Graph", "https://example.org/Graph"),
        ("http://127.0.0.1:9090/graph?g0.expr=up+%3E+1", "http://127.0.0.1:9090/graph?g0.expr=up+%3E+1"),
        ("http://[2001:db8::1]:9090/", "http://[2001:db8::1]:9090/"),
        ("http://alert_manager:9093/#/alerts", "http://alert_manager:9093/#/alerts"),
        ("https://köln.example/ä?ö#ü", "https://xn--kln-sna.example/%C3%A4?%C3%B6#%C3%BC"),
        ("https://ex\N{CYRILLIC SMALL LETTER A}mple.org/", "https://xn--exmple-4nf.org/"),
        ('https://example.org/a b"<c>', "https://example.org/a%20b%22%3Cc%3E"),
        ("https://example.org/\u202efdp.exe", "https://example.org/%E2%80%AEfdp.exe"),
        ("https://example.org/?" + "x" * 979, "https://example.org/?" + "x" * 979),
        ("https://example.org/?" + "x" * 980, ""),
        ("https://example.org/" + "ä" * 400, ""),
        ("", ""),
        ("example.org", ""),
        ("//example.org/", ""),
        ("/graph", ""),
        ("https:", ""),
        ("https://", ""),
        ("https:///graph", ""),
        ("https://:9090/", ""),
        ("https://example.org:port/", ""),
        ("https://example.org:99999/", ""),
        ("https://[::1/", ""),
        ("https://a..b/", ""),
        ("https://" + "x" * 64 + ".org/", ""),
        ("https://user@example.org/", ""),
        ("https://@example.org/", ""),
        ("https://user:password@example.org/", ""),
        ("https://example.org@evil.example/", ""),
        ("https://example.org\\@evil.example/", ""),
        ("https://example.org\N{FULLWIDTH SOLIDUS}.evil.example/", ""),
        ("https://example.org/\ud800", ""),
        ("https://\u202egro.elpmaxe/", ""),
        ("javascript:alert(1)", ""),
        ("JaVaScRiPt://example.org/%0aalert(1)", ""),
        ("java\nscript:alert(1)", ""),
        ("data:text/html,<script>alert(1)</script>", ""),
        ("file:///etc/passwd", ""),
        ("ftp://example.org/", ""),
        ("mailto:alice@example.org", ""),
    ],
)
def test_a_link_is_given_only_if_it_leads_where_it_seems_to(url: str, link: str) -> None:
    assert safe_link(url) == link


hosts = st.one_of(
    anything,
    st.sampled_from(["example.org", "größe.example", "[::1]", "user@example.org", "a:80", "a..b", ""]),
)
urls = st.builds(
    "{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTP:", "javascript:", "//", ""]),
    hosts,
    anything,
)


@given(urls | anything)
def test_a_link_is_plain_ascii_that_leads_to_a_host_and_names_no_user(url: str) -> None:
    link = safe_link(url)
    if link:
        parts = urlsplit(link)
        assert link.isascii()
        assert parts.scheme in ("http", "https")
        assert parts.hostname
        assert parts.username is parts.password is None
        assert safe_link(link) == link


def test_a_link_leads_to_the_host_to_which_a_browser_would_go() -> None:
    assert safe_link("https://straße.example/") in ("", "https://xn--strae-oqa.example/")


ODD_HOSTS = ["a b", "a\0b", "a\x01b", 'a"b', "a<b>", "a\\b", "a|b", "a^b", "a`b", "a{b}", "a%00b", "[v1.a<b]"]


@pytest.mark.parametrize("host", ODD_HOSTS, ids=ascii)
def test_a_host_whose_name_is_none_is_no_place_for_a_link(host: str) -> None:
    assert safe_link(f"https://{host}/") == ""


def test_a_host_whose_name_is_far_too_long_takes_no_time() -> None:
    name = "".join(chr(0x4E00 + number % 20_000) for number in range(100_000))
    assert safe_link(f"https://{name}.example/") == ""


def test_what_a_link_is_made_of_is_never_what_breaks_a_line() -> None:
    link = safe_link("https://example.org/a\r\nb\tc d\0\x1b\u2028")
    assert re.fullmatch(r"[!-~]+", link)
    assert Message("a", link=link).first_line() == f"a · {link}"


def test_a_picture_is_what_its_file_says() -> None:
    shot = Picture.of("disk.png", png(640, 480), "the disk\nof db-1")
    assert (shot.name, shot.alt, shot.size, shot.png) == (
        "disk.png",
        "the disk of db-1",
        (640, 480),
        png(640, 480),
    )
    assert Picture.of("..\\../e\u202etc/x", png(), "").name == ".._.._e tc_x"
    assert Picture.of("\n", png(), "").name == "picture.png"


def test_a_picture_is_never_printed() -> None:
    shot = picture()
    assert shot.data not in repr(Message("a", picture=shot))


def test_a_picture_is_at_most_a_mebibyte() -> None:
    full = LARGEST_PICTURE - len(png())
    assert len(Picture.of("a.png", png(more=full), "").png) == LARGEST_PICTURE
    for more in (full + 1, full + 4, 3 * full):
        with pytest.raises(ValueError, match="draw a smaller picture"):
            Picture.of("a.png", png(more=more), "")


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (10_001, 1), (1, 10_001), (2**32 - 1, 2**32 - 1)])
def test_a_picture_is_no_larger_than_a_phone_can_draw(size: tuple[int, int]) -> None:
    head = struct.pack(">4s2I5B", b"IHDR", *size, 8, 2, 0, 0, 0)
    file = png()[:12] + head + struct.pack(">I", zlib.crc32(head)) + png()[33:]
    with pytest.raises(ValueError, match="points wide and high"):
        Picture.of("a.png", file, "")


@example(png()[:32])
@example(png()[1:])
@example(b"\xff\xd8\xff\xe0" + png()[4:])
@example(png()[:18] + b"\1" + png()[19:])  # another width than its sum is of
@example(png()[:8] + png()[33:])
@example(b"")
@given(st.binary())
def test_what_is_no_png_is_refused(file: bytes) -> None:
    with pytest.raises(ValueError, match="is no PNG"):
        Picture.of("a.png", file, "")


@pytest.mark.parametrize("data", ["!", "iVBO", "\ud800", "é", picture().data + "\n", picture().data + "!!!!"])
def test_a_picture_that_is_no_base64_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match=r"^a\.png: is no (PNG|base64)"):
        Picture("a.png", "", data)


def test_a_picture_is_not_for_all_the_world_to_see() -> None:
    assert Message("disk full on db-1", brief="DiskFull", picture=picture()).summary().picture is None
    assert Message("disk full", picture=picture()).summary().picture == picture()
