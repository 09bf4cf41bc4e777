"""The floor of checks: reads the same expressions from the same Prometheus with plain aiohttp, and does nothing with them."""

import asyncio
import json
import sys
import time

import aiohttp

AT_ONCE = 4


async def read(
    url: str, expressions: list[str], ranges: list[tuple[float, float, float]]
) -> dict[str, float]:
    """Ask for each expression over each range (from, to, step); how long it took, and what of it was processor time."""
    taken = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession() as session:

        async def one(expression: str) -> None:
            async with taken:
                for start, end, step in ranges:
                    form = {"query": expression, "start": str(start), "end": str(end), "step": str(step)}
                    async with session.post(f"{url}/api/v1/query_range", data=form) as answer:
                        answer.raise_for_status()
                        json.loads(await answer.read())

        await one(expressions[0])
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*map(one, expressions))
        return {"took": time.perf_counter() - began, "cpu": time.process_time() - cpu}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(read(*json.loads(sys.stdin.read())))))
