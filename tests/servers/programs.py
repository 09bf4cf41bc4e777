"""The programs of real servers, found and run as children."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.processes import PATIENCE


def program(name: str, package: str) -> str:
    """Where a program is; without it the test is skipped. package: Debian's, which has it."""
    path = shutil.which(
        name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    )
    if path is None:
        pytest.skip(f"{name} is missing: install Debian's {package}, as .ci/servers does")
    return path


class Child:
    """A program that is run in the foreground, again and again. log: what it writes since it was started last."""

    def __init__(self, command: Sequence[str | Path], log: Path) -> None:
        self.log = log
        self._command = command
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert self._popen is None, "it runs already"
        with self.log.open("wb") as log:
            self._popen = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.log.parent, env={}
            )

    def ends(self, signal: int) -> None:
        """Send it a signal that ends it, if it runs."""
        if self._popen is not None:
            self._popen.send_signal(signal)
            self._popen.wait(PATIENCE)
            self._popen = None

    def send(self, signal: int) -> None:
        """Send it a signal that does not end it."""
        self.check()
        assert self._popen is not None
        self._popen.send_signal(signal)

    def check(self) -> bool:
        """Whether it runs: true. Fails with its log if it ended by itself."""
        assert self._popen is not None, "it does not run"
        assert self._popen.poll() is None, f"it ended by itself:\n{self.log.read_text(errors='replace')}"
        return True
