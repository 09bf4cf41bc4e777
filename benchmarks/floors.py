"""The floors: the least that anything must do that takes an alert over HTTP and says it, on its output or on IRC.

*direct* says it at once and stores nothing. *durable* keeps the body before it answers, then says it: SQLite with
a write-ahead log and full sync, one commit for all that wait.
"""

import asyncio
import json
import os
import queue
import sqlite3
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import click
from aiohttp import web

from benchmarks.raw_irc import ROOM, RawIrc

Job = tuple[bytes, "asyncio.Future[None]"]


class Store:
    """Keeps bodies, in a thread of its own."""

    def __init__(self, path: Path) -> None:
        """Start the thread."""
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    async def keep(self, body: bytes) -> None:
        """When this returns, the body is on the disk."""
        kept: asyncio.Future[None] = self._loop.create_future()
        self._jobs.put((body, kept))
        await kept

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        database = sqlite3.connect(self._path, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        while (job := self._jobs.get()) is not None:
            batch = [job]
            while not self._jobs.empty() and (more := self._jobs.get()) is not None:
                batch.append(more)
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO bodies (body) VALUES (?)", [(body,) for body, _ in batch])
            database.execute("COMMIT")
            self._loop.call_soon_threadsafe(_answer, batch)
        database.close()


def _answer(batch: list[Job]) -> None:
    for _, kept in batch:
        kept.set_result(None)


def _sentence(body: bytes) -> str:
    alert = json.loads(body)["alerts"][0]
    labels = alert["labels"]
    return (
        f"{labels['severity']} {labels['alertname']} {labels['instance']}: {alert['annotations']['summary']}"
    )


def _write(sentence: str) -> None:
    """Write the alert to the same sort of place as Tocsin's console does."""
    os.write(sys.stdout.fileno(), f"@alice <floor> {sentence}\n".encode())


def serve(keep: Callable[[bytes], Awaitable[None]], say: Callable[[str], None]) -> web.Application:
    """Takes posts anywhere. keep: what is done with a body before it is said and answered."""

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        await keep(body)
        say(_sentence(body))
        return web.Response(status=202, text="accepted\n")

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.router.add_get("/healthz", health)
    app.router.add_post("/{path:.*}", take)
    return app


async def _nothing(_: bytes) -> None:
    pass


@click.command()
@click.argument("kind", type=click.Choice(["direct", "durable"]))
@click.argument("port", type=int)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--irc", type=int, help="Say it in a room of the IRC server at this port, not on the output.")
def main(kind: str, port: int, folder: Path, irc: int | None) -> None:
    """Serve one of the floors."""

    async def app() -> web.Application:
        say = _write if irc is None else partial((await RawIrc.enter(irc, kind)).say, ROOM)
        return serve(_nothing if kind == "direct" else Store(folder / "floor.db").keep, say)

    web.run_app(app(), host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main()
