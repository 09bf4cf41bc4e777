"""What a line of Tocsin's tells of alerts: of one by its own name, or of many in a digest, which counts them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tocsin.domain.event import ALPHABET

SEVERITIES = ("critical", "error", "warning", "info")

_WORD = r"(?:'[^']*'|[^\s,'])+"
_NUMBER = r"\d{1,3}(?:,\d{3})*"
_PART = rf"{_NUMBER} (?:of {_NUMBER} (?:other )?names?|{_WORD}(?: {_WORD})?)"
_NAMED = rf"{_PART}(?:(?:, | and ){_PART})*"
_ID = rf"(?P<id>[{ALPHABET}]{{4,6}})(?: \((?:up to )?\d+ (?:min|h) ago\))?"
_SINGLE = re.compile(
    rf"{_ID} (?:(?P<what>(?:[^:·]+: )??[^:·]+): )??(?P<kind>(?:{'|'.join(SEVERITIES)}) {_WORD})(?P<rest>[ :,].*|$)"
)
_DIGEST = re.compile(
    rf"{_ID} (?:(?P<what>(?:[^:·]+: )??[^:·]+): )??"
    rf"(?P<count>{_NUMBER}) alerts?(?: (?P<then>[^:·]+))?: (?P<named>{_NAMED})(?P<rest>$|[ :,.;].*)"
)
_COMMAND = re.compile(r" · (?P<command>!?\w+ [^·]+?)(?= · |$)")

PAGE, NEWS, ACKNOWLEDGED, RESOLVED, OTHER = "page", "news", "acknowledged", "resolved", "other"


@dataclass(frozen=True)
class Told:
    """What one line tells.

    id: of the alert's group, or of the digest. digest: which of the two. kind: PAGE, which calls whoever reads it;
    NEWS of a page; ACKNOWLEDGED, RESOLVED, or OTHER, such as the line of a list. what: the words that say so, if there are any.
    count: how many alerts it speaks of. named: severity and name -> how many of them; what is in no name is in `others`.
    command: what to type next. again: whether the line is marked as one that may have been seen before.
    """

    id: str
    digest: bool
    kind: str
    what: str
    count: int
    named: Mapping[str, int]
    others: int
    command: str
    again: bool

    @property
    def adds_up(self) -> bool:
        """Whether its numbers do."""
        return sum(self.named.values()) + self.others == self.count

    def names(self, name: str) -> bool:
        """Whether an alert of that name is among those that it names."""
        return any(kind.split(" ", 1)[-1] == name for kind in self.named)


def told(words: str) -> Told | None:
    """Read a line; None if it tells of no alert, or lists several by their ids."""
    line = words.removeprefix("(again) ")
    if found := _DIGEST.fullmatch(line):
        what = f"{found['what'] or ''} {found['then'] or ''}".strip()
        named, others = _read_named(found["named"])
        count = _number(found["count"])
    elif found := _SINGLE.fullmatch(line):
        what = found["what"] or ""
        named, others = {found["kind"].rstrip(":"): 1}, 0
        count = 1
    else:
        return None
    command = _command(found["rest"])
    return Told(
        found["id"],
        digest=found.re is _DIGEST,
        kind=_kind(what, command),
        what=what,
        count=count,
        named=named,
        others=others,
        command=command,
        again=line != words,
    )


def counted(lines: Iterable[Told]) -> int:
    """How many alerts these tell of: each that stands alone once, and each digest once."""
    return sum({one.id: one.count for one in lines}.values())


def _read_named(text: str) -> tuple[dict[str, int], int]:
    named, others = dict[str, int](), 0
    for part in re.findall(_PART, text):
        number, kind = part.split(" ", 1)
        if re.fullmatch(rf"of {_NUMBER} (?:other )?names?", kind):
            others += _number(number)
        else:
            named[kind] = _number(number)
    return named, others


def _kind(what: str, command: str) -> str:
    if not what:
        return PAGE if command else OTHER  # the line of a list
    if re.match(r"step \d+: paging #", what):
        return PAGE
    if "acknowledged" in what:
        return ACKNOWLEDGED
    if "resolved" in what:
        return RESOLVED
    return NEWS if re.search(r"\b(paging|paged)\b", what) else OTHER


def _command(rest: str) -> str:
    found = _COMMAND.search(rest)
    return found["command"] if found else ""


def _number(text: str) -> int:
    return int(text.replace(",", ""))
