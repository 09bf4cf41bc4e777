"""What Alertmanager posts becomes pages; what it might be made to post does no harm."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.alert import Alert, Report
from tocsin.domain.message import LONGEST_TEXT
from tocsin.errors import BadPayload
from tocsin.plugins import Declared, Plugins
from tocsin_alertmanager import Alertmanager
from tocsin_alertmanager.payload import read

from tests.engine import Engine, Pager, Start
from tests.processes import TOKEN

AT = datetime(2026, 11, 21, 2, 52, 42, 969000, tzinfo=UTC)
SOON, LATER = AT + timedelta(minutes=2), AT + timedelta(minutes=5)
ZERO = "0001-01-01T00:00:00Z"
KEY = '{}:{alertname="ErrorRatioHigh"}'
GRAPH = "http://prometheus.example/graph?g0.expr=up"

Json = dict[str, Any]


def stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def alert(
    service: str = "checkout",
    *,
    since: datetime = AT,
    until: datetime | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **changes: Any,
) -> Json:
    """An alert as Alertmanager lists it; until: since when it fires no more."""
    own = {"alertname": "ErrorRatioHigh", "service": service, "severity": "critical"}
    return {
        "status": "resolved" if until else "firing",
        "labels": {**own, **(labels or {})},
        "annotations": {"summary": f"{service} fails", **(annotations or {})},
        "startsAt": stamp(since),
        "endsAt": stamp(until) if until else ZERO,
        "generatorURL": GRAPH,
        "fingerprint": f"fp-{service}",
        **changes,
    }


def payload(*alerts: Json, more: int = 0, **changes: Any) -> Json:
    alerts = alerts or (alert(),)
    return {
        "receiver": "tocsin",
        "status": "firing" if any(each["status"] == "firing" for each in alerts) else "resolved",
        "alerts": list(alerts),
        "groupLabels": {"alertname": "ErrorRatioHigh"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alerts.example",
        "version": "4",
        "groupKey": KEY,
        "truncatedAlerts": more,
        **changes,
    }


def body(*alerts: Json, more: int = 0, **changes: Any) -> bytes:
    return json.dumps(payload(*alerts, more=more, **changes)).encode()


def without(each: Json, *names: str) -> Json:
    return {name: value for name, value in each.items() if name not in names}


def taken(service: str = "checkout", **changes: Any) -> Alert:
    labels = {"alertname": "ErrorRatioHigh", "service": service, "severity": "critical"}
    return replace(Alert(f"fp-{service}", labels, f"{service} fails", GRAPH, AT), **changes)


@pytest.mark.parametrize(
    ("posted", "report"),
    [
        (body(), Report("prod", KEY, [taken()])),
        (body(alert(), alert("mail")), Report("prod", KEY, [taken(), taken("mail")])),
        (
            body(alert(), alert("search", until=SOON)),
            Report("prod", KEY, [taken()], {"fp-search": SOON}),
        ),
        (body(alert(until=SOON)), Report("prod", KEY, [], {"fp-checkout": SOON}, over=True)),
        (body(alert(), more=3), Report("prod", KEY, [taken()], unlisted=3)),
        (
            body(alert(until=SOON), more=3),
            Report("prod", KEY, [], {"fp-checkout": SOON}, over=True, unlisted=3),
        ),
        (
            body(alert(until=SOON), status="firing", more=3),
            Report("prod", KEY, [], {"fp-checkout": SOON}, unlisted=3),
        ),
        (body(alert(), alert()), Report("prod", KEY, [taken()])),
        (
            json.dumps(without(payload(), "truncatedAlerts", "commonLabels", "receiver")).encode(),
            Report("prod", KEY, [taken()]),
        ),
        (
            body(without(alert(), "annotations", "startsAt", "endsAt", "generatorURL")),
            Report("prod", KEY, [taken(summary="", link="", starts_at=None)]),
        ),
        (body(x={"y": [None, 1.5]}), Report("prod", KEY, [taken()])),
        (
            body(alert(annotations={"summary": "", "description": "long", "title": "short"})),
            Report("prod", KEY, [taken(summary="long")]),
        ),
        (
            body(
                alert(
                    annotations={"dashboard_url": "https://d.example/", "runbook_url": "https://r.example/"}
                )
            ),
            Report("prod", KEY, [taken(link="https://r.example/")]),
        ),
    ],
)
def test_a_body_is_read_as_alertmanager_means_it(posted: bytes, report: Report) -> None:
    assert read("prod", posted) == report


def test_without_a_fingerprint_the_labels_are_one() -> None:
    one, other, again = (
        read("prod", body(without(alert(**how), "fingerprint")))
        for how in ({}, {"labels": {"service": "mail"}}, {"since": LATER})
    )
    assert one.firing[0].fingerprint == again.firing[0].fingerprint != other.firing[0].fingerprint
    over = read("prod", body(without(alert(until=SOON), "fingerprint")))
    assert list(over.resolved) == [one.firing[0].fingerprint]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-21T02:52:42.969Z", AT),
        ("2026-11-21T03:52:42.969+01:00", AT),
        ("2026-11-21T02:52:42.96900001Z", AT),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("9999-12-31T23:59:59-05:00", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("2026-11-21T02:52:42", None),
        ("2026-11-21T02:52:42+25:00", None),
        ("2026-13-41T28:61:61Z", None),
        ("null", None),
        ("now", None),
        ("", None),
        ("\N{ARABIC-INDIC DIGIT TWO}026-11-21T08:52:42Z", None),
        ("2" * 10_000, None),
    ],
)
def test_a_time_is_an_instant_or_none(text: str, at: datetime | None) -> None:
    assert read("prod", body(alert(startsAt=text))).firing[0].starts_at == at


@dataclass
class Sender:
    """An Alertmanager that posts what it is told, over a real connection."""

    session: ClientSession
    engine: Engine

    async def posts(self, sent: bytes) -> int:
        url = f"http://{self.engine.run.daemon.web.address}/hooks/alertmanager/prod"
        async with self.session.post(url, data=sent, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            await answer.read()
        await self.engine.run.settled()
        return answer.status

    async def accepts(self, *bodies: bytes) -> None:
        for each in bodies:
            assert await self.posts(each) == 202

    def pages(self) -> list[str]:
        return self.engine.chat.texts("person/alice")

    async def open_groups(self) -> int:
        return int((await self.engine.sql("select count(*) from subjects where closed_at is null"))[0][0])

    async def kinds(self) -> list[str]:
        return [kind for (kind,) in await self.engine.sql("select kind from events order by seq")]

    async def subject(self) -> str:
        return str((await self.engine.sql("select id from subjects"))[0][0])

    async def why(self) -> str:
        """What is said of the only group."""
        await self.engine.says("bob", f"!why {await self.subject()}")
        return self.engine.chat.texts("person/bob")[-1]


def declared() -> Declared:
    ours = Plugins({"alertmanager": Alertmanager()}).declared()
    return replace(Pager().declared(), routes=ours.routes)


@pytest.fixture
async def sender(start: Start) -> AsyncIterator[Sender]:
    async with start(declared()) as engine, ClientSession() as session:
        yield Sender(session, engine)


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


MARK = "Zq9"
GOOD = payload()


def changed(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


BROKEN = {
    "nothing": b"",
    "no JSON": b"Zq9",
    "half of it": body(alert(labels={MARK: MARK}))[:-40],
    "JSON and more": body() + b"Zq9",
    "no UTF-8": body().replace(b"checkout", b"\xff\xfeZq9"),
    "half a character": body().replace(b"checkout", b"Zq9\\ud800"),
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "nested lists": b"[" * 100_000,
    "nested objects": b'{"Zq9":' * 100_000,
    "nested where nobody looks": body().removesuffix(b"}")
    + b',"Zq9":'
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}",
    "a number": b"99",
    "a text": b'"Zq9"',
    "null": b"null",
    "a list": b'["Zq9"]',
    "an empty object": b"{}",
    "an unknown version": changed(version=f"5{MARK}"),
    "a version that is a number": changed(version=4),
    "no key": json.dumps(without(GOOD, "groupKey")).encode(),
    "a status of its own": changed(status=MARK),
    "no alerts": changed(alerts=None),
    "alerts that are none": changed(alerts=[MARK]),
    "alerts in a text": changed(alerts=MARK),
    "alerts by name": changed(alerts={MARK: alert()}),
    "an alert's status": changed(alerts=[alert(status=MARK)]),
    "an alert without labels": changed(alerts=[without(alert(), "labels")]),
    "labels in a list": changed(alerts=[{**alert(), "labels": [MARK]}]),
    "a label that is a number": changed(alerts=[{**alert(), "labels": {MARK: 1}}]),
    "a label that is null": changed(alerts=[{**alert(), "labels": {MARK: None}}]),
    "an annotation that is an object": changed(alerts=[{**alert(), "annotations": {MARK: {MARK: MARK}}}]),
    "a time that is a number": changed(alerts=[alert(startsAt=1763715162)]),
    "a fingerprint that is none": changed(alerts=[alert(fingerprint=None)]),
    "a count of words": changed(truncatedAlerts=f"{MARK} more"),
    "a count below nothing": changed(truncatedAlerts=-1),
    "half a count": changed(truncatedAlerts=0.5),
    "NaN": changed(truncatedAlerts=float("nan")),
    "without end": changed(truncatedAlerts=float("inf")),
    "1e999": changed().replace(b'"truncatedAlerts": 0', b'"truncatedAlerts": 1e999'),
    "a count of 5,000 digits": changed().replace(
        b'"truncatedAlerts": 0', b'"truncatedAlerts": ' + b"9" * 5000
    ),
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN)
def test_a_body_that_cannot_be_read_is_refused_and_not_quoted(sent: bytes) -> None:
    with pytest.raises(BadPayload) as refused:
        read("prod", sent)
    why = str(refused.value)
    assert MARK not in why
    assert 0 < len(why) < 120
    # A traceback would quote it as well.
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no JSON", "this is no JSON"),
        ("an unknown version", "version: this is not Alertmanager's format 4"),
        ("no key", "groupKey: field required"),
        ("an alert's status", "alerts[0].status: input should be 'firing' or 'resolved'"),
        ("a label that is a number", "alerts[0].labels: input should be a valid string"),
    ],
)
async def test_a_refusal_says_where_and_why(sender: Sender, name: str, why: str) -> None:
    assert await sender.posts(BROKEN[name]) == 400
    assert sender.engine.chat.texts("room/#ops") == [
        f"prod posted something that can't be read: {why}. Body 1 is kept."
    ]
    assert await sender.engine.sql("select outcome, body from intake") == [("unreadable", BROKEN[name])]
    await sender.accepts(body())
    assert len(sender.pages()) == 1


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(sent: bytes) -> None:
    with suppress(BadPayload):
        read("prod", sent)


marked = st.text(max_size=5).map(lambda text: MARK + text)
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | marked | st.sampled_from(["4", "firing", ""])
)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(marked, inner, max_size=3),
    max_leaves=8,
)
ways = st.sampled_from([*((name,) for name in GOOD), *(("alerts", 0, name) for name in alert())])


@given(st.lists(st.tuples(ways, anything), max_size=3))
def test_any_json_near_a_good_one_is_read_or_refused_without_a_quote(
    changes: list[tuple[tuple[str | int, ...], Any]],
) -> None:
    sent: Any = json.loads(json.dumps(GOOD))
    for (*above, name), value in changes:
        place = sent
        with suppress(KeyError, IndexError, TypeError):
            for step in above:
                place = place[step]
            place[name] = value
    try:
        report = read("prod", json.dumps(sent).encode())
    except BadPayload as refused:
        assert MARK not in str(refused)
    else:
        assert isinstance(report, Report)
        assert not set(report.resolved) & {each.fingerprint for each in report.firing}


@pytest.mark.parametrize("odd", [{}, MARK, alert(status=MARK), {**alert(), "labels": {MARK: 1}}])
async def test_an_alert_that_cannot_be_read_keeps_no_other_from_paging(sender: Sender, odd: Any) -> None:
    sent = changed(alerts=[odd, alert()])
    await sender.accepts(sent, sent)
    [page] = sender.pages()
    assert ", and 1 more · !ack" in page
    assert MARK not in page
