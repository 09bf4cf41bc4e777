"""What the senders took down, what people did and what they saw, and whether all of it is as it should be."""

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.crash_kept import Kept
from tests.crash_seen import BOT, ROOM, Seen
from tests.digest_lines import told

STEPS = ("@alice", "@bob", ROOM)
"""Where each step of that policy pages; no place is paged by two, so a second page there is the same page."""

_NEWS = re.compile(
    r"(?P<id>\w+) (?:(?P<what>step 3: paging #ops|(?:step 2: )?paging \w+|acknowledged by \w+(?:, paging stops)?"
    r"|acknowledgement taken back by \w+|resolved by its source(?:, without an answer)?): )?"
    r"critical (?P<name>alert-\d+): invented(?P<end>.*)"
)
CALLS = ("page", "alarm", "news")
_IDS = r"\w+(?:(?:, \w+)* and \w+)?"
_ALL_OF = re.compile(rf"(?P<what>acknowledged by \w+(?:, paging stops)?): (?P<ids>{_IDS})")
_COUNTED = re.compile(r"(?P<id>\w+) (?P<what>acknowledged by \w+(?:, paging stops)?): [\d,]+ alerts: [^·]*")
_ONE_OF = re.compile(r"(?P<id>\w+) critical (?P<name>alert-\d+): invented|… and [\d,]+ more")
_REFUSAL = re.compile(
    r"\w+: you still have it|you still have .*|\w+: (?:\w+ has it already|is already resolved"
    r"|nothing of it is left for !ack; !alerts \w+ lists it)"
)
_WARNING = re.compile(r"A page to [\w #,]+ may still arrive\.")
_EXPECTED = (_WARNING, _REFUSAL)
_BODY_GIVEN_UP = re.compile(
    r"prod posted an alert that can't be taken in \(the daemon went down with it 3 times\)\. "
    r"(Body \d+) is kept and given up\."
)
_STEP_GIVEN_UP = re.compile(
    r"escalation\.step is given up: the daemon went down with it 3 times\.( See the log\.)?$"
)


@dataclass(frozen=True)
class Said:
    """What Tocsin said of an alert.

    what: "page", "alarm" (by the core, to the room), "news" of a page, "acknowledged", "released" or "resolved".
    words: what is said of it, without the mark. again: that mark. warned: that a page may still arrive.
    digest: the id of the digest that says it with others, or empty.
    """

    seen: Seen
    what: str
    name: str
    id: str
    words: str
    again: bool
    warned: bool
    digest: str = ""

    @property
    def place(self) -> str:
        return self.seen.place

    @property
    def life(self) -> int:
        return self.seen.life


@dataclass
class _Message:
    """A line, and those of the same message that stand below it: the alerts of which it says one thing, a warning."""

    head: Seen
    below: list[Seen] = field(default_factory=list)

    def goes_on(self, one: Seen) -> bool:
        """Whether that line, the next one in its place, is a further one of it."""
        if one.speaker != BOT or one.life != self.head.life or self.warned:
            return False
        listed = _ALL_OF.fullmatch(self.words) and _ONE_OF.fullmatch(one.words)
        return bool(listed or _WARNING.fullmatch(one.words))

    @property
    def words(self) -> str:
        return self.head.words.removeprefix("(again) ")

    @property
    def warned(self) -> bool:
        return bool(self.below) and bool(_WARNING.fullmatch(self.below[-1].words))


def read_said(seen: Sequence[Seen], kept: Kept | None = None) -> tuple[Sequence[Said], Sequence[str]]:
    """What was said of alerts, in order; and all other lines that are not a matter of course.

    kept: by which digests are read, and lines that name alerts by their ids alone.
    """
    kept = kept or Kept()
    said: list[Said] = []
    strange: list[str] = []
    for message in _messages(seen):
        one, words = message.head, message.words
        if one.speaker == BOT and (digest := kept.digests.get((one.place, words))):
            found = [_read(message, part.line, digest.id) for part in digest.parts]
        elif one.speaker == BOT and (every := _COUNTED.fullmatch(words) or _ALL_OF.fullmatch(words)):
            ids = (
                kept.listed_by.get(every["id"], ())
                if every.re is _COUNTED
                else re.findall(r"\w+", every["ids"].replace(" and ", ", "))
            )
            lines = (f"{each} {every['what']}: critical {kept.names.get(each)}: invented" for each in ids)
            found = [_read(message, line) for line in lines]
        else:
            found = [_read(message, words)] if one.speaker == BOT else []
        if all(found) and found:
            said += filter(None, found)
        elif not one.speaker or (one.speaker == BOT and not any(text.fullmatch(words) for text in _EXPECTED)):
            strange.append(one.raw)
    return said, strange


def is_for_many(words: str) -> bool:
    """Whether a line can't be read without what the store says."""
    words = words.removeprefix("(again) ")
    tells = told(words)
    return bool(tells and tells.digest) or bool(_ALL_OF.fullmatch(words))


def _read(message: _Message, line: str, digest: str = "") -> Said | None:
    """What a line says of one alert, which stands in a message or for a part of it."""
    news = _NEWS.fullmatch(line)
    if news is None:
        return None
    what = _what(news["what"] or "", message.head.place)
    if what in CALLS and f" · !ack {news['id']}" not in news["end"]:
        return None
    again = message.words != message.head.words
    return Said(message.head, what, news["name"], news["id"], line, again, message.warned, digest)


def _messages(seen: Iterable[Seen]) -> Iterator[_Message]:
    """The lines, put together as they were said; in the order of their heads."""
    found: list[_Message] = []
    last: dict[str, _Message] = {}
    for one in seen:
        if one.place in last and last[one.place].goes_on(one):
            last[one.place].below.append(one)
            continue
        found.append(_Message(one))
        if one.speaker == BOT:
            last[one.place] = found[-1]
    return iter(found)


def _what(words: str, place: str) -> str:
    if words.startswith("acknowledgement taken back"):
        return "released"
    if words.startswith(("acknowledged", "resolved")):
        return words.partition(" ")[0]
    if place == ROOM and not words.startswith("step 3"):
        return "news" if words else "alarm"
    return "page"


@dataclass(frozen=True)
class Verdict:
    """faults: in words. lost: how many alerts were accepted and never paged. late: pages after an answer.

    doubles: what was seen twice, the second time marked. unmarked: what is wrong with that. digests: how many were
    seen. given_up: how often people were told that a body or a step is given up, since daemons were killed three times
    just when it was their turn.
    """

    faults: list[str]
    accepted: int
    lost: int
    late: int
    doubles: int
    unmarked: int
    digests: int
    given_up: int


def judge(record: Iterable[Mapping[str, Any]], seen: Sequence[Seen], kept: Kept | None = None) -> Verdict:
    """Whether every promise was kept, as far as that can be seen from outside.

    seen: what people saw, without what is a matter of course in their place. kept: as for `read_said`; what stands in
    a digest that was seen was said of each of its alerts.
    record: what the senders and the people did, each with the alert's name: `posted`; `accepted` and `resolved` once
    that was answered with 2xx; `gone` before the first post that resolves an alert which nobody has answered;
    `asked` when somebody first types that he has it; `slipped` when he says so by mistake, and takes it back, of which
    nothing may come; `unsure` when that was not seen in time, so that he may think that he has it still; `listed` when
    somebody types that he has all of a digest in which he read of it; `stuck` if it went no further in the end.
    """
    done: dict[str, set[str]] = defaultdict(set)
    for one in record:
        done[one["what"]].add(one["name"])
    said, strange = read_said(seen, kept)
    of: dict[str, list[Said]] = defaultdict(list)
    for each in said:
        of[each.name].append(each)
    bodies = {found[1] for line in strange if (found := _BODY_GIVEN_UP.search(line))}
    alarms = {one.name for one in said if one.what == "alarm"}
    strange = [line for line in strange if not (_BODY_GIVEN_UP.search(line) or _STEP_GIVEN_UP.search(line))]
    stuck = done["stuck"] if len(done["stuck"]) <= len(bodies) else set()  # as many as people were told of
    judged = sorted(done["accepted"] - stuck)
    lost = [
        name
        for name in judged
        if name not in done["gone"]
        and not _calls(of[name])
        and not _answered_with_others(of[name], name, done)
    ]
    late = [(one.name, one.place) for story in of.values() for one in _late(story)]
    doubles, unmarked = _doubles(said, {name: _released(story) for name, story in of.items()})
    faults = [
        *(f"{name}: accepted, and nobody was paged" for name in lost),
        *(f"{name}: a page in {place} after the answer" for name, place in late),
        *unmarked,
        *(f"{name}: said, and never posted" for name in of if name not in done["posted"]),
        *(f"{name}: it went no further" for name in sorted(done["stuck"] - stuck)),
        *(f"a line that nobody meant: {line!r}" for line in strange),
        *(kept.faults() if kept else ()),
    ]
    for name in judged:
        faults += [f"{name}: {fault}" for fault in _faults(name, of[name], done)]
    return Verdict(
        faults,
        len(done["accepted"]),
        len(lost),
        len(late),
        doubles,
        len(unmarked),
        digests=len({one.seen for one in said if one.digest}),
        given_up=len(bodies) + len(alarms),
    )


def _calls(story: Iterable[Said]) -> Sequence[Said]:
    """What called somebody."""
    return [one for one in story if one.what in ("page", "alarm")]


def _answered_with_others(story: Iterable[Said], name: str, done: Mapping[str, set[str]]) -> bool:
    """Whether somebody read of it in the room, and answered, before the page was there."""
    heard = [one.what for one in story]
    return name in done["listed"] and heard[:1] == ["news"] and "acknowledged" in heard


def _late(story: Sequence[Said]) -> Iterable[Said]:
    """What called somebody surely after the first answer without a warning, anywhere; after the last one if there are
    some that were taken back.
    """
    answers: list[Said] = []
    released = _released(story)
    to_come = defaultdict[str, int](lambda: released)
    for one in story:
        if one.what == "acknowledged" and to_come[one.place] > 0:
            to_come[one.place] -= 1
            continue
        if one.what in ("acknowledged", "resolved") and not one.warned:
            answers.append(one)
        elif one.what in ("page", "alarm") and any(
            answer.place == one.place or _surely(answer, one) for answer in answers
        ):
            yield one


def _released(story: Iterable[Said]) -> int:
    """How often somebody had it no more; the room hears of each."""
    return sum(one.what == "released" and one.place == ROOM and not one.again for one in story)


def _surely(one: Said, other: Said) -> bool:
    """Whether the other one came later."""
    return one.seen.before < other.seen.after


def _faults(name: str, story: Sequence[Said], done: Mapping[str, set[str]]) -> Iterable[str]:
    """What else is wrong with what was said of an alert that was accepted."""
    if len({one.id for one in story}) > 1:
        yield "one alert was opened twice"
    first = {one.place: one for one in reversed(story) if one.what == "page"}
    paged = list(dict.fromkeys(one.place for one in story if one.what == "page"))
    steps = STEPS[: len(paged)]
    given_up = any(one.what == "alarm" for one in story)
    if set(paged) != set(steps) or any(
        _surely(first[later], first[sooner]) for sooner, later in itertools.combinations(steps, 2)
    ):
        yield f"paged in the order {', '.join(paged)}"
    if name not in done["asked"] | done["gone"] and len(paged) < len(STEPS) and not given_up:
        yield f"nobody answered, and only {', '.join(paged) or 'nobody'} was paged"
    for what, wanted in (("acknowledged", done["asked"]), ("resolved", done["resolved"])):
        heard_in = {one.place for one in story if one.what == what}
        if name in wanted:
            hear = set() if what == "acknowledged" and name in done["unsure"] else {*paged, ROOM}
            yield from (f"{place} never heard that it is {what}" for place in sorted(hear - heard_in))
        elif heard_in and name not in done["gone"]:
            yield f"{what}, and nobody asked for that"
    released = _released(story)
    if released > (name in done["slipped"]):
        yield f"taken back {released} times, and asked for that {int(name in done['slipped'])} times"
    yield from _in_order(story, paged, released=released > 0)


def _in_order(story: Sequence[Said], paged: Iterable[str], *, released: bool) -> Iterable[str]:
    """released: it began anew, so that only that it is over comes last."""
    for place in paged:
        heard = [
            one.what
            for one in story
            if one.place == place and not one.again and one.what not in ("alarm", "news")
        ]
        if released:
            heard = heard[heard.index("resolved") :] if "resolved" in heard else []
        if heard != sorted(heard, key=("page", "acknowledged", "resolved").index):
            yield f"{place} heard, in this order: {', '.join(heard)}"


def _doubles(said: Sequence[Said], released: Mapping[str, int]) -> tuple[int, Sequence[str]]:
    """How much was seen twice; and what is wrong with that. released: how often it was right to say it anew, by names.

    One message at a time is under way to a place, so that each loss of a daemon or of a server leaves one in doubt
    there at most.
    """
    doubles, faults = 0, []
    last: dict[tuple[str, str], int] = {}
    marked: dict[str, set[Seen]] = defaultdict(set)
    times = Counter[tuple[str, str]]()
    for one in said:
        key = (one.place, one.words)
        times[key] += not one.again
        if key in last and (one.again or times[key] > 1 + released[one.name]):
            doubles += 1
            if not one.again:
                faults.append(f"{one.name}: two in {one.place} where one was meant: {one.words}")
            elif last[key] == one.life:
                faults.append(f"{one.name}: twice in {one.place} without a crash between: {one.words}")
        last[key] = one.life
        if one.again:
            marked[one.place].add(one.seen)
        if len(marked[one.place]) > one.life:
            faults.append(f"{one.place}: more is said again than there were crashes: {one.words}")
    return doubles, faults
