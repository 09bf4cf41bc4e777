"""How digests are judged that daemons said which were killed: as what they stand for, a line for each alert."""

import re
from collections.abc import Sequence

import pytest

from tests.crash_judge import judge
from tests.crash_kept import Digest, Kept, Part
from tests.crash_seen import KILLED
from tests.crash_terminal import Terminal

NAMES = {"k7f3": "alert-1", "a2b4": "alert-2"}
COUNTED = "2 alerts: 1 critical alert-1 and 1 critical alert-2"
PAGE = f"d4k2 {COUNTED} · !ack d4k2"
NEWS = f"d4k2 paging alice: {COUNTED} · !ack d4k2"
STEP = f"d4k2 step 3: paging #ops: {COUNTED} · !ack d4k2"
OVER = f"d4k2 resolved by its source: {COUNTED}"


def digest(line: str, *sayings: str, command: bool = True) -> Digest:
    ends = " · !ack {}" * command
    first, second = sayings * 2 if len(sayings) == 1 else sayings
    parts = [
        Part(one, f"{one} {saying}{': ' * bool(saying)}critical {name}: invented{ends.format(one)}", saying)
        for (one, name), saying in zip(NAMES.items(), (first, second), strict=True)
    ]
    return Digest("d4k2", line, tuple(parts), frozenset(NAMES))


STORE = Kept(
    NAMES,
    {"d4k2": frozenset(NAMES)},
    {
        ("@alice", PAGE): digest(PAGE, ""),
        ("@bob", PAGE): digest(PAGE, ""),
        ("#ops", NEWS): digest(NEWS, "paging alice"),
        ("#ops", STEP): digest(STEP, "step 3: paging #ops"),
        ("@alice", OVER): digest(OVER, "resolved by its source", command=False),
        ("#ops", OVER): digest(OVER, "resolved by its source", command=False),
        ("@bob", OVER): digest(OVER, "resolved by its source", command=False),
    },
)


def line(place: str, *lines: str) -> str:
    return "".join(f"12:00:00 {place:7} <tocsin> {words}\n" for words in lines)


CRASH = f"{KILLED}\n"
MAY = "A page to bob may still arrive."
LIST = [
    "acknowledged by bob, paging stops: k7f3 and a2b4",
    "k7f3 critical alert-1: invented",
    "a2b4 critical alert-2: invented",
]
ONE_LINE = "d4k2 acknowledged by bob, paging stops: 2 alerts: 1 critical alert-1 and 1 critical alert-2"
ALICE, ROOM = line("@alice", PAGE), line("#ops", NEWS)
ACKED = line("@alice", *LIST) + line("#ops", *LIST)
WARNED = line("@alice", *LIST, MAY) + line("#ops", *LIST, MAY)
RESOLVED = line("@alice", OVER) + line("#ops", OVER)
ONE = line("@alice", "k7f3 critical alert-1: invented · !ack k7f3")
DONE = ("posted", "accepted", "asked", "resolved")
KEPT = {
    "all": (DONE, ROOM + ALICE + ACKED + RESOLVED),
    "counted": (DONE, ROOM + ALICE + line("@alice", ONE_LINE) + line("#ops", ONE_LINE) + RESOLVED),
    "again after a crash": (
        DONE,
        ALICE + ROOM + CRASH + line("@alice", f"(again) {PAGE}") + ACKED + RESOLVED,
    ),
    "a warning below the list": (
        DONE,
        ALICE + WARNED + line("@bob", PAGE) + line("@bob", *LIST, OVER) + RESOLVED,
    ),
    "answered before the page was there": ((*DONE, "listed"), ROOM + line("#ops", *LIST, OVER)),
    "and the daemon fell as it said so": (
        (*DONE, "listed"),
        ROOM + CRASH + line("#ops", f"(again) {LIST[0]}", *LIST[1:], OVER),
    ),
    "nobody answers": (("posted", "accepted"), ALICE + ROOM + line("@bob", PAGE) + line("#ops", STEP)),
}
BROKEN = {
    "alert-2: accepted, and nobody was paged": (DONE, ROOM + ONE + ACKED + RESOLVED),
    "alert-1: accepted, and nobody was paged": (DONE, ROOM + ACKED + RESOLVED),
    "alert-2: a page in @bob after the answer": (DONE, ALICE + ACKED + line("@bob", PAGE) + RESOLVED),
    "alert-2: two in @alice where one was meant": (DONE, ALICE + CRASH + ALICE + ACKED + RESOLVED),
    "alert-1: two in @alice where one was meant": (DONE, ALICE + CRASH + ONE + ACKED + RESOLVED),
    "@alice: more is said again than there were crashes": (
        DONE,
        ALICE + CRASH + line("@alice", f"(again) {PAGE}", f"(again) {OVER}") + ACKED,
    ),
    "alert-2: @alice never heard that it is resolved": (DONE, ALICE + ACKED + line("#ops", OVER)),
    "alert-2: @alice never heard that it is acknowledged": (
        DONE,
        ALICE + line("#ops", ONE_LINE) + RESOLVED,
    ),
    "alert-1: @alice never heard that it is acknowledged": (
        DONE,
        ALICE + line("#ops", *LIST) + RESOLVED,
    ),
    "a line that nobody meant: .*3 alerts": (
        DONE,
        ALICE.replace("2 alerts", "3 alerts") + ROOM + ACKED + RESOLVED,
    ),
    "a line that nobody meant: .*alert-2: invented": (DONE, ALICE + line("#ops", LIST[2]) + ACKED + RESOLVED),
}


def judged(did: Sequence[str], text: str, kept: Kept = STORE) -> Sequence[str]:
    record = [{"what": what, "name": name} for name in NAMES.values() for what in did]
    return judge(record, Terminal.read(text), kept).faults


@pytest.mark.parametrize("story", KEPT)
def test_what_a_digest_says_is_said_of_each_of_its_alerts(story: str) -> None:
    did, text = KEPT[story]
    assert judged(did, text) == []


@pytest.mark.parametrize("fault", BROKEN)
def test_a_promise_that_a_digest_breaks_is_found(fault: str) -> None:
    did, text = BROKEN[fault]
    found = judged(did, text)
    assert any(re.search(fault, one) for one in found), found


@pytest.mark.parametrize(
    ("said", "sayings", "fault"),
    [
        ("d4k2 3 alerts: 2 critical alert-1 and 1 critical alert-2 · !ack d4k2", [""], "counts 3, and says 2"),
        ("d4k2 2 alerts: 1 critical alert-1 and 1 critical alert-3 · !ack d4k2", [""], "names .*alert-3"),
        ("d4k2 2 alerts: 1 critical alert-1 · !ack d4k2", [""], "counts 2, and says 2"),
        (f"d4k2 {COUNTED}", [""], "asks for ''"),
        (f"a2b4 {COUNTED} · !ack a2b4", [""], "is no line of a digest"),
        (f"d4k2 {COUNTED} · !ack d4k2", ["paging alice"], "says '' of"),
        (f"d4k2 paging bob: {COUNTED} · !ack d4k2", ["paging alice"], "says 'paging bob' of"),
        (f"d4k2 paging bob (2): {COUNTED} · !ack d4k2", ["paging alice", "paging bob"], "says 'paging bob .2.' of"),
    ],
)  # fmt: skip
def test_a_digest_that_says_what_is_not_so_is_found(said: str, sayings: Sequence[str], fault: str) -> None:
    found = list(digest(said, *sayings).faults(NAMES))
    assert any(re.search(fault, one) for one in found), found


def test_a_digest_says_for_what_it_stands() -> None:
    (fault,) = Digest("d4k2", PAGE, digest(PAGE, "").parts, frozenset({"k7f3"})).faults(NAMES)
    assert fault == "says ['a2b4', 'k7f3'], and stands for ['k7f3']"


@pytest.mark.parametrize(
    "what",
    [
        "acknowledged by bob, paging stops (1) and resolved by its source (1)",
        "acknowledged by bob, paging stops (1) and 1 more",
    ],
)
def test_a_digest_may_say_two_things(what: str) -> None:
    sayings = ("acknowledged by bob, paging stops", "resolved by its source")
    assert list(digest(f"d4k2 {what}: {COUNTED}", *sayings, command=False).faults(NAMES)) == []
