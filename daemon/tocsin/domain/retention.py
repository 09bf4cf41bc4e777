"""Which backups are kept."""

from collections.abc import Collection
from datetime import UTC, datetime


def needless(taken: Collection[datetime], *, last: int, days: int) -> set[datetime]:
    """Of backups taken at these times, those that are kept no longer.

    Kept are the `last` newest ones, the newest one always, and of each of the `days` latest days on which one was taken, in
    UTC, the newest. Days without one don't count: who was away for a month loses nothing by that.
    """
    newest_first = sorted(taken, reverse=True)
    of_days = dict[object, datetime]()
    for at in newest_first:
        of_days.setdefault(at.astimezone(UTC).date(), at)
    return set(newest_first[max(1, last) :]) - set(list(of_days.values())[:days])
