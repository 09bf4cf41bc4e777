"""What people read of a judgement, for each verdict and whatever isn't known."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_verification.events import CheckAdded
from tocsin_verification.judge.verdict import Direction, Judgement, Verdict
from tocsin_verification.telling import line_of
from tocsin_verification.verified import Checked
from tocsin_verification.words import lines, reported

AT = 1795363200.0  # 22 November 2026, 16:00 UTC
BAD = Judgement(
    Verdict.NOT_YET,
    AT,
    value=0.021,
    expected=0.003,
    low=0.002,
    high=0.004,
    worst=0.021,
    onset=AT - 7680,
    hold=1500,
    before=0.0025,
    yesterday=0.003,
    last_week=0.0034,
)
BACK = replace(BAD, verdict=Verdict.RECOVERING, value=0.003, back_since=AT - 720, held=720)
CLEAR = replace(BACK, verdict=Verdict.ALL_CLEAR, back_since=AT - 1500, held=1500)
MISSING = replace(BAD, verdict=Verdict.CANT_TELL, value=None, missing="no sample since 15:50 UTC")
NORMAL = "normally 0.2–0.4 % at this hour"


def fact(judgement: Judgement, direction: Direction = Direction.HIGH, unit: str = "ratio") -> str:
    return lines("error rate", judgement, unit=unit, direction=direction).fact


@pytest.mark.parametrize(
    ("judgement", "line"),
    [
        (BAD, f"error rate 2.1 %, {NORMAL}: not back yet, bad since 13:52 UTC"),
        (
            replace(BAD, value=0.012),
            f"error rate 2.1 % → 1.2 %, {NORMAL}: not back yet, bad since 13:52 UTC",
        ),
        (replace(CLEAR, value=0.012), f"error rate 2.1 % → 1.2 %, {NORMAL}: out of its range now, was clear"),
        (
            replace(BACK, value=0.012),
            f"error rate 2.1 % → 1.2 %, {NORMAL}: out of its range now, was back for 12 of 25 min",
        ),
        (replace(BAD, onset=None), f"error rate 2.1 %, {NORMAL}: not back yet"),
        (
            replace(BAD, value=0.003),
            f"error rate 2.1 % → 0.3 %, {NORMAL}: not steady yet, bad since 13:52 UTC",
        ),
        (replace(BAD, relapses=1), f"error rate 2.1 %, {NORMAL}: bad again, relapsed once"),
        (
            replace(BAD, verdict=Verdict.RECOVERING, value=0.012),
            f"error rate 2.1 % → 1.2 %, {NORMAL}: better, not back yet, bad since 13:52 UTC",
        ),
        (BACK, f"error rate 2.1 % → 0.3 %, {NORMAL}: back for 12 of 25 min"),
        (
            replace(BACK, relapses=2, hold=6000),
            f"error rate 2.1 % → 0.3 %, {NORMAL}: back for 12 of 100 min, relapsed twice before",
        ),
        (CLEAR, f"error rate 2.1 % → 0.3 %, {NORMAL}: clear, back since 15:35 UTC"),
        (replace(CLEAR, back_since=None), f"error rate 2.1 % → 0.3 %, {NORMAL}: clear"),
        (
            replace(CLEAR, value=0.001),
            f"error rate 2.1 % → 0.1 %, {NORMAL} (below does no harm): clear, back since 15:35 UTC",
        ),
        (replace(CLEAR, worst=None), f"error rate 0.3 %, {NORMAL}: clear, back since 15:35 UTC"),
        (
            replace(CLEAR, low=-0.001),
            "error rate 2.1 % → 0.3 %, normally up to 0.4 % at this hour: clear, back since 15:35 UTC",
        ),
        (
            replace(CLEAR, high=None),
            "error rate 2.1 % → 0.3 %, normally at least 0.2 % at this hour: clear, back since 15:35 UTC",
        ),
        (
            replace(CLEAR, high=None, low=None),
            "error rate 2.1 % → 0.3 %, normally about 0.3 % at this hour: clear, back since 15:35 UTC",
        ),
        (
            replace(BAD, high=None, low=None, expected=None),
            "error rate 2.1 %, what is normal is not known: not back yet, bad since 13:52 UTC",
        ),
        (MISSING, "error rate (at worst 2.1 %): cannot verify: no sample since 15:50 UTC"),
        (replace(MISSING, worst=None), "error rate: cannot verify: no sample since 15:50 UTC"),
        (Judgement(Verdict.CANT_TELL, AT), "error rate: cannot verify: data are missing"),
        # An answer that contradicts itself is no good news either.
        (replace(CLEAR, value=None), "error rate (at worst 2.1 %): cannot verify: data are missing"),
        (replace(CLEAR, value=float("nan")), "error rate (at worst 2.1 %): cannot verify: data are missing"),
        (replace(BACK, missing="2 of 3 series"), "error rate (at worst 2.1 %): cannot verify: 2 of 3 series"),
    ],
)
def test_the_fact_stands_first(judgement: Judgement, line: str) -> None:
    assert fact(judgement) == line


@pytest.mark.parametrize("low", [None, 0.0, -1.5e-12])
def test_where_nothing_is_normal_that_is_said(low: float | None) -> None:
    """The judge leaves room for a trillionth."""
    nothing = replace(CLEAR, value=0.0, worst=5.0, expected=0.0, low=low, high=1.5e-12)
    usual = "normally 0 at this hour"
    assert fact(nothing, unit="") == f"error rate 5 → 0, {usual}: clear, back since 15:35 UTC"
    bad = replace(nothing, verdict=Verdict.NOT_YET, value=5.0, back_since=None)
    assert fact(bad, unit="") == f"error rate 5, {usual}: not back yet, bad since 13:52 UTC"


@pytest.mark.parametrize(
    ("judgement", "state"),
    [
        (replace(CLEAR, value=0.021), "clear, back since 15:35 UTC"),
        (replace(BACK, value=0.021), "back for 12 of 25 min"),
        (replace(BACK, value=0.021, back_since=None), "not there for long enough yet"),
    ],
)
def test_where_somebody_said_what_is_normal_the_past_does_not(judgement: Judgement, state: str) -> None:
    line = lines("errors", judgement, unit="ratio", accepted=AT - 1800).fact
    assert line == f"errors 2.1 %, accepted as normal since 15:30 UTC: {state}"


def test_that_holds_where_nothing_was_ever_seen_too() -> None:
    added = CheckAdded(subject="1", at=datetime.fromtimestamp(AT, UTC), check="errors", unit="ratio")
    check = Checked(added, accepted=datetime.fromtimestamp(AT - 1800, UTC))
    line = line_of(check, replace(CLEAR, onset=None, back_since=None, worst=None)).fact
    assert line == "errors 0.3 %, accepted as normal since 15:30 UTC: clear"


def test_what_is_beyond_normal_is_so_in_the_digits_too() -> None:
    line = fact(replace(BAD, value=0.0041))
    assert line.startswith("error rate 2.10 % → 0.41 %, normally 0.20–0.40 % at this hour: not back yet")


def test_below_is_harm_where_less_is_worse() -> None:
    low = replace(BAD, value=0, worst=0, low=850, high=1200, expected=1000)
    assert (
        fact(low, Direction.LOW, "req/s")
        == "error rate 0 req/s, normally 0.8–1.2 k req/s at this hour: not back yet, bad since 13:52 UTC"
    )


def test_times_are_those_of_who_reads_them() -> None:
    line = lines("error rate", BAD, unit="ratio", zone=ZoneInfo("Asia/Kolkata")).fact
    assert line.endswith("bad since 19:22 Asia/Kolkata")
    old = replace(BAD, onset=AT - 86400)
    assert lines("error rate", old).fact.endswith("bad since Sat 21 Nov 16:00 UTC")


@pytest.mark.parametrize(
    ("judgement", "line"),
    [
        (BAD, "just before 0.2 % · this time yesterday 0.3 % · this time last week 0.3 %"),
        (
            replace(BAD, last_week=None),
            "just before 0.2 % · this time yesterday 0.3 % · this time last week not known",
        ),
        (
            replace(BAD, before=None, yesterday=float("nan"), last_week=None),
            "just before, this time yesterday and this time last week are not known",
        ),
    ],
)
def test_three_comparisons_explain_it(judgement: Judgement, line: str) -> None:
    assert lines("error rate", judgement, unit="ratio").why == line


@pytest.mark.parametrize(
    ("judgement", "line"),
    [
        (BAD, f"error rate 2.1 %, {NORMAL}, since 13:52 UTC"),
        (replace(BAD, value=0.012), f"error rate 1.2 %, {NORMAL}, at worst 2.1 %, since 13:52 UTC"),
        (replace(BAD, onset=None), f"error rate 2.1 %, {NORMAL}"),
        (
            replace(CLEAR, onset=None, worst=None, back_since=None),
            f"error rate 0.3 %, {NORMAL}: as usual, no trouble seen so far",
        ),
        (
            BACK,
            f"error rate 0.3 %, {NORMAL}: back since 15:48 UTC, was bad since 13:52 UTC, at worst 2.1 %",
        ),
        (
            replace(CLEAR, onset=None, low=None, high=None, expected=None, worst=None),
            "error rate 0.3 %, what is normal is not known",
        ),
        (MISSING, "error rate: cannot verify: no sample since 15:50 UTC"),
        (replace(CLEAR, value=None, onset=None), "error rate: cannot verify: data are missing"),
    ],
)
def test_a_report_is_answered(judgement: Judgement, line: str) -> None:
    assert reported("error rate", judgement, unit="ratio", direction=Direction.HIGH) == line


number = st.one_of(st.none(), st.floats(width=64), st.floats(0, 10))
instant = st.one_of(st.none(), st.floats(AT - 10**7, AT))
anything = st.builds(
    Judgement,
    verdict=st.sampled_from(Verdict),
    at=st.just(AT),
    missing=st.sampled_from(["", " ", "no sample since 15:50 UTC"]),
    held=st.floats(0, 10**6),
    hold=st.floats(0, 10**6),
    relapses=st.integers(0, 50),
    **dict.fromkeys(("value", "expected", "low", "high", "worst"), number),
    **dict.fromkeys(("before", "yesterday", "last_week"), number),
    onset=instant,
    back_since=instant,
)


def test_all_fields_are_drawn() -> None:
    drawn = {"verdict", "at", "missing", "held", "hold", "relapses", "onset", "back_since", "before"}
    drawn |= {"value", "expected", "low", "high", "worst", "yesterday", "last_week"}
    assert {field.name for field in fields(Judgement)} - drawn == {"band"}


@given(anything, st.sampled_from(Direction), st.sampled_from(["", "s", "ratio", "B", "/s"]))
def test_nothing_is_well_unless_the_judge_said_so_from_data(
    judgement: Judgement, direction: Direction, unit: str
) -> None:
    told = lines("x" * 500, judgement, unit=unit, direction=direction)
    report = reported("x", judgement, unit=unit, direction=direction)
    assert len(told.fact) < 260
    assert len(told.why) < 130
    assert told.fact.endswith(f": {told.state}")
    assert told.known is ("cannot verify: " not in told.fact)
    for line in (told.fact, report):
        assert "nan" not in line
        assert "inf" not in line
        lacking = judgement.verdict is Verdict.CANT_TELL or judgement.value is None or judgement.missing
        if lacking:
            assert "cannot verify: " in line
            assert not any(word in line for word in ("back", "clear", "usual", "better", "steady", "normal"))
        if judgement.verdict is not Verdict.ALL_CLEAR:
            assert "clear" not in line
        if judgement.verdict is Verdict.NOT_YET:
            assert not any(word in line for word in ("back for", "back since", "usual", "better"))
