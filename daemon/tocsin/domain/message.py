"""What is said and where, in no network's own form; text from outside is a value, never a command."""

import hashlib
import re
import struct
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Self
from urllib.parse import quote, urlsplit, urlunsplit

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
    if len(text) <= longest and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()  # nearly always, and several times for each message
    read = _BLANKS.sub(" ", _UNWANTED.sub(" ", text[:_LONGEST_READ])).strip()
    if len(read) <= longest and len(text) <= _LONGEST_READ:
        return read
    return read[: longest - 1].rstrip() + "…"


def storable(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text as it is, but for what no database or network takes: NUL, and halves of characters.

    longest: in characters; what is cut ends in `…`.
    """
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    if text.isascii() and "\0" not in text:
        return text  # nearly always, and most of the cost of a label
    return _UNSTORABLE.sub("\ufffd", text)


def identity(text: str) -> str:
    """The text as a key: storable, and two that differ never become one, however long."""
    kept = storable(text)
    if kept == text:
        return text
    return f"{kept[:100]}…{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"


_LONGEST_LINK = 1000
_LONGEST_HOST = 253  # and 63 for each part: RFC 1035
_HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?|[0-9a-f.]*:[0-9a-f:.]*")
_IN_LINKS = "!#$%&'()*+,/:;=?@[]~"


@lru_cache(maxsize=64)  # whoever reads an alert asks before it, and the alert does again
def safe_link(url: str) -> str:
    """The link as people may be given it to click, or nothing if it is unfit for that.

    It leads to a web page, and no user name stands before its host, which could pass for one. What is not ASCII
    is escaped, the host's name as well, so that nothing looks like what it is not.
    """
    if len(url) > _LONGEST_LINK:
        return ""
    try:
        parts = urlsplit(url)
        host = _ascii_host(parts.hostname or "")
        if parts.scheme not in ("http", "https") or not host or parts.username is not None:
            return ""
        place = f"[{host}]" if ":" in host else host
        place += f":{parts.port}" if parts.port is not None else ""
        rest = (quote(part, safe=_IN_LINKS) for part in (parts.path, parts.query, parts.fragment))
        link = urlunsplit((parts.scheme, place, *rest))
    except ValueError:
        return ""
    return link if len(link) <= _LONGEST_LINK else ""


def _ascii_host(name: str) -> str:
    """A host's name in ASCII, or nothing if it is none, or would be that of another host."""
    if len(name) > _LONGEST_HOST:
        return ""
    host = name
    if not name.isascii():
        host = name.encode("idna").decode()
        if host.encode().decode("idna") != name:
            return ""
    return host if _HOST.fullmatch(host) else ""


@dataclass(frozen=True)
class Place:
    """Where something is said: a room of a network, or a person's account there in private."""

    network: str
    name: str
    private: bool = False

    def __str__(self) -> str:
        return f"{self.network}/{'person' if self.private else 'room'}/{self.name}"

    @property
    def called(self) -> str:
        """What people call it by; the id of a room on Matrix is nothing that anybody knows it by."""
        return (
            f"the room on {self.network}" if self.name.startswith("!") else f"{self.name} on {self.network}"
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote."""
        network, sort, name = text.split("/", 2)
        return cls(network, name, private=sort == "person")


LARGEST_PICTURE = 1024 * 1024
_WIDEST_PICTURE = 10_000  # a small file can be so many points that a phone falls over it
_PNG = struct.Struct(
    ">8sI4s2I5sI"
)  # the signature, then the chunk IHDR: its length, name, what it holds, its sum


@dataclass(frozen=True)
class Picture:
    """A picture in the form PNG, which goes with a message where the network has pictures.

    name: as a file is called. alt: what it shows, for who can't see it. data: the file in base64, so that it can be
    kept as JSON. Raises ValueError for what is no PNG, or larger than people's phones should be sent.
    """

    name: str
    alt: str
    data: str = field(repr=False)

    def __post_init__(self) -> None:
        name = clean(self.name.translate({ord("/"): "_", ord("\\"): "_"}), 100)
        object.__setattr__(self, "name", name or "picture.png")
        object.__setattr__(self, "alt", clean(self.alt))
        try:
            fits = len(self.data) <= 4 * -(-LARGEST_PICTURE // 3) and len(self.png) <= LARGEST_PICTURE
        except ValueError:
            raise ValueError(f"{self.name}: is no base64: make the picture with Picture.of") from None
        if not fits:
            raise ValueError(f"{self.name}: is larger than {LARGEST_PICTURE:,} bytes: draw a smaller picture")
        if not all(0 < length <= _WIDEST_PICTURE for length in self.size):
            raise ValueError(f"{self.name}: must be 1 to {_WIDEST_PICTURE:,} points wide and high")

    @classmethod
    def of(cls, name: str, png: bytes, alt: str) -> Self:
        """The picture in this file."""
        return cls(name, alt, b64encode(png).decode())

    @property
    def png(self) -> bytes:
        """The file."""
        return b64decode(self.data, validate=True)

    @property
    def size(self) -> tuple[int, int]:
        """Its width and height in points, as its file says."""
        head = b64decode(self.data[:44])
        if len(head) == _PNG.size:
            signature, length, name, width, height, _, checksum = _PNG.unpack(head)
            known = (signature, length, name) == (b"\x89PNG\r\n\x1a\n", 13, b"IHDR")
            if known and zlib.crc32(head[12:29]) == checksum:
                return width, height
        raise ValueError(f"{self.name}: is no PNG: give the picture as a PNG file")


@dataclass(frozen=True)
class Message:
    """Something to be said: the fact first, and what to type next.

    text: the fact, in one line.
    subject: the id of what it is about, which stands before the text.
    command: what to type next. link: where to look. Both stand behind the text.
    lines: further lines, each for itself.
    brief, brief_lines: what is said instead of text, link and lines where all the world may read; without a brief
    the message holds nothing that not everybody may know.
    told: what is said of its subject beside which alert it is, such as `alice paged`; where many alerts wait for a
    place, that is counted in a digest in place of the message. None: it is only ever said as it is.
    picture: what it looks like; networks without pictures leave it out.
    All of it is cleaned, whoever wrote it. However short a network's lines are, subject and command stay
    whole: the text is cut first.
    """

    text: str
    subject: str = ""
    command: str = ""
    link: str = ""
    lines: tuple[str, ...] = field(default=())
    brief: str = ""
    brief_lines: tuple[str, ...] = ()
    told: str | None = None
    picture: Picture | None = None

    def __post_init__(self) -> None:
        if self.told is not None:
            object.__setattr__(self, "told", clean(self.told))
        for name in ("text", "subject", "command", "link", "brief"):
            object.__setattr__(self, name, clean(getattr(self, name)))
        for name in ("lines", "brief_lines"):
            object.__setattr__(self, name, tuple(clean(line) for line in getattr(self, name)))

    def summary(self) -> Self:
        """What of it may be said where all the world may read."""
        if not self.brief:
            return self
        return type(self)(self.brief, self.subject, self.command, lines=self.brief_lines)

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
    called: what others see as the speaker's name, which proves nothing. claimed: the account that the name claims.
    us: what we are called there, if not tocsin. at: when it was said; None if that is when it was heard.
    position: where the network's stream stands once this line was taken.
    about: the receipt of the message of ours that it answers. about_id: by which id that was to be sent, if the network
    tells: it is known before the receipt is. tapped: it is a reaction to that, and the text its emoji.
    takes_back: the id of an earlier line that is said no more.
    notice: it is no command, whatever it says; but somebody may repeat there what we said elsewhere.
    """

    id: str
    place: Place
    account: str
    text: str
    called: str = ""
    claimed: str = ""
    us: str = ""
    at: datetime | None = None
    position: str = ""
    about: str = ""
    about_id: str = ""
    tapped: bool = False
    takes_back: str = ""
    notice: bool = False
