"""What is judged of Matrix alone: events are counted there, and put right, so that nothing may come twice at all."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tocsin.networks.matrix.bodies import TXN

from tests.crash_kept import seen_in
from tests.crash_seen import BOT, PEOPLE, lives
from tests.servers.matrix_user import Event

MESSAGE, REACTION, REDACTION = "m.room.message", "m.reaction", "m.room.redaction"
EDITS = "m.replace"


@dataclass(frozen=True)
class Taken:
    """An event as it was taken down. It came behind the first place of the homeserver's stream, and not behind the other.

    life: as in `Seen`. place: as there. event: the homeserver's, or what it says decrypted.
    """

    life: int
    place: str
    after: int
    before: int
    event: Event

    @property
    def by(self) -> str:
        return self.event.sender[1:].partition(":")[0]

    @property
    def edits(self) -> bool:
        """Whether it puts right an earlier one."""
        return self.event.relation[0] == EDITS


@dataclass(frozen=True)
class Held:
    """What the store of a daemon at rest holds.

    said: where each event stands that is held for said. lines: the newest line of each alert in each place, where it
    stands by itself. heard: the lines that were taken. obeyed: how often somebody said that they have something.
    """

    said: Mapping[str, str]
    lines: Mapping[tuple[str, str], str]
    heard: frozenset[str]
    obeyed: int

    @classmethod
    def read(cls, path: Path) -> "Held":
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            said = store.execute(
                "SELECT receipt, place FROM outbox WHERE state = 'CONFIRMED' AND carried_by IS NULL"
            ).fetchall()
            lines = store.execute(
                "SELECT o.place, o.subject, o.receipt, max(o.id) FROM outbox o JOIN subjects s ON s.id = o.subject"
                " WHERE s.kind = 'group' AND o.lane IN (0, 3) AND o.state = 'CONFIRMED' AND o.carried_by IS NULL"
                " AND NOT o.carries AND o.amends IS NULL GROUP BY o.place, o.subject"
            ).fetchall()
            heard = store.execute("SELECT id FROM inbox WHERE network = 'matrix'").fetchall()
            (obeyed,) = store.execute(
                "SELECT count(*) FROM audit WHERE place LIKE 'matrix/%' AND what LIKE 'ack%'"
            ).fetchone()
        return cls(
            {receipt: seen_in(place) for receipt, place in said},
            {(seen_in(place), subject): receipt for place, subject, receipt, _ in lines},
            frozenset(line for (line,) in heard),
            obeyed,
        )


def taken(text: str) -> Iterator[Taken]:
    """What was taken down."""
    for life, line, _ in lives(text):
        told = json.loads(line)
        yield Taken(life, told["place"], told["after"], told["before"], Event("", told["event"]))


def counts(events: Sequence[Taken]) -> Mapping[str, int]:
    """What there is on no other network."""
    theirs = [one for one in events if one.by in PEOPLE]
    return {
        "edits": sum(one.edits for one in events),
        "commands": sum(one.event.type == MESSAGE and not one.event.answers for one in theirs),
        "replies": sum(one.event.type == MESSAGE and bool(one.event.answers) for one in theirs),
        "taps": sum(one.event.type == REACTION for one in theirs),
        "of them taken back": sum(one.event.type == REDACTION for one in theirs),
    }


def faults(events: Sequence[Taken], held: Held) -> Sequence[str]:
    """What is wrong with what people were told: what is held for said was seen, what they said was taken, each once;
    and what was put right agrees with what is the case.
    """
    return [*_twice(events), *_edits(events), *_ends(events, held), *_taken(events, held)]


def _twice(events: Sequence[Taken]) -> Iterator[str]:
    """Events of ours that are one and the same message, or tap, twice."""
    ours = [one for one in events if one.by == BOT]
    ids = Counter(one.event.content[TXN] for one in ours if TXN in one.event.content)
    yield from (f"{txn_id}: {count} events where one was meant" for txn_id, count in ids.items() if count > 1)
    taps = Counter(
        (one.event.relation[1], one.event.content["m.relates_to"]["key"])
        for one in ours
        if one.event.type == REACTION
    )
    yield from (f"{key} stands {count} times on {page}" for (page, key), count in taps.items() if count > 1)
    for one in ours:
        if one.event.body.removeprefix("* ").startswith("(again) "):
            yield f"{one.place}: marked, and nothing comes twice here: {one.event.body!r}"


def _edits(events: Sequence[Taken]) -> Iterator[str]:
    """An edit is one of our own message about the same alert, and what is over is never anything else again."""
    first = {
        one.event.id: one for one in events if one.by == BOT and one.event.type == MESSAGE and not one.edits
    }
    over = set[str]()
    for one in events:
        if one.by != BOT or not one.edits:
            continue
        target, now = one.event.relation[1], one.event.body
        if target not in first or first[target].place != one.place:
            yield f"{one.place}: an edit of what is no message of ours there: {now!r}"
            continue
        if _subject(first[target].event.body) != _subject(now):
            yield f"{one.place}: {first[target].event.body!r} became {now!r}"
        if target in over and not _is_over(now):
            yield f"{one.place}: what was over became {now!r}"
        over |= {target} if _is_over(now) else set()


def _subject(body: str) -> str:
    return body.partition(" ")[0]


def _is_over(body: str) -> bool:
    return body.partition(" ")[2].startswith("resolved by its source")


def _ends(events: Sequence[Taken], held: Held) -> Iterator[str]:
    """What is held for said stands there, and each alert's newest line says in the end that it is over."""
    now = {one.event.id: one.event.body for one in events if one.by == BOT}
    for receipt, place in held.said.items():
        if receipt not in now:
            yield f"{place}: {receipt} is held for said, and nobody saw it"
    now |= {one.event.relation[1]: one.event.body for one in events if one.by == BOT and one.edits}
    for (place, subject), receipt in held.lines.items():
        if receipt in now and not _is_over(now[receipt]):
            yield f"{place}: {subject} is over, and its line says {now[receipt]!r}"


def _taken(events: Sequence[Taken], held: Held) -> Iterator[str]:
    """What people said was taken; and each command was obeyed once."""
    said = {
        kind: {one.event.id for one in events if one.by in PEOPLE and one.event.type == kind}
        for kind in (MESSAGE, REACTION, REDACTION)
    }
    for line in sorted((said[MESSAGE] | said[REDACTION]) - held.heard):
        yield f"{line}: it was said, and never taken"
    typed, tapped = len(said[MESSAGE]), len(said[REACTION] & held.heard)
    if not typed <= held.obeyed <= typed + tapped:
        yield f"{typed} commands and {tapped} taps were obeyed {held.obeyed} times"
