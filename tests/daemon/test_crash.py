"""The real daemon is killed at random moments under load, and what was seen of it from outside is judged.

`TOCSIN_CRASH_KILLS`: how many kills with work in flight. `TOCSIN_CRASH_SEED`: what the last run printed, to choose
the same moments and fates again.
"""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.crash_http import Tally, Trial
from tests.crash_judge import KILLED, Verdict, judge

KILLS = int(os.environ.get("TOCSIN_CRASH_KILLS", "100"))
SEED = os.environ.get("TOCSIN_CRASH_SEED") or str(random.randrange(10**6))  # noqa: S311 (no secret)

DAEMONS = 4
"""So many live and die side by side."""

LIVES = 25
"""So many kills are counted on one state folder; then the next daemon begins with an empty one."""


async def test_killed_at_random_under_load_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    phases: Counter[str] = Counter()
    verdicts: list[Verdict] = []
    free = asyncio.Semaphore(DAEMONS)

    async def try_one(number: int, wanted: int) -> None:
        async with free:
            tally = Tally(wanted)
            trial = Trial(tmp_path / str(number), f"{SEED}/{number}", tally)
            try:
                await trial.run()
            finally:
                trial.close()
            verdict = judge(trial.record.read(), trial.terminal())
            verdict.faults.extend(trial.faults)
            verdicts.append(verdict)
            phases.update(tally.phases)

    try:
        async with asyncio.TaskGroup() as trials:
            for number, begun in enumerate(range(0, KILLS, LIVES)):
                trials.create_task(try_one(number, min(LIVES, KILLS - begun)))
    finally:
        with capsys.disabled():
            sys.stdout.write(f"\n{_summary(verdicts, phases)}; seed {SEED}\n")
    faults = [fault for verdict in verdicts for fault in verdict.faults]
    assert not faults, f"with seed {SEED}:\n" + "\n".join(faults)


def _summary(verdicts: Sequence[Verdict], phases: Mapping[str, int]) -> str:
    def total(what: Callable[[Verdict], int]) -> str:
        return f"{sum(map(what, verdicts)):,}"

    hit = ", ".join(f"{count} with {what}" for what, count in sorted(phases.items(), key=lambda one: -one[1]))
    return (
        f"{KILLS:,} kills with work in flight ({hit}): {total(lambda one: one.accepted)} alerts accepted, "
        f"{total(lambda one: one.lost)} lost, {total(lambda one: one.late)} pages after an answer, "
        f"{total(lambda one: one.doubles)} doubles, {total(lambda one: one.given_up)} given up aloud; "
        f"95 % bound: at most {300 / KILLS:.2g} % of crashes"
    )


# ── The judge himself ───────────────────────────────────────────────────────────────────────────────────────


def line(place: str, words: str) -> str:
    return f"12:00:00 {place:7} <tocsin> {words}\n"


def call(words: str = "", again: str = "") -> str:
    return f"{again}k7f3 {words}critical alert-1: invented · !ack k7f3 · http://prometheus.example/graph"


def answers(what: str, *places: str) -> str:
    return "".join(line(place, f"k7f3 {what}: critical alert-1: invented") for place in places)


ALICE, BOB = line("@alice", call()), line("@bob", call())
ALICE_AGAIN, BOB_AGAIN = line("@alice", call(again="(again) ")), line("@bob", call(again="(again) "))
ROOM = line("#ops", call("step 3: paging #ops: "))
NEWS = line("#ops", call("paging alice: "))
CRASH = f"{KILLED}\n"
TYPED = "* you are bob\n12:00:00 #ops    <bob> !ack k7f3\n"
TWICE = line("#ops", "k7f3: you have it already")
MAY = line("@alice", "A page may still arrive.")
ACK = "acknowledged by bob"
OVER = "resolved by its source"
ACKED = answers(ACK, "@alice", "@bob", "#ops")
GONE = answers(f"{OVER}, without an answer", "@alice", "#ops")
RESOLVED = answers(OVER, "@alice", "@bob", "#ops")
PARKED = line(
    "#ops",
    "prod posted an alert that can't be taken in (the daemon went down with it 3 times). "
    "Body 7 is kept and given up.",
)
STEP_PARKED = line("#ops", call()) + line(
    "#ops", "escalation.step is given up: the daemon went down with it 3 times."
)
ANSWERED = ("posted", "accepted", "asked", "resolved")
LEFT = ("posted", "accepted")
BY_ITSELF = ("posted", "accepted", "gone", "resolved")

KEPT = {
    "all": (ANSWERED, ALICE + NEWS + BOB + ROOM + TYPED + ACKED + TWICE + RESOLVED),
    "nobody answers": (LEFT, ALICE + BOB + ROOM),
    "a double after a crash": (ANSWERED, ALICE + BOB + CRASH + BOB_AGAIN + TYPED + ACKED + RESOLVED),
    "never seen before the crash": (ANSWERED, ALICE + CRASH + BOB_AGAIN + ACKED + RESOLVED),
    "a warning, then a page": (
        ANSWERED,
        ALICE + answers(ACK, "@alice") + MAY + BOB + answers(ACK, "@bob", "#ops") + RESOLVED,
    ),
    "over before a page": (BY_ITSELF, answers(f"{OVER}, without an answer", "#ops")),
    "over after a page": (BY_ITSELF, ALICE + GONE),
    "torn by the kill": (ANSWERED, ALICE + BOB + BOB[:-20] + "\n" + CRASH + BOB_AGAIN + ACKED + RESOLVED),
    "a body given up": ((*LEFT, "stuck"), PARKED),
    "a step given up": (ANSWERED, ALICE + STEP_PARKED + answers(ACK, "@alice", "#ops") + GONE),
}
BROKEN = {
    "nobody was paged": (LEFT, ""),
    "alert-1: accepted, and nobody": (ANSWERED, NEWS + answers(ACK, "#ops") + answers(OVER, "#ops")),
    "a page in @bob after the answer": (ANSWERED, ALICE + answers(ACK, "@alice") + BOB + ACKED + RESOLVED),
    "a page in @alice after the answer": (BY_ITSELF, answers(OVER, "#ops") + ALICE + GONE),
    "a page in #ops after the answer": (ANSWERED, ALICE + BOB + ACKED + STEP_PARKED + RESOLVED),
    "two in @bob where one was meant": (ANSWERED, ALICE + BOB + CRASH + BOB + ACKED + RESOLVED),
    "without a crash between": (ANSWERED, ALICE + CRASH + BOB + BOB_AGAIN + ACKED + RESOLVED),
    "more is said again than": (ANSWERED, ALICE + BOB_AGAIN + ACKED + RESOLVED),
    "paged in the order @bob, @alice": (ANSWERED, BOB + ALICE + ACKED + RESOLVED),
    "paged in the order @alice, #ops": (ANSWERED, ALICE + ROOM + ACKED + RESOLVED),
    "only @alice was paged": (LEFT, ALICE + NEWS),
    "@bob never heard that it is acknowledged": (
        ANSWERED,
        ALICE + BOB + answers(ACK, "@alice", "#ops") + RESOLVED,
    ),
    "#ops never heard that it is resolved": (BY_ITSELF, ALICE + answers(OVER, "@alice")),
    "acknowledged, and nobody asked for that": (LEFT, ALICE + BOB + ROOM + ACKED),
    "@alice heard, in this order: page, resolved, acknowledged": (ANSWERED, ALICE + BOB + RESOLVED + ACKED),
    "one alert was opened twice": (ANSWERED, ALICE + BOB.replace("k7f3", "a2b4") + ACKED + RESOLVED),
    "said, and never posted": (LEFT, ALICE + BOB + ROOM + ALICE.replace("alert-1", "alert-2")),
    "a line that nobody meant: '12:00:00 #ops    <tocsin> plugin": (
        LEFT,
        ALICE + BOB + ROOM + line("#ops", "plugin escalation fails again and again"),
    ),
    "a line that nobody meant: '12:00:00 @alice": (LEFT, ALICE.replace(" · !ack k7f3", "") + BOB + ROOM),
    "it went no further": ((*ANSWERED, "stuck"), ALICE + ACKED + RESOLVED),
}


def judged(did: Sequence[str], terminal: str) -> Sequence[str]:
    return judge([{"what": what, "name": "alert-1"} for what in did], terminal).faults


@pytest.mark.parametrize("story", KEPT)
def test_a_kept_promise_is_no_fault(story: str) -> None:
    assert judged(*KEPT[story]) == []


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_promise_is_found(fault: str) -> None:
    found = judged(*BROKEN[fault])
    assert any(fault in one for one in found), found
