"""The real daemon is killed at random moments under load, and what was seen of it from outside is judged.

Once people sit at a terminal, once they talk on IRC, and once on Matrix, where the server is killed as well.
`TOCSIN_CRASH_KILLS`: how many kills with work in flight, for each. `TOCSIN_CRASH_SEED`: what the last run printed, to choose
the same moments and fates again.
"""

import asyncio
import json
import math
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.conftest import Figure
from tests.crash_http import Trial
from tests.crash_irc import Irc
from tests.crash_judge import Verdict, judge
from tests.crash_matrix import Matrix
from tests.crash_seen import KILLED, LOST, Peer, Seen
from tests.crash_tally import Tally
from tests.crash_terminal import Terminal
from tests.servers.programs import program
from tests.servers.synapse import DOMAIN, installed

KILLS = os.environ.get("TOCSIN_CRASH_KILLS", "")
SEED = os.environ.get("TOCSIN_CRASH_SEED") or str(random.randrange(10**6))  # noqa: S311 (no secret)

LIVES = 25
"""At most so many kills are counted on one state folder; then the next daemon begins with an empty one."""


@pytest.mark.parametrize(
    ("peer", "digests", "kills"),
    [(Terminal, True, 100), (Irc, True, 40), (Matrix, True, 25), (Terminal, False, 40)],
)
async def test_killed_at_random_under_load_nothing_is_lost(
    *, peer: type[Peer], digests: bool, kills: int, tmp_path: Path, figure: Figure
) -> None:
    if peer is Irc:
        program("ngircd", "ngircd")
    if peer is Matrix:
        installed()
    kills = int(KILLS or kills)
    lives = min(LIVES, math.ceil(kills / peer.side_by_side))
    tallies: list[Tally] = []
    verdicts: list[Verdict] = []
    free = asyncio.Semaphore(peer.side_by_side)

    async def try_one(number: int, wanted: int) -> None:
        async with free:
            tally = Tally(wanted)
            trial = Trial(tmp_path / str(number), f"{SEED}/{number}", tally, peer, digests=digests)
            try:
                await trial.run()
            finally:
                await trial.close()
            verdict = judge(trial.record.read(), trial.seen(), trial.kept())
            verdict.faults.extend(trial.found())
            verdicts.append(verdict)
            tallies.append(tally)

    try:
        async with asyncio.TaskGroup() as trials:
            for number, begun in enumerate(range(0, kills, lives)):
                trials.create_task(try_one(number, min(lives, kills - begun)))
    finally:
        how = f"{peer.network}, {'digests' if digests else 'each alert alone'}"
        figure(f"{how}: {_summary(kills, verdicts, tallies)}; seed {SEED}")
    faults = [fault for verdict in verdicts for fault in verdict.faults]
    assert not faults, f"with seed {SEED}:\n" + "\n".join(faults)


def _summary(kills: int, verdicts: Sequence[Verdict], tallies: Sequence[Tally]) -> str:
    def total(what: Callable[[Verdict], int]) -> str:
        return f"{sum(map(what, verdicts)):,}"

    phases: Counter[str] = Counter()
    for tally in tallies:
        phases.update(tally.phases)
    hit = ", ".join(f"{count} with {what}" for what, count in phases.most_common())
    did = sum((Counter(tally.did) for tally in tallies), Counter[str]())
    also = "".join(f"{count:,} {what}, " for what, count in did.items())
    lost, away = sum(tally.lost for tally in tallies), sum(tally.away for tally in tallies)
    server = f", the server lost {lost:,} times, {away:,} kills while it was away" if lost else ""
    return (
        f"{kills:,} kills with work in flight ({hit}){server}: {total(lambda one: one.accepted)} alerts accepted, "
        f"{total(lambda one: one.lost)} lost, {total(lambda one: one.late)} pages after an answer, "
        f"{total(lambda one: one.digests)} digests seen, {total(lambda one: one.doubles)} doubles, "
        f"{total(lambda one: one.unmarked)} of them wrong, {also}{total(lambda one: one.given_up)} given up aloud; "
        f"95 % bound: at most {300 / kills:.2g} % of crashes"
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
TWICE = line("#ops", "k7f3: you still have it")
MAY = line("@alice", "A page to alice may still arrive.")
ACK = "acknowledged by bob, paging stops"
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
BACK = "acknowledgement taken back by bob"
RELEASED = answers(BACK, "@alice", "@bob", "#ops")
SLIPPED = (*ANSWERED, "slipped")
KEPT |= {
    "taken back": (SLIPPED, ALICE + BOB + ACKED + RELEASED + ALICE + BOB + ACKED + RESOLVED),
    "paged before all hear that it is taken back": (
        SLIPPED,
        ALICE + ACKED + ALICE + RELEASED + BOB + ACKED + RESOLVED,
    ),
    "taken back before it was heard of": (SLIPPED, ALICE + BOB + ACKED + RESOLVED),
}
BROKEN = {
    "taken back 1 times, and asked for that 0": (
        ANSWERED,
        ALICE + BOB + ACKED + RELEASED + ALICE + BOB + ACKED + RESOLVED,
    ),
    "taken back 2 times, and asked for that 1": (
        SLIPPED,
        ALICE + BOB + (ACKED + RELEASED) * 2 + ALICE + BOB + ACKED + RESOLVED,
    ),
    "a page in @bob after the answer(?# the second one)": (
        SLIPPED,
        ALICE + ACKED + RELEASED + ALICE + ACKED + BOB + RESOLVED,
    ),
    "two in @alice where one was meant(?#, taken back)": (
        SLIPPED,
        ALICE + ACKED + RELEASED + ALICE * 2 + BOB + ACKED + RESOLVED,
    ),
    "@bob heard, in this order: resolved, acknowledged": (
        SLIPPED,
        ALICE + BOB + ACKED + RELEASED + BOB + RESOLVED + ACKED,
    ),
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
    "a line that nobody meant: .*[ :]plugin escalation fails": (
        LEFT,
        ALICE + BOB + ROOM + line("#ops", "plugin escalation fails again and again"),
    ),
    "a line that nobody meant: .* alert-1: invented · http": (
        LEFT,
        ALICE.replace(" · !ack k7f3", "") + BOB + ROOM,
    ),
    "it went no further": ((*ANSWERED, "stuck"), ALICE + ACKED + RESOLVED),
}


def judged(did: Sequence[str], seen: Sequence[Seen]) -> Sequence[str]:
    return judge([{"what": what, "name": "alert-1"} for what in did], seen).faults


def on_irc(text: str) -> str:
    """The same, as it is taken down on IRC; what is that already stays as it is."""
    lines = []
    for number, one in enumerate(text.splitlines()):
        if found := re.fullmatch(r"12:00:00 (\S+) +<(\w+)> (.*)", one):
            place, speaker, words = found.groups()
            lines.append(got(place, f"PRIVMSG {place.strip('@')} :{words}", number, number, by=speaker))
        elif not one.startswith("* "):
            lines.append(f"{one}\n")
    return "".join(lines)


def got(place: str, command: str, after: int = 0, before: int = 0, *, by: str = "tocsin") -> str:
    """What the server sent to somebody: behind the PONG with the first number, before the PING with the other one."""
    who = "watcher" if place == "#ops" else place[1:]
    return f"{after} {before} {who} :{by}!~{by}@127.0.0.1 {command}\n"


def on_matrix(text: str) -> str:
    """The same, as it is taken down on Matrix."""
    lines = []
    for number, one in enumerate(text.splitlines()):
        if found := re.fullmatch(r"12:00:00 (\S+) +<(\w+)> (.*)", one):
            place, speaker, words = found.groups()
            content = {"msgtype": "m.text", "body": words.replace("#ops", f"#ops:{DOMAIN}")}
            lines.append(told(place, content, number, by=speaker))
        elif not one.startswith("* "):
            lines.append(f"{one}\n")
    return "".join(lines)


def told(
    place: str, content: Mapping[str, object], number: int, *, by: str, kind: str = "m.room.message"
) -> str:
    """What the homeserver told of an event."""
    event = {"event_id": f"${number}", "sender": f"@{by}:{DOMAIN}", "type": kind, "content": content}
    return json.dumps({"place": place, "after": number - 1, "before": number, "event": event}) + "\n"


READ: dict[str, Callable[[str], Sequence[Seen]]] = {
    "terminal": Terminal.read,
    "irc": lambda text: Irc.read(on_irc(text)),
    "matrix": lambda text: Matrix.read(on_matrix(text)),
    "irc, the server lost": lambda text: Irc.read(on_irc(text.replace(KILLED, LOST))),
}


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("story", KEPT)
def test_a_kept_promise_is_no_fault(story: str, read: str) -> None:
    did, text = KEPT[story]
    assert judged(did, READ[read](text)) == []


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_promise_is_found(fault: str, read: str) -> None:
    did, text = BROKEN[fault]
    found = judged(did, READ[read](text))
    assert any(re.search(fault, one) for one in found), found


# ── How IRC is read ─────────────────────────────────────────────────────────────────────────────────────────

PRIVATE = f"PRIVMSG bob :{call()}"
COMES = "".join(got(place, "JOIN :#ops") for place in ("@alice", "@bob", "#ops"))
GOES = COMES.replace("JOIN :#ops", "QUIT :Client closed connection")
SERVER_LOST = f"{LOST}\n"
NOTHING = line("@alice", "I was away 12:00\u201312:01 UTC and heard nothing")
MISSED = line("#ops", "I was away until 12:01 UTC and heard nothing; k7f3 still rings · !ack k7f3")
MISSED_MORE = line(
    "#ops", "I was away 12:00\u201312:01 UTC and heard nothing; k7f3 and a2 still ring · !alerts"
)
MISSED_AGAIN = MISSED.replace("> I", "> (again) I")
ANSWER = got("@alice", f"PRIVMSG alice :k7f3 {ACK}: critical alert-1: invented", 0, 1)
THE_END = BOB + ROOM + ACKED + RESOLVED

KEPT_ON_IRC = {
    "it is killed": (ANSWERED, COMES + ALICE + GOES + CRASH + COMES + MISSED + THE_END),
    "the server is lost": (ANSWERED, COMES + ALICE + SERVER_LOST + COMES + NOTHING + MISSED_MORE + THE_END),
    "both": (ANSWERED, COMES + ALICE + SERVER_LOST + CRASH + COMES + MISSED + MISSED_AGAIN + THE_END),
    "others see the room as well": (ANSWERED, ALICE + got("@bob", f"PRIVMSG #ops :{call()}") + THE_END),
    "a page that may have come before the answer": (
        ANSWERED,
        ALICE + ANSWER + got("@bob", PRIVATE, 1, 2) + answers(ACK, "@bob", "#ops") + RESOLVED,
    ),
    "pages that may have come in this order": (
        ANSWERED,
        got("@bob", PRIVATE, 0, 1)
        + got("@alice", PRIVATE.replace("bob", "alice"), 0, 2)
        + ROOM
        + ACKED
        + RESOLVED,
    ),
    "the server talks": (ANSWERED, "0 0 bob :irc.tocsin.test 401 bob x :No such nick\n" + ALICE + THE_END),
}
BROKEN_ON_IRC = {
    "it comes back by itself": (ANSWERED, COMES + GOES + COMES + ALICE + THE_END),
    "it was not away": (ANSWERED, COMES + ALICE + MISSED + MISSED + THE_END),
    "it was away once": (ANSWERED, COMES + ALICE + CRASH + COMES + MISSED + NOTHING + MISSED + MISSED_MORE + THE_END),
    "somebody is not there": (ANSWERED, ALICE + line("#ops", "k7f3 page to bob failed: No such nick (401)") + THE_END),
    "not as a message": (ANSWERED, ALICE + got("@bob", f"NOTICE bob :{call()}") + THE_END),
    "to somebody else": (ANSWERED, ALICE + got("#ops", f"PRIVMSG watcher :{call()}") + THE_END),
    "another comes": (ANSWERED, COMES.replace("tocsin", "tocsin_") + ALICE + THE_END),
    "under another name": (ANSWERED, ALICE + got("@bob", PRIVATE, by="tocsin_") + THE_END),
    "away, and more": (ANSWERED, ALICE + MISSED.replace("!ack", "!done") + THE_END),
}  # fmt: skip


@pytest.mark.parametrize("story", KEPT_ON_IRC)
def test_what_irc_may_show_is_no_fault(story: str) -> None:
    did, text = KEPT_ON_IRC[story]
    assert judged(did, Irc.read(on_irc(text))) == []


@pytest.mark.parametrize("story", BROKEN_ON_IRC)
def test_what_irc_must_not_show_is_found(story: str) -> None:
    did, text = BROKEN_ON_IRC[story]
    found = judged(did, Irc.read(on_irc(text)))
    assert any("a line that nobody meant" in one for one in found), found


def test_pages_are_out_of_order_behind_the_pong() -> None:
    pages = got("@bob", PRIVATE, 0, 1) + got("@alice", PRIVATE.replace("bob", "alice"), 2, 2)
    found = judged(ANSWERED, Irc.read(on_irc(pages + ROOM + ACKED + RESOLVED)))
    assert "alert-1: paged in the order @bob, @alice, #ops" in found


@pytest.mark.parametrize("place", ["@alice", "@bob"])
def test_a_page_is_late_behind_the_answer_in_its_place_or_behind_the_pong(place: str) -> None:
    answer = ANSWER.replace("alice", "bob") if place == "@bob" else ANSWER
    page = got("@bob", PRIVATE, 1 if place == "@bob" else 2, 2)
    found = judged(ANSWERED, Irc.read(on_irc(ALICE + answer + page + ACKED + RESOLVED)))
    assert "alert-1: a page in @bob after the answer" in found
