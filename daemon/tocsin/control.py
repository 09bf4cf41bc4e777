"""The command line's way in: a Unix socket in the state folder, one JSON question and answer a line."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from tocsin.errors import NotRunning, StateError

log = logging.getLogger(__name__)

SOCKET = "control.sock"
LONGEST_QUESTION = 64 * 1024
PATIENCE = 10.0
"""How long the other side may take over one line, in seconds."""

Question = Callable[[Mapping[str, Any]], Awaitable[Any]]


class Control:
    """Answers questions of the same user, and of root.

    questions: by name.
    """

    def __init__(self, folder: Path, questions: Mapping[str, Question]) -> None:
        """questions: by name; each gets the rest of the question, and answers with what JSON can hold."""
        self._path = folder / SOCKET
        self.questions = questions

    async def run(self) -> None:
        """Answer until cancelled."""
        self._path.unlink(missing_ok=True)  # the state folder is held, so whoever made it is gone
        try:
            server = await asyncio.start_unix_server(self._serve, self._path, limit=LONGEST_QUESTION)
            self._path.chmod(0o600)
        except OSError as error:  # a path may be too long for a socket: no reason not to page
            log.error("%s: can't be made, so the command line can't ask: %s", self._path, error)  # noqa: TRY400
            return
        try:
            async with server:
                await server.serve_forever()
        finally:
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                if _peer(writer) in (0, os.geteuid()):
                    writer.write(await self._answer(await reader.readline()) + b"\n")
                    await writer.drain()
        except (OSError, ValueError, TimeoutError, RecursionError) as error:
            log.warning("the control socket was misused: %s", error)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, line: bytes) -> bytes:
        question = json.loads(line)
        ask = self.questions.get(str(question.pop("ask", ""))) if isinstance(question, dict) else None
        if ask is None:
            return json.dumps({"error": f"this daemon answers {', '.join(sorted(self.questions))}"}).encode()
        try:
            return json.dumps({"answer": await ask(question)}).encode()
        except Exception as error:
            log.exception("a question could not be answered")
            return json.dumps({"error": f"{type(error).__name__}: see the daemon's log"}).encode()


def _peer(writer: asyncio.StreamWriter) -> int:
    """The user at the other end."""
    raw: socket.socket = writer.get_extra_info("socket")
    credentials = raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", credentials)[1]
    return uid


def ask(folder: Path, question: str, **arguments: Any) -> Any:
    """Ask the daemon whose state is in that folder. Raises StateError if none runs, or it can't answer."""
    path = folder / SOCKET
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(PATIENCE)
            link.connect(str(path))
            link.sendall(json.dumps({"ask": question, **arguments}).encode() + b"\n")
            with link.makefile("rb") as stream:
                answer = json.loads(stream.readline() or b"{}")
    except (FileNotFoundError, ConnectionRefusedError):
        raise NotRunning(f"no Tocsin runs with its state in {folder}") from None
    except (OSError, ValueError) as error:
        raise StateError(f"{path}: the daemon does not answer: {error}") from None
    if "answer" not in answer:
        raise StateError(f"{path}: {answer.get('error', 'the daemon does not let you ask')}")
    return answer["answer"]
