"""The terminal, at which all people sit while daemons are killed."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.crash_seen import KILLED, Peer, Seen, lives

_LINE = re.compile(r"\d\d:\d\d:\d\d (?P<place>\S+) +<(?P<speaker>\w+)> (?P<words>.*)")


class Terminal(Peer):
    """A file that all daemons write to, one after another, and a pipe that they read."""

    network = "console"
    settings = "[networks.console]"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seen = folder / "terminal"
        self.seen.touch()
        os.mkfifo(folder / "typed")
        self._keyboard = os.open(folder / "typed", os.O_RDWR | os.O_NONBLOCK)

    @staticmethod
    def read(text: str) -> Sequence[Seen]:
        """Each line is surely later than those above it."""
        seen: list[Seen] = []
        for number, (life, line, below) in enumerate(lives(text)):
            if found := _LINE.fullmatch(line):
                seen.append(Seen(life, **found.groupdict(), after=number, before=number, raw=line))
            elif not line.startswith("* you are ") and below != KILLED:  # then it was torn
                seen.append(Seen(life, "", "", "", number, number, line))
        return seen

    def types(self, who: str, text: str, *, private: bool) -> None:
        os.write(self._keyboard, f"/as {who}\n{'/msg ' * private}{text}\n".encode())

    async def upset(self, daemon: int, chance: Random) -> None:
        """It never fails."""

    async def bury(self) -> None:
        """The last line may have been torn."""
        with self.seen.open("r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            file.write(b"\n" * torn + KILLED.encode() + b"\n")

    async def open(self) -> None:
        """It is there."""

    async def close(self) -> None:
        os.close(self._keyboard)
