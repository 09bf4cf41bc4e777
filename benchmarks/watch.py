"""Asks a server for a page that is not there, every 20 ms, and says how long the longest answer took.

Only the server's event loop has to do with such an answer, so none is faster than the loop is free. It includes
what this process itself had to wait: an upper bound.
"""

import asyncio
import sys
import time

from benchmarks.client import Link, get

EVERY = 0.02


async def watch(port: int) -> float:
    """Ask until standard input ends; the longest answer, in seconds."""
    link = await Link.open(port)
    longest = 0.0
    done = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    while not done.done():
        asked = time.perf_counter()
        await link.ask(get("/nothing"))
        took = time.perf_counter() - asked
        longest = max(longest, took)
        await asyncio.sleep(max(0, EVERY - took))
    return longest


if __name__ == "__main__":
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    sys.stdout.write(f"{asyncio.run(watch(int(sys.argv[1])))}\n")
