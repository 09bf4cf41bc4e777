"""Programs on Node, which are driven by lines of JSON."""

import asyncio
import contextlib
import itertools
import json
import os
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.processes import PATIENCE
from tests.servers.synapse import VENV, Refused

FOLDER = Path(__file__).parent / "js"

_LINE = 2**24
"""How long a line of it may be, in bytes: one may hold a picture."""

Found = TypeVar("Found")


class Program:
    """One of the programs in a folder of this name, `js`."""

    def __init__(self, script: str) -> None:
        if not (FOLDER / "node_modules" / "made-from").exists():
            pytest.skip("what runs on Node is missing: run .ci/synapse")
        self._script = FOLDER / script
        self._noise: list[str] = []
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._ready = False
        self._news = asyncio.Event()

    async def run(self, words: Mapping[str, object], *, home: Path | None = None) -> None:
        """Start it; it is ready then. home: where it may keep files."""
        self._process = await asyncio.create_subprocess_exec(
            VENV / "bin" / "node",
            self._script,
            json.dumps(words),
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            limit=_LINE,
            env={"HOME": str(home), "TMPDIR": str(home), "PATH": os.defpath} if home else {},
        )
        self._reading = asyncio.create_task(self._read())
        try:
            await self.knows(lambda: self._ready)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let it end, and whatever it has started."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            await self._reading

    async def does(self, what: str, **how: Any) -> Any:
        """Let it do something. Raises Refused."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"id": number, "do": what, **how}).encode() + b"\n")
        await self.knows(answer.done, f"an answer to {what}")
        done, refused = answer.result()
        if refused:
            raise Refused(refused["status"], refused)
        return done

    async def knows(self, found: Callable[[], Found | None], what: object = "it") -> Found:
        """Wait until something is found in what it has told. what: what that is, for who reads that it never came."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not (result := found()) and not self._reading.done():
                    self._news.clear()
                    await self._news.wait()
                if result:
                    return result
        raise AssertionError(
            f"waited in vain for {what}; the last of what {self._script.name} has told:\n{self.last()}"
        )

    def last(self) -> str:
        """What it told last, for who looks into why something went wrong."""
        return "\n".join(self._noise[-20:])

    def takes(self, told: dict[str, Any]) -> None:
        """It tells something by itself."""
        raise NotImplementedError(told)

    async def _read(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            try:
                told = json.loads(line)
            except ValueError:
                self._noise.append(line.decode(errors="replace").rstrip())
                continue
            if "id" in told:
                self._answers.pop(told["id"]).set_result((told.get("done"), told.get("refused")))
            elif "ready" in told:
                self._ready = True
            else:
                self.takes(told)
            self._news.set()
        self._news.set()
