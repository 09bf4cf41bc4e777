"""What was seen of one thing that must be well before people rely on being woken."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Self


class Level(Enum):
    """How well something is, from the best to the worst; the value is the exit code."""

    GREEN = 0
    YELLOW = 1
    RED = 2


@dataclass(frozen=True)
class Finding:
    """about: the thing, in a word or two. todo: what to do about it, or nothing. reaches: the person whom this would wake."""

    about: str
    level: Level
    text: str
    todo: str = ""
    reaches: str = ""

    def spelled(self) -> Mapping[str, str]:
        """As JSON can hold it."""
        return {**asdict(self), "level": self.level.name.lower()}

    @classmethod
    def read(cls, spelled: Mapping[str, str]) -> Self:
        """What `spelled` made."""
        return cls(**{**spelled, "level": Level[spelled["level"].upper()]})  # type: ignore[arg-type]


def green(about: str, text: str) -> Finding:
    return Finding(about, Level.GREEN, text)


def yellow(about: str, text: str, todo: str) -> Finding:
    return Finding(about, Level.YELLOW, text, todo)


def red(about: str, text: str, todo: str) -> Finding:
    return Finding(about, Level.RED, text, todo)
