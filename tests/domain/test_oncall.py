"""When people want to be left in peace, on the clocks where they live."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.oncall import QuietHours
from tocsin.domain.words import on_the_wall

BERLIN, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")
ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)


@pytest.mark.parametrize(
    "text", ["22:00-07:00", "22-7", "22:00 \u2013 7:00", "22:00 to 07:00", "2200-0700", " 22 until 7 "]
)
def test_quiet_hours_are_read_as_people_write_them(text: str) -> None:
    assert str(QuietHours.parse(text)) == "22:00-07:00"


@pytest.mark.parametrize(
    "text", ["", "22:00", "25-7", "22:00-22:00", "24:30-7", "22:61-7", "at night", "0-24"]
)
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        QuietHours.parse(text)


@pytest.mark.parametrize(
    ("hours", "now", "over"),
    [
        ("22:00-07:00", "2026-11-21 20:59", None),
        ("22:00-07:00", "2026-11-21 21:00", "2026-11-22 06:00"),
        ("22:00-07:00", "2026-11-22 05:59", "2026-11-22 06:00"),
        ("22:00-07:00", "2026-11-22 06:00", None),
        ("00:00-06:00", "2026-11-21 23:00", "2026-11-22 05:00"),
        ("13:00-14:00", "2026-11-21 12:30", "2026-11-21 13:00"),
        ("20:00-24:00", "2026-11-21 19:30", "2026-11-21 23:00"),
        # Clocks go from 02:00 to 03:00: what ends at 02:30 ends when that hour is left out.
        ("22:00-02:30", "2026-03-28 22:00", "2026-03-29 01:00"),
        # Clocks show 02:30 twice: the first one ends it, and it does not begin anew before the evening.
        ("22:00-02:30", "2026-10-25 00:00", "2026-10-25 00:30"),
        ("22:00-02:30", "2026-10-25 01:00", None),
    ],
)
def test_they_are_over_when_the_clock_on_the_wall_says_so(hours: str, now: str, over: str | None) -> None:
    at = datetime.fromisoformat(f"{now}Z")
    expected = datetime.fromisoformat(f"{over}Z") if over else None
    assert QuietHours.parse(hours).over_at(at, BERLIN) == expected


@pytest.mark.parametrize(
    ("day", "at", "zone", "instant"),
    [
        (date(2026, 11, 21), time(7), BERLIN, "2026-11-21T06:00Z"),
        (date(2026, 3, 29), time(2, 30), BERLIN, "2026-03-29T01:00Z"),
        (date(2026, 10, 25), time(2, 30), BERLIN, "2026-10-25T00:30Z"),
        (date(2026, 10, 4), time(2, 10), LORD_HOWE, "2026-10-03T15:30Z"),
        (date(2011, 12, 30), time(9), ZoneInfo("Pacific/Apia"), "2011-12-30T10:00Z"),  # a day that never was
    ],
)
def test_a_time_on_the_wall_is_one_instant(day: date, at: time, zone: ZoneInfo, instant: str) -> None:
    assert on_the_wall(day, at, zone) == datetime.fromisoformat(instant)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2035, 1, 1)), ZONES)  # noqa: DTZ001 (a time on the wall)
def test_what_the_wall_shows_is_what_was_meant_or_comes_right_after_a_gap(
    wall: datetime, zone: ZoneInfo
) -> None:
    wall = wall.replace(microsecond=0)
    instant = on_the_wall(wall.date(), wall.time(), zone)
    shown = instant.astimezone(zone).replace(tzinfo=None)
    assert shown >= wall
    if shown > wall:
        before = (instant - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
        assert before < wall
    else:
        earlier = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        assert instant == earlier
