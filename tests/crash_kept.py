"""What the store says of the digests that were seen outside of it: which alerts each told, and what of each.

A digest's line only counts; with this it is read as what it stands for, a line for each alert.
"""

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from pydantic import TypeAdapter

from tocsin.domain.message import Message, Place
from tocsin.store.outbox import Lane

from tests.digest_lines import told
from tests.servers.synapse import DOMAIN

_MESSAGE = TypeAdapter(Message)
_NAME = re.compile(r'alertname="([^"]+)"')
_SAID_OF = re.compile(r"(?:^|, | and )(?P<saying>.+?) \((?P<count>[\d,]+)\)|(?: and )(?P<more>[\d,]+) more$")


@dataclass(frozen=True)
class Part:
    """What a digest says of one alert. line: as it would have been said alone. saying: as it is counted."""

    id: str
    line: str
    saying: str


@dataclass(frozen=True)
class Digest:
    """A digest as it was said in one place. parts: what it says. listed: the ids that its own stands for."""

    id: str
    line: str
    parts: Sequence[Part]
    listed: frozenset[str]

    def faults(self, names: Mapping[str, str]) -> Iterable[str]:
        """What its line says that is not so. names: of the alerts, by their ids."""
        tells = told(self.line)
        ids = {part.id for part in self.parts}
        if tells is None or not tells.digest or tells.id != self.id:
            yield "is no line of a digest"
            return
        if ids != self.listed:
            yield f"says {sorted(ids)}, and stands for {sorted(self.listed)}"
        if not tells.adds_up or tells.count != len(ids):
            yield f"counts {tells.count}, and says {len(ids)}"
        if len(tells.named) + tells.others != len(ids) or not all(
            number == 1 and kind.removeprefix("critical ") in {names[one] for one in ids}
            for kind, number in tells.named.items()
        ):
            yield f"names {tells.named} and {tells.others} more of {sorted(names[one] for one in ids)}"
        said = Counter(part.saying for part in self.parts if part.saying)
        if _counts(tells.what, said.total()) != said and not _cut_short(tells.what, said):
            yield f"says {tells.what!r} of {dict(said)}"
        calls = any(" · !ack " in part.line for part in self.parts)
        if tells.command != (f"!ack {self.id}" if calls else ""):
            yield f"asks for {tells.command!r}"


def _counts(what: str, total: int) -> Counter[str]:
    """How often a digest's line says what of its alerts."""
    found = {each["saying"]: int(each["count"]) for each in _SAID_OF.finditer(what) if each["saying"]}
    return Counter(found or {what: total} if what else {})


def _cut_short(what: str, said: Counter[str]) -> bool:
    """Whether it says the first few rightly, and how many more there are."""
    more = [int(each["more"]) for each in _SAID_OF.finditer(what) if each["more"]]
    some = _counts(what, 0)
    return len(more) == 1 and some.total() + more[0] == said.total() and some.items() <= said.items()


@dataclass(frozen=True)
class Kept:
    """What a store says.

    names: of the alerts, by their ids. listed_by: a digest's id -> those of the alerts for which it stands.
    digests: by where they were said, and their line.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    listed_by: Mapping[str, frozenset[str]] = field(default_factory=dict)
    digests: Mapping[tuple[str, str], Digest] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Kept":
        """Beside whoever writes there. Raises sqlite3.OperationalError if that can't be done now."""
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            groups = database.execute("SELECT id, key FROM subjects WHERE kind = 'group'").fetchall()
            said_last = dict(
                database.execute(
                    "SELECT subject, json_extract(body, '$.groups') FROM events WHERE kind = 'digest.said' ORDER BY seq"
                )
            )
            rows = database.execute(
                "SELECT d.id, d.subject, d.place, d.body, p.subject, p.body FROM outbox p JOIN outbox d"
                " ON d.id = p.carried_by ORDER BY d.id, p.id"
            ).fetchall()
        listed = {one: frozenset(re.findall(r"\w+", ids)) for one, ids in said_last.items()}
        digests = {}
        for (_, subject, place, body), parts in groupby(rows, lambda row: row[:4]):
            line = shortened(_MESSAGE.validate_json(body).first_line())
            said = tuple(_part(row[4], row[5]) for row in parts)
            digests[seen_in(place), line] = Digest(subject, line, said, listed.get(subject, frozenset()))
        return cls({one: found[1] for one, key in groups if (found := _NAME.search(key))}, listed, digests)

    def listed(self, digest: str) -> set[str]:
        """The names of the alerts for which a digest's id stands."""
        ids = (one.listed for one in self.digests.values() if one.id == digest)
        return {self.names[one] for some in ids for one in some}

    def faults(self) -> Sequence[str]:
        """What digests said that is not so."""
        return [
            f"{place}: {digest.line!r} {fault}"
            for (place, _), digest in self.digests.items()
            for fault in digest.faults(self.names)
        ]


def _part(subject: str, body: str) -> Part:
    message = _MESSAGE.validate_json(body)
    return Part(subject, shortened(message.first_line()), shortened(message.told or ""))


def seen_in(place: str) -> str:
    """A place of the store's, as people name it."""
    found = Place.parse(place)
    name = shortened(found.name)
    return f"@{name.removeprefix('@')}" if found.private else name


def shortened(words: str) -> str:
    """With the names of people and rooms as they are without their homeserver's."""
    return words.replace(f":{DOMAIN}", "")


def unrest(path: Path) -> Sequence[str]:
    """What a store at rest must not hold: what is still to be said, or to be told of what was said."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        left: dict[str, int] = defaultdict(int)
        for state, count in database.execute(
            "SELECT state, count(*) FROM outbox WHERE state NOT IN ('CONFIRMED', 'CANCELLED') GROUP BY state"
        ):
            left[f"messages that are {state}"] += count
        for kind, count in database.execute(
            "SELECT kind, count(*) FROM timers WHERE kind IN ('core.page_delivered', 'core.page_absent') GROUP BY kind"
        ):
            left[f"timers of kind {kind}"] += count
        (left["pages that were said, and nobody knows"],) = database.execute(
            "SELECT count(*) FROM outbox WHERE lane = 0 AND state = 'CONFIRMED' AND NOT carries AND NOT EXISTS"
            " (SELECT 1 FROM events WHERE kind = 'page.delivered' AND events.subject = outbox.subject"
            " AND json_extract(events.body, '$.page') = outbox.id)"
        ).fetchone()
        (left["pages that are told delivered twice"],) = database.execute(
            "SELECT count(*) FROM (SELECT 1 FROM events WHERE kind = 'page.delivered'"
            " GROUP BY subject, json_extract(body, '$.page') HAVING count(*) > 1)"
        ).fetchone()
        (left["messages whose digest became something else"],) = database.execute(
            "SELECT count(*) FROM outbox p JOIN outbox d ON d.id = p.carried_by WHERE d.state != p.state"
        ).fetchone()
    return [f"{count} {what}" for what, count in left.items() if count]


def left_behind(path: Path) -> Mapping[str, int]:
    """What a dead daemon had begun, read beside its log, which is left as it is."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        (bodies,) = database.execute("SELECT count(*) FROM intake WHERE outcome = 'waiting'").fetchone()
        found = Counter({"a body not yet taken in": bodies})
        for lane, state, carries in database.execute(
            "SELECT lane, state, carries FROM outbox WHERE settled_at IS NULL AND state != 'CARRIED'"
        ):
            message = ("a digest of pages" if lane == Lane.PAGE else "a digest") if carries else ""
            message = message or ("a page" if lane == Lane.PAGE else "a message")
            found[f"{message} {_PHASES[state]}"] += 1
        (found["a digest's page not yet known to be delivered"],) = database.execute(
            "SELECT count(*) FROM timers WHERE kind = 'core.page_delivered'"
        ).fetchone()
    return found


_PHASES = {"PENDING": "waiting", "SENDING": "under way", "UNKNOWN": "in doubt"}
