"""What is said late says so: at first how old it is, and once it is put right that it came late."""

import re
from dataclasses import replace
from datetime import timedelta

from tocsin.domain.message import Message

_AGE = re.compile(r"^\((?P<length>(?:up to )?\d+ (?:min|h)) ago\) ")


def of_age(message: Message, age: timedelta, *, at_most: bool = False) -> Message:
    """The message, marked with its age: `(40 min ago) critical DiskFull`. at_most: some of it is newer."""
    minutes = age // timedelta(minutes=1)
    length = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
    mark = f"({'up to ' if at_most else ''}{length} ago) "
    plain = ageless(message)
    return replace(plain, text=mark + plain.text, brief=plain.brief and mark + plain.brief)


def ageless(message: Message) -> Message:
    """The message as it was to be said at first."""
    return replace(message, text=_AGE.sub("", message.text), brief=_AGE.sub("", message.brief))


def late_as(message: Message, line: Message) -> Message:
    """The message that stands in place of a line: if that came late, it says so still."""
    age = _AGE.match(line.text)
    if age is None:
        return message
    mark = f" (told {age['length']} late)"
    return replace(message, text=message.text + mark, brief=message.brief and message.brief + mark)
