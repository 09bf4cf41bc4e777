"""What a message looks like on Matrix, whatever it holds; and what is read from events, whatever they hold."""

import json
import time
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.domain.message import Message, safe_link
from tocsin.networks.matrix.bodies import LARGEST, TXN, Said, content, picture_content, reaction, said

from tests.pictures import picture

PAGE = Message(
    "critical DiskFull on db-1",
    subject="k7f3",
    command="!ack k7f3",
    link="https://prometheus.example.org:9090/graph?g0.expr=up&g0.tab=1",
    lines=("bob is next in 5m", "<b>and</b> & so on"),
)
ALICE = "@alice:example.org"
NEVER = set(map(chr, [*range(0xA), *range(0xB, 0x20), 0x7F, 0x2028, 0x202E, *range(0xD800, 0xE000)]))


class Shown(HTMLParser):
    """What a client shows of a formatted body: its text, and the tags that were in it."""

    def __init__(self, formatted: str) -> None:
        super().__init__()
        self.text, self.tags, self.links = "", set[str](), list[str | None]()
        self.feed(formatted)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.text += "\n" * (tag == "br")
        if tag == "a":
            assert [name for name, _ in attrs] == ["href"]
            self.links.append(attrs[0][1])
        else:
            assert not attrs

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)


nasty = st.text(st.sampled_from("<>&\"'/=! a·*_`\n\0\x1b\u202e\u2028\ud800\udc00é🔥"), max_size=60)
outside = st.one_of(
    nasty,
    st.text(st.characters(), max_size=60),
    st.sampled_from(
        ["<b>", "<br>", "</code>", "&lt;", "&#64;room", "@room", "--><script>", "· !ack x", "**b**"]
    ),
)
links = outside | st.sampled_from(
    [PAGE.link, "https://x.org/?'\"<&", "javascript:alert(1)", "https://ä.org/"]
)
messages = st.builds(
    Message, outside, outside, outside, links, st.lists(outside, max_size=6).map(tuple), picture=st.none()
)
ids = st.just("") | st.just("$event")


def test_a_page_is_a_text_that_wakes_whom_it_is_for() -> None:
    assert content(PAGE, kind="text", mentions=[ALICE], txn_id="t1") == {
        "msgtype": "m.text",
        "body": "k7f3 critical DiskFull on db-1 · !ack k7f3"
        " · https://prometheus.example.org:9090/graph?g0.expr=up&g0.tab=1\n"
        "bob is next in 5m\n"
        "<b>and</b> & so on",
        "format": "org.matrix.custom.html",
        "formatted_body": "<code>k7f3</code> critical DiskFull on db-1 · <code>!ack k7f3</code>"
        ' · <a href="https://prometheus.example.org:9090/graph?g0.expr=up&amp;g0.tab=1">prometheus.example.org:9090</a>'
        "<br>bob is next in 5m<br>&lt;b&gt;and&lt;/b&gt; &amp; so on",
        "m.mentions": {"user_ids": [ALICE]},
        TXN: "t1",
    }


def test_what_mentions_nobody_wakes_nobody_even_if_it_names_them() -> None:
    for told, msgtype in (
        (content(Message("alice has it"), kind="text", txn_id="t1"), "m.text"),
        (content(Message("alice has it"), kind="notice", txn_id="t1"), "m.notice"),
    ):
        assert (told["msgtype"], told["m.mentions"]) == (msgtype, {})


def test_who_is_mentioned_is_woken_for_a_notice_would_not() -> None:
    assert content(PAGE, kind="notice", mentions=[ALICE], txn_id="t1")["msgtype"] == "m.text"


def test_an_edit_stands_in_place_of_what_it_amends_and_wakes_nobody() -> None:
    now = Message("acked by bob", subject="k7f3")
    edit = content(now, kind="text", mentions=[ALICE], amends="$page", answers="$x", thread="$y", txn_id="t2")
    assert edit == {
        "msgtype": "m.notice",
        "body": "* k7f3 acked by bob",
        "m.mentions": {},
        "m.new_content": {
            "msgtype": "m.text",
            "body": "k7f3 acked by bob",
            "format": "org.matrix.custom.html",
            "formatted_body": "<code>k7f3</code> acked by bob",
            "m.mentions": {},
        },
        "m.relates_to": {"rel_type": "m.replace", "event_id": "$page"},
        TXN: "t2",
    }


@pytest.mark.parametrize(
    ("answers", "thread", "relation"),
    [
        ("$line", "", {"m.in_reply_to": {"event_id": "$line"}}),
        (
            "",
            "$root",
            {
                "rel_type": "m.thread",
                "event_id": "$root",
                "is_falling_back": True,
                "m.in_reply_to": {"event_id": "$root"},
            },
        ),
        (
            "$line",
            "$root",
            {
                "rel_type": "m.thread",
                "event_id": "$root",
                "is_falling_back": False,
                "m.in_reply_to": {"event_id": "$line"},
            },
        ),
    ],
)
def test_an_answer_stands_beside_what_it_answers(answers: str, thread: str, relation: object) -> None:
    told = content(PAGE, kind="notice", answers=answers, thread=thread, txn_id="t1")
    assert told["m.relates_to"] == relation
    shown = picture_content(picture(), url="mxc://x/y", answers=answers, thread=thread, txn_id="t1")
    assert shown["m.relates_to"] == relation


@given(messages)
def test_both_bodies_say_the_same_and_none_of_it_is_markup(message: Message) -> None:
    told = content(message, kind="text", txn_id="t1")
    assert told["body"] == "\n".join(message.all_lines())
    shown = Shown(told["formatted_body"])
    assert shown.tags <= {"code", "br", "a"}
    plain = told["body"]
    for link in shown.links:  # one at most
        assert link == safe_link(message.link)
        first, *more = plain.split("\n")
        plain = "\n".join([first.removesuffix(message.link) + urlsplit(link).netloc, *more])
    assert shown.text == plain
    assert bool(shown.links) == bool(safe_link(message.link))


@given(
    messages,
    st.sampled_from(["text", "notice"]),
    st.lists(st.just(ALICE), max_size=2),
    st.tuples(ids, ids, ids),
)
def test_whatever_it_holds_it_can_be_sent(
    message: Message, kind: Any, mentions: list[str], stands: tuple[str, str, str]
) -> None:
    amends, answers, thread = stands
    told = content(
        message, kind=kind, mentions=mentions, amends=amends, answers=answers, thread=thread, txn_id="t1"
    )
    for escaped in (True, False):
        written = json.dumps(told, allow_nan=False, ensure_ascii=escaped).encode()
        assert json.loads(written) == told
        assert len(written) <= LARGEST
    assert not set(told["body"]) & NEVER
    assert told[TXN] == "t1"
    if mentions and not amends:
        assert (told["msgtype"], told["m.mentions"]) == ("m.text", {"user_ids": mentions})


@settings(max_examples=25)
@given(
    st.sampled_from(["x ", '"', "&", "<", "ä", "硬", "🔥", "👩🏽\u200d🚒"]),
    st.sampled_from(["", "$page"]),
    st.sampled_from([0, 1, 30, 500]),
)
def test_however_long_it_is_it_is_cut_to_what_a_server_takes(sign: str, amends: str, lines: int) -> None:
    long = Message(sign * 2000, "k7f3", "!ack k7f3", "https://x.org/?" + "&" * 900, (sign * 2000,) * lines)
    told = content(long, kind="text", mentions=[ALICE], amends=amends, txn_id="t1")
    whole = told["body"].removeprefix("* ") == "\n".join(long.all_lines())
    assert len(json.dumps(told)) <= LARGEST
    assert whole or len(json.dumps(told)) > 0.7 * LARGEST
    first, *more = told["body"].removeprefix("* ").split("\n")
    assert first.startswith(f"k7f3 {sign[0]}")
    assert " · !ack k7f3" in first
    if len(more) < lines:
        assert more[-1] == f"… and {lines - len(more) + 1:,} more line{'s' * (lines >= len(more))}"
    shown = Shown(told.get("m.new_content", told)["formatted_body"])
    assert shown.text.count("\n") == len(more)


def test_what_is_long_gives_up_its_last_lines_before_its_text() -> None:
    long = Message("disk full", "k7f3", "!ack k7f3", lines=tuple(f"line {number}" for number in range(9000)))
    first, *more, last = content(long, kind="notice", txn_id="t1")["body"].split("\n")
    assert first == "k7f3 disk full · !ack k7f3"
    assert more == [f"line {number}" for number in range(len(more))]
    assert len(more) > 1000
    assert last == f"… and {9000 - len(more):,} more lines"


def test_a_line_that_was_cut_says_the_same_in_both_bodies() -> None:
    long = replace(PAGE, text="&🔥" * 1000)
    shown = content(long, kind="text", amends="$page", txn_id="t1")["m.new_content"]
    assert Shown(shown["formatted_body"]).text == shown["body"]
    assert shown["formatted_body"].startswith("<code>k7f3</code> &amp;🔥")
    assert shown["formatted_body"].endswith("… · <code>!ack k7f3</code><br>… and 2 more lines")


def test_a_link_that_is_unfit_for_clicking_is_text() -> None:
    told = content(replace(PAGE, link="javascript:alert('1')", lines=()), kind="text", txn_id="t1")
    assert told["formatted_body"].endswith(" · javascript:alert('1')")


def test_a_picture_is_shown_under_what_it_says() -> None:
    shot = picture(width=640, height=480)
    shown = picture_content(shot, url="mxc://example.org/a", txn_id="t1")
    assert shown == {
        "msgtype": "m.image",
        "body": "the disk of db-1 over six hours",
        "filename": "disk.png",
        "info": {"mimetype": "image/png", "size": len(shot.png), "w": 640, "h": 480},
        "url": "mxc://example.org/a",
        "m.mentions": {},
        TXN: "t1",
    }
    assert picture_content(replace(shot, alt=""), url="mxc://x/a", txn_id="t1")["body"] == "disk.png"


def test_a_picture_in_an_encrypted_room_brings_its_keys() -> None:
    keys = {"v": "v2", "key": {"k": "secret"}, "iv": "iv", "hashes": {"sha256": "sum"}}
    shown = picture_content(picture(), url="mxc://example.org/a", keys=keys, txn_id="t1")
    assert shown["file"] == {**keys, "url": "mxc://example.org/a"}
    assert "url" not in shown


REPLY = {"m.in_reply_to": {"event_id": "$page"}}
THREAD = {"rel_type": "m.thread", "event_id": "$root"}
EDIT = {"rel_type": "m.replace", "event_id": "$line"}


def text(body: object, relation: object = None, **more: object) -> dict[str, object]:
    return {"msgtype": "m.text", "body": body, "m.relates_to": relation, **more}


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        (text("!ack k7f3"), Said("!ack k7f3")),
        (text(" \n!ack k7f3\nthanks \n"), Said("!ack k7f3\nthanks")),
        (text("tocsin: ack"), Said("tocsin: ack")),
        (
            text("tocsin: ack", formatted_body='<a href="https://matrix.to/#/@tocsin:x">tocsin</a>: ack'),
            Said("tocsin: ack"),
        ),
        (text("ack", REPLY), Said("ack", answers_event="$page")),
        (
            text("> <@tocsin:x> k7f3 disk full\n> bob is next\n\nack", REPLY),
            Said("ack", answers_event="$page"),
        ),
        (
            text(
                "> <@tocsin:x> k7f3\n\nack",
                REPLY,
                formatted_body="<mx-reply><blockquote>k7f3</blockquote></mx-reply>ack",
            ),
            Said("ack", answers_event="$page"),
        ),
        (
            text("ack", REPLY, formatted_body="<mx-reply><blockquote>k7f3</blockquote></mx-reply><p>ack</p>"),
            Said("ack", answers_event="$page"),
        ),
        (text("ack", THREAD), Said("ack", in_thread="$root")),
        (text("ack", {**THREAD, **REPLY, "is_falling_back": True}), Said("ack", in_thread="$root")),
        (text("ack", {**THREAD, **REPLY}), Said("ack", answers_event="$page", in_thread="$root")),
        (text("* ack", EDIT, **{"m.new_content": text("ack")}), Said("ack", edits="$line")),
        (
            text("see below", formatted_body="<p>see</p><pre><code>below</code></pre>"),
            Said("see below"),
        ),
        (text("ack", formatted_body="<blockquote>k7f3</blockquote>\n<p>ack</p>"), Said("ack")),
    ],
    ids=lambda part: str(part.get("body"))[:20] if isinstance(part, dict) else "",
)
def test_what_somebody_said_is_in_their_own_words(heard: object, meant: Said) -> None:
    assert said(heard) == meant


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        ({"msgtype": "m.notice", "body": "!ack k7f3"}, "a notice"),
        ({"msgtype": "m.emote", "body": "!ack k7f3"}, "an emote"),
        ({"msgtype": "m.image", "body": "!ack k7f3"}, "no text"),
        ({"msgtype": "org.example.poll", "body": "!ack k7f3"}, "no text"),
        ({"body": "!ack k7f3"}, "no text"),
        ({}, "no text"),
        (None, "no text"),
        ("!ack k7f3", "no text"),
        ([text("!ack k7f3")], "no text"),
        (text(None), "nothing said"),
        (text(["!ack"]), "nothing said"),
        (text(" \n\t"), "nothing said"),
        (text("> <@tocsin:x> k7f3", REPLY), "nothing said"),
        (text("> !ack k7f3"), "a quotation"),
        (text(">!ack k7f3\n\n!ack"), "a quotation"),
        (text("> !ack k7f3\n\nno", {**THREAD, **REPLY, "is_falling_back": True}), "a quotation"),
        (text("```\n!ack k7f3\n```"), "a quotation or code"),
        (text("!ack k7f3", formatted_body="<pre><code>!ack k7f3\n</code></pre>\n"), "a quotation or code"),
        (text("!ack k7f3", formatted_body="<PRE class='x'>!ack k7f3"), "a quotation or code"),
        (
            text("!ack", formatted_body="<blockquote><blockquote>!ack</blockquote>a</blockquote>"),
            "a quotation or code",
        ),
        (
            text(
                "!ack", REPLY, formatted_body="<mx-reply><blockquote>k</blockquote></mx-reply><pre>!ack</pre>"
            ),
            "a quotation or code",
        ),
        (
            text("!ack", REPLY, formatted_body="<mx-reply>k7f3</mx-reply><pre>!ack</pre>"),
            "a quotation or code",
        ),
        (text("* !ack", EDIT), "no text"),
        (text("* !ack", EDIT, **{"m.new_content": {"msgtype": "m.notice", "body": "!ack"}}), "a notice"),
        (text("* !ack", {"rel_type": "m.replace"}, **{"m.new_content": text("!ack")}), "an edit of nothing"),
    ],
)
def test_what_is_no_command_says_why(heard: object, why: str) -> None:
    assert said(heard) == Said(ignored_because=why)


@pytest.mark.parametrize(
    ("heard", "tapped"),
    [
        ({"rel_type": "m.annotation", "event_id": "$page", "key": "✅"}, ("$page", "✅")),
        ({"rel_type": "m.annotation", "event_id": "$page", "key": "👍🏽"}, ("$page", "👍🏽")),
        ({"rel_type": "m.replace", "event_id": "$page", "key": "✅"}, None),
        ({"rel_type": "m.annotation", "event_id": "page", "key": "✅"}, None),
        ({"rel_type": "m.annotation", "event_id": 7, "key": "✅"}, None),
        ({"rel_type": "m.annotation", "event_id": "$page"}, None),
        ({"rel_type": "m.annotation", "event_id": "$page", "key": ["✅"]}, None),
        ({"rel_type": "m.annotation", "event_id": "$page", "key": "✅" * 101}, None),
        ({"rel_type": "m.annotation", "event_id": "$page", "key": "\ud83d"}, None),
        ({"rel_type": "m.annotation", "event_id": "$\ud83d", "key": "✅"}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_tap_is_an_emoji_on_an_event(heard: object, tapped: object) -> None:
    assert reaction({"m.relates_to": heard}) == tapped


names = st.sampled_from(
    ["m.relates_to", "m.new_content", "m.in_reply_to", "rel_type", "event_id", "key", "body"]
)
words = st.sampled_from(
    ["m.text", "m.notice", "m.replace", "m.thread", "m.annotation", "$event", "✅", "> a\n\n!ack"]
)
tags = st.sampled_from(["<pre>", "<mx-reply>", "</mx-reply>", "<", "</blockquote>x", "```", "\ud800", "$\0"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | words
    | tags
    | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(names | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)
events = values | st.fixed_dictionaries(
    {"msgtype": words | values, "body": words | tags | values},
    optional={"formatted_body": tags | values, "m.relates_to": values, "m.new_content": values},
)


@settings(max_examples=300)
@given(events)
def test_whatever_an_event_holds_it_is_read_and_can_be_kept(heard: object) -> None:
    meant = said(heard)
    assert not (meant.text and meant.ignored_because)
    assert meant.text or meant.ignored_because
    for kept in (meant.text, meant.answers_event, meant.in_thread, meant.edits):
        assert "\0" not in kept
        assert len(kept.encode()) <= 8000
    tapped = reaction(heard)
    if tapped:
        assert all("\0" not in part and part.encode() for part in tapped if part)


def test_an_event_may_be_as_deep_as_it_likes() -> None:
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"m.relates_to": deep, "m.new_content": deep}
    assert said(deep).ignored_because
    assert reaction(deep) is None


@pytest.mark.parametrize(
    "part",
    ["<", "<pre>", "<pre", "<blockquote><", "</pre>", "<mx-reply>", "<!--", "&", "> \n", ">", "\n", "```"],
)
def test_a_huge_event_holds_nothing_up(part: str) -> None:
    huge = part * (1_000_000 // len(part))
    began = time.thread_time()
    said(text(huge, REPLY, formatted_body=huge))
    said(text("ack", formatted_body=huge))
    reaction({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$page", "key": huge}})
    # An event is 16 times smaller; what were quadratic would take hours.
    assert time.thread_time() - began < 5
