"""A disk fills up under a running engine, stays full, and gets room again. Run in a mount namespace of its own.

unshare --mount python full_disk.py CONFIG FOLDER
"""

import asyncio
import errno
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tocsin import daemon
from tocsin.alerts import report
from tocsin.config import Document
from tocsin.errors import StoreUnavailable
from tocsin.intake import Route
from tocsin.testing import HandClock, Loudspeaker, running
from tocsin.transaction import Transaction

from tests.engine import Pager, alert, fires

SIZE = "48m"
BODY = 300_000


def fill(path: Path) -> None:
    """Take every byte that the disk still has."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def take(name: str, tx: Transaction) -> None:
    report(tx, fires(alert(name), key=name))


async def main(config_path: Path, disk: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk], check=True)  # noqa: S607
    config = replace(daemon.prepare(Document.open(config_path)).config, digests=False)
    chat = Loudspeaker("console", {"alice": "alice", "bob": "bob"})
    route = Route("", lambda _, body: body.split(b" ")[0].decode(), take)
    declared = replace(Pager().declared(), routes={"test": route})
    accepted: list[str] = []

    async with running(
        config, disk / "state", declared=declared, networks={"console": chat}, clock=HandClock()
    ) as run:

        async def post(count: int) -> list[str]:
            """Post so many at once, which come into one commit; the names of those that were accepted."""
            names = [f"alert{len(accepted)}-{n}-{os.urandom(2).hex()}" for n in range(count)]
            bodies = [name.encode() + b" " + os.urandom(BODY) for name in names]
            results = await asyncio.gather(
                *(run.daemon.intake.keep("test", "prod", body) for body in bodies), return_exceptions=True
            )
            for result in results:
                if isinstance(result, BaseException) and not isinstance(result, StoreUnavailable):
                    raise result
            new = [name for name, result in zip(names, results, strict=True) if isinstance(result, int)]
            accepted.extend(new)
            await run.settled()
            return new

        assert len(await post(3)) == 3
        first = next(text.split()[0] for text in chat.texts("person/alice") if accepted[0] in text)
        ballast = disk / "state" / "ballast"
        assert ballast.exists()
        fill(disk / "filler")
        # What the log of the database already has is used up first.
        for _ in range(100):
            if not await post(4):
                break
            fill(disk / "filler")
        else:
            raise AssertionError("the disk never came to be full")
        assert not ballast.exists()
        await run.advance(timedelta(seconds=2))
        said = chat.texts("room/#ops")
        assert any(text.startswith("disk full: new alerts are refused") for text in said), said
        assert await post(1) == []

        # Answers, pages and steps go on in the room that was kept back.
        await chat.hears("alice", f"!ack {first}")
        await run.advance(timedelta(minutes=6))
        assert any(f"{first} acknowledged by alice" in text for text in chat.texts("room/#ops"))
        assert any(accepted[1] in text for text in chat.texts("person/bob"))

        for filler in disk.glob("filler*"):
            filler.unlink()
        await run.advance(timedelta(seconds=2))
        await run.advance(timedelta(seconds=2))
        assert any(text.startswith("there is room on the disk again") for text in chat.texts("room/#ops"))
        assert len(await post(2)) == 2
        for name in accepted:
            assert any(name in text for text in chat.texts("person/alice")), (
                f"{name} was accepted and is lost"
            )
        check = await run.tocsin.turn(
            lambda tx: tx.connection.exec_driver_sql("PRAGMA integrity_check").scalar()
        )
        assert check == "ok"


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
