"""A real Graphite is read, from whisper files."""

import json
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tocsin.api import Unreadable
from tocsin_verification.reading import Reader

from tests.plugins.source_parts import Peer, reads, serving
from tests.servers.graphite import Graphite, Measured
from tests.servers.programs import running

DAY = 86_400

NOW = time.time() // 300 * 300  # noqa: TID251 (the server has a clock of its own)


def wave(at: float) -> float:
    return round(10 + math.sin(at / DAY * 2 * math.pi), 6)


@pytest.fixture(scope="module")
def graphite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graphite]:
    minutes = [NOW - 60 * number for number in range(28 * 1440)]
    server = Graphite(
        tmp_path_factory.mktemp("sources") / "graphite",
        Measured("web.errors", [(at, wave(at)) for at in minutes]),
        Measured("web.gaps", [(at, 1.0) for at in minutes[:120] if at % 600]),
        Measured("slow.errors", [(NOW - 300 * number, 2.0) for number in range(100)], ((300, 8064),)),
        *(Measured(f"many.m{number}", [(NOW - 120, 1.0)]) for number in range(30)),
    )
    with running(server):
        yield server


def source(server: Graphite) -> Any:
    return reads(server.url, kind="graphite")


async def test_the_last_hour_is_read_by_the_minute(graphite: Graphite) -> None:
    (found,) = await source(graphite).read("web.errors", NOW - 3600, NOW, 60)
    assert found.labels == {"target": "web.errors"}
    assert found.at == [NOW - 3600 + 60 * number for number in range(60)]
    assert found.values == [wave(at) for at in found.at]


async def test_a_minute_that_is_not_over_is_left_out(graphite: Graphite) -> None:
    """The point at NOW is there, and stands for the minute that begins then."""
    for seconds in (1, 30, 59):
        (found,) = await source(graphite).read("web.errors", NOW - 3600, NOW + seconds, 60)
        assert found.at[-1] == NOW - 60
    (found,) = await source(graphite).read("slow.errors", NOW - 360, NOW + 240, 60)
    assert found.at[-1] == NOW - 300


async def test_four_weeks_are_means_of_five_minutes(graphite: Graphite) -> None:
    (found,) = await source(graphite).read("web.errors", NOW - 28 * DAY + DAY, NOW - 15 * DAY, 300)
    assert len(found.at) == pytest.approx(12 * 288, abs=5)
    assert all(abs(value - wave(at + 120)) < 0.01 for at, value in zip(found.at, found.values, strict=True))


async def test_a_reader_has_four_weeks_of_it_and_goes_on(graphite: Graphite) -> None:
    reader = Reader({"main": source(graphite)})
    (found,) = await reader.read("main", "web.errors", NOW - 120)
    # What is older than the four weeks that Graphite keeps is gone by the time that a long run of tests comes here.
    assert NOW - 28 * DAY - 600 <= found.at[0] <= NOW - 28 * DAY + 7200
    assert np.diff(found.at).max() <= 600
    (later,) = await reader.read("main", "web.errors", NOW)
    assert later.at[-1] == NOW - 60
    assert len(later.at) == len(found.at) + 2
    assert np.abs(later.values[-2880:] - [wave(at) for at in later.at[-2880:]]).max() == 0


async def test_what_was_not_measured_is_left_out(graphite: Graphite) -> None:
    (found,) = await source(graphite).read("web.gaps", NOW - 3600, NOW, 60)
    assert all(at % 600 for at in found.at)
    assert len(found.at) == 54
    assert await source(graphite).read("web.nosuch", NOW - 3600, NOW, 60) == []
    assert await source(graphite).read("web.gaps", NOW - 20 * DAY, NOW - 19 * DAY, 300) == []


async def test_sums_keep_their_names(graphite: Graphite) -> None:
    (found,) = await source(graphite).read("sumSeries(web.*)", NOW - 600, NOW, 60)
    assert found.labels == {"target": "sumSeries(web.*)", "aggregatedBy": "sum"}


async def test_too_many_series_are_refused_but_at_a_single_time(graphite: Graphite) -> None:
    with pytest.raises(Unreadable, match="has 30 series for this target, and 20 can be watched") as refused:
        await source(graphite).read("many.*", NOW - 600, NOW, 60)
    assert not refused.value.down
    found = await source(graphite).read("many.*", NOW, NOW, 60)
    assert {(one.at[0], len(one.at)) for one in found} == {(NOW - 120, 1)}


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("nosuch(web.errors)", "source main refuses the question: Invalid parameters (Received request for"),
        ("scale(web.errors)", "source main refuses the question: it answers 500"),
    ],
)
async def test_what_it_refuses_is_told(graphite: Graphite, target: str, told: str) -> None:
    with pytest.raises(Unreadable) as refused:
        await source(graphite).read(target, NOW - 600, NOW, 60)
    assert str(refused.value).startswith(told)
    assert str(refused.value).isprintable()
    assert not refused.value.down


@pytest.mark.parametrize(
    "text",
    [
        "<html>",
        "7",
        "[7]",
        '[{"target": 7, "datapoints": []}]',
        '[{"target": "a", "tags": 7, "datapoints": []}]',
        '[{"target": "a"}]',
        '[{"target": "a", "datapoints": [7]}]',
        '[{"target": "a", "datapoints": [[1, 2, 3]]}]',
        "[" * 100_000,
    ],
)
async def test_what_is_no_answer_is_told(text: str) -> None:
    async with serving(Peer(text=text)) as peer:
        with pytest.raises(Unreadable) as refused:
            await reads(peer.url, kind="graphite").read("a", 0, 600, 60)
    assert str(refused.value) == (
        "source main answers with something else than Graphite does: "
        "is plugins.verification.sources.main.url right?"
    )
    assert refused.value.down


async def test_it_is_asked_at_one_path_with_the_target_as_a_value() -> None:
    async with serving(Peer(text="[]")) as peer:
        assert await reads(peer.url, kind="graphite").read("a&until=0", 6000, 6600, 60) == []
        ((path, form, _),) = peer.asked
    assert path == "/render"
    assert form == {
        "target": "a&until=0",
        "format": "json",
        "from": "5100",
        "until": "6600",
        "maxDataPoints": "25",
        "noCache": "true",
    }


async def test_numbers_that_are_none_are_left_out() -> None:
    points = [[1, 60], [None, 120], ["x", 180], [float("inf"), 240], [2, 300], [3, "360"], [4, 420], [5, 300]]
    async with serving(Peer(text=json.dumps([{"target": "a", "datapoints": points}]))) as peer:
        (found,) = await reads(peer.url, kind="graphite").read("a", 0, 600, 60)
    assert (found.at, found.values) == ([60, 300, 360, 420], [1, 5, 3, 4])
