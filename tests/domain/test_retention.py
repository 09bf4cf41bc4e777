"""Which backups are kept: the newest ones, and one a day for a while."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.retention import needless

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

instants = st.datetimes(datetime(2026, 1, 1), datetime(2026, 3, 1), timezones=st.just(UTC))  # noqa: DTZ001 (the zone is added)


def every_hour(days: int) -> list[datetime]:
    return [NOON - timedelta(hours=hours) for hours in range(24 * days)]


def kept(taken: list[datetime], *, last: int, days: int) -> list[str]:
    return [f"{at:%d %H}" for at in sorted(set(taken) - needless(taken, last=last, days=days), reverse=True)]


def test_the_newest_are_kept_and_of_each_day_the_last_one() -> None:
    taken = every_hour(30)
    assert kept(taken, last=3, days=4) == ["23 12", "23 11", "23 10", "22 23", "21 23", "20 23"]
    assert len(kept(taken, last=24, days=14)) == 24 + 12  # of today and yesterday they are among the 24


def test_days_without_a_backup_don_t_count() -> None:
    long_ago = NOON - timedelta(days=200)
    assert kept([NOON, long_ago, long_ago - timedelta(hours=1)], last=1, days=2) == ["23 12", "07 12"]


def test_without_days_the_newest_alone_are_kept() -> None:
    assert kept(every_hour(5), last=2, days=0) == ["23 12", "23 11"]


@given(taken=st.lists(instants, min_size=1, unique=True), last=st.integers(0, 5), days=st.integers(0, 5))
def test_the_newest_is_always_kept_and_what_is_kept_stays_so(
    taken: list[datetime], last: int, days: int
) -> None:
    gone = needless(taken, last=last, days=days)
    left = set(taken) - gone
    assert max(taken) in left
    assert sorted(taken)[-max(1, last) :] == sorted(taken, reverse=True)[: max(1, last)][::-1]
    assert set(sorted(taken)[-max(1, last) :]) <= left
    assert needless(left, last=last, days=days) == set()
    assert len(left) <= max(1, last) + days
