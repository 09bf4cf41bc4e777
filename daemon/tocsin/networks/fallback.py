"""What is not chat: a program of the operator's that gets the page on its standard input."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from datetime import timedelta

from tocsin.domain.message import Message, Place
from tocsin.errors import NetworkError
from tocsin.networks.base import Listener, Rank


class Fallback:
    """Starts the program once for each page. Exit code 0 means that it rang; else it is tried again."""

    name = "fallback"
    deaf_while_away = False

    def __init__(self, command: Sequence[str], timeout: timedelta) -> None:
        """command: the program and its arguments. timeout: after which it is killed."""
        self._command = command
        self._timeout = timeout
        self.send_for = timeout + timedelta(seconds=5)

    async def run(self, listener: Listener) -> None:
        """A program is always there, and says nothing."""
        listener.up(self.name)

    async def send(self, place: Place, message: Message, txn_id: str, *, again: bool, rank: Rank) -> str:  # noqa: ARG002 (a program has no memory, and waits for no other)
        """Start the program. Raises NetworkError if it fails, or takes too long."""
        text = "\n".join(message.all_lines()) + "\n"
        try:
            program = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise NetworkError(
                f"{self._command[0]}: can't be started: {error.strerror}", retry_after=timedelta(seconds=5)
            ) from None
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await program.communicate(text.encode())
        except TimeoutError:
            raise NetworkError(
                f"{self._command[0]}: took more than {self._timeout.total_seconds():g} s"
            ) from None
        finally:
            if program.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)  # with all that it started
                await program.wait()
        if program.returncode != 0:
            raise NetworkError(f"{self._command[0]}: exit code {program.returncode}")
        return "exit code 0"

    def know(self, accounts: Mapping[str, str]) -> None:
        """It knows nobody."""

    def reaches(self, account: str) -> bool:
        """It calls nobody by name."""
        return not account
