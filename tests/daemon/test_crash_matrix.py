"""How the events of a homeserver are judged beside which daemons were killed: each is there once, and agrees in the end."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tocsin.networks.matrix.bodies import TXN

from tests.crash_matrix import Matrix
from tests.crash_matrix_judge import EDITS, MESSAGE, REACTION, REDACTION, Held, Taken, counts, faults, taken
from tests.crash_seen import KILLED
from tests.servers.matrix_user import Event
from tests.servers.synapse import DOMAIN

PAGE = "k7f3 critical alert-1: invented · !ack k7f3"
ACK = "k7f3 acknowledged by alice: critical alert-1: invented"
OVER = "k7f3 resolved by its source: critical alert-1: invented"
TICK = "\N{WHITE HEAVY CHECK MARK}"


def event(name: str, kind: str, content: Mapping[str, Any], *, by: str, place: str = "@alice") -> Taken:
    raw = {"event_id": f"${name}", "sender": f"@{by}:{DOMAIN}", "type": kind, "content": content}
    return Taken(0, place, 0, 0, Event("", raw))


def says(
    name: str,
    body: str,
    *,
    by: str = "tocsin",
    place: str = "@alice",
    txn_id: str = "",
    also: Mapping[str, Any] = {},
) -> Taken:
    ours = {TXN: txn_id or name} if by == "tocsin" else {}
    return event(name, MESSAGE, {"body": body, **ours, **also}, by=by, place=place)


def edits(name: str, target: str, body: str, *, place: str = "@alice") -> Taken:
    relation = {"rel_type": EDITS, "event_id": f"${target}"}
    new = {"m.new_content": {"body": body}, "m.relates_to": relation}
    return says(name, f"* {body}", place=place, also=new)


def taps(name: str, target: str, *, by: str) -> Taken:
    relation = {"rel_type": "m.annotation", "event_id": f"${target}", "key": TICK}
    return event(name, REACTION, {"m.relates_to": relation}, by=by)


STORY = [
    says("page", PAGE),
    taps("our tap", "page", by="tocsin"),
    says("command", "ack k7f3", by="alice"),
    taps("their tap", "page", by="alice"),
    event("taking back", REDACTION, {}, by="alice"),
    says("news", ACK),
    edits("first edit", "page", ACK),
    says("end", OVER),
    edits("last edit", "page", OVER),
]
HELD = Held(
    {f"${name}": "@alice" for name in ("page", "news", "first edit", "end", "last edit")},
    {("@alice", "k7f3"): "$page"},
    frozenset({"$command", "$their tap", "$taking back"}),
    obeyed=2,
)


def without(name: str) -> list[Taken]:
    return [one for one in STORY if one.event.id != f"${name}"]


def test_each_once_and_right_in_the_end_is_no_fault() -> None:
    assert faults(STORY, HELD) == []
    assert faults(without("first edit"), replace(HELD, said={"$page": "@alice"})) == []
    assert faults(STORY, replace(HELD, heard=HELD.heard - {"$their tap"}, obeyed=1)) == []


def test_what_there_is_only_here_is_counted() -> None:
    assert counts(STORY) == {"edits": 2, "commands": 1, "replies": 0, "taps": 1, "of them taken back": 1}


BROKEN: Mapping[str, tuple[Sequence[Taken], Held]] = {
    "page: 2 events where one was meant": ([*STORY, says("page again", PAGE, txn_id="page")], HELD),
    "first edit: 2 events": ([*STORY[:-1], replace(STORY[6], before=1), STORY[-1]], HELD),
    f"{TICK} stands 2 times on .page": ([*STORY, taps("second", "page", by="tocsin")], HELD),
    "marked, and nothing comes twice here": ([*STORY, says("other", f"(again) {PAGE}")], HELD),
    "an edit of what is no message of ours": ([*STORY, edits("other", "command", OVER)], HELD),
    "#ops: an edit of what is no message": ([*STORY, edits("other", "page", OVER, place="#ops")], HELD),
    "k7f3 .* became 'a2b4 resolved": ([*STORY, edits("other", "page", OVER.replace("k7f3", "a2b4"))], HELD),
    "what was over became 'k7f3 acknowledged": ([*STORY, edits("other", "page", ACK)], HELD),
    "k7f3 is over, and its line says 'k7f3 acknowledged": (without("last edit"), HELD),
    "k7f3 is over, and its line says 'k7f3 critical": ([*without("last edit")[:6], STORY[7]], HELD),
    ".page is held for said, and nobody saw it": (without("page"), HELD),
    ".command: it was said, and never taken": (STORY, replace(HELD, heard=HELD.heard - {"$command"})),
    ".taking back: it was said, and never taken": (STORY, replace(HELD, heard=HELD.heard - {"$taking back"})),
    "1 commands and 1 taps were obeyed 3 times": (STORY, replace(HELD, obeyed=3)),
    "1 commands and 1 taps were obeyed 0 times": (STORY, replace(HELD, obeyed=0)),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_promise_is_found(fault: str) -> None:
    found = faults(*BROKEN[fault])
    assert any(re.search(fault, one) for one in found), found


def written(one: Taken) -> str:
    return json.dumps({"place": one.place, "after": 4, "before": 6, "event": one.event.raw}) + "\n"


def test_what_is_taken_down_is_read_as_it_was() -> None:
    text = (
        written(STORY[0]) + f"{KILLED}\n" + written(edits("edit", "page", ACK)) + written(says("two", "a\nb"))
    )
    assert [one.life for one in taken(text)] == [0, 1, 1]
    page, first, second = Matrix.read(text)
    assert (page.place, page.speaker, page.words, page.after, page.before) == ("@alice", "tocsin", PAGE, 5, 6)
    assert [one.words for one in (first, second)] == ["a", "b"]
