"""What the command line is told of networks and plugins that look at themselves."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from tocsin import examining
from tocsin.api import Examination, Finding, Level, Transaction, green, hookimpl, red
from tocsin.errors import NetworkError, PluginError
from tocsin.plugins import Plugins
from tocsin.testing import Loudspeaker

from tests.engine import Engine, Pager, Start


@dataclass
class Looks(Loudspeaker):
    """error: what keeps it from seeing anything. hangs: whether it never comes to an end."""

    error: Exception | None = None
    hangs: bool = False

    async def examine(self) -> Sequence[Finding]:
        if self.error is not None:
            raise self.error
        if self.hangs:
            await asyncio.Event().wait()
        return [red("console #ops", "is moderated", "/mode #ops +v tocsin")]


class Bell:
    """A plugin with something to look at. breaks: how that fails."""

    breaks: Exception | None = None

    @hookimpl
    def register_examinations(self) -> list[Examination]:
        return [Examination(self.look)]

    def look(self, tx: Transaction) -> Iterator[Finding]:
        if self.breaks is not None:
            raise self.breaks
        yield replace(green("bell", f"rings {len(tx.config.people)} people"), reaches="bob")


async def asked(engine: Engine) -> Mapping[str, Any]:
    found: Mapping[str, Any] = await engine.run.daemon.control.questions["examine"]({})
    return found


@pytest.fixture
def looks(start: Start) -> Looks:
    start.chat = made = Looks("console", {"alice": "alice", "bob": "bob"})
    return made


async def test_all_that_is_seen_is_told(start: Start, looks: Looks) -> None:
    bell = Plugins({"bell": Bell()}).declared().examinations
    async with start(replace(Pager().declared(), examinations=bell)) as engine:
        found = await asked(engine)
        assert [Finding.read(one) for one in found["findings"]] == [
            red("console #ops", "is moderated", "/mode #ops +v tocsin"),
            Finding("bell", Level.GREEN, "rings 2 people", reaches="bob"),
        ]
        assert found["on_call"] == {}
        assert found["reached"] == {"alice": ["console"], "bob": ["console"]}
        assert looks.texts() == []


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (NetworkError("not connected"), "not connected"),
        (ZeroDivisionError("1"), "ZeroDivisionError (see the log)"),
    ],
)
async def test_what_fails_hides_nothing_else(
    start: Start, looks: Looks, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    looks.error = error
    monkeypatch.setattr(Bell, "breaks", ValueError("a secret"))
    bell = Plugins({"bell": Bell()}).declared().examinations
    async with start(replace(Pager().declared(), examinations=bell)) as engine:
        found = [Finding.read(one) for one in (await asked(engine))["findings"]]
    assert [(one.about, one.level, one.text) for one in found] == [
        ("console", Level.YELLOW, f"can't be looked at: {why}"),
        ("bell", Level.YELLOW, "can't be looked at: ValueError"),
    ]


def test_it_is_checked_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def waits(_: Bell, tx: Transaction) -> list[Finding]:
        return [green("bell", str(tx))]

    monkeypatch.setattr(Bell, "look", waits)
    with pytest.raises(PluginError, match="bell"):
        Plugins({"bell": Bell()}).declared()


async def test_one_that_does_not_answer_is_not_waited_for(
    start: Start, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examining, "WITHIN", timedelta(0))
    looks.hangs = True
    async with start() as engine:
        (found,) = (await asked(engine))["findings"]
    assert found["text"] == "can't be looked at: no answer within 0 s"
