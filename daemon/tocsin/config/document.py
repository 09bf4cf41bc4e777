"""The configuration file: who may write it, whether it is TOML, and on which line a setting stands."""

import os
import stat
import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tocsin.domain.words import key_path
from tocsin.errors import ConfigError, KeyPath, Problem


@dataclass(frozen=True)
class Document:
    """A configuration file that was read and is TOML.

    folder: absolute; relative paths in the file start here.
    """

    path: Path
    text: str
    tables: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        return self.path.absolute().parent

    @classmethod
    def open(cls, path: Path) -> "Document":
        """Read the file. Raises ConfigError if it can't be read, others may write it, or it is not TOML."""
        try:
            complaint = _writable_by_others(path)
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            hint = (
                "; make one with tocsin init, or name another with --config"
                if isinstance(error, FileNotFoundError)
                else ""
            )
            raise _unusable(f"can't be read: {error.strerror}{hint}") from None
        except UnicodeDecodeError as error:
            raise _unusable(f"is not UTF-8 text: byte {error.start + 1}") from None
        if complaint:
            raise _unusable(complaint)
        try:
            return cls(path, text, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise _unusable(f"is not TOML: {error}") from None

    def line_of(self, at: KeyPath) -> int | None:
        """The line on which the statement begins that brings a setting, or the nearest table above it.

        tomllib tells no positions. But the file's first n lines, where they are TOML by themselves, hold a
        setting from some n on: that n is found by bisection, each probe read by the same parser.
        """
        while at and not _holds(self.tables, at):
            at = at[:-1]
        if not at:
            return None
        lines = self.text.split("\n")

        def reached(count: int) -> bool:
            for end in range(count, len(lines) + 1):
                try:
                    tables = tomllib.loads("\n".join(lines[:end]))
                except tomllib.TOMLDecodeError:
                    continue  # in the midst of a statement
                return _holds(tables, at)
            return True

        return bisect_left(range(1, len(lines) + 1), x=True, key=reached) + 1


def spelled_out(problems: Iterable[Problem], path: Path, document: Document | None) -> Sequence[str]:
    """One line a problem: `config.toml:14: people.alice.acounts: no such setting`.

    Errors before warnings, each in the order of the file. document: what stands in the file, if that could be read.
    """
    lines = []
    for problem in problems:
        line = document.line_of(problem.at) if document else None
        place = f"{path}:{line}" if line else str(path)
        where = f"{key_path(problem.at)}: " if problem.at else ""
        text = f"{place}: {'' if problem.fatal else 'warning: '}{where}{problem.text}"
        lines.append((not problem.fatal, line or 0, text))
    return [text for _, _, text in sorted(lines, key=lambda one: one[:2])]


def permission_problem(path: Path, *, forbidden: int) -> str | None:
    """Why a file can't be trusted, or None: a stranger owns it, or it has one of the `forbidden` mode bits.

    Raises OSError if there is no such file.
    """
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        return "is not a file"
    if facts.st_uid not in (0, os.geteuid()):
        return f"belongs to another user (uid {facts.st_uid}): it must be root's or your own"
    excess = facts.st_mode & forbidden
    if not excess:
        return None
    who = "others" if excess & 0o007 else "its group"
    may = "write" if excess & 0o022 else "read"
    return (
        f"{who} may {may} it (mode {stat.S_IMODE(facts.st_mode):04o}): "
        f"chmod {stat.S_IMODE(facts.st_mode) & ~forbidden:04o} {path}"
    )


def _writable_by_others(path: Path) -> str | None:
    if complaint := permission_problem(path, forbidden=0o022):
        return complaint
    folder = path.resolve().parent
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return f"others may replace it, since they may write its folder: chmod o-w {folder}"
    return None


def _unusable(text: str) -> ConfigError:
    return ConfigError([Problem((), text)])


def _holds(tables: Any, at: KeyPath) -> bool:
    for key in at:
        if isinstance(key, int):
            if not isinstance(tables, Sequence) or isinstance(tables, str) or key >= len(tables):
                return False
        elif not isinstance(tables, Mapping) or key not in tables:
            return False
        tables = tables[key]
    return True
