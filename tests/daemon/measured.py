"""What a Tocsin says of itself to Prometheus, read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from tests.engine import Engine


@dataclass(frozen=True)
class Measured:
    """Each sample by its name and labels. types: each family by its name."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]
    types: Mapping[str, str]

    @classmethod
    def read(cls, text: str) -> "Measured":
        families = list(text_string_to_metric_families(text))
        samples = {
            (one.name, frozenset(one.labels.items())): one.value
            for found in families
            for one in found.samples
        }
        return cls(samples, {found.name: found.type for found in families})

    def __call__(self, name: str, **labels: str) -> float:
        """One sample; its name without the prefix."""
        return self.samples[f"tocsin_{name}", frozenset(labels.items())]

    def has(self, name: str, **labels: str) -> bool:
        return (f"tocsin_{name}", frozenset(labels.items())) in self.samples

    def names(self) -> set[str]:
        return {name for name, _ in self.samples}


async def asked(engine: Engine, method: str = "GET", **headers: str) -> tuple[int, str, Mapping[str, str]]:
    """What is answered to who asks for it: the status, the text and the headers."""
    url = f"http://{engine.run.daemon.web.address}/metrics"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with ClientSession() as session, session.request(method, url, headers=named) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


async def measured(engine: Engine, **headers: Any) -> Measured:
    status, text, _ = await asked(engine, **headers)
    assert status == 200, text
    return Measured.read(text)
