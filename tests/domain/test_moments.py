"""Times as people say them."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.moments import full_minute, parse_end, parse_length, parse_moment, parse_past, written

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
UTC_ZONE = ZoneInfo("UTC")

# It is 15:30 on Sunday, 22 November 2026, in Berlin.
NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)

INSTANTS = st.integers(0, 15 * 366 * 24 * 3600).map(
    lambda seconds: at("2020-01-01") + timedelta(seconds=seconds)
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "means", "taken"),
    [
        ("now", "2026-11-22 14:30", 1),
        ("16:00", "2026-11-22 15:00", 1),
        ("15:30", "2026-11-23 14:30", 1),  # that is now, so tomorrow's is meant
        ("09:00", "2026-11-23 08:00", 1),
        ("9:00.", "2026-11-23 08:00", 1),
        ("at 09:00", "2026-11-23 08:00", 2),
        ("9am", "2026-11-23 08:00", 1),
        ("12am", "2026-11-22 23:00", 1),
        ("12pm", "2026-11-23 11:00", 1),
        ("5:45pm", "2026-11-22 16:45", 1),
        ("noon", "2026-11-23 11:00", 1),
        ("midnight", "2026-11-22 23:00", 1),
        ("09:00 utc", "2026-11-23 09:00", 2),
        ("today 18:00", "2026-11-22 17:00", 2),
        ("today 09:00", "2026-11-22 08:00", 2),
        ("tomorrow", "2026-11-22 23:00", 1),
        ("tomorrow 09:00 because", "2026-11-23 08:00", 2),
        ("Tomorrow at 9am", "2026-11-23 08:00", 3),
        ("tomorrow 09:00 UTC", "2026-11-23 09:00", 3),
        ("09:00 tomorrow", "2026-11-23 08:00", 2),
        ("9am fri please", "2026-11-27 08:00", 2),
        ("18:00 24 dec UTC", "2026-12-24 18:00", 4),
        ("09:00 sun", "2026-11-29 08:00", 2),
        ("fri", "2026-11-26 23:00", 1),
        ("Friday 18:00", "2026-11-27 17:00", 2),
        ("thurs 18:00", "2026-11-26 17:00", 2),
        ("sun 18:00", "2026-11-22 17:00", 2),
        ("sun 09:00", "2026-11-29 08:00", 2),  # today's is over
        ("sunday", "2026-11-28 23:00", 1),
        ("2026-12-24", "2026-12-23 23:00", 1),
        ("2026-12-24 18:00", "2026-12-24 17:00", 2),
        ("2026-12-24T18:00", "2026-12-24 17:00", 1),
        ("2026-12-24T18:00Z", "2026-12-24 18:00", 1),
        ("2026-12-24T18:00+05:30", "2026-12-24 12:30", 1),
        ("24 dec 18:00", "2026-12-24 17:00", 3),
        ("dec 24 18:00", "2026-12-24 17:00", 3),
        ("1 march 09:00", "2027-03-01 08:00", 3),
        ("29 feb", "2028-02-28 23:00", 2),
        ("may 1", "2027-04-30 22:00", 2),
    ],
)
def test_a_time_is_read_where_who_says_it_lives(said: str, means: str, taken: int) -> None:
    assert parse_moment(said.split(), NOW, BERLIN) == (at(means), taken)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "9",
        "soon",
        "because of lunch",
        "25:00",
        "09:60",
        "13pm",
        "0am",
        "2026-13-01",
        "2026-02-30",
        "1999-01-01",
        "9999-01-01",
        "31 feb",
        "next friday",
        "t",
        "ma 1",
        "24 december2",
    ],
)
def test_what_could_be_meant_in_two_ways_or_none_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match=r"must be|there is no"):
        parse_moment(said.split(), NOW, BERLIN)


def test_clock_changes() -> None:
    march, november = at("2027-03-13 20:00"), at("2026-10-31 20:00")
    assert parse_moment(["02:30"], march, NEW_YORK)[0] == at("2027-03-14 07:00")  # skipped: at its end
    assert parse_moment(["01:30"], november, NEW_YORK)[0] == at("2026-11-01 05:30")  # twice: the first
    after_the_first = at("2026-11-01 05:45")
    assert parse_moment(["01:30"], after_the_first, NEW_YORK)[0] == at("2026-11-02 06:30")


@pytest.mark.parametrize(
    ("said", "means", "taken"),
    [
        ("30m", timedelta(minutes=30), 1),
        ("for 1h30m more", timedelta(minutes=90), 2),
        ("2 hours", timedelta(hours=2), 2),
        ("for 2 days", timedelta(days=2), 3),
        ("for lunch", timedelta(0), 0),
        ("ops", timedelta(0), 0),
        ("", timedelta(0), 0),
    ],
)
def test_lengths(said: str, means: timedelta, taken: int) -> None:
    assert parse_length(said.split()) == (means, taken)


def test_a_number_alone_is_no_length() -> None:
    with pytest.raises(ValueError, match="must be a length of time"):
        parse_length(["30"])


def test_ends() -> None:
    now = NOW + timedelta(seconds=12)
    assert parse_end(["30m"], now, BERLIN) == (at("2026-11-22 15:01"), 1)
    assert parse_end(["for", "30m"], now, BERLIN) == (at("2026-11-22 15:01"), 2)
    assert parse_end(["until", "09:00"], now, BERLIN) == (at("2026-11-23 08:00"), 2)
    assert parse_end(["till", "fri", "18:00"], now, BERLIN) == (at("2026-11-27 17:00"), 3)
    assert parse_end(["because"], now, BERLIN) == (None, 0)
    with pytest.raises(ValueError, match="must be a time"):
        parse_end(["until"], now, BERLIN)


def test_a_time_is_said_back_with_its_day_and_zone() -> None:
    assert written(at("2026-11-22 22:00"), BERLIN, NOW) == "23:00 Europe/Berlin"
    assert written(at("2026-11-22 23:00"), BERLIN, NOW) == "Mon 23 Nov 00:00 Europe/Berlin"
    assert written(at("2027-01-04 08:00"), UTC_ZONE, NOW) == "Mon 4 Jan 2027 08:00 UTC"


@given(
    zone=st.sampled_from(sorted(available_timezones())),
    now=INSTANTS,
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
)
def test_a_time_of_day_is_the_next_one(zone: str, now: datetime, hour: int, minute: int) -> None:
    found, _ = parse_moment([f"{hour}:{minute:02}"], now, ZoneInfo(zone))
    assert now < found <= now + timedelta(hours=51)  # a whole day may be skipped
    shown = found.astimezone(ZoneInfo(zone))
    before = (found - timedelta(microseconds=1)).astimezone(ZoneInfo(zone))
    assert shown.time() == time(hour, minute) or before.utcoffset() != shown.utcoffset()


@given(
    zone=st.sampled_from(sorted(available_timezones())),
    now=INSTANTS,
    ahead=st.integers(1, 60 * 24 * 300),
)
def test_what_is_said_back_is_read_as_the_same(zone: str, now: datetime, ahead: int) -> None:
    where = ZoneInfo(zone)
    minute = full_minute(now) + timedelta(minutes=ahead)
    here = minute.astimezone(where)
    said = f"{here:%Y-%m-%d %H:%M}".split()
    found, taken = parse_moment(said, now, where)
    assert taken == 2
    assert found.astimezone(where).replace(fold=0) == here.replace(fold=0)


@pytest.mark.parametrize(
    ("said", "ago", "taken"),
    [
        ("08:59 it broke", timedelta(minutes=1), 1),
        ("10:01", timedelta(hours=22, minutes=59), 1),
        ("5m ago it broke", timedelta(minutes=5), 2),
        ("2 hours ago", timedelta(hours=2), 3),
        ("yesterday 23:50", timedelta(hours=9, minutes=10), 2),
        ("now", timedelta(0), 1),
    ],
)
def test_what_has_happened_is_read_back_from_now(said: str, ago: timedelta, taken: int) -> None:
    nine = datetime(2026, 11, 20, 9, tzinfo=BERLIN).astimezone(UTC)
    assert parse_past(said.split(), nine, BERLIN) == (nine - ago, taken)


@pytest.mark.parametrize("said", ["tomorrow 09:00", "2027-01-01 09:00", "5m", "ago", "5xx ago", "25:00"])
def test_what_is_yet_to_come_has_not_happened(said: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_past(said.split(), NOW, BERLIN)


@given(words=st.lists(st.text(max_size=12), max_size=6))
def test_no_words_break_it(words: list[str]) -> None:
    for read in (parse_moment, parse_past, parse_end):
        try:
            _, taken = read(words, NOW, BERLIN)
        except ValueError:
            continue
        assert 0 <= taken <= len(words)


@pytest.mark.parametrize(
    ("said", "means", "taken"),
    [
        ("15:00", "2026-11-22 14:00", 1),
        ("15:30", "2026-11-22 14:30", 1),  # that is now
        ("17:00", "2026-11-21 16:00", 1),
        ("5m ago", "2026-11-22 14:25", 2),
        ("2 hours ago it began", "2026-11-22 12:30", 3),
        ("yesterday 23:50", "2026-11-21 22:50", 2),
        ("fri 18:00", "2026-11-20 17:00", 2),
        ("today 09:00 bob", "2026-11-22 08:00", 2),
        ("2026-11-01 12:00", "2026-11-01 11:00", 2),
        ("14:00 utc", "2026-11-22 14:00", 2),
        ("now", "2026-11-22 14:30", 1),
    ],
)
def test_what_has_happened(said: str, means: str, taken: int) -> None:
    assert parse_past(said.split(), NOW, BERLIN) == (at(means), taken)


@pytest.mark.parametrize(
    "said",
    ["tomorrow 09:00", "today 16:00", "16:00", "sun 16:00", "2026-12-24 18:00", "", "5m", "noonish", "ago"],
)
def test_what_is_yet_to_come_or_no_time_has_not_happened(said: str) -> None:
    with pytest.raises(ValueError, match=r"is yet to come|must be"):
        parse_past(said.split(), NOW, BERLIN)
