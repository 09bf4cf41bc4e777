"""From when on things are old, as people say it."""

from datetime import UTC, datetime

import pytest

from tocsin.domain.pruning import PruneBegun, parse_before

NOW = datetime(2028, 2, 29, 3, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("2y", "2026-02-28T03:30:00+00:00"),
        ("4y", "2024-02-29T03:30:00+00:00"),
        ("90d", "2027-12-01T03:30:00+00:00"),
        ("26w", "2027-08-31T03:30:00+00:00"),
        ("2027-11-30", "2027-11-30T00:00:00+00:00"),
        (" 1y ", "2027-02-28T03:30:00+00:00"),
    ],
)
def test_it_is_an_age_or_a_day(text: str, before: str) -> None:
    assert parse_before(text, NOW).isoformat() == before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("89d", "must lie 90 days back at least: '89d' is 2027-12-02 03:30 UTC"),
        ("2027-12-02", "must lie 90 days back at least: '2027-12-02' is 2027-12-02 00:00 UTC"),
        ("2028-12-02", "must lie 90 days back at least"),
        ("2", "must be a length of time such as '2y' or '180d', or a day such as '2024-12-31', not '2'"),
        ("0y", "must be a length"),
        ("-2y", "must be a length"),
        ("²y", "must be a length"),
        ("", "must be a length"),
        ("2027-13-01", "must be a length"),
        ("11y3d", "must be a length"),
    ],
)
def test_what_is_young_or_unclear_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="^" + why.replace("(", r"\(")):
        parse_before(text, NOW)


def test_whoever_names_what_is_gone_is_told_since_when_and_why() -> None:
    event = PruneBegun(subject="pruning", at=NOW, before=datetime(2026, 2, 28, tzinfo=UTC), who="root")
    assert event.told("12") == "12 was pruned on 2028-02-29: what ended before 2026-02-28 is not kept"
