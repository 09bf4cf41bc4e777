"""An alert's own expression is taken apart, or left with the reason: a check never watches the wrong thing."""

import math
from collections.abc import Iterator

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.api import Series, Source
from tocsin_verification.expressions import LONGEST, MOST_SIGNS, Own, Unfit, choose, narrowed, take_apart
from tocsin_verification.finding import Meant, find
from tocsin_verification.judge.verdict import Direction
from tocsin_verification.reading import Reader

from tests.plugins.source_parts import reads
from tests.plugins.test_sources_prometheus import NOW
from tests.servers.programs import running
from tests.servers.prometheus import Past, Prometheus

HIGH, LOW, BOTH = Direction.HIGH, Direction.LOW, Direction.BOTH


@pytest.mark.parametrize(
    ("expression", "own"),
    [
        ("a / b > 0.05", Own("a / b", 0.05, above=True, direction=HIGH)),
        ("(a / b) > 0.05", Own("a / b", 0.05, above=True, direction=HIGH)),
        ("((a / b > 0.05))", Own("a / b", 0.05, above=True, direction=HIGH)),
        ("a >= 1", Own("a", 1, above=True, direction=HIGH)),
        ("a < 1", Own("a", 1, above=False, direction=LOW)),
        ("a <= -1", Own("a", -1, above=False, direction=LOW)),
        ("0.05 < a", Own("a", 0.05, above=True, direction=HIGH)),
        ("(10) >= (a)", Own("a", 10, above=False, direction=LOW)),
        ("a > 5 * 60", Own("a", 300, above=True, direction=HIGH)),
        ("a > (1 - 0.999) * 14.4", Own("a", (1 - 0.999) * 14.4, above=True, direction=HIGH)),
        ("a > 2 ^ 10 / 2", Own("a", 512, above=True, direction=HIGH)),
        ("a > 1e3", Own("a", 1000, above=True, direction=HIGH)),
        ("up == 0", Own("up", None, above=True, direction=BOTH)),
        ("0 == up", Own("up", None, above=True, direction=BOTH)),
        ("replicas != 3", Own("replicas", None, above=True, direction=BOTH)),
        ('a{x=~".*> 5.*"} > 5', Own('a{x=~".*> 5.*"}', 5, above=True, direction=HIGH)),
        ('a{x="\\" > 5"} > 5', Own('a{x="\\" > 5"}', 5, above=True, direction=HIGH)),
        (
            "sum by (job) (rate(errors_total[5m])) / sum by (job) (rate(requests_total[5m])) > 0.05",
            Own(
                "sum by (job) (rate(errors_total[5m])) / sum by (job) (rate(requests_total[5m]))",
                0.05,
                above=True,
                direction=HIGH,
            ),
        ),
        (
            "histogram_quantile(0.99, sum by (le) (rate(latency_bucket[5m]))) > 0.5",
            Own(
                "histogram_quantile(0.99, sum by (le) (rate(latency_bucket[5m])))",
                0.5,
                above=True,
                direction=HIGH,
            ),
        ),
        ("time() - backup_at > 86400", Own("time() - backup_at", 86400, above=True, direction=HIGH)),
        ("(a or vector(0)) > 1", Own("a or vector(0)", 1, above=True, direction=HIGH)),
        ("a offset 5m > 1", Own("a offset 5m", 1, above=True, direction=HIGH)),
        ("sum(a > bool 5) > 2", Own("sum(a > bool 5)", 2, above=True, direction=HIGH)),
        ("-a > 1", Own("-a", 1, above=True, direction=HIGH)),
        ("a - b * c > 1", Own("a - b * c", 1, above=True, direction=HIGH)),
        (
            "predict_linear(free[1h], 4 * 3600) < 0",
            Own("predict_linear(free[1h], 4 * 3600)", 0, above=False, direction=LOW),
        ),
        ("rate(jobs_total[5m]) == 0", Own("rate(jobs_total[5m])", None, above=True, direction=BOTH)),
    ],
)
def test_what_it_watches(expression: str, own: Own) -> None:
    assert take_apart(expression) == own


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("a > 1 and b > 2", "has two conditions (and), and which of them is the trouble can't be told"),
        ("a > 1 or b > 2", "has two conditions (or)"),
        ("(a > 1) unless on (x) b", "has two conditions (unless)"),
        ("absent(up)", "fires when something is missing, which has no value to look at"),
        ("absent_over_time(up[5m])", "fires when something is missing"),
        ("absent(up) == 1", "looks for what is missing, which has no value to look at"),
        ("up", "compares with no number"),
        ("vector(1)", "compares with no number"),
        ("sum(a > 5)", "compares with no number"),
        ("a > bool 5", "says `bool`, so that it fires whatever the number is"),
        ("a > b", "compares two metrics with one another"),
        ("a > on (x) group_left () b", "compares two metrics with one another"),
        ("a > scalar(b)", "compares two metrics with one another"),
        ("a > time()", "compares two metrics with one another"),
        ("a > Inf", "compares with what is no number"),
        ("a > 1 / 0", "compares with what is no number"),
        ("a > (0 - 8) ^ 0.5", "compares with what is no number"),
        ("a > 10 ^ 1000", "compares with what is no number"),
        ("a > 5 < 10", "has another comparison inside (>), so that it has no value while all is well"),
        ("count(up == 0) > 3", "has another comparison inside (==)"),
        ("sum(a and on (x) b) > 3", "has a condition inside (and)"),
        ("(a unless b) > 3", "has a condition inside (unless)"),
        ("topk(3, a) > 1", "picks some of its series (topk), now these and now others"),
        ('count_values("x", a) > 1', "picks some of its series (count_values)"),
        ('count(ALERTS{alertstate="firing"}) > 5', "looks at alerts, which are not there while all is well"),
        ('count({__name__="ALERTS"}) > 5', "looks at alerts"),
        ("a @ end() > 1", "looks at a fixed time (@)"),
        ("rate(a[5m] @ 1600000000) > 1", "looks at a fixed time (@)"),
        ("max_over_time(a[1h:1m] @ start()) > 1", "looks at a fixed time (@)"),
        ("errors_total > 5", "compares a counter, which only grows"),
        ("", "is not known"),
        ("a" * (LONGEST + 1), "is too long to be read"),
        (f"a{'+a' * MOST_SIGNS} > 1", "is too long to be read"),
        (f"{'(' * MOST_SIGNS}a{')' * MOST_SIGNS} > 1", "is too long to be read"),
        ("a >", "can't be read"),
        ("a > 5 'x'", "can't be read"),
        ("a offset Inf > 1", "can't be read"),
    ],
)
def test_what_is_left_and_why(expression: str, reason: str) -> None:
    with pytest.raises(Unfit) as left:
        take_apart(expression)
    assert str(left.value).startswith(reason)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)

VECTORS = st.recursive(
    st.sampled_from(
        [
            "up",
            'errors{service="db",path=~"/x > 1|<y>"}',
            "rate(requests_total[5m])",
            "errors offset 1h",
            "max_over_time(errors[1h:1m])",
            "{__name__='a', b!='> 2'}",
        ]
    ),
    lambda inner: st.one_of(
        st.builds("({})".format, inner),
        st.builds("-({})".format, inner),
        st.builds("sum by (service) ({})".format, inner),
        st.builds("{} / on (service) group_left () {}".format, inner, inner),
        st.builds("{} - {}".format, inner, inner),
        st.builds("({} or vector(0))".format, inner),
        st.builds("({} > bool 5)".format, inner),
        st.builds("clamp_max({}, 5)".format, inner),
    ),
    max_leaves=5,
)


def same(one: str, other: str) -> bool:
    return str(promql_parser.parse(f"(({one}))")).replace("(", "").replace(")", "") == str(
        promql_parser.parse(f"(({other}))")
    ).replace("(", "").replace(")", "")


@given(VECTORS, st.sampled_from(["<", "<=", ">", ">="]), NUMBERS, st.booleans())
def test_of_any_metric_and_number_both_are_found(vector: str, sign: str, number: float, turned: bool) -> None:  # noqa: FBT001
    text = f"{number!r} {sign} ({vector})" if turned else f"({vector}) {sign} {number!r}"
    own = take_apart(text)
    assert same(own.expression, vector)
    assert own.threshold == number
    assert own.above is ((">" in sign) is not turned)
    assert own.direction is (HIGH if own.above else LOW)


@given(
    st.one_of(
        st.text(),
        st.lists(
            st.sampled_from(
                [
                    "a",
                    "b",
                    "(",
                    ")",
                    ">",
                    "<",
                    "==",
                    "and",
                    "or",
                    "[5m]",
                    "offset",
                    "Inf",
                    "-",
                    "5",
                    '"',
                    "'",
                    "{",
                    "}",
                    ",",
                    "@",
                    "bool",
                ]
            )
        ).map(" ".join),
    )
)
def test_whatever_it_says_it_is_taken_apart_or_left(text: str) -> None:
    try:
        own = take_apart(text)
    except Unfit as left:
        assert str(left).isprintable()
    else:
        promql_parser.parse(own.expression)
        assert own.threshold is None or math.isfinite(own.threshold)


def series(**labels: str) -> Series:
    return Series(labels, [0.0], [1.0])


def test_the_series_of_an_alert_is_the_one_whose_labels_agree() -> None:
    labels = {"alertname": "ErrorsHigh", "severity": "critical", "service": "db", "instance": "db1"}
    db1, db2 = series(service="db", instance="db1"), series(service="db", instance="db2")
    assert choose([db2, db1], labels) is db1
    whole = series()
    assert choose([whole], labels) is whole
    more = series(service="db", instance="db1", le="0.5")
    for found, reason in (
        ([], "gives nothing now"),
        ([db2], "gives 1 series now, and none of them may be the alert's"),
        ([db1, db2, more], "gives 3 series now, and 2 of them may be the alert's"),
    ):
        with pytest.raises(Unfit, match=f"^{reason}$"):
            choose(found, labels)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    server = Prometheus(tmp_path_factory.mktemp("expressions") / "prometheus")
    at = [NOW - 60 * number for number in reversed(range(30))]
    names = [*(f"disk{number}" for number in range(50)), 'odd "$1" \\ ${x}\n\u00e9']
    server.backfill(
        *(Past("used", at, [float(number)] * 30, {"disk": name}) for number, name in enumerate(names)),
        *(Past("size", at, [100.0] * 30, {"disk": name}) for name in names),
        Past("twins", at, [1.0] * 30, {"a": "1"}),
        Past("twins", at, [1.0] * 30, {"a": "1", "b": "2"}),
    )
    with running(server):
        yield server


@pytest.mark.parametrize("disk", ["disk7", 'odd "$1" \\ ${x}\n\u00e9'])
async def test_of_many_series_one_alone_is_read(prometheus: Prometheus, disk: str) -> None:
    source: Source = reads(prometheus.url)
    own = take_apart("used / size > 0.9")
    found = await source.read(own.expression, NOW, NOW, 60)
    assert len(found) == 51
    chosen = choose(found, {"alertname": "DiskFull", "disk": disk, "severity": "critical"})
    (one,) = await source.read(narrowed(own.expression, chosen, found), NOW - 600, NOW, 60)
    assert one.labels == {"disk": disk}
    assert set(one.values) == {chosen.values[0]}
    assert len(one.values) == 11


async def test_a_series_that_no_label_tells_from_another_is_left(prometheus: Prometheus) -> None:
    found = await reads(prometheus.url).read("twins", NOW, NOW, 60)
    one, other = found
    assert await reads(prometheus.url).read(narrowed("twins", other, found), NOW, NOW, 60) == [other]
    with pytest.raises(Unfit, match="gives 2 series now, and the alert's can't be told from the others"):
        narrowed("twins", one, found)


async def test_what_an_alert_watches_is_found_at_the_source(prometheus: Prometheus) -> None:
    reader = Reader({"main": reads(prometheus.url)})
    labels = {"alertname": "DiskFull", "disk": "disk7", "severity": "critical"}
    for expression, labelled in (
        ("used / size", {"disk": "disk7"}),
        ("used", {"__name__": "used", "disk": "disk7"}),
    ):
        found = await find(reader, "main", expression, labels, NOW - 7)
        (one,) = await reader.read("main", found.expression, NOW)
        assert one.labels == found.labels == labelled
    assert await find(reader, "main", "sum(used)", labels, NOW) == Meant("sum(used)", {})
    few = 'used{disk=~"disk[12]"}'
    plain = await find(reader, "main", few, {"disk": "disk2"}, NOW)
    assert plain == Meant(few, {"__name__": "used", "disk": "disk2"})


async def test_what_is_not_found_is_told(prometheus: Prometheus) -> None:
    reader = Reader({"main": reads(prometheus.url)})
    for expression, reason in (
        ("nosuch", "gives nothing now"),
        ("used", "gives 51 series now, and 51 of them may be the alert's"),
    ):
        with pytest.raises(Unfit, match=f"^{reason}"):
            await find(reader, "main", expression, {"alertname": "X"}, NOW)
