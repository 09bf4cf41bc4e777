"""A real Prometheus is read, with a history that promtool wrote."""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tocsin.api import Series, Unreadable
from tocsin_verification.sources.settings import SourceSettings

from tests.plugins.source_parts import kept_secret, reads
from tests.servers.alertmanager import PASSWORD, USER
from tests.servers.programs import running
from tests.servers.prometheus import Past, Prometheus

DAY = 86_400
STEP = 60

NOW = time.time() // 300 * 300 - 600  # noqa: TID251 (the server has a clock of its own)
"""The history ends here, before the server begins to scrape."""


def history(length: float = 28 * DAY, step: float = STEP) -> list[float]:
    return [NOW - step * number for number in reversed(range(int(length / step)))]


def wave(at: float) -> float:
    return round(10 + math.sin(at / DAY * 2 * math.pi), 6)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    server = Prometheus(tmp_path_factory.mktemp("sources") / "prometheus")
    at = history()
    odd = history(DAY)
    server.backfill(
        Past("errors", at, [wave(one) for one in at], {"service": "db"}),
        Past("errors", odd, [1.0] * len(odd), {"service": 'a"b\\c'}),
        Past("odd", odd, [math.nan if n % 2 else math.inf for n in range(len(odd))]),
        *(Past("many", [NOW - 60], [1.0], {"number": f"{n}"}) for n in range(200)),
    )
    with running(server):
        yield server


def last(found: Sequence[Series]) -> Series:
    (one,) = found
    return one


async def test_four_weeks_are_read_whole(prometheus: Prometheus) -> None:
    """8,064 points are asked for in two parts, with none left out and none twice between them."""
    found = last(await reads(prometheus.url).read('errors{service="db"}', NOW - 28 * DAY + 300, NOW, 300))
    assert found.labels == {"__name__": "errors", "service": "db"}
    assert list(found.at) == [NOW - 300 * number for number in reversed(range(8064))]
    assert list(found.values) == [wave(one) for one in found.at]


async def test_more_than_the_server_gives_at_once_is_read(prometheus: Prometheus) -> None:
    """28 days by the minute are 40,320 points; it gives 11,000."""
    found = last(await reads(prometheus.url).read('errors{service="db"}', NOW - 28 * DAY + 60, NOW, STEP))
    assert list(found.at) == history()


async def test_points_stand_at_multiples_of_the_step(prometheus: Prometheus) -> None:
    found = last(await reads(prometheus.url).read('errors{service="db"}', NOW - 3599, NOW - 1, 60))
    assert found.at[0] == NOW - 3540
    assert found.at[-1] == NOW - 60


@pytest.mark.parametrize("part", [0.0, 0.887, 0.886609, 0.886409, 0.9996, 0.1234999])
async def test_a_single_instant_may_be_any_part_of_a_second(prometheus: Prometheus, part: float) -> None:
    """A clock shows microseconds, and Prometheus knows milliseconds."""
    at = NOW - 30 + part
    found = last(await reads(prometheus.url).read('errors{service="db"}', at, at, 60))
    assert list(found.at) == [pytest.approx(at, abs=0.0006)]
    assert list(found.values) == [wave(NOW - 60)]


async def test_each_series_has_its_labels(prometheus: Prometheus) -> None:
    found = await reads(prometheus.url).read("errors", NOW - 300, NOW, 60)
    assert [one.labels["service"] for one in found] == ['a"b\\c', "db"]


async def test_what_is_no_number_is_left_out(prometheus: Prometheus) -> None:
    assert await reads(prometheus.url).read("odd", NOW - 3600, NOW, 60) == []


async def test_what_was_not_measured_is_not_there(prometheus: Prometheus) -> None:
    source = reads(prometheus.url)
    assert await source.read("nosuch", NOW - 3600, NOW, 60) == []
    assert await source.read("errors", NOW - 60 * DAY, NOW - 50 * DAY, 300) == []
    assert await source.read("errors", NOW, NOW - 60, 60) == []


async def test_a_number_alone_is_a_series_too(prometheus: Prometheus) -> None:
    found = last(await reads(prometheus.url).read("1 + 1", NOW - 120, NOW, 60))
    assert (found.labels, list(found.values)) == ({}, [2.0, 2.0, 2.0])


async def test_too_many_series_are_refused_with_a_way_out(prometheus: Prometheus) -> None:
    with pytest.raises(Unreadable) as refused:
        await reads(prometheus.url).read("many", NOW - 3600, NOW, 60)
    assert str(refused.value) == (
        "source main has 200 series for this expression, and 20 can be watched: "
        'name fewer, as in up{job="db"}, or add them up, as by sum(…)'
    )
    assert not refused.value.down
    assert len(await reads(prometheus.url).read("many", NOW, NOW, 60)) == 200


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("sum(", "parse error: unclosed left parenthesis"),
        ("errors[5m]", "invalid expression type "),
        ("errors and on(", "parse error"),
        ("label_replace(errors, 'service', 'x', '', '')", "same labelset"),
        ("", "no expression found in input"),
        ("\0\u202e", "parse error"),
    ],
)
async def test_what_prometheus_says_of_an_expression_is_handed_on(
    prometheus: Prometheus, expression: str, said: str
) -> None:
    with pytest.raises(Unreadable) as refused:
        await reads(prometheus.url).read(expression, NOW - 3600, NOW, 60)
    assert str(refused.value).startswith("source main refuses the question: ")
    assert said in str(refused.value)
    assert str(refused.value).isprintable()
    assert not refused.value.down


async def test_a_password_is_asked_for_and_given(tmp_path: Path) -> None:
    with running(Prometheus(tmp_path / "locked", locked=True)) as server:
        good = reads(server.url, user=USER, password=kept_secret(tmp_path, PASSWORD))
        assert last(await good.read("1", NOW, NOW, 60)).values == [1.0]
        with pytest.raises(Unreadable) as refused:
            await reads(server.url).read("1", NOW, NOW, 60)
    assert str(refused.value) == "source main does not take our credential (it answers 401)"
    assert refused.value.down


async def test_one_that_was_killed_or_froze_is_down(tmp_path: Path) -> None:
    server = Prometheus(tmp_path / "prometheus")
    with running(server):
        settings = SourceSettings("prometheus", server.url)
        assert settings.answers_within.total_seconds() == 10
        server.freezes()
        with pytest.raises(Unreadable, match=r"^source main did not answer within 1 s$") as refused:
            await reads(server.url, answers_within=settings.answers_within / 10).read("1", NOW, NOW, 60)
        assert refused.value.down
        server.ends()
        with pytest.raises(
            Unreadable, match=r"^source main can't be reached: connection refused$"
        ) as refused:
            await reads(server.url).read("1", NOW, NOW, 60)
        assert refused.value.down
