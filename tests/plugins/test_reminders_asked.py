"""What is typed behind `!status`."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tocsin.api import Refused
from tocsin_reminders.asked import Asked

NOW = datetime(2026, 11, 21, 3, 0, 7, tzinfo=UTC)  # a Saturday, 04:00:07 in Berlin
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("words", "text", "next_at"),
    [
        ("half is back", "half is back", ""),
        ("half is back next 30m", "half is back", "21 03:31"),
        ("half is back, next in 2 hours", "half is back", "21 05:01"),
        ("half is back next 14:30", "half is back", "21 13:30"),
        ("half is back next 4:30pm.", "half is back", "21 15:30"),
        ("half is back Next: 14:30", "half is back", "21 13:30"),
        ("half is back next update by 14:30", "half is back", "21 13:30"),
        ("half is back \u00b7 next by 14:30 UTC", "half is back", "21 14:30"),
        ("half is back next tomorrow 09:00", "half is back", "22 08:00"),
        ("half is back next tue 09:00", "half is back", "24 08:00"),
        ("half is back next midnight", "half is back", "21 23:00"),
        ("half is back next 03:59", "half is back", "22 02:59"),
        ("we try the next host", "we try the next host", ""),
        ("the next may be worse", "the next may be worse", ""),
        ("db is next", "db is next", ""),
        ("next the cache, next 5m", "next the cache", "21 03:06"),
    ],
)
def test_a_text_and_when_the_next_comes(words: str, text: str, next_at: str) -> None:
    asked = Asked.read(words, NOW, BERLIN)
    assert asked.text == text
    assert (f"{asked.next_at:%d %H:%M}" if asked.next_at else "") == next_at
    assert asked.next_at is None or (asked.next_at.second, asked.next_at.microsecond) == (0, 0)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("x next 5", "is no time: end with a length, as in 'next 30m', or a time, as in 'next 14:30'"),
        ("x next tuesday foo", "'next tuesday foo' is no time"),
        ("x next -5m", "is no time"),
        ("x next 25:00", "is no time"),
        ("x next soon", "is no time"),
        ("x next 999999999w", "is no time"),
        ("x next 5m or so", "'next 5m or so' is no time"),
        ("x next tue", "'next tue' names no time of day: say it too, as in 'next tue 09:00'"),
        ("x next 2020-01-01 10:00", "is over"),
        ("x next 0m", "is over"),
        ("x next now", "is over"),
        ("x next 2026-11-21 03:59", "is over"),
        ("x next 8d", "is too far off: the next update comes within 7d"),
        ("x next 2026-12-24T18:00", "is too far off"),
        ("next 30m", "what is new?"),
        ("a" * 1001, "at most 1,000 characters, and this has 1,001"),
    ],
)
def test_what_is_no_time_is_refused_with_what_to_say(words: str, why: str) -> None:
    with pytest.raises(Refused) as refused:
        Asked.read(words, NOW, BERLIN)
    assert why in str(refused.value)
