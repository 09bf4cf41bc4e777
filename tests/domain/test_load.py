"""Who carried how much: times on call and pages, counted."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tocsin.domain.load import Load, Page, is_night, loads
from tocsin.domain.oncall import QuietHours, Responder
from tocsin.domain.rota import Shift

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
MON = datetime(2026, 11, 16, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_each_has_shifts_hours_pages_and_nights() -> None:
    people = {"alice": Responder(timezone=BERLIN), "bob": Responder(timezone=NEW_YORK), "carol": Responder()}
    shifts = [
        Shift(MON, MON + 24 * HOUR, ("alice",)),
        Shift(MON + 24 * HOUR, MON + 48 * HOUR, ("bob", "alice")),
        Shift(MON + 60 * HOUR, MON + 70 * HOUR, ("alice",)),
        Shift(MON + 10 * HOUR, MON + 30 * HOUR, ("alice",)),  # by another schedule: no hour counts twice
    ]
    pages = [
        Page("alice", "k7f3", MON),
        Page("alice", "k7f3", MON + 14 * HOUR),  # again, and now it is 23:00 in Berlin
        Page("alice", "k7f3", MON + 15 * HOUR),
        Page("alice", "m2p4", MON + 2 * HOUR),
        Page("bob", "k7f3", MON + 14 * HOUR),  # it is 17:00 in New York
        Page("erin", "k7f3", MON + 15 * HOUR),
    ]
    assert loads(people, shifts, pages) == [
        Load("alice", 2, 58 * HOUR, 2, 1),
        Load("erin", 0, 0 * HOUR, 1, 1),
        Load("bob", 1, 24 * HOUR, 1, 0),
        Load("carol"),
    ]


@pytest.mark.parametrize(
    ("at", "quiet", "night"),
    [
        ("2026-11-21 20:59", None, False),
        ("2026-11-21 21:00", None, True),
        ("2026-11-22 05:59", None, True),
        ("2026-11-22 06:00", None, False),
        ("2026-11-22 06:00", "23-9", True),
        ("2026-11-22 04:00", "23-4", True),
        ("2026-06-22 05:00", None, False),
        ("2026-06-22 04:59", None, True),
    ],
)
def test_night_is_from_ten_to_seven_where_they_are_and_in_their_quiet_hours(
    at: str,
    quiet: str | None,
    night: bool,  # noqa: FBT001 (a row of the table)
) -> None:
    person = Responder(timezone=BERLIN, quiet=QuietHours.parse(quiet) if quiet else None)
    assert is_night(datetime.fromisoformat(f"{at}Z"), person) == night
