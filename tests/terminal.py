"""A command at a terminal of its own, and somebody who reads it and types."""

import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.processes import PATIENCE, until

WINDOW = 0.1
"""How long one look at it waits for more, in seconds."""


class Terminal:
    """shown: all that it has shown so far."""

    def __init__(self, popen: subprocess.Popen[bytes], fd: int) -> None:
        """fd: our end of it."""
        self.shown = ""
        self._popen = popen
        self._fd = fd
        self._read = 0

    def asks(self, text: str) -> None:
        """Wait until it shows that, after all that was waited for before."""

        def found() -> bool:
            self._look()
            match = re.search(re.escape(text), self.shown[self._read :])
            if match is not None:
                self._read += match.end()
            return match is not None

        until(found, what=lambda: f"{text!r} after: {self.shown[self._read :]}")

    def types(self, text: str) -> None:
        """Type a line."""
        os.write(self._fd, f"{text}\n".encode())

    def answers(self, question: str, answer: str = "") -> None:
        """Wait for a question, and answer it."""
        self.asks(question)
        self.types(answer)

    def interrupts(self) -> None:
        """Press Ctrl-C."""
        os.write(self._fd, b"\x03")

    def ends(self) -> int:
        """Wait until it is over; its exit code."""

        def over() -> bool:
            self._look()
            return self._popen.poll() is not None

        until(over, what=lambda: self.shown)
        self._look()
        return self._popen.returncode

    def _look(self) -> None:
        while select.select([self._fd], [], [], WINDOW)[0]:
            try:
                more = os.read(self._fd, 65536)
            except OSError:  # nobody is at the other end any more
                return
            self.shown += more.decode(errors="replace").replace("\r\n", "\n")


@contextmanager
def terminal(command: Sequence[str | Path], environment: Mapping[str, str]) -> Iterator[Terminal]:
    """The command, killed at the end if it still runs."""
    ours, theirs = pty.openpty()
    popen = subprocess.Popen(
        [
            "/usr/bin/setsid",
            "--ctty",
            *command,
        ],  # so that it is the one at which Ctrl-C is pressed, and passwords are typed
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    try:
        yield Terminal(popen, ours)
    finally:
        popen.send_signal(signal.SIGKILL)
        popen.wait(PATIENCE)
        os.close(ours)
