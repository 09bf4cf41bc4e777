"""Many groups in few words: whatever there is, the numbers add up to all of them."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.alert import Alert
from tocsin.domain.group import AlertGroup, GroupOpened
from tocsin.domain.tally import LONGEST_NAME, named, tallies

AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
ORDER = ("critical", "warning", "info")


def group(name: str = "DiskFull", severity: str = "critical", *, by: str = "", number: int = 0) -> AlertGroup:
    labels = {"alertname": name, "severity": severity}
    alert = Alert(str(number), {label: value for label, value in labels.items() if value})
    found = AlertGroup(f"g{number}")
    found.apply(GroupOpened(subject=found.id, at=AT, by=by, key="", receiver="prod", alerts=(alert,)))
    return found


def many(**counts: int) -> list[AlertGroup]:
    """`critical_DiskFull=200`."""
    return [
        group(name, severity)
        for kind, number in counts.items()
        for severity, name in [kind.split("_")]
        for _ in range(number)
    ]


STORM = many(info_Cert=3, warning_HighLoad=750, warning_Slow=40, critical_DiskFull=200, warning_Port=5)


@pytest.mark.parametrize(
    ("groups", "most", "said"),
    [
        (STORM, 2, "200 critical DiskFull, 750 warning HighLoad and 48 of 3 other names"),
        (
            STORM,
            4,
            "200 critical DiskFull, 750 warning HighLoad, 40 warning Slow, 5 warning Port and 3 info Cert",
        ),
        (
            STORM,
            5,
            "200 critical DiskFull, 750 warning HighLoad, 40 warning Slow, 5 warning Port and 3 info Cert",
        ),
        (STORM, 0, "998 of 5 names"),
        (many(critical_DiskFull=200), 3, "200 critical DiskFull"),
        (
            many(critical_DiskFull=1, warning_DiskFull=1200),
            3,
            "1 critical DiskFull and 1,200 warning DiskFull",
        ),
        (many(), 3, ""),
    ],
)
def test_the_most_severe_stand_first_and_then_what_is_many(
    groups: Sequence[AlertGroup], most: int, said: str
) -> None:
    assert named(groups, ORDER, most=most) == said


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (group("Disk full, and 900 more"), "1 critical 'Disk full, and 900 more'"),
        (group('it\'s "bad"'), "1 critical 'its bad'"),
        (group("A\n2 critical\tB\u202e"), "1 critical 'A 2 critical B'"),
        (group("x" * 300), f"1 critical {'x' * (LONGEST_NAME - 1)}…"),
        (group("\u202e"), "1 critical alert"),
        (group(severity="page now"), "1 'page-now' DiskFull"),
        (group(severity=""), "1 alert DiskFull"),
        (group("page from alice", "", by="alice"), "1 page from alice"),
        (AlertGroup("k7f3"), "1 alert"),
    ],
)
def test_no_name_from_outside_passes_for_words_or_numbers_of_ours(one: AlertGroup, said: str) -> None:
    assert named([one], ORDER) == said


def test_what_differs_behind_where_a_name_is_cut_is_two_all_the_same() -> None:
    found = tallies([group("x" * 50), group("x" * 51), group("X" * 50)], ORDER)
    assert [len(tally.groups) for tally in found] == [1, 1, 1]
    assert sorted(tally.bears("X" * 50) for tally in found) == [False, True, True]
    assert all(tally.bears(f"{'x' * 39}…") for tally in found)


names = st.one_of(st.sampled_from(["DiskFull", "diskfull", "Load", "Load 5, 6"]), st.text(max_size=60))
severities = st.one_of(st.sampled_from([*ORDER, "", "page 3 of 4"]), st.text(max_size=30))
kinds = st.tuples(names, severities, st.sampled_from(["", "alice"]))


def unquoted(text: str) -> str:
    return re.sub(r"'[^']*'", "…", text)


@given(st.lists(kinds, max_size=40), st.integers(0, 6))
def test_every_group_is_in_one_number(found: list[tuple[str, str, str]], most: int) -> None:
    groups = [
        group("page from alice" if by else name, severity, by=by, number=number)
        for number, (name, severity, by) in enumerate(found)
    ]
    counts = tallies(groups, ORDER)
    assert sorted(one.id for tally in counts for one in tally.groups) == sorted(one.id for one in groups)
    said = [part for part in re.split(r", | and (?=\d)", unquoted(named(groups, ORDER, most=most))) if part]
    assert len(said) == min(len(counts), most + 1)
    assert sum(int(part.split()[0].replace(",", "")) for part in said) == len(groups)
