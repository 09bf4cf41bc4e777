"""The text of IRC lines: what goes out is built here alone, and can't break out of its line."""

import itertools
import re
from collections.abc import Iterator, Mapping
from string import ascii_uppercase

LONGEST = 512
"""Of a line, in bytes, with its end and with the sender that the server puts before it; tags are counted apart."""

LONGEST_KEY = 100
_LONGEST_USER = 11
_LONGEST_HOST = 64

# Bold, colour, hex colour, reset, monospace, reverse, italic, strikethrough, underline.
_FORMATTING = re.compile(
    "\x02|\x03(?:[0-9]{1,2}(?:,[0-9]{1,2})?)?|\x04(?:[0-9a-fA-F]{6}(?:,[0-9a-fA-F]{6})?)?|[\x0f\x11\x16\x1d-\x1f]"
)
_BREAKS = re.compile("[\0\r\n]")
_OTHER_BOTS = tuple("!./@?$%&~;:-+=*\\,^|_")
_SMALL = {ord(letter): letter.lower() for letter in ascii_uppercase}
_QUOTED = "· "
AGAIN = "(again) "
MARKED = len(_QUOTED.encode())
"""How many bytes `harmless` adds at most."""


def line(command: str, *words: str, text: str | None = None) -> str:
    """One line for the server, without its end.

    words: in the middle of the line. text: its last part, which may hold blanks. Raises ValueError for what would be
    another line than was meant.
    """
    for word in words:
        if not word or " " in word or word.startswith(":"):
            raise ValueError(f"{word!r} can't stand in the middle of a line")
    parts = [command, *words, *([] if text is None else [f":{text}"])]
    built = " ".join(parts)
    if _BREAKS.search(built):
        raise ValueError(f"{command}: holds the end of a line")
    if len(built.encode()) > LONGEST - 2:
        raise ValueError(f"{command}: longer than {LONGEST} bytes")
    return built


def checked_key(key: str) -> str:
    """A channel's key. Raises ValueError for what can't be one, without saying it."""
    if "," in key or " " in key or key.startswith(":") or len(key.encode()) > LONGEST_KEY:
        raise ValueError("the channel's key is too long, holds a comma or a blank, or begins with a colon")
    return key


def joins(keys: Mapping[str, str]) -> Iterator[str]:
    """The lines that join channels, as few as can be. keys: channel -> its key, or nothing."""
    left = sorted(keys, key=lambda name: not keys[name])  # keys belong to the first channels of a line
    while left:
        lengths = itertools.accumulate(len(f"{name},{keys[name]},".encode()) for name in left)
        count = max(1, sum(length <= LONGEST - 10 for length in lengths))
        now, left = left[:count], left[count:]
        secrets = ",".join(keys[name] for name in now if keys[name])
        yield line("JOIN", ",".join(now), *filter(None, [secrets]))


def room_for(nick: str, target: str) -> int:
    """How many bytes of text one PRIVMSG can carry to everybody who reads it, whatever host the server shows us at."""
    sender = f":{nick}!@ PRIVMSG {target} :\r\n"
    return LONGEST - len(sender.encode()) - _LONGEST_USER - _LONGEST_HOST


def harmless(text: str) -> str:
    """Text that does not begin like a command, which another bot might obey."""
    return f"{_QUOTED}{text}" if text.startswith(_OTHER_BOTS) else text


def plain(text: str) -> str:
    """What somebody said, without colours and the like."""
    return _FORMATTING.sub("", text)


def fold(name: str) -> str:
    """A nick, channel or account as a key: IRC tells no capitals apart.

    Those of ASCII alone: some servers take more letters for the same, but none takes fewer, so two names that differ
    for a server never become one here.
    """
    return name.translate(_SMALL)
