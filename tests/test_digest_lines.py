"""Who judges what is told reads all of it."""

import pytest

from tests.digest_lines import ACKNOWLEDGED, NEWS, OTHER, PAGE, RESOLVED, counted, told

DIGEST = "998 alerts: 200 critical DiskFull, 750 warning 'High load, and 9 more' and 48 of 3 other names · !ack d4k2"


@pytest.mark.parametrize(
    ("words", "kind", "what"),
    [
        ("critical Disk:Full db1: 97 % of / used: 3 alerts: 1 x · !ack k7f3 · http://a.test/", PAGE, ""),
        ("critical Disk:Full: 97 % of / used · !ack k7f3", PAGE, ""),
        ("paging alice and bob: critical Disk:Full db1: 97 % · !ack k7f3", NEWS, "paging alice and bob"),
        ("step 3: paging #ops: critical Disk:Full · !ack k7f3", PAGE, "step 3: paging #ops"),
        ("step 2: paging bob: critical Disk:Full, and 4 more · !ack k7f3", NEWS, "step 2: paging bob"),
    ],
)
def test_one_alert_is_told_by_its_own_name(words: str, kind: str, what: str) -> None:
    one = told(f"(again) k7f3 {words}")
    assert one is not None
    assert (one.id, one.digest, one.kind, one.what, one.count) == ("k7f3", False, kind, what, 1)
    assert one.again
    assert one.adds_up
    assert one.command == "!ack k7f3"
    assert one.names("Disk:Full")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (DIGEST, PAGE),
        (f"alice and bob paged: {DIGEST}", NEWS),
        (f"acknowledged by alice, paging stops: {DIGEST}", ACKNOWLEDGED),
        (f"resolved by their source, without an answer: {DIGEST}", RESOLVED),
        (DIGEST.replace(" alerts", " alerts resolved by their source", 1), RESOLVED),
    ],
)
def test_a_digest_counts_those_that_it_names_and_all_others(words: str, kind: str) -> None:
    one = told(f"d4k2 {words}")
    assert one is not None
    assert (one.id, one.digest, one.kind, one.count, one.again) == ("d4k2", True, kind, 998, False)
    assert one.named == {"critical DiskFull": 200, "warning 'High load, and 9 more'": 750}
    assert one.others == 48
    assert one.adds_up
    assert one.command == "!ack d4k2"
    assert not one.names("High")


def test_numbers_that_do_not_add_up_are_seen() -> None:
    one = told("d4k2 1,000 alerts: 1,000 critical DiskFull and 1 of 1 other name")
    assert one is not None
    assert not one.adds_up


@pytest.mark.parametrize(
    "words", ["998 alerts open, 3 without an answer", "k7f3: you still have it", "noted"]
)
def test_what_tells_of_no_alert_is_left_out(words: str) -> None:
    assert told(words) is None


def test_the_line_of_a_list_calls_nobody() -> None:
    one = told("k7f3 critical DiskFull db1: 97 % of / used (since 03:00:00; nobody has answered)")
    assert one is not None
    assert one.kind == OTHER


def test_each_is_counted_once() -> None:
    lines = [
        f"d4k2 {DIGEST}",
        f"(again) d4k2 {DIGEST}",
        "k7f3 critical DiskFull",
        "(again) k7f3 critical DiskFull",
    ]
    assert counted(filter(None, map(told, lines))) == 999
