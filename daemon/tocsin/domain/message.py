"""What is said and where, in no network's own form; text from outside is a value, never a command."""

import re
from dataclasses import dataclass, field
from typing import Self

LONGEST_TEXT = 2000

# Control characters, line and paragraph ends, what turns the direction of text around, what can't be seen,
# and lone surrogates: none of them is a letter of any language, and each can forge, hide or break a line.
_UNWANTED = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f\ud800-\udfff]+"
)
_BLANKS = re.compile(r"\s+")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_LONGEST_READ = 100_000


def clean(text: str, longest: int = LONGEST_TEXT) -> str:
    """One line of visible text: what could break out of a line, hide in it or turn it around is a blank.

    longest: in characters; what is cut ends in `…`.
    """
    read = _BLANKS.sub(" ", _UNWANTED.sub(" ", text[:_LONGEST_READ])).strip()
    if len(read) <= longest and len(text) <= _LONGEST_READ:
        return read
    return read[: longest - 1].rstrip() + "…"


def storable(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text as it is, but for what no database or network takes: NUL, and halves of characters.

    longest: in characters; what is cut ends in `…`.
    """
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return _UNSTORABLE.sub("\ufffd", text)


@dataclass(frozen=True)
class Place:
    """Where something is said: a room of a network, or a person's account there in private."""

    network: str
    name: str
    private: bool = False

    def __str__(self) -> str:
        return f"{self.network}/{'person' if self.private else 'room'}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote."""
        network, sort, name = text.split("/", 2)
        return cls(network, name, private=sort == "person")


@dataclass(frozen=True)
class Message:
    """Something to be said: the fact first, and what to type next.

    text: the fact, in one line.
    subject: the id of what it is about, which stands before the text.
    command: what to type next. link: where to look. Both stand behind the text.
    lines: further lines, each for itself.
    All of it is cleaned, whoever wrote it. However short a network's lines are, subject and command stay
    whole: the text is cut first.
    """

    text: str
    subject: str = ""
    command: str = ""
    link: str = ""
    lines: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for name in ("text", "subject", "command", "link"):
            object.__setattr__(self, name, clean(getattr(self, name)))
        object.__setattr__(self, "lines", tuple(clean(line) for line in self.lines))

    def first_line(self, limit: int = 4 * LONGEST_TEXT) -> str:
        """The message's first line in at most `limit` bytes of UTF-8: a link that has no room is left out."""
        head = " ".join(filter(None, (self.subject, self.text)))
        for ends in ((self.command, self.link), (self.command,)):
            line = " · ".join(filter(None, (head, *ends)))
            if len(line.encode()) <= limit:
                return line
        around = f"{self.subject} " * bool(self.subject) + f" · {self.command}" * bool(self.command)
        text = cut(self.text, limit - len(around.encode()))
        head = " ".join(filter(None, (self.subject, text)))
        return cut(" · ".join(filter(None, (head, self.command))), limit)

    def all_lines(self, limit: int = 4 * LONGEST_TEXT) -> list[str]:
        """Every line, each in at most `limit` bytes."""
        return [self.first_line(limit), *(cut(line, limit) for line in self.lines if line)]


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` bytes of UTF-8, never through a character; what was cut ends in `…`."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    mark = "…".encode()
    if limit < len(mark):
        return raw[: max(0, limit)].decode(errors="ignore")
    return raw[: limit - len(mark)].decode(errors="ignore").rstrip() + mark.decode()


@dataclass(frozen=True)
class Line:
    """A line that somebody said.

    id: the network's own for it, or ours; one line has one id, so that it takes effect once.
    place: the room, or the speaker's own private talk with us: an answer goes there.
    account: what proves who speaks; empty if the network can't.
    called: what others see as the speaker's name, which proves nothing.
    position: where the network's stream stands once this line was taken.
    """

    id: str
    place: Place
    account: str
    text: str
    called: str = ""
    position: str = ""
