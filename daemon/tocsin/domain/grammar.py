"""What a line says: whether it is a command, and its words; forgiving of phones, tired thumbs and capitals. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from tocsin.domain.words import bare
from tocsin.errors import UsageError

_AS_TYPED = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00ab": '"', "\u00bb": '"'}
    | dict.fromkeys("\u00a0\u2007\u202f\u3000\u200b\ufeff", " ")
    | {"\uff01": "!", "\uff1a": ":", "\uff0c": ","}
)
"""What a keyboard makes of a plain sign."""

_NEVER = (">", "`", "<", "\u2502")
"""So begin a quotation, code, and a line of somebody else's that was copied from a chat."""

_ID = re.compile(r"[a-z][0-9][a-z0-9]{2,}")
_BEHIND = frozenset({"", "all", "mine", "it", "this", "that", "now", "please", "pls", "thanks", "thx"})
"""What people type behind a command that they mean, beside ids and lengths of time."""

_LASTING = frozenset({"silence", "snooze", "extend"})
"""What has a length: behind these `for` and `until` are no chat."""

_AROUND = ".,:;!?'\"()[]"


@dataclass(frozen=True)
class Words:
    """A command's name, in small letters, and what stands behind it. No name: the line is no command.

    called: whether it was said to us by our name, or in private, and so is surely meant for us.
    """

    name: str = ""
    rest: str = ""
    called: bool = False


def first_line(text: str) -> str:
    """Only the first line of what somebody says can be a command."""
    return (text.splitlines() or [""])[0]


def words(text: str, *, private: bool, prefix: str, us: str = "") -> Words:
    """Read a line.

    A command begins with the prefix, or with our name (`tocsin: ack`); in private with nothing.
    us: what we are called there, beside tocsin.
    """
    text = text.translate(_AS_TYPED).strip()
    if text.startswith(_NEVER):
        return Words()
    called = _called(us).match(text)
    if called:
        text = text[called.end() :]
    elif not text.startswith(prefix) and not private:
        return Words()
    if private:
        text = text.strip("\"'")
    name, rest = (*text.removeprefix(prefix).split(None, 1), "", "")[:2]
    return Words(name.lower().strip(_AROUND), rest.strip(), bool(called) or private)


def is_id(word: str) -> bool:
    """Whether a word looks like an id that people type."""
    return _ID.fullmatch(bare(word)) is not None


def is_chat(word: str, rest: str) -> bool:
    """Whether such a line that answers a message of ours is said to the others in the room, as in `done with lunch`.

    What begins with `ack` is an answer, whatever follows: nobody else could mean that.
    """
    first = bare((rest.split() or [""])[0])
    if word in _LASTING and first in ("for", "until", "till"):
        return False
    return word != "ack" and not (first in _BEHIND or first[:1].isdigit() or is_id(first))


@cache
def _called(us: str) -> re.Pattern[str]:
    names = "|".join(re.escape(name) for name in ("tocsin", us) if name)
    return re.compile(rf"@?(?:{names})\s*[:,]\s*", re.IGNORECASE)


def slots(usage: str, rest: str) -> Mapping[str, str]:
    """The words behind a command's name by the slot of its usage line in which they stand: of `[mine|all|ALERT…]`
    the slot is ALERT. Raises UsageError.
    """
    left, found = rest.split(), {}
    for slot in usage.split()[1:]:
        name = slot.strip("[]…").rpartition("|")[2]
        if slot.rstrip("]").endswith("…") and left:
            found[name] = " ".join(left)
            left = []
        elif left:
            found[name] = left.pop(0).rstrip(".,;!?").strip("'\"")
        elif not slot.startswith("["):
            raise UsageError("")
    if left:
        raise UsageError(f"{left[0]!r} is too much: ")
    return found
