"""A program of the operator's, run once without a shell: the text on its standard input, an exit code as its answer."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from datetime import timedelta

from tocsin.errors import NetworkError


async def run_program(command: Sequence[str], text: str, within: timedelta) -> None:
    """Run it to its end. Raises NetworkError if it can't be started, fails, or takes longer than `within`.

    command: the program and its arguments. It is killed with all that it started if it is not waited for.
    """
    try:
        program = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise NetworkError(
            f"{command[0]}: can't be started: {error.strerror}", retry_after=timedelta(seconds=5)
        ) from None
    try:
        async with asyncio.timeout(within.total_seconds()):
            await program.communicate(text.encode())
    except TimeoutError:
        raise NetworkError(f"{command[0]}: took more than {within.total_seconds():g} s") from None
    finally:
        if program.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)  # with all that it started
            await program.wait()
    if program.returncode != 0:
        raise NetworkError(f"{command[0]}: exit code {program.returncode}")
