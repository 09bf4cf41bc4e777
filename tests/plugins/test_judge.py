"""The judge, over metrics of our own making: never an all-clear that is false, and one soon that is due."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tocsin_verification.judge.ground import Ground
from tocsin_verification.judge.judging import Judge
from tocsin_verification.judge.leftover import Leftover
from tocsin_verification.judge.verdict import Direction, Question, Verdict

from tests.metrics import DAY, HOUR, MINUTE, SHAPES, Incident, Metric, counted, laid, played

METRICS = {
    "requests": Metric(direction=Direction.BOTH),
    "latency by the minute": Metric(level=0.2, daily=0.2, weekend=0.1, step=60.0, noise=0.05),
    "a queue that must not run dry": Metric(level=5000.0, daily=0.5, direction=Direction.LOW),
    "flat": Metric(level=42.0, daily=0.0, weekend=0.0, noise=0.01),
}

Said = Sequence[tuple[float, Verdict]]


def clear_at(said: Said) -> list[float]:
    """When an all-clear began."""
    found = []
    before = Verdict.NOT_YET
    for at, verdict in said:
        if verdict is Verdict.ALL_CLEAR and before is not Verdict.ALL_CLEAR:
            found.append(at)
        before = verdict
    return found


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("name", sorted(METRICS))
@pytest.mark.parametrize("seed", range(3))
def test_it_says_all_clear_when_it_is_over_and_not_before(shape: str, name: str, seed: int) -> None:
    incident = laid(shape, METRICS[name], seed)
    found = clear_at(played(incident))
    for at in found:
        assert not any(begin <= at < end for begin, end in incident.bad), (at - incident.over) / MINUTE
    if incident.over == np.inf:
        assert not found
    else:
        assert len(found) == 1
        # What fades, and the last sample of what stopped half-way, may be within the tolerance before it is gone.
        soonest = {"slowly": 0, "half-way": 15}.get(shape, 20)
        took = (found[0] - incident.over) / MINUTE
        assert soonest <= took <= 90


@pytest.mark.parametrize("shape", ["at once", "half-way", "flapping"])
def test_a_counter_is_judged_by_its_growth_whenever_it_begins_anew(shape: str) -> None:
    incident = laid(shape, Metric(step=60.0, direction=Direction.BOTH), 5)
    begun = incident.question.alert_at
    restarts = (begun - HOUR, begun + 10 * MINUTE, incident.over - 30, incident.over + 7 * MINUTE)
    [at] = clear_at(played(counted(incident, restarts)))
    assert 20 * MINUTE <= at - incident.over <= 75 * MINUTE


def without(incident: Incident, begin: float, end: float) -> Incident:
    kept = (incident.at < begin) | (incident.at >= end)
    return replace(incident, at=incident.at[kept], values=incident.values[kept])


def test_data_that_stop_and_come_back_well_are_held_from_when_they_are_there_again() -> None:
    incident = laid("at once", METRICS["flat"], 1)
    begun = incident.question.alert_at
    dark = without(incident, begun + 10 * MINUTE, incident.over + 20 * MINUTE)
    said = played(dark)
    missing = [at for at, verdict in said if verdict is Verdict.CANT_TELL]
    assert missing
    assert all(begun + 10 * MINUTE < at < incident.over + 20 * MINUTE for at in missing)
    [at] = clear_at(said)
    assert at - (incident.over + 20 * MINUTE) >= 20 * MINUTE


def test_an_all_clear_does_not_outlive_its_data() -> None:
    incident = laid("at once", METRICS["requests"], 2)
    [clear] = clear_at(played(incident))
    said = dict(played(without(incident, clear + 5 * MINUTE, incident.until)))
    assert said[clear + 5 * MINUTE] is Verdict.ALL_CLEAR
    assert said[clear + 30 * MINUTE] is Verdict.CANT_TELL


def test_lone_samples_are_no_data() -> None:
    incident = laid("at once", METRICS["flat"], 3)
    kept = (incident.at < incident.question.alert_at + 15 * MINUTE) | (np.arange(len(incident.at)) % 12 == 0)
    sparse = replace(incident, at=incident.at[kept], values=incident.values[kept])
    assert not clear_at(played(sparse))


def test_without_history_nothing_is_said() -> None:
    incident = laid("at once", METRICS["flat"], 4, days=10 * MINUTE / DAY)
    assert {verdict for _, verdict in played(incident)} == {Verdict.CANT_TELL}


def test_a_relapse_withdraws_the_all_clear_within_a_quarter_of_an_hour_and_is_held_longer() -> None:
    incident = laid("at once", METRICS["requests"], 6)
    again = incident.over + 80 * MINUTE
    worse = (incident.at >= again) & (incident.at < again + 20 * MINUTE)
    values = np.where(worse, incident.values * 2, incident.values)
    first, second = clear_at(said := played(replace(incident, values=values)))
    withdrawn = next(at for at, verdict in said if at > first and verdict is not Verdict.ALL_CLEAR)
    assert again <= withdrawn <= again + 15 * MINUTE
    assert second - (again + 20 * MINUTE) > first - incident.over


def test_what_comes_for_minutes_must_stay_away_for_longer() -> None:
    long, brief = laid("at once", METRICS["flat"], 6), laid("brief", METRICS["flat"], 6)
    [after_long], [after_brief] = clear_at(played(long)), clear_at(played(brief))
    assert after_long - long.over <= 20 * MINUTE
    assert after_brief - brief.over >= 25 * MINUTE


def test_a_new_level_counts_by_somebodys_word_alone() -> None:
    incident = laid("never", METRICS["requests"], 7)
    assert not clear_at(played(incident))
    accepted = incident.question.alert_at + 100 * MINUTE
    [at] = clear_at(played(replace(incident, accepted=accepted)))
    assert 20 * MINUTE <= at - accepted <= 60 * MINUTE
    judge, known = Judge(incident.question), incident.at <= at
    told = judge.look(incident.at[known], incident.values[known], at, accepted)
    assert told.low is not None
    assert told.value is not None
    assert told.high is not None
    assert told.low <= told.value <= told.high
    assert told.band is not None
    before = told.band.at < accepted
    assert told.band.expected[~before].min() > told.band.expected[before].max()


@pytest.mark.parametrize("huge", [1e154, 1.7e308, -1e200])
def test_what_no_metric_reads_is_no_all_clear(huge: float) -> None:
    incident = laid("at once", METRICS["flat"], 1)
    values = np.where(incident.at >= incident.over, huge, incident.values)
    assert not clear_at(played(replace(incident, values=values)))


@pytest.mark.parametrize("level", [3.0, 100.0])
def test_an_hour_or_two_of_history_allow_for_what_was_seen(level: float) -> None:
    """A trial of forecasts needs more than that: it must not take them to have said 0."""
    at = np.arange(0.0, 8 * HOUR, HOUR)
    values = level * (1 + 0.1 * np.sin(at))
    ground = Ground.learnt(Question(at[-1], HOUR), at, values)
    assert ground.enough
    assert ground.expectation(at[-1]).error[0] < 0.3 * level


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_asked_once_after_a_restart_it_says_the_same(shape: str) -> None:
    incident = laid(shape, METRICS["requests"], 8)
    for at, verdict in played(incident)[::7]:
        known = int(np.searchsorted(incident.at, at, side="right"))
        told = Judge(incident.question).look(incident.at[:known], incident.values[:known], at)
        assert told.verdict is verdict


def test_it_tells_what_people_compare() -> None:
    incident = laid("at once", METRICS["requests"], 9)
    now = incident.over + 15 * MINUTE
    known = int(np.searchsorted(incident.at, now, side="right"))
    told = Judge(incident.question).look(incident.at[:known], incident.values[:known], now)
    assert told.verdict is Verdict.RECOVERING
    assert None not in (told.value, told.expected, told.low, told.high, told.yesterday, told.last_week)
    assert told.low is not None
    assert told.value is not None
    assert told.high is not None
    assert told.low <= told.value <= told.high
    assert told.worst is not None
    assert told.worst > 1.8 * told.value
    onset = incident.bad[0][0]
    assert told.onset is not None
    assert onset - 15 * MINUTE <= told.onset <= onset
    assert told.back_since == pytest.approx(incident.over, abs=6 * MINUTE)
    assert told.held == pytest.approx(15 * MINUTE, abs=6 * MINUTE)
    assert told.hold == 20 * MINUTE
    assert told.band is not None
    assert (told.band.low <= told.band.expected).all()
    assert told.band.at[0] < onset < told.band.at[-1] <= now + 5 * MINUTE


def test_what_is_always_nothing_is_back_when_it_is_nothing() -> None:
    at = np.arange(0.0, 10 * DAY, 300.0)
    begun = 9 * DAY
    values = np.where((at >= begun) & (at < begun + HOUR), 7.0, 0.0)
    incident = Incident(
        Question(begun, 300.0, Direction.HIGH), at, values, begun + HOUR, ((begun, begun + HOUR),), 10 * DAY
    )
    [clear] = clear_at(played(incident))
    assert 20 * MINUTE <= clear - incident.over <= 40 * MINUTE


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_the_unit_makes_no_difference(scale: float) -> None:
    incident = laid("half-way", METRICS["requests"], 10)
    assert played(replace(incident, values=incident.values * scale)) == played(incident)


def test_what_is_no_number_or_out_of_order_harms_nothing() -> None:
    incident = laid("at once", METRICS["flat"], 11)
    odd = incident.values.copy()
    odd[::50] = np.nan
    odd[7::400] = np.inf
    assert len(clear_at(played(replace(incident, values=odd)))) == 1
    known = int(np.searchsorted(incident.at, incident.over + 60 * MINUTE))
    mixed = np.random.default_rng(1).permutation(known)
    judge = Judge(incident.question)
    at, values = incident.at[:known][mixed], incident.values[:known][mixed]
    assert judge.look(at, values, incident.over + 60 * MINUTE).verdict is Verdict.ALL_CLEAR


@pytest.mark.parametrize("off", [0.0, 0.1, 0.5, 1.0, 2.0, 50.0, 1e9])
def test_what_is_further_off_is_more_likely_left(off: float) -> None:
    left = Leftover((1,), (3.0,), level=1.0, bias=0.05, noise=0.02, tolerance=0.1, wobble=0.0, bursts=0.0)
    assert 0 <= left.probability(off, 5) <= left.probability(off * 1.1 + 0.01, 5) <= 1


def test_a_benchmark_asks_it_line_by_line() -> None:
    incident = laid("at once", METRICS["flat"], 12)
    opened = {
        "t0": incident.question.alert_at,
        "step": 300.0,
        "direction": "high_bad",
        "kind": "gauge",
        "threshold": None,
        "threshold_op": None,
        "tolerance": 0.1,
    }
    lines, sent, expected = [json.dumps({"open": opened})], 0, []
    for at, verdict in played(incident)[::3]:
        known = int(np.searchsorted(incident.at, at, side="right"))
        points = list(
            zip(incident.at[sent:known].tolist(), incident.values[sent:known].tolist(), strict=True)
        )
        lines.append(json.dumps({"at": at, "points": [*points, [at + 1, None]], "accepted_since": None}))
        expected.append(verdict.value)
        sent = known
    program = Path(__file__).parents[2] / "benchmarks" / "verify_adapter.py"
    said = subprocess.run(
        [sys.executable, program],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert [json.loads(line)["verdict"] for line in said.stdout.splitlines()] == expected
    assert "all_clear" in expected
