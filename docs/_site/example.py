"""What config.example.toml says of each setting: its comments, by the paths of the settings below them."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Path = tuple[str, ...]

ENTRY = "[]"
"""Stands in a path for whichever entry of a list."""


@dataclass(frozen=True, eq=False)
class Comment:
    """A comment, which may be about several settings: those are alike that stand below the same one."""

    text: str


def comments(example: str) -> Mapping[Path, Comment]:
    """Each path that the example has, whether commented out or not -> what stands above it."""
    found: dict[Path, Comment] = {}
    table: Path = ()
    words: list[str] = []
    comment, waiting = Comment(""), ""
    for before, line in pairwise(["", *example.splitlines()]):
        if waiting:
            waiting += "\n" + line.removeprefix("#")
        elif line.startswith("# ") or not line:
            if not before.startswith("# ") or not line:
                words = []
            words += [line.removeprefix("# ")] if line else []
            comment = Comment(" ".join(words))
            continue
        elif header := re.fullmatch(r"#?(\[+)([^\[\]]+)(\]+)", line):
            table = (*header[2].split("."), *([ENTRY] if len(header[1]) == 2 else []))
            if not before.startswith("# "):  # one more of those that were explained
                comment = said_of((*table[:-1], "*"), found) or comment
            found.setdefault(table, comment)
            continue
        else:
            waiting = line.removeprefix("#")
        if waiting.count("[") + waiting.count("{") == waiting.count("]") + waiting.count("}"):
            for path in paths(tomllib.loads(waiting)):
                found.setdefault((*table, *path), comment)
            waiting = ""
    return found


def paths(value: Any) -> Iterator[Path]:
    """The paths of all that stands in what was read of a file."""
    inside: Sequence[tuple[str, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        inside = [(ENTRY, each) for each in value]
    for name, each in inside:
        yield (name,)
        for path in paths(each):
            yield (name, *path)


def said_of(pattern: Path, known: Mapping[Path, Comment]) -> Comment | None:
    """What is said of a setting. pattern: its path, in which '*' stands for a name that the operator chooses."""
    return next((comment for path, comment in known.items() if fits(path, pattern)), None)


def fits(path: Path, pattern: Path) -> bool:
    """Whether a path of the example is what that pattern stands for."""
    return len(path) == len(pattern) and all(
        want in ("*", have) for want, have in zip(pattern, path, strict=True)
    )
