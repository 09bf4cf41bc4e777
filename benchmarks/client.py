"""Whoever posts: as little work as possible, since it shares the processors with what is measured."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 (invented)
CONNECTIONS = 32
PATIENCE = 60.0
"""How long anything may take before it counts as lost, in seconds."""


@dataclass(frozen=True)
class Link:
    """A connection that is kept open from one question to the next."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, question: bytes) -> int:
        """Ask, and read the whole answer; its status."""
        self.writer.write(question)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await self.reader.readexactly(int(length))
        return int(head[9:12])

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(alert: int, size: int = 1) -> bytes:
    """What Alertmanager posts for a group of so many alerts, which is unlike any other group."""
    body = json.dumps(
        {
            "version": "4",
            "groupKey": f'{{}}:{{alertname="Load{alert}"}}',
            "status": "firing",
            "receiver": "tocsin",
            "externalURL": "http://alertmanager.example.org:9093",
            "groupLabels": {"alertname": f"Load{alert}"},
            "commonLabels": {"alertname": f"Load{alert}", "severity": "critical"},
            "commonAnnotations": {},
            "truncatedAlerts": 0,
            "alerts": [
                {
                    "status": "firing",
                    "labels": {"alertname": f"Load{alert}", "instance": f"db{n}", "severity": "critical"},
                    "annotations": {"summary": "the load has been above 40 for ten minutes"},
                    "startsAt": "2026-11-21T03:00:00.000Z",
                    "endsAt": "0001-01-01T00:00:00Z",
                    "generatorURL": f"http://prometheus.example.org/graph?g0.expr=load&g0.host=db{n}",
                    "fingerprint": f"{alert:08x}{n:08x}",
                }
                for n in range(size)
            ],
        }
    ).encode()
    head = (
        "POST /hooks/alertmanager/prod HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(frozen=True)
class Burst:
    """What came of many posts. answers: how long each took. began, ended: the first post, the last answer."""

    answers: Sequence[float]
    refused: int
    began: float
    ended: float


async def burst(port: int, posts: Sequence[bytes], connections: int = CONNECTIONS) -> Burst:
    """Post all of them, over as many connections as Alertmanager would open at most; nothing is tried again."""
    links = [await Link.open(port) for _ in range(min(connections, len(posts)))]
    left: Iterator[bytes] = iter(posts)
    answers: list[float] = []
    statuses: list[int] = []

    async def work(link: Link) -> None:
        for one in left:
            asked = time.perf_counter()
            async with asyncio.timeout(PATIENCE):
                statuses.append(await link.ask(one))
            answers.append(time.perf_counter() - asked)

    began = time.perf_counter()
    await asyncio.gather(*map(work, links))
    ended = time.perf_counter()
    for link in links:
        await link.close()
    return Burst(answers, sum(status != 202 for status in statuses), began, ended)
