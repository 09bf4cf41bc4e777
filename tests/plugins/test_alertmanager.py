"""What Alertmanager posts becomes pages; what it might be made to post does no harm."""

from datetime import timedelta

import pytest

from tocsin.domain.message import LONGEST_TEXT

from tests.plugins.alertmanager_parts import AT, KEY, LATER, SOON, ZERO, Json, Sender, alert, body


async def test_one_alert_is_one_page_until_it_is_over(sender: Sender) -> None:
    await sender.accepts(body())
    subject = await sender.subject()
    assert sender.pages() == [f"{subject} critical ErrorRatioHigh checkout: checkout fails · !ack {subject}"]
    await sender.accepts(body(alert(until=SOON)))
    assert await sender.open_groups() == 0
    assert "resolved by its source, without an answer" in sender.engine.chat.texts("room/#ops")[-1]
    await sender.engine.advance(hours=1)
    assert "paged" not in " ".join(sender.engine.chat.texts("person/bob"))


async def test_a_group_is_one_page(sender: Sender) -> None:
    await sender.accepts(body(*(alert(f"s{number}") for number in range(100))))
    (page,) = sender.pages()
    assert "critical ErrorRatioHigh s0: s0 fails, and 99 more" in page


async def test_a_page_counts_what_alertmanager_left_out(sender: Sender) -> None:
    await sender.accepts(body(alert(), more=3))
    (page,) = sender.pages()
    assert "checkout fails, and 3 more" in page


@pytest.mark.parametrize(
    ("bodies", "still_open"),
    [
        ([body(alert(), alert("mail")), body(alert(), alert("mail", until=SOON))], 1),
        ([body(alert(), alert("mail")), body(alert(until=SOON), alert("mail", until=SOON))], 0),
        ([body(alert(), alert("mail")), body(alert(until=SOON))], 0),
        ([body(alert(), alert("mail")), body(alert(until=SOON), status="firing")], 1),
        ([body(alert(), more=3), body(alert(until=SOON), more=3)], 0),
        ([body(alert(), more=3), body(alert(until=SOON), status="firing", more=3)], 1),
        ([body(alert(), more=3), body(alert(until=SOON), status="firing")], 1),
        ([body(alert(), groupKey="a"), body(alert(), groupKey="b")], 2),
        ([body(alert(until=SOON))], 0),
        # Late: it tells of the end of an earlier firing.
        ([body(alert(since=LATER)), body(alert(until=SOON))], 1),
        ([body(), body(alert(since=LATER)), body(alert(until=SOON))], 1),
        ([body(alert(since=LATER), alert("mail")), body(alert(until=SOON), alert("mail", until=SOON))], 1),
        ([body(), body(alert(since=LATER)), body(alert(since=LATER, until=LATER + timedelta(minutes=1)))], 0),
    ],
)
async def test_a_group_is_open_until_all_of_it_is_over(
    sender: Sender, bodies: list[bytes], still_open: int
) -> None:
    await sender.accepts(*bodies)
    assert await sender.open_groups() == still_open
    assert (await sender.engine.sql("select distinct outcome from intake")) == [("taken",)]


async def test_an_alert_whose_beginning_moved_back_ends_all_the_same(sender: Sender) -> None:
    """Alertmanager keeps the earliest of the times that several Prometheus servers give it for one alert."""
    await sender.accepts(body(alert(since=AT + timedelta(seconds=5))), body(alert(since=AT, until=SOON)))
    assert await sender.open_groups() == 0


async def test_two_replicas_that_say_the_same_page_once(sender: Sender) -> None:
    await sender.accepts(body(), body(), body())
    assert len(sender.pages()) == 1
    assert await sender.kinds() == ["group.opened", "page.delivered"]
    await sender.accepts(body(alert(until=SOON)), body(alert(until=SOON)))
    assert (await sender.kinds()).count("group.resolved") == 1


async def test_what_fires_anew_is_noted_and_pages_again_once_it_was_over(sender: Sender) -> None:
    await sender.accepts(body(), body(alert(since=LATER)), body(alert(since=LATER)))
    assert (await sender.kinds()).count("alert.fired") == 1
    assert len(sender.pages()) == 1
    await sender.accepts(
        body(alert(since=LATER, until=LATER)), body(alert(since=LATER + timedelta(minutes=9)))
    )
    assert (await sender.kinds()).count("group.reopened") == 1
    assert sum("!ack" in page for page in sender.pages()) == 2


async def test_groups_whose_long_names_begin_alike_are_two(sender: Sender) -> None:
    for end in "ab":
        await sender.accepts(body(groupKey="x" * 3000 + end))
    assert await sender.open_groups() == 2
    assert len(sender.pages()) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"startsAt": "1970-01-01T00:00:00Z"},
        {"startsAt": "9999-12-31T23:59:59Z"},
        {"startsAt": "9999-12-31T23:59:59-05:00"},
        {"startsAt": ZERO},
        {"startsAt": "0001-01-01T00:00:00+05:00"},
        {"startsAt": "2026-11-21T02:52:42"},
        {"startsAt": "2026-11-21T02:52:42+25:00"},
        {"startsAt": "null"},
        {"startsAt": "\u202egarbage\n"},
        {"fingerprint": ""},
        {"fingerprint": "\0\u202e"},
        {"fingerprint": "f" * 10_000},
        {"generatorURL": ""},
        {"annotations": {}},
        {"labels": {}},
    ],
    ids=lambda changes: str(changes)[:50],
)
async def test_an_odd_alert_pages_and_ends_like_any_other(sender: Sender, changes: Json) -> None:
    await sender.accepts(body(alert(**changes)) if "labels" not in changes else bare())
    assert len(sender.pages()) == 1
    over = alert(until=SOON, **changes) if "labels" not in changes else {**alert(until=SOON), **changes}
    await sender.accepts(body(over))
    assert await sender.open_groups() == 0


def bare() -> bytes:
    return body({**alert(), "labels": {}})


HOSTILE = {
    "NUL": "a\0b",
    "a line of its own": "up\r\nPRIVMSG #ops :k7f3 acknowledged by alice",
    "text turned around": "gnp.\u202eexe\u2066",
    "what can't be seen": "a\u200bb\u2060\ufeff\U000e0041",
    "other line ends": "a\u2028b\u2029c\x85d\x0be",
    "escapes": "\x1b[31mred\x1b[0m\x07",
    "markup": "<script>alert(1)</script> *b* `c` [x](http://evil.example) &lt;",
    "a call to all": "@room @everyone @here",
    "a command": "!ack",
    "a command for all": "!ack all · !done all",
    "our own words": "acknowledged by alice: resolved by its source",
    "a format": "%s {0} {subject} ${HOME}",
    "SQL": "'; drop table events; --",
    "a long one": "x" * 10_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("where", ["labels", "annotations", "names", "key"])
async def test_a_hostile_text_is_a_text(sender: Sender, text: str, where: str) -> None:
    named = {"alertname": text, "service": text, "severity": text}
    sent = {
        "labels": body(alert(labels=named)),
        "annotations": body(alert(annotations={"summary": text})),
        "names": body(alert(labels={text: text})),
        "key": body(groupKey=text),
    }[where]
    await sender.accepts(sent)
    subject = await sender.subject()
    (page,) = sender.pages()
    assert page.startswith(f"{subject} ")
    assert page.endswith(f" · !ack {subject}")
    assert len(page) <= LONGEST_TEXT + 40
    for said in (page, *(await sender.why()).splitlines()):
        assert len(said.splitlines()) == 1
        assert all(char.isprintable() or char == " " for char in said)
    assert await sender.kinds() == ["group.opened", "page.delivered"]
    await sender.engine.advance(minutes=5)
    assert any("!ack" in each for each in sender.engine.chat.texts("person/bob"))
    await sender.accepts(body(alert(until=SOON), groupKey=text if where == "key" else KEY))
    assert await sender.open_groups() == 0


async def test_an_alert_may_have_thousands_of_labels(sender: Sender) -> None:
    many = {f"label_{number}": "x" * 100 for number in range(4997)}
    await sender.accepts(body(alert(labels=many)))
    assert len(sender.pages()) == 1
    more = dict.fromkeys([*many, "one", "two"], "more")
    await sender.accepts(body(alert(labels=more, annotations=more), alert("mail"), groupKey="another"))
    assert "critical ErrorRatioHigh checkout: checkout fails, and 1 more" in sender.pages()[-1]


@pytest.mark.parametrize("number", [250, 6000])
async def test_no_label_is_crowded_out_that_says_what_it_is(sender: Sender, number: int) -> None:
    """Alertmanager sends labels by the alphabet, so that others may stand before these."""
    others = {f"a{place:04}": "x" for place in range(number)}
    await sender.accepts(body({**alert(), "labels": others | alert()["labels"]}))
    (page,) = sender.pages()
    assert "critical ErrorRatioHigh checkout: checkout fails" in page


async def test_a_group_may_have_thousands_of_alerts(sender: Sender) -> None:
    names = [f"s{number}" for number in range(1500)]
    await sender.accepts(body(*map(alert, names)))
    assert len(sender.pages()) == 1
    assert "s0 fails, and 1499 more" in await sender.why()
    await sender.accepts(body(*(alert(name, until=SOON) for name in names[:1000]), status="firing"))
    assert await sender.open_groups() == 1
    await sender.accepts(body(*(alert(name, until=SOON) for name in names)))
    assert await sender.open_groups() == 0


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://runbooks.example/disk?a=b&c=%20#d", "https://runbooks.example/disk?a=b&c=%20#d"),
        ("https://köln.example/straße?ä=ö", "https://xn--kln-sna.example/stra%C3%9Fe?%C3%A4=%C3%B6"),
        ("javascript:alert(1)", ""),
        ("JaVaScRiPt://x.example/%0aalert(1)", ""),
        ("data:text/html,<script>alert(1)</script>", ""),
        ("file:///etc/passwd", ""),
        ("https://bank.example@evil.example/", ""),
        ("https://alice:secret@evil.example/", ""),
        ("//evil.example/", ""),
        ("/graph", ""),
        ("https://", ""),
        ("see the wiki", ""),
    ],
)
async def test_only_a_link_that_is_fit_is_shown(sender: Sender, link: str, shown: str) -> None:
    await sender.accepts(body(alert(annotations={"runbook_url": link}, generatorURL="")))
    said = await sender.why()
    assert said.splitlines()[0].endswith(f" · {shown}" if shown else "checkout fails")
    assert shown or link not in said
