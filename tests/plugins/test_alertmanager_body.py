"""What Alertmanager posts is read, or refused without a quote."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.alert import Report
from tocsin.errors import BadPayload
from tocsin_alertmanager.payload import read

from tests.plugins.alertmanager_parts import (
    AT,
    KEY,
    LATER,
    SOON,
    Sender,
    alert,
    body,
    payload,
    taken,
    without,
)


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
            Report("prod", KEY, [taken(summary="", link="", starts_at=None, expression="")]),
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


@pytest.mark.parametrize(
    ("link", "expression"),
    [
        ("http://prometheus.test/graph?g0.expr=a+%2F+b+%3E+0.05&g0.tab=1", "a / b > 0.05"),
        (
            "http://p.test/x/graph?g0.tab=1&g0.expr=up%7Bjob%3D%22d%C3%BC%22%7D+%3D%3D+0",
            'up{job="d\u00fc"} == 0',
        ),
        ("not even a link?g0.expr=up", "up"),
        ("http://p.test/graph?g0.expr=up&g0.expr=down", "up"),
        ("http://p.test/graph?g0.expr=%00%ED%A0%80", "\ufffd\ufffd\ufffd\ufffd"),
        ("http://[::1/graph?g0.expr=up", ""),
        ("http://vmalert.test/vmalert/alert?group_id=1", ""),
        ("http://p.test/graph?" + "&" * 100 + "g0.expr=up", ""),
        ("http://p.test/graph?g0.expr=" + "a" * 3001, ""),
        ("http://p.test/graph?g0.expr=" + "a" * 100_000, ""),
        ("", ""),
    ],
)
def test_what_it_fires_by_stands_in_the_link_that_prometheus_gives_to_it(link: str, expression: str) -> None:
    assert read("prod", body(alert(generatorURL=link))).firing[0].expression == expression


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
