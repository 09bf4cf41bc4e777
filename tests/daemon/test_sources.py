"""Plugins bring sources of metrics; each is found by its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tocsin.api import Series, Source, hookimpl
from tocsin.errors import PluginError
from tocsin.plugins import Plugins

from tests.engine import Start


@dataclass(frozen=True)
class Told:
    """A source that was told what it has."""

    series: Sequence[Series] = ()

    async def read(self, expression: str, start: float, end: float, step: float) -> Sequence[Series]:
        return [one for one in self.series if expression in one.labels.values() and start < end and step]


@dataclass(frozen=True)
class Extra:
    """Brings sources."""

    sources: Mapping[str, Any] = field(default_factory=lambda: {"told": Told()})

    @hookimpl
    def register_sources(self) -> Mapping[str, Source]:
        return self.sources


async def test_a_source_is_read_by_its_name(start: Start) -> None:
    up = Series({"__name__": "up"}, [60.0], [1.0])
    declared = Plugins({"extra": Extra({"told": Told([up])})}).declared()
    async with start(declared) as engine:
        sources = engine.run.tocsin.sources
        assert list(sources) == ["told"]
        assert await sources["told"].read("up", 0, 60, 60) == [up]


@pytest.mark.parametrize(
    ("plugins", "complaint"),
    [
        (
            {"a": Extra(), "b": Extra({"told": Told([Series({}, [], [])])})},
            "plugin 'b': source 'told' is claimed by a and by b",
        ),
        ({"a": Extra({"x": object()})}, "plugin 'a': source 'x' has no `async def read`"),
        (
            {"a": Extra([Told()])},  # type: ignore[arg-type]
            "plugin 'a': register_sources failed: AttributeError: 'list' object has no attribute 'items'",
        ),
    ],
)
def test_what_is_no_source_is_told_to_its_author(plugins: Mapping[str, Extra], complaint: str) -> None:
    with pytest.raises(PluginError) as refused:
        Plugins(plugins).declared()
    assert str(refused.value) == complaint
